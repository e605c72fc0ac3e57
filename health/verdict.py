"""Converts the answers of the probes to faults with remedies, as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from health.parts import MAX_PENDING
from health.probes import Answer, HealthStatus
from notifications.statistics import GOAL
from web import flags

Answers = Mapping[str, Answer]
# Changes that reach screens later than this are a fault.
SLOW_MS = 2000


@dataclass(frozen=True, slots=True)
class HealthFault:
    """A fault and its `remedy`. `is_bad` is true if something does not work, false if it only works less well."""

    text: str
    remedy: str
    is_bad: bool = False


def faults(answers: Answers, failed_requests: int) -> list[HealthFault]:
    """Returns the faults, the bad ones first. `failed_requests` is their number in the last ten minutes."""
    if answers["database"]["status"] == HealthStatus.UNHEALTHY:
        # Every other fault follows from this one.
        return [database_down()]
    found = [*_servers(answers, failed_requests), *_sockets(answers["websocket"]), *_messages(answers["notifications"])]
    found += [
        HealthFault(_("The switch “%s” is turned off.") % name, str(flags.MEANINGS[name]))
        for name in flags.off_switches()
    ]
    return sorted(found, key=lambda fault: not fault.is_bad)


def database_down() -> HealthFault:
    return HealthFault(
        _("The database does not respond."),
        _(
            "Nothing can be saved. Check that PostgreSQL is running and its disk has space. "
            "The site recovers by itself."
        ),
        is_bad=True,
    )


def _servers(answers: Answers, failed: int) -> Iterator[HealthFault]:
    if answers["migrations"]["status"] != HealthStatus.HEALTHY:
        yield HealthFault(
            _("The database does not have this version's tables yet, or cannot be checked for them."),
            _("Run “manage.py migrate” on one server. Pages may fail until then."),
            is_bad=True,
        )
    if answers["redis"]["status"] != HealthStatus.HEALTHY:
        yield HealthFault(
            _("Redis does not respond."),
            _(
                "Screens update up to one second late. Nothing is lost. Check that Redis is running and that "
                "REDIS_URL is right."
            ),
        )
    if failed:
        text = ngettext(
            "%d request failed in the last ten minutes.", "%d requests failed in the last ten minutes.", failed
        )
        yield HealthFault(text % failed, _("The cause is in the servers' logs. Search for “error”."), is_bad=True)


def _sockets(answer: Answer) -> Iterator[HealthFault]:
    if "connections" not in answer:
        yield HealthFault(_("The statistics of the live connections cannot be read."), _("Check the servers' logs."))
        return
    if answer["hub_stuck"]:
        yield HealthFault(
            _("This server no longer sends changes to its screens."),
            _("Restart this server. Screens reconnect by themselves and miss nothing."),
            is_bad=True,
        )
    elif waited := answer["waiting_seconds"]:
        yield HealthFault(
            _("A change has waited %d seconds and has not reached any screen.") % waited,
            _("A process is blocking the event log. Restart the servers. Screens miss nothing."),
            is_bad=True,
        )
    if answer["bells_are_missed"]:
        yield HealthFault(
            _("Redis responds, but most internal messages sent through Redis are lost."),
            _(
                "Screens update up to one second late. Check the network between the servers and Redis, then "
                "restart the servers."
            ),
        )
    if (answer["hub_lag_p99_ms"] or 0) > SLOW_MS:
        yield HealthFault(
            _("Some changes reach screens more than two seconds late."),
            _("Check the load of the servers and the database. One more worker may help."),
        )


def _messages(answer: Answer) -> Iterator[HealthFault]:
    if "pending" not in answer:
        yield HealthFault(_("The message statistics cannot be read."), _("Check the servers' logs."))
        return
    for provider in filter(None, (answer["sms_provider"], answer["sms_fallback"])):
        yield from _provider(provider, answer["status"] == HealthStatus.UNHEALTHY)
    if (seconds := answer["oldest_pending_seconds"]) > MAX_PENDING.total_seconds():
        yield HealthFault(
            _("A message that is due has waited for %d minutes.") % (seconds // 60),
            _("If no other line here gives the cause, start or restart “manage.py send_pending_sms --loop”."),
            is_bad=True,
        )
    if answer["unknown"]:
        text = ngettext(
            "Delivery status unknown for %d message.",
            "Delivery status unknown for %d messages.",
            answer["unknown"],
        )
        yield HealthFault(
            text % answer["unknown"], _("Run “manage.py query_sms_status”, or open “Messages” in the admin.")
        )
    rate = answer["success_rate_24h"]
    if rate is not None and rate < GOAL:
        text = _(
            "Of the messages tried in the last 24 hours, %(taken).0f %% were sent or delivered. "
            "The goal is %(goal).0f %%."
        )
        yield HealthFault(
            text % {"taken": 100 * rate, "goal": 100 * GOAL},
            _("“Messages” in the admin lists each failed message with its reason."),
        )


def _provider(answer: Mapping[str, Any], is_bad: bool) -> Iterator[HealthFault]:
    name = answer["name"]
    if because := answer.get("stopped_because"):
        remedy = _(
            "SMS go through the second provider or wait. Solve this with the provider, then press “Start "
            "again” at the gateway in the admin."
        )
        text = _("Messages through %(gateway)s are stopped: %(because)s") % {"gateway": name, "because": because}
        yield HealthFault(text, remedy, is_bad)
    elif because := answer.get("not_understood"):
        text = _("The provider %(gateway)s responded with an unknown code: %(because)s")
        remedy = _(
            "No SMS fails because of this code. SMS go through the second provider or wait. Ask the provider "
            "what the code means."
        )
        yield HealthFault(text % {"gateway": name, "because": because}, remedy, is_bad)
    elif answer["status"] != HealthStatus.HEALTHY:
        remedy = _(
            "SMS go through the second provider or wait. None is sent twice. Call the provider if this continues."
        )
        yield HealthFault(_("The SMS provider %s does not respond, or refuses our request.") % name, remedy, is_bad)
