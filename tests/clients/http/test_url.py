from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thv.clients.http.errors import UrlInvalidError
from thv.clients.http.url import Url, join_url, normalize_host, parse_url

SPELLINGS = {
    "https://Example.COM/a": "https://example.com/a",
    "https://example.com.": "https://example.com/",
    "HTTPS://example.com:443/a?b=c#d": "https://example.com/a?b=c",
    "http://example.com:80": "http://example.com/",
    "http://example.com:": "http://example.com/",
    "https://example.com:8443/": "https://example.com:8443/",
    "https://127.0.0.1./x": "https://127.0.0.1/x",
    "https://[::1]:8080/x": "https://[::1]:8080/x",
    "https://[0:0:0:0:0:0:0:1]/": "https://[::1]/",
    "https://[::ffff:127.0.0.1]/": "https://[::ffff:7f00:1]/",
    "https://bücher.example/ä?q=ö": "https://xn--bcher-kva.example/%C3%A4?q=%C3%B6",
    "https://\uff11\uff12\uff17.0.0.1/": "https://127.0.0.1/",  # full-width digits
    "https://example。com/": "https://example.com/",
    "https://a_b.example/": "https://a_b.example/",
    "https://example.com/a%2Fb?x=%20": "https://example.com/a%2Fb?x=%20",
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_url_has_one_spelling(text: str) -> None:
    assert parse_url(text).text == SPELLINGS[text].replace("[::ffff:7f00:1]", _mapped())


def _mapped() -> str:
    """Newer Pythons write mapped addresses with dots; both are canonical."""
    return f"[{parse_url('https://[::ffff:127.0.0.1]/').host}]"


NUMERIC = [
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.01",
    "0x7F.1",
    "256.0.0.1",
    "1.2.3.4.5",
    "127.0.0.0x1",
    "0x",
]


@pytest.mark.requirement("SYN-04")
@pytest.mark.parametrize("host", NUMERIC)
def test_numbers_other_than_four_decimals_are_refused(host: str) -> None:
    with pytest.raises(UrlInvalidError):
        parse_url(f"http://{host}/")
    with pytest.raises(UrlInvalidError):
        parse_url(f"http://{host}./")


REFUSED = [
    "",
    "example.com",
    "ftp://example.com/",
    "file:///etc/passwd",
    "https:/example.com",
    "https://",
    "https:///x",
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://example.com@evil.test/",
    "https://example.com:80@evil.test/",
    "https://good.test\\@evil.test/",
    "https://good.test\t.evil.test/",
    "https://good.test\r\nHost: evil.test/",
    " https://good.test/",
    "https://good.test /",
    "https://good%2etest/",
    "https://[::1/",
    "https://::1/",
    "https://[::1]x/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[127.0.0.1]/",
    "https://[v1.x]/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:8a/",
    "https://example..com/",
    "https://.example.com/",
    "https://-x.example/",
    "https://exa<mple.com/",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 130 + "com/",
    "https://example.com/" + "a" * 9000,
    "https://" + "ä" * 2000 + "/",
]


@pytest.mark.requirement("SYN-04")
@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_plain_url_is_refused(text: str) -> None:
    with pytest.raises(UrlInvalidError) as caught:
        parse_url(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "reference", "there"),
    [
        ("https://a.test/x/y?z=1", "w", "https://a.test/x/w"),
        ("https://a.test/x/y", "/w?v=2", "https://a.test/w?v=2"),
        ("https://a.test/x", "//b.test/y", "https://b.test/y"),
        ("https://a.test/x", "HTTP://B.test", "http://b.test/"),
        ("https://a.test/x", "?q", "https://a.test/x?q"),
    ],
)
def test_a_reference_leads_from_its_base(base: str, reference: str, there: str) -> None:
    assert join_url(parse_url(base), reference).text == there


@pytest.mark.parametrize("reference", ["javascript:x", "//u@b.test/", "http://[", "/a b", "\\\\b"])
def test_a_reference_to_nowhere_is_refused(reference: str) -> None:
    with pytest.raises(UrlInvalidError):
        join_url(parse_url("https://a.test/"), reference)


@given(st.text(max_size=60))
def test_what_was_parsed_parses_to_itself(text: str) -> None:
    for candidate in (text, f"https://{text}", f"http://a.test/{text}"):
        try:
            url = parse_url(candidate)
        except UrlInvalidError:
            continue
        assert parse_url(url.text) == url


@given(st.text(max_size=30))
def test_a_normalized_host_is_its_own_normal_form(text: str) -> None:
    try:
        host = normalize_host(text)
    except UrlInvalidError:
        return
    assert normalize_host(host) == host
    assert host.isascii()


def test_people_never_see_a_query() -> None:
    url = parse_url("https://a.test/x?token=secret")
    assert f"{url} {url!r}" == "https://a.test/x Url(https://a.test/x)"
    assert url.target == "/x?token=secret"


def test_parameters_replace_those_of_the_same_name() -> None:
    url = parse_url("https://a.test/x?limit=5&search=a%20b&cursor=old")
    asked = url.asking([("limit", "100"), ("cursor", "n:1+2")])
    assert asked.text == "https://a.test/x?search=a%20b&limit=100&cursor=n%3A1%2B2"


@pytest.mark.parametrize(
    ("text", "is_address"),
    [("https://10.0.0.1/", True), ("https://[::1]/", True), ("https://a1.test/", False)],
)
def test_addresses_are_told_from_names(text: str, is_address: bool) -> None:
    assert parse_url(text).is_address is is_address


def test_the_authority_names_other_ports_only() -> None:
    assert parse_url("https://[::1]/").authority == "[::1]"
    assert Url(scheme="http", host="a.test", port=443, path="/").authority == "a.test:443"
