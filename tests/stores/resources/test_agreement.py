"""The embedded kinds answer alike, whatever happens to them."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.resource_store.objects import a_config_map, a_registry, a_secret, a_status
from tests.stores.resources.stores import START, Clock, chances, open_store
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.resources import CONFIG_MAP, KINDS, Kind, kind_of
from thv.stores.resources.base import EventType
from thv.stores.resources.embedded import EmbeddedStore
from thv.stores.resources.tables import Bookmarks, Event, Retention

RETENTION = Retention(events=12)

Step = tuple[str, tuple[Any, ...], dict[str, Any]]

_namespaces = st.sampled_from(["one", "two"])
_names = st.sampled_from(["a", "b"])
_managers = st.sampled_from(["m1", "m2"])
_words = st.sampled_from(["x", "y", "z"])
_labels = st.dictionaries(_words, _words, max_size=2)


@st.composite
def _metadata(draw: st.DrawFn) -> JsonObject:
    metadata: JsonObject = {}
    if draw(st.booleans()):
        metadata["labels"] = draw(_labels)
    if draw(st.integers(0, 5)) == 0:
        metadata["finalizers"] = ["example.com/hold"]
    if draw(st.integers(0, 3)) == 0:
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}
        uid = f"00000000-0000-4000-8000-{draw(st.integers(1, 6)):012}"
        metadata["ownerReferences"] = [{**owner, "uid": uid}]
    return metadata


@st.composite
def _objects(draw: st.DrawFn) -> JsonObject:
    namespace, name, metadata = draw(_namespaces), draw(_names), draw(_metadata())
    match draw(st.sampled_from(["registry", "configmap", "secret"])):
        case "registry":
            names = draw(st.lists(_words, max_size=3))
            spec: JsonObject = draw(st.sampled_from([{}, {"displayName": "x"}, {"bogus": 1}]))
            filters = {"filter": {"include": {"names": names}}} if names else {}
            return a_registry(namespace, name, metadata=metadata, **spec, **filters)
        case "configmap":
            return a_config_map(namespace, name, metadata=metadata, data=draw(_labels))
        case _:
            data = {
                key: base64.b64encode(value.encode()).decode()
                for key, value in draw(_labels).items()
            }
            obj = a_secret(namespace, name, data=data)
            return {**obj, "metadata": {**obj["metadata"], **metadata}}


@st.composite
def _steps(draw: st.DrawFn) -> Step:
    obj, manager = draw(_objects()), draw(_managers)
    kind, place = kind_of(obj), obj["metadata"]
    address = (kind, place["namespace"], place["name"])
    match draw(
        st.sampled_from(
            ["create", "replace", "apply", "apply", "merge", "status", "delete", "name"]
        )
    ):
        case "create" | "replace" as verb:
            return verb, (obj,), {"manager": manager, "strict": draw(st.booleans())}
        case "apply":
            return (
                "apply",
                (obj,),
                {
                    "manager": manager,
                    "force": draw(st.booleans()),
                    "dry_run": draw(st.integers(0, 4)) == 0,
                },
            )
        case "merge":
            patch: JsonObject = {
                "metadata": {
                    "labels": draw(_labels),
                    "finalizers": draw(st.just(None) | st.just([])),
                }
            }
            return "merge", (*address, patch), {"manager": manager}
        case "status":
            count = draw(st.integers(0, 2))
            return (
                "apply_status",
                (a_status(place["namespace"], place["name"], serverCount=count),),
                {"manager": manager},
            )
        case "delete":
            return "delete", address, {"uid": draw(st.sampled_from(["", "", "another"]))}
        case _:
            generated = {
                **obj,
                "metadata": {"namespace": place["namespace"], "generateName": "made-"},
            }
            return "create", (generated,), {"manager": manager}


async def _taken(store: EmbeddedStore, step: Step) -> object:
    verb, arguments, options = step
    try:
        return await getattr(store, verb)(*arguments, **options)
    except ThvError as error:
        return (error.code, error.message, error.details)


async def _seen(store: EmbeddedStore, kind: Kind, since: str) -> list[object]:
    """What a watch tells up to now; the sequence ends with the bookmark or the refusal."""
    seen: list[object] = []
    head = int((await store.list(kind)).resource_version)
    async with aclosing(store.watch(kind, since=since)) as events:
        try:
            while not seen or int(seen[-1].resource_version) < head:  # type: ignore[attr-defined] # events only
                seen.append(await anext(events))
        except ThvError as error:
            seen.append((error.code, error.message))
    return seen


async def _history(store: EmbeddedStore, clock: Clock, steps: list[Step]) -> list[object]:
    answers: list[object] = []
    for step in steps:
        answers.append(await _taken(store, step))
        clock.move(minutes=7)
    for kind in KINDS:
        listed = await store.list(kind)
        answers += [listed, await store.list(kind, "one", selector="x in (x,y)", limit=1)]
        if listed.resource_version != "0":
            answers += [
                await _seen(store, kind, str(since))
                for since in range(0, int(listed.resource_version), 3)
            ]
    await store.close()
    return answers


@pytest.mark.flows
@settings(max_examples=60, deadline=None)
@given(st.lists(_steps(), min_size=1, max_size=25))
def test_memory_and_sqlite_answer_alike(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        answers = []
        for kind in ("memory", "sqlite"):
            clock = Clock()
            store = open_store(
                kind,
                Path(folder),
                chances=chances(clock),
                retention=RETENTION,
                bookmarks=Bookmarks(events=1),
            )
            answers.append(asyncio.run(_history(store, clock, steps)))
    assert answers[0] == answers[1]


@pytest.mark.anyio
async def test_a_write_that_fails_half_way_is_undone_in_memory_too() -> None:
    store = open_store("memory", Path("unused"), chances=chances())
    await store.create(a_config_map("one", "a", data={"x": "1"}), manager="m")
    before = await store.list(CONFIG_MAP)
    with pytest.raises(RuntimeError, match="in the middle"):
        _fail_in_the_middle(store)
    assert await store.list(CONFIG_MAP) == before


def _fail_in_the_middle(store: EmbeddedStore) -> None:
    with store._backend.writing() as tables:
        (row,) = list(tables.scan(CONFIG_MAP.resource, None, None))
        tables.append(Event(2, EventType.DELETED, row.key, row.object), START)
        tables.remove(row.key)
        raise RuntimeError("in the middle")
