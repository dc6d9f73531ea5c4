"""What a server may reach, in plain words; pure.

In the flow: from the permissions of an entry, which a stranger wrote, to the page of a server. A field of another type
than it should be counts as absent; what has no words of its own is shown as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec

from thv.domain.lenient import as_object, as_texts
from thv.domain.reach import Outbound, Reach, outbound_of, reach_of

Members: TypeAlias = Mapping[str, Any]

_KNOWN = ("network", "read", "write", "privileged", "name")
_MOST = 50
"""Hosts or paths that are shown."""
_PORTS = {80: "HTTP", 443: "HTTPS", 22: "SSH", 25: "SMTP", 53: "DNS", 587: "SMTP"}


REACHES: Mapping[str, str] = {
    Reach.ANY_HOST: "any host",
    Reach.NAMED_HOSTS: "named hosts only",
    Reach.NONE: "no host",
    Reach.UNDECLARED: "not declared",
    Reach.REMOTE: "runs elsewhere",
}
"""How far a server may connect, as it is said where there is room for two words."""

ALIKE: Mapping[str, str] = {
    Reach.ANY_HOST: "All servers that may reach any host",
    Reach.NAMED_HOSTS: "All servers that may reach named hosts only",
    Reach.NONE: "All servers that may reach no host",
    Reach.UNDECLARED: "All servers that do not declare it",
    Reach.REMOTE: "All servers that run elsewhere",
}
"""Those that are like it."""


class Statement(msgspec.Struct, frozen=True):
    """One thing that a server may or may not do."""

    tone: str
    """`good`, `calm`, `warn` or `bad`."""
    icon: str
    title: str
    meaning: str
    items: tuple[str, ...] = ()
    more: int = 0
    """Items that are not shown."""


def statements(server: Members) -> list[Statement]:
    """Everything that a person should know of where a server reaches, the network first."""
    declared, url = as_object(server.get("permissions")), server.get("url")
    match reach_of(declared, is_remote=isinstance(url, str)):
        case Reach.REMOTE:
            return [_elsewhere(str(url)), *(_declared(declared) if declared else ())]
        case Reach.UNDECLARED:
            return [_NOTHING]
        case _:
            return list(_declared(declared))


_NOTHING = Statement(
    "warn",
    "problem",
    "Nothing is declared",
    "The entry does not say which hosts or files the server needs. It may reach whatever it is let where it runs: give it "
    "as little as it works with.",
)


NO_FILES = Statement("good", "ok", "No files", "It asks for no path of the machine it runs on.")
NO_PATH = Statement(
    "calm",
    "folder",
    "No path is declared",
    "It sees no file of the machine it runs on, unless whoever runs it gives it a path; its arguments may want one.",
)
"""Says less than an empty list of paths: many entries leave paths to whoever runs them."""


def _elsewhere(url: str) -> Statement:
    try:
        host = urlsplit(url).hostname or url
    except ValueError:
        host = url
    return Statement(
        "warn",
        "globe",
        "Runs somewhere else",
        "Nothing is installed here. What a client sends to its tools goes to this host, and what happens with it there "
        "cannot be limited from here.",
        (host,),
    )


def _declared(permissions: Members) -> Iterator[Statement]:
    network = as_object(permissions.get("network"))
    yield _outbound(outbound_of(permissions))
    yield from _inbound(as_object(network.get("inbound")))
    yield from _files(permissions)
    if permissions.get("privileged") is True:
        yield Statement(
            "bad",
            "problem",
            "Asks to be privileged",
            "A privileged container can do on its machine whatever the machine's administrator can. Nothing here grants it.",
        )
    others = sorted(key for key, value in permissions.items() if key not in _KNOWN and value)
    if others:
        yield _of(
            others,
            "warn",
            "hint",
            "Asks for more that has no words here",
            "Look at the raw entry for what these mean.",
        )


def _outbound(outbound: Outbound) -> Statement:
    hosts, ports = list(outbound.hosts), _ports(outbound.ports)
    on_ports = f" on {_joined(ports)}" if ports else ""
    match outbound.reach:
        case Reach.ANY_HOST if outbound.is_open:
            return Statement(
                "warn",
                "globe",
                "May reach any host",
                "It may connect to everything on the internet and, where it runs, in your network"
                f"{_declares(ports)}. What it is given to work with can be sent anywhere.",
            )
        case Reach.ANY_HOST:
            return Statement(
                "warn",
                "globe",
                f"May reach any host{on_ports}",
                "Ports are limited, hosts are not: what it is given to work with can be sent anywhere.",
            )
        case Reach.NAMED_HOSTS:
            return _of(
                hosts,
                "calm",
                "globe",
                f"Asks for {len(hosts)} {'host' if len(hosts) == 1 else 'hosts'}{on_ports}, and no other",
                "What it is given to work with can be sent there. A name that begins with a dot stands for every host "
                "below it.",
            )
        case _:
            return Statement(
                "good",
                "ok",
                "No network",
                "It declares no host that it connects to, so it needs none.",
            )


def _declares(ports: list[str]) -> str:
    return f"; it names {_joined(ports)}" if ports else ""


def _inbound(inbound: Members) -> Iterator[Statement]:
    hosts = as_texts(inbound.get("allow_host"))
    if hosts:
        yield _of(
            hosts,
            "calm",
            "globe",
            "Takes connections of these hosts",
            "Others are refused.",
        )


def _files(permissions: Members) -> Iterator[Statement]:
    read, write = as_texts(permissions.get("read")), as_texts(permissions.get("write"))
    if write:
        yield _of(
            write,
            "warn",
            "folder",
            "Writes files",
            "It may change and delete what is there. Mount nothing there that must stay as it is.",
        )
    only_read = [path for path in read if path not in write]
    if only_read:
        yield _of(
            only_read,
            "calm",
            "folder",
            "Reads files",
            "It sees what is there and changes nothing. With a network, it may send it.",
        )
    if not (read or write):
        yield NO_FILES if "read" in permissions or "write" in permissions else NO_PATH


def _of(items: list[str], tone: str, icon: str, title: str, meaning: str) -> Statement:
    return Statement(tone, icon, title, meaning, tuple(items[:_MOST]), max(0, len(items) - _MOST))


def _ports(numbers: Sequence[int]) -> list[str]:
    return [f"port {each}{f' ({_PORTS[each]})' if each in _PORTS else ''}" for each in numbers[:8]]


def _joined(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
