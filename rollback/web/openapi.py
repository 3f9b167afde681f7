"""How the OpenAPI document describes what all calls have in common: tokens, problems, ``Idempotency-Key``."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from rollback.web.authentication import BearerAuthentication, SessionAuthentication
from rollback.web.idempotency import HEADER, MAX_KEY_LENGTH, UNSAFE
from rollback.web.problems import CONTENT_TYPE


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """An agent's or a person's token."""

    target_class = BearerAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """HTTP bearer."""
        return {"type": "http", "scheme": "bearer", "description": "An agent's token, or a personal token."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A person's browser session."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """The session's cookie."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "A browser session, with CSRF."}


PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable, `detail` is for people, `errors` name the fields.",
    "required": ["type", "title", "status", "detail", "code", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer (RFC 6901) into the body."},
                    "message": {"type": "string"},
                    "line": {"type": "integer"},
                },
            },
        },
        "verdict": {"type": "string", "enum": ["go", "wait", "halt"], "description": "What an agent is to do now."},
        "retry_after": {"type": "integer", "description": "Seconds, as in the header."},
    },
}
KEY_HEADER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": MAX_KEY_LENGTH},
    "description": "The same key and body is answered as before; with another body it is 422 `idempotency-mismatch`.",
}


def describe_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Every operation may answer with a problem document, and every write takes an ``Idempotency-Key``."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    refusal = {
        "description": "A problem document: nothing was carried out.",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in result["paths"].values():
        for method, operation in operations.items():
            operation["responses"]["default"] = refusal
            if method.upper() in UNSAFE:
                operation.setdefault("parameters", []).append(KEY_HEADER)
    return result
