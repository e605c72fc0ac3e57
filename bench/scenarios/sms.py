"""One process sends pending SMS to a provider that takes 100 ms for each message."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta

from django.utils import timezone

from bench.context import Bench
from bench.processes import ROOT, SERVER_CORE
from bench.targets import PRODUCT
from customers.models import Customer
from notifications.models import NotificationHistory
from notifications.states import MessageKind, MessageStatus
from notifications.tests.provider import Handler, Provider, answers
from orders.models import Order
from orders.states import OrderStatus

PROVIDER_SECONDS = 0.1


def answer_slowly(handler: Handler) -> None:
    time.sleep(PROVIDER_SECONDS)
    answers(200, '{"message_id": "m-1"}')(handler)


def run(bench: Bench) -> None:
    customer = Customer.objects.create(name="王小明", phone="+886912345678")
    day = timezone.localdate()
    # Inserted in bulk, because only the sending is measured.
    orders = Order.objects.unannounced().bulk_create(
        Order(
            customer=customer, status=OrderStatus.DELIVERED, scheduled_date=day, order_number=f"0000-{number:04}",
            delivery_address="臺中市西區民生路 1 號",
        )
        for number in range(bench.size.messages)
    )  # fmt: skip
    rows = [NotificationHistory(customer=customer, order=order, kind=MessageKind.ORDER_DELIVERED) for order in orders]
    provider = Provider([answer_slowly])
    environment = os.environ | {"SMS_GATEWAY": "http", "SMS_PROVIDER_URL": provider.url, "SMS_API_KEY": "bench"}
    command = ["taskset", "--cpu-list", str(SERVER_CORE), sys.executable, "manage.py", "send_pending_sms"]
    NotificationHistory.objects.unannounced().bulk_create(rows)
    try:
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    finally:
        provider.stop()
    sent = NotificationHistory.objects.filter(pk__in=[row.pk for row in rows], status=MessageStatus.SENT)
    times = sent.order_by("sent_at").values_list("claimed_at", "sent_at")
    start, end = min(claimed for claimed, _ in times if claimed), max(at for _, at in times if at)
    bench.add("SMS", PRODUCT, f"{len(rows)} pending SMS sent", (end - start) / timedelta(seconds=1), "s")
    bench.add("SMS", PRODUCT, "sent twice", float(len(provider.requests) - sent.count()), "")
