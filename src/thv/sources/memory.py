"""The source kind `memory`: documents, pages and faults given as values.

In the flow: where a test of a flow needs a source; it keeps every promise of the interface.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from thv.domain.errors import Code, ThvError
from thv.sources.base import Document, Fetched, Known, Page, Pages, Part, Unchanged

_CHUNK = 64 * 1024


class MemorySource:
    """Answers with what was last published."""

    def __init__(self, origin: str = "memory:test") -> None:
        self._origin = origin
        self._revision = 0
        self._there = False
        self._files: dict[str, bytes] | None = None
        self._folder = False
        self._pages: list[tuple[msgspec.Raw, ...]] = []
        self._complete = True
        self._faults: deque[ThvError] = deque()
        self._fault_after: tuple[int, ThvError] | None = None
        self.fetches = 0
        """How often somebody asked."""

    @property
    def origin(self) -> str:
        return self._origin

    def publish(self, files: bytes | Mapping[str, bytes], *, folder: bool = False) -> None:
        """New content: one document, or the files of a folder."""
        self._files = {"registry.json": files} if isinstance(files, bytes) else dict(files)
        self._folder = folder
        self._renew()

    def publish_pages(self, pages: Sequence[Sequence[bytes]], *, complete: bool = True) -> None:
        """New content: pages of entries, each entry the bytes of one JSON object."""
        self._files = None
        self._pages = [tuple(msgspec.Raw(item) for item in page) for page in pages]
        self._complete = complete
        self._renew()

    def remove(self) -> None:
        """Nothing is there any more."""
        self._there = False

    def fail(self, error: ThvError, *, times: int = 1) -> None:
        """The next fetches raise this."""
        self._faults.extend([error] * times)

    def fail_after(self, pages: int, error: ThvError) -> None:
        """Reading raises once, behind so many pages or parts."""
        self._fault_after = (pages, error)

    async def fetch(self, known: Known) -> Fetched:
        self.fetches += 1
        if self._faults:
            raise self._faults.popleft()
        if not self._there:
            raise ThvError(Code.SOURCE_NOT_FOUND, f"nothing was published at {self._origin}")
        mine = known if known.origin == self._origin else Known(origin=self._origin)
        if mine.revision == str(self._revision):
            return Unchanged(mine)
        if self._files is not None:
            return Document(self._known(), self._read(self._files), self._folder)
        start = int(mine.cursor or 0)
        return Pages(self._walk(start), complete=self._complete, resumed=start > 0)

    def _renew(self) -> None:
        self._there = True
        self._revision += 1

    def _known(self, cursor: str = "") -> Known:
        return Known(
            origin=self._origin, revision="" if cursor else str(self._revision), cursor=cursor
        )

    async def _read(self, files: Mapping[str, bytes]) -> AsyncIterator[Part]:
        for number, (path, content) in enumerate(files.items()):
            self._maybe_fail(number)
            yield Part(path, _chunks(content), len(content))

    async def _walk(self, start: int) -> AsyncIterator[Page]:
        pages = self._pages or [()]
        total = sum(len(page) for page in pages)
        for number, items in enumerate(pages[start:], start):
            self._maybe_fail(number)
            following = "" if number + 1 == len(pages) else str(number + 1)
            yield Page(items, self._known(following), total)

    def _maybe_fail(self, behind: int) -> None:
        if self._fault_after is not None and behind >= self._fault_after[0]:
            error, self._fault_after = self._fault_after[1], None
            raise error


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK]
