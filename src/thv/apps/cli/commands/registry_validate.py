"""`thv registry validate`."""

from __future__ import annotations

from collections.abc import Iterable

import click
import msgspec

from thv.apps.cli.checking import Verdict, verdicts
from thv.apps.cli.command import command
from thv.apps.cli.console import Console, safe
from thv.apps.cli.documents import Paper, open_paper
from thv.apps.cli.exits import Exit
from thv.apps.cli.interrupting import interruptible
from thv.apps.cli.options import option
from thv.apps.cli.output import OUTPUT_VERSION, counted, print_value
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.formats.documents import Format
from thv.formats.validation import Finding, Severity

_SHOWN = 20


class Tally(msgspec.Struct):
    """What was counted so far."""

    entries: int = 0
    invalid: int = 0
    warned: int = 0
    """Entries with warnings and no errors."""
    errors: int = 0
    warnings: int = 0
    hidden: int = 0

    def count(self, verdict: Verdict) -> None:
        """Counts one entry."""
        self.entries += 1
        self.warnings += verdict.warnings
        self.errors += len(verdict.findings) - verdict.warnings
        self.invalid += verdict.has_errors
        self.warned += bool(verdict.findings) and not verdict.has_errors


@command(
    "validate",
    examples=(
        "thv registry validate registry.json",
        "thv registry validate upstream.json --strict -o json",
        "curl -s https://catalog.example.com/servers.json | thv registry validate -",
    ),
    outputs=("text", "json", "yaml", "name"),
)
@click.argument("file", metavar="FILE|-")
@option(
    "--format",
    "format_",
    type=click.Choice(["auto", *(each.value for each in Format)]),
    default="auto",
    show_default=True,
    help="Format that the file must be in.",
)
@option("--strict", is_flag=True, help="Warnings count as errors.")
@option("--all", "everything", is_flag=True, help="Show all findings, warnings too.")
async def validate(
    session: Session, *, file: str, format_: str, strict: bool, everything: bool
) -> Exit | None:
    """Check a registry file against its published schema and the rules that no schema can say.

    Names each entry with its place in the file, the field, the rule and what is wrong. Errors are what the schema
    of the format refuses (server.json of 2025-12-11, ToolHive's registry); warnings work, but not everywhere.
    Exit 0: valid; 1: something was found; 5: there is no such file.
    """
    expected = None if format_ == "auto" else Format(format_)
    tally = Tally()
    with interruptible(), open_paper(session, file, expected) as paper:
        every = verdicts(paper)
        if session.output == "text":
            _print(session, every, tally, strict=strict, everything=everything)
        elif session.output == "name":
            _print_names(session, every, tally, strict=strict)
        else:
            print_value(_report(paper, every, tally, strict), session.output, session.console)
        if session.output in ("text", "name"):
            _sum_up(session, paper, tally, strict=strict)
    return Exit.FAILED if tally.invalid or (strict and tally.warned) else None


def _print(
    session: Session, every: Iterable[Verdict], tally: Tally, *, strict: bool, everything: bool
) -> None:
    """The findings as they are made; at a terminal the first ones only."""
    most = _SHOWN if session.console.out_terminal and not everything else 1 << 30
    shown = 0
    for verdict in every:
        tally.count(verdict)
        if not (verdict.has_errors or (verdict.findings and (strict or everything))):
            continue
        if shown < most:
            shown += 1
            _print_one(session.console, verdict)
        else:
            tally.hidden += 1


def _print_one(console: Console, verdict: Verdict) -> None:
    place = f"  ({safe(verdict.place)})" if verdict.title != verdict.place else ""
    console.data(f"{console.paint(safe(verdict.title), 'bold')}{place}\n")
    width = max(len(finding.path) for finding in verdict.findings)
    for finding in verdict.findings:
        console.data(f"  {_line(console, finding, min(width, 40))}\n")


def _line(console: Console, finding: Finding, width: int) -> str:
    is_error = finding.severity is Severity.ERROR
    word = console.paint(f"{finding.severity.value:<7}", "red" if is_error else "yellow")
    path = f"{safe(finding.path):<{width}}  " if width else ""
    return f"{word}  {path}{safe(finding.message)} [{finding.rule}]"


def _print_names(session: Session, every: Iterable[Verdict], tally: Tally, *, strict: bool) -> None:
    for verdict in every:
        tally.count(verdict)
        if verdict.has_errors or (strict and verdict.findings):
            session.console.data(f"{safe(verdict.title)}\n")


def _report(paper: Paper, every: Iterable[Verdict], tally: Tally, strict: bool) -> JsonObject:
    invalid, warned = [], []
    for verdict in every:
        tally.count(verdict)
        if verdict.has_errors or (strict and verdict.findings):
            invalid.append(verdict.value())
        elif verdict.findings:
            warned.append(verdict.value())
    return {
        "apiVersion": OUTPUT_VERSION,
        "kind": "ValidationReport",
        "file": paper.title,
        "format": paper.format.value,
        "container": paper.container,
        "valid": not invalid,
        "summary": {
            "entries": tally.entries,
            "invalid": tally.invalid,
            "warned": tally.warned,
            "errors": tally.errors,
            "warnings": tally.warnings,
        },
        "items": invalid,
        "warned": warned,
    }


def _sum_up(session: Session, paper: Paper, tally: Tally, *, strict: bool) -> None:
    """The last line, and how to see what was not shown."""
    console = session.console
    bad = tally.invalid + (tally.warned if strict else 0)
    if tally.hidden:
        rest = counted(tally.hidden, "entry", "entries")
        console.step("note", f"{rest} more with findings; all: {session.common.again('--all')}")
    elif tally.warned and not strict:
        warned = counted(tally.warned, "entry", "entries")
        console.step("note", f"{warned} with warnings only; see them: add --all")
    entries = counted(tally.entries, "entry", "entries")
    what = f"{paper.title}: {entries} in the {paper.format.value} format"
    if bad:
        console.step("fail", f"{what}: {tally.entries - bad:,} valid, {bad:,} invalid")
    else:
        console.step("ok", f"{what}: all valid" if tally.entries else f"{what}; it is empty")
