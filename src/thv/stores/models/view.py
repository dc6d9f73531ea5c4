"""An open model, and one generation of it to look at.

In the flow: a door opens the model of each registry it serves and asks a `View`; everything that one answer
says comes from one generation. The command line opens the same files, read-only, beside a running server.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Hashable
from itertools import count
from pathlib import Path
from typing import Any, Self

from thv.domain.text import label_value, toolhive_key
from thv.stores.models.cache import Cache
from thv.stores.models.folder import OFFICIAL, TOOLHIVE, Folder, connect
from thv.stores.models.plans import read_stretches
from thv.stores.models.prune import GRACE
from thv.stores.models.query import Form, Generation, Plan
from thv.stores.models.rows import FOREVER, Traits

_COLUMNS = "id, content, digest, created_at, servers, versions, packed"
_numbers = count()


class Model:
    """The files of one build, open for reading. Not for several threads at a time."""

    def __init__(self, build: Path, cache: Cache) -> None:
        """Raises what SQLite and the system raise when the files are not there or damaged."""
        self.build = build
        self.cache = cache
        self.number = next(_numbers)
        self.connection = connect(build)
        self._files = {
            form: os.open(build / name, os.O_RDONLY | os.O_CLOEXEC)
            for form, name in ((Form.OFFICIAL, OFFICIAL), (Form.TOOLHIVE, TOOLHIVE))
        }
        self._close = weakref.finalize(self, _release, self.connection, tuple(self._files.values()))
        self.connection.create_function("label_value", 1, label_value, deterministic=True)
        self.connection.create_function("toolhive_key", 1, toolhive_key, deterministic=True)
        self.current = self._read_current()

    @classmethod
    def open(cls, path: Path, cache: Cache) -> Self | None:
        """The current build in the folder of a registry; None when nothing was applied yet."""
        for _ in range(3):  # a build may be swapped between the look at the pointer and the opening
            build = Folder(path).current()
            if build is None:
                return None
            try:
                return cls(build, cache)
            except (FileNotFoundError, sqlite3.OperationalError):
                continue
        return None

    def close(self) -> None:
        """Lets go of the files."""
        self._close()

    def refresh(self) -> None:
        """Looks which generation is current now."""
        self.current = self._read_current()

    def view(self) -> View:
        """The generation that is served."""
        return View(self, self.current)

    def view_of(self, content: str, now: float) -> View | None:
        """The generation with this content, as long as it is readable."""
        if content == self.current.content:
            return View(self, self.current)
        row = self.connection.execute(
            f"SELECT {_COLUMNS} FROM generation WHERE content=? AND (replaced IS NULL OR replaced > ?) "
            "ORDER BY id DESC LIMIT 1",
            (content, now - GRACE),
        ).fetchone()
        return View(self, Generation(*row)) if row else None

    def read(self, plan: Plan) -> bytes:
        """The bodies of a plan, with a comma between them and a mark in each."""
        return b",".join(self.read_each(plan))

    def read_each(self, plan: Plan) -> list[bytes]:
        """The same in stretches, which want a comma between them."""
        return read_stretches(self._files[plan.form], plan)

    def body(self, form: Form, place: int, size: int) -> bytes:
        """One body."""
        return os.pread(self._files[form], size, place)

    def _read_current(self) -> Generation:
        row = self.connection.execute(
            f"SELECT {_COLUMNS} FROM generation WHERE id = (SELECT generation FROM state)"
        ).fetchone()
        return Generation(*row)


class View:
    """One generation of a model."""

    def __init__(self, model: Model, generation: Generation) -> None:
        self.model = model
        self.generation = generation
        self.ask = model.connection.execute

    @property
    def id(self) -> int:
        """The number that rows are compared with."""
        return self.generation.id

    def remembered(self, key: Hashable) -> Any:
        """What was computed for this generation before, or None."""
        return self.model.cache.get((self.model.number, self.generation.id, key))

    def remembers(self, key: Hashable) -> bool:
        """Whether it was."""
        return self.remembered(key) is not None

    def remember(self, key: Hashable, value: Any, size: int) -> None:
        """Keeps something for this generation."""
        self.model.cache.put((self.model.number, self.generation.id, key), value, size)

    def traits(self) -> dict[int, Traits]:
        """Every combination of traits; more than this generation has does no harm."""
        known: dict[int, Traits] | None = self.remembered("traits")
        if known is None:
            rows = self.ask("SELECT id, tier, category, transport, kind, status, trust FROM traits")
            known = {place: Traits(*values) for place, *values in rows}
            self.remember("traits", known, 400 * len(known))
        return known

    def common_grams(self) -> dict[str, int]:
        """The grams that many texts hold, and about how many do."""
        known: dict[str, int] | None = self.remembered("common")
        if known is None:
            known = dict(self.ask("SELECT gram, texts FROM common"))
            self.remember("common", known, 120 * len(known) + 100)
        return known

    def hidden_ids(self) -> str:
        """As SQL: latest rows that are in the table, and in the text index, but not in this generation."""
        dead = f"SELECT id FROM server WHERE died <= {self.id} AND died < {FOREVER}"
        if self.generation == self.model.current:
            return dead
        return f"{dead} UNION ALL SELECT id FROM server WHERE born > {self.id}"

    def hides(self) -> bool:
        """Whether there are such rows."""
        known: bool | None = self.remembered("hides")
        if known is None:
            known = self.ask(f"{self.hidden_ids()} LIMIT 1").fetchone() is not None
            self.remember("hides", known, 100)
        return known


def _release(connection: sqlite3.Connection, files: tuple[int, ...]) -> None:
    connection.close()
    for descriptor in files:
        os.close(descriptor)
