"""The interface of every source.

In the flow: `sync` asks a source for what is new since it last looked; the source answers "nothing", one
document, or pages; `formats` reads either. A source that can tell cheaply that nothing changed must do so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a source left behind after the last look, kept for it by the caller; it alone reads these fields.

    Holds no secret. A source ignores and replaces a `Known` whose `origin` is not its own.
    """

    origin: str = ""
    """Which content this is about: the spec of the source without credentials."""
    revision: str = ""
    """What a person sees as the revision: a commit, a digest, a watermark."""
    etag: str = ""
    last_modified: str = ""
    stamp: str = ""
    """Identity of a local file: device, inode, size, modification time in nanoseconds."""
    resolved_url: str = ""
    """The URL that really answered, where the given one was not it."""
    watermark: str = ""
    """Increments ask for what was updated after this time (RFC 3339)."""
    cursor: str = ""
    """An unfinished run goes on behind this page; `""` when none is unfinished."""
    began: str = ""
    """When the unfinished run began (RFC 3339); its start is the next watermark."""
    completed: str = ""
    """When everything was last read from end to end (RFC 3339)."""


class Unchanged(msgspec.Struct, frozen=True):
    """The content is what it was; `known` may carry fresher validators."""

    known: Known


class Part(msgspec.Struct, frozen=True):
    """One file of a document: the only one, or one of a folder."""

    path: str
    """Relative path for people and for errors."""
    chunks: AsyncIterator[bytes]
    """The bytes, already unpacked, bounded in total by the source; read them in order and at once."""
    size: int | None = None
    """Bytes to expect, for progress; None when the other side did not say."""


class Document(msgspec.Struct, frozen=True):
    """The whole content as one or several files, to be read once, in order."""

    known: Known
    """To keep once the document was read to its end."""
    parts: AsyncIterator[Part]
    folder: bool = False
    """True when the parts are single ToolHive entries of one folder."""


class Page(msgspec.Struct, frozen=True):
    """Some entries, each still the bytes of one JSON object, and where to go on."""

    items: tuple[msgspec.Raw, ...]
    known: Known
    """To keep together with the items: a later fetch goes on behind this page."""
    total: int | None = None
    """Entries of the whole run where the other side said so, for progress."""


class Pages(msgspec.Struct, frozen=True):
    """Entries page by page."""

    pages: AsyncIterator[Page]
    complete: bool
    """True: what no page holds is gone. False: only what changed is listed; deletions come as status."""
    resumed: bool = False
    """True when this run goes on where an earlier one stopped."""


Fetched: TypeAlias = Unchanged | Document | Pages


class Source(Protocol):
    """A place that a registry comes from.

    Raises `ThvError` with a code of the source group; never anything else that the outside caused.
    """

    @property
    def origin(self) -> str:
        """What identifies the content, credentials aside: equal origins may share one fetch."""
        ...

    async def fetch(self, known: Known) -> Fetched:
        """What is new since `known`; `Known()` asks for everything."""
        ...


@runtime_checkable
class Glancing(Protocol):
    """A source that can be looked at for next to nothing, as often as every second."""

    async def glance(self) -> str:
        """Another text when there is something new, or something new is wrong; never raises."""
        ...


class SecretData(msgspec.Struct, frozen=True):
    """What a Secret holds, and the hosts that its owner binds it to."""

    values: dict[str, bytes]
    allowed_hosts: tuple[str, ...] = ()
    """The annotation `allowed-hosts`: names and `*.example.com`; empty: the host of each source that names it."""

    def __repr__(self) -> str:
        return f"SecretData({', '.join(sorted(self.values))})"


ReadSecret: TypeAlias = Callable[[str], Awaitable[SecretData]]
"""Reads a Secret of the registry's namespace by name; raises SECRET_NOT_FOUND or SECRET_FORBIDDEN."""


class ConfigMapData(msgspec.Struct, frozen=True):
    """What a ConfigMap holds, data and binaryData alike, and which version of it that is."""

    values: dict[str, bytes]
    resource_version: str = ""


ReadConfigMapData: TypeAlias = Callable[[str], Awaitable[ConfigMapData]]
"""Like `ReadConfigMap`, for whoever needs to know the version as well."""

ReadConfigMap: TypeAlias = Callable[[str], Awaitable[dict[str, bytes]]]
"""Reads data and binaryData of a ConfigMap of the registry's namespace by name; raises SOURCE_NOT_FOUND."""
