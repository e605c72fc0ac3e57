"""Pages of lists."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request


class Pages(PageNumberPagination):
    """`?page=2&page_size=100`: 50 rows a page unless asked, 500 at most."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def get_page_size(self, request: Request) -> int | None:
        """A size that is none is refused; DRF would take it for 50."""
        said = request.query_params.get(self.page_size_query_param, "1")
        if not (said.isdecimal() and int(said[:9]) > 0):
            raise ValidationError({self.page_size_query_param: [_("Please name a number of rows, 1 or more.")]})
        return super().get_page_size(request)
