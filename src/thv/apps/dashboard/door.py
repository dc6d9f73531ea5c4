"""The pages in front of an API: one responder that gives each request to who answers it.

In the flow: a process that serves many registries puts this between its connections and its API.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection

from thv.apps.dashboard.assets import Assets
from thv.apps.dashboard.desk import Desk, Take
from thv.apps.dashboard.pages import rows
from thv.apps.dashboard.providers import Provider
from thv.apps.dashboard.rendering import Renderer
from thv.apps.dashboard.sessions import MemorySessions, Sessions
from thv.apps.kit.http.compression import Compressor
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.cors import Cors
from thv.apps.kit.http.dispatch import Context, Dispatcher, Mount
from thv.apps.kit.http.endpoints import Endpoint, routes_of
from thv.apps.kit.http.message import Reply, Request
from thv.apps.kit.http.negotiation import parse_accept
from thv.apps.kit.http.problems import Family, ProblemError
from thv.apps.kit.http.rates import Limiter, Rates
from thv.apps.kit.http.server import HttpServer

_TRIAL = b"/api/v1/registries/any/preview"
_OF_PROGRAMS = (b"/api/", b"/v0/", b"/v0.1/", b"/r/")


def with_pages(
    api: HttpServer,
    *,
    has_sign_in: bool,
    hosts: frozenset[str] | None = None,
    sessions: Sessions | None = None,
    take: Take | None = None,
    provider: Provider | None = None,
    tries: Collection[str] | None = None,
) -> Responder:
    """The API with pages in front of it.

    `has_sign_in` says whether the API asks callers who they are; `hosts` are the names that are ours, None for any;
    `take` gives the token that a one-time link stands for, where there are such links; `provider` signs people in
    elsewhere, where there is one; `tries` are the types of sources that the API tries, where these are not all.
    """
    assets = Assets()
    renderer = Renderer(assets)
    kept = sessions or MemorySessions()
    desk = Desk(
        api.ask,
        kept,
        renderer,
        has_sign_in=has_sign_in,
        limiter=api.limiter or Limiter(Rates()),
        take=take,
        tries_sources=api.has(_TRIAL),
        tries=tries,
        provider=provider,
    )
    static = Endpoint(
        id="static",
        template="/static/{digest}/{file}",
        family=Family.PAGES,
        handle=assets.answer,
        summary="",
        public=True,
    )
    routes = routes_of((*rows(desk), static))
    mount = Mount(
        base="", routes=routes, place=None, hint=lambda: "Check the address, or go on from here."
    )
    cors = Cors()
    dispatcher = Dispatcher(lambda path: (mount, path), cors=cors, hosts=hosts)

    pages = HttpServer(
        dispatcher,
        cors=cors,
        compressor=Compressor(),
        meters=api.meters,
        explain=lambda problem, request, _: desk.bare(problem, request),
        explain_fully=desk.explained,
    )
    return Front(pages, api)


class Front:
    """Gives requests for pages to the pages, and all others to the API."""

    def __init__(self, pages: HttpServer, api: HttpServer) -> None:
        self._pages = pages
        self._api = api

    def respond(self, request: Request, context: Context) -> Reply | Awaitable[Reply]:
        """The answer, at once where it waits for nobody."""
        return self._who(request).respond(request, context)

    def refuse(self, request: Request, context: Context, problem: ProblemError) -> Reply:
        """What is said where there is no time for an answer, or no request."""
        return self._who(request).refuse(request, context, problem)

    def done(self, request: Request, context: Context, *, sent: bool) -> None:
        """The answer was sent as a whole, or the client went before."""
        self._api.done(request, context, sent=sent)

    def _who(self, request: Request) -> HttpServer:
        if self._pages.has(request.path):
            return self._pages
        is_lost = not (request.path.startswith(_OF_PROGRAMS) or self._api.has(request.path))
        return self._pages if is_lost and _is_looked_at(request) else self._api


def _is_looked_at(request: Request) -> bool:
    """Whether the client says that it shows pages."""
    accept = request.header(b"accept")
    return any(each.type == "text/html" for each in parse_accept(accept))
