"""`thv registry diff`."""

from __future__ import annotations

import click
import msgspec

from thv.apps.cli.command import command
from thv.apps.cli.comparing import Compared, Difference, compare, selected, served
from thv.apps.cli.completion import registry_names
from thv.apps.cli.console import safe
from thv.apps.cli.documents import open_paper
from thv.apps.cli.exits import CommandError, Exit, exit_of
from thv.apps.cli.options import option
from thv.apps.cli.output import OUTPUT_VERSION, counted, print_value
from thv.apps.cli.registries import Shelf, find
from thv.apps.cli.session import Session
from thv.apps.cli.syncing import short
from thv.domain.errors import Code, ThvError
from thv.domain.snapshot import SnapshotRef
from thv.formats.documents import Format

_MARKS = {"added": "+", "removed": "-", "changed": "~"}
_COLORS = {"added": "green", "removed": "red", "changed": "yellow"}


@command(
    "diff",
    examples=(
        "thv registry diff upstream-community -f backup.json",
        "thv registry diff staging production-catalog",
        "thv registry diff upstream-community --previous",
        "thv registry diff upstream-community -f backup.json --limit 1000 -o json",
    ),
    outputs=("text", "json", "yaml", "name"),
)
@click.argument("name", shell_complete=registry_names)
@click.argument("other", required=False, shell_complete=registry_names)
@option("-f", "--file", "file", default="", metavar="FILE", help="Compare with a file or folder.")
@option(
    "--format",
    "format_",
    type=click.Choice(["auto", "toolhive", "upstream"]),
    default="auto",
    help="Format of the file; detected when absent.",
)
@option("--previous", is_flag=True, help="What the last sync that changed something changed.")
@option("--revision", default="", metavar="A..B", help="Two snapshots that are still kept.")
@option(
    "--limit",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="How many differences to show; all are counted.",
)
async def diff(
    session: Session,
    *,
    name: str,
    other: str | None,
    file: str,
    format_: str,
    previous: bool,
    revision: str,
    limit: int,
) -> Exit:
    """Compare what a registry serves with a file, with another registry, or with what it served before.

    A file is taken as the registry would take it, filter and policy included. Exits with 0 when both are the
    same, with 1 when they differ, with more when something failed.
    """
    try:
        if sum(map(bool, (other, file, previous or revision))) != 1:
            raise _one_of(name)
        shelf = await find(session, name)
        if file:
            found = await _with_file(session, shelf, file, format_, limit)
        elif other:
            found = await _with_other(shelf, await find(session, other), limit)
        else:
            base, head = _revisions(shelf, revision or "previous..current")
            found = await compare(served(shelf, base), served(shelf, head), limit)
    except ThvError as error:
        raise _beyond_one(error) from error
    _print(session, found)
    return Exit.FAILED if found.differs else Exit.OK


async def _with_file(
    session: Session, shelf: Shelf, file: str, format_: str, limit: int
) -> Compared:
    expected = None if format_ == "auto" else Format(format_)
    with open_paper(session, file, expected) as paper:
        async with selected(session, shelf.registry, paper) as head:
            return await compare(served(shelf, shelf.registry.status.snapshot), head, limit)


async def _with_other(shelf: Shelf, other: Shelf, limit: int) -> Compared:
    base, head = shelf.registry.status.snapshot, other.registry.status.snapshot
    return await compare(served(shelf, base), served(other, head), limit)


def _revisions(shelf: Shelf, text: str) -> tuple[SnapshotRef | None, SnapshotRef | None]:
    before, dots, after = text.partition("..")
    if not dots:
        raise CommandError(
            Code.INVALID,
            "--revision takes two of them: A..B",
            tries=["--revision previous..current"],
        )
    return _revision(shelf, before or "previous"), _revision(shelf, after or "current")


def _revision(shelf: Shelf, word: str) -> SnapshotRef | None:
    """A kept snapshot by `current`, `previous`, its digest or the revision of its source, or their beginnings."""
    status = shelf.registry.status
    kept = {"current": status.snapshot, "previous": status.previous_snapshot}
    if word in kept:
        return kept[word]
    sources = {run.snapshot: run.revision for run in status.sync_status.history}
    for ref in kept.values():
        words = (ref.digest, ref.digest[7:], sources.get(ref.digest, "")) if ref else ()
        if any(each.startswith(word) for each in words):
            return ref
    names = ", ".join(f"{name} ({short(ref.digest)})" for name, ref in kept.items() if ref)
    raise CommandError(
        Code.NOT_FOUND,
        f'{shelf.title} does not keep a snapshot "{word}"',
        cause=f"it keeps {names}" if names else "it was never synchronized",
        tries=[shelf.command("registry", "diff", shelf.name, "--previous")],
    )


def _print(session: Session, found: Compared) -> None:
    console = session.console
    match session.output:
        case "json" | "yaml":
            body = {
                "apiVersion": OUTPUT_VERSION,
                "kind": "RegistryDifference",
                "differs": found.differs,
                **msgspec.to_builtins(found),
            }
            print_value(body, session.output, console)
        case "name":
            names = dict.fromkeys(item.name for item in found.items)
            console.data("".join(f"{safe(name)}\n" for name in names))
        case _:
            for item in found.items:
                console.data(_line(session, item))
    if len(found.items) < found.total:
        more = session.common.again("--limit", str(found.total))
        console.step(
            "note", f"{len(found.items):,} of {found.total:,} differences shown; all: {more}"
        )
    console.step("note" if found.differs else "ok", _summary(found))


def _line(session: Session, item: Difference) -> str:
    mark = session.console.paint(_MARKS[item.op], _COLORS[item.op])
    fields = f"  {', '.join(item.fields)}" if item.fields else ""
    return f"{mark} {safe(f'{item.name} {item.version}{fields}')}\n"


def _summary(found: Compared) -> str:
    if not found.differs:
        return f"no difference in {counted(found.same, 'entry', 'entries')}"
    return (
        f"+{found.added:,} added  ~{found.changed:,} changed  -{found.removed:,} removed  "
        f"{found.same:,} the same"
    )


def _one_of(name: str) -> CommandError:
    return CommandError(
        Code.INVALID,
        "compare with what? Name a file, another registry, or --previous, and only one of them",
        tries=[
            f"thv registry diff {name} -f FILE",
            f"thv registry diff {name} OTHER",
            f"thv registry diff {name} --previous",
        ],
    )


def _beyond_one(error: ThvError) -> ThvError:
    """The same error with an exit code that nobody takes for a difference."""
    if exit_of(error) is not Exit.FAILED:
        return error
    known = error if isinstance(error, CommandError) else None
    return CommandError(
        error.code,
        error.message,
        cause=known.cause if known else "",
        suggestions=known.suggestions if known else (),
        tries=error.hint.splitlines(),
        exit_code=Exit.USAGE,
        details=error.details,
    )
