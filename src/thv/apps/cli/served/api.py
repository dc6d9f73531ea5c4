"""The API of a registry as a client: ours under `/api/v1`, the official one under `/v0.1`.

In the flow: behind the reading commands when `--server` names an address. Answers are bounded, long ones are read
as they come, and a refusal becomes an error that says what to do. The address was chosen by the user, who may well
mean a private or local one; wherever it redirects to is judged like any other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote

import msgspec

from thv import __version__
from thv.apps.cli.exits import CommandError
from thv.apps.cli.logins import read_logins
from thv.apps.cli.session import Session
from thv.clients.http.client import HttpClient, HttpSettings
from thv.clients.http.errors import HttpError, UrlInvalidError
from thv.clients.http.guard import AllowEntry, AllowList, Credential
from thv.clients.http.response import Limits, Response
from thv.clients.http.url import parse_url
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError

Query = Mapping[str, str]

_ANSWER = Limits(connect=5.0, body_bytes=16 << 20)
"""A page ends at 4 MiB, and an entry has 1."""
_DOCUMENT = Limits(connect=5.0, total=1800.0, body_bytes=4 << 30)
_REFUSED = 1 << 20
_JSON = "application/json"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TOKEN_BYTES = 64 * 1024


class Api:
    """One API, with one token or none."""

    def __init__(self, url: str, token: str) -> None:
        """Raises INVALID for what is no address."""
        try:
            target = parse_url(url)
        except UrlInvalidError as error:
            raise CommandError(
                Code.INVALID, f"--server: {error.message}", tries=["--server https://HOST:PORT"]
            ) from error
        self.url = url.rstrip("/")
        self.is_overheard = target.scheme == "http" and target.host not in _LOOPBACK
        """Others on the way may read what is sent."""
        bearer = Credential((("Authorization", f"Bearer {token}"),))
        self._credentials = (bearer,) if token else ()
        self._allow = AllowList((AllowEntry(target.host, target.port),))
        self._http = HttpClient(settings=HttpSettings(user_agent=f"thv/{__version__}"))

    async def read(self, path: str, query: Query | None = None) -> JsonObject:
        """The answer; raises what it refuses, NOT_FOUND among it."""
        async with self._asked(path, query or {}, _ANSWER) as answer:
            return _object(await answer.body(), f"{self.url}{path}")

    async def find(self, path: str, query: Query | None = None) -> JsonObject | None:
        """The answer, None for what is not there."""
        try:
            return await self.read(path, query)
        except ThvError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise

    async def send(self, path: str, query: Query, body: bytes) -> JsonObject:
        """The answer to a JSON body; raises what it refuses."""
        try:
            async with self._http.post(
                self._target(path, query),
                body,
                headers={"Accept": _JSON, "Content-Type": _JSON},
                credentials=self._credentials,
                allow=self._allow,
                limits=_ANSWER,
            ) as answer:
                if answer.status != 200:
                    raise await self._refusal(answer)
                return _object(await answer.body(), f"{self.url}{path}")
        except HttpError as error:
            raise self._away(error) from error

    @asynccontextmanager
    async def stream(self, path: str, query: Query) -> AsyncIterator[AsyncIterator[bytes]]:
        """A long answer, piece by piece."""
        async with self._asked(path, query, _DOCUMENT) as answer:
            yield answer.chunks()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close()

    @asynccontextmanager
    async def _asked(self, path: str, query: Query, limits: Limits) -> AsyncIterator[Response]:
        try:
            async with self._http.get(
                self._target(path, query),
                headers={"Accept": _JSON},
                credentials=self._credentials,
                allow=self._allow,
                limits=limits,
            ) as answer:
                if answer.status != 200:
                    raise await self._refusal(answer)
                yield answer
        except HttpError as error:
            raise self._away(error) from error

    def _target(self, path: str, query: Query) -> str:
        return parse_url(self.url + path).asking(query.items()).text

    async def _refusal(self, answer: Response) -> CommandError:
        body = await answer.body() if (answer.size or 0) <= _REFUSED else b""
        return refusal(answer.status, body, f"{self.url}: ")

    def _away(self, error: HttpError) -> CommandError:
        return CommandError(
            Code.STORE_UNAVAILABLE,
            f"{self.url} cannot be read: {error.message}",
            tries=[f"curl -i {self.url}/v0.1/ping", "thv config view   (where the address is set)"],
        )


def refusal(status: int, body: bytes, before: str = "") -> CommandError:
    """What an API says of a request that it does not answer, and what to do; `before` names the API."""
    error = _error_of(body)
    said = str(error.get("message") or error.get("detail") or f"it answered {status}")
    details = error.get("details")
    hint = details.get("hint") if isinstance(details, dict) else ""
    if status == 401:
        hint = _SIGN_IN
    elif status == 403:
        hint = hint or "ask for the role toolhive-registry-user"
    code = Code.STORE_UNAVAILABLE if status >= 500 else _CODES.get(status, Code.INVALID)
    tries = str(hint or "").splitlines()
    return CommandError(code, f"{before}{said}", tries=tries, details=error)


_CODES = {
    401: Code.FORBIDDEN,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    409: Code.CONFLICT,
    410: Code.NOT_FOUND,
    422: Code.POLICY_REFUSED,
    429: Code.RATE_LIMITED,
}
_SIGN_IN = (
    "thv auth token NAME --context CLUSTER > token   (by somebody who knows the cluster)\n"
    "--token-file token   (or THV_TOKEN_FILE)\n"
    "thv auth login URL   (for a thv serve)"
)


def open_api(session: Session) -> Api:
    """The API that the settings name; raises INVALID for an address or a token that cannot be used."""
    session.console.detail(f"reading from {session.settings.server} ({session.settings.why})")
    token = token_of(session)
    api = Api(session.settings.server, token)
    if token and api.is_overheard:
        session.console.step("note", f"the token goes to {api.url} by plain http")
    return api


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def token_of(session: Session) -> str:
    """The token for the API that the settings name, `""` for none; raises for a file that holds none."""
    path = session.settings.token_file
    if path is None:
        return _logged_in(session)
    try:
        with path.open(encoding="ascii") as file:
            token = file.read(_TOKEN_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(
            Code.PATH_NOT_FOUND, f'the token file "{path}" cannot be read: {error}'
        ) from error
    if not token or len(token.split()) > 1:
        raise CommandError(Code.INVALID, f'the file "{path}" holds no token')
    return token


def _logged_in(session: Session) -> str:
    """The token of the service that the address belongs to, `""` without a login."""
    url = session.settings.server
    kept = read_logins(session.settings).tokens
    return next((kept[place] for place in kept if f"{url}/".startswith(f"{place}/")), "")


def _object(body: bytes, what: str) -> JsonObject:
    try:
        return msgspec.json.decode(body, type=JsonObject)
    except msgspec.MsgspecError as error:
        raise CommandError(
            Code.FORMAT_INVALID,
            f"{what} answered something else than JSON",
            tries=["--server takes the address of a registry API, such as http://HOST:8080"],
        ) from error


def _error_of(body: bytes) -> JsonObject:
    """The error in an answer, whichever API it is."""
    try:
        told = msgspec.json.decode(body, type=JsonObject)
    except msgspec.MsgspecError:
        return {}
    error = told.get("error")
    return error if isinstance(error, dict) else told
