"""Where a repository lives, and the names one may ask it for: parsed strictly before git sees them.

In the flow: first. What does not parse here never reaches a command line, a shell or a configuration value; what
does has one spelling of its host, so that what was judged is what git connects to.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from thv.clients.git.errors import AddressInvalidError
from thv.clients.http.errors import UrlInvalidError
from thv.clients.http.url import normalize_host, parse_url

_SSH_PORT = 22
_USER = r"[A-Za-z0-9._][A-Za-z0-9._-]*"
_SSH = re.compile(rf"ssh://(?:({_USER})@)?(\[[^\[\]@/]*\]|[^@/?#\[\]:]+)(?::(\d{{1,5}}))?(/\S+)")
_SCP = re.compile(rf"({_USER})@([A-Za-z0-9][A-Za-z0-9.-]*):([^\s-]\S*)")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@#=-]{0,254}")
_NOT_IN_REF = ("..", "//", "/.", "@{", ".lock/")
_COMMIT = re.compile(r"[a-f0-9]{40}(?:[a-f0-9]{24})?")


class Address(NamedTuple):
    """A repository on a host."""

    url: str
    """As git gets it; holds no password."""
    shown: str
    """The same for people: without a user name or a query."""
    scheme: str
    """`http`, `https` or `ssh`."""
    host: str
    """In its one spelling, an IPv6 address without brackets."""
    port: int
    is_ip: bool
    """True when the host is an address, so that nothing is resolved."""
    user: str = ""
    """Of ssh; `""` when the URL names none."""

    @property
    def origin(self) -> str:
        """Scheme, host and port of a URL: what credentials are bound to."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"


def parse_address(text: str) -> Address:
    """The address of a repository; raises AddressInvalidError for everything that is not plainly one."""
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise AddressInvalidError("the address of the repository has characters that none may have")
    try:
        if text.startswith(("http://", "https://")):
            return _http(text)
        if match := _SSH.fullmatch(text):
            return _ssh(text, match[1] or "", match[2], int(match[3] or _SSH_PORT))
        if "://" not in text and (match := _SCP.fullmatch(text)):
            return _ssh(text, match[1], match[2], _SSH_PORT)
    except UrlInvalidError as error:
        raise AddressInvalidError(f"the address of the repository: {error.message}") from error
    raise AddressInvalidError(
        "the address of the repository must be an http, https or ssh URL, or user@host:path, without a password"
    )


def checked_ref(name: str) -> str:
    """A branch or tag name that means nothing else to git or to a pattern."""
    ends = name.endswith((".lock", ".", "/"))
    if not _REF.fullmatch(name) or ends or any(part in name for part in _NOT_IN_REF):
        raise AddressInvalidError(
            'a Git reference must start with a letter, digit or "_" and must not contain spaces or ".."'
        )
    return name


def checked_commit(commit: str) -> str:
    """A whole commit id, SHA-1 or SHA-256."""
    if not _COMMIT.fullmatch(commit):
        raise AddressInvalidError("a commit is named by its whole id: 40 or 64 digits 0-9, a-f")
    return commit


def path_steps(path: str) -> tuple[str, ...]:
    """A path of a repository as its components; `()` is the top."""
    steps = tuple(step for step in path.split("/") if step not in ("", "."))
    if path.startswith("/") or ".." in steps or not path.isprintable():
        raise AddressInvalidError(
            'the path must be relative and stay inside the repository: no leading "/", no ".."'
        )
    return steps


def bracketed(host: str) -> str:
    """A host as URLs spell it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def _http(text: str) -> Address:
    url = parse_url(text)
    return Address(url.text, str(url), url.scheme, url.host, url.port, url.is_address)


def _ssh(text: str, user: str, host: str, port: int) -> Address:
    """Ssh gets the text as it is; the host in it only says which key is expected."""
    if not 0 < port < 65536:
        raise AddressInvalidError("the port of the repository must be between 1 and 65535")
    shown = text.replace(f"{user}@", "", 1) if user else text
    if host.startswith("["):
        url = parse_url(f"https://{host}/")
        return Address(text, shown, "ssh", url.host, port, True, user)
    name = normalize_host(host)
    return Address(text, shown, "ssh", name, port, _is_ipv4(name), user)


def _is_ipv4(name: str) -> bool:
    """Of a normalized name: whatever ends in a number is an address."""
    return name.rpartition(".")[2].isdigit()
