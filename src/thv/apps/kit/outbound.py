"""How sources are reached from where a process runs: whom it may reach, by which proxy, and whose certificates are trusted.

In the flow: settings read the proxy, the wiring hands all of it to the engine.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from thv.apps.kit import variables
from thv.clients.http.errors import UrlInvalidError
from thv.clients.http.guard import AllowList
from thv.clients.http.proxy import Proxy
from thv.domain.errors import Code, ThvError

log = logging.getLogger(__name__)


class Outbound(msgspec.Struct, frozen=True, kw_only=True):
    """How sources are reached from here, as it is at some moment."""

    allow: tuple[str, ...] = ()
    """host:port of sources that may be private or speak plain http."""
    proxy: Proxy | None = None
    trust: bytes = b""
    """Certificates that every source is trusted by beside those of the system, PEM."""


def allow_list(words: tuple[str, ...]) -> AllowList:
    """What THV_ALLOW says; raises INVALID."""
    try:
        return AllowList.parse(words)
    except UrlInvalidError as error:
        raise ThvError(
            Code.INVALID, error.message, hint="Correct THV_ALLOW: host:port, comma-separated."
        ) from error


def read_proxy(environ: Mapping[str, str]) -> Proxy | None:
    """What THV_PROXY, THV_NO_PROXY, THV_PROXY_USERNAME and THV_PROXY_PASSWORD say; None without the first."""
    return proxy_of(
        environ.get("THV_PROXY", ""),
        variables.words(environ, "THV_NO_PROXY"),
        environ.get("THV_PROXY_USERNAME", "").rstrip("\r\n"),
        environ.get("THV_PROXY_PASSWORD", "").rstrip("\r\n"),
    )


def proxy_of(url: str, direct: tuple[str, ...], username: str, password: str) -> Proxy | None:
    """Raises INVALID, and shows nothing of a URL that holds a password."""
    if not url:
        return None
    try:
        return Proxy.parse(url, username=username, password=password, direct=direct)
    except UrlInvalidError as error:
        raise ThvError(
            Code.INVALID,
            f"THV_PROXY or THV_NO_PROXY cannot be read: {error.message}",
            hint="A proxy is http://host:port; its user name and password go into THV_PROXY_USERNAME and"
            " THV_PROXY_PASSWORD. THV_NO_PROXY has names, addresses and networks, comma-separated.",
        ) from error


class Roots:
    """Certificates of a file, as it is when they are asked for."""

    def __init__(self, path: Path | None) -> None:
        """Raises INVALID for a file that cannot be read; None stands for no file and no certificates."""
        self._path = path
        try:
            self._content = path.read_bytes() if path else b""
        except OSError as error:
            raise ThvError(
                Code.INVALID,
                f"the trust roots {path} cannot be read: {error.strerror}",
                hint="Set THV_TRUST to a file of certificates in PEM form.",
            ) from error

    def __call__(self) -> bytes:
        """The last ones that could be read."""
        if self._path is not None:
            try:
                self._content = self._path.read_bytes()
            except OSError as error:
                log.warning("the trust roots stay as they were: %s: %s", self._path, error.strerror)
        return self._content
