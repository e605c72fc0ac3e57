"""The words of each message, in the customer's language. The default ones fit one segment, the sender included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from notifications import mails, segments
from notifications.states import Kind, Type
from orders.models import Order, TimeSlot

if TYPE_CHECKING:
    from notifications.models import NotificationHistory

# Not in the translators' catalogue: these words are counted, and registered with the carriers as they stand.
TEXTS = {
    "zh-hant": {
        Kind.ORDER_CONFIRMED: "您的瓦斯訂單 {order_number} 已確認。預計送達時間：{scheduled_date}",
        Kind.DRIVER_ON_THE_WAY: "司機已出發，訂單 {order_number} 預計 {eta} 送達。即時位置 {tracking_url}",
        Kind.DRIVER_ARRIVING: "您的瓦斯即將送達！司機將在10-15分鐘內抵達。訂單編號：{order_number}",
        Kind.DRIVER_TURNED_AWAY: "訂單 {order_number} 的司機臨時先離開，稍後會再為您送達，敬請見諒。",
        Kind.ORDER_DELIVERED: "您的瓦斯訂單 {order_number} 已送達。感謝您的訂購！",
        Kind.DELIVERY_FAILED: "您的瓦斯訂單 {order_number} 這次未能送達，我們會與您另約時間。",
        Kind.ORDER_CANCELLED: "您的瓦斯訂單 {order_number} 已取消。",
        Kind.ORDER_RESCHEDULED: "您的瓦斯訂單 {order_number} 已改期。新的預計送達時間：{scheduled_date}",
    },
    "en": {
        Kind.ORDER_CONFIRMED: "Gas order {order_number} is confirmed for {scheduled_date}.",
        Kind.DRIVER_ON_THE_WAY: "Gas {order_number} due {eta}: {tracking_url}",
        Kind.DRIVER_ARRIVING: "Your gas (order {order_number}) arrives in 10-15 minutes.",
        Kind.DRIVER_TURNED_AWAY: "Gas order {order_number}: the driver had to leave; back later.",
        Kind.ORDER_DELIVERED: "Gas order {order_number} is delivered. Thank you!",
        Kind.DELIVERY_FAILED: "Gas order {order_number} was not delivered. We will call you.",
        Kind.ORDER_CANCELLED: "Gas order {order_number} is cancelled.",
        Kind.ORDER_RESCHEDULED: "Gas order {order_number} is now due {scheduled_date}.",
    },
}
# What a text may name, as `{order_number}`. The hour and the link are of use only once the driver has left.
ALWAYS = ("order_number", "scheduled_date", "tracking_url")
ON_THE_ROAD = frozenset({Kind.DRIVER_ON_THE_WAY, Kind.DRIVER_ARRIVING})
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
# Characters of an order's tracking token.
TOKEN_LENGTH = 12
SLOTS = {
    "zh-hant": {TimeSlot.MORNING: "上午", TimeSlot.AFTERNOON: "下午", TimeSlot.EVENING: "晚上"},
    "en": {TimeSlot.MORNING: "morning", TimeSlot.AFTERNOON: "afternoon", TimeSlot.EVENING: "evening"},
}
TODAY = {"zh-hant": "今天", "en": "today"}
LONGEST = {
    "zh-hant": {"order_number": "0000-0000", "scheduled_date": "12/31 上午", "eta": "12:00"},
    "en": {"order_number": "0000-0000", "scheduled_date": "12/31 afternoon", "eta": "this afternoon"},
}


def render(row: NotificationHistory) -> str:
    """The whole text of a message, as it is true now. An e-mail's first line is its subject."""
    if row.type != Type.EMAIL:
        return sms(row)[0]
    language = language_of(row)
    return mails.compose(row, fill(row.template.body(language), placeholders(row.order, language)), language)


def sms(row: NotificationHistory) -> tuple[str, str]:
    """The text of an SMS, and what a person typed of it."""
    language = language_of(row)
    body = row.template.body(language)
    return prefix() + fill(body, placeholders(row.order, language)), PLACEHOLDER.sub(" ", body)


def language_of(row: NotificationHistory) -> str:
    return row.customer.language if row.customer.language in TEXTS else "zh-hant"


def allowed(kind: str) -> tuple[str, ...]:
    """The placeholders that a text of this kind may use."""
    return (*ALWAYS, "eta") if kind in ON_THE_ROAD else ALWAYS


def fill(body: str, values: Mapping[str, str]) -> str:
    """Puts values in place of placeholders. Plain names only, and what is unknown stays: words typed are no code."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), body)


def longest(language: str) -> dict[str, str]:
    """Each placeholder at its longest."""
    return LONGEST[language] | {"tracking_url": settings.TRACKING_URL + "x" * TOKEN_LENGTH}


def segments_at_worst(tracking_url: str) -> int:
    """Of the longest message there can be with the default texts, where links begin with `tracking_url`."""
    link = {"tracking_url": tracking_url + "x" * TOKEN_LENGTH}
    texts = [prefix() + fill(text, LONGEST[lang] | link) for lang in TEXTS for text in TEXTS[lang].values()]
    return max(map(segments.count, texts))


def prefix() -> str:
    """The registered name of the sender, which carriers ask for as the first words of a commercial SMS."""
    return f"【{settings.SMS_SENDER}】"


def placeholders(order: Order | None, language: str) -> dict[str, str]:
    """What the placeholders stand for."""
    if order is None:
        return {}
    return {
        "order_number": order.order_number, "scheduled_date": scheduled(order, language),
        "eta": expected(order, language), "tracking_url": settings.TRACKING_URL + order.tracking_token,
    }  # fmt: skip


def expected(order: Order, language: str) -> str:
    """When the driver who has left is expected: `14:30`, else the part of the day."""
    if order.eta is not None:
        return f"{timezone.localtime(order.eta):%H:%M}"
    slot = SLOTS[language].get(TimeSlot(order.time_slot))
    if slot is None:
        return TODAY[language]
    return f"this {slot}" if language == "en" else slot


def scheduled(order: Order, language: str) -> str:
    """When the order is to come: `11/23 上午`."""
    day = f"{order.scheduled_date.month}/{order.scheduled_date.day}"
    return f"{day} {SLOTS[language].get(TimeSlot(order.time_slot), '')}".rstrip()
