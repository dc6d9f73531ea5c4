"""What sources over HTTP share: credentials and trust roots, requests, the client's errors in our words.

In the flow: a fetch opens a `Session`, which reads the Secrets once; every request of the fetch goes through it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

import msgspec

from thv.clients.http.client import HttpClient
from thv.clients.http.errors import (
    AddressDeniedError,
    ConnectError,
    DecodingError,
    EchoedError,
    HeaderInvalidError,
    HttpError,
    NameUnknownError,
    RedirectRefusedError,
    StatusError,
    TimedOutError,
    TlsError,
    TooLargeError,
    TooManyRedirectsError,
    UrlInvalidError,
)
from thv.clients.http.guard import NOTHING, AllowList, Credential
from thv.clients.http.response import Limits, Response
from thv.clients.http.url import Url, parse_url
from thv.domain import registry as specs
from thv.domain.errors import Code, ThvError
from thv.domain.fields import ConfigMapKey
from thv.sources.base import ReadConfigMap, ReadSecret
from thv.sources.credentials import (
    auth_credential,
    header_credential,
    joined,
    plain_credential,
    require_host,
)

WebSpec: TypeAlias = specs.UrlSource | specs.RegistrySource

_LONGEST_WAIT = 3600.0
_CODES: tuple[tuple[type[HttpError], Code], ...] = (
    (AddressDeniedError, Code.ADDRESS_DENIED),
    (TooManyRedirectsError, Code.SOURCE_UNREACHABLE),
    (RedirectRefusedError, Code.ADDRESS_DENIED),
    (UrlInvalidError, Code.INVALID),
    (HeaderInvalidError, Code.INVALID),
    (TlsError, Code.TLS_VERIFICATION_FAILED),
    (TimedOutError, Code.SOURCE_TIMEOUT),
    (TooLargeError, Code.SIZE_LIMIT_EXCEEDED),
    (DecodingError, Code.FORMAT_INVALID),
    (EchoedError, Code.FORMAT_UNSUPPORTED),
    (HttpError, Code.SOURCE_UNREACHABLE),
)
_STATUS_CODES = {
    401: Code.AUTHENTICATION_FAILED,
    403: Code.AUTHENTICATION_FAILED,
    404: Code.SOURCE_NOT_FOUND,
    408: Code.SOURCE_TIMEOUT,
    410: Code.SOURCE_NOT_FOUND,
    429: Code.RATE_LIMITED,
    504: Code.SOURCE_TIMEOUT,
}
_HINTS = {
    Code.AUTHENTICATION_FAILED: "check authSecret and headersSecret of the source",
    Code.TLS_VERIFICATION_FAILED: "name the certificate authority in caConfigMap of the source",
}


_ECHOED_HINT = "the upstream must not repeat what it is sent; nothing of the answer was kept"


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """What the wiring hands to every source over HTTP of one namespace."""

    client: HttpClient
    read_secret: ReadSecret
    read_config_map: ReadConfigMap
    now: Callable[[], datetime]
    allow: AllowList = NOTHING
    trust: bytes = b""
    """Trust roots of every source, PEM."""
    denied_hint: str = ""
    """How a person opens an address that is denied: a flag here, a setting of the operator there."""

    async def session(self, spec: WebSpec, limits: Limits) -> Session:
        """Ready for requests to the source; reads its Secrets and trust roots."""
        url = _parsed(spec.url)
        credentials = [plain_credential(spec.headers)] if spec.headers else []
        if spec.headers_secret is not None:
            secret = await self.read_secret(spec.headers_secret.name)
            require_host(spec.headers_secret.name, secret, url.host)
            credentials.append(header_credential(spec.headers_secret.name, secret))
        if spec.auth_secret is not None:
            secret = await self.read_secret(spec.auth_secret.name)
            require_host(spec.auth_secret.name, secret, url.host)
            credentials.append(auth_credential(spec.auth_secret, secret))
        own = await self._trust(spec.ca_config_map) if spec.ca_config_map else b""
        return Session(self, url, tuple(credentials), joined(self.trust, own), limits)

    async def _trust(self, place: ConfigMapKey) -> bytes:
        data = await self.read_config_map(place.name)
        if place.key not in data:
            raise ThvError(
                Code.PATH_NOT_FOUND, f'the ConfigMap "{place.name}" has no key "{place.key}"'
            )
        return data[place.key]


class Session:
    """The requests of one fetch, with what was read for it; raises only ThvError."""

    def __init__(
        self,
        web: Web,
        url: Url,
        credentials: tuple[Credential, ...],
        trust: bytes,
        limits: Limits,
    ) -> None:
        self.url = url
        self.now = web.now
        self._web = web
        self._credentials = credentials
        self._trust = trust
        self._limits = limits

    @asynccontextmanager
    async def get(
        self, url: Url, headers: Mapping[str, str] | None = None, *, redirects: int | None = None
    ) -> AsyncIterator[Response]:
        """The answer, whatever its status; errors inside the context are translated too.

        `url` is of the origin of the source: another one would get the credentials as well.
        """
        if url.origin != self.url.origin:
            raise ValueError(f"{url} is not of the origin of {self.url}")
        limits = self._limits
        if redirects is not None:
            limits = msgspec.structs.replace(limits, redirects=redirects)
        try:
            async with self._web.client.get(
                url.text,
                headers=headers,
                credentials=self._credentials,
                allow=self._web.allow,
                trust=self._trust,
                limits=limits,
            ) as response:
                yield response
        except HttpError as e:
            raise self._translated(e) from e

    async def chunks(self, response: Response) -> AsyncIterator[bytes]:
        """The body, for a reader outside the context of `get`."""
        try:
            async for chunk in response.chunks():
                yield chunk
        except HttpError as e:
            raise self._translated(e) from e

    def _translated(self, error: HttpError) -> ThvError:
        return translated(error, denied_hint=self._web.denied_hint, now=self._web.now())


def translated(error: HttpError, *, denied_hint: str, now: datetime) -> ThvError:
    """The client's word in ours."""
    if isinstance(error, StatusError):
        return _of_status(error, now)
    code = next(code for kind, code in _CODES if isinstance(error, kind))
    if isinstance(error, AddressDeniedError):
        hint = denied_hint if error.openable else "no setting opens this address"
        details = {"host": error.host, "port": error.port}
        return ThvError(code, error.message, hint=hint, details=details)
    hint = _ECHOED_HINT if isinstance(error, EchoedError) else _HINTS.get(code, "")
    details = {"connected": False} if isinstance(error, NameUnknownError | ConnectError) else {}
    return ThvError(code, error.message, hint=hint, details=details)


def _of_status(error: StatusError, now: datetime) -> ThvError:
    code = _STATUS_CODES.get(error.status, Code.SOURCE_UNREACHABLE)
    waits = error.status in (429, 503)
    return ThvError(
        code,
        error.message,
        hint=_HINTS.get(code, ""),
        details={"status": error.status},
        retry_after=parse_retry_after(error.retry_after, now) if waits else None,
    )


def parse_retry_after(text: str, now: datetime) -> float | None:
    """Seconds to wait, from seconds or an HTTP date, at most an hour; None when it says nothing."""
    text = text.strip()
    if text.isdecimal():
        return min(float(text[:9]), _LONGEST_WAIT)
    moment = parse_http_date(text)
    if moment is None:
        return None
    return min(max((moment - now).total_seconds(), 0.0), _LONGEST_WAIT)


def parse_http_date(text: str) -> datetime | None:
    """The moment that a header such as Date names."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def origin_of(kind: str, *parts: object) -> str:
    """An identity of content that says nothing about its parts."""
    digest = hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()
    return f"{kind}:{digest[:32]}"


def _parsed(url: str) -> Url:
    try:
        return parse_url(url)
    except UrlInvalidError as e:
        raise ThvError(Code.INVALID, f"spec.source: {e.message}") from e
