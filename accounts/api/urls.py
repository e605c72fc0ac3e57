"""The paths of tokens."""

from __future__ import annotations

from django.urls import path

from accounts.api import auth

urlpatterns = [
    path("auth/token/", auth.Token.as_view()),
    path("auth/token/refresh/", auth.TokenRefresh.as_view()),
    path("auth/logout/", auth.Logout.as_view()),
]
