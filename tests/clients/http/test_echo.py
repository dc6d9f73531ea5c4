from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from thv.clients.http.echo import Echo
from thv.clients.http.guard import Credential

SECRET = "s3cret/of+many%words"
BASIC = "Basic " + base64.b64encode(f"alice:{SECRET}".encode()).decode()


def echo(value: str = f"Bearer {SECRET}", *, secret: bool = True) -> Echo:
    return Echo([Credential((("Authorization", value),), secret=secret)])


@pytest.mark.parametrize(
    "said",
    [
        SECRET,
        f"Bearer {SECRET}",
        quote(SECRET, safe=""),
        quote(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_found_in_every_spelling_and_wherever_it_is_cut(said: str) -> None:
    text = f"before {said} behind".encode()
    assert echo().masked(text.decode()) in ("before *** behind", "before Bearer *** behind")
    for place in range(len(text)):
        found = echo()
        assert found.is_in(text[:place]) or found.is_in(text[place:]), place
    found = echo()
    assert [one for one in text if found.is_in(bytes([one]))]


def test_the_password_is_found_without_its_user() -> None:
    assert echo(BASIC).is_in(f"password={SECRET}".encode())


def test_words_that_are_short_or_no_secret_are_let_through() -> None:
    assert not echo("Bearer short").is_in(b"a short word")
    assert not echo("application/json", secret=False).is_in(b"application/json")
    assert not Echo(()).is_in(b"anything")
