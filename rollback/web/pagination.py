"""Lists by key: a page starts after the last row of the one before, however long the list is."""

from rest_framework.pagination import CursorPagination


class ByKey(CursorPagination):
    """Cursor pages of 50 (``limit``: at most 200); the view's query set names the order."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = ("-id",)
