"""A registry as it is served: what is said of it, and the read model that answers.

In the flow: `follow` changes it, handlers read it. A model that was replaced as a whole stays here for as long
as cursors into it are good.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from thv.apps.kit.http.problems import ProblemError, Word
from thv.domain.registry import Registry, SourceType
from thv.stores.models.bodies import MARK, Publication
from thv.stores.models.pool import Pool
from thv.stores.models.prune import GRACE
from thv.stores.models.query import Form, Own
from thv.stores.models.view import Model, View

Clock = Callable[[], float]
"""Unix seconds."""

_AUTHORITY_END = re.compile(r"[/?#]")
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")

OFFICIAL_HOST = "registry.modelcontextprotocol.io"


class Seal(msgspec.Struct, frozen=True):
    """What goes into every body of a registry, by form."""

    official: bytes
    toolhive: bytes
    tag: str
    """Short hash of both."""

    def of(self, form: Form) -> bytes:
        """What stands for the mark in this form."""
        return self.toolhive if form is Form.TOOLHIVE else self.official

    def on(self, form: Form, body: bytes) -> bytes:
        """A body with it."""
        return body.replace(MARK, self.of(form))


def seal_of(publication: Publication) -> Seal:
    """The seal of what a registry says."""
    official, toolhive = publication.official(), publication.toolhive()
    return Seal(official, toolhive, hashlib.sha256(official + toolhive).hexdigest()[:12])


class Served:
    """One registry."""

    def __init__(self, registry: Registry, pool: Pool, path: Path, clock: Clock) -> None:
        """`path` is the folder of its read model."""
        self._pool = pool
        self._path = path
        self._clock = clock
        self._retired: list[tuple[Model, float]] = []
        self._changed = asyncio.Event()
        self._seals: dict[str, Seal] = {}
        self.registry = registry
        self.trouble = ""
        """Why the newest snapshot is not served, `""` while it is."""

    @property
    def path(self) -> Path:
        """The folder of its read model."""
        return self._path

    @property
    def owner(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.registry.namespace, self.registry.name

    @property
    def own(self) -> Own:
        """As queries know it."""
        return Own(*self.owner, self.registry.spec.trust_level.value)

    @property
    def display_name(self) -> str:
        """The title for people."""
        return self.registry.spec.display_name or self.registry.name

    @property
    def is_from_official(self) -> bool:
        """Whether its content comes from the official registry."""
        return source_host(self.registry).lower() == OFFICIAL_HOST

    def describe(self, registry: Registry) -> None:
        """Takes what the registry says of itself now."""
        self.registry = registry
        self._seals.clear()

    def changed(self, *, rebuilt: bool) -> None:
        """Another snapshot was applied; a model that was replaced is kept for those who page through it."""
        now = self._clock()
        self._forget(now)
        if rebuilt:
            old = self._pool.forget(self._path)
            if old is not None:
                self._retired.append((old, now + GRACE))
        else:
            self._pool.refresh(self._path)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    @property
    def model(self) -> Model | None:
        """The model that answers, None before the first snapshot."""
        return self._pool.model(self._path)

    def view(self) -> View:
        """What is served now; raises SNAPSHOT_UNAVAILABLE before the first snapshot."""
        model = self.model
        if model is None:
            raise ProblemError(
                Word.SNAPSHOT_UNAVAILABLE,
                "Nothing was synchronized yet.",
                retry_after=5,
                hint=f"See why: thv registry status {self.registry.name} -n {self.registry.namespace}",
            )
        return model.view()

    def view_of(self, content: str) -> View:
        """What was served when a cursor was given; raises CURSOR_EXPIRED."""
        current, now = self.view().model, self._clock()
        self._forget(now)
        for model in (current, *(model for model, _ in reversed(self._retired))):
            found = model.view_of(content, now)
            if found is not None:
                return found
        raise ProblemError(
            Word.CURSOR_EXPIRED,
            "The content changed since this list was begun, and its old state is gone.",
            field="cursor",
            hint="Begin again without cursor.",
        )

    def seal(self, view: View) -> Seal:
        """What every body of this generation gets."""
        digest = view.generation.digest
        seal = self._seals.get(digest)
        if seal is None:
            publication = self._publication(digest)
            seal = self._seals[digest] = seal_of(publication)
        return seal

    async def wait_for_change(self, seconds: float) -> None:
        """Returns when something else is served, or after so many seconds."""
        with suppress(TimeoutError):  # see `Controller`: asyncio.wait_for may lose a cancellation
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _publication(self, digest: str) -> Publication:
        return Publication(
            namespace=self.registry.namespace,
            name=self.registry.name,
            display_name=self.display_name,
            trust_level=self.registry.spec.trust_level.value,
            snapshot=digest,
            synced_at=self.registry.status.sync_status.last_sync_time,
        )

    def _forget(self, now: float) -> None:
        # A model closes itself when the last one lets go of it, which may be an export under way.
        self._retired = [(model, until) for model, until in self._retired if until > now]


def source_host(registry: Registry) -> str:
    """The host that the content comes from, `""` when it comes from none."""
    source = registry.spec.source
    match source.type:
        case SourceType.URL:
            text = source.url.url if source.url else ""
        case SourceType.REGISTRY:
            text = source.registry.url if source.registry else ""
        case SourceType.GIT:
            text = source.git.repository if source.git else ""
        case SourceType.OCI:
            return source.oci.reference.partition("/")[0] if source.oci else ""
        case SourceType.CONFIGMAP | SourceType.FILE:
            return ""
    return _host(text)


def source_name(registry: Registry) -> str:
    """What the content is called where it comes from, `""` where it is only an address.

    A registry, a ConfigMap, a file and a repository have names; nothing else of a path, which may be a secret.
    """
    source = registry.spec.source
    match source.type:
        case SourceType.REGISTRY:
            found = source.registry.registry_ref if source.registry else None
            return found.name if found else ""
        case SourceType.CONFIGMAP:
            return source.config_map.name if source.config_map else ""
        case SourceType.FILE:
            return _last_part(source.file.path) if source.file else ""
        case SourceType.GIT:
            return _last_part(source.git.repository).removesuffix(".git") if source.git else ""
        case SourceType.URL | SourceType.OCI:
            return ""


def _last_part(path: str) -> str:
    """Of a path, or of an address without its query."""
    return re.split("[/:]", re.split("[?#]", path)[0].rstrip("/"))[-1]


def _host(text: str) -> str:
    """The host of a URL, or of `user@host:path`; nothing of what stands before it, which may be a password."""
    _, is_url, rest = text.partition("://")
    if not is_url:
        return text.rpartition("@")[2].partition(":")[0]
    host = _AUTHORITY_END.split(rest, maxsplit=1)[0].rpartition("@")[2]
    return host if _HOST.fullmatch(host) else ""
