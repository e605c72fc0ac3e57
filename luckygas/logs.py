"""The log: whoever writes a line, and by whichever library, it comes out in one form and without secrets."""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from typing import Any

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.types import EventDict, Processor

from notifications.masking import mask_numbers

FORMATS = ("text", "json")
# Tokens and tickets of a URL, the secret of the link that is sent to a customer, of the one that sets a password and of
# the one that providers call, and what these say in it: the customer's number (dstaddr, RM), the answer (SM) and our
# account (USERID).
SECRET = re.compile(
    r"((?:token|ticket|dstaddr|RM|SM|USERID)=|/track/|/t/|/callbacks/[\w-]+/|/password/set/[\w-]+/)[^&\s\"'/\]\\]+"
)
# What our own lines say beside their words. Others hang whole requests on theirs.
FIELDS = (
    "method", "route", "path", "status", "ms", "user_id", "command", "outcome", "events", "requests",
)  # fmt: skip


def mask(line: str) -> str:
    """Without secrets and whole telephone numbers."""
    return mask_numbers(SECRET.sub(r"\1***", line))


class MaskSecrets(logging.Filter):
    """Masks the words of a record themselves, for every handler behind this one."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str):  # structlog's are dictionaries
            text = record.getMessage()
            masked = mask(text)
            if masked != text:
                record.msg, record.args = masked, ()
        return True


def quote(text: str) -> str:
    """With everything that is no letter, sign or blank as Python writes it, and no secrets.

    A terminal obeys ESC and the C1 controls, lines end at more than \\n, and marks of direction turn words around: what
    comes from outside, as a path does, must not look like a line of ours.
    """
    masked = mask(text)
    return masked if masked.isprintable() else "".join(map(_quoted, masked))


def _quoted(letter: str) -> str:
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    return letter.encode("unicode_escape").decode()


def _quote_values(logger: Any, name: str, event: EventDict) -> EventDict:
    """Each on its line; of a traceback each line is quoted by itself, and moved in so that it is none of ours."""
    for key, value in event.items():
        if key in ("exception", "stack"):
            event[key] = "\n".join(f"  {quote(line)}" for line in str(value).split("\n"))
        elif isinstance(value, str):
            event[key] = quote(value)
    return event


def _escape(logger: Any, name: str, line: Any) -> str:
    """JSON itself escapes the controls below U+0020 only (RFC 8259, 7)."""
    return line if line.isprintable() else "".join(map(_escaped, line))


def _escaped(letter: str) -> str:
    return letter if _quoted(letter) == letter else json.dumps(letter)[1:-1]


def _mask_line(logger: Any, name: str, line: Any) -> Any:
    # The finished line and not its parts: nothing that a library adds or a traceback shows is forgotten.
    return mask(line)


def _words_first(logger: Any, name: str, event: EventDict) -> EventDict:
    """For whoever reads lines by eye."""
    return {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "event": event.pop("event"), **event}


def before(form: str) -> list[Processor]:
    """What every line is given."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper("iso" if form == "json" else "%Y-%m-%d %H:%M:%S", utc=form == "json"),
        ExtraAdder(FIELDS),
    ]


def formatter(form: str) -> logging.Formatter:
    text = structlog.dev.ConsoleRenderer(
        colors=False, pad_event_to=0, pad_level=False, exception_formatter=structlog.dev.plain_traceback
    )
    exceptions = structlog.processors.format_exc_info
    as_text: list[Processor] = [exceptions, _quote_values, text]
    as_json: list[Processor] = [
        _words_first, exceptions, structlog.processors.JSONRenderer(ensure_ascii=False), _escape,
    ]  # fmt: skip
    renderers = as_json if form == "json" else as_text
    return ProcessorFormatter(
        foreign_pre_chain=before(form),
        processors=[ProcessorFormatter.remove_processors_meta, *renderers, _mask_line],
    )


def config(level: str, form: str) -> dict[str, Any]:
    """Django's LOGGING. `form`: one of FORMATS."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter, "form": form}},
        "filters": {"mask": {"()": MaskSecrets}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["mask"]}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django's own handlers, of DEBUG and of its plain development server, would mask nothing.
            "django": {"handlers": []},
            "django.server": {"handlers": [], "propagate": True},
            # uvicorn's own handler would write whole URLs, tokens included.
            "uvicorn.error": {"handlers": ["console"], "propagate": False},
            # `runserver` writes a line for each request too, and Django one for each that was refused.
            "django.channels.server": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            # redis-py gives it a handler of its own where nobody has named it.
            "push_response": {},
            # Of a failed sign-in, which `accounts.attempts` tells masked.
            "axes": {"level": "ERROR"},
        },
    }


def configure_structlog(form: str) -> None:
    """Lines written by `structlog.get_logger()` go the same way."""
    structlog.configure(
        processors=[*before(form), ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
