"""`/signin/issuer` and `/signin/callback`: somebody leaves for an issuer, and comes back with a code.

In the flow: begun at `/signin`, where an issuer is named. What it vouches for is shown to the API like a token that
somebody pasted; the API alone says who that is.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from thv.apps.dashboard.asking import query_of
from thv.apps.dashboard.desk import Desk, cookie, cookies_of, is_secure, see_other
from thv.apps.dashboard.pending import SECONDS, Pending, new_pending, read_pending
from thv.apps.dashboard.providers import Failure, NotSignedInError, Provider, Returned
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer, Header, Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.http.rates import Attempt

START = "/signin/issuer"
BACK = "/signin/callback"
_OTHERS = ("cross-site", "same-site")
_REFUSALS = (Word.UNAUTHENTICATED, Word.INVALID_TOKEN)
_WRONG = (Failure.MISTAKEN, Failure.SPENT)
"""What whoever comes back with it is the reason for."""
_STATUS = {
    Failure.UNREACHABLE: 503,
    Failure.REFUSED: 403,
    Failure.NOT_BEGUN: 400,
    Failure.MISTAKEN: 502,
    Failure.CLIENT: 502,
    Failure.SPENT: 400,
    Failure.TOO_LARGE: 502,
    Failure.NOT_ACCEPTED: 401,
}


class Way(msgspec.Struct, frozen=True):
    """A place outside these pages, and what it is called."""

    name: str
    place: str
    """`""` where there is none."""


class SigningInElsewhere:
    """Leaving and coming back."""

    def __init__(self, desk: Desk, now: Callable[[], float] = time.time) -> None:
        self._desk = desk
        self._now = now

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows, where there is an issuer."""
        provider = self._desk.provider
        if provider is None:
            return ()

        async def start(visit: Visit) -> Answer:
            return await self._start(visit, provider)

        async def back(visit: Visit) -> Answer:
            with self._desk.limiter.trying(visit.request) as attempt:
                return await self._back(visit, provider, attempt)

        return (
            self._desk.row(START, start, open_=True, direct=True),
            self._desk.row(BACK, back, open_=True, secret=True, direct=True),
        )

    async def _start(self, visit: Visit, provider: Provider) -> Answer:
        """Sends the browser to the issuer, with all that has to be remembered in a cookie.

        From a page of another site nobody leaves before they were asked.
        """
        wanted = visit.value("next")
        if visit.request.header(b"sec-fetch-site") in _OTHERS:
            return see_other(f"/signin?{query_of({'next': wanted})}")
        pending = new_pending(wanted, self._now())
        try:
            place = await provider.entrance(pending, _redirect(visit, provider))
        except NotSignedInError as error:
            return self._failed(visit, provider, error, pending)
        return see_other(place, _pending_cookie(visit.request, pending))

    async def _back(self, visit: Visit, provider: Provider, attempt: Attempt) -> Answer:
        """Takes what the issuer sent, once: what was an answer to this browser is none afterwards.

        Anybody can make up a cookie and a code that go together, and the issuer is asked about each of them.
        """
        pending, returned = _pending_of(visit.request), _returned(visit)
        if pending is None or visit.request.method != "GET":
            return self._failed(visit, provider, NotSignedInError(Failure.NOT_BEGUN), pending)
        spent = _pending_cookie(visit.request, None)
        try:
            granted = await provider.grant(pending, returned, _redirect(visit, provider))
            session = await self._desk.let_in(visit, granted.token, granted.ends)
        except NotSignedInError as error:
            attempt.is_wrong = error.failure in _WRONG
            kept = error.failure is Failure.NOT_BEGUN
            return self._failed(visit, provider, error, pending, *(() if kept else (spent,)))
        except ProblemError as problem:
            if problem.word not in _REFUSALS:
                return self._desk.problem_page(visit, problem).with_headers([spent])
            attempt.is_wrong = True
            unknown = NotSignedInError(Failure.NOT_ACCEPTED)
            return self._failed(visit, provider, unknown, pending, spent)
        return self._desk.going_on(pending.wanted, session, spent)

    def _failed(
        self,
        visit: Visit,
        provider: Provider,
        error: NotSignedInError,
        pending: Pending | None,
        *headers: Header,
    ) -> Answer:
        """What happened, and what to do next."""
        wanted = pending.wanted if pending else "/"
        answer = self._desk.renderer.page(
            visit,
            "signin_failed.html",
            _STATUS[error.failure],
            failure=error.failure.value,
            word=error.word,
            issuer=provider.name,
            wanted=wanted,
            again=f"{provider.public_url}{START}?{query_of({'next': wanted})}",
        )
        return answer.with_headers(headers)


def base_of(visit: Visit, provider: Provider) -> str:
    """Where the browser finds us: as the settings say, else where it is; then the host was checked to be ours."""
    request = visit.request
    return provider.public_url or f"{request.scheme}://{request.header(b'host')}"


def _redirect(visit: Visit, provider: Provider) -> str:
    return f"{base_of(visit, provider)}{BACK}"


def _returned(visit: Visit) -> Returned:
    """What the address says; a parameter that is there twice is none that an issuer sent."""
    found = visit.values("code", "state", "iss", "error")
    if any(len(values) > 1 for values in found.values()):
        return Returned()
    said = {name: values[0] for name, values in found.items()}
    return Returned(
        code=said.get("code", ""),
        state=said.get("state", ""),
        issuer=said.get("iss", ""),
        error=said.get("error", ""),
    )


# ---------------------------------------------------------------- the cookie


def _cookie_name(request: Request) -> str:
    return "__Host-thv_signin" if is_secure(request) else "thv_signin"


def _pending_of(request: Request) -> Pending | None:
    """None, too, where there are several: one of them was put there by somebody else."""
    given = cookies_of(request).get(_cookie_name(request), [])
    return read_pending(given[0]) if len(given) == 1 else None


def _pending_cookie(request: Request, pending: Pending | None) -> Header:
    """Comes back with the answer of the issuer, which is another site; None takes it back."""
    value, seconds = (pending.written, SECONDS) if pending else ("", 0)
    return cookie(request, _cookie_name(request), value, seconds=seconds, same_site="Lax")
