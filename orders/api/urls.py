"""The paths of the API of orders."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from orders.api import auth
from orders.api.customers import Customers
from orders.api.drivers import Drivers
from orders.api.orders import Orders
from orders.api.products import Products
from orders.api.routes import Routes

router = SimpleRouter()
router.register("orders", Orders)
router.register("customers", Customers)
router.register("products", Products)
router.register("drivers", Drivers)
router.register("routes", Routes)

urlpatterns = [
    path("auth/token/", auth.Token.as_view()),
    path("auth/token/refresh/", auth.TokenRefresh.as_view()),
    path("auth/logout/", auth.Logout.as_view()),
    *router.urls,
]
