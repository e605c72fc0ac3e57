"""Gives the log lines of all libraries one format, and masks secrets and telephone numbers."""

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
# Secrets in URLs: tokens, tickets, and the secrets of tracking links, password links and callbacks. Also the parameters
# of callbacks: the customer's number (dstaddr, RM) and reply (SM), and our account (USERID).
SECRET = re.compile(
    r"((?:token|ticket|dstaddr|RM|SM|USERID)=|/track/|/t/|/callbacks/[\w-]+/|/password/set/[\w-]+/)[^&\s\"'/\]\\]+"
)
# The extra fields of our own lines. Other libraries attach whole requests, which must not be logged.
FIELDS = (
    "method", "route", "path", "status", "ms", "user_id", "command", "outcome", "events", "requests",
)  # fmt: skip


def mask(line: str) -> str:
    """Masks secrets and telephone numbers."""
    return mask_numbers(SECRET.sub(r"\1***", line))


class MaskSecrets(logging.Filter):
    """Masks the text of the record itself, so that all later handlers get it masked."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str):  # structlog's messages are dictionaries
            text = record.getMessage()
            masked = mask(text)
            if masked != text:
                record.msg, record.args = masked, ()
        return True


def quote(text: str) -> str:
    """Masks secrets, and escapes unprintable characters as Python does. All kinds of spaces (category Zs) stay.

    Text from outside, such as a path, must not forge a log line. Terminals execute ESC and C1 controls, several
    characters besides \\n end a line, and direction marks reverse words.
    """
    masked = mask(text)
    return masked if masked.isprintable() else "".join(map(_quote_letter, masked))


def _quote_letter(letter: str) -> str:
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    return letter.encode("unicode_escape").decode()


def _quote_values(logger: Any, name: str, event: EventDict) -> EventDict:
    """Quotes every text. Quotes tracebacks line by line and indents them, so that none looks like a log line."""
    for key, value in event.items():
        if key in ("exception", "stack"):
            event[key] = "\n".join(f"  {quote(line)}" for line in str(value).split("\n"))
        elif isinstance(value, str):
            event[key] = quote(value)
    return event


def _escape_line(logger: Any, name: str, line: Any) -> str:
    """Escapes the unprintable characters that JSON leaves: those above U+0020 (RFC 8259, section 7)."""
    return line if line.isprintable() else "".join(map(_escape_letter, line))


def _escape_letter(letter: str) -> str:
    return letter if _quote_letter(letter) == letter else json.dumps(letter)[1:-1]


def _mask_line(logger: Any, name: str, line: Any) -> Any:
    # Masks the finished line, so that nothing from a library or a traceback is missed.
    return mask(line)


def _sort_fields(logger: Any, name: str, event: EventDict) -> EventDict:
    """Puts time, level and text first, for human readers."""
    return {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "event": event.pop("event"), **event}


def shared_processors(form: str) -> list[Processor]:
    """Returns the processors that every line goes through before it is rendered."""
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
        _sort_fields, exceptions, structlog.processors.JSONRenderer(ensure_ascii=False), _escape_line,
    ]  # fmt: skip
    renderers = as_json if form == "json" else as_text
    return ProcessorFormatter(
        foreign_pre_chain=shared_processors(form),
        processors=[ProcessorFormatter.remove_processors_meta, *renderers, _mask_line],
    )


def config(level: str, form: str) -> dict[str, Any]:
    """Returns Django's LOGGING. `form`: one of FORMATS."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter, "form": form}},
        "filters": {"mask": {"()": MaskSecrets}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["mask"]}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django's own handlers, for DEBUG and its development server, do not mask.
            "django": {"handlers": []},
            "django.server": {"handlers": [], "propagate": True},
            # uvicorn's own handler would write whole URLs, tokens included.
            "uvicorn.error": {"handlers": ["console"], "propagate": False},
            # `runserver` logs every request, and Django every refused one. Our middleware already logs them all.
            "django.channels.server": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            # Without an entry redis-py adds its own handler.
            "push_response": {},
            # `accounts.attempts` logs failed sign-ins itself, masked.
            "axes": {"level": "ERROR"},
        },
    }


def configure_structlog(form: str) -> None:
    """Sends the lines of `structlog.get_logger()` through the handlers of `logging`."""
    structlog.configure(
        processors=[*shared_processors(form), ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
