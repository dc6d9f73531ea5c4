"""Settings of the sign-in at an issuer: what may be said, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from thv.apps.kit.sign_in import SignIn, read_sign_in, secret_in
from thv.domain.errors import Code, ThvError

LEAST = {"THV_OIDC_ISSUER": "https://login.example.com/people", "THV_OIDC_CLIENT_ID": "catalog"}


def test_without_an_issuer_nobody_signs_in_at_one() -> None:
    assert read_sign_in({}) is None
    assert read_sign_in({"THV_PUBLIC_URL": "https://catalog.example.com", "THV_TRUST": "x"}) is None


def test_an_issuer_and_a_client_are_enough() -> None:
    found = read_sign_in(LEAST)
    assert found == SignIn(issuer="https://login.example.com/people", client_id="catalog")
    assert found.name == "login.example.com"


def test_everything_can_be_said_and_flags_win(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    said = {
        **LEAST,
        "THV_OIDC_SCOPES": "openid, groups",
        "THV_OIDC_NAME": "Example ID",
        "THV_OIDC_TOKEN": "access_token",
        "THV_PUBLIC_URL": "https://one.example.com/",
        "THV_TRUST": "/trust/ca.crt",
    }
    assert read_sign_in(
        said, client_id="other", client_secret=str(secret), public_url=""
    ) == SignIn(
        issuer="https://login.example.com/people",
        client_id="other",
        client_secret=secret,
        scopes="openid groups",
        sent="access_token",
        label="Example ID",
        public_url="https://one.example.com",
        trust=Path("/trust/ca.crt"),
    )
    assert secret_in(secret) == "s3cret"


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"THV_OIDC_CLIENT_ID": ""}, "THV_OIDC_CLIENT_ID is not set"),
        ({"THV_OIDC_ISSUER": ""}, "THV_OIDC_ISSUER is not set"),
        ({"THV_OIDC_ISSUER": "http://login.example.com"}, "THV_OIDC_ISSUER is"),
        ({"THV_OIDC_ISSUER": "https://login.example.com?a=b"}, "THV_OIDC_ISSUER is"),
        ({"THV_OIDC_ISSUER": "https://me:secret@login.example.com"}, "THV_OIDC_ISSUER is"),
        ({"THV_OIDC_ISSUER": "https://["}, "THV_OIDC_ISSUER is"),
        ({"THV_OIDC_ISSUER": "login.example.com"}, "THV_OIDC_ISSUER is"),
        ({"THV_OIDC_SCOPES": "email"}, "THV_OIDC_SCOPES is"),
        ({"THV_OIDC_SCOPES": "openid,é"}, "THV_OIDC_SCOPES is"),
        ({"THV_OIDC_TOKEN": "refresh_token"}, "THV_OIDC_TOKEN is"),
        ({"THV_PUBLIC_URL": "http://catalog.example.com"}, "THV_PUBLIC_URL is"),
        ({"THV_PUBLIC_URL": "https://catalog.example.com/pages"}, "THV_PUBLIC_URL is"),
        ({"THV_PUBLIC_URL": "https://catalog.example.com?x"}, "THV_PUBLIC_URL is"),
        ({"THV_OIDC_CLIENT_SECRET_FILE": "/nowhere/secret"}, "/nowhere/secret cannot be read"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_by_name(said: dict[str, str], named: str) -> None:
    with pytest.raises(ThvError) as caught:
        read_sign_in({**LEAST, **said})
    assert caught.value.code is Code.INVALID
    assert named in caught.value.message
    assert caught.value.hint


def test_plain_http_stays_on_this_machine() -> None:
    for host in ("127.0.0.1:9000", "localhost", "[::1]:1"):
        said = {**LEAST, "THV_OIDC_ISSUER": f"http://{host}", "THV_PUBLIC_URL": f"http://{host}"}
        found = read_sign_in(said)
        assert found
        assert found.public_url == f"http://{host}"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_secret_is_text_that_is_there(tmp_path: Path, content: bytes) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(content)
    with pytest.raises(ThvError, match="cannot be read"):
        secret_in(secret)
