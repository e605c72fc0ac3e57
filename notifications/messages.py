"""The words of each message, in the customer's language. Each fits one segment, the registered sender included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from notifications import segments
from notifications.states import Kind
from orders.models import Order, TimeSlot

if TYPE_CHECKING:
    from notifications.models import NotificationHistory

# Not in the translators' catalogue: these words are counted, and registered with the carriers as they stand.
TEXTS = {
    "zh-hant": {
        Kind.ORDER_CONFIRMED: "您的瓦斯訂單 {order_number} 已確認。預計送達時間：{scheduled_date}",
        Kind.DRIVER_ARRIVING: "您的瓦斯即將送達！司機將在10-15分鐘內抵達。訂單編號：{order_number}",
        Kind.ORDER_DELIVERED: "您的瓦斯訂單 {order_number} 已送達。感謝您的訂購！",
    },
    "en": {
        Kind.ORDER_CONFIRMED: "Gas order {order_number} is confirmed for {scheduled_date}.",
        Kind.DRIVER_ARRIVING: "Your gas (order {order_number}) arrives in 10-15 minutes.",
        Kind.ORDER_DELIVERED: "Gas order {order_number} is delivered. Thank you!",
    },
}
SLOTS = {
    "zh-hant": {TimeSlot.MORNING: "上午", TimeSlot.AFTERNOON: "下午", TimeSlot.EVENING: "晚上"},
    "en": {TimeSlot.MORNING: "morning", TimeSlot.AFTERNOON: "afternoon", TimeSlot.EVENING: "evening"},
}


def render(row: NotificationHistory) -> str:
    """The whole text of a message, as it is true now."""
    language = row.customer.language if row.customer.language in TEXTS else "zh-hant"
    return prefix() + TEXTS[language][Kind(row.kind)].format(**placeholders(row.order, language))


def segments_at_worst() -> int:
    """Of the longest message there can be."""
    longest = {"order_number": "0000-0000", "scheduled_date": "12/31 afternoon"}
    texts = (text for language in TEXTS.values() for text in language.values())
    return max(segments.count(prefix() + text.format(**longest)) for text in texts)


def prefix() -> str:
    """The registered name of the sender, which carriers ask for as the first words of a commercial SMS."""
    return f"【{settings.SMS_SENDER}】" if settings.SMS_SENDER else ""


def placeholders(order: Order | None, language: str) -> dict[str, str]:
    """What a text may name."""
    if order is None:
        return {}
    return {"order_number": order.order_number, "scheduled_date": scheduled(order, language)}


def scheduled(order: Order, language: str) -> str:
    """When the order is to come: `11/23 上午`."""
    day = f"{order.scheduled_date.month}/{order.scheduled_date.day}"
    return f"{day} {SLOTS[language].get(TimeSlot(order.time_slot), '')}".rstrip()
