from __future__ import annotations

import base64

import pytest

from thv.domain.errors import Code, ThvError
from thv.domain.registry import AuthSecret
from thv.sources.base import SecretData
from thv.sources.credentials import (
    auth_credential,
    header_credential,
    parse_allowed_hosts,
    plain_credential,
    require_host,
)

AUTH = AuthSecret(name="read")


@pytest.mark.requirement("REG-03")
@pytest.mark.parametrize(
    ("values", "sent"),
    [
        ({"token": b"abc\n"}, "Bearer abc"),
        ({"token": b"abc", "username": b"u", "password": b"p"}, "Bearer abc"),
        (
            {"username": b"u\r\n", "password": "pä".encode() + b"\n"},
            "Basic " + base64.b64encode("u:pä".encode()).decode(),
        ),
        ({"username": b"u", "password": b""}, "Basic " + base64.b64encode(b"u:").decode()),
        (
            {"token": b"", "username": b"", "password": b"p"},
            "Basic " + base64.b64encode(b":p").decode(),
        ),
    ],
)
def test_a_token_wins_over_user_and_password(values: dict[str, bytes], sent: str) -> None:
    found = auth_credential(AUTH, SecretData(values, ("a.test",)))
    assert found.headers == (("Authorization", sent),)
    assert found.hosts == ("a.test",)


def test_other_keys_can_be_named() -> None:
    auth = AuthSecret(name="read", token_key="pat")
    assert auth_credential(auth, SecretData({"pat": b"x"})).headers[0][1] == "Bearer x"


@pytest.mark.parametrize(
    "values", [{}, {"username": b"u"}, {"password": b"canary"}, {"ssh-privatekey": b"k"}]
)
def test_a_secret_without_credentials_is_named_with_its_keys(values: dict[str, bytes]) -> None:
    with pytest.raises(ThvError) as caught:
        auth_credential(AUTH, SecretData(values))
    assert caught.value.code is Code.SECRET_NOT_FOUND
    assert caught.value.message == (
        'the Secret "read" has neither the key "token" nor the keys "username" and "password"'
    )


def test_each_key_of_a_headers_secret_is_a_header() -> None:
    found = header_credential("keys", SecretData({"X-B": b"2\n", "X-A": b"1"}, ("*.a.test",)))
    assert found.headers == (("X-A", "1"), ("X-B", "2"))
    assert found.hosts == ("*.a.test",)


@pytest.mark.requirement("OPS-07")
@pytest.mark.parametrize(
    "values",
    [
        {"Host": b"canary"},
        {"Transfer-Encoding": b"canary"},
        {"X Y": b"canary"},
        {"X": b"canary\r\nHost: a"},
        {"X": "canäry".encode()},
        {"X": b"\xffcanary"},
    ],
)
def test_no_message_holds_a_value(values: dict[str, bytes]) -> None:
    secret = SecretData(values)
    with pytest.raises(ThvError) as caught:
        header_credential("keys", secret)
    assert caught.value.code is Code.INVALID
    assert 'Secret "keys"' in caught.value.message
    assert "can" not in f"{caught.value!r} {secret!r}".replace("cannot", "")


def test_plain_headers_are_checked_too() -> None:
    assert plain_credential({"X-Team": "mcp"}).headers == (("X-Team", "mcp"),)
    with pytest.raises(ThvError, match="the header Connection is set by the client"):
        plain_credential({"Connection": "close"})


def test_the_annotation_lists_hosts() -> None:
    assert parse_allowed_hosts(" A.test., *.corp.test ,,") == ("a.test", "*.corp.test")
    assert len(parse_allowed_hosts(",".join(f"h{n}.test" for n in range(30)))) == 20
    assert parse_allowed_hosts("") == ()


@pytest.mark.requirement("SYN-04")
def test_a_secret_is_for_the_hosts_of_its_owner() -> None:
    bound = SecretData({"token": b"canary"}, ("a.test", "*.corp.test"))
    for host in ("a.test", "x.corp.test"):
        require_host("read", bound, host)
    require_host("read", SecretData({}), "evil.test")
    with pytest.raises(ThvError) as caught:
        require_host("read", bound, "evil.test")
    assert caught.value.code is Code.HOST_NOT_ALLOWED
    assert "canary" not in repr(caught.value)
    assert 'allowed-hosts of the Secret "read"' in caught.value.hint
