"""Verdicts on one machine: program, data folder, store, lock, port, git.

In the flow: where registries are kept on this machine; what concerns the program is judged for a cluster too. Pure.
"""

from __future__ import annotations

import shlex
from typing import Literal

import msgspec

from thv.apps.cli.doctor.findings import Findings, failed, fine, note
from thv.apps.cli.doctor.remedies import UPGRADE, Remedies

PYTHON = (3, 11)
GIT = (2, 37)
"""The oldest git that can be held to checked addresses."""
LITTLE, SCARCE = 64 << 20, 512 << 20
"""Bytes that are too few to go on, and too few to be easy about."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What runs."""

    python: tuple[int, int, int]
    path: str
    """Of the script that runs."""
    other: str = ""
    """What the shell finds under the same name, where it is another one."""


def judge_program(found: Program) -> Findings:
    """Whether Python is new enough, and the shell finds this very program."""
    version = ".".join(map(str, found.python))
    if found.python[:2] < PYTHON:
        fix = "sudo apt-get install python3.11   (then set up again: make run PYTHON=python3.11)"
        return (failed("program", f"Python {version} is older than 3.11", fix),)
    if found.other:
        folder = shlex.quote(found.path.rpartition("/")[0])
        message = f"your shell finds another program, {found.other}; this is {found.path}"
        return (note("program", message, f'export PATH={folder}:"$PATH"'),)
    return (fine("program", f"Python {version}"),)


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """The data folder, or where it is going to be."""

    path: str
    state: Literal["there", "absent", "no folder"] = "there"
    parent: str = ""
    """Of an absent one: the nearest folder that is there."""
    owner: str = ""
    owned: bool = True
    """By whoever runs this."""
    writable: bool = True
    """The folder, or of an absent one its parent."""
    mode: int = 0o700
    free: int = 1 << 40
    """Bytes that are left for us."""
    nodes: int = 1 << 20
    """Files that can still be made."""


def judge_folder(found: Folder) -> Findings:
    """Whether it is ours, and ours alone."""
    path = shlex.quote(found.path)
    if found.state == "no folder":
        return (failed("folder", f"{found.path} is no folder", f"mv {path} {path}.old"),)
    if found.state == "absent":
        if found.writable:
            return (fine("folder", f"{found.path} is made when it is needed"),)
        message = f"{found.path} cannot be made: {found.parent} is not writable"
        fix = f'sudo install -d -m 700 -o "$(id -un)" {path}'
        return (failed("folder", message, fix),)
    if not found.owned:
        message = f'{found.path} belongs to "{found.owner}"'
        return (failed("folder", message, f'sudo chown -R "$(id -un)" {path}'),)
    if not found.writable:
        return (failed("folder", f"{found.path} is not writable", f"chmod u+rwx {path}"),)
    if found.mode & 0o077:
        message = f"others may look into {found.path} (mode {found.mode:o})"
        return (note("folder", message, f"chmod 700 {path}"),)
    return (fine("folder", f"{found.path} is yours alone"),)


def judge_space(found: Folder) -> Findings:
    """Whether something more can be written."""
    mebibytes = f"{found.free >> 20:,} MiB"
    fix = f"du -sh {shlex.quote(found.path)}/*   (then free some, or choose another folder with THV_DATA)"
    if found.free < LITTLE or found.nodes < 100:
        left = mebibytes if found.free < LITTLE else f"{found.nodes} files"
        return (failed("space", f"{left} are left for {found.path}", fix),)
    if found.free < SCARCE:
        return (note("space", f"{mebibytes} are left for {found.path}", fix),)
    return (fine("space", f"{mebibytes} are free"),)


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """The file of resources."""

    path: str
    state: Literal["good", "absent", "no database"] = "good"
    schema: int = 0
    known: int = 0
    """The newest schema of this program."""


def judge_store(found: Store) -> Findings:
    """Whether this program can read it."""
    path = shlex.quote(found.path)
    if found.state == "absent":
        return (fine("store", "no registries are kept here yet"),)
    if found.state == "no database":
        fix = f"mv {path} {path}.old   (then: thv restore BACKUP)"
        return (failed("store", f"{found.path} is damaged", fix),)
    if found.schema > found.known:
        message = f"{found.path} is from a newer thv (schema {found.schema}, this one knows {found.known})"
        return (failed("store", message, UPGRADE),)
    return (fine("store", f"{found.path} can be read"),)


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """Who keeps the registries of the folder in sync."""

    path: str
    held: bool = False
    note: str = ""
    """What the holder says of itself: `thv serve (pid 7)`."""
    pid: int = 0
    state: str = ""
    """Of that process, a letter as the system has it: T is stopped; `""` when it is not there."""


def judge_lock(found: Lock) -> Findings:
    """Whether whoever holds it can be expected to work."""
    if not found.held:
        return (fine("lock", "no other process holds the folder"),)
    if found.state in ("T", "t"):
        message = f"{found.note} holds the folder and is stopped"
        return (failed("lock", message, f"kill -CONT {found.pid}"),)
    if found.pid and not found.state:
        message = f"{found.note} left the lock to another process, and is gone"
        return (
            failed("lock", message, f"fuser -v {shlex.quote(found.path)}   (end what it names)"),
        )
    return (fine("lock", f"{found.note or 'another process'} keeps the folder in sync"),)


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """Where `thv serve` listens unless told otherwise."""

    address: str
    taken: bool = False
    serving: bool = False
    """The folder is kept in sync by a process that may be the one."""


def judge_port(found: Port, remedies: Remedies) -> Findings:
    """Whether `thv serve` could listen."""
    if not found.taken:
        return (fine("port", f"{found.address} is free"),)
    if found.serving:
        return (fine("port", f"{found.address} is in use, most likely by that process"),)
    message = f"{found.address} is taken by another program"
    return (failed("port", message, f"{remedies.program} serve --port 0"),)


class GitFound(msgspec.Struct, frozen=True, kw_only=True):
    """The program that Git sources need."""

    path: str = ""
    version: tuple[int, ...] = ()
    needed: bool = False
    """A registry has such a source."""


def judge_git(found: GitFound) -> Findings:
    """Whether there is one that is new enough."""
    fix = "sudo apt-get install git"
    make = failed if found.needed else note
    if not found.path:
        return (make("git", "there is no git on PATH, which sources of type git need", fix),)
    version = ".".join(map(str, found.version)) or "of an unknown version"
    if found.version < GIT:
        return (make("git", f"{found.path} is {version}; 2.37 or newer is needed", fix),)
    return (fine("git", f"{found.path} {version}"),)
