"""What every page has in common: who looks at it, whether a form is genuine, and what becomes of errors.

In the flow: around each page's function, so that such a function is about its page alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import quote

import msgspec

from thv.apps.dashboard.asking import Api, Ask
from thv.apps.dashboard.forgery import FIELD, check_form
from thv.apps.dashboard.forms import Form, first, read_form
from thv.apps.dashboard.places import own_path
from thv.apps.dashboard.providers import Provider
from thv.apps.dashboard.rendering import Renderer
from thv.apps.dashboard.selection import COOKIE as SELECTION
from thv.apps.dashboard.selection import selected
from thv.apps.dashboard.sessions import (
    LONGEST,
    Session,
    Sessions,
    is_number,
    is_of_session,
    visitors_number,
)
from thv.apps.dashboard.visits import Visit, address_of
from thv.apps.kit.addresses import is_loopback
from thv.apps.kit.http.endpoints import Call, Endpoint
from thv.apps.kit.http.message import Answer, Header, Request
from thv.apps.kit.http.problems import Family, ProblemError, Word, problem_of
from thv.apps.kit.http.rates import Limiter
from thv.domain.errors import ThvError

Page: TypeAlias = Callable[[Visit], Awaitable[Answer]]
"""A page's function."""
Take: TypeAlias = Callable[[str], str]
"""The token that a code of a one-time link stands for, `""` for none; it stands for none afterwards."""
Cookies: TypeAlias = dict[str, list[str]]
_UNKNOWN = (Word.UNAUTHENTICATED, Word.INVALID_TOKEN)
_UNREAD = (Word.MISDIRECTED_REQUEST, Word.URI_TOO_LONG, Word.HEADERS_TOO_LARGE)
"""What is refused before anything else of a request is looked at."""
_PATIENCE = 2.0
"""Seconds that a page of an error waits for who it is for."""
_PORT_DIGITS = 5
_NO_NAMES: Mapping[str, str] = MappingProxyType({})
_LINKED = {b"sec-fetch-site": "cross-site", b"sec-fetch-mode": "navigate"}
"""What a browser says that follows a link of another site, and leaves our strict cookie at home."""


class Desk:
    """Lets visitors in."""

    def __init__(
        self,
        ask: Ask,
        sessions: Sessions,
        renderer: Renderer,
        *,
        has_sign_in: bool,
        limiter: Limiter,
        take: Take | None = None,
        tries_sources: bool = False,
        tries: Collection[str] | None = None,
        provider: Provider | None = None,
    ) -> None:
        """`has_sign_in`: whoever is not signed in sees nothing but the page where one does.

        `limiter` counts those who try tokens and links; `take` gives the token that a one-time link stands for;
        `tries_sources`: the API reads sources of registries that are not there yet, of these types where `tries` says
        so; `provider` signs people in elsewhere.
        """
        self._ask = ask
        self.sessions = sessions
        self.renderer = renderer
        self.limiter = limiter
        self.take = take
        self.tries_sources = tries_sources
        self.tries = tries
        self.provider = provider
        self._has_sign_in = has_sign_in

    @property
    def can_sign_in(self) -> bool:
        """Whether there is a way to sign in."""
        return self._has_sign_in or self.take is not None

    def row(
        self,
        template: str,
        page: Page,
        *,
        method: str = "GET",
        open_: bool = False,
        secret: bool = False,
        direct: bool = False,
    ) -> Endpoint:
        """A page's row; an `open_` one is for whoever comes, the path of a `secret` one is in no log.

        A `direct` one also decides about links of other sites.
        """

        async def handle(call: Call) -> Answer:
            if not direct and _is_linked(call.request):
                return self.going_on(address_of(call.request))
            return await self._answered(call, page, open_=open_)

        return Endpoint(
            id="page",
            template=template,
            family=Family.PAGES,
            handle=handle,
            summary="",
            method=method,
            public=True,
            secret=secret,
        )

    async def _answered(self, call: Call, page: Page, *, open_: bool) -> Answer:
        cookies = cookies_of(call.request)
        number = _number(call.request, cookies)
        session = await self.sessions.find(number) if is_of_session(number) else None
        has_ended = session is None and is_of_session(number)
        known = "" if has_ended else number
        visit = self._visit(call.request, cookies, known, session, names=call.names)
        try:
            if call.request.method == "POST":
                form = await read_form(call.request)
                check_form(call.request, number, first(form, FIELD), has_ended=has_ended)
                visit = _with_form(visit, form)
            if self._has_sign_in and session is None and not open_:
                answer = _to_sign_in(visit, has_ended=has_ended)
            else:
                answer = await page(visit)
        except (ProblemError, ThvError) as error:
            answer = await self._refused(visit, error, session, open_=open_)
        return _with_number(answer, visit, number)

    async def _refused(
        self, visit: Visit, error: ProblemError | ThvError, session: Session | None, *, open_: bool
    ) -> Answer:
        """What becomes of an error: whoever is not known, or not any more, is asked to sign in."""
        problem = error if isinstance(error, ProblemError) else problem_of(error)
        if problem.word not in _UNKNOWN or open_ or not self.can_sign_in:
            return self.problem_page(visit, problem)
        if session is not None:
            await self.sessions.end(visit.number)
        return _to_sign_in(visit, has_ended=session is not None)

    def _visit(
        self,
        request: Request,
        cookies: Cookies,
        number: str,
        session: Session | None,
        *,
        names: Mapping[str, str] = _NO_NAMES,
    ) -> Visit:
        return Visit(
            request=request,
            names=names,
            api=Api(self._ask, request, session.token if session else ""),
            number=number or visitors_number(),
            user=session.user if session else "",
            has_sign_in=self._has_sign_in,
            can_sign_in=self.can_sign_in,
            selection=selected(first(cookies, on_port(request, SELECTION))),
        )

    async def let_in(self, visit: Visit, token: str, token_ends: float = 0.0) -> Header:
        """A new session, as a cookie; raises ProblemError for a token that the API does not know."""
        who = await visit.api.signed(token).get("/api/v1/me")
        if visit.user:
            await self.sessions.end(visit.number)
        number = await self.sessions.begin(token, who["user"], token_ends)
        return session_cookie(visit.request, number)

    def going_on(self, place: str, *headers: Header) -> Answer:
        """A page of ours that leads on by itself: from there the browser sends the cookie that no other site makes it send."""
        return self.renderer.bare("going_on.html", 200, {"place": place}, *headers)

    def problem_page(self, visit: Visit, problem: ProblemError) -> Answer:
        """What went wrong, and what to do next."""
        is_asked = visit.request.method in ("GET", "HEAD")
        again = visit.address if is_asked and own_path(visit.address) == visit.address else ""
        answer = self.renderer.page(
            visit, "problem.html", problem.status, problem=problem, again=again
        )
        return answer.with_headers(_problem_headers(problem))

    async def explained(self, problem: ProblemError, request: Request) -> Answer:
        """What went wrong where no page's function was reached, or it broke off: to whoever it is, as far as that is known.

        It must not fail itself, nor wait for long: what went wrong may be where sessions are kept.
        """
        if problem.word in _UNREAD:
            return self.bare(problem, request)
        cookies = cookies_of(request)
        number = _number(request, cookies)
        try:
            async with asyncio.timeout(_PATIENCE):
                session = await self.sessions.find(number) if is_of_session(number) else None
        except (ThvError, TimeoutError):
            return self.bare(problem, request)
        return self.problem_page(self._visit(request, cookies, number, session), problem)

    def bare(self, problem: ProblemError, request: Request) -> Answer:
        """The same for somebody of whom nothing is known."""
        values = {"problem": problem, "request_id": request.id, "again": ""}
        headers = _problem_headers(problem)
        return self.renderer.bare("problem.html", problem.status, values, *headers)


def _problem_headers(problem: ProblemError) -> list[Header]:
    """The headers of a refusal that are not about its body."""
    headers = [each for each in problem.headers if each[0] != b"www-authenticate"]
    if problem.retry_after:
        headers.append((b"retry-after", b"%d" % problem.retry_after))
    return headers


def see_other(place: str, *headers: Header) -> Answer:
    """The page to look at next."""
    fixed = ((b"location", place.encode()), (b"cache-control", b"no-store"))
    return Answer(303, (*fixed, *headers))


def _to_sign_in(visit: Visit, *, has_ended: bool = False) -> Answer:
    wanted = visit.address if visit.request.method in ("GET", "HEAD") else "/"
    place = f"/signin?next={quote(wanted, safe='')}{'&ended=true' if has_ended else ''}"
    if visit.is_fragment:
        return Answer(200, ((b"hx-redirect", place.encode()), (b"cache-control", b"no-store")))
    return see_other(place)


def _with_form(visit: Visit, form: Form) -> Visit:
    return msgspec.structs.replace(visit, form=form)


# ---------------------------------------------------------------- cookies


def cookies_of(request: Request) -> Cookies:
    """The cookies of a request, as often as they were sent; what cannot be read is left out."""
    found: Cookies = {}
    for part in request.header(b"cookie").split(";"):
        name, is_cookie, value = part.strip().partition("=")
        if is_cookie:
            found.setdefault(name, []).append(value.strip('"'))
    return found


def _number(request: Request, cookies: Cookies) -> str:
    """The number of the browser; `""` where it has none, or several: one of them was put there by somebody else."""
    given = cookies.get(cookie_name(request), [])
    return given[0] if len(given) == 1 and is_number(given[0]) else ""


def _comes_from_elsewhere(request: Request) -> bool:
    """Whether the number of a browser may be missing only because another site made it ask."""
    return request.header(b"sec-fetch-site") == "cross-site"


def _is_linked(request: Request) -> bool:
    """Whether a link of another site leads here, and the browser has not said who it is."""
    is_without = cookie_name(request) not in cookies_of(request)
    says = all(request.header(name) == value for name, value in _LINKED.items())
    return request.method == "GET" and says and is_without


def _with_number(answer: Answer, visit: Visit, number: str) -> Answer:
    """Gives the browser the number of this visit, unless it has it, or the page gave it another one."""
    ours = cookie_name(visit.request).encode() + b"="
    is_given = any(
        name == b"set-cookie" and value.startswith(ours) for name, value in answer.headers
    )
    if is_given or visit.number == number or _comes_from_elsewhere(visit.request):
        return answer
    return answer.with_headers([session_cookie(visit.request, visit.number)])


def cookie_name(request: Request) -> str:
    """What the cookie of a session is called: only a browser that came encrypted keeps the strict name."""
    return "__Host-thv_session" if is_secure(request) else "thv_session"


def on_port(request: Request, name: str) -> str:
    """A cookie's name for this service alone: what a browser keeps for this machine, it keeps for all of its ports."""
    _, port = _host_of(request)
    is_named = port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
    return f"{name}_{port}" if is_named and not is_secure(request) else name


def session_cookie(request: Request, number: str, *, ends: bool = False) -> Header:
    """Gives the browser a number, or takes it back."""
    return cookie(request, cookie_name(request), number, seconds=0 if ends else int(LONGEST))


def cookie(
    request: Request, name: str, value: str, *, seconds: int, same_site: str = "Strict"
) -> Header:
    """A cookie that no script reads and no other site sends; a `Lax` one comes along with its links."""
    secure = "; Secure" if is_secure(request) else ""
    text = f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
    return b"set-cookie", text.encode()


def is_secure(request: Request) -> bool:
    """Whether the browser came encrypted, or must have: over plain http it keeps cookies of this machine alone."""
    host, _ = _host_of(request)
    return request.scheme == "https" or not (is_loopback(host.strip("[]")) or host == "localhost")


def _host_of(request: Request) -> tuple[str, str]:
    """What the browser calls us, and the port, `""` where it names none."""
    told = request.header(b"host")
    host, colon, port = told.rpartition(":")
    return (host, port) if colon and not told.endswith("]") else (told, "")
