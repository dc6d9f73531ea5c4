"""Kind `git`: a file or a folder of ToolHive entries in a Git repository, read at a branch, a tag or a commit.

In the flow: ask what the branch or tag points at (no clone); only when that is new, fetch the one commit without the
content of its files; only when the path has other content, bring that. A commit that was read is never asked for
again. The fetched folder is gone once the document was read, or dropped.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from thv.clients.git.client import Session, Want, branch, commit, tag
from thv.clients.git.errors import (
    AuthenticationFailedError,
    GitError,
    PathNotFoundError,
    RefNotFoundError,
)
from thv.clients.git.repository import Reader, Repository
from thv.clients.git.tree import Kind, TreeEntry
from thv.clients.http.errors import HttpError
from thv.domain.errors import Code, ThvError
from thv.domain.registry import GitSource as Spec
from thv.sources.base import Document, Fetched, Known, Part, Unchanged
from thv.sources.bounded import is_packed, plain
from thv.sources.folder import entry_paths
from thv.sources.git_access import GitAccess, not_there, translated

_POINTER = b"version https://git-lfs.github.com/spec/"
_LONGEST_POINTER = 1024


class GitSource:
    """Reads one path of one repository."""

    def __init__(self, spec: Spec, access: GitAccess) -> None:
        self._spec = spec
        self._access = access
        parts = (spec.repository, spec.branch, spec.tag, spec.commit, spec.path)
        self.origin = f"git:{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"

    async def fetch(self, known: Known) -> Fetched:
        """The content, unless the commit or the content is the known one."""
        if known.origin != self.origin:
            known = Known(origin=self.origin)
        if self._spec.commit and self._spec.commit == known.revision:
            return Unchanged(known)
        try:
            return await self._look(_want(self._spec), known)
        except RefNotFoundError as error:
            raise not_there(error, self._spec.tag or self._spec.branch) from error
        except (GitError, HttpError, OSError) as error:
            raise translated(error, denied_hint=self._access.denied_hint) from error

    async def _look(self, want: Want, known: Known) -> Fetched:
        """Tries each way to prove ourselves; most hosts take the first."""
        refused = AuthenticationFailedError("no way to prove ourselves")
        for remote in await self._access.remotes(self._spec):
            try:
                async with self._access.git.session(remote) as session:
                    return await self._changes(session, want, known)
            except AuthenticationFailedError as error:
                refused = error
        raise refused

    async def _changes(self, session: Session, want: Want, known: Known) -> Fetched:
        points_at = await session.commit_of(want)
        if points_at == known.revision:
            return Unchanged(known)
        with ExitStack() as undone:
            folder = Path(tempfile.mkdtemp(prefix="git-", dir=self._access.git.scratch))
            undone.callback(shutil.rmtree, folder, ignore_errors=True)
            repository = await session.fetch(want, points_at, folder)
            entry = await self._entry(repository, want)
            now = Known(origin=self.origin, revision=repository.commit, etag=entry.oid)
            if entry.oid == known.etag:
                return Unchanged(now)
            document = await self._document(session, repository, entry, now)
            weakref.finalize(document.parts, shutil.rmtree, folder, ignore_errors=True)
            undone.pop_all()
            return document

    async def _entry(self, repository: Repository, want: Want) -> TreeEntry:
        path = self._spec.path
        try:
            return await repository.find(path)
        except PathNotFoundError as error:
            where = f'"{path}" is not in {want} (commit {repository.commit[:12]}): '
            raise not_there(error, path.rstrip("/").rpartition("/")[2], where=where) from error

    async def _document(
        self, session: Session, repository: Repository, entry: TreeEntry, now: Known
    ) -> Document:
        folder = entry.kind is Kind.FOLDER
        files = await self._entries(repository, entry) if folder else (entry,)
        sizes = await session.load(repository, [file.oid for file in files])
        if not folder:
            await _refuse_pointer(repository, entry, sizes[entry.oid])
        return Document(now, self._parts(repository, files, sizes), folder=folder)

    async def _entries(self, repository: Repository, folder: TreeEntry) -> tuple[TreeEntry, ...]:
        """A link among them is read as what Git stores of it, its target's name: no entry, and reported as none."""
        below = {
            entry.path: entry
            for entry in await repository.below(folder)
            if entry.kind in (Kind.FILE, Kind.LINK)
        }
        limits = self._access.git.limits
        place = f'the folder "{self._spec.path}" of commit {repository.commit[:12]}'
        return tuple(below[path] for path in entry_paths(below, place, most=limits.files))

    async def _parts(
        self, repository: Repository, files: Sequence[TreeEntry], sizes: dict[str, int]
    ) -> AsyncIterator[Part]:
        most = self._access.git.limits.total
        reader = await _reader(repository)
        try:
            for file in files:
                place = f'"{file.path}" of commit {repository.commit[:12]}'
                chunks = plain(_content(reader, file), file.path, place=place, most=most)
                yield Part(file.path, chunks, None if is_packed(file.path) else sizes[file.oid])
        finally:
            await reader.close()
            shutil.rmtree(repository.folder, ignore_errors=True)


def _want(spec: Spec) -> Want:
    if spec.commit:
        return commit(spec.commit)
    return tag(spec.tag) if spec.tag else branch(spec.branch)


async def _reader(repository: Repository) -> Reader:
    try:
        return await repository.reader()
    except OSError as error:
        raise translated(error) from error


async def _content(reader: Reader, file: TreeEntry) -> AsyncIterator[bytes]:
    try:
        async for chunk in reader.chunks(file.oid):
            yield chunk
    except GitError as error:
        raise translated(error) from error


async def _refuse_pointer(repository: Repository, file: TreeEntry, size: int) -> None:
    """Git LFS keeps the content elsewhere, where nobody is asked."""
    if size > _LONGEST_POINTER:
        return
    reader = await repository.reader()
    try:
        content = b"".join([chunk async for chunk in reader.chunks(file.oid)])
    finally:
        await reader.close()
    if content.startswith(_POINTER):
        raise ThvError(
            Code.FORMAT_UNSUPPORTED,
            f'"{file.path}" is kept in Git LFS; the repository holds only a pointer to it',
            hint="keep the file in Git itself: git lfs untrack, then commit it again",
        )
