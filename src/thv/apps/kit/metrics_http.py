"""What a door tells of its requests, and of whom it lets in.

In the flow: `HttpServer` tells of each request, `watched` of each decision, `Timed` of each question to the API
server. A label is a word of ours: templates of routes, never a path, a server or a user.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Iterator, Sequence

from thv.apps.kit.http.dispatch import Access, Authorize, Context, Verdict
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.metrics import Counter, Family, Histogram, Kind, Labels, Metric, Told
from thv.apps.kit.reviews import Identity, Reviews
from thv.domain.access import Action

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_REFUSALS = {
    Word.UNAUTHENTICATED: "unauthenticated",
    Word.INVALID_TOKEN: "invalid_token",
    Word.NAMESPACE_ACCESS_DENIED: "forbidden",
    Word.AUTHORIZER_UNAVAILABLE: "unavailable",
}
_REQUESTS = Family(
    "thv_http_requests_total",
    Kind.COUNTER,
    "Requests that were answered.",
    ("door", "route", "method", "code"),
)
_IN_FLIGHT = Family(
    "thv_http_requests_in_flight", Kind.GAUGE, "Requests that are being answered.", ("door",)
)
_ALLOWED = "allowed"


class HttpFigures:
    """The figures of one door; it is the meter of its server."""

    def __init__(self, door: str) -> None:
        self._door = door
        self._in_flight = 0
        self._ended: dict[tuple[str, str, int], int] = {}
        self._durations = Histogram(
            "thv_http_request_duration_seconds",
            "Seconds from a request to the end of its answer.",
            *("door", "route", "method"),
            bounds=_SECONDS,
        )
        self._cache = Counter(
            "thv_http_cache_total",
            "Requests of clients that have an older answer: hit when it is still good.",
            *("door", "result"),
        )
        self._auth = Counter(
            "thv_auth_requests_total",
            "Requests for which somebody had to be allowed, by how that ended.",
            *("door", "result"),
        )
        self._decisions = Counter(
            "thv_authz_decisions_total",
            "What the API server said about rights; a remembered answer is not counted again.",
            *("resource", "verb", "result"),
        )
        self._reviews = Histogram(
            "thv_authorizer_duration_seconds",
            "Seconds that the API server took to say who somebody is or what they may do.",
            "kind",
            bounds=_SECONDS,
        )
        for result in (_ALLOWED, *_REFUSALS.values()):
            self._auth.add(door, result, amount=0)

    @property
    def metrics(self) -> Sequence[Metric]:
        """All of them."""
        return (
            Told(_REQUESTS, self._requests),
            self._durations,
            Told(_IN_FLIGHT, lambda: [((self._door,), self._in_flight)]),
            self._cache,
            self._auth,
            self._decisions,
            self._reviews,
        )

    # ------------------------------------------------------------ requests

    def begun(self) -> None:
        """A request came."""
        self._in_flight += 1

    def ended(self, request: Request, context: Context, status: int, seconds: float) -> None:
        """It was answered, or the client went before."""
        self._in_flight -= 1
        method = request.method if request.method in _METHODS else "other"
        route = context.route or "none"
        key = (route, method, status)
        self._ended[key] = self._ended.get(key, 0) + 1
        self._durations.observe(seconds, self._door, route, method)
        if request.headers.get(b"if-none-match") and status in (200, 304):
            self._cache.add(self._door, "hit" if status == 304 else "miss")

    def _requests(self) -> Iterator[tuple[Labels, float]]:
        for (route, method, status), count in self._ended.items():
            yield (self._door, route, method, str(status)), count

    # ------------------------------------------------------------ who may

    def watched(self, authorize: Authorize) -> Authorize:
        """The same, counted."""
        door = self._door

        def counted(request: Request, access: Access) -> Verdict | Awaitable[Verdict]:
            verdict = authorize(request, access)
            if verdict is None:
                self._auth.add(door, _ALLOWED)
                return None
            return self._counted(verdict) if isinstance(verdict, ProblemError) else later(verdict)

        async def later(verdict: Awaitable[Verdict]) -> Verdict:
            return self._counted(await verdict)

        return counted

    def _counted(self, verdict: Verdict) -> Verdict:
        self._auth.add(self._door, _result(verdict))
        return verdict

    def decided(self, action: Action, result: str) -> None:
        """The API server said what somebody may do."""
        self._decisions.add(action.resource, action.verb, result)

    def asked(self, kind: str, seconds: float) -> None:
        """The API server was asked."""
        self._reviews.observe(seconds, kind)


def _result(problem: ProblemError | None) -> str:
    return _ALLOWED if problem is None else _REFUSALS.get(problem.word, "refused")


class Timed:
    """Reviews whose answers are counted and timed."""

    def __init__(self, reviews: Reviews, figures: HttpFigures) -> None:
        self._reviews = reviews
        self._figures = figures

    async def identity(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Whose token this is."""
        began = time.perf_counter()
        try:
            return await self._reviews.identity(token, audiences)
        finally:
            self._figures.asked("tokenreview", time.perf_counter() - began)

    @property
    def revision(self) -> int:
        """That of the reviews."""
        return self._reviews.revision

    async def allows(self, who: Identity, action: Action) -> bool:
        """Whether this one may do that."""
        began, result = time.perf_counter(), "unavailable"
        try:
            allowed = await self._reviews.allows(who, action)
            result = "allowed" if allowed else "denied"
        finally:
            self._figures.asked("subjectaccessreview", time.perf_counter() - began)
            self._figures.decided(action, result)
        return allowed
