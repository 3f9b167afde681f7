"""RFC 9457 problem documents: what the API answers when it says no."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from rollback.errors import FieldError, Refused

log = structlog.get_logger(__name__)
CONTENT_TYPE = "application/problem+json"


def problem(
    status: int, title: str, detail: str, code: str, errors: list[FieldError] | None = None, **more: object
) -> dict[str, Any]:
    """The document: ``type``, ``title``, ``status``, ``detail``, ``code``, ``errors: [{pointer, message}]``."""
    return {
        "type": f"urn:recourse:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [_field_error(error) for error in errors or []],
        **more,
    }


def _field_error(error: FieldError) -> dict[str, Any]:
    line = {} if error.line is None else {"line": error.line}
    return {"pointer": error.pointer, "message": error.message, **line}


def document_of(error: Exception) -> dict[str, Any]:
    """The document of any exception. An unexpected one says nothing about our inside, and is written to the log."""
    match error:
        case Refused():
            return problem(error.status, error.title, error.detail, error.code, error.errors, **error.more)
        case exceptions.ValidationError():
            errors = list(_pointers(error.detail))
            return problem(422, "Invalid", "The request has fields that do not make sense.", "invalid", errors)
        case Http404() | exceptions.NotFound():
            return problem(404, "Not found", "There is no such thing, or not for you.", "not-found")
        case PermissionDenied():
            return problem(403, "Not permitted", "You may not do this.", "not-permitted")
        case exceptions.APIException():
            return _of_api_exception(error)
        case OperationalError():
            log.warning("the database did not answer in time", error=str(error))
            return problem(503, "Busy", "Too much at once: try again in a moment.", "busy", retry_after=1)
    log.exception("unexpected error in the API", exc_info=error)
    return problem(500, "Internal error", "Something went wrong on our side. It was written down.", "internal")


def _of_api_exception(error: exceptions.APIException) -> dict[str, Any]:
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    if isinstance(error, exceptions.NotAuthenticated):
        code = "token-missing"
    title = HTTPStatus(error.status_code).phrase.capitalize()
    document = problem(error.status_code, title, str(error.detail), code.replace("_", "-"))
    wait = getattr(error, "wait", None)
    return document if wait is None else {**document, "retry_after": int(wait) + 1}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's hook: every exception becomes a problem document. ``retry_after`` in it is also sent as a header."""
    document = document_of(error)
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := document.get("retry_after"):
        headers["Retry-After"] = str(wait)
    response = Response(document, status=document["status"], headers=headers)
    response.content_type = CONTENT_TYPE
    return response


def _pointers(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """DRF's nested error details as JSON pointers (RFC 6901)."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            escaped = str(name).replace("~", "~0").replace("/", "~1")
            yield from _pointers(inner, pointer if name == "non_field_errors" else f"{pointer}/{escaped}")
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _pointers(inner, f"{pointer}/{index}" if isinstance(inner, dict | list) else pointer)
    else:
        yield FieldError(pointer, str(detail))


@csrf_exempt
def unknown_address(request: HttpRequest) -> JsonResponse:
    """What an address below ``/api/v1/`` that does not exist answers, whatever the method."""
    document = problem(404, "Not found", "There is nothing at this address.", "not-found")
    return JsonResponse(document, status=404, content_type=CONTENT_TYPE)
