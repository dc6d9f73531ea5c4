"""Whether the address of a new source may be reached, asked before anything is stored.

In the flow: in `thv registry add`, before the registry is written. The same judgement is made again at every fetch;
here it gives a person the answer at once, and two flags that open this one host and port on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from thv.apps.cli.allowing import allowed, opened
from thv.apps.cli.exits import CommandError
from thv.apps.cli.session import Session
from thv.clients.git.address import parse_address
from thv.clients.git.errors import AddressInvalidError
from thv.clients.http.errors import AddressDeniedError, NameUnknownError, UrlInvalidError
from thv.clients.http.guard import AllowList
from thv.clients.http.resolve import resolve_by_system, resolve_checked
from thv.clients.http.url import parse_url
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code

PRIVATE, HTTP = "--allow-private-ip", "--allow-http"


class Target(msgspec.Struct, frozen=True):
    """What would be connected to."""

    host: str
    port: int
    is_address: bool
    plain: bool
    """It speaks http without TLS."""

    @property
    def entry(self) -> str:
        """As the list of opened hosts has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def open_address(
    session: Session, target: Target, flags: Sequence[str], *, dry_run: bool
) -> None:
    """Raises ADDRESS_DENIED for an address that may not be reached; opens it where the flags say so.

    `flags` are those of the two that were given.
    """
    if session.settings.on_cluster:
        _require_no_flags(flags)
        return
    allow = AllowList((*allowed(session.settings.allow), *opened(session.local.home)))
    if allow.opens(target.host, target.port):
        return
    denied = await _denied(target)
    needed = ([PRIVATE] if denied else []) + ([HTTP] if target.plain else [])
    if not needed:
        return
    missing = [flag for flag in needed if flag not in flags]
    if missing or (denied and not denied.openable):
        raise _refusal(session, target, denied, missing)
    if dry_run:
        return
    session.local.home.make().allow_hosts([target.entry])
    session.console.step(
        "note",
        f"{target.entry} may be reached from this machine now ({session.local.home.allowed_hosts})",
    )


def _require_no_flags(flags: Sequence[str]) -> None:
    """What the operator may reach is judged where it runs, and opened by whoever runs it."""
    if flags:
        raise CommandError(
            Code.INVALID,
            f"{' and '.join(flags)} open a host for this machine; on a cluster the operator fetches",
            tries=["set THV_ALLOW of the operator to HOST:PORT   (see docs/reference/settings.md)"],
        )


def target_of(source: JsonObject) -> Target | None:
    """What a source connects to, None when it is no address or none that can be read."""
    url = (source.get("url") or source.get("registry") or {}).get("url")
    try:
        if url:
            parsed = parse_url(url)
            return Target(parsed.host, parsed.port, parsed.is_address, parsed.scheme == "http")
        if source.get("git"):
            address = parse_address(source["git"]["repository"])
            return Target(address.host, address.port, address.is_ip, address.scheme == "http")
    except UrlInvalidError as error:
        raise CommandError(
            Code.INVALID, error.message, tries=["--url https://HOST/PATH"]
        ) from error
    except AddressInvalidError as error:
        raise CommandError(
            Code.INVALID, str(error), tries=["--git-repo https://HOST/REPOSITORY.git"]
        ) from error
    return None


async def _denied(target: Target) -> AddressDeniedError | None:
    """Why the address may not be reached; a name without an address is left to the sync."""
    try:
        await resolve_checked(
            resolve_by_system, target.host, target.port, is_address=target.is_address, opened=False
        )
    except AddressDeniedError as error:
        return error
    except NameUnknownError:
        return None
    return None


def _refusal(
    session: Session, target: Target, denied: AddressDeniedError | None, missing: Sequence[str]
) -> CommandError:
    reasons = [denied.message] if denied else []
    if target.plain:
        reasons.append(
            "it uses plain http" if denied else f"{target.host} would be asked by plain http"
        )
    openable = denied is None or denied.openable
    advice = f"{session.common.again(*missing)}   (test networks), or use https"
    return CommandError(
        Code.ADDRESS_DENIED,
        "the address may not be reached: " + ", and ".join(reasons),
        tries=[
            advice if openable else "another address; no setting opens this one",
            "see docs/security/sources.md",
        ],
        details={"host": target.host, "port": target.port},
    )
