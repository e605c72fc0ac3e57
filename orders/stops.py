"""How many stops a route has."""

from __future__ import annotations

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from dispatch.models import Route
from orders.models import Order
from orders.states import Status


def with_stops(routes: QuerySet[Route]) -> QuerySet[Route]:
    """With `total_stops` counted for all in one query (a subquery: a locked row cannot be grouped)."""
    stops = Order.objects.filter(route=OuterRef("pk")).exclude(status=Status.CANCELLED).order_by().values("route")
    counted = Subquery(stops.annotate(count=Count("id")).values("count"), output_field=IntegerField())
    return routes.annotate(stops=Coalesce(counted, 0))
