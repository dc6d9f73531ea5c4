"""What can go wrong, as values that say what to do next.

An error of ours carries a code (one closed list), a sentence for a person, details for a program, and what
happens next. Adapters translate foreign exceptions into these once; each door holds one table from `Code` to
its own language (HTTP status, condition reason, exit code).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class Code(StrEnum):
    """Every way in which something of ours fails."""

    # A resource or a request is wrong; a person must change it.
    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    CONFLICT = "CONFLICT"
    FORBIDDEN = "FORBIDDEN"
    EXPIRED = "EXPIRED"
    AMBIGUOUS = "AMBIGUOUS"
    POLICY_REFUSED = "POLICY_REFUSED"

    # A source does not give what it should.
    SOURCE_UNREACHABLE = "SOURCE_UNREACHABLE"
    SOURCE_TIMEOUT = "SOURCE_TIMEOUT"
    SOURCE_NOT_FOUND = "SOURCE_NOT_FOUND"
    SOURCE_NOT_READY = "SOURCE_NOT_READY"
    SOURCE_TYPE_UNSUPPORTED = "SOURCE_TYPE_UNSUPPORTED"
    PATH_NOT_FOUND = "PATH_NOT_FOUND"
    AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
    TLS_VERIFICATION_FAILED = "TLS_VERIFICATION_FAILED"
    ADDRESS_DENIED = "ADDRESS_DENIED"
    HOST_NOT_ALLOWED = "HOST_NOT_ALLOWED"
    RATE_LIMITED = "RATE_LIMITED"
    SECRET_NOT_FOUND = "SECRET_NOT_FOUND"
    SECRET_FORBIDDEN = "SECRET_FORBIDDEN"
    REGISTRY_CYCLE = "REGISTRY_CYCLE"

    # The content is not what it should be.
    FORMAT_INVALID = "FORMAT_INVALID"
    FORMAT_UNSUPPORTED = "FORMAT_UNSUPPORTED"
    SIZE_LIMIT_EXCEEDED = "SIZE_LIMIT_EXCEEDED"
    EMPTY = "EMPTY"

    # A store of ours.
    SNAPSHOT_TOO_LARGE = "SNAPSHOT_TOO_LARGE"
    SNAPSHOT_DAMAGED = "SNAPSHOT_DAMAGED"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    STORE_FULL = "STORE_FULL"
    LOCKED = "LOCKED"

    # A tool that this machine lacks.
    TOOL_MISSING = "TOOL_MISSING"


class Next(StrEnum):
    """What a machine does after an error."""

    NEVER = "never"
    """Trying again changes nothing; a person must act."""
    WAIT = "wait"
    """Try again after the seconds that the other side named."""
    BACKOFF = "backoff"
    """Try again, later each time."""


_BACKOFF = frozenset(
    {
        Code.CONFLICT,
        Code.SOURCE_UNREACHABLE,
        Code.SOURCE_NOT_READY,
        Code.SOURCE_TIMEOUT,
        Code.RATE_LIMITED,
        Code.STORE_UNAVAILABLE,
        Code.STORE_FULL,
    }
)


class ThvError(Exception):
    """An error of ours.

    `message` is for a person: which thing, which field, which value. `hint` is the next step, a command where
    one exists. `details` is for programs. None of the three ever holds a secret.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        hint: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """`retry_after` is in seconds and makes the error one that waits."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details: dict[str, Any] = dict(details or {})
        self.retry_after = retry_after

    @property
    def next(self) -> Next:
        """What a machine does now."""
        if self.retry_after is not None:
            return Next.WAIT
        return Next.BACKOFF if self.code in _BACKOFF else Next.NEVER

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code.value}, {self.message!r})"


class FieldError(msgspec.Struct, frozen=True):
    """One thing that is wrong with one field of an object."""

    path: str
    """`spec.source.git.branch`, with `[3]` for list items."""
    message: str
    value: Any = None

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidError(ThvError):
    """An object that its schema or its rules refuse; names every culprit."""

    def __init__(self, subject: str, errors: list[FieldError], *, hint: str = "") -> None:
        """`subject` is the object as a person names it, such as `mcpregistry "corp"`."""
        shown = "; ".join(str(error) for error in errors[:20])
        super().__init__(
            Code.INVALID,
            f"{subject} is invalid: {shown}",
            hint=hint,
            details={"causes": [{"field": e.path, "message": e.message} for e in errors[:20]]},
        )
        self.subject = subject
        self.errors = errors
