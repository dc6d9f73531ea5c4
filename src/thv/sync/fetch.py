"""Fetch and parse: brings a mirror up to what its source holds.

In the flow: first and second step of a sync. Entries go into the mirror batch by batch as they are parsed, so
that memory is flat and a long first run goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import msgspec

from thv.domain.entry import Entry
from thv.domain.errors import Code, ThvError
from thv.formats.documents import (
    DocumentReader,
    FolderReader,
    Format,
    Found,
    Item,
    Rejected,
    items_of,
)
from thv.formats.folder import UnreadableFileError, parse_file
from thv.sources.base import Document, Known, Page, Pages, Part, Source, Unchanged
from thv.stores.mirrors.base import Mirror, MirrorRun, Problem
from thv.stores.threads import in_thread

T = TypeVar("T")

BATCH = 25
FOLDER_FILE_LIMIT = 4 << 20
_LARGE_FILE = 64 << 10
_READING = ThreadPoolExecutor(1, "reading")
"""Its one thread begins with the first large file; several at once would take several times the memory."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a fetch has come."""

    pages: int = 0
    entries: int = 0
    total: int | None = None
    """Entries to expect, where somebody knows."""
    done: float | None = None
    """The share that is done, 0 to 1, where it can be told."""
    cursor: str = ""


Report: TypeAlias = Callable[[Progress], None]
"""Called after each batch; must not block."""


@runtime_checkable
class Discovering(Protocol):
    """A source that can look for a registry API where it found no document."""

    async def discover(self) -> Pages | None: ...


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a source: what to expect, what is known, whom to tell."""

    mirror: Mirror
    expected: Format | None
    known: Known
    now: Callable[[], str]
    report: Report


def dump_known(known: Known) -> bytes:
    """As a mirror keeps it."""
    return msgspec.json.encode(known)


def load_known(raw: bytes) -> Known:
    """As a source reads it; nothing known is an empty one."""
    return msgspec.json.decode(raw, type=Known) if raw else Known()


_ONE_PAGE = Rejected(
    "metadata.nextCursor",
    "",
    "the document is one page of several and the others are not read; give the base URL of the API",
)


async def fetch(source: Source, look: Look) -> bool:
    """Brings the mirror up to date; False when the source said that nothing changed."""
    fetched = await source.fetch(look.known)
    match fetched:
        case Unchanged():
            look.mirror.looked(dump_known(fetched.known), look.now())
            return False
        case Pages():
            await _read_pages(fetched, look)
        case Document():
            try:
                await _read_document(fetched, look, remote=isinstance(source, Discovering))
            except ThvError as error:
                await _read_pages(await _discovered(source, error), look)
    return True


async def _discovered(source: Source, error: ThvError) -> Pages:
    """What was no document may be the front of a registry API; else the document's error stands."""
    if error.code is Code.FORMAT_UNSUPPORTED and isinstance(source, Discovering):
        pages = await source.discover()
        if pages is not None:
            return pages
    raise error


async def _read_pages(pages: Pages, look: Look) -> None:
    """What may be the last page waits for the next one: only the end of the run may keep the last `known`."""
    known = look.known
    held: Page | None = None
    run_of = partial(look.mirror.run, complete=pages.complete, document=False)
    async with _closing(pages.pages) as every:
        with run_of(resumed=pages.resumed) as run:
            async for page in every:
                await in_thread(_stage, held, run)
                held = None if page.known.cursor else page
                if held is None:
                    await in_thread(_stage, page, run)
                known = page.known
                look.report(_page_progress(page, run, held))
                await look.mirror.settle()
            found, problems = _parted(_items(held, run))
            finish = partial(
                run.finish, format_=Format.UPSTREAM.value, entries=found, problems=problems
            )
            await in_thread(finish, dump_known(known), look.now())
            await look.mirror.settle()


def _stage(page: Page | None, run: MirrorRun) -> None:
    if page is not None:
        run.stage(*_parted(_items(page, run)), dump_known(page.known))


def _items(page: Page | None, run: MirrorRun) -> Iterable[Item]:
    return items_of(page.items, f"page {run.batches + 1}") if page is not None else ()


def _page_progress(page: Page, run: MirrorRun, held: Page | None) -> Progress:
    entries = run.read + len(held.items if held else ())
    return Progress(
        pages=run.batches + (held is not None),
        entries=entries,
        total=page.total,
        done=min(1.0, entries / page.total) if page.total else None,
        cursor=page.known.cursor,
    )


async def _read_document(document: Document, look: Look, *, remote: bool) -> None:
    """The validators of a document count only once it was read to its end."""
    reading = _Reading(look.expected, folder=document.folder, remote=remote)
    entries = 0
    async with _closing(document.parts) as parts, _closing(reading.items(parts)) as items:
        with look.mirror.run(complete=True, document=True) as run:
            async for batch in _batches(items):
                entries += sum(isinstance(item, Found) for item in batch)
                await in_thread(run.stage, *_parted(batch), dump_known(look.known))
                look.report(Progress(entries=entries, done=reading.done()))
                await look.mirror.settle()
            if not entries:
                raise ThvError(
                    Code.EMPTY,
                    "the document holds no entries",
                    hint="An empty document never replaces content; delete the registry if that is meant.",
                )
            finish = partial(run.finish, format_=reading.format)
            await in_thread(finish, dump_known(document.known), look.now())
            await look.mirror.settle()


@asynccontextmanager
async def _closing(iterator: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Ends a generator that was left in the middle here and now, and with it the connection that it holds.

    Left to the garbage collector, generators within each other are ended all at once, and get in each other's way.
    """
    try:
        yield iterator
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


class _Reading:
    """Turns the parts of a document into items and counts the bytes."""

    def __init__(self, expected: Format | None, *, folder: bool, remote: bool) -> None:
        """`remote`: where the document is, there may be an API with the rest of it."""
        self._expected = expected
        self._remote = remote
        self._folder = folder
        self._size: int | None = None
        self._read = 0
        self.format = Format.TOOLHIVE.value

    def done(self) -> float | None:
        """The share of bytes that was read."""
        return min(1.0, self._read / self._size) if self._size else None

    async def items(self, parts: AsyncIterator[Part]) -> AsyncIterator[Item]:
        """The items of all parts."""
        folder = FolderReader(self._expected) if self._folder else None
        async for part in parts:
            async with _closing(part.chunks), _closing(self._items(part, folder)) as items:
                async for item in items:
                    yield item
        if folder is not None:
            folder.close()

    async def _items(self, part: Part, folder: FolderReader | None) -> AsyncIterator[Item]:
        if folder is not None:
            yield await _aside(folder.read_file, part.path, await self._whole(part))
        elif part.path.endswith((".yaml", ".yml")):
            value, text = await _aside(_yaml, part.path, await self._whole(part))
            for item in self._yaml(part.path, value, text):
                yield item
        else:
            async with _closing(self._document(part)) as items:
                async for item in items:
                    yield item

    async def _document(self, part: Part) -> AsyncIterator[Item]:
        self._size = part.size
        document = DocumentReader(self._expected)
        async for chunk in part.chunks:
            self._read += len(chunk)
            for item in document.feed(chunk):
                yield item
        for item in document.close():
            yield item
        if self._remote and document.goes_on:
            yield _ONE_PAGE
        self._noted(document)

    def _yaml(self, path: str, value: Any, text: bytes) -> Iterator[Item]:
        """One ToolHive entry in YAML, or any document that JSON could hold as well."""
        if isinstance(value, dict) and value.keys().isdisjoint(
            ("servers", "remote_servers", "data")
        ):
            yield FolderReader(self._expected).read(path, value)
            return
        document = DocumentReader(self._expected)
        yield from document.feed(text)
        yield from document.close()
        self._noted(document)

    def _noted(self, document: DocumentReader) -> None:
        if document.container is not None:
            self.format = document.container.written_in.value

    async def _whole(self, part: Part) -> bytes:
        content = bytearray()
        async for chunk in part.chunks:
            content += chunk
            if len(content) > FOLDER_FILE_LIMIT:
                raise ThvError(
                    Code.SIZE_LIMIT_EXCEEDED,
                    f"{part.path} is larger than {FOLDER_FILE_LIMIT} bytes",
                )
        return bytes(content)


async def _aside(read: Callable[[str, bytes], T], path: str, content: bytes) -> T:
    """What is large is read beside everything else that goes on, one file after the other."""
    if len(content) < _LARGE_FILE:
        return read(path, content)
    return await asyncio.get_running_loop().run_in_executor(_READING, read, path, content)


def _yaml(path: str, content: bytes) -> tuple[Any, bytes]:
    """The value, and the same as JSON."""
    try:
        value = parse_file(path, content)
        return value, msgspec.json.encode(value)
    except UnreadableFileError as error:
        raise ThvError(Code.FORMAT_INVALID, f"{path} is not valid YAML: {error}") from error
    except (TypeError, ValueError) as error:
        raise ThvError(Code.FORMAT_INVALID, f"{path} holds what JSON cannot say") from error


async def _batches(items: AsyncIterator[Item]) -> AsyncIterator[list[Item]]:
    batch: list[Item] = []
    async for item in items:
        batch.append(item)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _parted(items: Iterable[Item]) -> tuple[list[Entry], list[Problem]]:
    """What was found, and what could not be read."""
    found, problems = [], []
    for item in items:
        if isinstance(item, Rejected):
            problems.append(Problem(item.place, item.name, item.reason))
        else:
            found.append(item.entry)
    return found, problems
