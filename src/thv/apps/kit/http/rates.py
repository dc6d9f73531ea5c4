"""How much each caller may ask for in a while, and what they are told of it.

In the flow: `dispatch` asks before an endpoint answers, `server` charges what the answer cost. What counts is rows, not
requests: a walk of one row a request costs hardly more than one of a hundred. Callers are the users that their tokens
name, else addresses.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from thv.apps.kit.addresses import is_loopback
from thv.apps.kit.http.message import Header, Request
from thv.apps.kit.http.problems import ProblemError, Word

_REQUEST, _ROW = 0.05, 0.01
"""Units that a request costs, and each row of its answer."""
_NOT_WRONG = 0.1
"""What is left of the price of a try that was not wrong: to write down who signed in is not free."""
_WRONG = (Word.UNAUTHENTICATED, Word.INVALID_TOKEN)
_TOO_MUCH = {"failures": "Too many tokens or links that came from your address were not good"}
_MOST = 10_000
"""Callers that are remembered; whoever is forgotten may begin anew."""


class Rate(msgspec.Struct, frozen=True):
    """Units a second, and how many may be saved."""

    each: float
    burst: float


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What every caller may have."""

    reads: Rate | None = Rate(200, 1000)
    searches: Rate | None = Rate(20, 100)
    failures: Rate | None = Rate(0.17, 10)
    """Tokens that are not good, an address."""
    loopback: bool = False
    """Whether callers of the same machine are held to them, too."""


class Account:
    """What one caller has left of one rate."""

    __slots__ = ("_at", "_left", "name", "rate")

    def __init__(self, name: str, rate: Rate, now: float) -> None:
        self.name = name
        self.rate = rate
        self._left = rate.burst
        self._at = now

    def left(self, now: float) -> float:
        """Units; below zero what was had too much."""
        self._left = min(self.rate.burst, self._left + (now - self._at) * self.rate.each)
        self._at = now
        return self._left

    def charge(self, units: float) -> None:
        """Takes them, which may be more than are left."""
        self._left -= units

    def seconds_until(self, units: float) -> float:
        """How long it takes until so many are there."""
        return max(0.0, (units - self._left) / self.rate.each)

    def headers(self) -> tuple[Header, ...]:
        """As the draft of the IETF has them."""
        window = math.ceil(self.rate.burst / self.rate.each)
        reset = math.ceil(self.seconds_until(self.rate.burst))
        policy = f'"{self.name}";q={self.rate.burst:g};w={window}'
        state = f'"{self.name}";r={max(0, math.floor(self._left))};t={reset}'
        return ((b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode()))


class Attempt:
    """A look whether a secret is right."""

    __slots__ = ("is_wrong",)

    def __init__(self) -> None:
        self.is_wrong = False


class Limiter:
    """The accounts of one process."""

    def __init__(self, rates: Rates, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = rates
        self._clock = clock
        self._accounts: OrderedDict[tuple[str, str], Account] = OrderedDict()

    def check_address(self, request: Request) -> None:
        """Raises RATE_LIMITED for an address that tries tokens, when it tries one more."""
        if b"authorization" not in request.headers:
            return
        account = self._account("failures", self._rates.failures, request, request.client)
        if account is not None:
            self._check(account, 1)

    def failed(self, request: Request) -> None:
        """A token was not good."""
        account = self._account("failures", self._rates.failures, request, request.client)
        if account is not None:
            account.charge(1)

    @contextmanager
    def trying(self, request: Request) -> Iterator[Attempt]:
        """Around a look whether a secret is right; raises RATE_LIMITED for an address whose were wrong too often.

        A try is taken before, so that many at once are no more than one after another; one that was not wrong gives most of
        it back.
        """
        attempt = Attempt()
        account = self._account("failures", self._rates.failures, request, request.client)
        if account is not None:
            self._check(account, 1).charge(1)
        try:
            yield attempt
        except ProblemError as problem:
            attempt.is_wrong = problem.word in _WRONG
            raise
        finally:
            if account is not None and not attempt.is_wrong:
                account.charge(_NOT_WRONG - 1)

    def admit(self, request: Request, user: str) -> Account | None:
        """What the answer is charged to, None where nothing is; raises RATE_LIMITED."""
        caller = f"user {user}" if user else request.client
        if b"search=" in request.query:
            account = self._account("searches", self._rates.searches, request, caller)
        else:
            account = self._account("reads", self._rates.reads, request, caller)
        return account and self._check(account, _least(account))

    def holds(self, request: Request) -> bool:
        """Whether who asks is held to any rate.

        Who calls an address from the same one is on this machine. Behind the proxy of a mesh that is everybody: held to
        a rate, one caller's bad tokens would keep all others out.
        """
        is_near = request.client in ("", request.here) or is_loopback(request.client)
        return self._rates.loopback or not is_near

    def _account(
        self, name: str, rate: Rate | None, request: Request, caller: str
    ) -> Account | None:
        if rate is None or not self.holds(request):
            return None
        key = (name, caller)
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = Account(name, rate, self._clock())
            if len(self._accounts) > _MOST:
                self._accounts.popitem(last=False)
        else:
            self._accounts.move_to_end(key)
        return account

    def _check(self, account: Account, units: float) -> Account:
        if account.left(self._clock()) >= units:
            return account
        wait = max(1, math.ceil(account.seconds_until(units)))
        what = _TOO_MUCH.get(account.name, "You asked for too much in too short a time")
        raise ProblemError(
            Word.RATE_LIMITED,
            f"{what}; come again in {wait} s.",
            retry_after=wait,
            headers=account.headers(),
        )


def charged(account: Account, rows: int) -> tuple[Header, ...]:
    """Takes what an answer cost; the headers tell what is left."""
    account.charge(_least(account) + (rows * _ROW if account.name == "reads" else 0))
    return account.headers()


def _least(account: Account) -> float:
    """What a request costs whatever the answer is."""
    return _REQUEST if account.name == "reads" else 1
