"""The way in for everybody, and the way back in for who forgot the password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.views import generic

from orders import attempts
from orders.api import throttles
from orders.api.exceptions import TooMany

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    FormView = generic.FormView[Any]
else:
    FormView = generic.FormView


class Limited(FormView):
    """A form that an address may send so often (`scope`); past it the page says so, and what was sent is not read."""

    scope: str

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        wait = throttles.wait_of(self.scope, request)
        if wait is None:
            return super().post(request, *args, **kwargs)
        problem = TooMany(wait)
        messages.error(request, str(problem.detail))
        response = self.render_to_response(self.get_context_data(form=self.get_form_class()()), status=429)
        response["Retry-After"] = str(problem.wait)
        return response


class SignInForm(AuthenticationForm):
    def get_invalid_login_error(self) -> ValidationError:
        if attempts.is_locked(self.request):
            return ValidationError(attempts.locked_words(), "locked")
        return super().get_invalid_login_error()


class SignIn(Limited, auth.LoginView):
    form_class = SignInForm
    scope = "sign_in"


class PasswordReset(Limited, auth.PasswordResetView):
    """Text, not HTML, and in the language of who asks."""

    email_template_name = "registration/password_reset_email.txt"
    scope = "password_reset"

    @property
    def extra_email_context(self) -> dict[str, str]:
        """Not by the Host of the request, of which its sender says whatever port they like."""
        return {"site": settings.SITE_URL}
