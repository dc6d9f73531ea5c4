"""A commit that was fetched into a bare repository: finds paths in it, and streams files out of it.

In the flow: after `Session.fetch`. Runs without any right to a network. A path of the repository is only ever compared
with names in trees; it never becomes a path of this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

from thv.clients.git.address import path_steps
from thv.clients.git.errors import GitError, PathNotFoundError, TooLargeError
from thv.clients.git.limits import Limits
from thv.clients.git.process import Command, Conversation, run
from thv.clients.git.tree import Kind, TreeEntry, parse_tree


class Repository:
    """One commit in one folder; the folder belongs to whoever asked for the fetch."""

    def __init__(
        self,
        folder: Path,
        *,
        commit: str,
        program: str,
        environment: Mapping[str, str],
        limits: Limits,
    ) -> None:
        self.folder = folder
        self.commit = commit
        self._program = program
        self._environment = environment
        self._limits = limits

    async def commit_at(self, name: str) -> str | None:
        """The commit that a reference or id of this repository means; None when it is not here."""
        try:
            said = await run(
                self._command(
                    "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
                )
            )
        except TooLargeError:
            raise
        except GitError:
            return None
        return said.decode("ascii").strip()

    async def find(self, path: str) -> TreeEntry:
        """The file or folder at `path`; links and submodules are not followed."""
        steps = path_steps(path)
        here = TreeEntry(Kind.FOLDER, self.commit, "")
        for place, step in enumerate(steps):
            names = {entry.path: entry for entry in await self._tree(here.oid)}
            found = names.get(step)
            above = "/".join(steps[:place]) or "the top"
            if found is None:
                raise PathNotFoundError(f'{above} has no "{step}"', existing=tuple(names))
            here = found._replace(path="/".join(steps[: place + 1]))
            if here.kind in (Kind.LINK, Kind.SUBMODULE):
                raise PathNotFoundError(f'"{here.path}" is a {here.kind}, which is not followed')
            if here.kind is Kind.FILE and place + 1 < len(steps):
                raise PathNotFoundError(f'"{here.path}" is a file, not a folder')
        return here

    async def below(self, folder: TreeEntry) -> tuple[TreeEntry, ...]:
        """Everything in a folder at any depth but the folders themselves, with paths relative to it."""
        return await self._tree(folder.oid, "-r")

    async def sizes(self, oids: Iterable[str]) -> dict[str, int]:
        """The bytes of each object that is here."""
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        said = await run(self._command("cat-file", "--batch-check"), stdin=asked)
        answers = (line.split(" ") for line in said.decode("ascii").splitlines())
        return {answer[0]: int(answer[2]) for answer in answers if len(answer) == 3}

    async def reader(self) -> Reader:
        """Opens the files of the commit for reading; whoever asks closes it."""
        talk = await Conversation.start(self._command("cat-file", "--batch"))
        return Reader(talk, self._limits)

    async def _tree(self, oid: str, *options: str) -> tuple[TreeEntry, ...]:
        command = self._command("ls-tree", "-z", "--full-tree", *options, "--end-of-options", oid)
        return parse_tree(await run(command))

    def _command(self, *arguments: str) -> Command:
        return Command(
            arguments=(self._program, *arguments),
            environment=self._environment,
            folder=self.folder,
            about="git",
            deadline=asyncio.get_running_loop().time() + self._limits.seconds,
            limits=self._limits,
        )


class Reader:
    """Streams files, in the order in which they are asked for."""

    def __init__(self, talk: Conversation, limits: Limits) -> None:
        self._talk = talk
        self._limits = limits

    async def chunks(self, oid: str) -> AsyncIterator[bytes]:
        """The bytes of one file; the one before need not have been read to its end."""
        answer = (await self._talk.ask(oid)).split(" ")
        if len(answer) != 3 or answer[1] != "blob":
            raise GitError(f"git has no file content {oid}")
        if int(answer[2]) > self._limits.total:
            raise TooLargeError(f"a file has {answer[2]} bytes; the limit is {self._limits.total}")
        async for chunk in self._talk.body(int(answer[2])):
            yield chunk

    async def close(self) -> None:
        """No more files."""
        await self._talk.close()
