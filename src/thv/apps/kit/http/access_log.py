"""A line for each request that was answered, for people or for programs.

In the flow: told by `HttpServer` like whoever counts. Lines are gathered for a moment and written together: one write
for each would cost more than most answers.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Request
from thv.apps.kit.logs import LogFormat, without_secrets

_SOON = 0.2
_MOST = 500
"""Lines that are kept at once."""


def _to_stderr(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


class AccessLog:
    """The lines of one process."""

    def __init__(
        self,
        form: LogFormat = "text",
        *,
        write: Callable[[str], None] = _to_stderr,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` is in Unix seconds."""
        self._line = _json if form == "json" else _text
        self._write = write
        self._now = now
        self._lines: list[str] = []
        atexit.register(self.flush)

    def begun(self) -> None:
        """Nothing is said of it yet."""

    def ended(self, request: Request, context: Context, status: int, seconds: float) -> None:
        """It was answered, or the client went before."""
        self._lines.append(self._line(self._now(), request, context, status, seconds))
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_later(_SOON, self.flush)
        elif len(self._lines) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Writes what there is."""
        lines, self._lines = self._lines, []
        if lines:
            self._write("".join(lines))


def _text(now: float, request: Request, context: Context, status: int, seconds: float) -> str:
    return (
        f'{_stamp(now)} access: {request.client or "-"} "{request.method} {_target(request, context)}" '
        f"{status} {context.size} B {seconds * 1000:.1f} ms {request.id}\n"
    )


def _json(now: float, request: Request, context: Context, status: int, seconds: float) -> str:
    line: dict[str, Any] = {
        "time": _stamp(now),
        "level": "INFO",
        "logger": "access",
        "message": f"{request.method} {_target(request, context)}",
        "status": status,
        "bytes": context.size,
        "seconds": round(seconds, 6),
        "client": request.client,
        "route": context.route,
        "request_id": request.id,
    }
    return msgspec.json.encode(line).decode() + "\n"


def _stamp(now: float) -> str:
    return f"{_second(int(now))}.{int(now % 1 * 1000):03d}Z"


@lru_cache(maxsize=2)
def _second(now: int) -> str:
    """Made once for all lines of a second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))


def _target(request: Request, context: Context) -> str:
    """What was asked for, in characters that no terminal obeys; of a secret path what it is."""
    if context.is_secret:
        return context.route
    path = request.path.decode("ascii", "backslashreplace")
    if not request.query:
        return path
    return f"{path}?{without_secrets(request.query.decode('ascii', 'backslashreplace'))}"
