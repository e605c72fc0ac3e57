"""The texts of messages in the customer's language: defaults, placeholders, e-mails, and checks of what staff type.

Uses no model. Each default text fits one segment, including the sender's name and a link as short as
`https://lg.tw/t/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Protocol

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications import carrier_rules
from notifications.states import COMING, MessageKind
from orders.numbers import TOKEN_LENGTH

# Not in the translation catalogue: the segments of these texts are counted, and carriers know them word for word.
TEXTS = {
    "zh-hant": {
        MessageKind.ORDER_CONFIRMED: "您的瓦斯訂單 {order_number} 已確認。預計送達時間：{scheduled_date}",
        MessageKind.DRIVER_ON_THE_WAY: "司機已出發，訂單 {order_number} 預計 {eta} 送達。即時位置 {tracking_url}",
        MessageKind.DRIVER_ARRIVING: "您的瓦斯即將送達！司機將在10-15分鐘內抵達。訂單編號：{order_number}",
        MessageKind.DRIVER_TURNED_AWAY: "訂單 {order_number} 的司機臨時先離開，稍後會再為您送達，敬請見諒。",
        MessageKind.ORDER_DELIVERED: "您的瓦斯訂單 {order_number} 已送達。感謝您的訂購！",
        MessageKind.DELIVERY_FAILED: "您的瓦斯訂單 {order_number} 這次未能送達，我們會與您另約時間。",
        MessageKind.ORDER_CANCELLED: "您的瓦斯訂單 {order_number} 已取消。",
        MessageKind.ORDER_RESCHEDULED: "您的瓦斯訂單 {order_number} 已改期。新的預計送達時間：{scheduled_date}",
    },
    "en": {
        MessageKind.ORDER_CONFIRMED: "Gas order {order_number} is confirmed for {scheduled_date}.",
        MessageKind.DRIVER_ON_THE_WAY: "Gas {order_number} due {eta}: {tracking_url}",
        MessageKind.DRIVER_ARRIVING: "Your gas (order {order_number}) arrives in 10-15 minutes.",
        MessageKind.DRIVER_TURNED_AWAY: "Gas order {order_number}: the driver had to leave; back later.",
        MessageKind.ORDER_DELIVERED: "Gas order {order_number} is delivered. Thank you!",
        MessageKind.DELIVERY_FAILED: "Gas order {order_number} was not delivered. We will call you.",
        MessageKind.ORDER_CANCELLED: "Gas order {order_number} is cancelled.",
        MessageKind.ORDER_RESCHEDULED: "Gas order {order_number} is now due {scheduled_date}.",
    },
}
# Placeholders for every kind, written `{order_number}`.
ALWAYS = ("order_number", "scheduled_date", "tracking_url")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
BRACES = re.compile(r"\{[^{}]{0,40}\}?|\}")
# Maximum characters of a text that staff type.
LONGEST_BODY = 500
# The part of the day, by `TimeSlot`. An order for any time has no entry.
SLOTS = {
    "zh-hant": {"morning": "上午", "afternoon": "下午", "evening": "晚上"},
    "en": {"morning": "morning", "afternoon": "afternoon", "evening": "evening"},
}
TODAY = {"zh-hant": "今天", "en": "today"}
# The longest value of each placeholder except the link.
LONGEST = {
    "zh-hant": {"order_number": "0000-0000", "scheduled_date": "12/31 上午", "eta": "12:00"},
    "en": {"order_number": "0000-0000", "scheduled_date": "12/31 afternoon", "eta": "this afternoon"},
}


class OrderFacts(Protocol):
    """The data of an order that a text may contain. `time_slot` is a key of SLOTS; anything else means any time."""

    order_number: str
    scheduled_date: date
    time_slot: str
    eta: datetime | None
    tracking_token: str


def language_of(preferred: str) -> str:
    return preferred if preferred in TEXTS else "zh-hant"


def sms(body: str, language: str, order: OrderFacts | None) -> str:
    """Returns the whole text of an SMS: the sender's name, and `body` with the order's values."""
    return prefix() + fill(body, placeholder_values(order, language))


def email(kind: MessageKind, body: str, language: str, order: OrderFacts | None, items: Iterable[object]) -> str:
    """Returns the subject, an empty line and the body: the filled-in text, then the order's data, `items` and link."""
    link = settings.TRACKING_URL + order.tracking_token if order else ""
    with translation.override(language):
        values = {"sender": settings.SMS_SENDER, "order": order or "", "kind": kind.label}
        subject = _("%(sender)s %(order)s: %(kind)s") % values
        context = {**values, "text": fill(body, placeholder_values(order, language)), "items": items, "link": link}
        text = render_to_string("customer/mail.txt", context)
    return " ".join(subject.split()) + "\n\n" + text.strip() + "\n"


def allowed_placeholders(kind: str) -> tuple[str, ...]:
    """Returns the names of the placeholders that a text of this kind may use."""
    return (*ALWAYS, "eta") if kind in COMING else ALWAYS


def fill(body: str, values: Mapping[str, str]) -> str:
    """Replaces placeholders and leaves unknown ones. Unlike `str.format` it never evaluates text that staff typed."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), body)


def longest_values(language: str) -> dict[str, str]:
    """Returns the longest value of each placeholder, including the link."""
    return LONGEST[language] | {"tracking_url": settings.TRACKING_URL + "x" * TOKEN_LENGTH}


def max_default_segments(tracking_url: str) -> int:
    """Returns the segments of the longest default text, with links that begin with `tracking_url`."""
    link = {"tracking_url": tracking_url + "x" * TOKEN_LENGTH}
    texts = [prefix() + fill(text, LONGEST[lang] | link) for lang in TEXTS for text in TEXTS[lang].values()]
    return max(map(carrier_rules.segments, texts))


def prefix() -> str:
    """Returns the registered sender's name in 【】. Each SMS begins with it, because carriers require the name."""
    return f"【{settings.SMS_SENDER}】"


def placeholder_values(order: OrderFacts | None, language: str) -> dict[str, str]:
    """Returns the values of the placeholders; an empty mapping without an order."""
    if order is None:
        return {}
    return {
        "order_number": order.order_number, "scheduled_date": delivery_day(order, language),
        "eta": expected_arrival(order, language), "tracking_url": settings.TRACKING_URL + order.tracking_token,
    }  # fmt: skip


def expected_arrival(order: OrderFacts, language: str) -> str:
    """Returns when the driver will arrive: `14:30`, else the part of the day, else “today”."""
    if order.eta is not None:
        return f"{timezone.localtime(order.eta):%H:%M}"
    slot = SLOTS[language].get(order.time_slot)
    if slot is None:
        return TODAY[language]
    return f"this {slot}" if language == "en" else slot


def delivery_day(order: OrderFacts, language: str) -> str:
    """Returns the delivery date and part of the day: `11/23 上午`; only the date if any time is possible."""
    day = f"{order.scheduled_date.month}/{order.scheduled_date.day}"
    return f"{day} {SLOTS[language].get(order.time_slot, '')}".rstrip()


def strip_placeholders(body: str) -> str:
    """Replaces each placeholder with a blank."""
    return PLACEHOLDER.sub(" ", body)


def tidy(body: str) -> str:
    """Normalises line ends (a browser sends two characters) and strips blanks."""
    return body.replace("\r\n", "\n").strip()


class Preview:
    """A text as the customer reads it, with the longest value of every placeholder."""

    def __init__(self, kind: str, language: str, body: str) -> None:
        self.body, self.allowed = tidy(body), allowed_placeholders(kind)
        self.text = prefix() + fill(self.body, longest_values(language))
        # By EVERY8D's price list a segment costs one point.
        self.segments = carrier_rules.segments(self.text)

    @cached_property
    def problems(self) -> list[str]:
        """Why the text cannot be saved, in the reader's language; empty if it can."""
        found = self.unknown_placeholders()
        if "【" in self.body or "】" in self.body:
            found.append(_("Please remove 【】 and the name inside. The system adds the registered name."))
        literal = strip_placeholders(self.body)
        number = _("“%s” looks like a telephone number. Please remove it; carriers block such SMS.")
        link = _("“%s” is not a registered link. Please remove it; carriers block such SMS.")
        found += [number % digits for digits in carrier_rules.telephones(literal)]
        found += [
            link % host[:80] for host in carrier_rules.foreign_links(literal) + carrier_rules.foreign_links(self.text)
        ]
        if self.segments > carrier_rules.MAX_SEGMENTS:
            values = {"segments": self.segments, "most": carrier_rules.MAX_SEGMENTS}
            found.append(
                _(
                    "With the longest values this text takes %(segments)d segments. Please shorten it to at most "
                    "%(most)d."
                )
                % values
            )
        return list(dict.fromkeys(found))

    def unknown_placeholders(self) -> list[str]:
        """Returns an error for each `{…}` or stray brace that is not a placeholder allowed for this kind of message."""
        known = [f"{{{name}}}" for name in self.allowed]
        unknown = [braces for braces in BRACES.findall(self.body) if braces not in known]
        detail = _("“%(braces)s” is not a placeholder. You can use: %(known)s.")
        return [detail % {"braces": braces, "known": ", ".join(known)} for braces in unknown]

    @property
    def cost(self) -> str:
        """The highest cost of one message, as a sentence."""
        values = {"segments": self.segments, "letters": len(self.text)}
        return ngettext(
            "At most %(letters)d characters: %(segments)d segment, %(segments)d point",
            "At most %(letters)d characters: %(segments)d segments, %(segments)d points",
            self.segments,
        ) % values  # fmt: skip
