"""From errors to exit codes and to the lines that a person reads.

In the flow: the outermost layer of every command. One table; a test walks all codes.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    Code.SOURCE_UNREACHABLE: Exit.UNREACHABLE,
    Code.SOURCE_TIMEOUT: Exit.UNREACHABLE,
    Code.SOURCE_NOT_FOUND: Exit.NOT_FOUND,
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


def exit_of(error: ThvError) -> Exit:
    """The exit code of an error."""
    return EXITS[error.code]


def show_error(error: ThvError, console: Console, *, as_json: bool = False) -> None:
    """The error for a person, or for a program that asked for JSON."""
    if as_json:
        console.err.write(
            msgspec.json.format(msgspec.json.encode(error_body(error)), indent=2).decode() + "\n"
        )
        return
    head = console.paint("Error:", "red", err=True)
    if isinstance(error, InvalidError) and len(error.errors) > 1:
        console.err.write(f"{head} {safe(error.subject)} is invalid:\n")
        for field in error.errors[:20]:
            console.err.write(f"  * {safe(str(field))}\n")
    else:
        console.err.write(f"{head} {safe(error.message)}\n")
    if error.hint:
        console.err.write(f"Try:   {safe(error.hint)}\n")


def error_body(error: ThvError) -> dict[str, Any]:
    """The error as the API would answer it."""
    body: dict[str, Any] = {
        "code": error.code.value,
        "message": error.message,
        "details": error.details,
    }
    if error.hint:
        body["hint"] = error.hint
    return {"error": body}
