"""What a read model must answer, computed from the entries in the plainest way."""

from __future__ import annotations

import re
import unicodedata

from tests.stores.models.world import World
from thv.domain.entry import Entry
from thv.domain.facts import Facts, facts_of
from thv.domain.snapshot import Key, Record
from thv.domain.text import label_value
from thv.stores.models.query import ListQuery, OfficialQuery, Sort, Where
from thv.stores.models.rows import Traits, micros, score_of


class Known:
    """One version, with everything that a query asks of it."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.entry: Entry = record.load()
        self.facts: Facts = facts_of(self.entry)
        self.gone = bool(record.removed_at) or self.entry.deleted

    @property
    def key(self) -> Key:
        return self.record.key


def everything(world: World) -> list[Known]:
    return [Known(record) for record in world.records()]


def listed(world: World, query: ListQuery) -> list[Key]:
    """The keys of a list, in its order; of a search by relevance the order among equals is not told."""
    rows = [known for known in everything(world) if not known.gone]
    if query.version == "latest":
        rows = [known for known in rows if known.record.latest]
    elif query.version != "all":
        rows = [known for known in rows if known.record.version == query.version]
    rows = [known for known in rows if _passes(known, query)]
    toolhive = query.form.value == "toolhive" and query.version == "latest"
    rows.sort(key=lambda known: (known.facts.key if toolhive else known.facts.name, known.key))
    if query.sort is Sort.NAME:
        rows.sort(
            key=lambda known: known.facts.key if toolhive else known.facts.name,
            reverse=query.descending,
        )
    elif query.sort is Sort.UPDATED:
        rows.sort(key=lambda known: micros(known.record.updated_at), reverse=query.descending)
    elif query.sort is Sort.STARS:
        rows.sort(key=_stars, reverse=query.descending)
    return [known.key for known in rows]


def _touched(known: Known) -> int:
    return max(micros(known.record.updated_at), micros(known.record.changed_at))


def _stars(known: Known) -> int:
    return -1 if known.facts.stars is None else known.facts.stars


def standing(world: World, key: Key) -> int:
    """The static score of a version."""
    known = next(known for known in everything(world) if known.key == key)
    facts = known.facts
    traits = Traits(facts.tier, facts.category, facts.transport, facts.kind, facts.status, "")
    return score_of(traits, facts.stars or 0, facts.pulls or 0)


def officially_listed(world: World, query: OfficialQuery) -> list[Key]:
    """The keys of the official list."""
    rows = everything(world)
    if not query.include_deleted:
        rows = [known for known in rows if not known.gone]
    if query.version == "latest":
        rows = [known for known in rows if known.record.latest]
    elif query.version != "all":
        rows = [known for known in rows if known.record.version == query.version]
    if query.updated_since is not None:
        rows = [known for known in rows if _touched(known) > query.updated_since]
    if query.search:
        rows = [known for known in rows if any(query.search in text for text in _texts(known))]
    return [known.key for known in rows]


def _texts(known: Known) -> list[str]:
    facts = known.facts
    return [_fold(text) for text in (facts.name, facts.title, facts.description)]


def _passes(known: Known, query: ListQuery) -> bool:
    where, facts = query.where, known.facts
    own = {query.own.name, f"{query.own.namespace}/{query.own.name}"}
    return (
        _any(where.categories, facts.category)
        and _any(where.transports, facts.transport)
        and _any(where.tiers, facts.tier)
        and _any(where.statuses, facts.status.value)
        and _any(where.kinds, facts.kind)
        and _any(where.trust_levels, query.own.trust_level)
        and {tag.casefold() for tag in where.tags} <= {tag.casefold() for tag in facts.tags}
        and set(where.tools) <= set(facts.tools)
        and (not where.registries or bool(own & set(where.registries)))
        and (where.updated_since is None or _touched(known) > where.updated_since)
        and all(need.matches(_labels(known, query)) for need in where.labels)
        and _found(known, where)
    )


def _any(wanted: tuple[str, ...], value: str) -> bool:
    return not wanted or value.casefold() in {text.casefold() for text in wanted}


def _labels(known: Known, query: ListQuery) -> dict[str, str]:
    facts = known.facts
    labels = {key: label_value(value) for key, value in facts.custom.items()}
    ours = {
        "registry-name": query.own.name,
        "registry-namespace": query.own.namespace,
        "server-name": facts.key,
        "tier": facts.tier,
        "category": facts.category,
    }
    for key, value in ours.items():
        labels.pop(key, None)
        if value:
            labels[key] = label_value(value)
            labels["toolhive.stacklok.io/" + key] = label_value(value)
    return labels


def _found(known: Known, where: Where) -> bool:
    search = where.search
    if search is None:
        return True
    facts = known.facts
    fields = (
        facts.name,
        facts.title,
        facts.description,
        " ".join(facts.tags),
        " ".join(facts.tools),
    )
    words = [re.findall(r"[^\W_]+", _fold(field)) for field in fields]
    return (
        not search.is_empty
        and all(
            any(each.startswith(word) for field in words for each in field) for word in search.words
        )
        and all(any(_has_run(field, phrase) for field in words) for phrase in search.phrases)
    )


def _has_run(words: list[str], run: tuple[str, ...]) -> bool:
    size = len(run)
    return any(tuple(words[at : at + size]) == run for at in range(len(words) - size + 1))


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
