"""Which address a call may really reach: decided on the resolved address, at the time of the call."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from rollback.recovery.executors.contract import Target

_DEFAULT_PORTS = {"https": 443, "http": 80}


class Blocked(Exception):
    """The call would leave what its system allows; the message says how."""


@dataclass(frozen=True)
class Destination:
    """A URL that was found to be allowed, and the one address it is to be sent to."""

    scheme: str
    host: str
    port: int
    address: str
    url: str

    @property
    def host_header(self) -> str:
        """What goes into ``Host``: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def pinned_url(self) -> str:
        """The URL with the checked address in the host's place, so that the name is not resolved anew."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return urlsplit(self.url)._replace(netloc=f"{address}:{self.port}").geturl()


def destination(target: Target, path: str) -> Destination:
    """Where ``path`` (relative to the system's base URL, or absolute) leads. Raises ``Blocked``.

    Names that cannot be resolved raise ``OSError``: that may pass.
    """
    url = path if urlsplit(path).scheme else _join(target.base_url, path)
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS:
        raise Blocked(f"scheme {parts.scheme or 'none'} is not one Recourse calls")
    if parts.scheme == "http" and not target.allow_http:
        raise Blocked(f"system {target.slug} does not allow plain http")
    if parts.username is not None or parts.hostname is None:
        raise Blocked("the URL must name a host, and no user")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    if not _host_allowed(target, parts.scheme, parts.hostname, port):
        raise Blocked(f"host {parts.hostname}:{port} is not among the allowed hosts of system {target.slug}")
    return Destination(parts.scheme, parts.hostname, port, _resolve(target, parts.hostname, port), url)


def _join(base_url: str, path: str) -> str:
    """``path`` below the base URL: a leading slash does not leave the base's own path."""
    return urljoin(base_url.rstrip("/") + "/", "./" + path.lstrip("/"))


def _host_allowed(target: Target, scheme: str, host: str, port: int) -> bool:
    base = urlsplit(target.base_url)
    allowed = {entry.lower() for entry in target.allowed_hosts}
    if base.hostname:
        allowed.add(f"{base.hostname}:{base.port or _DEFAULT_PORTS.get(base.scheme, 443)}")
    named = {f"{host}:{port}"} | ({host} if port == _DEFAULT_PORTS[scheme] else set())
    return bool(named & allowed)


def _resolve(target: Target, host: str, port: int) -> str:
    """The first address of ``host``, provided that every one of them may be reached."""
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        _check_address(target, ipaddress.ip_address(address.split("%")[0]))
    return found[0]


def _check_address(target: Target, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Refuse what is no ordinary outside address. Link-local (cloud metadata) is never reached."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        raise Blocked(f"address {address} is never called")
    if not address.is_global and not target.allow_private:
        raise Blocked(f"address {address} is not public, and system {target.slug} does not allow private ones")
