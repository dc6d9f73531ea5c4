"""Which files of a folder are entries, in which order they are read, and what to say when a name is not there.

In the flow: between the listing of a folder (on disk or in a commit) and its parts. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from thv.domain.errors import Code, ThvError

MIB = 1024 * 1024
MOST_FILES = 10_000
MOST_BYTES = 100 * MIB

_SUFFIXES = (".yaml", ".yml", ".json")
_NESTED = ("spec.yaml", "spec.yml", "spec.json")


def is_entry(path: str) -> bool:
    """True for `osv.yaml` and for `osv/spec.yaml`; hidden files and everything deeper are something else."""
    steps = path.split("/")
    if any(step.startswith(".") or not step for step in steps):
        return False
    if len(steps) == 1:
        return path.endswith(_SUFFIXES)
    return len(steps) == 2 and steps[1] in _NESTED


def entry_paths(paths: Iterable[str], place: str, *, most: int = MOST_FILES) -> tuple[str, ...]:
    """The entries among the files of a folder, in the order of their paths."""
    entries = sorted(path for path in paths if is_entry(path))
    if len(entries) > most:
        raise ThvError(
            Code.SIZE_LIMIT_EXCEEDED,
            f"{place} holds {len(entries)} entries; a folder may hold {most}",
            hint="put the entries into one file, or into several registries",
        )
    if not entries:
        raise ThvError(
            Code.PATH_NOT_FOUND,
            f"{place} holds no entry",
            hint="entries of a folder are files NAME.yaml or NAME.json, or NAME/spec.yaml",
        )
    return tuple(entries)


def nearest(name: str, existing: Iterable[str], *, most: int = 5) -> tuple[str, ...]:
    """The names most like `name`, the best first; the first in order where none is like it; none that are hidden."""
    names = sorted({other for other in existing if not other.startswith(".")})
    alike = difflib.get_close_matches(name, names[:2000], n=most, cutoff=0.5)
    return tuple(alike or names[:most])


def quoted(names: Iterable[str]) -> str:
    """Names as a sentence lists them."""
    return ", ".join(f'"{name}"' for name in names) or "none"
