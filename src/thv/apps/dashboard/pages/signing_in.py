"""`/signin` and `/signout`: a token is shown once and stays here; a link of one use stands for one.

In the flow: where the desk sends whoever is not known.
"""

from __future__ import annotations

from thv.apps.dashboard.asking import query_of
from thv.apps.dashboard.desk import Desk, see_other, session_cookie
from thv.apps.dashboard.forms import first
from thv.apps.dashboard.issued import Issued
from thv.apps.dashboard.pages.signing_in_elsewhere import START, Way, base_of
from thv.apps.dashboard.places import own_path
from thv.apps.dashboard.providers import NotSignedInError
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError, Word

_FORGET = (b"clear-site-data", b'"cookies", "storage"')
_OTHERS = ("cross-site", "same-site")
_REFUSALS = (Word.UNAUTHENTICATED, Word.INVALID_TOKEN)


class SigningIn:
    """Coming and going."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._issued = Issued()

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        row = self._desk.row
        return (
            row("/signin", self.show, open_=True),
            row("/signin", self.sign_in, method="POST", open_=True),
            row("/signin/once/{code}", self.once, open_=True, secret=True, direct=True),
            row("/signout", self.sign_out, method="POST", open_=True),
        )

    async def show(self, visit: Visit) -> Answer:
        """How one signs in here."""
        if not visit.can_sign_in:
            return see_other("/")
        return await self._form(visit, own_path(visit.value("next")))

    async def sign_in(self, visit: Visit) -> Answer:
        """Takes a token that the API knows; the number of the browser is a new one afterwards."""
        wanted, token = own_path(first(visit.form, "next")), first(visit.form, "token")
        if not visit.can_sign_in:
            return see_other("/")
        try:
            with self._desk.limiter.trying(visit.request):
                if first(visit.form, "link"):
                    return await self._link(visit, token)
                return await self._let_in(visit, token, wanted)
        except ProblemError as problem:
            if problem.word not in _REFUSALS:
                raise
            return await self._form(visit, wanted, problem)

    async def once(self, visit: Visit) -> Answer:
        """Signs in by a link; who is signed in already may open it again. Whoever only looks ahead uses nothing up.

        From a page of another site nobody is signed in: it would be as whoever wrote that page.
        """
        if visit.request.header(b"sec-fetch-site") in _OTHERS:
            return self._desk.renderer.page(visit, "signin_once.html", 403, is_foreign=True)
        token = self._tried(visit) if visit.request.method == "GET" else ""
        if visit.user:
            return see_other("/")
        if token:
            return await self._let_in(visit, token, "/")
        return self._desk.renderer.page(visit, "signin_once.html", 404, is_foreign=False)

    async def sign_out(self, visit: Visit) -> Answer:
        """Forgets the session here and everything of us there."""
        if visit.user:
            await self._desk.sessions.end(visit.number)
        place = "/signin?left=true" if self._desk.provider else "/"
        return see_other(place, session_cookie(visit.request, "", ends=True), _FORGET)

    def _tried(self, visit: Visit) -> str:
        """The token of a link, `""` for none; raises RATE_LIMITED for an address that tries too many."""
        with self._desk.limiter.trying(visit.request) as attempt:
            token = self._taken(visit.names["code"])
            attempt.is_wrong = not token
            return token

    def _taken(self, code: str) -> str:
        take = self._desk.take
        return self._issued.take(code) or (take(code) if take else "")

    async def _link(self, visit: Visit, token: str) -> Answer:
        """A link that signs in once, for a command that opens a browser: a token is no part of an address."""
        await visit.api.signed(token).get("/api/v1/me")
        return see_other(f"/signin/once/{self._issued.make(token)}")

    async def _let_in(self, visit: Visit, token: str, place: str) -> Answer:
        """A new session; raises ProblemError for a token that the API does not know."""
        return see_other(place, await self._desk.let_in(visit, token))

    async def _form(self, visit: Visit, wanted: str, problem: ProblemError | None = None) -> Answer:
        return self._desk.renderer.page(
            visit,
            "signin.html",
            status=problem.status if problem else 200,
            problem=problem,
            command=problem.hint if problem else await _command(visit),
            wanted=wanted,
            has_ended=visit.value("ended") == "true",
            elsewhere=self._elsewhere(wanted),
            left=await self._left(visit) if visit.value("left") == "true" else None,
        )

    def _elsewhere(self, wanted: str) -> Way | None:
        """Where one signs in at the issuer, if there is one: at the address to which it sends browsers back."""
        provider = self._desk.provider
        if provider is None:
            return None
        return Way(provider.name, f"{provider.public_url}{START}?{query_of({'next': wanted})}")

    async def _left(self, visit: Visit) -> Way | None:
        """Where one ends the session at the issuer, too, which goes on when one signs out here."""
        provider = self._desk.provider
        if provider is None:
            return None
        try:
            return Way(provider.name, await provider.exit(f"{base_of(visit, provider)}/signin"))
        except NotSignedInError:
            return Way(provider.name, "")


async def _command(visit: Visit) -> str:
    """What makes a token, as the API tells whoever comes without one."""
    try:
        await visit.api.signed("").get("/api/v1/me")
    except ProblemError as problem:
        return problem.hint
    return ""
