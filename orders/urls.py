"""The pages of the site: home, and the way in."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path
from django.views.generic import RedirectView

from orders.views import driver, home, new_order, sign_in, track

urlpatterns = [
    path("", home.home, name="home"),
    path("orders/new/", new_order.new_order, name="new_order"),
    path("driver/", driver.driver, name="driver"),
    path("driver/sw.js", driver.worker, name="driver_worker"),
    path("driver/manifest.webmanifest", driver.manifest, name="driver_manifest"),
    path("t/<str:token>/", track.track, name="track"),
    path("accounts/login/", sign_in.SignIn.as_view(), name="login"),
    path("accounts/logout/", home.SignOut.as_view(), name="logout"),
    path("accounts/password/change/", auth.PasswordChangeView.as_view(), name="password_change"),
    path("accounts/password/changed/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("accounts/password/reset/", sign_in.PasswordReset.as_view(), name="password_reset"),
    path("accounts/password/reset/sent/", auth.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path(
        "accounts/password/set/<uidb64>/<token>/", sign_in.SetPassword.as_view(),
        name="password_reset_confirm",
    ),
    path("accounts/password/set/", auth.PasswordResetCompleteView.as_view(), name="password_reset_complete"),
    # One way in for all; it stands before the admin's own.
    path("admin/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
]  # fmt: skip
