"""Lists by key: a page starts after the last row of the one before, however long the list is."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from rollback.errors import Invalid


class ByKey(CursorPagination):
    """Cursor pages of 50 (``limit``: at most 200), newest first: ids sort by the time they were made."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = "-id"

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any] | None:
        """One page of ``queryset``. Raises ``Invalid`` for a cursor that is not one of ours."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError) as error:
            raise Invalid("This cursor is not one that a list gave out.", "invalid-cursor") from error
