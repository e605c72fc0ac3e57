from __future__ import annotations

import pytest
from django.db import connection
from django.db.backends.signals import connection_created
from prometheus_client import REGISTRY

from orders.models import Order

pytestmark = pytest.mark.django_db


def queries() -> float:
    return REGISTRY.get_sample_value("luckygas_sql_query_seconds_count", {"alias": "default"}) or 0.0


def test_each_query_is_counted_once_also_after_connecting_anew() -> None:
    connection_created.send(type(connection), connection=connection)
    before = queries()
    Order.objects.count()
    assert queries() == before + 1


def test_a_query_that_fails_took_its_time_too() -> None:
    before = queries()
    with pytest.raises(Exception, match="nowhere"), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere")
    assert queries() == before + 1
