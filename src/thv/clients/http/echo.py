"""Credentials that come back: what an upstream repeats of the secret that it was sent is never taken.

In the flow: on every answer to a request with a credential. An echo in a document would end up in snapshots, one in
a validator in the status, one in a redirect in an error; whoever echoes by mistake must not cost the secret.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from thv.clients.http.guard import Credential

_LEAST = 12
"""Characters; shorter words may stand in any document by chance."""
MASK = "***"


class Echo:
    """Finds the secrets of some credentials in whatever spelling."""

    def __init__(self, credentials: Iterable[Credential]) -> None:
        secrets = {
            part
            for credential in credentials
            if credential.secret
            for _, value in credential.headers
            for part in _parts(value)
        }
        forms = {form for secret in secrets for form in _spellings(secret) if len(form) >= _LEAST}
        self._forms = sorted(forms, key=len, reverse=True)
        self._bytes = [form.encode("utf-8", "surrogateescape") for form in self._forms]
        self._longest = max(map(len, self._bytes), default=0)
        self._tail = b""

    def masked(self, text: str) -> str:
        """The text without secrets."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def is_in(self, piece: bytes) -> bool:
        """Whether a secret ends in this piece of a stream; the pieces come in order."""
        if not self._bytes:
            return False
        seen = self._tail + piece
        self._tail = seen[-self._longest :]
        return any(form in seen for form in self._bytes)


def _parts(value: str) -> Iterator[str]:
    """The value of a header, and the secret behind its scheme."""
    yield value
    scheme, _, rest = value.partition(" ")
    if rest:
        yield rest
    if scheme == "Basic":
        try:
            yield base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield quote(secret, safe="")
    yield quote(secret)
    raw = secret.encode("utf-8", "surrogateescape")
    yield base64.b64encode(raw).decode()
    yield base64.urlsafe_b64encode(raw).decode()
