"""The hosts that sources may reach though they are private or speak plain http.

In the flow: read anew before each fetch, as another process may have opened a host, and before a source is added.
"""

from __future__ import annotations

from collections.abc import Iterable

from thv.apps.kit.home import Home
from thv.clients.http.errors import UrlInvalidError
from thv.clients.http.guard import AllowEntry, AllowList
from thv.domain.errors import Code, ThvError


def allowed(given: Iterable[str]) -> tuple[AllowEntry, ...]:
    """The entries of settings and flags; raises INVALID for one that cannot be read."""
    try:
        return AllowList.parse(given).entries
    except UrlInvalidError as error:
        raise ThvError(
            Code.INVALID,
            error.message,
            hint="Correct THV_ALLOW, allow in the configuration file, or --allow.",
        ) from error


def opened(home: Home) -> tuple[AllowEntry, ...]:
    """The entries of the data folder; STORE_UNAVAILABLE, so that a sync tries again once somebody corrected the file."""
    try:
        return AllowList.parse(home.read_allowed_hosts()).entries
    except UrlInvalidError as error:
        raise ThvError(
            Code.STORE_UNAVAILABLE,
            f"cannot use {home.allowed_hosts}: {error.message}",
            hint="Correct that line, or remove it.",
        ) from error
