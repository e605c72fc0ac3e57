"""Django REST framework as in its tutorial: a ModelSerializer for the status of orders, on Lucky Gas's own table.

It checks tokens as Lucky Gas does. It has no lock, no history, no event and no message.
"""

from __future__ import annotations

import os

import environ
from django.conf import settings
from django.core.asgi import get_asgi_application

DATABASE = environ.Env().db_url("DATABASE_URL") | {
    "OPTIONS": {"pool": {"min_size": 1, "max_size": 20}}, "CONN_HEALTH_CHECKS": True,
}  # fmt: skip
settings.configure(
    SECRET_KEY=os.environ["SECRET_KEY"],
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": DATABASE},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    # The middleware of `startproject`, except the middleware for pages and sessions.
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    },
    USE_TZ=True,
)
application = get_asgi_application()

from django.db import models  # noqa: E402  (models need the settings above)
from django.urls import path  # noqa: E402
from rest_framework import generics, serializers  # noqa: E402


class Order(models.Model):
    status = models.CharField(max_length=12)

    class Meta:
        app_label = "peer"
        managed = False
        db_table = "orders_order"

    def __str__(self) -> str:
        return self.status


class OrderSerializer(serializers.ModelSerializer[Order]):
    class Meta:
        model = Order
        fields = ("id", "status")


class OrderView(generics.RetrieveUpdateAPIView[Order]):
    queryset = Order._default_manager.all()
    serializer_class = OrderSerializer


urlpatterns = [path("orders/<int:pk>/", OrderView.as_view())]
