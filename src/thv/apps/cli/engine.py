"""What synchronizes on one machine: the engine over the state that `wiring` opens.

In the flow: commands that sync in the foreground and the one process use it; it is imported only where something is
fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from thv.apps.cli.allowing import allowed, opened
from thv.apps.cli.leftovers import last_mirror, sweep
from thv.apps.cli.settings import Settings
from thv.apps.cli.wiring import Local
from thv.apps.kit import variables
from thv.apps.kit.engine import Engine as AnyEngine
from thv.apps.kit.engine import Places, Reach
from thv.apps.kit.outbound import Roots, read_proxy
from thv.apps.kit.readers import readable
from thv.clients.http.guard import AllowList
from thv.clients.http.proxy import Proxy
from thv.domain.errors import ThvError
from thv.domain.registry import FileSource as FileSpec
from thv.domain.registry import Registry
from thv.domain.resources import MCP_REGISTRY
from thv.sources.file import FileSource
from thv.sync.api import Api, KnownApi
from thv.sync.reconcile import Ended, RegistryReconciler, Watcher

DENIED_HINT = (
    "on this machine: thv registry add ... --allow-private-ip --allow-http opens this one host"
)

FILE_LIMIT = 1 << 30
"""Bytes of a local file; it is read as a stream, and nobody but its owner can make it large."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine reaches sources."""

    allowed_hosts: tuple[str, ...] = ()
    """Further `host:port` that may be private or speak plain http, beside those of the data folder."""
    file_roots: tuple[Path, ...] = (Path("/"),)
    """Folders below which sources of type file may lie."""
    fetch_backoff: float = 0.1
    """Seconds before the second try of a page; doubles."""
    proxy: Proxy | None = None
    """The outbound proxy. THV_PROXY, THV_NO_PROXY, THV_PROXY_USERNAME, THV_PROXY_PASSWORD."""
    trust: Path | None = None
    """File of certificates that are trusted for every source beside those of the system. THV_TRUST."""


def engine_settings(settings: Settings, environ: Mapping[str, str]) -> EngineSettings:
    """How the engine of this process reaches sources."""
    return EngineSettings(
        allowed_hosts=settings.allow,
        fetch_backoff=settings.fetch_backoff,
        proxy=read_proxy(environ),
        trust=variables.file(environ, "THV_TRUST"),
    )


class Engine(AnyEngine):
    """The engine and the reconciler of a data folder; close it when done."""

    def __init__(
        self,
        local: Local,
        settings: EngineSettings = EngineSettings(),  # noqa: B008 # a frozen value
        *,
        api: Api | None = None,
        watcher: Watcher = lambda *_: None,
        ended: Ended = lambda *_: None,
    ) -> None:
        """`api` serves the registries; None: nothing does."""
        home = local.home
        super().__init__(
            local.resources,
            local.chunks,
            Places(mirrors=home.mirrors, selections=home.selections, git=home.git),
            reach_of(local, settings),
            taxonomy=local.taxonomy,
            clock=local.clock,
        )
        self._local = local
        self.reconciler = RegistryReconciler(
            local.resources, self.tools, api=api or KnownApi(), watcher=watcher, ended=ended
        )

    async def sweep(self) -> None:
        """Removes what registries that are gone left behind, and the mirrors that nobody uses any more."""
        objects = (await self._local.resources.list(MCP_REGISTRY)).items
        used = {await self._mirror_of(registry) for registry in readable(objects)}
        await sweep(self._local, self.mirrors, self.selections, used)

    async def _mirror_of(self, registry: Registry) -> str:
        """The mirror that a registry uses; while its source cannot be opened, the one that it used last."""
        try:
            return (await self.open_source(registry)).mirror_key
        except ThvError:  # its reconciler says what is wrong with it
            return last_mirror(self.selections, registry.uid)


def reach_of(local: Local, settings: EngineSettings) -> Reach:
    """Which sources this machine may open, and how."""
    given = allowed(settings.allowed_hosts)

    def allow() -> AllowList:
        """Read anew each time: another process may have opened a host."""
        return AllowList((*given, *opened(local.home)))

    def open_file(spec: FileSpec) -> FileSource:
        """A path that is not absolute lies in the data folder, wherever that is: imports move with it."""
        root = local.home.root.absolute()
        placed = msgspec.structs.replace(spec, path=str(root / spec.path))
        roots = (*settings.file_roots, local.home.imports.absolute())
        return FileSource(placed, roots=roots, most_bytes=FILE_LIMIT)

    return Reach(
        allow=allow,
        open_file=open_file,
        denied_hint=DENIED_HINT,
        fetch_backoff=settings.fetch_backoff,
        proxy=settings.proxy,
        trust=Roots(settings.trust),
    )
