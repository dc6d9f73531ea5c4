"""C30: what a registry would take, before there is one.

In the flow: beside the checks of a manifest, for whoever may make the registry. Sources are reached by the rules of a sync;
Secrets and ConfigMaps are read with the caller's own rights, so that nobody learns here what they may not read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from thv.apps.catalog_api.catalog import catalog_of
from thv.apps.catalog_api.endpoints import api
from thv.apps.catalog_api.generation_writers import Writers, access_of, require_known
from thv.apps.catalog_api.manifests import manifest_of, refused
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.endpoints import Call, Endpoint
from thv.apps.kit.http.message import Answer, json_answer
from thv.apps.kit.http.problems import ProblemError, Word
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.permissions import MAKE_REGISTRY
from thv.domain.registry import load_registry
from thv.stores.chunks.base import ChunkStore
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.memory import MemoryStore
from thv.sync.flow import Tools
from thv.sync.preview import Limits, Preview, preview

AT_ONCE = 2
"""Sources that one process reads for somebody who waits."""
LIMITS = Limits()


class Reading(Protocol):
    """What opens sources, and keeps what they bring, for as long as a request takes."""

    @property
    def tools(self) -> Tools: ...

    async def close(self) -> None: ...


OpenReading: TypeAlias = Callable[[ResourceStore, ChunkStore, Path], Reading]
"""Over the objects that a caller may read, with a folder that is thrown away."""


class Previews:
    """Answers requests for what a registry would take."""

    def __init__(
        self,
        authorization: Authorization | None,
        writers: Writers,
        open_reading: OpenReading,
        *,
        limits: Limits = LIMITS,
    ) -> None:
        self._authorization = authorization
        self._writers = writers
        self._open = open_reading
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
        with self._turn(caller.identity.user), _folder() as folder:
            async with self._writers.store(call, caller) as store:
                reading = self._open(store, catalog_of(call).chunks, folder)
                try:
                    found = await preview(registry, reading.tools, self._limits)
                except ThvError as error:
                    return json_answer(self._failed(error))
                finally:
                    await reading.close()
        return json_answer(self._told(found))

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


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="thv-preview-", ignore_cleanup_errors=True) as name:
        yield Path(name)


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
