"""What can go wrong with git, read once from its exit and its messages.

In the flow: raised by everything in this room; the source translates. No message here holds a credential, a user
name of a URL, or text that the other side wrote.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class GitError(Exception):
    """Git failed in a way that this room has no better word for."""


class GitMissingError(GitError):
    """The machine has no git, or one that is too old."""


class AddressInvalidError(GitError):
    """The address of the repository, or the name of a reference, is refused before git sees it."""


class AuthenticationFailedError(GitError):
    """The other side wants credentials, or refuses the given ones."""


class RepositoryNotFoundError(GitError):
    """The host answers, and has no such repository."""


class RedirectRefusedError(GitError):
    """The host sends us elsewhere, which is never followed."""


class RefNotFoundError(GitError):
    """The repository has no such branch, tag or commit."""

    def __init__(self, message: str, *, existing: tuple[str, ...] = ()) -> None:
        """`existing`: the names that the repository has instead."""
        super().__init__(message)
        self.existing = existing


class PathNotFoundError(GitError):
    """The commit has nothing readable under this path."""

    def __init__(self, message: str, *, existing: tuple[str, ...] = ()) -> None:
        """`existing`: the names in the last folder that is there."""
        super().__init__(message)
        self.existing = existing


class HostUnreachableError(GitError):
    """No connection, or one that broke."""


class RateLimitedError(GitError):
    """The host wants fewer requests."""


class TlsFailedError(GitError):
    """The certificate of the host is not trusted."""


class HostKeyUnknownError(GitError):
    """The given known_hosts has no key of this host."""


class HostKeyChangedError(GitError):
    """The host shows another key than the given known_hosts has."""


class TooLargeError(GitError):
    """More bytes, files or memory than the limits allow."""


class DamagedError(GitError):
    """Objects that are not what Git makes."""


class TimedOutError(GitError):
    """Git did not come to an end in time and was killed."""


class CapabilityMissingError(GitError):
    """The host cannot give a part of a repository, or speaks only the oldest protocol."""


class ProxyFailedError(GitError):
    """The outbound proxy did not let us through."""


class _Sign(NamedTuple):
    """What git, libcurl or ssh write when something happened."""

    kind: type[GitError]
    sentence: str
    texts: tuple[str, ...]


_SIGNS = (
    _Sign(
        ProxyFailedError,
        "the outbound proxy does not lead to the host",
        (
            "from proxy after CONNECT",
            "CONNECT tunnel failed",
            "[Pp]roxy CONNECT aborted",
            "Could not resolve proxy",
            "returned error: 407",
        ),
    ),
    _Sign(
        HostKeyChangedError,
        "the host shows another key than known_hosts has",
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", "[Hh]ost key for .* has changed"),
    ),
    _Sign(
        HostKeyUnknownError,
        "known_hosts has no key of the host",
        (r"No \S+ host key is known", "Host key verification failed"),
    ),
    _Sign(
        AuthenticationFailedError,
        "the host refuses the credentials, or wants some",
        (
            "could not read (Username|Password)",
            "Authentication failed",
            "Permission denied",
            "returned error: 40[13]",
            "Too many authentication failures",
            "Load key ",
        ),
    ),
    _Sign(
        RedirectRefusedError,
        "the host answers with a redirect, which is not followed",
        (r"returned error: 30\d", "unable to update url base from redirection"),
    ),
    _Sign(
        TlsFailedError,
        "the certificate of the host could not be verified",
        (
            "certificate",
            "gnutls_handshake",
            "SSL routines",
            "SSL: no alternative",
            "error setting certificate",
        ),
    ),
    _Sign(RateLimitedError, "the host wants fewer requests", ("returned error: 429",)),
    _Sign(
        RefNotFoundError,
        "the repository has no such reference",
        ("couldn't find remote ref", "not our ref", "unadvertised object", "no such remote ref"),
    ),
    _Sign(
        CapabilityMissingError,
        "the host cannot give a part of a repository; smart HTTP or ssh is needed",
        ("does not support shallow", "dumb http transport does not support", "does not support --"),
    ),
    _Sign(
        RepositoryNotFoundError,
        "the host has no such repository",
        (
            "repository 'URL' not found",
            "returned error: (404|410)",
            "does not appear to be a git repository",
            "not valid: is this a git repository",
            "[Rr]epository not found",
        ),
    ),
    _Sign(
        TooLargeError,
        "the content needs more memory or disk than the limits allow",
        (
            "[Oo]ut of memory",
            "malloc failed",
            "mmap failed",
            "[Cc]annot allocate memory",
            "File too large",
            "[Ff]ile size limit",
            "No space left",
            # Killed by the kernel's bound of a file, index-pack says nothing itself.
            r"\A(?:warning: [^\n]*\n)*fatal: fetch-pack: invalid index-pack output",
        ),
    ),
    _Sign(
        DamagedError,
        "the repository holds objects that are damaged or forged",
        ("fsck error", "pack has bad object", "[Cc]orrupt", "inflate returned", "invalid object"),
    ),
    _Sign(
        HostUnreachableError,
        "the host is not reachable, or broke the connection",
        (
            "Could not resolve host",
            "[Ff]ailed to connect",
            "[Cc]onnection (refused|timed out|reset|closed)",
            "Connection to .* (closed|timed out)",
            "No route to host",
            "Network is unreachable",
            "Empty reply",
            "Operation (too slow|timed out)",
            "RPC failed",
            "hung up unexpectedly",
            "early EOF",
            r"returned error: 5\d\d",
            "unexpected disconnect",
            "Could not read from remote",
            "kex_exchange_identification",
            "transfer closed",
        ),
    ),
)
_PATTERNS = tuple((re.compile("|".join(sign.texts)), sign) for sign in _SIGNS)
_QUOTED_URL = re.compile(r"'(?:https?|ssh)://[^']*'")
_USER_INFO = re.compile(r"//[^/@\s']*@")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


def diagnosed(stderr: str, code: int, *, about: str) -> GitError:
    """The most precise error for what git wrote (in the C locale) before it ended with `code`."""
    own = _QUOTED_URL.sub("'URL'", own_lines(stderr))
    for pattern, sign in _PATTERNS:
        if pattern.search(own):
            return sign.kind(f"{about}: {sign.sentence}")
    if code in (-25, 153):  # SIGXFSZ: the kernel's bound of one file
        return TooLargeError(f"{about}: the content needs more disk than the limits allow")
    return GitError(f"{about}: git ended with {code}: {excerpt(own)}")


def own_lines(stderr: str) -> str:
    """What git and ssh said themselves: lines of the other side may hold anything, even our credentials."""
    return "\n".join(line for line in stderr.splitlines() if not line.startswith("remote:"))


def excerpt(stderr: str) -> str:
    """The first line that git calls an error, printable and short; what the other side sent is left out."""
    lines = (line for line in stderr.splitlines() if line.startswith(("fatal:", "error:")))
    line = next(lines, "no message").partition("remote error")[0]
    return _UNPRINTABLE.sub(" ", _USER_INFO.sub("//", line))[:160].strip()
