"""The paths of the API of orders."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from orders.api.drivers import Drivers
from orders.api.orders import Orders
from orders.api.routes import Routes

router = SimpleRouter()
router.register("orders", Orders)
router.register("drivers", Drivers)
router.register("routes", Routes)

urlpatterns = router.urls
