"""The body of a request: taken as it comes, once an endpoint wants it, and read strictly.

In the flow: a connection feeds what arrives; a handler reads it after every check that needs no body. Nobody who is
refused before that makes us hold more than the little that a client may send ahead.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from thv.apps.kit.http.message import Request
from thv.apps.kit.http.negotiation import JSON_TYPE, YAML_TYPE
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.domain.canonical import JsonObject
from thv.formats.folder import parse_yaml

BODY_LIMIT = 1 << 20
AHEAD = 64 * 1024
"""Bytes that are held before anybody wants them."""
PATIENCE = 30.0
"""Seconds that a body may take."""
DEPTH_LIMIT = 32
MEMBER_LIMIT = 10_000
_EXACT = 1 << 53
"""Whole numbers beyond are not the same number to every reader of JSON."""


class Incoming:
    """The bytes of a body while they come."""

    def __init__(self, wanted: Callable[[], None]) -> None:
        """`wanted` is called when somebody begins to read."""
        self._wanted = wanted
        self._parts: list[bytes] = []
        self._size = 0
        self._is_whole = self._is_wanted = self._is_dropped = False
        self._came = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether as much came as is held for nobody."""
        return not (self._is_wanted or self._is_dropped) and self._size > AHEAD

    def feed(self, part: bytes) -> None:
        """A part came."""
        if not self._is_dropped:
            self._parts.append(part)
            self._size += len(part)
            self._came.set()

    def finish(self) -> None:
        """That was all."""
        self._is_whole = True
        self._came.set()

    def drop(self) -> None:
        """Nobody will read it."""
        self._is_dropped = True
        self._parts.clear()

    async def read(self, most: int) -> bytes:
        """All of it; raises ProblemError for what is too large or too slow."""
        self._is_wanted = True
        self._wanted()
        try:
            async with asyncio.timeout(PATIENCE):
                while not self._is_whole and self._size <= most:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError as error:
            message = f"The body was not complete after {PATIENCE:g} seconds."
            raise ProblemError(Word.REQUEST_TIMEOUT, message) from error
        if self._size > most:
            raise too_large(most)
        return b"".join(self._parts)


def too_large(most: int) -> ProblemError:
    """A body of more bytes than are read."""
    return ProblemError(Word.PAYLOAD_TOO_LARGE, f"The body is larger than {most} bytes.")


async def read_value(
    request: Request, *, types: Sequence[str] = (JSON_TYPE,), most: int = BODY_LIMIT
) -> JsonObject:
    """The object in the body of a request; raises ProblemError with the place of what is wrong."""
    kind = _kind(request, types)
    if int(request.header(b"content-length") or 0) > most:
        raise too_large(most)
    content = await request.incoming.read(most) if request.incoming else b""
    value = _parsed(content, kind)
    if not isinstance(value, dict):
        raise _malformed("must be an object")
    _check_bounds(value)
    return value


def _kind(request: Request, types: Sequence[str]) -> str:
    """What the body is written in; raises UNSUPPORTED_MEDIA_TYPE."""
    encoding = request.header(b"content-encoding")
    if encoding not in ("", "identity"):
        message = f"A body that is encoded as {encoding} is not read; send it as it is."
        culprit = Culprit("is not accepted", "header.content-encoding", encoding)
        raise ProblemError(Word.UNSUPPORTED_MEDIA_TYPE, message, culprits=[culprit])
    given = request.header(b"content-type")
    kind = given.partition(";")[0].strip().lower()
    if kind in types:
        return kind
    message = f"The body must be {' or '.join(types)}."
    culprit = Culprit(f"must be {' or '.join(types)}", "header.content-type", given)
    raise ProblemError(Word.UNSUPPORTED_MEDIA_TYPE, message, culprits=[culprit])


# ---------------------------------------------------------------- strictly


def _parsed(content: bytes, kind: str) -> Any:
    try:
        text = content.decode()
        if kind == YAML_TYPE:
            return parse_yaml(text, unique=True)
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise _malformed("must be UTF-8") from error
    except RecursionError as error:
        raise _malformed(_TOO_DEEP) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _malformed(f"is no JSON: {error.msg.lower()} ({where})") from error
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise _malformed(reason if kind == JSON_TYPE else f"is no YAML: {reason}") from error


_TOO_DEEP = f"must not be deeper than {DEPTH_LIMIT} levels"


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found: JsonObject = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'must not have "{key[:100]}" twice in one object')
        found[key] = value
    return found


def _constant(text: str) -> Any:
    raise ValueError(f"must not have {text}: JSON has no such number")


def _check_bounds(value: Any) -> None:
    """Raises ProblemError for what no reader of JSON has to take."""
    waiting: list[tuple[Any, int]] = [(value, 1)]
    members = 0
    while waiting:
        each, depth = waiting.pop()
        if isinstance(each, dict | list):
            inner = list(each.values()) if isinstance(each, dict) else each
            members += len(inner)
            if depth > DEPTH_LIMIT:
                raise _malformed(_TOO_DEEP)
            if members > MEMBER_LIMIT:
                raise _malformed(f"must not have more than {MEMBER_LIMIT} members")
            waiting += [(one, depth + 1) for one in inner]
            if isinstance(each, dict) and not all(isinstance(key, str) for key in each):
                raise _malformed("must have texts as the names of members")
            for key in each if isinstance(each, dict) else ():
                _check_scalar(key)
        else:
            _check_scalar(each)


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        is_fit = value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
    elif isinstance(value, float):
        is_fit = math.isfinite(value)
    else:
        is_fit = value is None or (isinstance(value, int) and abs(value) <= _EXACT)
    if not is_fit:
        raise _malformed(
            "must have only what JSON has: no half surrogate pairs, no whole numbers beyond 2^53"
        )


def _malformed(what: str) -> ProblemError:
    return ProblemError(
        Word.INVALID_REQUEST, f"The body {what}.", culprits=[Culprit(what, "body.body")]
    )
