"""Everything that a door refuses: one code word each, one status, one body a family of paths.

In the flow: routing, parameters and handlers raise a `ProblemError`; `server` renders it in the words of the family
that was asked. Errors of the domain become problems by one table.
"""

from __future__ import annotations

import http
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from thv.apps.kit.http.message import JSON, NO_STORE, PROBLEM_JSON, Answer, Header, encode
from thv.domain.errors import Code, ThvError

TYPE_BASE = "https://toolhive.stacklok.io/errors/"
_VALUE_LIMIT = 256
_CULPRIT_LIMIT = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Family(StrEnum):
    """Which contract a path belongs to: it decides error bodies, CORS and what an unknown parameter does."""

    API = "api"
    OFFICIAL = "official"
    OPEN = "open"
    """Documents that everybody may read from everywhere."""
    OPERATIONS = "operations"
    PAGES = "pages"
    """What people look at."""


class Word(StrEnum):
    """The code words of error bodies."""

    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_CURSOR = "INVALID_CURSOR"
    AMBIGUOUS_SERVER = "AMBIGUOUS_SERVER"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105 # a code word
    NAMESPACE_ACCESS_DENIED = "NAMESPACE_ACCESS_DENIED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    SERVER_NOT_FOUND = "SERVER_NOT_FOUND"
    VERSION_NOT_FOUND = "VERSION_NOT_FOUND"
    GROUP_NOT_FOUND = "GROUP_NOT_FOUND"
    TOOL_NOT_FOUND = "TOOL_NOT_FOUND"
    REGISTRY_NOT_FOUND = "REGISTRY_NOT_FOUND"
    IDEMPOTENCY_IN_FLIGHT = "IDEMPOTENCY_IN_FLIGHT"
    REVISION_CHANGED = "REVISION_CHANGED"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    PRECONDITION_REQUIRED = "PRECONDITION_REQUIRED"
    TOKEN_NOT_FORWARDABLE = "TOKEN_NOT_FORWARDABLE"  # noqa: S105 # a code word
    READ_ONLY = "READ_ONLY"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    REGISTRY_EXISTS = "REGISTRY_EXISTS"
    RESOURCE_EXISTS = "RESOURCE_EXISTS"
    STATE_CONFLICT = "STATE_CONFLICT"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    URI_TOO_LONG = "URI_TOO_LONG"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    MISDIRECTED_REQUEST = "MISDIRECTED_REQUEST"
    POLICY_REFUSED = "POLICY_REFUSED"
    RATE_LIMITED = "RATE_LIMITED"
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
    CSRF_FAILED = "CSRF_FAILED"
    INTERNAL = "INTERNAL"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    SNAPSHOT_UNAVAILABLE = "SNAPSHOT_UNAVAILABLE"
    OVERLOADED = "OVERLOADED"
    AUTHORIZER_UNAVAILABLE = "AUTHORIZER_UNAVAILABLE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    TIMEOUT = "TIMEOUT"


STATUS: dict[Word, int] = {
    Word.INVALID_REQUEST: 400,
    Word.INVALID_CURSOR: 400,
    Word.AMBIGUOUS_SERVER: 400,
    Word.UNAUTHENTICATED: 401,
    Word.INVALID_TOKEN: 401,
    Word.NAMESPACE_ACCESS_DENIED: 403,
    Word.FORBIDDEN: 403,
    Word.NOT_FOUND: 404,
    Word.SERVER_NOT_FOUND: 404,
    Word.VERSION_NOT_FOUND: 404,
    Word.GROUP_NOT_FOUND: 404,
    Word.TOOL_NOT_FOUND: 404,
    Word.REGISTRY_NOT_FOUND: 404,
    Word.IDEMPOTENCY_IN_FLIGHT: 409,
    Word.REVISION_CHANGED: 412,
    Word.IDEMPOTENCY_KEY_REUSED: 422,
    Word.PRECONDITION_REQUIRED: 428,
    Word.TOKEN_NOT_FORWARDABLE: 403,
    Word.READ_ONLY: 403,
    Word.CSRF_FAILED: 403,
    Word.METHOD_NOT_ALLOWED: 405,
    Word.NOT_ACCEPTABLE: 406,
    Word.REQUEST_TIMEOUT: 408,
    Word.REGISTRY_EXISTS: 409,
    Word.RESOURCE_EXISTS: 409,
    Word.STATE_CONFLICT: 409,
    Word.CURSOR_EXPIRED: 410,
    Word.PAYLOAD_TOO_LARGE: 413,
    Word.URI_TOO_LONG: 414,
    Word.UNSUPPORTED_MEDIA_TYPE: 415,
    Word.MISDIRECTED_REQUEST: 421,
    Word.POLICY_REFUSED: 422,
    Word.RATE_LIMITED: 429,
    Word.HEADERS_TOO_LARGE: 431,
    Word.INTERNAL: 500,
    Word.NOT_IMPLEMENTED: 501,
    Word.SNAPSHOT_UNAVAILABLE: 503,
    Word.OVERLOADED: 503,
    Word.AUTHORIZER_UNAVAILABLE: 503,
    Word.STORE_UNAVAILABLE: 503,
    Word.TIMEOUT: 504,
}

WORD_OF: dict[Code, Word] = {
    Code.INVALID: Word.INVALID_REQUEST,
    Code.NOT_FOUND: Word.NOT_FOUND,
    Code.ALREADY_EXISTS: Word.RESOURCE_EXISTS,
    Code.CONFLICT: Word.STATE_CONFLICT,
    Code.FORBIDDEN: Word.FORBIDDEN,
    Code.EXPIRED: Word.CURSOR_EXPIRED,
    Code.AMBIGUOUS: Word.AMBIGUOUS_SERVER,
    Code.POLICY_REFUSED: Word.POLICY_REFUSED,
    Code.RATE_LIMITED: Word.RATE_LIMITED,
    Code.SNAPSHOT_DAMAGED: Word.STORE_UNAVAILABLE,
    Code.STORE_UNAVAILABLE: Word.STORE_UNAVAILABLE,
    Code.STORE_FULL: Word.STORE_UNAVAILABLE,
    Code.LOCKED: Word.STORE_UNAVAILABLE,
}
"""What a door says of an error of the domain; one that is not here is ours alone: `INTERNAL`."""


class Culprit(msgspec.Struct, frozen=True):
    """One thing that is wrong, and where."""

    message: str
    location: str
    """`query.limit`, `path.name`, `header.accept` or a path in the body."""
    value: Any = None


class ProblemError(Exception):
    """The answer is an error; raised anywhere below `server`."""

    def __init__(
        self,
        word: Word,
        message: str,
        *,
        culprits: Sequence[Culprit] = (),
        field: str = "",
        value: Any = None,
        status: int = 0,
        hint: str = "",
        retry_after: int = 0,
        headers: Sequence[Header] = (),
    ) -> None:
        """`field` and `value` name the one culprit; by default they are those of `culprits`, if it is one."""
        super().__init__(message)
        self.word = word
        self.message = message
        self.status = status or STATUS[word]
        self.culprits = tuple(culprits)[:_CULPRIT_LIMIT]
        if len(self.culprits) == 1 and not field:
            field, value = self.culprits[0].location.partition(".")[2], self.culprits[0].value
        self.field = field
        self.value = value
        self.hint = hint
        self.retry_after = retry_after
        self.headers = tuple(headers)


def problem_of(error: ThvError) -> ProblemError:
    """An error of the domain in the words of HTTP."""
    word = WORD_OF.get(error.code, Word.INTERNAL)
    wait = int(error.retry_after or 0)
    if STATUS[word] == 503:
        wait = wait or 10
    return ProblemError(word, error.message, hint=error.hint, retry_after=wait)


def render(
    problem: ProblemError, family: Family, *, path: str, request_id: str, as_problem: bool = False
) -> Answer:
    """The answer that says what is wrong, in the form of the family."""
    details = _details(problem, request_id)
    if family is Family.OFFICIAL:
        body, content_type = _official(problem, details), PROBLEM_JSON
    else:
        body, content_type = _own(problem, details, path), PROBLEM_JSON if as_problem else JSON
    headers = [content_type, NO_STORE, *problem.headers]
    if problem.retry_after:
        headers.append((b"retry-after", b"%d" % problem.retry_after))
    return Answer(problem.status, tuple(headers), encode(body))


def _own(problem: ProblemError, details: dict[str, Any], path: str) -> dict[str, Any]:
    body = {
        "error": {"code": problem.word.value, "message": problem.message, "details": details},
        "type": TYPE_BASE + problem.word.value.lower().replace("_", "-"),
        "title": title_of(problem.status),
        "status": problem.status,
        "detail": problem.message,
        "instance": _shown(path),
    }
    return {**body, **_errors(problem)}


def _official(problem: ProblemError, details: dict[str, Any]) -> dict[str, Any]:
    body = {
        "title": title_of(problem.status),
        "status": problem.status,
        "detail": problem.message,
        "error": problem.message,
        "code": problem.word.value,
        "details": details,
    }
    return {**body, **_errors(problem)}


def title_of(status: int) -> str:
    """The phrase of a status code."""
    return http.HTTPStatus(status).phrase


def _details(problem: ProblemError, request_id: str) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if problem.field:
        details |= {"field": problem.field, "value": _shown(problem.value)}
    if problem.hint:
        details["hint"] = problem.hint
    if problem.retry_after:
        details["retry_after"] = problem.retry_after
    return {**details, "request_id": request_id}


def _errors(problem: ProblemError) -> dict[str, Any]:
    if not problem.culprits:
        return {}
    errors = [
        {"message": each.message, "location": each.location, "value": _shown(each.value)}
        for each in problem.culprits
    ]
    return {"errors": errors}


def _shown(value: Any) -> Any:
    """A value as it was sent, cut and without control characters."""
    if not isinstance(value, str):
        return value
    cut = value if len(value) <= _VALUE_LIMIT else value[:_VALUE_LIMIT] + "..."
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", cut)
