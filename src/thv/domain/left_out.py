"""What a registry leaves out: names, how many versions of each, and the rules that keep them out.

In the flow: `sync` stores the list beside the chunks of a snapshot; whoever wonders where a server is reads it.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable

import msgspec

from thv.domain.snapshot import Chunk

NAME_LIMIT = 1000
"""Names of a list; a registry may leave out a hundred times as many."""


class LeftOut(msgspec.Struct, frozen=True):
    """A name of which versions are left out."""

    name: str
    versions: int
    rules: tuple[str, ...]
    """Places of the spec, such as `filter.exclude.tags`."""


_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(LeftOut)


def pack(every: Iterable[LeftOut]) -> Chunk | None:
    """The list as it is stored; None for one that holds nothing."""
    lines = [_encode(each) for each in every]
    if not lines:
        return None
    plain = b"\n".join(lines)
    # Without a time stamp: the same names give the same bytes.
    packed = gzip.compress(plain, mtime=0)
    return Chunk("sha256:" + hashlib.sha256(plain).hexdigest(), len(lines), packed)


def parse(plain: bytes) -> list[LeftOut]:
    """The names of an unpacked list, in byte order."""
    return [_decoder.decode(line) for line in plain.split(b"\n") if line]
