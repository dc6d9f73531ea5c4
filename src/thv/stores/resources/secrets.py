"""Files that hold the values of Secrets, so that the database never does.

In the flow: under the SQLite store. A file is written whole before the row that refers to it, and deleted after
the row that referred to it is gone; whatever is left of a crash is swept when the store is opened.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection
from pathlib import Path

import msgspec

Values = dict[str, str]
"""Base64 by key, as in the `data` of a Secret."""


class SecretFiles:
    """A folder of mode 0700 with one file of mode 0600 for each state of a Secret."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    def write(self, name: str, values: Values) -> None:
        """Durable when it returns."""
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(values))
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).rename(self._folder / name)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        self._sync_folder()

    def read(self, name: str) -> Values:
        """The values; raises FileNotFoundError once a newer state has replaced this one."""
        return msgspec.json.decode((self._folder / name).read_bytes(), type=Values)

    def remove(self, names: Collection[str]) -> None:
        """Deletes files; what cannot be deleted now is swept later."""
        for name in names:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()

    def names(self) -> set[str]:
        """Every file of the folder."""
        return {path.name for path in self._folder.iterdir()}

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
