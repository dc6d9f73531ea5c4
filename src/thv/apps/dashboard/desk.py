"""What every page has in common: who looks at it, whether a form is genuine, and what becomes of errors.

In the flow: around each page's function, so that such a function is about its page alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import TypeAlias
from urllib.parse import quote

import msgspec

from thv.apps.dashboard.asking import Api, Ask
from thv.apps.dashboard.forgery import FIELD, check_form
from thv.apps.dashboard.forms import Form, first, read_form
from thv.apps.dashboard.rendering import Renderer
from thv.apps.dashboard.selection import COOKIE as SELECTION
from thv.apps.dashboard.selection import selected
from thv.apps.dashboard.sessions import Session, Sessions, new_number
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.addresses import is_loopback
from thv.apps.kit.http.endpoints import Call, Endpoint
from thv.apps.kit.http.message import Answer, Header, Request
from thv.apps.kit.http.problems import Family, ProblemError, Word, problem_of
from thv.domain.errors import ThvError

Page: TypeAlias = Callable[[Visit], Awaitable[Answer]]
"""A page's function."""
_UNKNOWN = (Word.UNAUTHENTICATED, Word.INVALID_TOKEN)


class Desk:
    """Lets visitors in."""

    def __init__(
        self, ask: Ask, sessions: Sessions, renderer: Renderer, *, has_sign_in: bool
    ) -> None:
        """`has_sign_in`: whoever is not signed in sees nothing but the page where one does."""
        self._ask = ask
        self.sessions = sessions
        self.renderer = renderer
        self._has_sign_in = has_sign_in

    def row(
        self, template: str, page: Page, *, method: str = "GET", open_: bool = False
    ) -> Endpoint:
        """A page's row; an `open_` one is for whoever comes."""

        async def handle(call: Call) -> Answer:
            return await self._answered(call, page, open_=open_)

        return Endpoint(
            id="page",
            template=template,
            family=Family.PAGES,
            handle=handle,
            summary="",
            method=method,
            public=True,
        )

    async def _answered(self, call: Call, page: Page, *, open_: bool) -> Answer:
        cookies = cookies_of(call.request)
        number = cookies.get(cookie_name(call.request), "")
        session = await self.sessions.find(number) if number else None
        visit = self._visit(call, cookies, number, session)
        try:
            if call.request.method == "POST":
                form = await read_form(call.request)
                check_form(call.request, number, first(form, FIELD))
                visit = _with_form(visit, form)
            if self._has_sign_in and session is None and not open_:
                return _to_sign_in(visit)
            answer = await page(visit)
        except (ProblemError, ThvError) as error:
            problem = error if isinstance(error, ProblemError) else problem_of(error)
            if problem.word in _UNKNOWN and self._has_sign_in and not open_:
                await self.sessions.end(number)
                return _to_sign_in(visit, has_ended=session is not None)
            answer = self.problem_page(visit, problem)
        if not number:
            answer = answer.with_headers([session_cookie(call.request, visit.number)])
        return answer

    def _visit(
        self, call: Call, cookies: dict[str, str], number: str, session: Session | None
    ) -> Visit:
        return Visit(
            call=call,
            api=Api(self._ask, call.request, session.token if session else ""),
            number=number or new_number(),
            user=session.user if session else "",
            has_sign_in=self._has_sign_in,
            can_sign_in=self._has_sign_in,
            selection=selected(cookies.get(SELECTION, "")),
        )

    def problem_page(self, visit: Visit, problem: ProblemError) -> Answer:
        """What went wrong, and what to do next."""
        whole = _without_fragment(visit)
        answer = self.renderer.page(whole, "problem.html", problem.status, problem=problem)
        return answer.with_headers(problem_headers(problem))


def problem_headers(problem: ProblemError) -> list[Header]:
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


def _without_fragment(visit: Visit) -> Visit:
    headers = {
        name: value for name, value in visit.request.headers.items() if name != b"hx-request"
    }
    request = msgspec.structs.replace(visit.request, headers=headers)
    return msgspec.structs.replace(visit, call=msgspec.structs.replace(visit.call, request=request))


# ---------------------------------------------------------------- cookies


def cookies_of(request: Request) -> dict[str, str]:
    """The cookies of a request; none where they cannot be read."""
    try:
        jar = SimpleCookie(request.header(b"cookie"))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def cookie_name(request: Request) -> str:
    """What the cookie of a session is called: only a browser that came encrypted keeps the strict name."""
    return "__Host-thv_session" if _is_secure(request) else "thv_session"


def session_cookie(request: Request, number: str, *, ends: bool = False) -> Header:
    """Gives the browser a number, or takes it back."""
    return cookie(request, cookie_name(request), number, seconds=0 if ends else 8 * 3600)


def cookie(request: Request, name: str, value: str, *, seconds: int) -> Header:
    """A cookie that no script reads and no other site sends."""
    secure = "; Secure" if _is_secure(request) else ""
    text = f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", text.encode()


def _is_secure(request: Request) -> bool:
    host = request.header(b"host").rpartition(":")[0] or request.header(b"host")
    return request.scheme == "https" or not (is_loopback(host.strip("[]")) or host == "localhost")
