"""OpenAPI: extensions for what drf-spectacular cannot detect itself."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from drf_standardized_errors.openapi import AutoSchema as StandardizedAutoSchema
from rest_framework_simplejwt.views import TokenViewBase

from web.api.resources import LastEventId
from web.log_position import EPOCH, ID

BODY = ("POST", "PUT", "PATCH")


class AutoSchema(StandardizedAutoSchema):
    """Adds 409 and 413 only to calls with a body, and 400 to every call with query parameters."""

    def _should_add_error_response(self, responses: dict[str, Any], status_code: str) -> bool:
        if status_code in ("409", "413") and self.method not in BODY:
            return False
        if status_code == "400" and any(parameter["in"] == "query" for parameter in self._get_parameters()):
            return status_code not in responses
        return bool(super()._should_add_error_response(responses, status_code))

    def _should_add_http401_error_response(self) -> bool:
        """Token views need no token, but answer 401 to a wrong password."""
        return isinstance(self.view, TokenViewBase) or bool(super()._should_add_http401_error_response())

    def get_override_parameters(self) -> list[Any]:
        """Describes the response headers `Last-Event-Id` and `Last-Event-Epoch`."""
        described = [*super().get_override_parameters()]
        if isinstance(self.view, LastEventId) and self.method == "GET":
            described += [
                header(ID, _("The cursor: the id of the last event when these rows were read."), OpenApiTypes.INT),
                header(EPOCH, _("The epoch of the event log that this cursor belongs to."), OpenApiTypes.STR),
            ]
        return described


def header(name: str, text: Any, type_: Any) -> OpenApiParameter:
    """Describes a response header of every 200 and 201."""
    return OpenApiParameter(name, type_, OpenApiParameter.HEADER, description=text, response=[200, 201])


class StrictExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Describes strict serializers with `additionalProperties: false`."""

    target_class = "web.api.fields.Strict"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return only_common_required(self.target, schema | {"additionalProperties": False})


def only_common_required(serializer: Any, schema: dict[str, Any]) -> dict[str, Any]:
    if not hasattr(serializer, "seen_by_all"):
        return schema
    required = sorted(serializer.seen_by_all().intersection(schema.pop("required", ())))
    return schema | ({"required": required} if required else {})
