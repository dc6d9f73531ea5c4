"""What synchronizes: every kind of source, opened for a registry, and the reconciler over them.

In the flow: commands that sync in the foreground, the one process and the operator use the same engine; they
differ in the stores that they hand in. It is imported only where something is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec

from thv.apps.kit.readers import NamespaceReader
from thv.clients.git.client import Git
from thv.clients.git.limits import Limits as GitLimits
from thv.clients.http.client import HttpClient, HttpSettings
from thv.clients.http.guard import AllowList
from thv.clients.http.proxy import Proxy
from thv.domain.canonical import digest_of
from thv.domain.errors import Code, ThvError
from thv.domain.registry import FileSource as FileSpec
from thv.domain.registry import Registry, SourceType
from thv.domain.taxonomy import Taxonomy
from thv.sources.base import Source
from thv.sources.configmap import ConfigMapSource
from thv.sources.git import GitSource
from thv.sources.git_access import GitAccess
from thv.sources.paging import CrawlSettings
from thv.sources.reference import ReferenceSource
from thv.sources.registry import RegistrySource
from thv.sources.url import UrlSource
from thv.sources.web import Web
from thv.stores.chunks.base import ChunkStore
from thv.stores.mirrors.sqlite import SqliteMirrors, SqliteSelections
from thv.stores.resources.base import ResourceStore
from thv.sync.flow import Locks, Opened, Tools
from thv.sync.hierarchy import is_reference, neighbour_of, require_no_cycle


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Folders for state that can be made again."""

    mirrors: Path
    selections: Path
    git: Path

    @classmethod
    def below(cls, root: Path) -> Self:
        """All of them in one folder."""
        return cls(mirrors=root / "mirrors", selections=root / "selections", git=root / "git")


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Which sources may be opened, and how."""

    allow: Callable[[], AllowList]
    """Hosts that may be private or speak plain http; asked before each fetch."""
    open_file: Callable[[FileSpec], Source] | None = None
    """Opens a source of type file; None where there are none."""
    denied_hint: str
    """What to do about an address that is denied."""
    reader: str = ""
    """The service account that reads Secrets, as `namespace:name`, where there are such."""
    fetch_backoff: float = 0.1
    """Seconds before the second try of a page; doubles."""
    proxy: Proxy | None = None
    """The outbound proxy of sources over HTTP and of Git over HTTP."""
    trust: Callable[[], bytes] = bytes
    """Trust roots of every source beside those of the system, PEM; asked before each fetch."""
    git: GitLimits = GitLimits()
    """How far one look at a repository may go."""


class Engine:
    """Opens the sources of registries and keeps what they hold; close it when done."""

    def __init__(
        self,
        resources: ResourceStore,
        chunks: ChunkStore,
        places: Places,
        reach: Reach,
        *,
        taxonomy: Taxonomy,
        clock: Callable[[], datetime],
    ) -> None:
        self.resources = resources
        self._chunks = chunks
        self._places = places
        self._reach = reach
        self._clock = clock
        self._client = HttpClient(settings=HttpSettings(proxy=reach.proxy))
        self.mirrors = SqliteMirrors(places.mirrors)
        self.selections = SqliteSelections(places.selections)
        self.tools = Tools(
            open_source=self.open_source,
            mirrors=self.mirrors,
            selections=self.selections,
            chunks=chunks,
            taxonomy=taxonomy,
            clock=clock,
            locks=Locks(),
        )

    async def close(self) -> None:
        """Closes connections and files."""
        await self._client.close()
        self.mirrors.close()
        self.selections.close()

    async def forget_all_but(self, registries: Iterable[Registry]) -> None:
        """Removes what registries that are gone left on this disk, and the mirrors that nobody uses any more."""
        alive = {registry.uid: await self._mirror_used_by(registry) for registry in registries}
        self.mirrors.prune(set(alive.values()))
        for uid in self.selections.uids() - alive.keys():
            self.selections.forget(uid)

    async def _mirror_used_by(self, registry: Registry) -> str:
        """The mirror of its source; while that cannot be opened, the one that was used last."""
        try:
            return (await self.open_source(registry)).mirror_key
        except ThvError:  # its status says what is wrong
            if registry.uid not in self.selections.uids():
                return ""
            with self.selections.using(registry.uid) as selection:
                return selection.basis().mirror

    async def open_source(self, registry: Registry) -> Opened:
        """The source of a registry, and the key of the mirror that it shares with equal ones."""
        source = await self._source(registry)
        identity = f"{source.origin}\0{credential_identity(registry)}"
        return Opened(source, digest_of(identity.encode()).removeprefix("sha256:")[:32])

    async def _source(self, registry: Registry) -> Source:
        spec = registry.spec.source
        reader = NamespaceReader(
            self.resources, self._chunks, registry.namespace, reader=self._reach.reader
        )
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
            case SourceType.FILE if spec.file and self._reach.open_file:
                return self._reach.open_file(spec.file)
            case _:
                raise ThvError(
                    Code.SOURCE_TYPE_UNSUPPORTED,
                    f'spec.source.type "{spec.type.value}" is not supported yet',
                    hint=f"Use {', '.join(self._supported)}.",
                )

    async def _neighbour(self, registry: Registry, reader: NamespaceReader) -> str:
        """The registry of the namespace that is the source, if there is one of that name."""
        name = neighbour_of(registry)
        if not name:
            return ""
        if not is_reference(registry) and await reader.find(name) is None:
            return ""
        await require_no_cycle(registry, reader.find)
        return name

    @property
    def _supported(self) -> list[str]:
        return ["configmap", "url", "git", "registry", *(["file"] if self._reach.open_file else [])]

    @property
    def _crawl(self) -> CrawlSettings:
        return CrawlSettings(backoff=self._reach.fetch_backoff)

    def _web(self, reader: NamespaceReader) -> Web:
        return Web(
            client=self._client,
            read_secret=reader.secret,
            read_config_map=reader.config_map,
            now=self._clock,
            allow=self._reach.allow(),
            trust=self._reach.trust(),
            denied_hint=self._reach.denied_hint,
        )

    def _git(self, reader: NamespaceReader) -> GitAccess:
        self._places.git.mkdir(mode=0o700, parents=True, exist_ok=True)
        return GitAccess(
            git=Git(scratch=self._places.git, limits=self._reach.git),
            read_secret=reader.secret,
            read_config_map=reader.config_map,
            allow=self._reach.allow(),
            proxy=self._reach.proxy,
            trust=self._reach.trust(),
            denied_hint=self._reach.denied_hint,
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
