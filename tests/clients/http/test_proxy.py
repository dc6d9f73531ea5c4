"""Who is reached through an outbound proxy, and what it may never be asked for."""

from __future__ import annotations

import pytest

from thv.clients.http.errors import AddressDeniedError, UrlInvalidError
from thv.clients.http.proxy import Proxy, require_resolvable_by_proxy

pytestmark = pytest.mark.requirement("SYN-04")

DIRECT = ("corp.example", ".svc", "*.Lab.example.", "10.0.0.0/8", "192.0.2.1", "fd00::/8")


@pytest.mark.parametrize(
    ("host", "carried"),
    [
        ("corp.example", False),
        ("git.corp.example", False),
        ("notcorp.example", True),
        ("corp.example.evil.test", True),
        ("api.team.svc", False),
        ("svc", True),
        ("a.lab.example", False),
        ("lab.example", True),
        ("10.1.2.3", False),
        ("11.1.2.3", True),
        ("192.0.2.1", False),
        ("fd00::1", False),
        ("fe00::1", True),
        ("registry.example", True),
    ],
)
def test_hosts_that_are_named_are_reached_directly(host: str, carried: bool) -> None:
    assert Proxy.parse("http://proxy.corp:3128", direct=DIRECT).carries(host) is carried


def test_without_exceptions_everything_goes_through_and_with_a_star_nothing() -> None:
    assert Proxy.parse("http://proxy.corp:3128").carries("a.test")
    assert not Proxy.parse("https://proxy.corp", direct=("*",)).carries("a.test")


@pytest.mark.parametrize(
    ("url", "direct"),
    [
        ("proxy.corp:3128", ()),
        ("socks5://proxy.corp", ()),
        ("http://me:canary@proxy.corp", ()),
        ("http://proxy.corp/path", ()),
        ("http://proxy.corp", ("http://x",)),
        ("http://proxy.corp", ("*.*.x",)),
    ],
)
def test_what_is_no_proxy_is_refused(url: str, direct: tuple[str, ...]) -> None:
    with pytest.raises(UrlInvalidError) as error:
        Proxy.parse(url, direct=direct)
    assert "canary" not in error.value.message


@pytest.mark.parametrize(
    ("host", "denied", "openable"),
    [
        ("registry.example", False, False),
        ("metadata.google.internal", True, False),
        ("metadata", True, True),
        ("jenkins", True, True),
    ],
)
def test_a_name_that_can_only_mean_something_inside_is_not_given_to_it(
    host: str, denied: bool, openable: bool
) -> None:
    if not denied:
        require_resolvable_by_proxy(host, 443, opened=False)
        return
    with pytest.raises(AddressDeniedError) as error:
        require_resolvable_by_proxy(host, 443, opened=False)
    assert error.value.openable is openable
    if openable:
        require_resolvable_by_proxy(host, 443, opened=True)
