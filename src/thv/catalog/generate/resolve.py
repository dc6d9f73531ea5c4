"""Which entry of which registry a choice means.

In the flow: after `request`, before `entry`. Whoever calls finds the candidates that the user may read; which of them is
meant is decided here, so that it never depends on what a tenant can write: trust first, then the administrator's order.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from thv.catalog.generate.refusals import refused
from thv.catalog.generate.request import Choice, place_of
from thv.domain.entry import Entry
from thv.domain.errors import Code


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A registry in the state that it has now."""

    namespace: str
    name: str
    standing: tuple[int, int, str]
    """Trust, place in the administrator's order, path: the best registry has the least."""
    snapshot: str
    """Digest of what it serves."""
    snapshot_at: str
    """When that was made, RFC 3339."""

    @property
    def path(self) -> str:
        """As requests name it."""
        return f"{self.namespace}/{self.name}"


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a server in a registry."""

    origin: Origin
    entry: Entry
    digest: str
    is_latest: bool


def resolve(index: int, choice: Choice, found: Sequence[Candidate]) -> Candidate:
    """The one that is meant of all versions in all registries that the user may read.

    Raises NOT_FOUND, AMBIGUOUS, and CONFLICT for a digest that is no longer there.
    """
    there = [each for each in found if _is_named(each.origin, choice.registry)]
    if not there:
        where = f" in the registry {choice.registry}" if choice.registry else ""
        message = f'there is no server "{choice.name}"{where} that you may read'
        raise refused(Code.NOT_FOUND, place_of(index, "name"), message, choice.name)
    wanted = [each for each in there if _is_version(each, choice.version)]
    if not wanted:
        known = ", ".join(sorted({each.entry.version for each in there})[:10])
        message = f'"{choice.name}" has no version {choice.version}; there is {known}'
        raise refused(Code.NOT_FOUND, place_of(index, "version"), message, choice.version)
    exact = [each for each in wanted if choice.digest in ("", each.digest)]
    if not exact:
        message = f'"{choice.name}" has another digest by now; export it again, or leave it out'
        raise refused(Code.CONFLICT, place_of(index, "digest"), message, choice.digest)
    return _best(index, choice, exact)


def _is_named(origin: Origin, pin: str) -> bool:
    return pin in ("", origin.path, origin.name)


def _is_version(candidate: Candidate, pin: str) -> bool:
    return candidate.is_latest if pin in ("", "latest") else candidate.entry.version == pin


def _best(index: int, choice: Choice, candidates: Sequence[Candidate]) -> Candidate:
    """The best; raises AMBIGUOUS where several are equally good and not the same."""
    ranked = sorted(candidates, key=lambda each: each.origin.standing)
    best = ranked[0]
    equals = [each for each in ranked if each.origin.standing[:2] == best.origin.standing[:2]]
    if any(each.digest != best.digest for each in equals):
        paths = [each.origin.path for each in equals]
        message = (
            f'"{choice.name}" is not the same in {", ".join(paths[:10])}; name one of them in'
            f" {place_of(index, 'registry')}"
        )
        raise refused(Code.AMBIGUOUS, place_of(index, "name"), message, choice.name)
    return best
