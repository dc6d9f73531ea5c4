"""Which hosts a server may connect to, as its entry says; pure.

In the flow: between the permissions of an entry, which a stranger wrote, and whatever tells of them: lists, filters and
pages. A field of another type than it should be counts as absent. Where words can be read in two ways, the wider one
counts: who looks for servers that reach little must not be shown others.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from thv.domain.lenient import as_object, as_texts

_EVERY_ADDRESS = frozenset({"0.0.0.0/0", "::/0"})
_OF_THE_MACHINE = "host"
"""The mode of a container that has no network of its own, which nothing then limits."""


class Reach(StrEnum):
    """How far a server may connect, the widest first; of the last two nothing is known."""

    ANY_HOST = "any-host"
    NAMED_HOSTS = "named-hosts"
    NONE = "none"
    UNDECLARED = "undeclared"
    REMOTE = "remote"
    """It runs somewhere else: what an entry declares limits nothing there."""


class Outbound(msgspec.Struct, frozen=True):
    """What an entry asks of the network."""

    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    is_open: bool = False
    """It asks for every host, not only for some ports of every host."""

    @property
    def is_anywhere(self) -> bool:
        """Whether any host may be reached; ports without hosts are ports of any host."""
        return self.is_open or bool(self.ports and not self.hosts)

    @property
    def reach(self) -> Reach:
        """How far that goes."""
        if self.is_anywhere:
            return Reach.ANY_HOST
        return Reach.NAMED_HOSTS if self.hosts else Reach.NONE


def reach_of(permissions: Any, *, is_remote: bool) -> Reach:
    """How far a server with these permissions goes; an entry without any says nothing."""
    if is_remote:
        return Reach.REMOTE
    declared = as_object(permissions)
    return outbound_of(declared).reach if declared else Reach.UNDECLARED


def outbound_of(permissions: Any) -> Outbound:
    """What these permissions say of connections that a server begins."""
    network = as_object(as_object(permissions).get("network"))
    outbound = as_object(network.get("outbound"))
    hosts = tuple(as_texts(outbound.get("allow_host")))
    return Outbound(
        hosts=hosts,
        ports=_ports(outbound.get("allow_port")),
        is_open=outbound.get("insecure_allow_all") is True
        or network.get("mode") == _OF_THE_MACHINE
        or any(map(_is_every, hosts)),
    )


def _is_every(host: str) -> bool:
    """Whether it names no host, but all: `*`, a network of every address."""
    return host in _EVERY_ADDRESS or (host != "" and not host.strip(".*"))


def _ports(value: Any) -> tuple[int, ...]:
    return tuple(each for each in value if type(each) is int) if isinstance(value, list) else ()
