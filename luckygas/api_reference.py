"""Texts for `/api/v1/docs/`, in English: a summary of each operation, the errors, and examples of fields."""

from __future__ import annotations

from typing import Any, NamedTuple

SUMMARIES = {
    "auth_token": "Sign in with name and password, and get a pair of tokens",
    "auth_token_refresh": "Exchange a refresh token for a new pair of tokens",
    "auth_logout": "Sign out: end the tokens and close the sockets of this sign-in",
    "customers_list": "List customers",
    "customers_create": "Add a customer",
    "customers_retrieve": "Read a customer",
    "customers_partial_update": "Change a customer",
    "products_list": "List products",
    "products_create": "Add a product",
    "products_retrieve": "Read a product",
    "products_partial_update": "Change a product",
    "drivers_list": "List drivers",
    "drivers_create": "Add a driver",
    "drivers_retrieve": "Read a driver",
    "drivers_partial_update": "Change a driver",
    "drivers_locations": "List the drivers' latest positions, and who is online",
    "routes_list": "List routes",
    "routes_create": "Plan a route",
    "routes_retrieve": "Read a route",
    "routes_partial_update": "Change a route",
    "routes_assign_driver": "Assign a route and its orders to a driver",
    "orders_list": "List orders",
    "orders_create": "Place an order",
    "orders_retrieve": "Read an order",
    "orders_partial_update": "Change an order",
    "orders_status": "Move an order to another status",
    "orders_confirm_delivery": "Deliver an order, with proof",
    "orders_proof_images_create": "Store a signature or photo",
    "orders_proof_images_retrieve": "Read a signature or photo",
    "orders_bulk_update": "Change several orders at once",
    "orders_urgent": "List urgent open orders",
    "orders_warnings": "Read warnings about a customer before placing an order",
    "orders_statistics": "Read the order statistics of a period",
    "notifications_list": "List messages to customers",
    "notifications_retrieve": "Read a message and its trail",
    "notifications_resend_create": "Send a message again",
    "notifications_all_reported_create": "Report that no more late reports follow",
    "notifications_statistics_retrieve": "Read the message statistics of a period",
    "notifications_callbacks_retrieve": "Receive a provider's receipt",
    "notifications_callbacks_create": "Receive a provider's receipt as a form",
    "events_list": "Poll events",
    "events_publish": "Publish an event",
    "websocket_ticket_create": "Get a ticket for one WebSocket",
    "websocket_stats_retrieve": "Read the WebSocket statistics",
    "performance_retrieve": "Read how long operations take",
    "performance_cache_stats": "Read the cache statistics",
    "performance_cache_clear": "Clear the cache",
}


class Failure(NamedTuple):
    """The text of one status code: `means` is its meaning and remedy, the other fields are an example of an error."""

    means: str
    code: str
    detail: str
    attr: str | None = None
    type: str = "client_error"


ERRORS = {
    "400": Failure(
        "A value is wrong. Correct the field in `attr`.", "invalid", "A valid integer is required.", "quantity",
        "validation_error",
    ),
    "401": Failure(
        "The token is missing, invalid or expired. Sign in again.", "not_authenticated",
        "Authentication credentials were not provided.",
    ),
    "403": Failure("Your role may not do this.", "forbidden", "Only the office may do this."),
    "404": Failure("The object does not exist, or you may not see it.", "not_found", "Not found."),
    "405": Failure("This path does not support the method.", "method_not_allowed", 'Method "PUT" not allowed.'),
    "406": Failure(
        "The `Accept` header excludes JSON. Accept application/json.", "not_acceptable",
        "Could not satisfy the request Accept header.",
    ),
    "409": Failure(
        "The object was changed meanwhile, or does not allow this change. Nothing was changed. Read it again.",
        "invalid_transition", "An order that is “Pending” cannot become “Delivered”.", "status",
    ),
    "410": Failure(
        "The cursor is too old. Load the current state.", "cursor_gone",
        "This cursor is too old or belongs to another event log. Load the current state and resume from its cursor.",
        "since",
    ),
    "413": Failure(
        "The body is too large.", "too_large",
        "The request is too large. Please send it in smaller parts.",
    ),
    "415": Failure("Send JSON.", "unsupported_media_type", 'Unsupported media type "text/plain" in request.'),
    "429": Failure("Too many requests. Wait for the seconds in `Retry-After`.", "throttled", "Request was throttled."),
    "500": Failure(
        "An error on our side. The log has its cause under `X-Request-ID`.", "error",
        "Something went wrong on our side and was logged. Please try again later.", type="server_error",
    ),
    "503": Failure(
        "Not possible at the moment. Retry after the seconds in `Retry-After`.", "row_locked",
        "Another change to this is in progress. Nothing was changed; please try again in a moment.",
        type="server_error",
    ),
}  # fmt: skip
# Examples by field name. FORMATS applies instead if the field has one of its formats, or another type than its example.
EXAMPLES: dict[str, Any] = {
    "access": "eyJhbGciOiJIUzI1NiIs…", "refresh": "eyJhbGciOiJIUzI1NiIs…", "ticket": "0b2f7c…", "username": "office",
    "password": "office-demo", "accuracy": 10.0, "address": "大安區信義路1號", "aliases": "20公斤,20kg",
    "amount_collected": 1520, "amount_due": 1520, "area": "大安區", "attempt": 1, "attempts": 1, "cache": "default",
    "changed_by": "office", "channel": "orders", "code": "LPG20", "content": "【幸福氣】訂單 4821-7736 已送達。",
    "customer_name": "王小姐", "customer_phone": "0912-***-678", "customer_phone2": "", "cylinder_kg": 20,
    "cylinder_serials": ["CYL789"], "data": {"note": "text"}, "delivery_address": "台北市大安區信義路四段1號",
    "delivery_attempt": 1, "detail": "Only the office may do this.", "driver_name": "陳志明", "epoch": "9f3c8a61",
    "error_message": "", "expires_in": 30, "gateway": "mitake", "heading": 45.0, "ids": [17], "latitude": 25.0330,
    "longitude": 121.5654, "low_stock_threshold": 10, "message": "Your order is confirmed.", "name": "王小姐",
    "notes": "後門", "operation": "move", "order_number": "4821-7736", "pattern": "statistics:*",
    "phone": "+886912345678",
    "phone2": "", "points": 1.0, "price": 760, "provider_message_id": "1010079522", "quantities": {"1": 2},
    "quantity": 2, "quantity_delivered": 2, "raw_status": "4", "reason": "nobody there", "recipient": "0912-***-678",
    "ref": "order-2026-0001", "reply": "謝謝", "segments": 1, "speed": 30.0, "stop_sequence": 3, "stock": 120,
    "total_stops": 8, "type": "custom.shift", "unit_price": 760, "updated": [17],
    "url": "/api/v1/orders/17/proof-images/2/", "vehicle_plate": "AKT-2301", "version": 4, "versions": {"17": 4},
}  # fmt: skip
FORMATS: dict[str, Any] = {
    "date": "2026-12-01", "date-time": "2026-12-01T09:30:00+08:00", "uuid": "1b184825-ebcd-4281-ad8e-1531baffd31f",
    "uri": "https://gas.example.tw/api/v1/orders/?page=2", "integer": 17, "number": 0.95, "string": "text",
}  # fmt: skip
TYPES: dict[str, type] = {"integer": int, "number": float, "string": str, "array": list, "object": dict}


def describe(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Adds summaries, error responses and examples to the schema. Runs as the last hook of drf-spectacular."""
    for path in result["paths"].values():
        for operation in path.values():
            operation["summary"] = SUMMARIES.get(operation["operationId"], "")
            for status in ERRORS.keys() & operation["responses"].keys():
                operation["responses"][status] = {"$ref": f"#/components/responses/Error{status}"}
    result["components"]["responses"] = {f"Error{status}": error_example(failure) for status, failure in ERRORS.items()}
    for schema in result["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if (value := example(name, field)) is not None:
                field["example"] = value
    return result


def error_example(failure: Failure) -> dict[str, Any]:
    error = {"code": failure.code, "detail": failure.detail, "attr": failure.attr}
    content = {
        "schema": {"$ref": "#/components/schemas/ErrorResponse"},
        "example": {"type": failure.type, "errors": [error]},
    }
    return {"description": failure.means, "content": {"application/json": content}}


def example(name: str, field: dict[str, Any]) -> Any:
    """Returns an example from EXAMPLES or FORMATS.

    None for choices, flags and files, and for lists and objects that EXAMPLES does not have.
    """
    type_, format_ = field.get("type", ""), field.get("format", "")
    if "enum" in field or format_ == "binary":
        return None
    if format_ not in FORMATS and isinstance(EXAMPLES.get(name), TYPES.get(type_, ())):
        return EXAMPLES[name]
    return FORMATS.get(format_, FORMATS.get(type_))
