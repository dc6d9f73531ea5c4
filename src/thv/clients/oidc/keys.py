"""The keys of an issuer: found by its discovery document, kept for minutes, fetched again when one is new.

In the flow: under `tokens`. An issuer that rotates its keys publishes the new one first, so an unknown key is a reason
to look, but not more often than every some seconds: anybody can name a key that does not exist.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jwt

from thv.clients.oidc.discovery import Fetch, described, document
from thv.clients.oidc.errors import IssuerUnavailableError

log = logging.getLogger(__name__)

FRESH = 300.0
"""Seconds after which keys are fetched again, so that one that was withdrawn is good no longer."""
LEAST = 10.0
"""Seconds between two fetches, whoever asks."""
STALE = 3600.0
"""Seconds that keys are good for while the issuer is away."""
MOST = 100
"""Keys of an issuer."""
_RSA_BYTES = 256

Jwk: TypeAlias = Mapping[str, Any]

_SHAPES: dict[str, tuple[str, tuple[str, ...]]] = {
    **{f"{family}{bits}": ("RSA", ()) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", ("P-256",)),
    "ES384": ("EC", ("P-384",)),
    "ES512": ("EC", ("P-521",)),
    "EdDSA": ("OKP", ("Ed25519", "Ed448")),
}
"""Type and curves of the keys of an algorithm."""


class Keys:
    """Those of one issuer."""

    def __init__(self, url: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        """`url` is the issuer as its tokens name it."""
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._known: dict[str, Jwk] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._one_at_a_time = asyncio.Lock()

    async def key(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        """The key of that name for that algorithm; a token that names none means the only one."""
        await self._refresh(kid)
        named = self._known.get(kid) if kid else self._only(algorithm)
        if named is None or not _fits(named, algorithm):
            return None
        return jwt.PyJWK(dict(named), algorithm=algorithm)

    def _only(self, algorithm: str) -> Jwk | None:
        fitting = [key for key in self._known.values() if _fits(key, algorithm)]
        return fitting[0] if len(fitting) == 1 else None

    def _wants(self, kid: str) -> bool:
        """Whether to look for keys now."""
        now = self._clock()
        if self._tried is not None and now - self._tried < LEAST:
            return False
        old = self._fetched is None or now - self._fetched >= FRESH
        return old or (bool(kid) and kid not in self._known)

    async def _refresh(self, kid: str) -> None:
        if self._wants(kid):
            async with self._one_at_a_time:
                if self._wants(kid):  # else somebody has looked meanwhile
                    await self._look()
        if self._fetched is None or self._clock() - self._fetched >= STALE:
            raise IssuerUnavailableError(f"the keys of {self._url} cannot be had")

    async def _look(self) -> None:
        try:
            self._known = await self._published()
            self._fetched = self._clock()
        except IssuerUnavailableError as error:
            log.warning("the keys of %s: %s", self._url, error)
        finally:
            self._tried = self._clock()

    async def _published(self) -> dict[str, Jwk]:
        about = await described(self._url, self._fetch)
        keys = document(await self._fetch(about.keys)).get("keys")
        if not isinstance(keys, list):
            raise IssuerUnavailableError("its key set has no keys")
        return {str(key.get("kid", "")): key for key in keys[:MOST] if _is_usable(key)}


def _is_usable(key: object) -> bool:
    """Whether it is a public key for signatures that is long enough."""
    if not isinstance(key, dict) or key.get("use", "sig") != "sig":
        return False
    if key.get("kty") == "RSA":
        modulus = key.get("n")
        return isinstance(modulus, str) and len(modulus) * 3 // 4 >= _RSA_BYTES
    return key.get("kty") in ("EC", "OKP")


def _fits(key: Jwk, algorithm: str) -> bool:
    """Whether the key is one for the algorithm; what an attacker writes into a token must not choose how it is used."""
    kind, curves = _SHAPES[algorithm]
    said = key.get("alg")
    return (
        key.get("kty") == kind
        and (not curves or key.get("crv") in curves)
        and (said is None or said == algorithm)
    )
