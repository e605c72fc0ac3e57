from __future__ import annotations

from typing import Any

import pytest

from notifications.gateways import base
from notifications.gateways.base import Accepted, Gateway, GatewayError, Message
from notifications.states import Reason
from notifications.tests.gateways.test_contract import MESSAGE

UNREACHABLE = GatewayError("down", reason=Reason.UNREACHABLE)
NO_ANSWER = GatewayError("silence", reason=Reason.NO_ANSWER)
REFUSED = GatewayError("no", reason=Reason.REFUSED)


class Scripted(Gateway):
    """Answers from a list."""

    def __init__(self, *script: GatewayError | Accepted, idempotent: bool = False) -> None:
        self.script, self.idempotent = list(script), idempotent

    def transmit(self, message: Message) -> Accepted:
        answer = self.script.pop(0)
        if isinstance(answer, GatewayError):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PAUSE_SECONDS", 0)


def reason_of(gateway: Gateway) -> tuple[Reason, int]:
    """Why it failed, and how many answers of its list are left."""
    with pytest.raises(GatewayError) as failed:
        gateway.send(MESSAGE)
    return failed.value.reason, len(gateway.script)  # type: ignore[attr-defined]


def test_a_connection_never_made_is_tried_again() -> None:
    assert Scripted(UNREACHABLE, UNREACHABLE, Accepted("7")).send(MESSAGE) == Accepted("7")


def test_a_connection_never_made_is_tried_three_times_at_most() -> None:
    assert reason_of(Scripted(*[UNREACHABLE] * 5)) == (Reason.UNREACHABLE, 2)


def test_what_is_permanent_is_tried_once() -> None:
    permanent = GatewayError("no such host", reason=Reason.UNREACHABLE, permanent=True)
    assert reason_of(Scripted(permanent, Accepted())) == (Reason.UNREACHABLE, 1)


def test_a_refusal_is_final() -> None:
    assert reason_of(Scripted(REFUSED, Accepted(), idempotent=True)) == (Reason.REFUSED, 1)


def test_without_an_answer_and_without_a_key_it_is_not_repeated() -> None:
    assert reason_of(Scripted(NO_ANSWER, Accepted())) == (Reason.NO_ANSWER, 1)


def test_without_an_answer_it_is_repeated_under_its_key() -> None:
    assert Scripted(NO_ANSWER, Accepted("7"), idempotent=True).send(MESSAGE) == Accepted("7")


@pytest.mark.parametrize("second", [NO_ANSWER, UNREACHABLE, REFUSED])
def test_after_no_answer_only_an_acceptance_makes_it_known(second: GatewayError) -> None:
    assert reason_of(Scripted(NO_ANSWER, second, Accepted(), idempotent=True)) == (Reason.NO_ANSWER, 1)


@pytest.mark.parametrize(
    "number", ["+886912345678", "886912345678", "0912345678", "0912-345-678", "0912 345 678", "+886 912-345-678"]
)
def test_clean_masks_the_number(number: str) -> None:
    assert Gateway().clean(f"bad number {number}!", MESSAGE.phone) == "bad number 0912-***-678!"


def test_clean_takes_secrets_out_and_cuts() -> None:
    gateway = Gateway()
    gateway.secrets = ("", "top-secret")
    assert gateway.clean("key top-secret\r\n\0is\twrong", "") == "key *** is wrong"
    assert len(gateway.clean("x" * 2000, "")) == 500


def test_settings_name_the_gateway(settings: Any) -> None:
    from notifications.gateways import get_gateway
    from notifications.gateways.local import Console

    settings.SMS_GATEWAY = "console"
    assert isinstance(get_gateway(), Console)
    assert get_gateway() is get_gateway()
    settings.SMS_GATEWAY = "memory"
    assert get_gateway().name == "memory"
