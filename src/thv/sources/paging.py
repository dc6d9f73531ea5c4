"""The pages of a registry API, one by one: asked politely, tried several times, stopped when they lead nowhere.

In the flow: below a crawl, which decides what to ask for and what the pages mean.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import msgspec

from thv.clients.http.response import Limits, Response
from thv.clients.http.url import Url
from thv.domain.errors import Code, ThvError
from thv.sources.envelope import Envelope, parse_envelope
from thv.sources.web import Session, parse_http_date

T = TypeVar("T")

_RETRIED = frozenset(
    {Code.SOURCE_UNREACHABLE, Code.SOURCE_TIMEOUT, Code.RATE_LIMITED, Code.FORMAT_INVALID}
)
_COSTLY = frozenset({Code.SOURCE_TIMEOUT, Code.FORMAT_INVALID})
_LEAST_COST = 16 * 1024


class CrawlSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds and manners of a run; seconds and bytes."""

    limits: Limits = Limits(total=30.0, body_bytes=16 * 1024 * 1024)
    """Of each page."""
    page_size: int = 100
    tries: int = 10
    """Of each page: of those servers that fail three requests of ten, one run in thousands ends by that."""
    costly_tries: int = 4
    """Of a page that does not come in time, or cannot be read: more of them take long, or are in vain."""
    backoff: float = 0.1
    """Before the second try; doubles, with jitter."""
    longest_backoff: float = 1.0
    """To which it doubles."""
    patience: float = 30.0
    """The longest Retry-After that is waited for; a longer one ends the run, which goes on later."""
    overlap: float = 300.0
    """Increments reach back that far behind the start of the last run: clocks differ, caches are old."""
    full_every: float = 24 * 3600.0
    """Time between runs that read everything."""
    run_bytes: int = 2 * 1024**3
    """Of all pages of a run; a page counts at least 16 KiB, so that a chain of empty pages ends too."""
    refetches: int = 1_000
    """Names whose versions an increment reads again; beyond them the next run reads everything."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    """Between 0 and 1, for jitter."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where a registry API lists its servers."""

    url: Url
    official: bool
    """False: our own list, which knows neither increments nor deleted entries."""

    def resolved(self, given: Url) -> str:
        """How `Known` names this place: not at all when it is the URL that was given."""
        return "" if self.url.path == given.path else str(self.url)

    def versions_of(self, name: str) -> Url:
        """All versions of one name, deleted ones too."""
        path = f"{self.url.path}/{quote(name, safe='')}/versions"
        return self.url.at(path, [("include_deleted", "true")])


class Answer(msgspec.Struct, frozen=True):
    """A page as it came."""

    envelope: Envelope | None
    """None: not modified."""
    size: int = 0
    etag: str = ""
    date: datetime | None = None
    """The clock of the other side."""


class Pager:
    """Asks one registry API."""

    def __init__(self, session: Session, endpoint: Endpoint, settings: CrawlSettings) -> None:
        self.endpoint = endpoint
        self.settings = settings
        self.now = session.now
        self.resolved = endpoint.resolved(session.url)
        self._session = session
        self._answered = False

    async def page(
        self,
        parameters: tuple[tuple[str, str], ...],
        cursor: str = "",
        *,
        number: int = 1,
        etag: str = "",
    ) -> Answer:
        """One page, tried several times; `number` is for errors."""
        more = [("cursor", cursor)] if cursor else []
        url = self.endpoint.url.asking([*parameters, *more])
        return await self._tried(lambda: self._read(url, number, etag))

    async def versions_of(self, name: str) -> tuple[msgspec.Raw, ...]:
        """All versions of a name; none when the other side knows it no more."""
        url = self.endpoint.versions_of(name)
        try:
            answer = await self._tried(lambda: self._read(url, 1, ""))
        except ThvError as e:
            if e.code is Code.SOURCE_NOT_FOUND:
                return ()
            raise
        return answer.envelope.items if answer.envelope else ()

    async def _read(self, url: Url, number: int, etag: str) -> Answer:
        headers = {"Accept": "application/json"}
        if etag:
            headers["If-None-Match"] = etag
        async with self._session.get(url, headers) as response:
            self._answered = True
            response.require(*((200, 304) if etag else (200,)))
            date = parse_http_date(response.headers.get("date", ""))
            if response.status == 304:
                return Answer(None, etag=etag, date=date)
            body = await response.body()
        envelope = parse_envelope(body, f"page {number} of {url}")
        return Answer(envelope, len(body), etag_of(response), date)

    async def _tried(self, read: Callable[[], Awaitable[T]]) -> T:
        for attempt in range(self.settings.tries - 1):
            try:
                return await read()
            except ThvError as e:
                wait = pause(e, attempt, self.settings)
                if wait is None or self._nobody_is_there(e, attempt):
                    raise
                await self.settings.sleep(wait)
        return await read()

    def _nobody_is_there(self, error: ThvError, attempt: int) -> bool:
        """A server that restarts in the middle of a run is waited for; one that was never there holds up others."""
        absent = not self._answered and error.details.get("connected") is False
        return absent and attempt + 1 >= self.settings.costly_tries


class Trail:
    """The pages of a run so far: knows when they go in a circle or without end."""

    def __init__(self, endpoint: Endpoint, settings: CrawlSettings) -> None:
        self._place = str(endpoint.url)
        self._left = settings.run_bytes
        self._seen: set[int] = set()
        self.page = 0

    def step(self, envelope: Envelope, size: int) -> None:
        """Counts a page; raises when it was there before or the run is too large."""
        self.page += 1
        self._left -= max(size, _LEAST_COST)
        if self._left < 0:
            raise ThvError(
                Code.SIZE_LIMIT_EXCEEDED, f"{self._place} has no end: {self.page} pages so far"
            )
        if not envelope.cursor:  # the last page ends any circle
            return
        self._require_new("cursor", envelope.cursor)
        if envelope.items:
            first, last = bytes(envelope.items[0]), bytes(envelope.items[-1])
            self._require_new(len(envelope.items), first, last)

    def _require_new(self, *mark: object) -> None:
        """Only hashes are kept: a run has thousands of pages."""
        if hash(mark) in self._seen:
            raise ThvError(
                Code.SOURCE_UNREACHABLE,
                f"the pages of {self._place} go in a circle: page {self.page} was there before",
                details={"page": self.page},
            )
        self._seen.add(hash(mark))


def pause(error: ThvError, attempt: int, settings: CrawlSettings) -> float | None:
    """Seconds until the next try of a page, None when another try is no use now."""
    status = error.details.get("status", 0)
    refused = 400 <= status < 500 and status not in (408, 425, 429)
    if error.code not in _RETRIED or refused:
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= settings.patience else None
    if error.code in _COSTLY and attempt + 1 >= settings.costly_tries:
        return None
    longest = max(settings.longest_backoff, settings.backoff)
    return min(settings.backoff * 2.0**attempt, longest) * (0.5 + settings.chance())


def etag_of(response: Response) -> str:
    """The validator, when it may be sent back."""
    etag = response.headers.get("etag", "")
    return etag if len(etag) <= 255 and etag.isascii() and etag.isprintable() else ""
