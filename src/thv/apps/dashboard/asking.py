"""Questions to the API, with the token of whoever is signed in.

In the flow: page functions ask, and get what any client would get: JSON, or a `ProblemError`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from thv.apps.kit.http.message import Answer, Request

Ask: TypeAlias = Callable[[Request], Awaitable[Answer]]
"""Answers a request from within the process; raises ProblemError and ThvError."""

_decode = msgspec.json.Decoder().decode


def path(template: str, *values: str) -> str:
    """A path with values in place of `{}`, each one segment."""
    return template.format(*(quote(value, safe="") for value in values))


def query_of(values: Mapping[str, Any]) -> str:
    """A query string; lists are repeated, what is None or empty is left out."""
    return urlencode(list(_pairs(values)))


def _pairs(values: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            if each is None or each == "":
                continue
            yield name, str(each).lower() if isinstance(each, bool) else str(each)


class Api:
    """The API as one caller sees it during one request."""

    def __init__(self, ask: Ask, request: Request, token: str) -> None:
        """`request` is the one that is being answered; `token` is `""` for somebody who is not signed in."""
        self._ask = ask
        self._request = request
        self._token = token

    def signed(self, token: str) -> Api:
        """The same for somebody with this token."""
        return Api(self._ask, self._request, token)

    async def get(self, path: str, /, **query: Any) -> Any:
        """What the API answers, decoded."""
        return _decode(await self.read(path, **query))

    async def read(self, path: str, /, accept: str = "", **query: Any) -> bytes:
        """What the API answers, as it is."""
        answer = await self._ask(self._made("GET", path, query_of(query), accept=accept))
        return await _whole(answer)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        /,
        **query: Any,
    ) -> Any:
        """What the API answers to a request that does something, decoded; None where it says nothing."""
        made = self._made("POST", path, query_of(query), body=msgspec.json.encode(body or {}))
        content = await _whole(await self._ask(made))
        return _decode(content) if content else None

    async def written(
        self, path: str, body: Mapping[str, Any], /, accept: str, **query: Any
    ) -> bytes:
        """What the API answers to a POST that wants something else than JSON, as it is."""
        content = msgspec.json.encode(body)
        made = self._made("POST", path, query_of(query), accept=accept, body=content)
        return await _whole(await self._ask(made))

    def _made(
        self, method: str, path: str, query: str, *, accept: str = "", body: bytes | None = None
    ) -> Request:
        request = self._request
        headers = {b"host": request.headers.get(b"host", b"")}
        if accept:
            headers[b"accept"] = accept.encode()
        if self._token:
            headers[b"authorization"] = b"Bearer " + self._token.encode()
        if body is not None:
            headers |= {b"content-type": b"application/json", b"content-length": b"%d" % len(body)}
        return Request(
            method=method,
            path=path.encode(),
            query=query.encode(),
            headers=headers,
            client=request.client,
            here=request.here,
            port=request.port,
            scheme=request.scheme,
            id=request.id,
            incoming=_Given(body) if body is not None else None,
        )


class _Given:
    """A body that is there."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self, most: int) -> bytes:
        """All of it; the API's own limit holds by its length."""
        return self._content[: most + 1]


async def _whole(answer: Answer) -> bytes:
    if isinstance(answer.body, bytes):
        return answer.body
    return b"".join([part async for part in answer.body])
