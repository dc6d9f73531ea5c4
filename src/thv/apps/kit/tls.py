"""The certificate of a server: read when the process begins, and again whenever its files are replaced.

In the flow: a door opens it before it listens and follows it while it serves. Every handshake takes the certificate
that is the current one, whole; connections that are open go on with the one they began with, so that nobody notices.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from thv.apps.kit import variables
from thv.domain.errors import Code, ThvError

log = logging.getLogger(__name__)

_LOOK_EVERY = 5.0
"""Seconds; a kubelet takes about a minute to replace the files of a Secret."""


class KeyPair(msgspec.Struct, frozen=True):
    """Files in PEM form, as in a Secret of type kubernetes.io/tls."""

    certificate: Path
    """The certificate, and behind it those between it and a root."""
    key: Path


class Certificate:
    """What a server shows in handshakes."""

    def __init__(self, pair: KeyPair) -> None:
        """Raises INVALID for files that cannot be used."""
        self._pair = pair
        self._stamp = _stamp(pair)
        self._told = self._stamp
        try:
            self._current = _loaded(pair)
            self.context = _loaded(pair)
        except (OSError, ValueError) as error:
            raise ThvError(
                Code.INVALID,
                f"the certificate {pair.certificate} with the key {pair.key} cannot be used: {_why(error)}",
                hint="Both are PEM, the key has no password and belongs to the first certificate.",
            ) from error
        self.context.sni_callback = self._choose

    def _choose(self, handshake: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        handshake.context = self._current

    async def follow(self) -> None:
        """Looks for other files until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.refresh()

    def refresh(self) -> bool:
        """Whether another certificate is shown from now on; one that cannot be used changes nothing."""
        stamp = _stamp(self._pair)
        if stamp == self._stamp:
            return False
        try:
            self._current = _loaded(self._pair)
        except (OSError, ValueError) as error:
            if stamp != self._told:  # once for each state of the files, which may be half written
                log.warning("%s stays as it was: %s", self._pair.certificate, _why(error))
            self._told = stamp
            return False
        self._stamp = stamp
        log.info("%s was replaced and is used", self._pair.certificate)
        return True


@asynccontextmanager
async def shown(pair: KeyPair | None) -> AsyncIterator[ssl.SSLContext | None]:
    """For servers, as long as the context lasts; None, for plain HTTP, without files."""
    if pair is None:
        yield None
        return
    certificate = Certificate(pair)
    following = asyncio.ensure_future(certificate.follow())
    try:
        yield certificate.context
    finally:
        following.cancel()


def read_key_pair(environ: Mapping[str, str]) -> KeyPair | None:
    """What THV_TLS_CERT and THV_TLS_KEY name; None without them."""
    certificate, key = (
        variables.file(environ, "THV_TLS_CERT"),
        variables.file(environ, "THV_TLS_KEY"),
    )
    return key_pair(certificate, key, "THV_TLS_CERT", "THV_TLS_KEY")


def key_pair(certificate: Path | None, key: Path | None, *names: str) -> KeyPair | None:
    """Both or none; `names` are those that a person gave them by."""
    if certificate and key:
        return KeyPair(certificate, key)
    if certificate or key:
        raise ThvError(
            Code.INVALID, f"only one of {names[0]} and {names[1]} is set", hint="Set both or none."
        )
    return None


def _loaded(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(pair.certificate, pair.key, password=lambda: b"")  # asks nobody
    return context


def _stamp(pair: KeyPair) -> tuple[object, ...]:
    """Differs when files are replaced, also where links are."""
    return tuple(_identity(path) for path in (pair.certificate, pair.key))


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _why(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
