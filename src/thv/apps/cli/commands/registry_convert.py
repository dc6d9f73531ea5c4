"""`thv registry convert`."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import click

from thv.apps.cli.command import command
from thv.apps.cli.converting import Conversion, Remark
from thv.apps.cli.documents import STDIN, open_paper
from thv.apps.cli.exits import CommandError, Exit
from thv.apps.cli.interrupting import interruptible
from thv.apps.cli.options import option
from thv.apps.cli.output import OUTPUT_VERSION, counted, json_of
from thv.apps.cli.session import Session
from thv.apps.cli.writing import STDOUT, write_file, write_out
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.formats.documents import Format

_SHOWN = 10


@command(
    "convert",
    examples=(
        "thv registry convert --in registry.json --out upstream.json",
        "thv registry convert --in upstream.json --to toolhive > registry.json",
        "thv registry convert --in registry.json --in-place --no-backup",
    ),
)
@click.argument("file", required=False, metavar="[FILE]")
@option("--in", "source", default="", metavar="FILE", help="What to convert; default: the input.")
@option("--out", "target", default="", metavar="FILE", help="Where to; default: the output.")
@option("--in-place", is_flag=True, help="Put the result in the place of FILE; FILE.bak keeps it.")
@option("--no-backup", is_flag=True, help="With --in-place: keep no FILE.bak.")
@option(
    "--to",
    type=click.Choice([each.value for each in Format]),
    help="Format of the result; default: the one that FILE is not in.",
)
@option("--latest", is_flag=True, help="Only the latest version of each server.")
@option("--report", is_flag=True, help="Name everything that is lost, not the first ones only.")
@option("--strict", is_flag=True, help="Exit 1 when an entry is damaged or left out.")
async def convert(
    session: Session,
    *,
    file: str | None,
    source: str,
    target: str,
    in_place: bool,
    no_backup: bool,
    to: str | None,
    latest: bool,
    report: bool,
    strict: bool,
) -> Exit | None:
    """Convert a file between the ToolHive format and the official one, in both directions.

    What the other format cannot say is kept under keys of its own and comes back on the way back. What is lost
    nevertheless is named, on the error stream; -o json writes all of it there. A ToolHive document has one key a
    server: its older versions are NAME@VERSION.
    """
    place = _place(file, source, target, in_place=in_place)
    with interruptible(), open_paper(session, place) as paper:
        conversion = Conversion(paper, Format(to) if to else None, latest=latest)
        if in_place:
            _replace(session, Path(place), conversion, backup=not no_backup)
        else:
            write_out(session.console, target, conversion.document())
        _tell(session, conversion, place, target or (place if in_place else STDOUT), full=report)
    failed = strict and any(remark.kind in ("damaged", "lost") for remark in conversion.remarks)
    return Exit.FAILED if failed else None


def _place(file: str | None, source: str, target: str, *, in_place: bool) -> str:
    """What to convert; raises for options that contradict each other."""
    if file and source and file != source:
        raise CommandError(Code.INVALID, f'FILE is "{file}" and --in is "{source}"; give one')
    place = source or file or STDIN
    if in_place and place == STDIN:
        raise CommandError(Code.INVALID, "--in-place needs a file", tries=["add --in FILE"])
    if in_place and target:
        raise CommandError(
            Code.INVALID,
            "--in-place and --out exclude each other",
            tries=["leave out one of them"],
        )
    if in_place and Path(place).is_dir():
        raise CommandError(Code.INVALID, f'"{place}" is a folder', tries=["use --out FILE"])
    return place


def _replace(session: Session, path: Path, conversion: Conversion, *, backup: bool) -> None:
    """The new document replaces the old one, which is kept under a name that nothing has yet."""
    if backup:
        names = (path.with_name(f"{path.name}.bak{number or ''}") for number in count())
        kept = next(name for name in names if not name.exists())
        with path.open("rb") as old:
            write_file(
                kept, iter(lambda: old.read(1 << 20), b""), mode=path.stat().st_mode & 0o7777
            )
        session.console.step("ok", f"kept {path} as {kept}")
    write_file(path, conversion.document())


def _tell(session: Session, conversion: Conversion, place: str, target: str, *, full: bool) -> None:
    """What was done, and what was lost."""
    console = session.console
    if session.output == "json":
        console.err.write(json_of(_report(conversion)))
        return
    lines = [_line(remark) for remark in conversion.remarks] if full else _brief(conversion)
    for symbol, line in lines if full else lines[:_SHOWN]:
        console.step(symbol, line)
    if not full and len(conversion.remarks) > min(len(lines), _SHOWN):
        hidden = len(lines) - _SHOWN
        rest = f"{hidden:,} more; " if hidden > 0 else ""
        console.step("note", f"{rest}every entry that is meant: add --report, or -o json")
    name = "the input" if place == STDIN else place
    written = counted(conversion.written, "entry", "entries")
    where = "" if target == STDOUT else f" to {target}"
    console.step("ok", f"converted {written} of {name} to the {conversion.to.value} format{where}")
    if target != STDOUT:
        console.hint(f"Check it: thv registry validate {target}")


def _brief(conversion: Conversion) -> list[tuple[str, str]]:
    """One line for all entries that share a reason."""
    alike: dict[tuple[str, str], list[Remark]] = {}
    for remark in conversion.remarks:
        alike.setdefault((remark.kind, remark.reason), []).append(remark)
    return [_line(first, more=len(rest)) for first, *rest in alike.values()]


def _line(remark: Remark, *, more: int = 0) -> tuple[str, str]:
    symbol = "fail" if remark.kind == "damaged" else "note"
    place = f" ({remark.place})" if remark.name and remark.place else ""
    others = f" and {more:,} more" if more else ""
    return symbol, f"{remark.kind}: {remark.subject}{place}{others}: {remark.reason}"


def _report(conversion: Conversion) -> JsonObject:
    return {
        "apiVersion": OUTPUT_VERSION,
        "kind": "ConversionReport",
        "to": conversion.to.value,
        "read": conversion.read,
        "written": conversion.written,
        "items": [remark.value() for remark in conversion.remarks],
    }
