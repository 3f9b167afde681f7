"""Where a call may go: SECURITY.md, "an agent brings an undo to …"."""

import pytest

from rollback.recovery.executors.addresses import Blocked, destination
from rollback.recovery.executors.contract import Target

PUBLIC = Target("billing", "https://8.8.8.8/api")
LOCAL = Target("demo", "http://127.0.0.1:8123/billing", allow_http=True, allow_private=True)


def test_a_path_is_joined_below_the_base_url() -> None:
    assert destination(LOCAL, "/refunds/7").url == "http://127.0.0.1:8123/billing/refunds/7"


def test_an_absolute_url_to_an_allowed_host_is_taken() -> None:
    target = Target("billing", "https://8.8.8.8", allowed_hosts=("9.9.9.9",))

    assert destination(target, "https://9.9.9.9/x").address == "9.9.9.9"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://169.254.169.254/latest/meta-data", "plain http"),
        ("https://169.254.169.254/latest/meta-data", "allowed hosts"),
        ("https://127.0.0.1/", "allowed hosts"),
        ("https://1.1.1.1/", "allowed hosts"),
        ("https://8.8.8.8:6379/", "allowed hosts"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://8.8.8.8/", "scheme"),
        ("https://user@8.8.8.8/", "no user"),
        ("//1.1.1.1/", None),
    ],
)
def test_an_undo_to_a_place_that_its_system_does_not_allow_is_not_sent(url: str, why: str | None) -> None:
    if why is None:
        # A URL without a scheme is a path: it stays at the system's own host.
        assert destination(PUBLIC, url).host == "8.8.8.8"
    else:
        with pytest.raises(Blocked, match=why):
            destination(PUBLIC, url)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "[::1]", "[fc00::1]", "[::ffff:10.0.0.1]"])
def test_a_private_address_needs_the_systems_leave(address: str) -> None:
    with pytest.raises(Blocked, match="not public"):
        destination(Target("inner", f"https://{address}"), "/")
    assert destination(Target("inner", f"https://{address}", allow_private=True), "/").port == 443


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "0.0.0.0", "224.0.0.1"]
)
def test_link_local_and_the_like_are_never_called_whatever_the_system_allows(address: str) -> None:
    target = Target("inner", f"http://{address}", allow_http=True, allow_private=True)

    with pytest.raises(Blocked, match="never called"):
        destination(target, "/")


def test_a_name_that_resolves_to_loopback_is_not_called() -> None:
    with pytest.raises(Blocked, match="not public"):
        destination(Target("inner", "https://localhost"), "/")


def test_the_checked_address_is_the_one_that_is_called_and_the_name_goes_into_host() -> None:
    where = destination(Target("inner", "http://localhost:8123", allow_http=True, allow_private=True), "/a?b=c")

    assert where.pinned_url in ("http://127.0.0.1:8123/a?b=c", "http://[::1]:8123/a?b=c")
    assert where.host_header == "localhost:8123"
