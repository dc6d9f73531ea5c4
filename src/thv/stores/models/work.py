"""What an apply is asked to do, as one value that its steps hand on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from thv.domain.snapshot import ChunkRef, SnapshotRef
from thv.domain.taxonomy import Taxonomy

Fetch: TypeAlias = Callable[[ChunkRef], Awaitable[bytes]]
"""The unpacked and checked bytes of a chunk."""


class Moment(msgspec.Struct, frozen=True):
    """When something is done: for people, and for sums."""

    text: str
    """RFC 3339."""
    seconds: float
    """Unix time."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that should be served, and what decides how its rows look."""

    ref: SnapshotRef
    fetch: Fetch
    taxonomy: Taxonomy
    edition: str
    at: Moment
