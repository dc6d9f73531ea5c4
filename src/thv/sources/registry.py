"""The source kind `registry`: another registry, by its API.

In the flow: before `formats`; a registry of the same namespace is read from its snapshot instead and never comes
here. Any server of the official API fits, at `/v0.1` or `/v0`, and our own list at `/api/v1/servers`.
"""

from __future__ import annotations

from thv.clients.http.url import Url
from thv.domain import registry as specs
from thv.domain.errors import Code, ThvError
from thv.sources.base import Fetched, Known
from thv.sources.crawl import crawl
from thv.sources.paging import CrawlSettings, Endpoint, Pager
from thv.sources.web import Web, origin_of


class RegistrySource:
    """A registry behind `spec.source.registry.url`."""

    def __init__(
        self,
        spec: specs.RegistrySource,
        web: Web,
        settings: CrawlSettings = CrawlSettings(),  # noqa: B008  # a frozen value
    ) -> None:
        self._spec = spec
        self._web = web
        self._settings = settings

    @property
    def origin(self) -> str:
        """URL, versions and plain headers; Secrets have no part in it."""
        return origin_of("registry", self._spec.url, self._spec.versions, self._spec.headers)

    async def fetch(self, known: Known) -> Fetched:
        """Everything page by page at first, later what was updated since."""
        if known.origin != self.origin:
            known = Known(origin=self.origin)
        session = await self._web.session(self._spec, self._settings.limits)
        for endpoint in ordered(session.url, known):
            pager = Pager(session, endpoint, self._settings)
            try:
                return await crawl(pager, known, origin=self.origin, versions=self._spec.versions)
            except ThvError as e:
                if e.code is not Code.SOURCE_NOT_FOUND:
                    raise
                missing = e
        raise ThvError(
            Code.SOURCE_NOT_FOUND,
            f"there is no registry API at {session.url}: {missing.message}",
            hint="give the base of an official registry API, or /api/v1/servers of one of ours",
            details=missing.details,
        )


def endpoints(given: Url) -> tuple[Endpoint, ...]:
    """The places at which a URL that a person gave may mean a list, the likeliest first."""
    path = given.path.rstrip("/")
    for ending in ("/v0.1/servers", "/v0/servers"):
        if path.endswith(ending):
            return (_official(given, path),)
    for ending in ("/v0.1", "/v0"):
        if path.endswith(ending):
            return (_official(given, f"{path}/servers"),)
    if path.endswith("/api/v1/servers"):
        base = path.removesuffix("/api/v1/servers")
        return _official(given, f"{base}/v0.1/servers"), Endpoint(given, official=False)
    return _official(given, f"{path}/v0.1/servers"), _official(given, f"{path}/v0/servers")


def ordered(given: Url, known: Known) -> list[Endpoint]:
    """The place that answered last time first."""
    places = endpoints(given)
    answered = known.watermark or known.cursor
    return sorted(
        places,
        key=lambda place: bool(answered) and place.resolved(given) != known.resolved_url,
    )


def _official(given: Url, path: str) -> Endpoint:
    return Endpoint(given.at(path, given.parameters), official=True)
