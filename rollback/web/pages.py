"""What list pages share: rows by key, filters in the address, CSV of what is on screen."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django import forms
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from rollback.errors import Invalid

M = TypeVar("M", bound=Model)
PAGE_SIZE = 50
CSV_ROWS = 10_000
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows, newest first; ``after`` is where the next page begins, ``is_later`` that this is not the first."""

    rows: Sequence[M]
    after: str
    is_later: bool


def page_of(rows: QuerySet[M], request: HttpRequest, size: int = PAGE_SIZE) -> Page[M]:
    """The page of ``rows`` that the address names. Ids sort by time (UUIDv7), so the id is the key."""
    after = request.GET.get("after", "")
    rows = rows.order_by("-pk")
    if after:
        try:
            rows = rows.filter(pk__lt=UUID(after))
        except ValueError as error:
            raise Invalid("This page address was changed; start from the first page.", "invalid-page") from error
    found = list(rows[: size + 1])
    more = str(found[size - 1].pk) if len(found) > size else ""
    return Page(found[:size], more, bool(after))


def chosen(form: forms.Form) -> dict[str, Any]:
    """The filters that make sense, with empty text for the others: an address never fails for an old filter."""
    form.is_valid()
    return {name: form.cleaned_data.get(name) or "" for name in form.fields}


def csv_of(name: str, columns: Sequence[tuple[str, Callable[[M], object]]], rows: Iterable[M]) -> HttpResponse:
    """``rows`` as CSV with the time zone in its first line; cells that a spreadsheet would run are made harmless."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        [f"{name}, times in {timezone.get_current_timezone_name()}, made {timezone.localtime():%Y-%m-%d %H:%M}"]
    )
    writer.writerow([title for title, _ in columns])
    for row in rows:
        writer.writerow([harmless(value(row)) for _, value in columns])
    response = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def harmless(value: object) -> str:
    """``value`` as text that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
