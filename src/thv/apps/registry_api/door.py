"""The registry API put together: one registry at the root, or many and their aggregate.

In the flow: `wiring` calls this with registries and settings; what comes back is an ASGI application.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.caching import Validators, is_current, not_modified, weak_tag
from thv.apps.kit.http.compression import Compressor
from thv.apps.kit.http.cors import Cors
from thv.apps.kit.http.dispatch import Authorize, Dispatcher, Mount, UserOf
from thv.apps.kit.http.endpoints import Call, Endpoint, Handler, routes_of
from thv.apps.kit.http.message import Answer, encode
from thv.apps.kit.http.problems import Family
from thv.apps.kit.http.rates import Limiter
from thv.apps.kit.http.server import HttpServer, Meter
from thv.apps.registry_api import endpoints, me, official
from thv.apps.registry_api.aggregate import Aggregate
from thv.apps.registry_api.deployments import list_deployments
from thv.apps.registry_api.documents import Callers, document
from thv.apps.registry_api.drift import Comparing
from thv.apps.registry_api.fleet import Fleet
from thv.apps.registry_api.guard import is_open
from thv.apps.registry_api.info import ATTRIBUTION
from thv.apps.registry_api.served import Clock, Served
from thv.apps.registry_api.site import ManySite, SingleSite
from thv.apps.registry_api.yaml_text import yaml_text

_JSON = b"application/json"
_YAML = b"application/yaml"
_FOR_AN_HOUR = (b"cache-control", b"public, max-age=3600")
_FOR_MYSELF = (b"cache-control", b"private, max-age=3600")


class Registries(Protocol):
    """What is served, by namespace and name."""

    def find(self, namespace: str, name: str, /) -> Served | None: ...

    def every(self) -> Iterable[Served]: ...


class Root(msgspec.Struct, frozen=True):
    """What stands at the root beside the aggregate of many registries."""

    place: Any = None
    """What its handlers find in their calls."""
    rows: tuple[Endpoint, ...] = ()
    shapes: tuple[type, ...] = ()
    """The shapes of its answers, for the document."""
    follow: Callable[[], Awaitable[None]] | None = None
    """What goes on as long as it answers."""
    is_at_rest: Callable[[], bool] = lambda: True
    """Whether that has nothing left to do."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a door answers, apart from what it serves."""

    authorize: Authorize | None = None
    """None: everything may be read."""
    user_of: UserOf = lambda *_: ""
    """Names whoever was let in."""
    authorization: Authorization | None = None
    """Tells callers who they are; None where nobody is asked."""
    is_open: bool = False
    """Everybody may read everything; who one is matters for the rest alone."""
    cors_origins: frozenset[str] = frozenset()
    hosts: frozenset[str] | None = None
    """Host names that are ours; None: any."""
    meters: tuple[Meter, ...] = ()
    """Count requests."""
    limiter: Limiter | None = None
    """Holds callers to their rates; None: they may have anything."""
    compressed_bytes: int = 4 << 20
    """Memory for compressed answers."""
    fleet: Fleet = msgspec.field(default_factory=Fleet)
    """The servers that are installed."""


def single(
    registries: Registries, owner: tuple[str, str], options: Options, clock: Clock
) -> HttpServer:
    """One registry at the root, by namespace and name."""

    def is_ready() -> bool:
        served = registries.find(*owner)
        return served is not None and served.model is not None

    own = (_right(options), _protected(options))
    return singles(registries, options, clock, is_ready, *own)(owner)


def singles(
    registries: Registries,
    options: Options,
    clock: Clock,
    is_ready: Callable[[], bool],
    *more: Endpoint,
) -> Callable[[tuple[str, str]], HttpServer]:
    """Puts one registry at a root, as often as it is asked to: all of them share routes and memory.

    `more` stands beside each of them.
    """
    guarded = options.authorize is not None and not options.is_open
    rows = registry_rows(
        clock, _me(registries, options), *more, guarded=guarded, fleet=options.fleet
    )
    routes = routes_of((*rows, *endpoints.operations(is_ready)))
    compressor = Compressor(options.compressed_bytes)

    def make(owner: tuple[str, str]) -> HttpServer:
        site = SingleSite(registries.find, owner, routes)
        return _server(site.locate, options, compressor)

    return make


def many(
    registries: Registries,
    aggregate: Aggregate,
    options: Options,
    clock: Clock,
    beside: Root = Root(),  # noqa: B008 # a frozen value
) -> HttpServer:
    """Every registry under `/r/<namespace>/<registry>`, their aggregate at the root and what is `beside` it."""
    guarded = options.authorize is not None and not options.is_open
    own = (_me(registries, options), _right(options), _protected(options))
    rows = (*endpoints.official_rows(aggregate), *beside.rows, *own)
    documents = endpoints.documents(_documents_of(rows, guarded=guarded, shapes=beside.shapes))
    root = Mount(
        base="",
        routes=routes_of((*rows, *documents, *endpoints.operations(lambda: True))),
        place=beside.place,
        hint=aggregate.hint,
    )
    below = registry_rows(clock, guarded=guarded, fleet=options.fleet)
    site = ManySite(registries.find, routes_of(below), root)
    return _server(site.locate, options, Compressor(options.compressed_bytes))


def registry_rows(
    clock: Clock, *more: Endpoint, guarded: bool = False, fleet: Fleet | None = None
) -> tuple[Endpoint, ...]:
    """Everything that hangs under the base of a registry, and `more` that stands beside it."""
    installed = endpoints.deployments(list_deployments(fleet or Fleet(), Comparing()))
    own = (*endpoints.OWN, installed, endpoints.health(clock))
    rows = (*endpoints.official_rows(official), *own, *more)
    return (*rows, *endpoints.documents(_documents_of(rows, guarded=guarded)))


def _me(registries: Registries, options: Options) -> Endpoint:
    def namespaces() -> Iterable[str]:
        return (served.owner[0] for served in registries.every())

    return endpoints.identity(
        me.read_me(options.authorization, namespaces, is_open=options.is_open)
    )


def _right(options: Options) -> Endpoint:
    return endpoints.right(me.read_right(options.authorization, is_open=options.is_open))


def _protected(options: Options) -> Endpoint:
    return endpoints.protected(me.read_resource(options.authorization))


def _documents_of(
    rows: Iterable[Endpoint], *, guarded: bool, shapes: tuple[type, ...] = ()
) -> Callable[[bool, bool], Handler]:
    every = tuple(rows)
    own = tuple(row for row in every if row.family is Family.API)

    # Whoever asks chooses the base, of registries that there are and of others.
    @lru_cache(maxsize=64)
    def text(base: str, callers: Callers, attributed: bool, only_own: bool, as_yaml: bool) -> bytes:
        attribution = ATTRIBUTION if attributed else None
        shown = own if only_own else every
        made = encode(
            document(shown, base=base, attribution=attribution, callers=callers, shapes=shapes)
        )
        return b"".join(yaml_text([msgspec.json.format(made)])) if as_yaml else made

    def handle(only_own: bool, as_yaml: bool) -> Handler:
        def handler(call: Call) -> Answer:
            # Where a registry comes from, and that it is there, is told to its readers alone.
            readable = isinstance(call.place, Served) and call.may_read
            attributed = readable and call.place.is_from_official
            body = text(call.base, _callers(call, guarded), attributed, only_own, as_yaml)
            return _document_answer(call, body, _YAML if as_yaml else _JSON)

        return handler

    return handle


def _callers(call: Call, guarded: bool) -> Callers:
    """Whether a registry is open to everybody is no secret; the aggregate shows those that are."""
    if not guarded:
        return Callers.EVERYBODY
    opened = isinstance(call.place, Served) and is_open(call.place)
    return Callers.BOTH if opened or call.owner is None else Callers.KNOWN


def _document_answer(call: Call, body: bytes, content_type: bytes) -> Answer:
    validators = Validators(weak_tag("sha256:openapi-document", content_type, body))
    is_private = b"authorization" in call.request.headers
    headers = (*validators.headers(), _FOR_MYSELF if is_private else _FOR_AN_HOUR)
    if is_current(call.request, validators):
        return not_modified(headers)
    return Answer(200, ((b"content-type", content_type), *headers), body)


def _server(
    locate: Callable[[bytes], tuple[Mount, bytes]], options: Options, compressor: Compressor
) -> HttpServer:
    cors = Cors(options.cors_origins)
    dispatcher = Dispatcher(
        locate,
        cors=cors,
        authorize=options.authorize,
        hosts=options.hosts,
        limiter=options.limiter,
        user_of=options.user_of,
    )
    return HttpServer(dispatcher, cors=cors, compressor=compressor, meters=options.meters)
