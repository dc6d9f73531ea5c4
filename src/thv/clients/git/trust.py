"""The certificates that git trusts when more are given than the system has.

In the flow: beside a session's private files. Git takes one file in place of its own, so the system's are put before
the given ones.
"""

from __future__ import annotations

import ssl
from pathlib import Path

_PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def with_system_roots(extra: bytes) -> bytes:
    """The system's certificates, then `extra`; `extra` alone where the system has no file of them."""
    default = ssl.get_default_verify_paths().openssl_cafile
    for place in (default, *_PLACES):
        if Path(place).is_file():
            return Path(place).read_bytes() + b"\n" + extra
    return extra
