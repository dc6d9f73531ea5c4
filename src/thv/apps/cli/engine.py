"""What synchronizes on one machine: every kind of source, wired to the state that `wiring` opens.

In the flow: commands that sync in the foreground and the one process use the same engine; it is imported only
where something is fetched.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from thv.apps.cli.allowing import allowed, opened
from thv.apps.cli.leftovers import last_mirror, sweep
from thv.apps.cli.settings import Settings
from thv.apps.cli.wiring import Local
from thv.apps.kit.readers import NamespaceReader, readable
from thv.clients.git.client import Git
from thv.clients.http.client import HttpClient, HttpSettings
from thv.clients.http.guard import AllowList
from thv.domain.canonical import digest_of
from thv.domain.errors import Code, ThvError
from thv.domain.registry import FileSource as FileSpec
from thv.domain.registry import Registry, SourceType
from thv.domain.resources import MCP_REGISTRY
from thv.sources.base import Source
from thv.sources.configmap import ConfigMapSource
from thv.sources.file import FileSource
from thv.sources.git import GitSource
from thv.sources.git_access import GitAccess
from thv.sources.paging import CrawlSettings
from thv.sources.reference import ReferenceSource
from thv.sources.registry import RegistrySource
from thv.sources.url import UrlSource
from thv.sources.web import Web
from thv.stores.mirrors.sqlite import SqliteMirrors, SqliteSelections
from thv.sync.flow import Locks, Opened, Tools
from thv.sync.hierarchy import by_name, is_reference, neighbour_of, require_no_cycle
from thv.sync.reconcile import ApiOf, RegistryReconciler, Watcher

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


def engine_settings(settings: Settings) -> EngineSettings:
    """How the engine of this process reaches sources."""
    return EngineSettings(allowed_hosts=settings.allow, fetch_backoff=settings.fetch_backoff)


class Engine:
    """The reconciler of a data folder and what it holds open; close it when done."""

    def __init__(
        self,
        local: Local,
        settings: EngineSettings = EngineSettings(),  # noqa: B008 # a frozen value
        *,
        api_of: ApiOf = lambda _: None,
        watcher: Watcher = lambda *_: None,
    ) -> None:
        self._local = local
        self._settings = settings
        self._allowed = allowed(settings.allowed_hosts)
        self._client = HttpClient(settings=HttpSettings())
        self._mirrors = SqliteMirrors(local.home.mirrors)
        self._selections = SqliteSelections(local.home.selections)
        self.tools = Tools(
            open_source=self.open_source,
            mirrors=self._mirrors,
            selections=self._selections,
            chunks=local.chunks,
            taxonomy=local.taxonomy,
            clock=local.clock,
            locks=Locks(),
        )
        self.reconciler = RegistryReconciler(
            local.resources, self.tools, api_of=api_of, watcher=watcher
        )

    async def close(self) -> None:
        """Closes connections and files."""
        await self._client.close()
        self._mirrors.close()
        self._selections.close()

    async def open_source(self, registry: Registry) -> Opened:
        """The source of a registry, and the key of the mirror that it shares with equal ones."""
        source = await self._source(registry)
        identity = f"{source.origin}\0{credential_identity(registry)}"
        return Opened(source, digest_of(identity.encode()).removeprefix("sha256:")[:32])

    async def sweep(self) -> None:
        """Removes what registries that are gone left behind, and the mirrors that nobody uses any more."""
        objects = (await self._local.resources.list(MCP_REGISTRY)).items
        used = {await self._mirror_of(registry) for registry in readable(objects)}
        await sweep(self._local, self._mirrors, self._selections, used)

    async def _mirror_of(self, registry: Registry) -> str:
        """The mirror that a registry uses; while its source cannot be opened, the one that it used last."""
        try:
            return (await self.open_source(registry)).mirror_key
        except ThvError:  # its reconciler says what is wrong with it
            return last_mirror(self._selections, registry.uid)

    async def _source(self, registry: Registry) -> Source:
        spec = registry.spec.source
        reader = NamespaceReader(self._local.resources, self._local.chunks, registry.namespace)
        neighbour = await self._neighbour(registry, reader)
        if neighbour:
            return ReferenceSource(neighbour, reader, namespace=registry.namespace)
        match spec.type:
            case SourceType.CONFIGMAP if spec.config_map:
                return ConfigMapSource(
                    spec.config_map, reader.config_map_data, namespace=registry.namespace
                )
            case SourceType.URL if spec.url:
                return UrlSource(spec.url, self._web(reader), settings=self._crawl)
            case SourceType.GIT if spec.git:
                return GitSource(spec.git, self._git(reader))
            case SourceType.REGISTRY if spec.registry:
                return RegistrySource(spec.registry, self._web(reader), self._crawl)
            case SourceType.FILE if spec.file:
                return self._file(spec.file)
            case _:
                raise ThvError(
                    Code.SOURCE_TYPE_UNSUPPORTED,
                    f'spec.source.type "{spec.type.value}" is not supported yet',
                    hint="Use configmap, url, git, registry or file.",
                )

    async def _neighbour(self, registry: Registry, reader: NamespaceReader) -> str:
        """The registry of the namespace that is the source, if there is one of that name."""
        name = neighbour_of(registry)
        if not name:
            return ""
        others = by_name(await reader.registries(), registry.namespace)
        if name not in others and not is_reference(registry):
            return ""
        require_no_cycle(registry, others.get)
        return name

    def _file(self, spec: FileSpec) -> FileSource:
        """A path that is not absolute lies in the data folder, wherever that is: imports move with it."""
        root = self._local.home.root.absolute()
        placed = msgspec.structs.replace(spec, path=str(root / spec.path))
        roots = (*self._settings.file_roots, self._local.home.imports.absolute())
        return FileSource(placed, roots=roots, most_bytes=FILE_LIMIT)

    @property
    def _crawl(self) -> CrawlSettings:
        return CrawlSettings(backoff=self._settings.fetch_backoff)

    @property
    def _allow(self) -> AllowList:
        """Read anew each time: another process may have opened a host."""
        return AllowList((*self._allowed, *opened(self._local.home)))

    def _web(self, reader: NamespaceReader) -> Web:
        return Web(
            client=self._client,
            read_secret=reader.secret,
            read_config_map=reader.config_map,
            now=self._local.clock,
            allow=self._allow,
            denied_hint=DENIED_HINT,
        )

    def _git(self, reader: NamespaceReader) -> GitAccess:
        self._local.home.git.mkdir(mode=0o700, parents=True, exist_ok=True)
        return GitAccess(
            git=Git(scratch=self._local.home.git),
            read_secret=reader.secret,
            read_config_map=reader.config_map,
            allow=self._allow,
            denied_hint=DENIED_HINT,
        )


def credential_identity(registry: Registry) -> str:
    """Whose credentials a source uses: registries that share a mirror must have the same."""
    spec = registry.spec.source
    named = [
        place.name
        for block in (spec.url, spec.git, spec.registry)
        if block is not None
        for place in (
            block.auth_secret,
            getattr(block, "headers_secret", None),
            block.ca_config_map,
        )
        if place is not None
    ]
    return "\0".join([registry.namespace, *named]) if named else ""
