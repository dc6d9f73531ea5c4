"""Everything that a data folder says, times aside, and what a reader of it sees."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.apps.registry_api.asking import Client
from thv.apps.cli.wiring import Local
from thv.apps.kit.home import Home
from thv.apps.registry_api.settings import Settings
from thv.apps.registry_api.wiring import registries
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import MCP_REGISTRY
from thv.domain.snapshot import Record, SnapshotDigest, records
from thv.stores.chunks.base import Owner
from thv.sync.write import read_snapshot

NAME, NAMESPACE = "crash", "default"
_TIME = re.compile(r"\b(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)\b")
BEFORE = "2026-11"
"""What tests publish is older; a later time is one of the run itself."""


class Seen(msgspec.Struct, frozen=True):
    """What a reader sees."""

    digest: str
    """Of the snapshot that the pointer names, `""` without one."""
    names: tuple[str, ...] = ()
    """name@version of every record that is served."""


def masked(value: Any) -> Any:
    """The value without the times of the run."""
    text = msgspec.json.encode(value).decode()
    return json.loads(_TIME.sub(lambda m: m[1] if m[1] < BEFORE else "TIME", text))


async def seen(folder: Path) -> Seen:
    """What is served; raises when it is not one whole snapshot."""
    local = Local(home=Home(folder))
    try:
        registry = load_registry(await local.resources.get(MCP_REGISTRY, NAMESPACE, NAME))
        pointer = registry.status.snapshot
        if pointer is None:
            return Seen("")
        digest, names = SnapshotDigest(), []
        async for record in read_snapshot(local.chunks, _owner(registry), pointer):
            digest.add(record.name, record.version, record.digest)
            names.append(f"{record.name}@{record.version}")
        assert digest.value() == pointer.digest, "the chunks do not hold what the pointer names"
        assert digest.entries == pointer.entries
        return Seen(pointer.digest, tuple(names))
    finally:
        await local.close()


async def dump(folder: Path) -> dict[str, Any]:
    """Status, records of every chunk that is named, and what the API answers."""
    local = Local(home=Home(folder))
    try:
        obj = await local.resources.get(MCP_REGISTRY, NAMESPACE, NAME)
        registry = load_registry(obj)
        status = obj["status"]
        _forget_durations(status)
        assert registry.status.snapshot is not None
        return {
            "status": masked(_without_chunk_names(status)),
            "chunks": [
                [
                    _record(record)
                    for record in records(await local.chunks.get(_owner(registry), ref))
                ]
                for ref in registry.status.snapshot.chunks
            ],
            "api": await _answers(local),
        }
    finally:
        await local.close()


def _owner(registry: Registry) -> Owner:
    return Owner(registry.namespace, registry.name, registry.uid)


def _record(record: Record) -> Any:
    return masked(msgspec.json.decode(msgspec.json.encode(record)))


def _forget_durations(status: dict[str, Any]) -> None:
    for part in (
        status["syncStatus"],
        *status.get("history", ()),
        *status["syncStatus"].get("history", ()),
    ):
        part.pop("durationMilliseconds", None)


def _without_chunk_names(status: dict[str, Any]) -> dict[str, Any]:
    """A chunk is named by its bytes, and those hold times of the run."""
    text = json.dumps(status)
    for pointer in ("snapshot", "previousSnapshot"):
        for ref in status.get(pointer, {}).get("chunks", ()):
            text = text.replace(ref["digest"], "DIGEST").replace(ref["name"], "NAME")
            text = text.replace(f'"bytes": {ref["bytes"]}', '"bytes": 0')
        if pointer in status:
            text = text.replace(f'"bytes": {status[pointer]["bytes"]}', '"bytes": 0')
    return json.loads(text)  # type: ignore[no-any-return]


async def _answers(local: Local) -> list[Any]:
    """Every page of every version, in both forms, and a search."""
    door = registries(
        local.resources,
        local.chunks,
        local.home.models,
        taxonomy=local.taxonomy,
        settings=Settings(),
        clock=lambda: datetime.now(UTC),
    )
    listed = await local.resources.list(MCP_REGISTRY)
    await door.follower.run(_events(listed.items))
    client = Client(door.app, host="localhost")
    base = f"/r/{NAMESPACE}/{NAME}"
    answers = []
    for target in (
        f"{base}/v0.1/servers?limit=100",
        f"{base}/api/v1/servers?limit=1000&version=all&format=upstream",
        f"{base}/api/v1/servers?limit=1000&format=toolhive&search=server",
    ):
        reply = await client.send("GET", target, {})
        assert reply.status == 200, (target, reply.status, reply.body[:500])
        answers.append(masked(reply.json))
    return answers


async def _events(items: list[Any]) -> Any:
    for obj in items:
        yield obj, False
