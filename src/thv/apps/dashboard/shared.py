"""Sessions that several replicas share, in ConfigMaps that are there for nothing else.

In the flow: in place of `MemorySessions` on a cluster. What is stored is sealed with the number of the session, which the
browser alone has: neither the cookie nor the ConfigMap gives the token, only both to this process.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from thv.apps.dashboard.sessions import MOST_OF_ONE, Session, new_number
from thv.domain.errors import Code, ThvError
from thv.domain.resources import CONFIG_MAP
from thv.stores.resources.base import ResourceStore

MANAGER = "thv-catalog"
KNOWN_FOR = 10.0
"""Seconds that a replica believes what it read: no longer does a session live that was ended at another one."""
SEEN_EVERY = 300.0
"""Seconds between two notes that somebody is still there."""
MOST_BYTES = 900 * 1024
"""Of a ConfigMap; beyond, sessions end that were left longest."""
_PAUSE = 0.2
"""Seconds between two reads that are made for numbers which nobody knows."""
_NONCE = 12
_PARTS = 4
"""Of a record, with points between them."""

Clock = Callable[[], float]


class SharedSessions:
    """Those of all replicas that have these ConfigMaps."""

    def __init__(
        self,
        store: ResourceStore,
        namespace: str,
        names: Sequence[str],
        *,
        now: Clock = time.time,
        clock: Clock = time.monotonic,
    ) -> None:
        """`now` is in Unix seconds."""
        self._now = now
        self._shelves = [_Shelf(store, namespace, name, now, clock) for name in names]

    async def find(self, number: str) -> Session | None:
        place, now = _place(number), self._now()
        session = _opened(number, await self._shelf(place).read(place))
        if session is None or session.has_ended(now):
            return None
        if now - session.seen > SEEN_EVERY:
            await self._keep(number, msgspec.structs.replace(session, seen=now))
        return session

    async def begin(self, token: str, user: str, token_ends: float = 0.0) -> str:
        number, now = self._number_for(user), self._now()
        await self._keep(number, Session(token, user, now, now, token_ends))
        return number

    def _number_for(self, user: str) -> str:
        """A number whose place is on the shelf where all sessions of the user are, so that one shelf can count them."""
        shelf = self._shelf(_mark(user))
        while True:
            number = new_number()
            if self._shelf(_place(number)) is shelf:
                return number

    async def end(self, number: str) -> None:
        place = _place(number)
        await self._shelf(place).forget(place)

    async def _keep(self, number: str, session: Session) -> None:
        place = _place(number)
        await self._shelf(place).keep(place, _sealed(number, session))

    def _shelf(self, place: str) -> _Shelf:
        return self._shelves[int(place[:8], 16) % len(self._shelves)]


class _Shelf:
    """One ConfigMap, as it was a moment ago."""

    def __init__(
        self, store: ResourceStore, namespace: str, name: str, now: Clock, clock: Clock
    ) -> None:
        self._store = store
        self._where = (CONFIG_MAP, namespace, name)
        self._now = now
        self._clock = clock
        self._kept: Mapping[str, str] = {}
        self._read_at = -KNOWN_FOR
        self._reading = asyncio.Lock()

    async def read(self, place: str) -> str:
        """What is kept there, `""` for nothing; what is not known yet may be new at another replica."""
        if place not in self._kept or self._clock() - self._read_at > KNOWN_FOR:
            await self._read_anew(self._clock())
        return self._kept.get(place, "")

    async def _read_anew(self, since: float) -> None:
        """Several that wait read once."""
        async with self._reading:
            if self._read_at >= since:
                return
            await asyncio.sleep(self._read_at + _PAUSE - since)
            began = self._clock()
            with _explained(self._where[2]):
                found = await self._store.get(*self._where)
            self._kept, self._read_at = found.get("data") or {}, began

    async def keep(self, place: str, value: str) -> None:
        """Puts it there; what has ended goes with the same write.

        What else the same person has is known for sure afterwards, as another replica may have put it there.
        """
        await self._write({**dict.fromkeys(self._spare(len(value))), place: value})
        if beyond := self._beyond(place, value):
            await self._write(dict.fromkeys(beyond))

    async def forget(self, place: str) -> None:
        """Nothing is there afterwards."""
        if await self.read(place):
            await self._write({place: None})

    async def _write(self, changes: Mapping[str, str | None]) -> None:
        with _explained(self._where[2]):
            made = await self._store.merge(*self._where, {"data": changes}, manager=MANAGER)
        self._kept = made.get("data") or {}

    def _beyond(self, place: str, value: str) -> list[str]:
        """Sessions of the one whose this is that are too many, those that were left longest."""
        mark = _mark_in(value)
        others = [
            (_seen(each), other)
            for other, each in self._kept.items()
            if other != place and _mark_in(each) == mark
        ]
        return [other for _, other in sorted(others, reverse=True)[MOST_OF_ONE - 1 :]]

    def _spare(self, size: int) -> Iterator[str]:
        """What has ended; then as many as make room, those first that were left longest."""
        now, room = self._now(), MOST_BYTES - size
        for place, value in sorted(
            self._kept.items(), key=lambda each: _seen(each[1]), reverse=True
        ):
            room -= len(place) + len(value) + 8
            if room < 0 or _ends(value) < now:
                yield place


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Says what is missing where sessions cannot be kept."""
    try:
        yield
    except ThvError as error:
        if error.code not in (Code.NOT_FOUND, Code.FORBIDDEN):
            raise
        raise ThvError(
            Code.STORE_UNAVAILABLE,
            f"sessions cannot be kept in the ConfigMap {name}: {error.message}",
            hint="Install the catalog anew: it brings this ConfigMap and the right to change it.",
        ) from error


# ---------------------------------------------------------------- sealing


def _place(number: str) -> str:
    """Where the session of a number is kept; it does not tell the number."""
    return hashlib.sha256(b"place " + number.encode()).hexdigest()


def _cipher(number: str) -> AESGCM:
    return AESGCM(hmac.digest(number.encode(), b"seal", "sha256"))


def _mark(user: str) -> str:
    """By which the sessions of one person are told from those of others; it does not say who that is."""
    return hashlib.sha256(b"user " + user.encode(errors="replace")).hexdigest()[:32]


def _sealed(number: str, session: Session) -> str:
    """In the clear stands what any replica must know to clean up: when it ends, when it was seen, and whose it is."""
    nonce = os.urandom(_NONCE)
    content = msgspec.json.encode(session)
    box = nonce + _cipher(number).encrypt(nonce, content, _place(number).encode())
    mark = _mark(session.user)
    return f"{session.ends:.0f}.{session.seen:.0f}.{mark}.{base64.b64encode(box).decode()}"


def _opened(number: str, value: str) -> Session | None:
    """None for what was not sealed with this number, or was changed since."""
    try:
        box = base64.b64decode(value.rpartition(".")[2], validate=True)
        content = _cipher(number).decrypt(box[:_NONCE], box[_NONCE:], _place(number).encode())
        return msgspec.json.decode(content, type=Session)
    except (ValueError, InvalidTag, msgspec.MsgspecError):
        return None


def _ends(value: str) -> float:
    return _number(_part(value, 0))


def _seen(value: str) -> float:
    return _number(_part(value, 1))


def _mark_in(value: str) -> str:
    """`""` in a session of before there were marks."""
    return _part(value, 2) if value.count(".") == _PARTS - 1 else ""


def _part(value: str, index: int) -> str:
    """One of those before the sealed one, `""` where there is none."""
    parts = value.split(".", _PARTS)
    return parts[index] if index < len(parts) else ""


def _number(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0
