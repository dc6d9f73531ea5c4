from __future__ import annotations

import pytest

from thv.clients.http.errors import (
    AddressDeniedError,
    HeaderInvalidError,
    RedirectRefusedError,
    UrlInvalidError,
)
from thv.clients.http.guard import (
    NOTHING,
    AllowList,
    Credential,
    after_redirect,
    checked,
    denial,
    matches_host,
    require_header,
    require_scheme,
)
from thv.clients.http.url import Origin, parse_url

pytestmark = pytest.mark.requirement("SYN-04")

# Both ends of every entry of the IANA registries of special-purpose and multicast addresses, written out by hand.
OPENABLE = [
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("::1", "::1"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
]
NEVER = [
    ("0.0.0.0", "0.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.0.0", "192.0.0.7"),
    ("192.0.0.8", "192.0.0.10"),
    ("192.0.0.170", "192.0.0.171"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.31.196.0", "192.31.196.255"),
    ("192.52.193.0", "192.52.193.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.175.48.0", "192.175.48.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
    ("::", "::"),
    ("::2", "::ffff:ffff"),  # v4-compatible
    ("::ffff:0:0", "::ffff:ffff:ffff"),  # v4-mapped
    ("::ffff:8.8.8.8", "::ffff:127.0.0.1"),
    ("::ffff:0:0:0", "::ffff:0:ffff:ffff"),  # v4-translated
    ("64:ff9b::", "64:ff9b::ffff:ffff"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),  # Teredo
    ("2001:1::1", "2001:1::3"),
    ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
    ("2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff"),
    ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"),  # ORCHID
    ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),  # not allocated
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::",
    "2001:4860:4860::8888",
    "2003::",
    "2606:4700:4700::1111",
    "2a00::1",
    "3ffe:ffff::",
]


def ends(ranges: list[tuple[str, str]]) -> list[str]:
    return sorted({address for both in ranges for address in both})


@pytest.mark.parametrize("address", ends(NEVER) + METADATA + ["nonsense", "", "fe80::1%eth0"])
def test_some_addresses_are_never_reached(address: str) -> None:
    for opened in (False, True):
        found = denial(address, opened=opened)
        assert found is not None
        assert not found.openable


@pytest.mark.parametrize("address", ends(OPENABLE))
def test_private_and_loopback_addresses_are_for_the_allow_list(address: str) -> None:
    found = denial(address, opened=False)
    assert found is not None
    assert found.openable
    assert denial(address, opened=True) is None


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address: str) -> None:
    assert denial(address, opened=False) is None


def test_one_denied_address_denies_the_name() -> None:
    assert checked("a.test", 443, ["1.1.1.1", "8.8.8.8", "1.1.1.1"], opened=False) == (
        "1.1.1.1",
        "8.8.8.8",
    )
    with pytest.raises(AddressDeniedError) as caught:
        checked("a.test", 443, ["1.1.1.1", "10.0.0.1"], opened=False)
    assert str(caught.value) == "a.test resolves to 10.0.0.1, a private address"
    assert (caught.value.host, caught.value.port, caught.value.openable) == ("a.test", 443, True)


def test_an_address_speaks_for_itself() -> None:
    with pytest.raises(AddressDeniedError, match=r"^127\.0\.0\.1 is a loopback address$"):
        checked("127.0.0.1", 80, ["127.0.0.1"], opened=False)


ALLOWED = AllowList.parse(
    ["Registry.Corp.test.:8443", "10.0.0.5:*", " [0:0::1]:80 ", "", "wide.test:*"]
)


@pytest.mark.parametrize(
    ("host", "port", "opens"),
    [
        ("registry.corp.test", 8443, True),
        ("registry.corp.test", 443, False),
        ("sub.registry.corp.test", 8443, False),
        ("10.0.0.5", 1, True),
        ("10.0.0.6", 80, False),
        ("::1", 80, True),
        ("::1", 81, False),
        ("wide.test", 65535, True),
    ],
)
def test_the_allow_list_opens_what_it_names(host: str, port: int, opens: bool) -> None:
    assert ALLOWED.opens(host, port) is opens
    assert not NOTHING.opens(host, port)


@pytest.mark.parametrize(
    "entry", ["a.test", "a.test:", "a.test:0", "a.test:x", ":80", "*:80", "127.1:80", "[x]:80"]
)
def test_an_entry_of_the_allow_list_is_host_and_port(entry: str) -> None:
    with pytest.raises(UrlInvalidError):
        AllowList.parse([entry])


def test_plain_http_is_for_the_allow_list() -> None:
    require_scheme(parse_url("https://a.test/"), opened=False)
    require_scheme(parse_url("http://a.test/"), opened=True)
    with pytest.raises(AddressDeniedError, match="plain http"):
        require_scheme(parse_url("http://a.test/"), opened=False)


def test_a_redirect_never_leaves_https() -> None:
    now = parse_url("https://a.test/x")
    assert after_redirect(now, "https://b.test/y").text == "https://b.test/y"
    assert after_redirect(parse_url("http://a.test/"), "http://b.test").scheme == "http"
    for location in ("http://a.test/", "ftp://a.test/", "https://u:p@b.test/", "https://127.1/"):
        with pytest.raises(RedirectRefusedError):
            after_redirect(now, location)


HOME = Origin("https", "a.test", 443)


@pytest.mark.parametrize(
    ("now", "fits"),
    [
        (HOME, True),
        (Origin("http", "a.test", 443), False),
        (Origin("https", "a.test", 8443), False),
        (Origin("https", "b.test", 443), False),
        (Origin("https", "cdn.named.test", 443), True),
        (Origin("https", "named.test", 443), False),
        (Origin("http", "cdn.named.test", 80), False),
        (Origin("https", "cdn.named.test.evil.test", 443), False),
    ],
)
def test_a_credential_stays_where_it_belongs(now: Origin, fits: bool) -> None:
    credential = Credential((("Authorization", "x"),), ("*.named.test",))
    assert credential.fits(HOME, now) is fits


def test_host_patterns() -> None:
    assert matches_host("a.test", ["A.test "])
    assert matches_host("x.y.corp", ["b", "*.corp"])
    assert not matches_host("corp", ["*.corp"])
    assert not matches_host("xcorp", ["*.corp"])
    assert not matches_host("a.test", [])


def test_a_credential_never_shows_its_value() -> None:
    assert repr(Credential((("X-Key", "canary"),))) == "Credential(X-Key)"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("X Y", "x"),
        ("X:Y", "x"),
        ("Host", "x"),
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Accept-Encoding", "br"),
        ("Proxy-Authorization", "x"),
        ("X", "canary\r\nHost: evil"),
        ("X", "canary\0"),
        ("X", " canary"),
        ("X", "canäry"),
    ],
)
def test_a_header_that_would_harm_is_refused_without_its_value(name: str, value: str) -> None:
    with pytest.raises(HeaderInvalidError) as caught:
        require_header(name, value)
    assert "can" not in str(caught.value).removeprefix("the value of the header X has")


def test_ordinary_headers_pass() -> None:
    for name, value in (("Authorization", "Bearer a.b-c"), ("x-team", ""), ("X", "a\tb")):
        require_header(name, value)
