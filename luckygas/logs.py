"""What must not stand in a log."""

from __future__ import annotations

import logging
import re

# Tokens and tickets of a URL, the secret of the link that is sent to a customer and of the one that providers call, and
# what these say in it: the customer's number (dstaddr, RM), the answer (SM) and our account (USERID).
SECRET = re.compile(r"((?:token|ticket|dstaddr|RM|SM|USERID)=|/track/|/t/|/callbacks/[\w-]+/)[^&\s\"'/\]]+")


class MaskSecrets(logging.Filter):
    """Masks them in every line, whoever writes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        masked = SECRET.sub(r"\1***", text)
        if masked != text:
            record.msg, record.args = masked, ()
        return True
