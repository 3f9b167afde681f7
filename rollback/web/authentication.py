"""How callers of the API prove who they are: an agent by its token, a person by theirs (or a browser session)."""

from typing import TYPE_CHECKING, Any, NoReturn

from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from rollback.errors import NotPermitted
from rollback.ownership.models import AgentToken, PersonalToken, User

if TYPE_CHECKING:
    from rest_framework.views import APIView


class AgentCaller:
    """An agent as ``request.user``: it is signed in, it is nobody's account, it has no rights of people."""

    is_authenticated = True
    is_anonymous = False
    is_active = True

    def __init__(self, token: AgentToken) -> None:
        self.token = token

    def has_perm(self, *_: object) -> bool:
        """Never: an agent can report and ask, and nothing else."""
        return False


def person_of(request: Request) -> User:
    """The person who calls; for views that let nobody else in."""
    assert isinstance(request.user, User)
    return request.user


class BearerAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer …``: an agent's token (one query) or else a personal one.

    Tokens are hashed at rest: they are looked up by their public prefix, then compared by hash.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """The caller and the token; None when there is no bearer token. Raises 401 with a code."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return _agent(key.strip()) or _person(key.strip()) or _refuse("This token is not known.", "token-unknown")

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Bearer"


def _agent(key: str) -> tuple[AgentCaller, AgentToken] | None:
    token = _find(AgentToken, key)
    return (AgentCaller(token), token) if isinstance(token, AgentToken) else None


def _person(key: str) -> tuple[User, PersonalToken] | None:
    token = _find(PersonalToken, key)
    if not isinstance(token, PersonalToken):
        return None
    if not token.user.is_active:
        _refuse("The person of this token has left.", "token-revoked")
    return token.user, token


def _find(model: type[AgentToken] | type[PersonalToken], key: str) -> AgentToken | PersonalToken | None:
    prefix, _, rest = key.partition(".")
    if not rest or "\0" in key:
        return None
    rows = model.objects.filter(prefix=prefix)
    if model is PersonalToken:
        rows = rows.select_related("user")
    token: AgentToken | PersonalToken | None = rows.first()
    if token is None or not token.is_valid(key):
        return None
    if token.revoked:
        _refuse("This token was revoked.", "token-revoked")
    if token.has_expired:
        _refuse("This token has expired.", "token-expired")
    return token


def _refuse(detail: str, code: str) -> NoReturn:
    raise exceptions.AuthenticationFailed(detail, code)


class SessionAuthentication(authentication.SessionAuthentication):
    """A person's browser session, with CSRF on every unsafe method."""

    def enforce_csrf(self, request: Request) -> None:
        """Raises ``NotPermitted`` (``csrf-failed``) for a request that did not come from our own page."""
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as refusal:
            raise NotPermitted("Send the CSRF token of your session.", "csrf-failed") from refusal


class IsPerson(permissions.BasePermission):
    """Calls of people. An agent's token is told plainly that it cannot."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Whether a person is calling. Raises ``NotPermitted`` for an agent."""
        if isinstance(request.user, AgentCaller):
            raise NotPermitted("An agent's token can report and ask, and nothing else.", "agents-cannot")
        return isinstance(request.user, User)


class IsAgent(permissions.BasePermission):
    """Calls of agents."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Whether an agent is calling. Raises ``NotPermitted`` for a person."""
        if isinstance(request.user, User):
            raise NotPermitted("This call is for agents: use an agent's token.", "people-cannot")
        return isinstance(request.user, AgentCaller)
