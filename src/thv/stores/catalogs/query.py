"""What can be asked of the catalog, and what comes back: frozen values without a word of HTTP.

In the flow: a door makes a query of what a user typed; `listing`, `search` and `tools` answer it within a scope.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from thv.domain.registry import BEST_FIRST
from thv.stores.models.query import EVERYTHING, Sort, Where

VALIDATED, COMMUNITY = "validated", "community"
CLASSES = (VALIDATED, COMMUNITY)
LEVELS = tuple(level.value for level in BEST_FIRST)
"""By the number of a level."""

Key: TypeAlias = tuple[str | int | float, ...]
"""What a row is sorted by."""


class Term(msgspec.Struct, frozen=True):
    """A word that somebody seeks."""

    spellings: tuple[tuple[str, ...], ...]
    """Each is of words that must all begin a word of the entry; one of them is enough."""
    idle: bool = False
    """It belongs to the request, not to what is sought: find, server, please."""

    @property
    def expression(self) -> str:
        """As the full text index is asked; words are letters and digits only, so quoting is safe."""
        return "(" + " OR ".join(_all_of(each, _begun) for each in self.spellings) + ")"

    @property
    def closely(self) -> str:
        """The same, but that words which begin too many others stand for themselves."""
        return "(" + " OR ".join(_all_of(each, _whole_if_short) for each in self.spellings) + ")"


_SHORT = 3
"""Letters of a word up to which it begins too many others."""


def _begun(word: str) -> str:
    return f'"{word}"*'


def _whole_if_short(word: str) -> str:
    return _begun(word) if len(word) > _SHORT else f'("{word}" OR "{word}s")'


def _all_of(words: tuple[str, ...], ask: Callable[[str], str]) -> str:
    quoted = [ask(word) for word in words]
    return quoted[0] if len(quoted) == 1 else f"({' AND '.join(quoted)})"


class Wish(msgspec.Struct, frozen=True):
    """What somebody seeks."""

    text: str
    """Folded, for the comparison with names."""
    terms: tuple[Term, ...]
    phrases: tuple[tuple[str, ...], ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when there is no word in it: it then finds nothing."""
        return not self.terms and not self.phrases

    @property
    def expression(self) -> str:
        """All of it."""
        return " AND ".join([*(term.expression for term in self.terms), *self._phrases()])

    def _phrases(self) -> list[str]:
        return [f'"{" ".join(phrase)}"' for phrase in self.phrases]

    @property
    def weighed(self) -> tuple[str, ...]:
        """The parts that count where not all of them are found."""
        sought = [term for term in self.terms if not term.idle] or list(self.terms)
        return (*(term.closely for term in sought), *self._phrases())


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A list of servers."""

    where: Where = EVERYTHING
    """Without a search, trust levels and registries, which are said apart."""
    classes: tuple[str, ...] = ()
    trust: tuple[int, ...] = ()
    signed: bool | None = None
    scans: tuple[str, ...] = ()
    """Outcomes of scans; nothing was scanned yet, so that all are unknown."""
    reaches: tuple[str, ...] = ()
    """How far servers may connect."""
    wish: Wish | None = None
    every: bool = False
    """One row a registry instead of one a name."""
    sort: Sort = Sort.NAME
    descending: bool = False


class Listed(msgspec.Struct, frozen=True):
    """A server on a page."""

    name: str
    """The official one."""
    key: str
    registry: int
    version: str
    digest: str
    body: bytes
    """With marks for its class and its registry."""
    also: tuple[int, ...]
    """Other registries that have the name, the best first."""
    place: Key


class Counts(msgspec.Struct, frozen=True):
    """How many there are before any filter."""

    validated: int
    community: int

    @property
    def total(self) -> int:
        return self.validated + self.community


class Page(msgspec.Struct, frozen=True):
    """A part of a list."""

    rows: tuple[Listed, ...]
    counts: Counts
    filtered: int
    following: Key | None
    """Behind which the next page goes on; None after the last one."""
    partial: bool
    """Nothing has all that was sought; these have the most of it."""
