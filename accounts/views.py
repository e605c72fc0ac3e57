"""Pages for sign-in, sign-out and forgotten passwords, and the 403 pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views import csrf, defaults, generic

from accounts import attempts
from accounts.roles import ALL, who_may
from web import throttling
from web.slow_work import RETRY_SECONDS, Overloaded

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, HttpResponseBase

    FormView = generic.FormView[Any]
else:
    FormView = generic.FormView


WRONG_SECRET = "wrong_secret"  # noqa: S105  (a throttle scope)
# The permission that each of Django's admin pages requires, by the last part of its URL name. A 403 names it, because
# Django gives no reason. Our own views raise PermissionDenied with one.
ACTIONS = {"changelist": "view", "history": "view", "change": "view", "add": "add", "delete": "delete"}


class ThrottledForm(FormView):
    """A form with a rate limit per client IP address. `scope`: the key of the limit in THROTTLE_RATES.

    Answers 429 over the limit, and 503 while too many people sign in. In both cases the form was not processed.
    """

    scope: str

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if (wait := throttling.wait_for_request(self.scope, request)) is not None:
            return self.refuse(request, 429, throttling.throttled_text(wait), wait)
        try:
            return super().post(request, *args, **kwargs)
        except Overloaded as error:
            return self.refuse(request, 503, str(error.detail), RETRY_SECONDS)

    def refuse(self, request: HttpRequest, status: int, detail: str, wait: int) -> HttpResponse:
        """Returns the empty form with the message `detail`. `wait`: seconds for the Retry-After header."""
        messages.error(request, detail)
        form = self.get_form_class()()
        response = self.render_to_response(self.get_context_data(form=form), status=status)
        response["Retry-After"] = str(wait)
        return response


class SignInForm(AuthenticationForm):
    # Django's text blames the name or the password, also if the account is deactivated.
    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": _("There is no active account with this name and password. Please check both.")
    }

    def get_invalid_login_error(self) -> ValidationError:
        if attempts.is_locked(self.request):
            return ValidationError(attempts.locked_text(), "locked")
        return super().get_invalid_login_error()


class SignIn(ThrottledForm, auth.LoginView):
    form_class = SignInForm
    scope = "sign_in"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Redirects signed-in users, unless the admin sent them here because they may not open it."""
        if request.user.is_authenticated and not self.was_refused():
            return HttpResponseRedirect(self.get_success_url())  # `redirect` could take the URL for a view's name
        return super().get(request, *args, **kwargs)

    def was_refused(self) -> bool:
        """Whether the admin refused the signed-in user. Only pages of the admin redirect signed-in users here."""
        to_admin = urlsplit(self.get_redirect_url()).path.startswith(reverse("admin:index"))
        return to_admin and not admin.site.has_permission(self.request)


class SignOut(auth.LogoutView):
    """Also makes the browser delete its cached pages (the header works only over https and on loopback)."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = super().post(request, *args, **kwargs)
        # Not "storage": it holds a driver's reports that are not sent yet.
        answer["Clear-Site-Data"] = '"cache"'
        return answer


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """`CSRF_FAILURE_VIEW`: the 403 page, except for a double click on “sign in” or “sign out”.

    A double click sends the form twice, and the first response changes the CSRF token. So the second request gets a
    redirect as if it were the first.
    """
    name = request.resolver_match.url_name if request.resolver_match else None
    if name == "login" and is_signed_in_as(request, request.POST.get("username", "")):
        view = SignIn()
        view.setup(request)
        return HttpResponseRedirect(view.get_success_url())
    if name == "logout" and not request.user.is_authenticated:
        return redirect("login")
    return csrf.csrf_failure(request, reason=reason)


def is_signed_in_as(request: HttpRequest, name: str) -> bool:
    return request.user.is_authenticated and request.user.get_username() == User.normalize_username(name.strip())


class PasswordReset(ThrottledForm, auth.PasswordResetView):
    """Mails a link to set a new password, as plain text in the language of the request."""

    email_template_name = "registration/password_reset_email.txt"
    scope = "password_reset"

    @property
    def extra_email_context(self) -> dict[str, str]:
        """Builds the link from SITE_URL, because the sender of a request chooses its Host header."""
        return {"site": settings.SITE_URL}


class SetPassword(auth.PasswordResetConfirmView):
    """The page behind a mailed link. After too many wrong links from one address it answers 429 without a check."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        wait = throttling.wait_left(WRONG_SECRET, throttling.address_of(request))
        if wait is None:
            response = super().dispatch(request, *args, **kwargs)
            # A valid link redirects to a URL without the secret.
            if self.validlink or response.status_code != 200:
                return response
            wait = throttling.wait_for_request(WRONG_SECRET, request)
        if wait is None:
            return response
        problem = throttling.throttled_text(wait)
        page = render(request, self.get_template_names(), {"problem": problem}, status=429)
        page["Retry-After"] = str(wait)
        return page


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler403`. Django's admin gives no reason, so this view derives one from the page's name."""
    return defaults.permission_denied(
        request, exception if str(exception) else PermissionDenied(_reason_of_admin(request))
    )


def _reason_of_admin(request: HttpRequest) -> str:
    match = request.resolver_match
    if match is None or match.namespace != "admin" or match.url_name is None:
        return ""
    app, _underscore, model_and_page = match.url_name.partition("_")
    model, _underscore, page = model_and_page.rpartition("_")
    # A refused GET lacks the right to view, a refused POST the right to change.
    action = "change" if page == "change" and request.method == "POST" else ACTIONS.get(page)
    return str(who_may(f"{app}.{action}_{model}", ALL)) if action else ""
