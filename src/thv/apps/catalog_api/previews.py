"""C30: what a registry would take, before there is one.

In the flow: beside the checks of a manifest, for whoever may make the registry. Sources are reached by the rules of a sync;
Secrets and ConfigMaps are read with the caller's own rights, so that nobody learns here what they may not read.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec

from thv.apps.catalog_api.catalog import catalog_of
from thv.apps.catalog_api.endpoints import api
from thv.apps.catalog_api.generation_writers import Writers, access_of, require_known
from thv.apps.catalog_api.manifests import manifest_of, refused
from thv.apps.kit.authorization import Authorization, Known
from thv.apps.kit.http.endpoints import Call, Endpoint
from thv.apps.kit.http.message import Answer, json_answer
from thv.apps.kit.http.problems import ProblemError, Word
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.permissions import MAKE_REGISTRY
from thv.domain.registry import Registry, SourceSpec, SourceType, load_registry
from thv.stores.chunks.base import ChunkStore
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.memory import MemoryStore
from thv.sync.flow import Tools
from thv.sync.preview import Limits, Preview, preview

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Sources that one process has read for somebody who waits."""
LIMITS = Limits()
ALL = frozenset(SourceType)

Trial: TypeAlias = Callable[[Call, Known, JsonObject, Limits], Awaitable[Preview]]
"""Reads the source of a manifest for a caller, and keeps nothing of it; raises what a sync would fail with."""


class Reading(Protocol):
    """What opens sources, and keeps what they bring, for as long as a request takes."""

    @property
    def tools(self) -> Tools: ...

    async def close(self) -> None: ...


OpenReading: TypeAlias = Callable[[ResourceStore, ChunkStore, Path], Reading]
"""Over the objects that a caller may read, with a folder that is thrown away."""


class Inside:
    """Reads sources in this process."""

    def __init__(self, writers: Writers, open_reading: OpenReading) -> None:
        self._writers = writers
        self._open = open_reading

    async def __call__(
        self, call: Call, caller: Known, manifest: JsonObject, limits: Limits
    ) -> Preview:
        """Over the store of the caller."""
        with folder_for_now() as folder:
            async with self._writers.store(call, caller) as store:
                reading = self._open(store, catalog_of(call).chunks, folder)
                try:
                    return await preview(load_registry(manifest), reading.tools, limits)
                finally:
                    await reading.close()


class Previews:
    """Answers requests for what a registry would take."""

    def __init__(
        self,
        authorization: Authorization | None,
        writers: Writers,
        trial: Trial,
        *,
        types: frozenset[SourceType] = ALL,
        limits: Limits = LIMITS,
    ) -> None:
        """`types` are those of the sources that are read here."""
        self._authorization = authorization
        self._writers = writers
        self._trial = trial
        self._types = types
        self._limits = limits
        self._busy: list[str] = []

    async def look(self, call: Call) -> Answer:
        """Reads the source; that it cannot be read is an answer, too."""
        authorization = require_known(self._authorization)
        caller = await authorization.caller(call.request, access_of(call))
        manifest = await manifest_of(call)
        namespace = call.names["namespace"]
        self._writers.check_source(manifest, namespace)
        with refused(namespace):
            checked = await MemoryStore().create(manifest, manager="preview", dry_run=True)
        registry = load_registry(checked)
        self._check_type(registry.spec.source.type)
        with self._turn(caller.identity.user):
            log.info("%r tries %s", caller.identity.user, _told_of(registry))
            try:
                found = await self._trial(call, caller, checked, self._limits)
            except ThvError as error:
                return json_answer(self._failed(error))
        return json_answer(self._told(found))

    def _check_type(self, kind: SourceType) -> None:
        """Raises FORBIDDEN for a type that is not read here."""
        if kind in self._types:
            return
        raise ProblemError(
            Word.FORBIDDEN,
            f"Sources of type {kind.value} are not tried here.",
            field="spec.source.type",
            value=kind.value,
            hint=_NO_FILES if kind is SourceType.FILE else _UNTRIED,
        )

    @contextmanager
    def _turn(self, user: str) -> Iterator[None]:
        """One at a time for each caller, and few for all; raises RATE_LIMITED."""
        if user in self._busy or len(self._busy) >= AT_ONCE:
            whose = "Your last source is" if user in self._busy else "The sources of others are"
            raise ProblemError(
                Word.RATE_LIMITED,
                f"{whose} still being read.",
                retry_after=int(self._limits.seconds),
                hint="Try again in a moment.",
            )
        self._busy.append(user)
        try:
            yield
        finally:
            self._busy.remove(user)

    def _failed(self, error: ThvError) -> JsonObject:
        failure = {"code": error.code.value, "message": error.message, "hint": error.hint or ""}
        return {**self._told(Preview(cut="", format="")), "outcome": "failed", "error": failure}

    def _told(self, found: Preview) -> JsonObject:
        return {
            **msgspec.to_builtins(found),
            "outcome": "cut" if found.cut else "read",
            "limits": msgspec.to_builtins(self._limits),
        }


_NO_FILES = "No registry of a cluster reads files; use a source of another type."
_UNTRIED = (
    "Create the registry, and see what comes of its first sync. Which types are tried is a setting: THV_TRY_SOURCES,"
    " catalog.trySources of the chart."
)


@contextmanager
def folder_for_now() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="thv-preview-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _told_of(registry: Registry) -> str:
    """Whose it would be, and whom it asks: of an address the host alone, as the rest may hold secrets."""
    source = registry.spec.source
    host = _host_of(_address(source))
    at = f" at {host}" if host else ""
    return f"a source of type {source.type.value}{at} for {registry.namespace}/{registry.name}"


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # the trial says what is wrong with it
        return ""


def _address(source: SourceSpec) -> str:
    if source.git is not None:
        return source.git.repository
    web = source.url or source.registry
    return web.url if web is not None else ""


def preview_rows(previews: Previews) -> tuple[Endpoint, ...]:
    """C30."""
    return (
        api(
            "C30",
            "/registries/{namespace}/preview",
            previews.look,
            "Read a source as a registry would, and tell what it would take",
            method="POST",
            takes="RegistryManifest",
            answers=("RegistryPreview",),
            errors=(413, 415),
            needs=(MAKE_REGISTRY,),
            scoped=True,
            forwards=True,
        ),
    )
