"""Questions to a service of the one-machine shape about whoever asks: who that is, and what they may do.

In the flow: behind `thv auth`, imported once a service is to be asked.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec

from thv.apps.cli.exits import CommandError
from thv.clients.http.client import HttpClient
from thv.clients.http.errors import HttpError, TlsError
from thv.clients.http.guard import AllowList, Credential
from thv.clients.http.response import Limits
from thv.clients.http.url import Url, parse_url
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code

_LIMITS = Limits(connect=5.0, read=10.0, total=20.0, body_bytes=1 << 20, redirects=0)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def address_of(text: str, *, allow_http: bool) -> str:
    """The address of a service as it is kept; raises INVALID for one that no token should go to."""
    try:
        url = parse_url(text if "://" in text else f"https://{text}")
    except HttpError as error:
        raise CommandError(
            Code.INVALID, error.message, tries=["thv auth login https://HOST"]
        ) from error
    if url.scheme == "http" and url.host not in _LOOPBACK and not allow_http:
        raise CommandError(
            Code.INVALID,
            f"{url.host} would get the token by plain http, where others may read it",
            tries=[f"thv auth login https://{url.authority}", "--allow-http   (test networks)"],
        )
    return f"{url.scheme}://{url.authority}"


def root_of(address: str) -> str:
    """Where the service of an API is: the same host, without a path; raises INVALID for no address."""
    return address_of(address, allow_http=True)


async def me(address: str, token: str) -> JsonObject:
    """Who the service takes us for."""
    return await _asked(address, token, "/api/v1/me")


async def allowed(address: str, token: str, attributes: JsonObject) -> bool:
    """Whether the service lets us do this; `attributes` are those of an access review."""
    part = attributes.get("subresource")
    resource = f"{attributes['resource']}/{part}" if part else attributes["resource"]
    asked = {"verb": attributes["verb"], "resource": resource}
    asked |= {key: attributes[key] for key in ("group", "namespace", "name") if attributes.get(key)}
    return bool((await _asked(address, token, f"/api/v1/me/can-i?{urlencode(asked)}"))["allowed"])


async def _asked(address: str, token: str, path: str) -> JsonObject:
    url = parse_url(address)
    credential = Credential((("Authorization", f"Bearer {token}"),))
    try:
        async with (
            HttpClient() as client,
            client.get(
                address + path,
                credentials=[credential] if token else [],
                allow=AllowList.parse([_entry(url)]),
                limits=_LIMITS,
            ) as answer,
        ):
            status, body = answer.status, await answer.body()
    except TlsError as error:
        raise CommandError(
            Code.TLS_VERIFICATION_FAILED,
            f"{address} cannot prove who it is: {error.message}",
            tries=["SSL_CERT_FILE=FILE thv auth ...   (the certificates of its authority)"],
        ) from error
    except HttpError as error:
        raise CommandError(
            Code.SOURCE_UNREACHABLE,
            f"{address} gives no answer: {error.message}",
            tries=["thv serve", "thv auth login URL   (another service)"],
        ) from error
    if status != 200:
        raise _refused(address, status, _object(body), anonymous=not token)
    return _object(body)


def _entry(url: Url) -> str:
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{host}:{url.port}"


def _object(body: bytes) -> JsonObject:
    try:
        found: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _refused(address: str, status: int, body: JsonObject, *, anonymous: bool) -> CommandError:
    error = body.get("error")
    said = str(error.get("message")) if isinstance(error, dict) else ""
    if status == 401 and anonymous:
        return CommandError(
            Code.AUTHENTICATION_FAILED,
            f"{address} wants to know who asks",
            tries=["--token-file FILE", f"thv auth login {address}"],
        )
    if status == 401:
        return CommandError(
            Code.AUTHENTICATION_FAILED,
            f"{address} does not take this token",
            cause="it has ended, was removed, or is for another service",
            tries=[f"thv auth login {address}"],
        )
    if status == 404:
        return CommandError(
            Code.NOT_FOUND,
            f"{address} is no service that knows callers",
            tries=["thv auth login URL   (of a thv serve, without a path)"],
        )
    return CommandError(
        Code.SOURCE_UNREACHABLE, f"{address} answers {status}{f': {said}' if said else ''}"
    )
