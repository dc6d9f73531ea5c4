"""Log lines of a server process: one line each, to standard error, for people or for programs.

In the flow: set once when a role starts. A traceback follows its line, or is a field of it. A secret should never get
that far; what looks like one is hidden all the same.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import Literal

import msgspec

LogFormat = Literal["text", "json"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_SECRET = re.compile(
    r"(\b(?:access_token|token|password|passwd|secret|api_?key|signature)=)[^&\s\"']+"
    r"|(\b(?:bearer|basic) )[a-z0-9._~+/=-]{16,}"
    r"|(://[^/\s:@]*:)[^/\s@]+(?=@)",
    re.IGNORECASE,
)
_SIGNS = ("token=", "passw", "secret=", "key=", "signature=", "bearer ", "basic ", "@")
"""One of them is in every text with a secret; to look for them is cheap."""
_HIDDEN = "(hidden)"


def log_lines(level: str = "INFO", form: LogFormat = "text") -> None:
    """Sends log records of this process to standard error; raises ValueError for a level that does not exist."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def without_secrets(text: str) -> str:
    """The text without what looks like a password or a token."""
    small = text.lower()
    if not any(sign in small for sign in _SIGNS):
        return text
    return _SECRET.sub(lambda found: (found[1] or found[2] or found[3]) + _HIDDEN, text)


class _Text(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


class _Json(logging.Formatter):
    """For programs: an object a line."""

    def __init__(self) -> None:
        super().__init__()
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        line = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = without_secrets(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()
