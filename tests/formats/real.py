"""The real data, for whoever has it: THV_REAL_DATA names its folder, tests that need it skip without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from thv.domain.entry import Entry
from thv.formats.documents import DocumentReader, Found, Item


def real_data(path: str = "") -> Path:
    """The folder, or a place in it; skips the test when nobody has named the folder."""
    folder = os.environ.get("THV_REAL_DATA")
    if not folder:
        pytest.skip("set THV_REAL_DATA to the folder of the real data to run this test")
    return Path(folder) / path


def real_documents() -> Iterator[Path]:
    """Every registry document and server.json in it."""
    for pattern in (
        "upstream-official-dumps/*.json",
        "upstream-seed-history/*.json",
        "upstream-generation-samples/*.json",
        "toolhive-registry-history/*.json",
        "toolhive-gold-pair/*.json",
        "schemas/upstream/examples/*.json",
    ):
        yield from sorted(real_data().glob(pattern))


def items(document: bytes, size: int = 1 << 16) -> tuple[DocumentReader, list[Item]]:
    """The reader and what it found in a document that came in pieces of a size."""
    reader = DocumentReader()
    found: list[Item] = []
    for start in range(0, len(document), size):
        found += reader.feed(document[start : start + size])
    found += reader.close()
    return reader, found


def entries(document: bytes) -> list[Entry]:
    """The entries of a document in which nothing is damaged."""
    return [item.entry for item in items(document)[1] if isinstance(item, Found)]
