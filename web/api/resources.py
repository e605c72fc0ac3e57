"""Base classes of the API's views."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from web import log_position
from web.log_position import EPOCH, ID, Position

Row = TypeVar("Row", bound=Model)


class LastEventId(APIView):
    """Base of the views that read rows or events: adds `Last-Event-Id` and `Last-Event-Epoch` to successful GETs.

    The 410 for an expired cursor has them too, so that the client knows where to continue.
    """

    position: Position | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in ("GET", "HEAD"):
            self.position = log_position.position()

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        if self.position is not None and (response.status_code < 400 or response.status_code == 410):
            response[ID], response[EPOCH] = str(self.position.seq), self.position.epoch
        return super().finalize_response(request, response, *args, **kwargs)


class ReadOnlyResource(LastEventId, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Row]):
    """Lists and reads rows.

    An action that writes, other than create and PATCH, sets `rights`: the permissions that each HTTP method needs
    (`accounts.api.access`). With `all_rows` a user needs the right to all rows, not only to their own.
    """

    lookup_value_regex = "[0-9]{1,18}"  # fits every id column
    rights: Mapping[str, Collection[str]] = {}
    all_rows = False

    def validated(self, form: type[Serializer[Any]], data: Any = None, **options: Any) -> Any:
        """The validated serializer, with the request's body or `data`. Raises ValidationError."""
        serializer = form(
            data=self.request.data if data is None else data, context=self.get_serializer_context(), **options
        )
        serializer.is_valid(raise_exception=True)
        return serializer


class Resource(mixins.CreateModelMixin, ReadOnlyResource[Row]):
    """Lists, reads and creates rows, and changes them by PATCH. Rows are deactivated, never deleted."""

    http_method_names = ["get", "head", "post", "patch"]

    def get_queryset(self) -> QuerySet[Row]:
        """Locks the row for a PATCH, so that the change is applied to its current values.

        That query loads no related rows, because they could be stale after the wait for the lock.
        """
        rows = super().get_queryset()
        if self.action != "partial_update":
            return rows
        return rows.select_related(None).select_for_update(of=("self",), no_key=True)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            serializer = self.get_serializer(self.get_object(), data=request.data, partial=True)
            serializer.is_valid(raise_exception=True)
            serializer.save()
        return Response(serializer.data)
