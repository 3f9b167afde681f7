"""RFC 9457 problem documents: what the API answers when it says no."""

from collections.abc import Iterator
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
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


def of_refusal(refused: Refused) -> dict[str, Any]:
    """The document of one of our own refusals."""
    return problem(refused.status, refused.title, refused.detail, refused.code, refused.errors, **refused.more)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: every exception becomes a problem document; an unexpected one tells nothing of our inside."""
    headers: dict[str, str] = {}
    if isinstance(error, Refused):
        document = of_refusal(error)
    elif isinstance(error, exceptions.ValidationError):
        errors = list(_pointers(error.detail))
        document = problem(422, "Invalid", "The request has fields that do not make sense.", "invalid", errors)
    elif isinstance(error, Http404 | exceptions.NotFound):
        document = problem(404, "Not found", "There is no such thing, or not for you.", "not-found")
    elif isinstance(error, PermissionDenied):
        document = problem(403, "Not permitted", "You may not do this.", "not-permitted")
    elif isinstance(error, exceptions.APIException):
        document, headers = _of_api_exception(error)
    else:
        log.exception("unexpected error in the API", path=context["request"].path)
        document = problem(500, "Internal error", "Something went wrong on our side. It was written down.", "internal")
    response = Response(document, status=document["status"], headers=headers)
    response.content_type = CONTENT_TYPE
    return response


def _of_api_exception(error: exceptions.APIException) -> tuple[dict[str, Any], dict[str, str]]:
    headers: dict[str, str] = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    codes = error.get_codes()
    code = str(codes).replace("_", "-") if isinstance(codes, str) else error.default_code
    title = str(error.default_detail).rstrip(".")
    return problem(error.status_code, title, str(error.detail), code), headers


def _pointers(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """DRF's nested error details as JSON pointers."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _pointers(inner, pointer if name == "non_field_errors" else f"{pointer}/{name}")
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            if isinstance(inner, dict | list):
                yield from _pointers(inner, f"{pointer}/{index}")
            else:
                yield FieldError(pointer, str(inner))
    else:
        yield FieldError(pointer, str(detail))


def unknown_address(request: HttpRequest) -> JsonResponse:
    """What an address below ``/api/v1/`` that does not exist answers."""
    document = problem(404, "Not found", f"There is nothing at {request.path}.", "not-found")
    return JsonResponse(document, status=404, content_type=CONTENT_TYPE)
