"""What every page knows."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.roles import side_of


def role(request: HttpRequest) -> dict[str, object]:
    """`role`: the role of who is signed in. Asked only where a page asks."""
    return {"role": SimpleLazyObject(lambda: side_of(request.user))}
