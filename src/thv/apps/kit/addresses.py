"""Addresses that processes listen on, as people write them.

In the flow: settings of every server process.
"""

from __future__ import annotations

import ipaddress

from thv.domain.errors import Code, ThvError


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8080`, `[::1]:8080`, `:8080` or `8080`; raises INVALID for anything else.

    A whole IPv6 address may stand without brackets, as where it is put in by a platform.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    is_ambiguous = "[" not in text and ":" in host and not _is_ipv6(host)
    if not port.isdecimal() or int(port) > 65535 or is_ambiguous:
        raise ThvError(
            Code.INVALID,
            f'"{text}" is no address to listen on',
            hint="Write host:port, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080.",
        )
    return host or ("0.0.0.0" if ":" in text else "127.0.0.1"), int(port)  # noqa: S104 # `:8080` asks for it


def is_wildcard(host: str) -> bool:
    """Whether it stands for every address of the machine."""
    return host in ("", "::", "0.0.0.0")  # noqa: S104 # that is the question


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    return host in ("localhost", "::1") or host.startswith("127.")
