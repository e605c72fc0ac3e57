"""Converts the answers of the probes to faults with remedies, as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from health.parts import LONGEST_PENDING
from health.probes import Answer, Health
from notifications.statistics import GOAL
from web import flags

Answers = Mapping[str, Answer]
# Changes that reach screens later than this are a fault.
SLOW_MS = 2000


@dataclass(frozen=True, slots=True)
class Fault:
    """`is_bad`: something does not work; otherwise it is only degraded."""

    said: str
    remedy: str
    is_bad: bool = False


def faults(answers: Answers, failed_requests: int) -> list[Fault]:
    """Returns the faults, the worst first. `failed_requests`: count of the last ten minutes."""
    if answers["database"]["status"] == Health.UNHEALTHY:
        # Every other fault follows from this one.
        return [database_down()]
    found = [*_servers(answers, failed_requests), *_sockets(answers["websocket"]), *_messages(answers["notifications"])]
    found += [Fault(_("“%s” is switched off.") % name, str(flags.MEANINGS[name])) for name in flags.switched_off()]
    return sorted(found, key=lambda fault: not fault.is_bad)


def database_down() -> Fault:
    return Fault(
        _("The database does not answer."),
        _("Nothing can be saved. Look whether PostgreSQL runs and has room on its disk; the site goes on by itself."),
        is_bad=True,
    )


def _servers(answers: Answers, failed: int) -> Iterator[Fault]:
    if answers["migrations"]["status"] != Health.HEALTHY:
        yield Fault(
            _("The database is not yet as this version needs it."),
            _("Run “manage.py migrate” on one server; pages may fail until then."),
            is_bad=True,
        )
    if answers["redis"]["status"] != Health.HEALTHY:
        yield Fault(
            _("Redis does not answer."),
            _("Screens are up to a second late, and nothing is lost. Look whether Redis runs, and at REDIS_URL."),
        )
    if failed:
        said = ngettext(
            "%d request failed in the last ten minutes.", "%d requests failed in the last ten minutes.", failed
        )
        yield Fault(said % failed, _("The log of the servers says why, with “error” in its line."), is_bad=True)


def _sockets(answer: Answer) -> Iterator[Fault]:
    if "connections" not in answer:
        yield Fault(_("The figures of the live connections cannot be read."), _("Look into the log of the servers."))
        return
    if answer["hub_stuck"]:
        yield Fault(
            _("This server no longer tells its screens what changed."),
            _("Restart this server; the screens connect again by themselves and miss nothing."),
            is_bad=True,
        )
    elif waited := answer["waiting_seconds"]:
        yield Fault(
            _("For %d seconds no screen has been told what changed.") % waited,
            _("Some process holds the head of the log. Restart the servers; the screens miss nothing."),
            is_bad=True,
        )
    if answer["bells_are_missed"]:
        yield Fault(
            _("Redis answers, but most of its messages do not arrive."),
            _("Screens are up to a second late. Look at what stands between servers and Redis; restart the servers."),
        )
    if (answer["hub_lag_p99_ms"] or 0) > SLOW_MS:
        yield Fault(
            _("Changes reach the screens more than two seconds late."),
            _("Look how busy the servers and the database are; another worker may help."),
        )


def _messages(answer: Answer) -> Iterator[Fault]:
    if "pending" not in answer:
        yield Fault(_("The figures of the messages cannot be read."), _("Look into the log of the servers."))
        return
    for provider in filter(None, (answer["sms_provider"], answer["sms_fallback"])):
        yield from _provider(provider, answer["status"] == Health.UNHEALTHY)
    if (seconds := answer["oldest_pending_seconds"]) > LONGEST_PENDING.total_seconds():
        yield Fault(
            _("An SMS that should be out has waited for %d minutes.") % (seconds // 60),
            _("Look whether “manage.py send_pending_sms --loop” runs, and restart it."),
            is_bad=True,
        )
    if answer["unknown"]:
        said = ngettext(
            "Of %d SMS it is not known whether it went out.",
            "Of %d SMS it is not known whether they went out.",
            answer["unknown"],
        )
        yield Fault(said % answer["unknown"], _("Run “manage.py query_sms_status”, or see “Messages” in the admin."))
    taken = answer["success_rate_24h"]
    if taken is not None and taken < GOAL:
        said = _("Of the SMS of the last 24 hours %(taken).0f %% were taken; the goal is %(goal).0f %%.")
        yield Fault(
            said % {"taken": 100 * taken, "goal": 100 * GOAL},
            _("“Messages” in the admin shows each that failed, with the provider's reason."),
        )


def _provider(answer: Mapping[str, Any], is_bad: bool) -> Iterator[Fault]:
    name = answer["name"]
    if because := answer.get("stopped_because"):
        remedy = _(
            "Settle it with the provider, then press “Start again” at the gateway in the admin; SMS wait till then."
        )
        said = _("SMS by %(name)s are stopped: %(because)s") % {"name": name, "because": because}
        yield Fault(said, remedy, is_bad)
    elif because := answer.get("not_understood"):
        said = _("The SMS provider %(name)s answers with an unknown code: %(because)s")
        remedy = _("No message fails because of it: SMS go by the stand-in or wait. Ask the provider what it means.")
        yield Fault(said % {"name": name, "because": because}, remedy, is_bad)
    elif answer["status"] != Health.HEALTHY:
        remedy = _("SMS go by the stand-in or wait, and nothing is sent twice. Ask the provider if it lasts.")
        yield Fault(_("The SMS provider %s cannot be reached.") % name, remedy, is_bad)
