"""Whose word counts for where a request comes from."""

from __future__ import annotations

import pytest

from thv.apps.kit.http.proxies import Proxies

PROXIES = Proxies(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "said", "origin"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("", "198.51.100.7", ""),
    ],
)
def test_the_last_address_that_no_proxy_of_ours_has(peer: str, said: str, origin: str) -> None:
    headers = {b"x-forwarded-for": said.encode()} if said else {}
    assert PROXIES.origin(peer, "http", headers) == (origin, "http")


def test_a_proxy_says_how_it_was_asked() -> None:
    headers = {b"x-forwarded-proto": b"HTTPS"}
    assert PROXIES.origin("10.0.0.1", "http", headers) == ("10.0.0.1", "https")
    assert PROXIES.origin("192.0.2.1", "http", headers) == ("192.0.2.1", "http")
    assert PROXIES.origin("10.0.0.1", "http", {b"x-forwarded-proto": b"gopher"})[1] == "http"
