"""What can be asked of a model, and what comes back: frozen values without a word of HTTP.

In the flow: a door or the command line makes a query of what a user typed; `servers`, `official`, `tools` and
their neighbours answer it from one generation.
"""

from __future__ import annotations

from array import array
from enum import StrEnum

import msgspec

from thv.domain.selectors import Requirement
from thv.domain.text import toolhive_key
from thv.stores.models.words import WORD_LIMIT, folded, split_search

LATEST, ALL = "latest", "all"


class Form(StrEnum):
    """The two spellings of an entry."""

    TOOLHIVE = "toolhive"
    OFFICIAL = "upstream"


class Sort(StrEnum):
    """What a list can be ordered by."""

    NAME = "name"
    UPDATED = "updated"
    STARS = "stars"
    PULLS = "pulls"
    TRUST = "trust"
    RELEVANCE = "relevance"


class Search(msgspec.Struct, frozen=True):
    """Words that must each begin a word of the entry, and phrases that must occur in one field."""

    text: str
    """Folded and stripped, for the comparison with names."""
    words: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]

    @property
    def is_empty(self) -> bool:
        """True when the text has no word: it then finds nothing."""
        return not self.words and not self.phrases

    def expression(self) -> str:
        """As the full text index is asked; words are letters and digits only, so quoting is safe."""
        prefixes = [f'"{word}"*' for word in self.words]
        phrases = [f'"{" ".join(phrase)}"' for phrase in self.phrases]
        return " AND ".join(prefixes + phrases)

    def needles(self) -> list[str]:
        """The same as parts that the text of an entry must contain."""
        beginnings = [f" {word}" for word in self.words]
        return beginnings + [f" {' '.join(phrase)} " for phrase in self.phrases]


def parse_search(text: str) -> Search:
    """The search that a user typed; raises ValueError when it has too many words."""
    text = toolhive_key(text.strip())
    words, phrases = split_search(text)
    if len(words) + sum(len(phrase) for phrase in phrases) > WORD_LIMIT:
        raise ValueError(f"at most {WORD_LIMIT} words")
    return Search(folded(text).strip(), tuple(dict.fromkeys(words)), tuple(phrases))


class Own(msgspec.Struct, frozen=True):
    """The registry that is asked, as its entries can be told by it."""

    namespace: str
    name: str
    trust_level: str


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Filters; an empty one lets everything through.

    Of `tags` and `tools` all must be there, of the others one. Texts are compared as the API says: without
    regard to case, but for tools, groups, registries and labels.
    """

    categories: tuple[str, ...] = ()
    transports: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    trust_levels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    labels: tuple[Requirement, ...] = ()
    search: Search | None = None
    updated_since: int | None = None
    """Microseconds since 1970; strictly later, by the source or by the registry itself."""


EVERYTHING = Where()


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A list of servers."""

    own: Own
    where: Where = EVERYTHING
    version: str = LATEST
    """`latest`, `all`, or one exact version."""
    form: Form = Form.TOOLHIVE
    sort: Sort = Sort.NAME
    descending: bool = False
    text_ranking: bool = False
    """Order the best candidates of a search by how well their text fits."""


class OfficialQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The list of the official API: always by name and version."""

    search: str = ""
    """Folded; a substring of name, title or description."""
    updated_since: int | None = None
    include_deleted: bool = False
    version: str = ALL


class ToolQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A list of tools."""

    search: Search | None = None
    categories: tuple[str, ...] = ()
    by_usage: bool = False
    """Most used first, else by name."""
    descending: bool = False


class Plan(msgspec.Struct, frozen=True):
    """Which stretches of a body file hold a page, in its order."""

    form: Form
    places: array[int]
    sizes: array[int]
    count: int
    """Bodies in them."""

    @property
    def cost(self) -> int:
        """Bytes of memory that the plan takes, roughly."""
        return 300 + 12 * len(self.places)


class Position(msgspec.Struct, frozen=True):
    """Where a list goes on."""

    place: int
    """How many rows came before."""
    key: tuple[str, str] = ("", "")
    """The sort key behind which it goes on, of a list that is walked by name."""


START = Position(0)


class Page(msgspec.Struct, frozen=True):
    """A part of a list."""

    plan: Plan
    total: int
    """Rows before filters."""
    filtered: int
    """Rows after filters."""
    following: Position | None
    """Where the next page begins; None after the last one."""
    converted: bool = False
    """The bodies are official ones that the door must turn into the ToolHive form."""


class Generation(msgspec.Struct, frozen=True):
    """One applied snapshot."""

    id: int
    content: str
    """Short hash of every byte of the snapshot, for cursors and caches."""
    digest: str
    created_at: str
    servers: int
    versions: int
    packed: int
    """Compressed size of the snapshot in bytes."""
