"""What can go wrong between us and an API server.

In the flow: raised by this room alone, translated once by each adapter. No message holds a credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNREADABLE = "Unreadable"
"""The reason of an answer that is no JSON, is damaged or is too large; the server never sends it."""


class KubeError(Exception):
    """The API server answered, and refused or failed."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """`reason` is `""` when the answer was no Status object; `retry_after` is in seconds."""
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.details: dict[str, Any] = dict(details or {})
        self.retry_after = retry_after


class KubeTooLargeError(KubeError):
    """The answer has more bytes than the caller takes; one about fewer objects may fit."""


class KubeUnreachableError(Exception):
    """No complete answer: no connection, no TLS, a broken connection, no time left."""

    def __init__(self, message: str, *, broken: bool = False) -> None:
        """`broken`: the connection was lost, which says nothing about the next one."""
        super().__init__(message)
        self.message = message
        self.broken = broken


class KubeConfigError(Exception):
    """No cluster is configured, or what is configured cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
