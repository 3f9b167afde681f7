"""Tags and filters that every template has."""

import json
from datetime import datetime, timedelta
from typing import Any

import nh3
from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from rollback.web.icons import ICONS
from rollback.web.states import look_of, words_for

register = template.Library()
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


@register.simple_tag
def icon(name: str) -> SafeString:
    """One of our own drawings; decorative, so it is hidden from screen readers."""
    drawing = mark_safe(ICONS[name])  # noqa: S308 (our own constants)
    return format_html('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>', drawing)


@register.inclusion_tag("components/pill.html")
def pill(state: str, label: str = "") -> dict[str, str]:
    """A state as a word and a shape."""
    tone, shape = look_of(state)
    return {"tone": tone, "shape": shape, "label": label or words_for(state)}


@register.filter
def tone(state: str) -> str:
    """The tone of a state: ok, attention, danger, waiting or quiet."""
    return look_of(state)[0]


@register.filter
def words(state: str) -> str:
    """A state in words."""
    return words_for(state)


@register.inclusion_tag("components/person.html")
def person(someone: Any, nobody: str = "Nobody") -> dict[str, Any]:
    """An owner chip; nobody is shown as something to look at."""
    return {"someone": someone, "nobody": nobody}


@register.inclusion_tag("components/time.html")
def ago(moment: datetime | None) -> dict[str, Any]:
    """Relative time in ``<time>``, absolute with its zone on hover and focus."""
    return {"moment": moment, "text": relative(moment) if moment else ""}


def relative(moment: datetime, now: datetime | None = None) -> str:
    """``3 m ago``, ``in 2 h 5 m``, ``now``: the two largest units for hours and days."""
    seconds = round(((now or timezone.now()) - moment).total_seconds())
    if abs(seconds) < 5:
        return "now"
    text = span(timedelta(seconds=abs(seconds)))
    return f"{text} ago" if seconds > 0 else f"in {text}"


@register.filter
def span(length: timedelta | None) -> str:
    """A duration in its largest unit, with a second one for hours and days: ``2 h 5 m``."""
    if length is None:
        return "–"  # noqa: RUF001 (a dash for nothing)
    seconds = int(length.total_seconds())
    units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)]
    for at, (unit, size) in enumerate(units):
        if seconds >= size:
            more = (seconds % size) // units[at + 1][1] if unit in "dh" else 0
            return f"{seconds // size} {unit}" + (f" {more} {units[at + 1][0]}" if more else "")
    return "0 s"


@register.filter
def json_text(value: Any) -> str:
    """Data as indented JSON text; the template escapes it like any other text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown as HTML that has been cleaned: no scripts, no styles, links that tell nothing of us."""
    return mark_safe(nh3.clean(_MARKDOWN.render(text), link_rel="noopener noreferrer nofollow"))  # noqa: S308


@register.filter
def percent(part: int, whole: int) -> str:
    """``part`` of ``whole`` in percent; no data is said, and is not 0 %."""
    return f"{100 * part / whole:.0f} %" if whole else "no data"
