"""From errors to exit codes and to the lines that a person reads.

In the flow: the outermost layer of every command. One table; a test walks all codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

import msgspec

from thv.apps.cli.console import Console, safe
from thv.domain.errors import Code, InvalidError, ThvError


class Exit(IntEnum):
    """What scripts tell apart."""

    OK = 0
    FAILED = 1
    """Failed; for `diff`: there are differences."""
    USAGE = 2
    UNCHANGED = 3
    """With --error-unchanged."""
    FORBIDDEN = 4
    NOT_FOUND = 5
    CONFLICT = 6
    POLICY = 7
    PENDING = 8
    """Still pending, or timed out."""
    BROKEN = 9
    """A signature, digest or audit chain is broken."""
    UNREACHABLE = 10
    INTERRUPTED = 130


EXITS: Mapping[Code, Exit] = {
    Code.INVALID: Exit.USAGE,
    Code.NOT_FOUND: Exit.NOT_FOUND,
    Code.ALREADY_EXISTS: Exit.CONFLICT,
    Code.CONFLICT: Exit.CONFLICT,
    Code.FORBIDDEN: Exit.FORBIDDEN,
    Code.EXPIRED: Exit.CONFLICT,
    Code.AMBIGUOUS: Exit.USAGE,
    Code.POLICY_REFUSED: Exit.POLICY,
    Code.SOURCE_UNREACHABLE: Exit.UNREACHABLE,
    Code.SOURCE_TIMEOUT: Exit.UNREACHABLE,
    Code.SOURCE_NOT_FOUND: Exit.NOT_FOUND,
    Code.SOURCE_NOT_READY: Exit.PENDING,
    Code.SOURCE_TYPE_UNSUPPORTED: Exit.USAGE,
    Code.PATH_NOT_FOUND: Exit.NOT_FOUND,
    Code.AUTHENTICATION_FAILED: Exit.FORBIDDEN,
    Code.TLS_VERIFICATION_FAILED: Exit.UNREACHABLE,
    Code.ADDRESS_DENIED: Exit.USAGE,
    Code.HOST_NOT_ALLOWED: Exit.USAGE,
    Code.RATE_LIMITED: Exit.UNREACHABLE,
    Code.SECRET_NOT_FOUND: Exit.NOT_FOUND,
    Code.SECRET_FORBIDDEN: Exit.FORBIDDEN,
    Code.REGISTRY_CYCLE: Exit.USAGE,
    Code.FORMAT_INVALID: Exit.FAILED,
    Code.FORMAT_UNSUPPORTED: Exit.FAILED,
    Code.SIZE_LIMIT_EXCEEDED: Exit.FAILED,
    Code.EMPTY: Exit.FAILED,
    Code.SNAPSHOT_TOO_LARGE: Exit.FAILED,
    Code.SNAPSHOT_DAMAGED: Exit.BROKEN,
    Code.STORE_UNAVAILABLE: Exit.UNREACHABLE,
    Code.STORE_FULL: Exit.FAILED,
    Code.LOCKED: Exit.CONFLICT,
    Code.TOOL_MISSING: Exit.FAILED,
}


class CommandError(ThvError):
    """An error of a command line: also says why, what was perhaps meant, and what to type next."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        cause: str = "",
        suggestions: Sequence[str] = (),
        tries: Sequence[str] = (),
        exit_code: Exit | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """`tries` are lines of advice, commands where there are some; `exit_code` where the code's is not it."""
        super().__init__(code, message, hint="\n".join(tries), details=details)
        self.cause = cause
        self.suggestions = tuple(suggestions)
        self.exit_code = exit_code


def exit_of(error: ThvError) -> Exit:
    """The exit code of an error."""
    chosen = error.exit_code if isinstance(error, CommandError) else None
    return EXITS[error.code] if chosen is None else chosen


def show_error(error: ThvError, console: Console, *, as_json: bool = False) -> None:
    """The error for a person, or for a program that asked for JSON."""
    if as_json:
        text = msgspec.json.format(msgspec.json.encode(error_body(error)), indent=2).decode() + "\n"
    else:
        lines = [f"{console.paint('Error:', 'red', err=True)} {_said(error)}", *_advice(error)]
        text = "\n" + "\n".join(lines) + "\n"
    console.err.write(text)
    console.err.flush()


def _said(error: ThvError) -> str:
    if isinstance(error, InvalidError) and len(error.errors) > 1:
        culprits = [f"  * {safe(str(field))}" for field in error.errors[:20]]
        return "\n".join([f"{safe(error.subject)} is invalid:", *culprits])
    return safe(error.message)


def _advice(error: ThvError) -> list[str]:
    lines: list[str] = []
    if isinstance(error, CommandError):
        if error.suggestions:
            lines.append(f"Did you mean: {', '.join(map(safe, error.suggestions))}?")
        if error.cause:
            lines.append(f"Cause: {safe(error.cause)}")
    head = "Try:   "
    for line in error.hint.splitlines():
        lines.append(head + safe(line))
        head = "       "
    return lines


def error_body(error: ThvError) -> dict[str, Any]:
    """The error as the API would answer it."""
    body: dict[str, Any] = {
        "code": error.code.value,
        "message": error.message,
        "details": error.details,
    }
    if isinstance(error, CommandError):
        known = {"cause": error.cause, "suggestions": list(error.suggestions)}
        body |= {key: value for key, value in known.items() if value}
    if error.hint:
        body["hint"] = error.hint
    return {"error": body}
