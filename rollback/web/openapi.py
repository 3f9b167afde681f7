"""How the OpenAPI document describes what is ours alone."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from rollback.web.authentication import BearerAuthentication


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes our tokens."""

    target_class = BearerAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """HTTP bearer."""
        return {"type": "http", "scheme": "bearer", "description": "An agent's token, or a personal token."}
