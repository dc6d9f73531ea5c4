"""The environment of a git process: everything that git may read from outside itself, and nothing else.

In the flow: built from an address, its checked IP addresses and credentials, before each process. Pure.

The surroundings of this process (proxies, HOME, `.netrc`, `.gitconfig`, agents, traces) do not reach git.
Settings travel as configuration in the environment, so that no secret is ever an argument.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from thv.clients.git.address import Address, bracketed
from thv.clients.git.credentials import Credentials, SshKey
from thv.clients.git.errors import AuthenticationFailedError
from thv.clients.http.proxy import Proxy
from thv.clients.http.url import Url

Setting = tuple[str, str]

_SAFE: tuple[Setting, ...] = (
    ("core.hooksPath", "/dev/null"),
    ("core.askPass", ""),
    ("core.bigFileThreshold", "1m"),  # bigger blobs are streamed, never held in memory
    ("core.fsmonitor", "false"),
    ("credential.helper", ""),
    ("fetch.fsckObjects", "true"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.unpackLimit", "1"),  # one pack file, however few objects
    ("filter.lfs.process", ""),
    ("filter.lfs.required", "false"),
    ("filter.lfs.smudge", ""),
    ("gc.auto", "0"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "100"),
    ("http.lowSpeedTime", "20"),
    ("http.proxy", ""),
    ("http.sslVerify", "true"),
    ("maintenance.auto", "false"),
    ("pack.threads", "1"),
    ("protocol.version", "2"),
    ("submodule.recurse", "false"),
    ("transfer.bundleURI", "false"),
    ("transfer.fsckObjects", "true"),
)
_FETCHING: tuple[Setting, ...] = (
    (
        "fetch.negotiationAlgorithm",
        "noop",
    ),  # what is here already never stands in for what is asked
)
_USER = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*")


class Via(NamedTuple):
    """The outbound proxy, and the IP addresses that were checked for it; the proxy resolves the host itself."""

    proxy: Proxy
    pinned: tuple[str, ...]


class Files(NamedTuple):
    """Paths of the private files that ssh and TLS read; None where there is none."""

    home: Path
    """An empty folder of ours: libcurl and ssh look into a home, and must find nothing there."""
    key: Path | None = None
    known_hosts: Path | None = None
    roots: Path | None = None


def local_environment(search_path: str, home: Path) -> dict[str, str]:
    """For commands that only read the bare repository: no protocol at all is allowed."""
    return {**_base(search_path, home), "GIT_ALLOW_PROTOCOL": "", **_configured(_SAFE)}


def remote_environment(
    search_path: str,
    address: Address,
    pinned: tuple[str, ...],
    credentials: Credentials | None,
    files: Files,
    *,
    via: Via | None = None,
) -> dict[str, str]:
    """For commands that talk to the one host of `address`, at the IP addresses in `pinned` or by a proxy alone."""
    environment = _base(search_path, files.home) | {"GIT_ALLOW_PROTOCOL": address.scheme}
    settings = [
        *_SAFE,
        *_FETCHING,
        ("remote.origin.url", address.url),
        ("remote.origin.promisor", "true"),
    ]
    if address.scheme == "ssh":
        environment |= _ssh(address, pinned, credentials, files)
    else:
        settings += _http(address, credentials, files)
        settings += _through(via, files) if via else _pins(address, pinned)
    return environment | _configured(settings)


def _base(search_path: str, home: Path) -> dict[str, str]:
    return {
        "PATH": search_path,
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "SSH_ASKPASS_REQUIRE": "never",
    }


def _configured(settings: Iterable[Setting]) -> dict[str, str]:
    pairs = list(settings)
    environment = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


def _pins(place: Address | Url, pinned: tuple[str, ...]) -> list[Setting]:
    is_ip = place.is_ip if isinstance(place, Address) else place.is_address
    if is_ip:
        return []
    # Without a leading "+": such a pin would expire after a minute and the name be resolved again.
    where = ",".join(bracketed(ip) for ip in pinned)
    return [("http.curloptResolve", f"{place.host}:{place.port}:{where}")]


def _through(via: Via, files: Files) -> list[Setting]:
    proxy, place = via.proxy, via.proxy.place
    who = f"{quote(proxy.username, safe='')}:{quote(proxy.password, safe='')}@"
    url = f"{place.scheme}://{who if proxy.username else ''}{place.authority}"
    settings = [("http.proxy", url), ("http.proxyAuthMethod", "basic"), *_pins(place, via.pinned)]
    if files.roots is not None:
        settings.append(("http.proxySSLCAInfo", str(files.roots)))
    return settings


def _http(address: Address, credentials: Credentials | None, files: Files) -> list[Setting]:
    settings: list[Setting] = []
    if files.roots is not None:
        settings.append(("http.sslCAInfo", str(files.roots)))
    if isinstance(credentials, SshKey):
        raise AuthenticationFailedError("an SSH key proves nothing to an http or https host")
    if credentials is not None:
        key = f"http.{address.origin}/.extraHeader"
        settings.append((key, f"Authorization: {credentials.header}"))
    return settings


def _ssh(
    address: Address, pinned: tuple[str, ...], credentials: Credentials | None, files: Files
) -> dict[str, str]:
    if not isinstance(credentials, SshKey) or files.key is None or files.known_hosts is None:
        raise AuthenticationFailedError("an ssh host needs an SSH key and known_hosts")
    user = address.user or credentials.user or "git"
    if not _USER.fullmatch(user):
        raise AuthenticationFailedError(
            "the user name of the ssh host has characters that none may have"
        )
    alias = address.host if address.port == 22 else f"[{address.host}]:{address.port}"
    options = {
        "BatchMode": "yes",
        "CheckHostIP": "no",
        "ClearAllForwardings": "yes",
        "ConnectTimeout": "15",
        "ForwardAgent": "no",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": alias,
        "HostName": pinned[0],
        "IdentityFile": _path_value(files.key),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "LogLevel": "ERROR",
        "PreferredAuthentications": "publickey",
        "ProxyCommand": "none",
        "ServerAliveInterval": "10",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "User": user,
        "UserKnownHostsFile": _path_value(files.known_hosts),
    }
    arguments = ["ssh", "-F", "/dev/null"]
    for name, value in options.items():
        arguments += ["-o", f"{name}={value}"]
    return {"GIT_SSH_COMMAND": shlex.join(arguments), "GIT_SSH_VARIANT": "ssh"}


def _path_value(path: Path) -> str:
    """A path as ssh reads it: one word, without expansion."""
    return '"{}"'.format(str(path).replace("%", "%%"))
