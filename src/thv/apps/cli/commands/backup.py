"""`thv backup` and `thv restore`."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

import click

from thv.apps.cli.archive import Contents, put_in_place, unpack_archive, write_archive
from thv.apps.cli.command import command
from thv.apps.cli.documents import missing
from thv.apps.cli.exits import CommandError
from thv.apps.cli.options import option
from thv.apps.cli.output import counted
from thv.apps.cli.session import Session
from thv.apps.cli.writing import STDOUT, require_writable, unwritable
from thv.apps.kit.home import Home
from thv.domain.errors import Code
from thv.domain.times import render_time

_WORDS = {"mcpregistries": "registry", "configmaps": "config map", "secrets": "secret"}
_MANY = {"registry": "registries"}


@command(
    "backup",
    examples=(
        "thv backup",
        "thv backup --output /backups/thv.tar.gz",
        "thv backup --output - | gpg -e > thv.gpg",
    ),
    about="machine",
)
@option(
    "--output",
    "file",
    default="",
    metavar="FILE",
    help="File to write, - for the output; default: thv-backup-TIME.tar.gz here.",
)
async def backup(session: Session, *, file: str) -> None:
    """Save the data folder in one file: resources, secrets, and what registries serve.

    The file holds the values of secrets; only you can read it. A server may go on running meanwhile.
    """
    home = session.local.home
    if not home.store.exists():
        raise CommandError(
            Code.NOT_FOUND,
            f"there is nothing to save: {home.root} holds no data",
            tries=["--data DIR names another data folder"],
        )
    now = session.local.clock()
    target = file or f"thv-backup-{now:%Y%m%d-%H%M%S}.tar.gz"
    created = render_time(now)
    if target == STDOUT:
        contents = _to_output(session, home, created)
    else:
        contents = _to_file(session, home, Path(target), created)
    where = "the output" if target == STDOUT else target
    session.console.step("ok", f"saved {_told(contents)} to {where}")
    session.console.hint(f"Bring it back: thv restore {where}")


def _to_output(session: Session, home: Home, created: str) -> Contents:
    raw = getattr(session.console.out, "buffer", None)
    if raw is None or session.console.out_terminal:
        raise CommandError(
            Code.INVALID, "a backup is no text for a terminal", tries=["--output FILE"]
        )
    return _written(home, raw, created)


def _to_file(session: Session, home: Home, path: Path, created: str) -> Contents:
    require_writable(path)
    if path.exists():
        session.confirm(f"{path} exists already; replace it?")
    try:
        descriptor, draft = tempfile.mkstemp(
            dir=path.absolute().parent, prefix=f".{path.name[:100]}."
        )
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as target:  # mode 0600
            contents = _written(home, target, created)
            target.flush()
            os.fsync(target.fileno())
        Path(draft).replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            Path(draft).unlink()
    return contents


def _written(home: Home, target: IO[bytes], created: str) -> Contents:
    """Copies are gathered in the data folder itself, which nobody else may read."""
    with tempfile.TemporaryDirectory(dir=home.root, prefix=".backup-") as folder:
        return write_archive(home, target, Path(folder) / "copy", created)


@command(
    "restore",
    examples=(
        "thv restore thv-backup-20260101-120000.tar.gz",
        "thv restore backup.tar.gz --data /srv/thv --yes",
    ),
)
@click.argument("file")
async def restore(session: Session, *, file: str) -> None:
    """Bring the data folder back to what a backup holds.

    What is there now is moved aside, not deleted. Refused while a server or a sync works on the folder.
    """
    home, lock = session.local.home, session.local.lock
    path = _existing(file)
    if not lock.acquire(f"thv restore (pid {os.getpid()})"):
        raise CommandError(
            Code.LOCKED,
            f"{home.root} is in use by {lock.holder() or 'another process'}",
            tries=["stop it first, then repeat this command"],
        )
    with tempfile.TemporaryDirectory(dir=home.root, prefix=".restore-") as folder:
        unpacked = Path(folder) / "data"
        unpacked.mkdir(mode=0o700)
        contents = unpack_archive(path, unpacked)
        if home.store.exists():
            session.confirm(
                f"replace what is in {home.root} by the backup of {contents.created}? What is there is moved aside."
            )
        aside = home.root / f"replaced-{session.local.clock():%Y%m%d-%H%M%S}"
        moved = put_in_place(unpacked, home, aside)
    session.console.step("ok", f"restored {_told(contents)} of {contents.created} to {home.root}")
    if moved:
        session.console.step("note", f"what was there is in {aside}; remove it when all is well")


def _existing(file: str) -> Path:
    path = Path(file)
    if not path.is_file():
        raise missing(path)
    return path


def _told(contents: Contents) -> str:
    """`3 registries, 1 secret`."""
    parts = []
    for resource, count in sorted(contents.objects.items()):
        word = _WORDS.get(resource, resource)
        parts.append(counted(count, word, _MANY.get(word, "")))
    return ", ".join(parts) or "an empty data folder"
