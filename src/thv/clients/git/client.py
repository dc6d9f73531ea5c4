"""Talks to one git host: what a reference points at, and one commit brought here.

In the flow: `Session.commit_of` tells whether anything changed (no clone); `Session.fetch` brings one commit without
the content of its files; `Session.load` brings the content of those that are wanted; `Repository` reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

from thv.clients.git.address import Address, checked_commit, checked_ref
from thv.clients.git.bare import make_bare, write_config
from thv.clients.git.credentials import Credentials, SshKey
from thv.clients.git.environment import Files, Via, local_environment, remote_environment
from thv.clients.git.errors import (
    GitError,
    GitMissingError,
    HostUnreachableError,
    RefNotFoundError,
    TooLargeError,
)
from thv.clients.git.limits import Limits
from thv.clients.git.process import Command, run
from thv.clients.git.repository import Repository
from thv.clients.git.tree import parse_refs, resolved
from thv.clients.git.trust import with_system_roots

_OLDEST = (2, 37)  # the first with http.curloptResolve, which holds git to checked addresses
_FETCHED = "refs/thv/fetched"
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
# Every fetch names a depth: git then refuses hosts without the smart protocol, whose walk over single objects would,
# in a repository that may lack objects, start a fetch inside each fetch without end.
_TIP = "--depth=1"
_EVERYTHING = "--depth=2147483647"
_BLOBLESS = "--filter=blob:none"


class Remote(NamedTuple):
    """A repository, the IP addresses that were checked for its host, and how to prove oneself there."""

    address: Address
    pinned: tuple[str, ...]
    """Connections go to these and to nothing else."""
    credentials: Credentials | None = None
    extra_roots: bytes = b""
    """Certificates in PEM form that are trusted beside those of the system."""
    via: Via | None = None
    """Connections go there instead, and what it resolves the host to is its own affair; not for ssh."""


class Want(NamedTuple):
    """One thing to fetch; made by `branch`, `tag` or `commit`."""

    ref: str = ""
    """In full: `refs/heads/main`."""
    commit: str = ""

    def __str__(self) -> str:
        if self.commit:
            return f"commit {self.commit}"
        return self.ref.replace("refs/heads/", "branch ").replace("refs/tags/", "tag ")


def branch(name: str) -> Want:
    """A branch by its name."""
    return Want(ref=f"refs/heads/{checked_ref(name)}")


def tag(name: str) -> Want:
    """A tag by its name."""
    return Want(ref=f"refs/tags/{checked_ref(name)}")


def commit(oid: str) -> Want:
    """A commit by its whole id."""
    return Want(commit=checked_commit(oid))


class Git:
    """The git program of this machine."""

    def __init__(
        self,
        *,
        scratch: Path,
        limits: Limits | None = None,
        search_path: str = "/usr/local/bin:/usr/bin:/bin",
    ) -> None:
        """`scratch` holds short-lived files; `search_path` is where git and ssh are looked for."""
        self.limits = limits or Limits()
        self.scratch = scratch
        self._search_path = search_path
        self._program = ""

    @contextlib.asynccontextmanager
    async def session(self, remote: Remote) -> AsyncIterator[Session]:
        """Time, private files and a place for talking to one host; nothing of it is left afterwards."""
        place = _made_place(self.scratch)
        try:
            files = _write_private(place, remote)
            deadline = asyncio.get_running_loop().time() + self.limits.seconds
            program = await self._found(place, deadline)
            yield Session(
                remote,
                program=program,
                search_path=self._search_path,
                files=files,
                deadline=deadline,
                limits=self.limits,
            )
        finally:
            shutil.rmtree(place, ignore_errors=True)

    async def _found(self, place: Path, deadline: float) -> str:
        """The path of a git that is new enough; looked for until it was found once."""
        if not self._program:
            program = shutil.which("git", path=self._search_path)
            if program is None:
                raise GitMissingError("git is not installed")
            environment = local_environment(self._search_path, place)
            command = Command(
                (program, "version"), environment, place, "git", deadline, self.limits
            )
            _check_version((await run(command)).decode("utf-8", "replace"))
            self._program = program
        return self._program


class Session:
    """A talk with one host that ends at its deadline; made by `Git.session`."""

    def __init__(
        self,
        remote: Remote,
        *,
        program: str,
        search_path: str,
        files: Files,
        deadline: float,
        limits: Limits,
    ) -> None:
        self._remote = remote
        self._program = program
        self._search_path = search_path
        self._files = files
        self._deadline = deadline
        self._limits = limits
        self._way: tuple[str, ...] = ()
        """How the commit was fetched; the content may have to be fetched the same way."""

    async def commit_of(self, want: Want) -> str:
        """The commit that a branch or tag points at now; no object is fetched."""
        if want.commit:
            return want.commit
        found = resolved(await self._refs(want.ref, f"{want.ref}^{{}}"), want.ref)
        if found is None:
            raise await self._missing(want)
        return checked_commit(found)

    async def fetch(self, want: Want, expected: str, folder: Path) -> Repository:
        """Brings a commit into `folder`, which is empty and belongs to the caller.

        `expected` is what `commit_of` said; a branch that moved since gives its newer commit.
        """
        make_bare(folder, expected)
        repository = Repository(
            folder,
            commit=expected,
            program=self._program,
            environment=local_environment(self._search_path, folder / "home")
            | {"GIT_DIR": str(folder)},
            limits=self._limits,
        )
        for way in _ways(want):
            with contextlib.suppress(RefNotFoundError):
                await self._fetch(repository, _BLOBLESS, *way)
            here = await repository.commit_at(want.commit or _FETCHED)
            if here is not None and want.commit in ("", here):
                repository.commit = here
                self._way = way
                return repository
        raise RefNotFoundError(f"{self._remote.address.shown} has no {want}")

    async def load(self, repository: Repository, oids: Sequence[str]) -> dict[str, int]:
        """Brings the content of files that the fetch left out; says how many bytes each has."""
        if len(oids) > self._limits.files:
            raise TooLargeError(f"{len(oids)} files; the limit is {self._limits.files}")
        wanted = dict.fromkeys(oids)
        sizes = await repository.sizes(wanted)
        missing = [oid for oid in wanted if oid not in sizes]
        if missing:
            await self._load_missing(repository, missing)
            sizes = await repository.sizes(wanted)
        if len(sizes) < len(wanted):
            raise GitError(f"{self._remote.address.shown} kept back the content of files")
        total = sum(sizes[oid] for oid in oids)
        if total > self._limits.total:
            raise TooLargeError(
                f"{total} bytes in {len(oids)} files; the limit is {self._limits.total}"
            )
        return sizes

    async def _load_missing(self, repository: Repository, oids: Sequence[str]) -> None:
        listed = "".join(f"{oid}\n" for oid in oids).encode()
        these = (_TIP, "--stdin", "--end-of-options", "origin")
        try:
            await self._fetch(repository, _BLOBLESS, *these, stdin=listed)
        except RefNotFoundError:  # a host that gives no object by its id: everything, then
            await self._fetch(repository, "--refetch", "--no-filter", *self._way)

    async def _fetch(self, repository: Repository, *arguments: str, stdin: bytes = b"") -> None:
        try:
            await self._git(*_FETCH, *arguments, folder=repository.folder, stdin=stdin)
        finally:
            write_config(repository.folder, repository.commit)

    async def _missing(self, want: Want) -> RefNotFoundError:
        """Says which names there are instead."""
        prefix = "/".join(want.ref.split("/")[:2]) + "/"
        try:
            refs = await self._refs(f"{prefix}*")
        except TooLargeError:  # too many to be of help
            refs = {}
        names = (ref.removeprefix(prefix) for ref in refs if not ref.endswith("^{}"))
        return RefNotFoundError(
            f"{self._remote.address.shown} has no {want}", existing=tuple(names)
        )

    async def _refs(self, *patterns: str) -> dict[str, str]:
        command = ("ls-remote", "--quiet", "--end-of-options", "origin", *patterns)
        return parse_refs(await self._git(*command))

    async def _git(self, *arguments: str, folder: Path | None = None, stdin: bytes = b"") -> bytes:
        """Runs a command against the host; over ssh at one checked address after the other."""
        failed = HostUnreachableError(f"{self._remote.address.shown}: no address to connect to")
        for pinned in _attempts(self._remote):
            try:
                return await run(self._command(arguments, pinned, folder), stdin=stdin)
            except HostUnreachableError as error:
                failed = error
        raise failed

    def _command(
        self, arguments: tuple[str, ...], pinned: tuple[str, ...], folder: Path | None
    ) -> Command:
        remote = self._remote
        environment = remote_environment(
            self._search_path,
            remote.address,
            pinned,
            remote.credentials,
            self._files,
            via=remote.via,
        )
        environment["GIT_DIR"] = str(folder or self._files.home / "none")
        return Command(
            (self._program, *arguments),
            environment,
            folder or self._files.home,
            remote.address.shown,
            self._deadline,
            self._limits,
        )


def _ways(want: Want) -> tuple[tuple[str, ...], ...]:
    """The ways to fetch, the cheapest first.

    A host without filters ignores the wish for one. A host that refuses a commit that no reference points at gives
    everything that its branches and tags reach.
    """
    origin = ("--end-of-options", "origin")
    if want.ref:
        return ((_TIP, *origin, f"+{want.ref}:{_FETCHED}"),)
    everything = ("+refs/heads/*:refs/thv/heads/*", "+refs/tags/*:refs/thv/tags/*")
    return (
        (_TIP, *origin, f"+{want.commit}:{_FETCHED}"),
        (_EVERYTHING, *origin, *everything),
    )


def _attempts(remote: Remote) -> Sequence[tuple[str, ...]]:
    """Libcurl tries a list of addresses itself, ssh takes one."""
    if remote.address.scheme == "ssh":
        return [(ip,) for ip in remote.pinned]
    return [remote.pinned] if remote.pinned or remote.via else []


def _check_version(said: str) -> None:
    match = re.search(r"(\d+)\.(\d+)", said)
    if match is None or (int(match[1]), int(match[2])) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise GitMissingError(
            f"git is too old: {oldest} or newer is needed, this is {said.strip()[:40]}"
        )


def _made_place(scratch: Path) -> Path:
    scratch.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="git-session-", dir=scratch))


def _write_private(place: Path, remote: Remote) -> Files:
    """The files that ssh and TLS read, for us alone."""
    home = place / "home"
    home.mkdir(mode=0o700)
    files = Files(home)
    if isinstance(remote.credentials, SshKey):
        key = remote.credentials.private_key.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
        known = remote.credentials.known_hosts
        files = files._replace(
            key=_private(place / "key", key), known_hosts=_private(place / "known_hosts", known)
        )
    if remote.extra_roots:
        roots = with_system_roots(remote.extra_roots)
        files = files._replace(roots=_private(place / "roots.pem", roots))
    return files


def _private(path: Path, content: bytes) -> Path:
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(content)
    return path
