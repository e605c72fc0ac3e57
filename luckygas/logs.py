"""What must not stand in a log."""

from __future__ import annotations

import logging
import re

# Tokens and tickets of a URL, and the secret of the link that is sent to a customer.
SECRET = re.compile(r"((?:token|ticket)=|/track/|/t/)[^&\s\"'/\]]+")


class MaskSecrets(logging.Filter):
    """Masks them in every line, whoever writes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        masked = SECRET.sub(r"\1***", text)
        if masked != text:
            record.msg, record.args = masked, ()
        return True
