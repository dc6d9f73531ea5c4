"""What can go wrong between a client and the API server, as values."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.faults.kubernetes.journal import WRITES, Target, Write
from tests.faults.kubernetes.wire import Message, answer

Moment = Literal["before", "after"]
"""Of a kill: before the reply to a write is delivered, or when the client has it and asks the next thing."""

REASONS = {
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True)
class Kill:
    """SIGKILL to a process at the n-th of some writes from now on."""

    pid: int
    number: int
    moment: Moment
    which: Callable[[Write], bool]


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Shares are of 1, times in seconds; nothing goes wrong by default."""

    latency: float = 0.0
    """At most; each request is delayed by a random part of it."""
    errors: float = 0.0
    statuses: tuple[int, ...] = (409, 429, 500, 503)
    """Of `errors`; 409 only for writes."""
    resets: float = 0.0
    """Connections that break: half of them before the API server sees the request, half after it has done it."""
    spared: frozenset[str] = frozenset()
    """Resources that nothing of the above happens to."""

    stale: float = 0.0
    """The API server lags: reads tell what was true so long ago, and watches are as late."""
    stale_resources: frozenset[str] = frozenset()
    """Whose reads those are; empty: all."""

    close_after: float = 0.0
    """Watches end so long after they began."""
    close_every: int = 0
    """Watches end after so many events."""
    expire: float = 0.0
    """Events in whose place a watch ends with Expired, so that the client has to list again."""
    duplicate: float = 0.0
    lag: float = 0.0
    """Events are told so much later."""
    coalesce: float = 0.0
    """Of the events of one object within so long only what they come to is told, as after a relist."""
    silent: bool = False
    """Watches stay open and say nothing, as half-open connections do."""


NONE = Faults()


MOODS: dict[str, Faults] = {
    "errors": Faults(errors=0.2),
    "conflicts": Faults(errors=0.5, statuses=(409,)),
    "pressure": Faults(errors=0.3, statuses=(429, 503), latency=0.3),
    "resets": Faults(resets=0.1),
    "closed watches": Faults(close_after=1.0, close_every=5),
    "expired watches": Faults(expire=0.2),
    "bursts": Faults(coalesce=0.5, duplicate=0.2),
    "late events": Faults(lag=1.0),
    "a lagging server": Faults(stale=2.0),
    "all of it": Faults(
        errors=0.05, resets=0.03, latency=0.1, close_after=3.0, expire=0.05, coalesce=0.1
    ),
}
"""Ways in which things go wrong for a while."""


class Dice:
    """Decides by chance, the same way each time."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def falls(self, share: float) -> bool:
        return share > 0 and self._random.random() < share

    def part(self, whole: float) -> float:
        return self._random.random() * whole

    def one_of(self, values: tuple[int, ...]) -> int:
        return self._random.choice(values)


def refusal(faults: Faults, method: str, target: Target, dice: Dice) -> Message | None:
    """An error in place of what the API server would say, None when it may answer."""
    if target.resource in faults.spared or not dice.falls(faults.errors):
        return None
    fitting = tuple(s for s in faults.statuses if s != 409 or method in WRITES)
    return failure(dice.one_of(fitting)) if fitting else None


def failure(status: int) -> Message:
    """As the API server words it."""
    body = json.dumps(status_object(status)).encode()
    return answer(status, body, *((("Retry-After", "1"),) if status in (429, 503) else ()))


def status_object(status: int) -> dict[str, object]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"the proxy says {REASONS[status]}",
        "reason": REASONS[status],
        "code": status,
    }
