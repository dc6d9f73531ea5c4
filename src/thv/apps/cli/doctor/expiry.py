"""When credentials end: certificates and tokens, read as far as it takes to know.

In the flow: asked by the reader of a cluster. Nothing is verified here, the server does that.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from datetime import UTC, datetime

import msgspec

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME, _TIME = 0x30, 0xA0, 0x17, 0x18
_DIGITS = re.compile(r"\d{14}Z")


def certificate_validity(pem: str) -> tuple[datetime, datetime]:
    """From when until when the first certificate of a text is good; raises ValueError where there is none."""
    begin = pem.find(_BEGIN)
    end = pem.find(_END, begin)
    if begin < 0 or end < 0:
        raise ValueError("there is no certificate in PEM")
    der = ssl.PEM_cert_to_DER_cert(pem[begin : end + len(_END)])
    try:
        return _validity(der)
    except IndexError as error:
        raise ValueError("the certificate is cut off") from error


def token_expiry(token: str) -> datetime | None:
    """When a JSON Web Token ends; None for one that does not say, and for any other token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=="), type=_Claims)
        return None if claims.exp is None else datetime.fromtimestamp(claims.exp, UTC)
    except (binascii.Error, ValueError, OverflowError, OSError, msgspec.MsgspecError):
        return None


class _Claims(msgspec.Struct, frozen=True):
    exp: float | None = None


def _validity(der: bytes) -> tuple[datetime, datetime]:
    """Certificate, in it what is signed; in that version, number, algorithm, issuer, validity."""
    _, at, _ = _element(der, 0)
    _, at, _ = _element(der, at)
    tag, _, end = _element(der, at)
    if tag == _VERSION:
        _, _, end = _element(der, end)
    for _ in range(2):
        _, _, end = _element(der, end)
    tag, at, _ = _element(der, end)
    if tag != _SEQUENCE:
        raise ValueError("the certificate has no validity")
    begins, at = _time(der, at)
    return begins, _time(der, at)[0]


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, where the content begins, and where it ends."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(der[start : start + size], "big"), start + size
    return tag, start, start + length


def _time(der: bytes, at: int) -> tuple[datetime, int]:
    tag, start, end = _element(der, at)
    text = der[start:end].decode("ascii", "replace")
    if tag == _UTC_TIME:  # years of two digits: RFC 5280 has them end in 2049
        text = ("20" if text[:2] < "50" else "19") + text
    if tag not in (_UTC_TIME, _TIME) or not _DIGITS.fullmatch(text):
        raise ValueError("the certificate has no validity that can be read")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC), end
