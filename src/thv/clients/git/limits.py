"""How far one look at a repository may go.

In the flow: chosen by whoever builds the client; every process is held to it.
"""

from __future__ import annotations

from typing import NamedTuple

MIB = 1024 * 1024


class Limits(NamedTuple):
    """Bounds of one look, and of each git process of it."""

    seconds: float = 60.0
    """Wall time of all talking to the host together, and of each reading afterwards."""
    disk: int = 256 * MIB
    """Bytes of the bare repository."""
    memory: int = 1024 * MIB
    """Bytes of address space of one process."""
    files: int = 10_000
    """Files that are read."""
    total: int = 100 * MIB
    """Bytes of the files that are read."""
    listing: int = 16 * MIB
    """Bytes that git may print about names."""
