"""The source kind `url`: a document behind a URL; where there is none, a registry API of the same origin.

In the flow: before `formats`. A document is streamed and never held here. When the URL answers 404, or the caller
finds that the body is no registry document, `/v0.1/servers` of the same origin is asked once; if that is a
registry API, it is paged from then on, and `Known.resolved_url` says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec

from thv.clients.http.response import Limits, Response
from thv.clients.http.url import Url
from thv.domain import registry as specs
from thv.domain.errors import Code, ThvError
from thv.sources.base import Document, Fetched, Known, Pages, Part, Unchanged
from thv.sources.crawl import crawl
from thv.sources.envelope import parse_envelope
from thv.sources.paging import CrawlSettings, Endpoint, Pager, etag_of
from thv.sources.web import Session, Web, origin_of


class UrlSource:
    """What `spec.source.url.url` answers."""

    def __init__(
        self,
        spec: specs.UrlSource,
        web: Web,
        limits: Limits = Limits(),  # noqa: B008  # a frozen value
        settings: CrawlSettings = CrawlSettings(),  # noqa: B008  # a frozen value
    ) -> None:
        """`limits` are those of a document, `settings` those of a discovered API."""
        self._spec = spec
        self._web = web
        self._limits = limits
        self._settings = settings

    @property
    def origin(self) -> str:
        """URL and plain headers; Secrets have no part in it."""
        return origin_of("url", self._spec.url, self._spec.headers)

    async def fetch(self, known: Known) -> Fetched:
        """The document, unless the other side says that it is unchanged; or the API that was discovered."""
        if known.origin != self.origin:
            known = Known(origin=self.origin)
        session = await self._web.session(self._spec, self._limits)
        place = api_of(session.url)
        if place.url.path == session.url.path:
            return await self._crawl(place, known)
        if known.resolved_url == str(place.url):
            try:
                return await self._crawl(place, known)
            except ThvError as e:
                if e.code is not Code.SOURCE_NOT_FOUND:
                    raise
                known = Known(origin=self.origin)
        try:
            return await self._document(session, known)
        except ThvError as e:
            if e.code is not Code.SOURCE_NOT_FOUND:
                raise
            pages = await self.discover()
            if pages is None:
                e.hint = "the URL must lead to a document, or to the base of a registry API"
                raise
            return pages

    async def discover(self) -> Pages | None:
        """The registry API of the same origin, None when there is none.

        For a caller whose parser found no registry document in what `fetch` gave; nothing of that is kept.
        """
        session = await self._web.session(self._spec, self._settings.limits)
        place = api_of(session.url)
        if not await _is_api(session, place):
            return None
        found = await self._crawl(place, Known(origin=self.origin))
        return found if isinstance(found, Pages) else None

    async def _crawl(self, place: Endpoint, known: Known) -> Pages | Unchanged:
        session = await self._web.session(self._spec, self._settings.limits)
        pager = Pager(session, place, self._settings)
        return await crawl(pager, known, origin=self.origin, versions="latest")

    async def _document(self, session: Session, known: Known) -> Document | Unchanged:
        validators = _validators(known)
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(session.get(session.url, validators))
            response.require(*((200, 304) if validators else (200,)))
            fresh = self._known_of(response)
            if response.status == 304:
                return Unchanged(_freshened(known, fresh))
            # Whoever drops the document unread drops the stack, and with it the connection.
            return Document(fresh, _parts(session, response, stack.pop_all()))

    def _known_of(self, response: Response) -> Known:
        etag = etag_of(response)
        modified = response.headers.get("last-modified", "")[:64]
        return Known(
            origin=self.origin,
            revision=etag or modified,
            etag=etag,
            last_modified=modified,
            resolved_url=str(response.url) if response.redirected else "",
        )


_OWN_LIST = "/api/v1/servers"


def api_of(given: Url) -> Endpoint:
    """The registry API that the URL itself names, the one beside our own list, else the one at the root."""
    path = given.path.rstrip("/")
    if path.endswith(("/v0.1/servers", "/v0/servers")):
        return Endpoint(given.at(given.path, given.parameters), official=True)
    base = path.removesuffix(_OWN_LIST) if path.endswith(_OWN_LIST) else ""
    return Endpoint(given.at(f"{base}/v0.1/servers"), official=True)


async def _parts(
    session: Session, response: Response, stack: AsyncExitStack
) -> AsyncIterator[Part]:
    async with stack:
        name = response.url.path.rpartition("/")[2] or "document"
        yield Part(name, session.chunks(response), response.size)


async def _is_api(session: Session, place: Endpoint) -> bool:
    """One request; no other origin is contacted, whatever the answer says."""
    url = place.url.asking([("limit", "1")])
    try:
        async with session.get(url, {"Accept": "application/json"}, redirects=0) as response:
            response.require(200)
            parse_envelope(await response.body(), str(url))
    except ThvError:
        return False
    return True


def _validators(known: Known) -> dict[str, str]:
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in headers.items() if value}


def _freshened(known: Known, fresh: Known) -> Known:
    """A 304 may name newer validators; what it leaves out stays."""
    return msgspec.structs.replace(
        known,
        etag=fresh.etag or known.etag,
        last_modified=fresh.last_modified or known.last_modified,
    )
