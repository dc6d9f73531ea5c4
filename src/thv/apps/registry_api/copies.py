"""Registries as they were seen last, a file each, so that a restart needs no cluster.

In the flow: beside the read models. What is kept is what the API needs to answer: the registry and its status. It is
only ever replaced as a whole; a file that cannot be read counts as none.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.resources import metadata_of, name_of, namespace_of

log = logging.getLogger(__name__)

_SUFFIX = ".json"
_LEFT_OUT = ("managedFields", "resourceVersion")
"""Metadata that changes with every write, and is of no use here."""


class Copies:
    """The files of one folder, which it makes with mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[Path, int] = {}

    def __iter__(self) -> Iterator[JsonObject]:
        """Every registry that can be read, by namespace and name."""
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            found = _read(path)
            if found is not None:
                yield found

    def keep(self, obj: JsonObject) -> None:
        """Writes what is new."""
        path = self._path(obj)
        content = msgspec.json.encode(_kept(obj))
        if self._written.get(path) == hash(content):
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(path)
        self._written[path] = hash(content)

    def forget(self, obj: JsonObject) -> None:
        """The registry is gone, or served no longer."""
        path = self._path(obj)
        path.unlink(missing_ok=True)
        self._written.pop(path, None)

    def _path(self, obj: JsonObject) -> Path:
        return self._folder / f"{namespace_of(obj)}.{name_of(obj)}{_SUFFIX}"


def _kept(obj: JsonObject) -> JsonObject:
    metadata = {key: value for key, value in metadata_of(obj).items() if key not in _LEFT_OUT}
    return {**obj, "metadata": metadata}


def _read(path: Path) -> JsonObject | None:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("%s: %s", path, error)
        return None
    is_ours = path.name == f"{namespace_of(found)}.{name_of(found)}{_SUFFIX}"
    return found if is_ours else None
