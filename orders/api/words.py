"""Texts of Django REST framework that it has in no Traditional Chinese: named here, our catalogue has them."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

WORDS = [
    _("A server error occurred."),
    _("Authentication credentials were not provided."),
    _("Could not satisfy the request Accept header."),
    _("Date has wrong format. Use one of these formats instead: {format}."),
    _("Datetime has wrong format. Use one of these formats instead: {format}."),
    _("Ensure this field has at least {min_length} elements."),
    _("Ensure this field has no more than {max_length} elements."),
    _("Expected a dictionary of items but got type \"{input_type}\"."),
    _("Incorrect authentication credentials."),
    _("Incorrect type. Expected pk value, received {data_type}."),
    _("Malformed request."),
    _("Request was throttled."),
    _("The fields {field_names} must make a unique set."),
    _("This dictionary may not be empty."),
    _("Unsupported media type \"{media_type}\" in request."),
]  # fmt: skip
