"""What somebody may put into a ConfigMap that a registry reads: documents that are wrong, huge, packed, or no documents."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from tests.builders import item, server, toolhive_entry
from tests.formats.mutations import JUNK, places
from thv.domain.canonical import JsonObject

LARGE = 900_000
"""Bytes of what is large; with the rest of an object it stays below what etcd takes."""

TEXTS: tuple[str, ...] = (
    "",
    " ",
    "\x00",
    "\x00\x01\x02\x1b[31mred\x1b[0m\x7f",
    "\r\n\t\x0b\x0c",
    "\u202egnp.exe",
    "\ufeff",
    "\u2028\u2029",
    "\ud800",
    "\udfff\ud800",
    "\U0010ffff",
    "e\u0301" * 40,
    "ß" * 255,
    "İ\u0131\u017fK",
    "😀" * 63,
    "../../etc/passwd",
    "$(reboot)",
    "{{7*7}}",
    "'; DROP TABLE entry; --",
    "%s%n%x",
    "null",
    "NaN",
    "-1",
    "1e999",
    "9" * 400,
    "a" * 64,
    "a" * 201,
    "a" * 256,
    "a" * 5000,
    "io.example/" + "n" * 250,
    "/",
    "//",
    "a/b/c",
    ".",
    "-",
    "A_b.C/d-E",
)
"""Texts where a name, a version, a tag or any other short text is expected; some cannot be written as UTF-8."""

NUMBERS: tuple[Any, ...] = (
    0,
    -0.0,
    -1,
    1.5,
    1e308,
    5e-324,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    10**400,
)


@cache
def _originals() -> list[Any]:
    """A document of each container."""
    servers = [server(f"io.example/s{number}", f"1.{number}.0") for number in range(4)]
    entries = {f"s{number}": toolhive_entry() for number in range(3)}
    remote = {"url": "https://mcp.example.com/mcp", "transport": "sse", "description": "x"}
    group = {"name": "g", "description": "d", "servers": entries, "remote_servers": {"r": remote}}
    pages = [item(one, isLatest=True, publishedAt="2026-01-01T00:00:00Z") for one in servers]
    return [
        {"version": "1.0.0", "last_updated": "2026-01-01T00:00:00Z", "servers": entries},
        {"servers": entries, "remote_servers": {"r": remote}, "groups": [group]},
        {"version": "1.0.0", "meta": {"last_updated": "x"}, "data": {"servers": servers}},
        {"servers": pages, "metadata": {"count": 4, "nextCursor": ""}},
        servers,
        servers[0],
    ]


def good(*names: str, description: str = "a server") -> str:
    """A document that can be served."""
    return json.dumps([server(f"io.example/{name}", description=description) for name in names])


# ---------------------------------------------------------------- documents as text


def _mutated(chance: random.Random) -> str:
    """A value gone, of another type, or one that nobody expects."""
    value = json.loads(json.dumps(chance.choice(_originals())))
    for _ in range(chance.choice((1, 1, 2, 5))):
        paths = [path for path in places(value) if path]
        if not paths:
            break
        *above, last = chance.choice(paths)
        holder = value
        for key in above:
            holder = holder[key]
        if chance.random() < 0.2:
            del holder[last]
        else:
            holder[last] = chance.choice([*JUNK, *TEXTS, *NUMBERS])
    return json.dumps(value)


def _renamed(chance: random.Random) -> str:
    """Entries whose keys are strange."""
    texts = chance.sample(TEXTS, 5)
    if chance.random() < 0.5:
        return json.dumps(
            {"version": "1.0.0", "servers": {text: toolhive_entry() for text in texts}}
        )
    return json.dumps([server(text, chance.choice(TEXTS)) for text in texts])


def _worded(chance: random.Random) -> str:
    """Strange words in every field that the status tells of."""
    fields = {
        name: chance.choice(TEXTS)
        for name in ("description", "image", "transport", "tier", "status", "category")
    }
    many = {"tags": list(TEXTS), "tools": list(TEXTS)}
    entries = {f"s{number}": toolhive_entry(**fields, **many) for number in range(30)}
    for text, entry in zip(TEXTS, entries.values(), strict=False):
        entry["tier"] = text
    return json.dumps({"version": "1.0.0", "servers": entries})


def _deep(chance: random.Random) -> str:
    depth = chance.choice((100, 1_000, 10_000, 100_000))
    opening, closing = chance.choice((("[", "]"), ('{"a":', "}")))
    deep = opening * depth + "1" + closing * depth
    place = chance.choice(("{}", '{{"servers":{}}}', '[{{"name":"a/b","version":"1","x":{}}}]'))
    return place.format(deep)


def _long(chance: random.Random) -> str:
    """As many entries as there is room for, or one entry that takes all of it."""
    match chance.randrange(4):
        case 0:
            entries = [{"name": f"io.example/s{n}", "version": "1"} for n in range(10_000)]
            return json.dumps(entries)
        case 1:
            return json.dumps([server("io.example/a", description="x" * LARGE)])
        case 2:
            return json.dumps({"servers": {"a": toolhive_entry(tools=["t"] * (LARGE // 5))}})
        case _:
            return json.dumps([server("io.example/a")] * (LARGE // 400))


def _broken(chance: random.Random) -> str:
    """Not quite JSON."""
    text = good("a", "b")
    place = chance.randrange(len(text))
    return chance.choice(
        (
            text[:place],
            text[:place]
            + chance.choice(("NaN", "Infinity", "'", "/*", "\x00", "\ufeff"))
            + text[place:],
            '[{"name":"io.example/a","name":"io.example/b","version":"1","version":2}]',
            '{"servers":[],"servers":{},"servers":[{"name":"io.example/a","version":"1"}]}',
            '[{"name":"io.example/\\ud800","version":"1"}]',
            '[{"name":"io.example/a","version":"1","description":"\\ud83d"}]',
            '[{"name":"io.example/a","version":1e999}]',
            f'[{{"name":"io.example/a","version":"1","x":{"9" * 5000}}}]',
            "a: &a [*a, *a]\n",
            "&a [" * 50,
            "servers:\n  a: !!python/object/apply:os.system [id]\n",
            "<html><body>not found</body></html>",
            "",
            " " * 1000,
            "null",
            "0",
            '""',
            "[]",
            "{}",
            "\ufeff" + text,
        )
    )


_AS_TEXT: tuple[Callable[[random.Random], str], ...] = (
    _mutated,
    _mutated,
    _mutated,
    _renamed,
    _worded,
    _broken,
    _broken,
    _deep,
)


# ---------------------------------------------------------------- documents as bytes


@cache
def _bombs() -> tuple[bytes, ...]:
    """Small when packed, large when unpacked."""
    zeros = gzip.compress(bytes(110 << 20), 9)
    spaces = gzip.compress(b"[" + b" " * (110 << 20) + b"]", 9)
    entry = json.dumps(server("io.example/a")).encode()
    return (
        zeros,
        spaces,
        gzip.compress(zeros),
        gzip.compress(b"[" + b",".join([entry] * 100_000) + b"]"),
    )


def _packed(chance: random.Random) -> bytes:
    whole = gzip.compress(good("a", "b").encode())
    place = chance.randrange(len(whole))
    return chance.choice(
        (
            chance.choice(_bombs()),
            whole,
            whole[:place],
            whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :],
            whole + whole,
            whole + b"junk",
            b"\x1f\x8b",
            b"",
            b"(\xb5/\xfd",
            b"PK\x03\x04",
            gzip.compress(b"\xff\xfe\x00"),
        )
    )


def _junk(chance: random.Random) -> bytes:
    """Bytes that are no text."""
    return chance.choice(
        (
            chance.randbytes(chance.choice((1, 100, 10_000, 500_000))),
            b"\xff\xfe[\x00]\x00",
            b'[{"name":"io.example/\xff","version":"1"}]',
            b'[{"name":"io.example/\xed\xa0\x80","version":"1"}]',
            "[]".encode("utf-16"),
            "[]".encode("utf-32"),
            good("a").encode() + b"\x00" * 1000,
        )
    )


# ---------------------------------------------------------------- ConfigMaps


def contents(chance: random.Random, key: str) -> JsonObject:
    """`data` and `binaryData` of a ConfigMap whose key a registry reads."""
    if key.endswith(".gz"):
        return {"binaryData": {key: _encoded(_packed(chance))}}
    match chance.randrange(20):
        case 0:
            return {}
        case 1:
            return {"data": {f"other-{number}": "x" for number in range(100)}}
        case 2 | 3 | 4:
            return {"binaryData": {key: _encoded(_junk(chance))}}
        case 5:
            return {"data": {key: _long(chance)}}
        case _:
            return {"data": {key: chance.choice(_AS_TEXT)(chance)}}


def keys(chance: random.Random) -> Iterator[str]:
    """Keys that decide how content is read."""
    while True:
        yield chance.choice(("registry.json", "registry.json", "a.yaml", "a.json.gz", "..x", "a"))


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
