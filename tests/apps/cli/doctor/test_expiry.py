"""When certificates and tokens end."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from thv.apps.cli.doctor.expiry import certificate_validity, token_expiry


def element(tag: int, content: bytes) -> bytes:
    """One of DER, in the long form where it must be."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def certificate(begins: bytes, ends: bytes, *, version: bool = True) -> str:
    """As far as its validity."""
    validity = element(0x30, begins + ends)
    number, algorithm, issuer = element(2, b"\1"), element(0x30, b""), element(0x30, b"x" * 300)
    head = element(0xA0, element(2, b"\2")) if version else b""
    signed = element(0x30, head + number + algorithm + issuer + validity)
    der = element(0x30, signed)
    text = base64.encodebytes(der).decode()
    return f"words\n-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


UTC_TIME, TIME = 0x17, 0x18


@pytest.mark.parametrize("version", [True, False])
def test_the_validity_of_a_certificate_is_read(version: bool) -> None:
    text = certificate(
        element(UTC_TIME, b"991231235959Z"), element(TIME, b"20500101000000Z"), version=version
    )
    assert certificate_validity(text) == (
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        certificate(element(UTC_TIME, b"yesterday"), element(UTC_TIME, b"491231235959Z")),
        certificate(element(2, b"1"), b""),
    ],
)
def test_what_is_no_certificate_is_told_from_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"certificate|PEM|padding|base64"):
        certificate_validity(text)


def token(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            token({"exp": 1_700_000_000, "sub": "jane"}),
            datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        ),
        (token({"sub": "jane"}), None),
        (token({"exp": "soon"}), None),
        (token({"exp": 1e300}), None),
        (token([]), None),
        ("opaque", None),
        ("a.%%%.c", None),
    ],
)
def test_the_end_of_a_token_is_read_where_it_says_one(text: str, expected: datetime | None) -> None:
    assert token_expiry(text) == expected
