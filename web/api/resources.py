"""The base of the API's resources, of all apps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from web import log_position
from web.log_position import EPOCH, ID, Position

Row = TypeVar("Row", bound=Model)


class LastEventId(APIView):
    """Base of the API's views: every successful GET carries the headers; so does a cursor's 410, as where to go on."""

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
    """List and read. An action that writes names the `rights` it needs by method (`accounts.api.access`).

    `all_rows`: a right to own rows is not enough.
    """

    lookup_value_regex = "[0-9]{1,18}"  # a longer one fits no column
    rights: Mapping[str, Collection[str]] = {}
    all_rows = False


class Resource(mixins.CreateModelMixin, ReadOnlyResource[Row]):
    """List, read, create and change by PATCH. Nothing is deleted: it is deactivated."""

    http_method_names = ["get", "head", "post", "patch"]

    def get_queryset(self) -> QuerySet[Row]:
        """For a change the row is locked, so that it is applied to what is there and not to what was read.

        Without a join, whose other side would be that of before the wait.
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
