"""Who a token belongs to, and what that one may do, as a file of this machine says.

In the flow: under the authorization of a door that is in no cluster. The file is read again when it changed; while it
cannot be used nobody comes in, because nobody can tell what it was meant to take away.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from thv.apps.kit.reviews import Identity, ReviewFailedError
from thv.domain.access import Action, Caller
from thv.domain.errors import Code, ThvError
from thv.formats.tokens import AccessFile, Issuer, Token, load_access

FILE_LIMIT = 8 << 20
LOOK_EVERY = 1.0
"""Seconds between two looks whether the file changed."""
METHOD = "token-file"


class Somebody(NamedTuple):
    """Whom an issuer vouches for."""

    user: str
    groups: tuple[str, ...]
    ends: float
    """Unix seconds."""


class Issuers(Protocol):
    """Checks tokens that somebody else signed; raises ReviewFailedError when it cannot."""

    async def identity(self, token: str, issuers: Sequence[Issuer]) -> Somebody | None:
        """Whose token it is, None when it is good for none of these issuers."""
        ...


class _Stamp(NamedTuple):
    """Another one when the file is another one."""

    inode: int
    size: int
    written: int
    changed: int


class _File(NamedTuple):
    """A file that can be used."""

    stamp: _Stamp
    access: AccessFile
    tokens: Mapping[str, Token]
    """By hash."""


class _Said(NamedTuple):
    """What the file says; without one, why nobody comes in."""

    revision: int
    file: _File | None
    trouble: str = ""


class TokenReviews:
    """Answers from an access file."""

    def __init__(
        self,
        path: Path,
        open_issuers: Callable[[], Issuers] | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Raises INVALID when the file cannot be used.

        `open_issuers` gives who is asked about tokens that are not in the file, once it names issuers; `now` is in
        Unix seconds.
        """
        self._path = path
        self._open_issuers = open_issuers
        self._issuers: Issuers | None = None
        self._now = now
        self._said = _Said(revision=0, file=_read(path))

    @property
    def revision(self) -> int:
        """Counts how often the file changed."""
        return self._said.revision

    def issuers(self) -> tuple[str, ...]:
        """The addresses of those who may say who somebody is; none while the file cannot be used."""
        file = self._said.file
        return tuple(issuer.url for issuer in file.access.issuers) if file else ()

    async def follow(self) -> None:
        """Takes the file whenever it changed, until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Takes the file, if it changed; a large one takes a while, so that is for a thread."""
        before = self._said
        try:
            stamp = _stamp_of(self._path)
            if before.file is not None and stamp == before.file.stamp:
                return
            found, trouble = _read(self._path), ""
        except ThvError as error:
            found, trouble = None, error.message
        if found is not None or trouble != before.trouble:
            self._said = _Said(revision=before.revision + 1, file=found, trouble=trouble)

    async def identity(self, token: str, audiences: Sequence[str]) -> Identity | None:  # noqa: ARG002 # tokens of a file are for this door alone
        """Whose token it is."""
        file = self._require_file()
        known = file.tokens.get(hashlib.sha256(token.encode()).hexdigest())
        if known is not None:
            return self._holder(known, file.access)
        return await self._vouched(token, file.access)

    async def allows(self, who: Identity, action: Action) -> bool:
        """Whether the roles of this one allow it."""
        self._require_file()
        return Caller(name=who.user, groups=who.groups, grants=who.grants).may(action)

    async def _vouched(self, token: str, access: AccessFile) -> Identity | None:
        """Whom an issuer vouches for."""
        if self._open_issuers is None or not access.issuers:
            return None
        self._issuers = self._issuers or self._open_issuers()
        somebody = await self._issuers.identity(token, access.issuers)
        if somebody is None:
            return None
        return Identity(
            user=somebody.user,
            groups=somebody.groups,
            method="oidc",
            grants=access.grants(somebody.user, somebody.groups),
            ends=somebody.ends,
        )

    def _holder(self, token: Token, access: AccessFile) -> Identity | None:
        ends = token.expires.timestamp() if token.expires else math.inf
        if ends <= self._now():
            return None
        roles = tuple(given.grant for given in token.roles)
        return Identity(
            user=token.user,
            groups=token.groups,
            method=METHOD,
            grants=(*roles, *access.grants(token.user, token.groups)),
            ends=ends,
        )

    def _require_file(self) -> _File:
        said = self._said
        if said.file is None:
            raise ReviewFailedError(said.trouble)
        return said.file


def _read(path: Path) -> _File:
    """The file as it is; raises INVALID when it cannot be used."""
    with _opened(path) as file:
        found = os.fstat(file.fileno())
        _require_private(path, found)
        access = _parsed(path, file)
    return _File(_stamp(found), access, {token.sha256: token for token in access.tokens})


def _stamp_of(path: Path) -> _Stamp | None:
    """Of the file as it is now, None where there is none to be seen."""
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def _stamp(found: os.stat_result) -> _Stamp:
    return _Stamp(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def read_access(path: Path) -> AccessFile:
    """What the file says; raises INVALID when it cannot be used."""
    with _opened(path) as file:
        _require_private(path, os.fstat(file.fileno()))
        return _parsed(path, file)


def _parsed(path: Path, file: BinaryIO) -> AccessFile:
    """What an open file says."""
    try:
        content = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    if len(content) > FILE_LIMIT:
        raise _unusable(path, f"it is larger than {FILE_LIMIT >> 20} MiB")
    return load_access(content)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        hint = f"Make one: thv auth token --user NAME --role ROLE --file {path}"
        raise _unusable(path, "there is none", hint) from error
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error


def _require_private(path: Path, found: os.stat_result) -> None:
    """Whoever may write the file is everybody in it; whoever may read it learns who there is."""
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(path, "it is no file")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        hint = f"chmod 600 {path}"
        raise _unusable(path, f"its mode is {mode:04o}; others may use it", hint)
    if found.st_uid not in (0, os.geteuid()):
        raise _unusable(path, f"it belongs to the user {found.st_uid}", f"chown $USER {path}")


def _unusable(path: Path, why: str, hint: str = "") -> ThvError:
    return ThvError(Code.INVALID, f"the access file {path} cannot be used: {why}", hint=hint)
