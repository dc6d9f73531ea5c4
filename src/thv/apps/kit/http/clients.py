"""Settings of what the clients of a door may have.

In the flow: part of the settings of every door; read once when its process starts.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from thv.apps.kit import variables
from thv.apps.kit.http.rates import Rate, Rates
from thv.apps.kit.http.traffic import Limits


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the clients of a door may have."""

    reads: Rate | None = Rate(200, 1000)
    """Reads a second and how many may be saved, for each user or address; 100 rows are one. THV_READ_RATE=200/1000 or off."""
    searches: Rate | None = Rate(20, 100)
    """The same for searches. THV_SEARCH_RATE=20/100 or off."""
    failures: Rate | None = Rate(0.17, 10)
    """The same for tokens, and links that sign in, that are not good, for each address. THV_FAILURE_RATE=0.17/10 or off."""
    limit_loopback: bool = False
    """Hold callers of the same machine to these rates, too. THV_LIMIT_LOOPBACK=true."""
    connections: int = 12_000
    """Connections at once; beyond, the one that was idle for longest is closed. THV_CONNECTIONS."""
    at_once: int = 512
    """Requests that wait for others, such as the API server, at once. THV_AT_ONCE."""
    patience: float = 2.0
    """Seconds that a request waits for its turn before it gets 503. THV_PATIENCE."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of proxies whose X-Forwarded-For and X-Forwarded-Proto count. THV_TRUSTED_PROXIES."""

    @property
    def rates(self) -> Rates:
        """As the limiter has them."""
        return Rates(
            reads=self.reads,
            searches=self.searches,
            failures=self.failures,
            loopback=self.limit_loopback,
        )

    @property
    def limits(self) -> Limits:
        """As the server has them."""
        return Limits(connections=self.connections, at_once=self.at_once, patience=self.patience)


def read_client_settings(environ: Mapping[str, str]) -> ClientSettings:
    """The settings of an environment; raises INVALID for a value that none may have."""
    default = ClientSettings()
    return ClientSettings(
        reads=_rate(environ, "THV_READ_RATE", default.reads),
        searches=_rate(environ, "THV_SEARCH_RATE", default.searches),
        failures=_rate(environ, "THV_FAILURE_RATE", default.failures),
        limit_loopback=variables.flag(environ, "THV_LIMIT_LOOPBACK"),
        connections=variables.count(environ, "THV_CONNECTIONS", default.connections, most=100_000),
        at_once=variables.count(environ, "THV_AT_ONCE", default.at_once, most=100_000),
        patience=variables.seconds(environ, "THV_PATIENCE", default.patience),
        trusted_proxies=variables.networks(environ, "THV_TRUSTED_PROXIES"),
    )


def _rate(environ: Mapping[str, str], name: str, default: Rate | None) -> Rate | None:
    text = environ.get(name, "")
    if text in ("", "off"):
        return None if text else default
    each, _, burst = text.partition("/")
    try:
        found = Rate(float(each), float(burst))
    except ValueError:
        found = Rate(0, 0)
    if not (0 < found.each < 1e9 and 0 < found.burst < 1e9):
        raise variables.wrong(
            name, text, "a number a second and how many at once, as 200/1000, or off"
        )
    return found
