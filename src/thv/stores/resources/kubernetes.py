"""A resource store that is a Kubernetes API server.

In the flow: the same interface as the stores inside this process, over requests. Fields, owners, defaults, rules
and versions are the server's work; here a verb becomes a request, and a refusal one of our errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from thv.clients.kube.client import JSON, KubeClient
from thv.clients.kube.errors import KubeTooLargeError
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import (
    CLUSTER_KINDS,
    Kind,
    kind_of,
    metadata_of,
    name_of,
    namespace_of,
    resource_version_of,
)
from thv.stores.resources.base import ResourceList, WatchEvent
from thv.stores.resources.kubernetes_errors import What, translated
from thv.stores.resources.kubernetes_paths import DEFAULT_NAMESPACE, collection, resource
from thv.stores.resources.kubernetes_watch import Patience, Watching, lasting_watch

PAGE = 250
"""Objects that one answer holds at most."""
PAGE_BYTES = 1024 * 1024
"""Of an answer about several objects, so that no answer is large: anybody's objects may have 1.5 MiB each."""

_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_REPLACE_ATTEMPTS = 5


class KubernetesStore:
    """A `ResourceStore` over the API server of a cluster."""

    def __init__(
        self,
        client: KubeClient,
        *,
        kinds: tuple[Kind, ...] = CLUSTER_KINDS,
        patience: Patience = Patience(),  # noqa: B008 # a frozen value
    ) -> None:
        """`kinds` are those of the objects that may be written."""
        self._client = client
        self._kinds = kinds
        self._patience = patience
        self._closing = asyncio.Event()
        self._fitting: dict[Kind, int] = {}
        """Objects that one answer may hold, where that was found out to be less than was asked for."""

    # ------------------------------------------------------------ reading

    async def get(self, kind: Kind, namespace: str, name: str) -> JsonObject:
        path = resource(kind, namespace, name)
        with translated(_what(kind, namespace, name)):
            return await self._client.request("GET", path)

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        selector: str = "",
        name: str = "",
        limit: int = 0,
        continue_: str = "",
        partial: bool = False,
    ) -> ResourceList:
        """One answer at a time is read and parsed, also when everything is asked for at once."""
        query = _selected(selector, name)
        page = await self._page(kind, namespace, query, limit or PAGE, continue_, partial=partial)
        if limit:
            return page
        items, rest = page.items, page.continue_
        while rest:
            page = await self._page(kind, namespace, query, PAGE, rest, partial=partial)
            items += page.items
            rest = page.continue_
        return ResourceList(items, page.resource_version)

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        since: str,
        selector: str = "",
        name: str = "",
        partial: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        watching = Watching(
            what=_what(kind, namespace or "", name),
            path=collection(kind, namespace),
            query={**_selected(selector, name), "allowWatchBookmarks": "true"},
            accept=_METADATA if partial else JSON,
            shaped=_shaper(kind),
        )
        events = lasting_watch(self._client, watching, since, self._patience, self._closing)
        async with aclosing(events):
            async for event in events:
                yield event

    async def _page(
        self,
        kind: Kind,
        namespace: str | None,
        query: dict[str, str],
        limit: int,
        continue_: str,
        *,
        partial: bool,
    ) -> ResourceList:
        asked = {**query, "continue": continue_} if continue_ else query
        with translated(_what(kind, namespace or "")):
            answer = await self._fitted(kind, collection(kind, namespace), asked, limit, partial)
        shaped, metadata = _shaper(kind), metadata_of(answer)
        return ResourceList(
            [shaped(item) for item in answer.get("items") or ()],
            resource_version_of(answer),
            metadata.get("continue") or "",
        )

    async def _fitted(
        self, kind: Kind, path: str, query: dict[str, str], most: int, partial: bool
    ) -> JsonObject:
        """An answer of as many objects as fit, of which one always does."""
        limit = min(most, self._fitting.pop(kind, most))
        while True:
            try:
                answer = await self._client.request(
                    "GET",
                    path,
                    query={**query, "limit": str(limit)},
                    accept=_METADATA_LIST if partial else JSON,
                    most=PAGE_BYTES if limit > 1 else None,
                )
            except KubeTooLargeError:
                if limit == 1:
                    raise
                limit //= 2
            else:
                if limit < most:
                    self._fitting[kind] = limit * 2
                return answer

    # ------------------------------------------------------------ writing

    async def create(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        kind, what = self._written(obj)
        path = collection(kind, what.namespace or DEFAULT_NAMESPACE)
        return await self._sent("POST", path, obj, what, _options(manager, dry_run, strict))

    async def replace(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        """An object without a resourceVersion replaces whatever is there, which some kinds do not know."""
        kind, what = self._written(obj)
        path = resource(kind, what.namespace, what.name)
        options = _options(manager, dry_run, strict)
        if resource_version_of(obj):
            return await self._sent("PUT", path, obj, what, options)
        for _ in range(_REPLACE_ATTEMPTS - 1):
            try:
                return await self._replaced(path, obj, what, options)
            except ThvError as error:
                if error.code is not Code.CONFLICT or metadata_of(obj).get("uid"):
                    raise
        return await self._replaced(path, obj, what, options)

    async def apply(
        self,
        obj: JsonObject,
        *,
        manager: str,
        force: bool = False,
        dry_run: bool = False,
        strict: bool = True,
    ) -> JsonObject:
        kind, what = self._written(obj)
        path = resource(kind, what.namespace, what.name)
        options = {**_options(manager, dry_run, strict), "force": _spelled(force)}
        return await self._sent("PATCH", path, obj, what, options, content_type=_APPLY)

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: JsonObject, *, manager: str
    ) -> JsonObject:
        what = _what(kind, namespace, name)
        path = resource(kind, namespace, name)
        return await self._sent("PATCH", path, patch, what, _options(manager), content_type=_MERGE)

    async def apply_status(
        self, obj: JsonObject, *, manager: str, force: bool = True
    ) -> JsonObject:
        kind, what = self._written(obj)
        path = resource(kind, what.namespace, what.name, "status")
        options = {**_options(manager), "force": _spelled(force)}
        return await self._sent(
            "PATCH", path, _status_alone(obj), what, options, content_type=_APPLY
        )

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        meant = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {key: value for key, value in meant.items() if value},
        }
        what = _what(kind, namespace, name)
        await self._sent("DELETE", resource(kind, namespace, name), options, what, {})

    async def close(self) -> None:
        self._closing.set()
        await self._client.close()

    # ------------------------------------------------------------ steps of a write

    def _written(self, obj: JsonObject) -> tuple[Kind, What]:
        kind = kind_of(obj, self._kinds)
        return kind, _what(kind, namespace_of(obj), name_of(obj))

    async def _sent(
        self,
        method: str,
        path: str,
        body: Any,
        what: What,
        query: dict[str, str],
        *,
        content_type: str = JSON,
    ) -> JsonObject:
        with translated(what):
            return await self._client.request(
                method, path, query=query, body=body, content_type=content_type
            )

    async def _replaced(
        self, path: str, obj: JsonObject, what: What, options: dict[str, str]
    ) -> JsonObject:
        with translated(what):
            live = await self._client.request("GET", path)
        metadata = {**metadata_of(obj), "resourceVersion": resource_version_of(live)}
        return await self._sent("PUT", path, {**obj, "metadata": metadata}, what, options)


def _what(kind: Kind, namespace: str, name: str = "") -> What:
    place = (namespace or (DEFAULT_NAMESPACE if name else "")) if kind.namespaced else ""
    return What(kind, place, name)


def _selected(selector: str, name: str) -> dict[str, str]:
    query = {"labelSelector": selector} if selector else {}
    return {**query, "fieldSelector": f"metadata.name={_escaped(name)}"} if name else query


def _escaped(value: str) -> str:
    """A name as a field selector takes it, so that it can select nothing else."""
    return "".join(f"\\{sign}" if sign in "\\,=" else sign for sign in value)


def _options(manager: str, dry_run: bool = False, strict: bool = True) -> dict[str, str]:
    options = {"fieldManager": manager, "fieldValidation": "Strict" if strict else "Ignore"}
    return {**options, "dryRun": "All"} if dry_run else options


def _spelled(value: bool) -> str:
    return "true" if value else "false"


def _shaper(kind: Kind) -> Callable[[JsonObject], JsonObject]:
    """Items of lists lack their kind, and what holds metadata alone has another."""
    said = {"apiVersion": kind.api_version, "kind": kind.kind}
    return lambda obj: {**said, **obj, **said}  # the kind stands first, and wins


def _status_alone(obj: JsonObject) -> JsonObject:
    """The object with nothing that is no status, but for what says which one it is."""
    kept = ("name", "namespace", "uid", "resourceVersion")
    metadata = {key: value for key, value in metadata_of(obj).items() if key in kept}
    head: JsonObject = {key: obj[key] for key in ("apiVersion", "kind", "status") if key in obj}
    return {**head, "metadata": metadata}
