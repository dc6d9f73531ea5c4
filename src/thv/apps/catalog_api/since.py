"""Where a follower of all registries is, as a word that means nothing to a client.

In the flow: given with an answer of the feed, taken back with the next request. The word holds four bytes for what is
known of each registry, so that a thousand fit into an address, and a seal over all of it in full: whoever opens it must
see what it was made of, and finds out whether that is so. Nothing is remembered for a follower, and any process with
the same registries understands the word.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable, Mapping

import msgspec

from thv.apps.registry_api.follow import Key
from thv.domain.canonical import JsonObject

MOST_REGISTRIES = 1400
"""Whose words fit into a request line."""
LONGEST = 7600

_EDITION = 1
_HEAD = struct.Struct(">B8sBI4s")
_PRINT = 4
_MALFORMED = "is not a token of this catalog"
SINCE_SCHEMA: JsonObject = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST,
    "pattern": "^[A-Za-z0-9_-]+$",
}


class Part(msgspec.Struct, frozen=True):
    """The registry of which not everything was told yet."""

    key: Key
    read: int
    """Changes that were told already."""
    anew: bool
    """The follower had not known it, and is told all that it has."""


class Since(msgspec.Struct, frozen=True):
    """Where a follower is."""

    known: Mapping[Key, str]
    """The content of each registry of which everything before it was told."""
    part: Part | None = None

    def __str__(self) -> str:
        prints = sorted(print_of(*each) for each in self.known.items())
        part = self.part
        head = _HEAD.pack(
            _EDITION,
            self._seal(),
            0 if part is None else 1 + part.anew,
            0 if part is None else part.read,
            b"" if part is None else print_of(part.key, self.known[part.key]),
        )
        return base64.urlsafe_b64encode(head + b"".join(prints)).rstrip(b"=").decode()

    def _seal(self) -> bytes:
        said = [sorted(self.known.items()), self.part]
        return hashlib.blake2b(msgspec.json.encode(said), digest_size=8).digest()


class Sealed(msgspec.Struct, frozen=True):
    """The same as it came back."""

    text: str
    prints: frozenset[bytes]
    part: tuple[bytes, int, bool] | None

    def knows(self, key: Key, content: str) -> bool:
        """Whether it may say this of a registry."""
        return print_of(key, content) in self.prints

    def opened(self, known: Mapping[Key, str]) -> Since | None:
        """What it says, if this is what it was made of."""
        since = Since(known, self._part(known.items()))
        return since if str(since) == self.text else None

    def _part(self, known: Iterable[tuple[Key, str]]) -> Part | None:
        if self.part is None:
            return None
        named, read, anew = self.part
        keys = (key for key, content in known if print_of(key, content) == named)
        key = next(keys, None)
        return None if key is None else Part(key, read, anew)


def parse_since(text: str) -> Sealed:
    """The word that a client sent; raises ValueError for what is none."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        edition, _, kind, read, named = _HEAD.unpack_from(raw)
    except (binascii.Error, ValueError, struct.error) as error:
        raise ValueError(_MALFORMED) from error
    rest = raw[_HEAD.size :]
    if len(text) > LONGEST or edition != _EDITION or kind > 2 or len(rest) % _PRINT:
        raise ValueError(_MALFORMED)
    prints = frozenset(rest[at : at + _PRINT] for at in range(0, len(rest), _PRINT))
    return Sealed(text, prints, (named, read, kind == 2) if kind else None)


def print_of(key: Key, content: str) -> bytes:
    """What is kept of a registry and what it held."""
    return hashlib.blake2b("/".join((*key, content)).encode(), digest_size=_PRINT).digest()
