"""The order of versions, and which one is the latest.

The official registry's rules: an entry marked latest wins; two semantic versions compare as such; of two that
are not, the later published one wins; a semantic version beats one that is not. Deleted versions are latest
only when all are deleted. The choice is a function of the set of rows, never of the order in which they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

import msgspec

_SEMVER = re.compile(
    r"v?(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)


class SemVer(msgspec.Struct, frozen=True, order=True):
    """A semantic version as a value that sorts; build metadata does not count."""

    major: int
    minor: int
    patch: int
    final: bool
    pre: tuple[tuple[int, int, str], ...] = ()


def parse_semver(text: str) -> SemVer | None:
    """Exactly three numeric parts, an optional `v`, prerelease and build; None for anything else."""
    match = _SEMVER.fullmatch(text)
    if match is None:
        return None
    major, minor, patch, pre = match.groups()
    identifiers = tuple(_identifier(part) for part in pre.split(".")) if pre else ()
    if None in identifiers:
        return None
    return SemVer(int(major), int(minor), int(patch), not pre, identifiers)  # type: ignore[arg-type] # None is excluded


def _identifier(part: str) -> tuple[int, int, str] | None:
    if not part.isdigit():
        return (1, 0, part)
    if (len(part) > 1 and part[0] == "0") or len(part) > 18:
        return None
    return (0, int(part), "")


class VersionRow(Protocol):
    """What the choice of the latest needs to know of one version."""

    @property
    def version(self) -> str: ...
    @property
    def published_at(self) -> str: ...
    @property
    def marked_latest(self) -> bool: ...
    @property
    def deleted(self) -> bool: ...


Row = TypeVar("Row", bound=VersionRow)


def order_key(version: str, published_at: str = "") -> tuple[Any, ...]:
    """Sorts the versions of one name, oldest first."""
    parsed = parse_semver(version)
    published = published_at.removesuffix("Z")  # so that a fraction of a second is later than none
    if parsed is None:
        return (0, published, version)
    return (1, parsed, published, version)


def pick_latest(rows: Iterable[Row]) -> Row:
    """The latest of the versions of one name; there must be at least one."""
    every = list(rows)
    alive = [row for row in every if not row.deleted] or every
    marked = [row for row in alive if row.marked_latest] or alive
    return max(marked, key=lambda row: order_key(row.version, row.published_at))
