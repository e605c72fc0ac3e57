"""The paths of the API of customers."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from customers.api import Customers

router = SimpleRouter()
router.register("customers", Customers)

urlpatterns = router.urls
