"""Sign-in, sign-out and password pages."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path
from django.views.generic import RedirectView

from accounts import views

urlpatterns = [
    path("accounts/login/", views.SignIn.as_view(), name="login"),
    path("accounts/logout/", views.SignOut.as_view(), name="logout"),
    path("accounts/password/change/", auth.PasswordChangeView.as_view(), name="password_change"),
    path("accounts/password/changed/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("accounts/password/reset/", views.PasswordReset.as_view(), name="password_reset"),
    path("accounts/password/reset/sent/", auth.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path(
        "accounts/password/set/<uidb64>/<token>/", views.SetPassword.as_view(),
        name="password_reset_confirm",
    ),
    path("accounts/password/set/", auth.PasswordResetCompleteView.as_view(), name="password_reset_complete"),
    # All users share one sign-in page. This route must come before the admin's own.
    path("admin/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
]  # fmt: skip
