"""Embedded stores with chances that repeat, and a clock that is moved by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from thv.stores.resources.embedded import EmbeddedStore
from thv.stores.resources.memory import MemoryStore
from thv.stores.resources.sqlite import SqliteStore
from thv.stores.resources.tables import Chances

START = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self._now = START

    def __call__(self) -> datetime:
        return self._now

    def move(self, **ahead: float) -> None:
        self._now += timedelta(**ahead)


def chances(clock: Clock | None = None) -> Chances:
    """Ids and suffixes that count up."""
    ids, suffixes = count(1), count(1)
    return Chances(
        now=clock or Clock(),
        uid=lambda: f"00000000-0000-4000-8000-{next(ids):012}",
        suffix=lambda: f"{next(suffixes):05}",
    )


def sqlite_in(folder: Path, **options: Any) -> SqliteStore:
    return SqliteStore(folder / "resources.db", folder / "secrets", **options)


def open_store(kind: str, folder: Path, **options: Any) -> EmbeddedStore:
    return MemoryStore(**options) if kind == "memory" else sqlite_in(folder, **options)


both_kinds = pytest.mark.parametrize("kind", ["memory", "sqlite"])
