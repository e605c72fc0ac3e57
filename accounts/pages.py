"""Rights on pages: who lacks one sees a page that says who has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.views import defaults

from accounts.roles import may, who_may

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.roles import Anyone

# What the last part of the name of an admin's page asks for; every other page of ours says it itself.
ACTIONS = {"changelist": "view", "history": "view", "change": "view", "add": "add", "delete": "delete"}


def check_page(user: Anyone, right: str) -> None:
    """Raises PermissionDenied with the sentence that says who may."""
    if not may(user, right):
        raise PermissionDenied(str(who_may(right)))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler403`. The admin's own refusals say nothing: who may follows from the page."""
    return defaults.permission_denied(request, exception if str(exception) else PermissionDenied(_of_admin(request)))


def _of_admin(request: HttpRequest) -> str:
    match = request.resolver_match
    if match is None or match.namespace != "admin" or match.url_name is None:
        return ""
    app, _underscore, model_and_page = match.url_name.partition("_")
    model, _underscore, page = model_and_page.rpartition("_")
    # Who is refused a page may not see it; who is refused what they said may not change it.
    asked = "change" if page == "change" and request.method == "POST" else ACTIONS.get(page)
    return str(who_may(f"{app}.{asked}_{model}")) if asked else ""
