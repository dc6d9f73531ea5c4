"""Objects that the contract is tried with, and how to look at them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import Kind
from thv.stores.resources.base import EventType, ResourceStore, WatchEvent

PATIENCE = 60.0
"""Seconds after which a test that waits has failed: a cluster collects what new kinds owned only after 30 s."""

SOURCE = {"type": "url", "url": {"url": "https://example.com/servers.json"}}


def a_registry(
    namespace: str, name: str = "corp", *, metadata: JsonObject | None = None, **spec: Any
) -> JsonObject:
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": name, "namespace": namespace, **(metadata or {})},
        "spec": {"source": SOURCE, **spec},
    }


def a_part(namespace: str, name: str = "corp", **spec: Any) -> JsonObject:
    """Some fields of a registry, to apply."""
    whole = a_registry(namespace, name)
    return {**whole, "spec": spec}


def a_status(namespace: str, name: str = "corp", **status: Any) -> JsonObject:
    whole = a_registry(namespace, name)
    del whole["spec"]
    return {**whole, "status": status}


def a_config_map(
    namespace: str, name: str = "servers", *, metadata: JsonObject | None = None, **fields: Any
) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **(metadata or {})},
        **fields,
    }


def a_secret(namespace: str, name: str = "token", /, **fields: Any) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        **fields,
    }


def a_condition(kind: str, status: str = "True", reason: str = "Fine") -> JsonObject:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2026-11-20T10:00:00Z",
    }


def owned_by(*owners: JsonObject) -> JsonObject:
    """The metadata of an object with these owners."""
    return {
        "ownerReferences": [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
            }
            for owner in owners
        ]
    }


def fields_by_manager(obj: JsonObject) -> dict[str, JsonObject]:
    """The trees of owned fields, by manager and operation."""
    return {
        f"{entry['manager']} {entry['operation']}": entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", ())
    }


def version(obj: JsonObject) -> str:
    text: str = obj["metadata"]["resourceVersion"]
    return text


class refused:  # noqa: N801 # reads as a statement
    """`with refused(Code.CONFLICT) as error:` and look at `error.value` later."""

    def __init__(self, code: Code, *parts: str) -> None:
        self._code = code
        self._parts = parts

    def __enter__(self) -> pytest.ExceptionInfo[ThvError]:
        self._raises = pytest.raises(ThvError)
        self.info = self._raises.__enter__()
        return self.info

    def __exit__(self, *details: object) -> bool:
        caught = self._raises.__exit__(*details)  # type: ignore[arg-type] # handed on as they came
        if caught:
            error = self.info.value
            assert error.code is self._code, error.message
            assert all(part in error.message for part in self._parts), error.message
        return caught


async def changes(
    store: ResourceStore,
    kind: Kind,
    namespace: str | None,
    since: str,
    count: int,
    *,
    selector: str = "",
    name: str = "",
    partial: bool = False,
) -> list[WatchEvent]:
    """The next changes; bookmarks are left out."""
    found: list[WatchEvent] = []
    with anyio.fail_after(PATIENCE):
        told = _changes(
            store, kind, namespace, since, selector=selector, name=name, partial=partial
        )
        async with aclosing(told) as events:
            async for event in events:
                found.append(event)
                if len(found) == count:
                    break
    return found


async def _changes(
    store: ResourceStore,
    kind: Kind,
    namespace: str | None,
    since: str,
    *,
    selector: str = "",
    name: str = "",
    partial: bool = False,
) -> AsyncGenerator[WatchEvent, None]:
    told = store.watch(kind, namespace, since=since, selector=selector, name=name, partial=partial)
    async with aclosing(told) as events:
        async for event in events:
            if event.type is not EventType.BOOKMARK:
                yield event


async def until_gone(
    store: ResourceStore, kind: Kind, namespace: str, name: str, since: str
) -> None:
    """Returns once the object was deleted."""
    with anyio.fail_after(PATIENCE):
        async with aclosing(_changes(store, kind, namespace, since)) as events:
            async for event in events:
                if event.type is EventType.DELETED and event.object["metadata"]["name"] == name:
                    return


async def exists(store: ResourceStore, kind: Kind, namespace: str, name: str) -> bool:
    try:
        await store.get(kind, namespace, name)
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        return False
    return True
