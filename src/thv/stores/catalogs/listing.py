"""The list of servers: filters, order, pages, counts and facets.

In the flow: behind `GET /api/v1/mcp_servers`. A page goes on behind the key of the last row of the one before, so it
needs no state that could be gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from thv.domain.selectors import Requirement
from thv.domain.text import label_value
from thv.stores.catalogs.join import Joined
from thv.stores.catalogs.query import (
    CLASSES,
    VALIDATED,
    Counts,
    Key,
    Listed,
    ListQuery,
    Page,
)
from thv.stores.catalogs.rows import SIGNED, Shared
from thv.stores.catalogs.scope import Scope, Shelf, Sight
from thv.stores.catalogs.search import MATCHED, MATCHING, Sought, joined, seek
from thv.stores.catalogs.tables import LESSER
from thv.stores.models.query import Own, Sort
from thv.stores.models.where import (
    NOTHING,
    REGISTRY_NAME,
    REGISTRY_NAMESPACE,
    Columns,
    Condition,
    conditions,
    having,
    plain_label,
)

PAGE_LIMIT = 4 << 20
FACET_LIMIT = 100
UNKNOWN = "unknown"

_LAST = "\U0010ffff"
"""Sorts behind every character of a name."""
_decode = msgspec.json.Decoder(list[int]).decode
_COLUMNS = Columns(item="s.id", key="s.key")
_NOBODY = Own("", "", "")
_OF_REGISTRY = "CROSS JOIN registry r ON r.id = s.registry"
_FROM = "FROM entry s"
_WEIGHED = "FROM json_each(?) h CROSS JOIN entry s ON s.id = json_extract(h.value, '$[0]')"
_MANY = 10_000
"""Rows that are found more slowly one by one than in the order of an index that has others, too."""


class Order(msgspec.Struct, frozen=True):
    """A column that rows are sorted by."""

    sql: str
    descending: bool = False
    values: tuple[Any, ...] = ()


_TIES = (Order("s.key"), Order("s.version"), Order("r.title"))


def page(shelf: Shelf, sight: Sight, query: ListQuery, after: Key | None, limit: int) -> Page:
    """One page of what the query finds."""
    seen, scope = sight.seen, sight.chosen
    asked = _asked(shelf, scope, query)
    order = _order(query, asked.sought)
    filtered = _filtered(shelf, scope, query, asked)
    rows = _first(shelf, _parts(asked, query, filtered), order, after, limit + 1)
    shown = _listed(shelf, seen, rows[:limit])
    following = shown[-1].place if shown and len(shown) < len(rows) else None
    return Page(
        rows=tuple(shown),
        counts=counts(shelf, seen, every=query.every),
        filtered=filtered,
        following=following,
        partial=asked.sought is not None and asked.sought.partial,
    )


def width_of(query: ListQuery) -> int:
    """How many values the keys of its rows have."""
    return len(_order(query, None))


def counts(shelf: Shelf, seen: Scope, *, every: bool = False) -> Counts:
    """What there is before any filter, by class."""
    known: Counts | None = shelf.remembered(seen, ("counts", every))
    if known is None:
        which = seen.rows() if every else seen.best()
        trusted = [str(each.id) for each in seen.registries if each.trust == 0]
        is_trusted = f"s.registry IN ({','.join(trusted)})"
        validated, total = shelf.ask(
            f"SELECT count(*) FILTER (WHERE {is_trusted}), count(*) {_FROM} WHERE {which}"
        ).fetchone()
        known = Counts(validated, total - validated)
        shelf.remember(seen, ("counts", every), known, 200)
    return known


class _Asked(msgspec.Struct, frozen=True):
    """A query within a scope."""

    found: list[Condition]
    sought: Sought | None
    index: str = ""
    """The one in whose order the rows are looked at; `""`: whichever finds them."""

    def walked(self, index: str) -> _Asked:
        """The same, along an index."""
        return msgspec.structs.replace(self, index=index)

    def within(self, condition: Condition) -> _Asked:
        """A part of it."""
        return msgspec.structs.replace(self, found=[*self.found, condition])

    def source(self, beside: str = "") -> tuple[str, tuple[Any, ...]]:
        """As SQL: where the rows come from, with a table beside them, all conditions fulfilled."""
        if self.sought is None:
            along = f"INDEXED BY {self.index}" if self.index else ""
            return _source(f"{_FROM} {along} {beside}", self.found)
        if self.sought.weights:
            return _source(f"{_WEIGHED} {beside}", self.found, self.sought.weights)
        matching = Condition(MATCHING, (self.sought.expression,))
        return _source(f"{MATCHED} {beside}", [matching, *self.found])


def _source(origin: str, found: list[Condition], *values: str) -> tuple[str, tuple[Any, ...]]:
    sql, more = joined(found)
    return f"{origin} WHERE {sql}", (*values, *more)


def _asked(shelf: Shelf, scope: Scope, query: ListQuery) -> _Asked:
    which = scope.rows() if query.every else scope.best()
    found = _conditions(shelf, scope, query, which)
    if query.wish is None or NOTHING in found:
        return _Asked(found, None)
    key = ("sought", _unordered(query))
    sought: Sought | None = shelf.remembered(scope, key)
    if sought is None:
        sought = seek(shelf, scope, query.wish, found)
        shelf.remember(scope, key, sought, 500 + len(sought.weights))
    return _Asked([NOTHING], None) if sought.is_nothing else _Asked(found, sought)


def _unordered(query: ListQuery) -> ListQuery:
    """What is found does not depend on its order."""
    return msgspec.structs.replace(query, sort=Sort.NAME, descending=False)


def _conditions(shelf: Shelf, scope: Scope, query: ListQuery, which: str) -> list[Condition]:
    own, others = _told_by_registries(query.where.labels)
    where = msgspec.structs.replace(query.where, labels=others)
    traits = shelf.traits()
    return [
        Condition(which),
        *_registry_conditions(scope, query, own),
        *_vouched(query),
        *_reaching(query, traits),
        *conditions(where, _NOBODY, traits, _COLUMNS),
    ]


def _vouched(query: ListQuery) -> Iterable[Condition]:
    if query.signed is not None:
        word = "IN" if query.signed else "NOT IN"
        yield Condition(f"s.id {word} (SELECT item FROM fact WHERE fact = ?)", (SIGNED,))
    if query.scans and UNKNOWN not in query.scans:
        yield NOTHING


def _reaching(query: ListQuery, traits: Mapping[int, Shared]) -> Iterable[Condition]:
    return having(traits, lambda each: each.reach in query.reaches) if query.reaches else ()


def _told_by_registries(
    labels: tuple[Requirement, ...],
) -> tuple[tuple[Requirement, ...], tuple[Requirement, ...]]:
    names = (REGISTRY_NAME, REGISTRY_NAMESPACE)
    own = tuple(need for need in labels if plain_label(need.key) in names)
    return own, tuple(need for need in labels if need not in own)


def _registry_conditions(
    scope: Scope, query: ListQuery, labels: tuple[Requirement, ...]
) -> Iterable[Condition]:
    """What a registry decides for all of its rows: the class, the trust level, its labels."""
    tests: list[Callable[[Joined], bool]] = []
    if query.classes and set(query.classes) != set(CLASSES):
        wanted = VALIDATED in query.classes
        tests.append(lambda each: (each.trust == 0) is wanted)
    if query.trust:
        tests.append(lambda each: each.trust in query.trust)
    tests.extend(_label_test(need) for need in labels)
    if tests:
        ids = [str(each.id) for each in scope.registries if all(test(each) for test in tests)]
        yield Condition(f"s.registry IN ({','.join(ids)})") if ids else NOTHING


def _label_test(need: Requirement) -> Callable[[Joined], bool]:
    attribute = "name" if plain_label(need.key) == REGISTRY_NAME else "namespace"
    return lambda each: need.matches({need.key: label_value(getattr(each, attribute))})


# ---------------------------------------------------------------- order


def _order(query: ListQuery, sought: Sought | None) -> tuple[Order, ...]:
    down = query.descending
    match query.sort:
        case Sort.NAME:
            return (Order("s.key", down), *_TIES[1:])
        case Sort.UPDATED | Sort.STARS | Sort.PULLS:
            return (Order(f"s.{query.sort.value}", down), *_TIES)
        case Sort.TRUST:
            return (Order("r.trust", not down), *_TIES)
        case Sort.RELEVANCE:
            found = _relevance(query, sought)
            turned = [
                msgspec.structs.replace(each, descending=each.descending is not down)
                for each in found
            ]
            return (*turned, *_TIES)


def _parts(asked: _Asked, query: ListQuery, filtered: int) -> Iterable[_Asked]:
    """Where the rows of a page are looked for, until it is full; each part begins the next, the last one is all there is.

    To put many rows in order takes longer than to find them.
    """
    if filtered > _MANY:
        if asked.sought is None:
            asked = asked.walked(_index(query))
        elif query.sort is Sort.RELEVANCE and not query.descending and not asked.sought.partial:
            yield from _begun(asked, query)
    yield asked


def _begun(asked: _Asked, query: ListQuery) -> Iterable[_Asked]:
    """Names that begin with what is sought: nothing stands before them but whole names, which none of them may be."""
    text = query.wish.text if query.wish else ""
    if not _may_be_whole(text):
        yield asked.within(Condition("s.short >= ? AND s.short < ?", (text, text + _LAST)))


def _may_be_whole(text: str) -> bool:
    """Whether it may be a name with its owner."""
    return "/" in text or "." in text


def _index(query: ListQuery) -> str:
    """The index in the order of the list, `""` when there is none."""
    match query.sort:
        case Sort.NAME:
            return "entry_by_key"
        case Sort.UPDATED | Sort.STARS | Sort.PULLS:
            return f"entry_by_{query.sort.value}_{'DESC' if query.descending else 'ASC'}"
        case Sort.TRUST | Sort.RELEVANCE:
            return ""


def _relevance(query: ListQuery, sought: Sought | None) -> tuple[Order, ...]:
    """The name itself, names that begin so, then the standing; where not all was found, how much was."""
    standing = (Order("r.trust"), Order("s.score", descending=True))
    if sought is not None and sought.weights:
        return (Order("json_extract(h.value, '$[1]')", descending=True), *standing)
    text = query.wish.text if query.wish else ""
    is_whole = "s.short = ?"
    if _may_be_whole(text):
        is_whole += " OR s.key = ? COLLATE NOCASE OR s.name = ? COLLATE NOCASE"
    near = f"CASE WHEN {is_whole} THEN 0 WHEN s.short >= ? AND s.short < ? THEN 1 ELSE 2 END"
    values = (*(text,) * (near.count("?") - 1), text + _LAST)
    return (Order(near, values=values), *standing)


def _behind(order: tuple[Order, ...], after: Key) -> Condition:
    """Rows that come after a key: greater in the first column that differs."""
    sql, values = "0", tuple[Any, ...]()
    for column, value in zip(reversed(order), reversed(after), strict=True):
        sign = "<" if column.descending else ">"
        sql = f"({column.sql} {sign} ? OR ({column.sql} = ? AND {sql}))"
        values = (*column.values, value, *column.values, value, *values)
    # Said by itself, the first column leads an index to where the page begins.
    first, value = order[0], after[0]
    sign = "<=" if first.descending else ">="
    return Condition(f"{first.sql} {sign} ? AND {sql}", (*first.values, value, *values))


# ---------------------------------------------------------------- rows


class _Found(msgspec.Struct, frozen=True):
    """A row of a page before it is read: of all that are found few are shown."""

    id: int
    place: Key


def _first(
    shelf: Shelf, parts: Iterable[_Asked], order: tuple[Order, ...], after: Key | None, limit: int
) -> list[_Found]:
    """The rows of the first part that has enough of them, else those of the last one."""
    rows = list[_Found]()
    for part in parts:
        rows = _rows(shelf, part, order, after, limit)
        if len(rows) == limit:
            break
    return rows


def _rows(
    shelf: Shelf, asked: _Asked, order: tuple[Order, ...], after: Key | None, limit: int
) -> list[_Found]:
    source, values = asked.source(_OF_REGISTRY)
    behind = _behind(order, after) if after is not None else Condition("1")
    columns = ", ".join(each.sql for each in order)
    directions = ", ".join(
        f"{2 + place} {'DESC' if each.descending else 'ASC'}" for place, each in enumerate(order)
    )
    rows = shelf.ask(
        f"SELECT s.id, {columns} {source} AND {behind.sql} ORDER BY {directions} LIMIT ?",
        (*(value for each in order for value in each.values), *values, *behind.values, limit),
    )
    return [_Found(id_, tuple(place)) for id_, *place in rows]


def _listed(shelf: Shelf, seen: Scope, found: list[_Found]) -> list[Listed]:
    """With what is shown of them, as far as it fits on a page."""
    ids = ",".join(str(each.id) for each in found)
    rows = shelf.ask(
        "SELECT s.id, s.name, s.key, s.registry, s.version, b.digest, b.body FROM entry s "
        f"CROSS JOIN body b ON b.id = s.id WHERE s.id IN ({ids})"
    )
    read = {id_: values for id_, *values in rows}
    others = _others(shelf, seen, ids)
    listed, size = list[Listed](), 0
    for each in found:
        name, key, registry, version, digest, body = read[each.id]
        size += len(body)
        if listed and size > PAGE_LIMIT:
            break
        also = tuple(other for other in others[name] if other != registry) if name in others else ()
        listed.append(Listed(name, key, registry, version, digest, body, also, each.place))
    return listed


def _others(shelf: Shelf, seen: Scope, ids: str) -> dict[str, list[int]]:
    """Which registries of those that are seen have a name, where there are several at all."""
    rows = shelf.ask(
        "SELECT DISTINCT o.name, o.rank, o.registry FROM entry s CROSS JOIN entry o ON o.name = s.name "
        "WHERE EXISTS (SELECT 1 FROM entry b WHERE b.name = s.name AND b.rank > 0) "
        f"AND s.id IN ({ids}) AND {seen.rows('o')} ORDER BY o.name, o.rank"
    )
    found: dict[str, list[int]] = {}
    for name, _, registry in rows:
        found.setdefault(name, []).append(registry)
    return found


def _filtered(shelf: Shelf, scope: Scope, query: ListQuery, asked: _Asked) -> int:
    key = ("filtered", _unordered(query))
    known: int | None = shelf.remembered(scope, key)
    if known is None:
        source, values = asked.source()
        (known,) = shelf.ask(f"SELECT count(*) {source}", values).fetchone()
        shelf.remember(scope, key, known, 400)
    return known


# ---------------------------------------------------------------- facets

FACETS = (
    "category", "trust_level", "registry", "functional_category", "tier", "transport", "kind", "status",
    "reach", "tags",
)  # fmt: skip


def facets(shelf: Shelf, scope: Scope, query: ListQuery) -> dict[str, dict[str, int]]:
    """How many of what the query finds have each value of an attribute, the most frequent ones first."""
    key = ("facets", _unordered(query))
    known: dict[str, dict[str, int]] | None = shelf.remembered(scope, key)
    if known is None:
        asked = _asked(shelf, scope, query)
        known, total = _facets(shelf, scope, query, asked)
        shelf.remember(scope, ("filtered", _unordered(query)), total, 400)
        shelf.remember(scope, key, known, 100 * sum(map(len, known.values())) + 1000)
    return known


def _facets(
    shelf: Shelf, scope: Scope, query: ListQuery, asked: _Asked
) -> tuple[dict[str, dict[str, int]], int]:
    """The facets, and of how many rows.

    One look at all that is found: registry and traits in one number, tags in theirs. SQLite would sort to group them.
    """
    source, values = asked.source()
    step = 1 + max((each.id for each in scope.registries), default=0)
    kinds, tags = shelf.ask(
        f"SELECT group_concat(s.traits * {step} + s.registry), group_concat(s.tags) {source}",
        values,
    ).fetchone()
    counted = _counted(kinds)
    registries, traits = {each.id: each for each in scope.registries}, shelf.traits()
    told: dict[str, Counter[str]] = {}
    for kind, count in counted.items():
        place, registry = divmod(kind, step)
        said = {**_told_by_registry(registries[registry]), **_told_by_traits(traits[place])}
        for name, value in said.items():
            told.setdefault(name, Counter())[value] += count
    if counted and not query.every:
        # A registry counts all that it has of it, as that is what somebody finds who chooses it.
        told["registry"] += _lesser(shelf, scope, query, asked.sought)
    most = {name: _most_frequent(counter) for name, counter in told.items()}
    most["tags"] = _tags(shelf, _counted(tags))
    return {name: most.get(name, {}) for name in FACETS}, counted.total()


def _lesser(shelf: Shelf, scope: Scope, query: ListQuery, sought: Sought | None) -> Counter[str]:
    """How much of it each registry has for which a better one answers."""
    found = _conditions(shelf, scope, query, scope.lesser())
    source, values = _Asked(found, sought, LESSER).source()
    rows = shelf.ask(f"SELECT s.registry, count(*) {source} GROUP BY s.registry", values)
    titles = {each.id: each.title for each in scope.registries}
    return Counter({titles[registry]: count for registry, count in rows})


def _counted(numbers: str | None) -> Counter[int]:
    """How often each number is in a list of them, None: in an empty one."""
    return Counter(_decode(f"[{numbers or ''}]"))


def _told_by_registry(joined: Joined) -> dict[str, str]:
    return {
        "category": joined.category,
        "trust_level": joined.trust_level,
        "registry": joined.title,
    }


def _told_by_traits(traits: Shared) -> dict[str, str]:
    status = "Deprecated" if traits.status == "deprecated" else "Active"
    return {
        "functional_category": traits.category,
        "tier": traits.tier,
        "transport": traits.transport,
        "kind": traits.kind,
        "status": status,
        "reach": traits.reach,
    }


def _most_frequent(counter: Counter[str]) -> dict[str, int]:
    found = [(value, count) for value, count in counter.items() if value]
    found.sort(key=lambda each: (-each[1], each[0]))
    return dict(found[:FACET_LIMIT])


def _tags(shelf: Shelf, counted: Counter[int]) -> dict[str, int]:
    """The most frequent ones; only those that may be among them are named."""
    least = min(sorted(counted.values(), reverse=True)[:FACET_LIMIT], default=0)
    wanted = [tag for tag, count in counted.items() if count >= least]
    rows = shelf.ask(
        "SELECT id, name FROM tag WHERE id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(wanted).decode(),),
    )
    return _most_frequent(Counter({name: counted[tag] for tag, name in rows}))


def functional_categories(shelf: Shelf, scope: Scope) -> dict[str, int]:
    """How many servers each functional category has."""
    known: dict[str, int] | None = shelf.remembered(scope, "functional categories")
    if known is None:
        rows = shelf.ask(
            f"SELECT t.category, count(*) FROM entry s CROSS JOIN traits t ON t.id = s.traits "
            f"WHERE {scope.best()} AND t.category != '' GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        known = dict(rows.fetchall())
        shelf.remember(scope, "functional categories", known, 100 * len(known) + 200)
    return known


def with_groups(shelf: Shelf, scope: Scope) -> set[int]:
    """The registries that have groups."""
    rows = shelf.ask(
        "SELECT DISTINCT s.registry FROM fact f CROSS JOIN entry s ON s.id = f.item "
        f"WHERE f.fact >= 'g' AND f.fact < 'h' AND {scope.rows()}"
    )
    return {registry for (registry,) in rows}
