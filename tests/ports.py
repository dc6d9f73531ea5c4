"""Ports for programs that have to be told theirs before they start."""

from __future__ import annotations

import random
import socket

_BELOW_CONNECTIONS = range(10_000, 20_000)
"""Where Linux and macOS take no port from for the near end of a connection: one that is free stays so until it is used."""
_CHOICE = random.SystemRandom()


def free_port() -> int:
    """A port of loopback that nobody has. Test processes beside each other hardly choose the same."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many, all different."""
    ports: set[int] = set()
    while len(ports) < count:
        port = _CHOICE.choice(_BELOW_CONNECTIONS)
        if _is_free(port):
            ports.add(port)
    return list(ports)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
