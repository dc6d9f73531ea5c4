"""The order in which a request is checked: the first failure answers.

In the flow: host, size, route, trailing slash, method, authorization, syntax of the path, representation, query,
then the handler. Every step is a function that raises a `ProblemError` or goes on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from thv.apps.kit.http.cors import Cors
from thv.apps.kit.http.endpoints import Call, Endpoint, Target
from thv.apps.kit.http.message import NO_STORE, Answer, Request
from thv.apps.kit.http.negotiation import Offer, choose
from thv.apps.kit.http.parameters import pairs_of
from thv.apps.kit.http.paths import BadSegmentError
from thv.apps.kit.http.problems import Culprit, Family, ProblemError, Word
from thv.apps.kit.http.rates import Account, Limiter
from thv.apps.kit.http.routing import Matched, Routes
from thv.domain.access import Action
from thv.domain.permissions import READ, Permission

LINE_LIMIT = 8 * 1024
HEADER_LIMIT = 16 * 1024
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Access(msgspec.Struct, frozen=True):
    """What a request asks for: a registry, and what its endpoint needs of whoever asks."""

    namespace: str
    name: str
    needs: tuple[Permission, ...] = (READ,)
    open: bool = True
    """Whether a registry that everybody may read is open for it to callers whom nobody knows."""
    forwards: bool = False
    """Whether the token must be one that can be sent on."""

    @property
    def actions(self) -> Sequence[Action]:
        """What the caller must be allowed."""
        return [each.on(self.namespace, self.name) for each in self.needs]


Verdict: TypeAlias = ProblemError | None
"""None lets the request have what it asks for; a problem is the answer."""
Authorize: TypeAlias = Callable[[Request, Access], Verdict | Awaitable[Verdict]]
"""Decides at once where nobody has to be asked."""
UserOf: TypeAlias = Callable[[Request, Access], str]


class Mount(msgspec.Struct, frozen=True):
    """What answers below a base."""

    base: str
    routes: Routes[Target]
    place: Any
    hint: Callable[[], str]
    """What a client may have meant that asks for an unknown path."""
    owner: tuple[str, str] | None = None
    """Namespace and name of the registry, for authorization; None where there is none."""


class Dispatcher:
    """Finds the endpoint of a request and lets it answer."""

    def __init__(
        self,
        locate: Callable[[bytes], tuple[Mount, bytes]],
        *,
        cors: Cors,
        authorize: Authorize | None = None,
        hosts: frozenset[str] | None = None,
        limiter: Limiter | None = None,
        user_of: UserOf = lambda *_: "",
    ) -> None:
        """`locate` cuts the base off a raw path; `hosts` are the names that are ours, None for any.

        `user_of` names whoever was let in, `""` where nobody was asked for.
        """
        self._locate = locate
        self.limiter = limiter
        self._user_of = user_of
        self._cors = cors
        self._authorize = authorize
        self._hosts = hosts

    def has(self, path: bytes) -> bool:
        """Whether something answers at a raw path, by whatever method."""
        try:
            mount, rest = self._locate(path)
        except ProblemError:
            return True
        return mount.routes.find(rest) is not None

    def hush(self, path: bytes, context: Context) -> None:
        """Lets the context learn that a path is secret, of a request that was refused before it was looked at."""
        try:
            mount, rest = self._locate(path)
        except ProblemError:
            return
        found = mount.routes.find(rest)
        if found is not None and found[0].secret:
            context.route, context.is_secret = found[0].template, True

    def answer(self, request: Request, context: Context) -> Answer | Awaitable[Answer]:
        """The answer, at once where it waits for nobody; raises ProblemError.

        `context` learns whose rules hold as soon as that is known.
        """
        _check_host(request, self._hosts)
        _check_size(request)
        mount, path = self._locate(request.path)
        found = _route(mount, path, request, context)
        if isinstance(found, Answer):
            return found
        target, matched = found
        if request.method == "OPTIONS":
            return self._cors.preflight(target.family, request) or _options(target)
        asked = _Asked(request, context, mount, target, matched, _endpoint(target, request))
        context.seconds = asked.endpoint.seconds
        if asked.endpoint.follows and b"wait=" in request.query:
            _follow(context)
        if self.limiter is not None and not context.is_inside:
            self.limiter.check_address(request)
        verdict = self._verdict(asked)
        if verdict is None or isinstance(verdict, ProblemError):
            return self._answered(asked, verdict)
        return self._judged(asked, verdict)

    def _verdict(self, asked: _Asked) -> Verdict | Awaitable[Verdict]:
        """Whether the caller may read what is mounted."""
        endpoint = asked.endpoint
        if self._authorize is None or (endpoint.public and not endpoint.tells_more):
            return None
        access = _access(asked)
        return None if access is None else self._authorize(asked.request, access)

    async def _judged(self, asked: _Asked, verdict: Awaitable[Verdict]) -> Answer:
        answer = self._answered(asked, await verdict)
        return answer if isinstance(answer, Answer) else await answer

    def _answered(self, asked: _Asked, problem: ProblemError | None) -> Answer | Awaitable[Answer]:
        """The answer to those who may have one; an endpoint that is public answers everybody."""
        if self.limiter is not None:
            self._limit(self.limiter, asked, problem)
        if problem is not None and not asked.endpoint.public:
            if problem.status == 403:
                _names(
                    asked.matched, asked.endpoint
                )  # to whoever is known, a wrong path is said first
            raise problem
        return asked.endpoint.handle(_call(asked, problem))

    def _limit(self, limiter: Limiter, asked: _Asked, problem: ProblemError | None) -> None:
        if problem is not None and problem.word is Word.INVALID_TOKEN:
            if not asked.context.is_inside:
                limiter.failed(asked.request)
        elif asked.endpoint.family is not Family.OPERATIONS and limiter.holds(asked.request):
            access = _access(asked)
            user = self._user_of(asked.request, access) if access is not None else ""
            asked.context.account = limiter.admit(asked.request, user)


class _Asked(msgspec.Struct, frozen=True, gc=False):
    """A request for something that there is."""

    request: Request
    context: Context
    mount: Mount
    target: Target
    matched: Matched
    endpoint: Endpoint


def _access(asked: _Asked) -> Access | None:
    """What has to be allowed; None where that depends on what is told.

    Where there is no registry, whoever must be known, or shows a credential, must have a good one.
    """
    if asked.mount.owner is not None:
        return Access(*asked.mount.owner, asked.endpoint.needs)
    if asked.endpoint.scoped:
        return _scope(asked)
    endpoint = asked.endpoint
    if endpoint.known or not endpoint.needs or b"authorization" in asked.request.headers:
        return Access("", "", ())
    return None


def _scope(asked: _Asked) -> Access:
    """What the path names; of one that cannot be right only who asks, as what is wrong is said after that."""
    endpoint = asked.endpoint
    try:
        names = _names(asked.matched, endpoint)
    except ProblemError:
        return Access("", "", (), forwards=endpoint.forwards)
    return Access(
        names["namespace"],
        names.get("registry", ""),
        endpoint.needs,
        open=False,
        forwards=endpoint.forwards,
    )


def _call(asked: _Asked, problem: ProblemError | None) -> Call:
    request, mount, endpoint = asked.request, asked.mount, asked.endpoint
    return Call(
        request=request,
        endpoint=endpoint,
        place=mount.place,
        base=mount.base,
        names=_names(asked.matched, endpoint),
        offer=_offer(endpoint, request),
        values=_values(asked.target, endpoint, request),
        owner=mount.owner,
        refusal=problem,
    )


class Context(msgspec.Struct):
    """What is known of a request so far, for whoever must explain a failure or counts."""

    family: Family = Family.API
    route: str = ""
    """Template of the path, `""` where there is none."""
    is_secret: bool = False
    """Whether the template stands for the path wherever people read."""
    began: float = msgspec.field(default_factory=time.perf_counter)
    status: int = 0
    """Of the answer, 0 while there is none."""
    size: int = 0
    """Bytes of its body, 0 where it comes in parts."""
    seconds: float = 15.0
    """How long the answer may take."""
    account: Account | None = None
    """What the answer is charged to."""
    is_inside: bool = False
    """Whether somebody in the process asks, who counts those that try tokens where they come in."""
    follow: Callable[[], bool] = lambda: True
    """Takes a place among those who wait until something happens; False where there is none."""
    is_following: bool = False
    """Whether it has one."""


def _follow(context: Context) -> None:
    """Whoever waits for something that may not happen takes no turn from those who are answered soon."""
    if not context.follow():
        raise ProblemError(
            Word.OVERLOADED,
            "No more can wait here for a change; come again, or ask without wait.",
            retry_after=5,
        )
    context.is_following = True


def _check_host(request: Request, hosts: frozenset[str] | None) -> None:
    if hosts is None:
        return
    if _name_of_host(request.headers.get(b"host", b"")) not in hosts:
        raise ProblemError(
            Word.MISDIRECTED_REQUEST,
            "This server does not answer for that host.",
            culprits=[Culprit("is none of ours", "header.host", request.header(b"host"))],
            hint="Use localhost, or start with --allowed-host.",
        )


@lru_cache(maxsize=64)
def _name_of_host(header: bytes) -> str:
    """Without the port."""
    host = header.decode("latin-1").lower()
    return host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host


def _check_size(request: Request) -> None:
    if len(request.path) + len(request.query) + len(request.method) + 11 > LINE_LIMIT:
        raise ProblemError(
            Word.URI_TOO_LONG, f"The request line is longer than {LINE_LIMIT} bytes."
        )
    headers = request.headers
    size = sum(map(len, headers)) + sum(map(len, headers.values())) + 4 * len(headers)
    if size > HEADER_LIMIT:
        raise ProblemError(
            Word.HEADERS_TOO_LARGE, f"The headers are larger than {HEADER_LIMIT} bytes in all."
        )


def _route(
    mount: Mount, path: bytes, request: Request, context: Context
) -> tuple[Target, Matched] | Answer:
    found = mount.routes.find(path)
    if found is not None:
        target = found[0]
        context.family, context.route = target.family, target.template
        context.is_secret = target.secret
        return found
    context.family = family_of(path)
    if path.endswith(b"/") and mount.routes.find(path.rstrip(b"/")) is not None:
        return _moved(request)
    raise ProblemError(Word.NOT_FOUND, "There is nothing at this path.", hint=mount.hint())


def _moved(request: Request) -> Answer:
    """The path without its trailing slash is meant; the query is kept."""
    query = b"?" + request.query if request.query else b""
    # One slash in front: two would name another host.
    location = b"/" + request.path.strip(b"/") + query
    return Answer(308, ((b"location", location), NO_STORE))


def family_of(path: bytes) -> Family:
    """Whose error body an unknown path gets."""
    first = path.split(b"/", 2)[1:2]
    return Family.OFFICIAL if first and first[0] in (b"v0", b"v0.1") else Family.API


def _options(target: Target) -> Answer:
    return Answer(204, ((b"allow", target.allow), NO_STORE))


def _endpoint(target: Target, request: Request) -> Endpoint:
    method = "GET" if request.method == "HEAD" else request.method
    endpoint = target.methods.get(method)
    if endpoint is None:
        raise ProblemError(
            Word.METHOD_NOT_ALLOWED,
            f"{request.method} is not possible here.",
            headers=[(b"allow", target.allow)],
        )
    return endpoint


def _names(matched: Matched, endpoint: Endpoint) -> dict[str, str]:
    try:
        names = matched.decoded()
    except BadSegmentError as error:
        raise ProblemError(
            Word.INVALID_REQUEST,
            f"The path {error}.",
            culprits=[Culprit(str(error), f"path.{_first_name(endpoint)}")],
        ) from error
    if endpoint.scoped:
        check_labels(names)
    return names


def check_labels(names: Mapping[str, str]) -> None:
    """Raises INVALID_REQUEST for a namespace or registry of the path that cannot be one."""
    for field in ("namespace", "registry"):
        value = names.get(field)
        if value is not None and not _LABEL.fullmatch(value):
            message = "must be lower-case letters, digits and -, at most 63"
            raise ProblemError(
                Word.INVALID_REQUEST,
                f"{field} {message}.",
                culprits=[Culprit(message, f"path.{field}", value)],
            )


def _first_name(endpoint: Endpoint) -> str:
    return endpoint.template.partition("{")[2].partition("}")[0]


def _offer(endpoint: Endpoint, request: Request) -> Offer:
    if endpoint.family in (Family.OFFICIAL, Family.OPEN, Family.PAGES):
        return endpoint.offers[0]
    accept = request.header(b"accept")
    if not accept or accept == "*/*":
        return endpoint.offers[0]
    offer = choose(accept, endpoint.offers)
    # A format in the query wins over one in the header, but not over a header that wants no JSON at all.
    if offer is None and not _named_in_query(endpoint, request, accept):
        raise ProblemError(
            Word.NOT_ACCEPTABLE,
            f"This resource is available as {', '.join(sorted({each.type for each in endpoint.offers}))}"
            f"{_formats(endpoint)}.",
            culprits=[Culprit("allows nothing that is available", "header.accept", accept)],
        )
    return offer or endpoint.offers[0]


def _formats(endpoint: Endpoint) -> str:
    formats = [each.format for each in endpoint.offers if each.format]
    return f" with format={' or format='.join(dict.fromkeys(formats))}" if formats else ""


def _named_in_query(endpoint: Endpoint, request: Request, accept: str) -> bool:
    if b"format=" not in request.query or "format" not in {p.name for p in endpoint.parameters}:
        return False
    plain = tuple(dict.fromkeys(Offer(each.type) for each in endpoint.offers))
    bare = ",".join(_without_format(element) for element in accept.split(","))
    return choose(bare, plain) is not None


def _without_format(element: str) -> str:
    parts = element.split(";")
    return ";".join(part for part in parts if not part.strip().lower().startswith("format="))


def _values(target: Target, endpoint: Endpoint, request: Request) -> dict[str, Any]:
    pairs = pairs_of(request.query) if request.query else []
    return target.tables[endpoint.method].read(pairs, endpoint.family)
