"""Puts entries into the files of a model: bodies at the end of theirs, rows into the database.

In the flow: the hand of `build` and `delta`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import BinaryIO

from thv.domain.taxonomy import Taxonomy
from thv.stores.models.folder import OFFICIAL, TOOLHIVE
from thv.stores.models.rows import Maker, Opened, Row
from thv.stores.models.tables import Placed, Tables

_BUFFER = 256 * 1024


class BodyFile:
    """Bodies one after the other, each with a comma behind it, so that neighbours read as a list."""

    def __init__(self, path: Path, end: int) -> None:
        """What lies behind `end` is of a writer that did not finish, and is cut off."""
        self._file: BinaryIO = path.open("r+b" if end else "w+b", buffering=_BUFFER)
        self._file.truncate(end)
        self._file.seek(end)
        self.end = end

    def add(self, body: bytes) -> int:
        """Returns where the body begins."""
        place = self.end
        self._file.write(body)
        self._file.write(b",")
        self.end += len(body) + 1
        return place

    def close(self) -> None:
        """Everything is with the operating system when this returns."""
        self._file.close()


class Writer:
    """Writes what is born in one generation."""

    def __init__(
        self, connection: sqlite3.Connection, build: Path, generation: int, taxonomy: Taxonomy
    ) -> None:
        official, toolhive = connection.execute("SELECT official, toolhive FROM state").fetchone()
        self._connection = connection
        self._official = BodyFile(build / OFFICIAL, official)
        self._toolhive = BodyFile(build / TOOLHIVE, toolhive)
        self._maker = Maker(taxonomy)
        self.tables = Tables(connection, generation)
        self.born: list[tuple[int, str]] | None = None
        """Where the words of new latest versions are gathered, when somebody wants them."""

    def put(self, item: Opened, versions: int) -> Row:
        """Writes one version; `versions` is how many of its name are served."""
        row = self._maker.row(item, versions)
        official = self._official.add(row.body)
        toolhive = self._toolhive.add(row.server.body) if row.server else -1
        server = self.tables.add(row, Placed(official, toolhive), versions)
        if server is not None and self.born is not None:
            self.born.append((server, row.words))
        return row

    def put_again(self, server: int, body: bytes, versions: int) -> int:
        """Writes a ToolHive body anew that only counts its versions differently; returns the new id."""
        return self.tables.renew(server, self._toolhive.add(body), len(body), versions)

    def abandon(self) -> None:
        """Lets go of the files of a model that nobody will read."""
        self._official.close()
        self._toolhive.close()

    def close(self) -> None:
        """Ends the body files and notes how long they are."""
        self.tables.flush()
        self._official.close()
        self._toolhive.close()
        self._connection.execute(
            "UPDATE state SET official=?, toolhive=?, sequence=?",
            (self._official.end, self._toolhive.end, self.tables.sequence),
        )
