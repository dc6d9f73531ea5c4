"""Registries and what they read, as nobody should write them: valid, invalid, and everything at the edge of both.

A case is made of its number alone, so that one that fails is made again by that number. What an API server takes is
its own decision; whoever applies a case looks at the answer.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.domain.rule_cases import ABSENT, CASES, SOURCES, a_registry
from tests.domain.shape_cases import SHAPES
from tests.poison.documents import NUMBERS, TEXTS, contents, good, keys
from thv.domain.canonical import JsonObject
from thv.formats.crd import registry_schema
from thv.stores.resources.metadata import ANNOTATIONS_LIMIT

GROUP, OLD_GROUP = "toolhive.stacklok.io", "toolhive.stacklok.dev"
SHARED_CONTENT = "good"
"""A ConfigMap that can be served, for whoever names it."""
SEED = 1
_WORDS = (
    "sync-requested-at", "sync-trigger", "manual-sync", "sync-forced-at", "allowed-hosts", "config-hash",
    "registry-name", "registry-namespace", "component", "trust-level", "registry-access", "auto-update", "bytes",
    "digest", "entries", "source", "state", "registries",
)  # fmt: skip
"""Annotations and labels that mean something to the product."""
_MANY = 10_000


@dataclass(frozen=True)
class Poison:
    """What one person applies: a registry and, unless it reads something else, the ConfigMap of the same name."""

    number: int
    sort: str
    registry: bytes
    content: bytes | None = None
    names: tuple[str, ...] = field(default=())
    """What else is there under the name of the case."""

    @property
    def name(self) -> str:
        return name_of(self.number)

    def __str__(self) -> str:
        return f"case {self.number} ({self.sort})"


def name_of(number: int) -> str:
    return f"p{number}"


def poison(number: int, *, seed: int = SEED) -> Poison:
    """The case of this number."""
    chance = random.Random(f"{seed}:{number}")
    sort, make = chance.choices(_SORTS, weights=[weight for weight, *_ in _SORTS])[0][1:]
    registry, content = make(name_of(number), chance)
    return Poison(number, sort, registry, content)


def harmless(number: int) -> Poison:
    """A case of the same size with nothing wrong."""
    name = name_of(number)
    obj = _reading(name)
    obj["spec"]["source"]["configMap"]["name"] = name
    content = {"data": {"registry.json": good("a", f"b{number}")}}
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    return Poison(number, "nothing wrong", dumped(obj), dumped(head | content))


# ---------------------------------------------------------------- parts


Made = tuple[bytes, bytes | None]


def _reading(name: str, key: str = "registry.json", **spec: Any) -> JsonObject:
    """A registry without an API that reads a ConfigMap."""
    obj = a_registry("configmap")
    obj["metadata"] = {"name": name}
    obj["spec"]["source"]["configMap"] = {"name": SHARED_CONTENT, "key": key}
    obj["spec"]["api"] = {"enabled": False}
    obj["spec"] |= spec
    return obj


def _content(name: str, key: str, chance: random.Random) -> bytes:
    return dumped(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            **contents(chance, key),
        }
    )


def dumped(obj: Any) -> bytes:
    """As JSON, also what JSON has no word for: NaN stays NaN, lone surrogates stay escaped."""
    return json.dumps(obj).encode()


def _named(obj: JsonObject, name: str) -> bytes:
    """The case under its own name, unless its point is that it has none."""
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        metadata["name"] = name
        metadata.pop("namespace", None)
    return dumped(obj)


# ---------------------------------------------------------------- specs: values from tables


@cache
def _table() -> tuple[tuple[str, dict[str, Any]], ...]:
    """Changes of a valid registry whose verdicts are known, and those of fields that have no entry there."""
    listed = [(case.source, case.changes) for case in CASES]
    listed += [(shape.source, shape.changes) for shape in SHAPES]
    return tuple((source, changes) for source, changes in listed if "metadata.name" not in changes)


def _from_tables(name: str, chance: random.Random) -> Made:
    source = chance.choice(sorted(SOURCES))
    obj = _with_api(a_registry(source), chance)
    for _ in range(chance.randrange(1, 4)):
        fits = [changes for of, changes in _table() if of == source or "source" not in str(changes)]
        for path, value in chance.choice(fits).items():
            _set(obj, path.split("."), value)
    return _named(obj, name), None


def _with_api(obj: JsonObject, chance: random.Random) -> JsonObject:
    """Most have no API, as each one costs the cluster seven objects."""
    if chance.random() < 0.9:
        obj["spec"]["api"] = {"enabled": False}
    return obj


def _set(obj: Any, path: Sequence[str], value: Any) -> None:
    *above, last = path
    for part in above:
        if not isinstance(obj, dict):
            return
        obj = obj.setdefault(part, {})
    if not isinstance(obj, dict):
        return
    if value is ABSENT:
        obj.pop(last, None)
    else:
        obj[last] = copy.deepcopy(value)


# ---------------------------------------------------------------- specs: values from the schema


def _from_schema(name: str, chance: random.Random) -> Made:
    """Any fields, each at its edge; half of the specs stay on the right side of all edges."""
    obj = a_registry("configmap")
    edge = _Edge(chance, wrong=chance.choice((0.0, 0.0, 0.02, 0.2)))
    schema = registry_schema()["properties"]["spec"]
    wanted = edge.value(schema)
    source = chance.choice(sorted(SOURCES))
    block = next(iter(SOURCES[source]))
    given = wanted.get("source") if isinstance(wanted, dict) else None
    if isinstance(given, dict) and edge.wrong < 0.1:
        value = given.get(block) or edge.value(schema["properties"]["source"]["properties"][block])
        wanted["source"] = {"type": source, block: _plausible(source, value)}
        wanted["trustLevel"] = chance.choice(("tested", "trusted"))
    obj["spec"] = wanted
    if isinstance(wanted, dict):
        _with_api(obj, chance)
    return _named(obj, name), None


def _plausible(source: str, block: Any) -> Any:
    """What a rule asks of the fields that no pattern describes."""
    if not isinstance(block, dict):
        return block
    usual = next(iter(SOURCES[source].values()))
    if source == "git":
        for one in ("tag", "commit"):
            block.pop(one, None)
    if source == "registry" and "registryRef" in block:
        block.pop("url", None)
        return block
    if source == "configmap":
        block["name"] = SHARED_CONTENT
    return {**block, **{key: value for key, value in usual.items() if source != "configmap"}}


@dataclass
class _Edge:
    """Values at the edge of a schema; `wrong` is the share of those on its far side."""

    chance: random.Random
    wrong: float

    def value(self, schema: JsonObject) -> Any:
        if self.chance.random() < self.wrong:
            return self._other(schema)
        if "enum" in schema:
            return self.chance.choice(schema["enum"])
        match schema.get("type"):
            case "object":
                return self._object(schema)
            case "array":
                return self._list(schema)
            case "integer":
                return self.chance.choice(
                    (schema["minimum"], schema["maximum"], schema["minimum"] + 1)
                )
            case "boolean":
                return self.chance.random() < 0.5
            case _:
                return self._text(schema)

    def _object(self, schema: JsonObject) -> JsonObject:
        required = set(schema.get("required", ()))
        found = {
            key: self.value(inner)
            for key, inner in schema.get("properties", {}).items()
            if key in required or self.chance.random() < 0.5
        }
        further = schema.get("additionalProperties")
        if isinstance(further, dict):
            count = self.chance.choice((0, 1, schema.get("maxProperties", 3)))
            found |= {f"X-{number}": self.value(further) for number in range(count)}
        return found

    def _list(self, schema: JsonObject) -> list[Any]:
        most = schema["maxItems"]
        count = self.chance.choice((0, 1, 2, most))
        items = [self.value(schema["items"]) for _ in range(count)]
        if schema.get("x-kubernetes-list-type") in ("set", "map"):
            keys_of = schema.get("x-kubernetes-list-map-keys", [""])[0]
            items = list({_key(item, keys_of): item for item in items}.values())
        return items

    def _text(self, schema: JsonObject) -> Any:
        most = schema.get("maxLength", 300)
        if schema.get("format") == "date-time":
            return self.chance.choice(
                ("2027-03-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00")
            )
        pattern = schema.get("pattern")
        if pattern:
            return self.chance.choice(_fitting(pattern, most))
        texts = [text for text in TEXTS if schema.get("minLength", 0) <= len(text) <= most]
        globs = [text for text in GLOBS if len(text) <= most]
        return self.chance.choice([*texts, *globs, "x" * most, "😀" * most, "\x01" * most])

    def _other(self, schema: JsonObject) -> Any:
        """Not what the schema says."""
        return self.chance.choice(
            (
                None, True, [], {}, "", "x" * (schema.get("maxLength", 100) + 1), [None], [[]], {"": 1},
                self.chance.choice(NUMBERS), self.chance.choice(TEXTS), [str(n) for n in range(_MANY)],
                {f"k{n}": n for n in range(_MANY)}, float("nan"), float("inf"),
            )
        )  # fmt: skip


def _key(item: Any, name: str) -> str:
    return str(item.get(name) if name and isinstance(item, dict) else item)


GLOBS = (
    "*a*a*a*a*a*b",
    "*" * 255,
    "?" * 255,
    "*?" * 127,
    "a*" * 127,
    "*a" * 100 + "b",
    "(a+)+$",
    "[[[[",
    "\\",
    "(?P<x>",
    "io.example/*",
    "İ*\u0131",
    "\ud800*",
)
_PATTERNS = {
    "duration": ("1h", "1m", "720h", "60000ms", "1.5h", "0.1s0.1s0.1s0.1s", "0" * 31 + "h", "9" * 31 + "h", "24h"),
    "quantity": ("1", "0", "1e9", "1e-9", "1e999999999", "9" * 30 + "Ei", ".0000000000000000000001", "1n", "0.5", "1Gi"),
    "name": (SHARED_CONTENT, "a", "a" * 253, "a.b-c", "0", "1.1.1.1", "kube-root-ca.crt"),
    "key": ("registry.json", "a", ".", "..", "A" * 253, "x.gz", "a.yaml", "-"),
}  # fmt: skip


@cache
def _fitting(pattern: str, most: int) -> tuple[str, ...]:
    """Texts that fit, among some for each pattern that the schema has."""
    every = [text for texts in _PATTERNS.values() for text in texts]
    every += [
        "0" * 40,
        "f" * 64,
        "sha256:" + "0" * 64,
        "ghcr.io/a/b",
        "localhost:5000/" + "a" * 400,
    ]
    fits = tuple(text for text in every if len(text) <= most and re.search(pattern, text))
    return fits or ("a",)


# ---------------------------------------------------------------- specs: anything anywhere


def _rich(name: str) -> JsonObject:
    """A registry that uses most fields."""
    return _reading(
        name,
        displayName="Corporate catalog",
        trustLevel="tested",
        format="upstream",
        syncPolicy={"interval": "1h", "timeout": "30s", "retry": {"maxRetries": 1}},
        filter={"include": {"names": ["io.*"], "tags": ["a"]}, "exclude": {"tiers": ["b"]}},
        validationPolicy={
            "allowedTiers": ["Official"],
            "blockedPatterns": ["x*"],
            "review": {"teams": [{"name": "a"}]},
        },
        promotionCriteria={"approvedBy": ["a"]},
    )


def _anything(name: str, chance: random.Random) -> Made:
    obj = _rich(name)
    for _ in range(chance.choice((1, 1, 2, 4))):
        holder, key = chance.choice(list(_slots(obj)))
        _put(holder, key, chance)
    return dumped(obj), None


def _slots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place that holds a value, however deep."""
    todo = [value]
    while todo:
        holder = todo.pop()
        pairs: Any = (
            holder.items()
            if isinstance(holder, dict)
            else enumerate(holder)
            if isinstance(holder, list)
            else ()
        )
        for key, inner in list(pairs):
            yield holder, key
            todo.append(inner)


def _put(holder: Any, key: Any, chance: random.Random) -> None:
    junk: Any = chance.choice(
        (
            chance.choice(TEXTS), chance.choice(NUMBERS), None, [], {}, True, float("nan"), "x" * 1_000_000,
            _nested(chance.choice((10, 500, 5000))), [chance.choice(TEXTS)] * 10, [str(n) for n in range(_MANY)],
        )
    )  # fmt: skip
    if isinstance(holder, dict) and chance.random() < 0.3:
        holder.pop(key)
        holder[chance.choice([str(key) + "x", str(key).upper(), "", "spec", "status", "$ref"])] = (
            junk
        )
    else:
        holder[key] = junk


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(min(depth, 500)):
        value = {"a": value}
    return value


# ---------------------------------------------------------------- specs: bodies that are no objects


def _body(name: str, chance: random.Random) -> Made:
    plain = dumped(_rich(name)).decode()
    place = chance.randrange(len(plain))
    deep = chance.choice((1_000, 20_000, 1_000_000))
    return (
        chance.choice(
            (
                plain[:place].encode(),
                plain.replace('"spec": {', '"spec": {"source": {}, ', 1).encode(),
                plain.replace('"enabled": false', '"enabled": true, "enabled": false').encode(),
                plain.replace('"1h"', "NaN").encode(),
                plain.replace('"1h"', '"\\ud800"').encode(),
                plain.replace('"1h"', "1e999").encode(),
                plain.replace("Corporate", "\ufeff").encode("utf-8"),
                plain.encode("utf-16"),
                plain.replace("Corporate", "\xff").encode("latin-1"),
                plain.replace('"maxRetries": 1', '"maxRetries": 1.0').encode(),
                plain.replace('"maxRetries": 1', '"maxRetries": 1e0').encode(),
                plain.replace('"maxRetries": 1', '"maxRetries": -0').encode(),
                plain.replace('"maxRetries": 1', '"maxRetries": 1E400').encode(),
                plain.replace(
                    '"spec": {', '"spec": {"x": ' + "[" * deep + "]" * deep + ", "
                ).encode(),
                b"",
                b"null",
                b"[]",
                b"{}",
                b"\x00",
                chance.randbytes(1000),
            )
        ),
        None,
    )


# ---------------------------------------------------------------- annotations, labels


def _annotated(name: str, chance: random.Random) -> Made:
    """Every annotation that asks for something, in all spellings."""
    obj = _reading(name)
    values: dict[str, Any] = {}
    for _ in range(chance.randrange(1, 6)):
        key = f"{chance.choice((GROUP, OLD_GROUP))}/{chance.choice(_WORDS)}"
        values[key] = _annotation(chance)
    if chance.random() < 0.1:
        values |= {f"example.com/a{number}": "x" for number in range(_MANY)}
    obj["metadata"]["annotations"] = values
    if chance.random() < 0.3:
        obj["spec"]["syncPolicy"] = {"enabled": False}
    return dumped(obj), None


def _annotation(chance: random.Random) -> Any:
    times = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30", "now", "1", "-1", "true")
    largest = "x" * (ANNOTATIONS_LIMIT - 1000)
    return chance.choice(
        (*times, *TEXTS, largest, "x" * 254, "x" * 255, "x" * 256, 1, None, ["x"], {"a": "b"})
    )


def _labelled(name: str, chance: random.Random) -> Made:
    obj = _reading(name)
    labels: dict[str, Any] = {
        f"{chance.choice((GROUP, OLD_GROUP))}/{chance.choice(_WORDS)}": _label(chance)
        for _ in range(chance.randrange(1, 4))
    }
    labels |= {"app.kubernetes.io/managed-by": "toolhive-registry"} if chance.random() < 0.3 else {}
    if chance.random() < 0.1:
        labels |= {f"example.com/{'l' * 50}{number}": "v" * 63 for number in range(2_000)}
    obj["metadata"]["labels"] = labels
    if chance.random() < 0.2:
        obj["metadata"]["finalizers"] = ["example.com/never"] if chance.random() < 0.5 else [""]
    if chance.random() < 0.2:
        obj["metadata"]["ownerReferences"] = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": SHARED_CONTENT,
                "uid": chance.choice(("", "x", "\x00")),
            }
        ]
    return dumped(obj), None


def _label(chance: random.Random) -> Any:
    return chance.choice(("", "a", "A.b_c-d", "x" * 63, "x" * 64, *TEXTS[:20], 1, None))


# ---------------------------------------------------------------- ConfigMaps


def _fed(name: str, chance: random.Random) -> Made:
    """A registry that is all right, and reads what is not."""
    key = next(keys(chance))
    obj = _reading(name, key)
    obj["spec"]["source"]["configMap"]["name"] = name
    if chance.random() < 0.3:
        obj["spec"]["filter"] = {"exclude": {"names": chance.sample(GLOBS[:10], 3)}}
    if chance.random() < 0.2:
        obj["spec"]["format"] = chance.choice(("toolhive", "upstream"))
    return dumped(obj), _content(name, key, chance)


def _strange_maps(name: str, chance: random.Random) -> Made:
    """A ConfigMap that looks like one of ours, or has more metadata than content."""
    obj = _reading(name)
    obj["spec"]["source"]["configMap"]["name"] = name
    labels: dict[str, Any] = {
        "app.kubernetes.io/managed-by": "toolhive-registry",
        f"{GROUP}/component": chance.choice(("snapshot", "api", "")),
        f"{GROUP}/registry-name": chance.choice((name, "", "p0", "x" * 63)),
    }
    if chance.random() < 0.2:
        labels |= {f"example.com/{'l' * 50}{number}": "v" * 63 for number in range(3_000)}
    annotations = {
        f"{GROUP}/bytes": chance.choice(("-1", "9" * 4000, "9" * 5000, "x", "", "٣")),
        f"{GROUP}/digest": chance.choice(TEXTS),
    }
    content = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "immutable": chance.random() < 0.5,
        **contents(chance, "registry.json"),
    }
    return dumped(obj), dumped(content)


_SORTS: tuple[tuple[int, str, Callable[[str, random.Random], Made]], ...] = (
    (20, "a spec from the tables", _from_tables),
    (20, "a spec from the schema", _from_schema),
    (14, "a spec with anything anywhere", _anything),
    (4, "a body", _body),
    (13, "annotations", _annotated),
    (6, "labels", _labelled),
    (19, "content", _fed),
    (4, "a ConfigMap like ours", _strange_maps),
)
