"""`thv registry status` and `thv registry history`."""

from __future__ import annotations

from datetime import datetime

import click
import msgspec

from thv.apps.cli.advice import code_of, next_step, what_to_do
from thv.apps.cli.command import TABLES, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.console import UNBOUNDED
from thv.apps.cli.facts import Facts, ago, print_facts
from thv.apps.cli.options import option
from thv.apps.cli.output import (
    Column,
    Listing,
    age,
    counted,
    print_list,
    print_value,
    table,
    took,
    until,
)
from thv.apps.cli.registries import Shelf, find
from thv.apps.cli.session import Session
from thv.apps.cli.syncing import is_answered, short
from thv.apps.cli.verbs import without_managed_fields
from thv.domain.canonical import JsonObject
from thv.domain.conditions import Condition
from thv.domain.registry_status import SyncRun
from thv.domain.times import parse_time


@command(
    "status",
    examples=("thv registry status upstream-community", "thv registry status corp -o json"),
    outputs=("table", "json", "yaml", "name"),
)
@click.argument("name", shell_complete=registry_names)
async def status(session: Session, *, name: str) -> None:
    """How a registry is doing: last and next sync, conditions, errors and what to do about them."""
    shelf = await find(session, name)
    match session.output:
        case "name":
            session.console.data(f"{shelf.title}\n")
        case "json" | "yaml":
            print_value(_status_of(shelf), session.output, session.console)
        case _:
            _print(session, shelf)


def _status_of(shelf: Shelf) -> JsonObject:
    obj = without_managed_fields(shelf.obj)
    return {key: value for key, value in obj.items() if key != "spec"}


def _print(session: Session, shelf: Shelf) -> None:
    now = session.local.clock()
    print_facts(session.console, _facts(session, shelf, now))
    conditions = shelf.registry.status.conditions
    if conditions:
        columns = _condition_columns(now)
        width = session.console.columns if session.console.out_terminal else UNBOUNDED
        session.console.data("\n")
        session.console.data(table(columns, conditions, width=width, headers=session.headers))


def _facts(session: Session, shelf: Shelf, now: datetime) -> Facts:
    status = shelf.registry.status
    sync, error = status.sync_status, status.sync_status.error
    conversion, snapshot = sync.conversion, status.snapshot
    progress = sync.progress
    held = f"{counted(status.server_count, 'server')}, {counted(status.version_count, 'version')}"
    waits = "" if is_answered(shelf) else "a sync was requested and is not done yet"
    return [
        (
            "Registry",
            shelf.title
            if session.namespace == shelf.namespace
            else f"{shelf.title} in {shelf.namespace}",
        ),
        ("Phase", status.phase.value if status.phase else "Pending"),
        ("", status.waits_because),
        ("Requested", waits),
        ("Last sync", _last(shelf, now)),
        ("Next sync", _next(shelf, now)),
        ("Reading", f"{counted(progress.entries, 'entry', 'entries')} so far" if progress else ""),
        (
            "Attempts",
            f"{counted(sync.attempt_count, 'attempt')} failed" if sync.attempt_count else "",
        ),
        ("Serves", f"{held}, snapshot {short(snapshot.digest)}" if snapshot else "nothing yet"),
        ("Revision", sync.revision),
        ("Resolved", sync.resolved_url),
        (
            "Converted",
            f"{conversion.converted:,} of {counted(conversion.read, 'entry', 'entries')} ({conversion.success_percent} %)"
            if conversion
            else "",
        ),
        ("Error", f"{error.code}: {error.message}" if error else ""),
        ("", next_step(shelf, error) if error else ""),
        *(
            ("Try" if not place else "", line)
            for place, line in enumerate(what_to_do(shelf, code_of(error)) if error else ())
        ),
    ]


def _last(shelf: Shelf, now: datetime) -> str:
    sync = shelf.registry.status.sync_status
    if not sync.last_attempt or shelf.registry.status.waits_because:
        return "never"
    trigger = f", {_TRIGGERS.get(sync.trigger.value, sync.trigger.value)}" if sync.trigger else ""
    length = took(sync.duration_milliseconds / 1000)
    if sync.error is not None:
        good = f"; the last good one {ago(sync.last_sync_time, now)}" if sync.last_sync_time else ""
        return f"failed {ago(sync.last_attempt, now)}, after {length}{trigger}{good}"
    return f"{ago(sync.last_sync_time, now)}, in {length}{trigger}"


_TRIGGERS = {
    "Interval": "when it was due",
    "Manual": "by request",
    "SourceChanged": "because the source changed",
    "SpecChanged": "because the registry changed",
    "Webhook": "by webhook",
    "Job": "by a job",
}


def _next(shelf: Shelf, now: datetime) -> str:
    policy = shelf.registry.spec.sync_policy
    if shelf.file:
        return "when the file changes"
    if not policy.enabled:
        return f"only by request; {shelf.command('registry', 'resume', shelf.name)}"
    moment = shelf.registry.status.sync_status.next_sync_time
    due = until(moment, now)
    soon = (
        f"as soon as {shelf.place.keeper} does it"
        if shelf.place.on_cluster
        else "as soon as a thv serve runs"
    )
    return f"{due or soon}, every {policy.interval}"


def _condition_columns(now: datetime) -> tuple[Column[Condition], ...]:
    return (
        Column(title="CONDITION", cell=lambda condition: condition.type),
        Column(title="STATUS", cell=lambda condition: condition.status),
        Column(title="REASON", cell=lambda condition: condition.reason),
        Column(
            title="SINCE", cell=lambda condition: age(condition.last_transition_time, now), spare=2
        ),
        Column(title="MESSAGE", cell=lambda condition: condition.message, stretch=True, spare=1),
    )


@command(
    "history",
    examples=(
        "thv registry history upstream-community",
        "thv registry history upstream-community -o wide",
        "thv registry history corp --limit 1 -o json",
    ),
    outputs=TABLES,
)
@click.argument("name", shell_complete=registry_names)
@option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many, of at most 50.",
)
async def history(session: Session, *, name: str, limit: int) -> None:
    """The last syncs of a registry that changed something or failed, newest first."""
    shelf = await find(session, name)
    runs = shelf.registry.status.sync_status.history[:limit]
    shown = _runs(session.local.clock())
    print_list(shown, runs, session.output, session.console, headers=session.headers)
    if not runs:
        todo = shelf.command("registry", "sync", shelf.name)
        session.console.hint(f"{shelf.title} was never synchronized. Try: {todo}")


def _runs(now: datetime) -> Listing[SyncRun]:
    return Listing(
        kind="SyncRunList",
        name=lambda run: run.started_at,
        value=lambda run: {
            k: v for k, v in msgspec.to_builtins(run).items() if v not in ("", None)
        },
        columns=(
            Column(title="STARTED", cell=lambda run: age(run.started_at, now)),
            Column(
                title="TRIGGER", cell=lambda run: run.trigger.value if run.trigger else "", spare=1
            ),
            Column(title="OUTCOME", cell=lambda run: run.outcome or ""),
            Column(title="TOOK", cell=_took, spare=2),
            Column(title="ADDED", cell=lambda run: str(run.added), number=True),
            Column(title="CHANGED", cell=lambda run: str(run.changed), number=True),
            Column(title="REMOVED", cell=lambda run: str(run.removed), number=True),
            Column(title="FILTERED", cell=lambda run: str(run.filtered), number=True, wide=True),
            Column(title="INVALID", cell=lambda run: str(run.invalid), number=True, wide=True),
            Column(title="SNAPSHOT", cell=lambda run: short(run.snapshot), wide=True),
            Column(title="REVISION", cell=lambda run: short(run.revision), spare=4),
            Column(title="ERROR", cell=lambda run: run.error, stretch=True, spare=3),
        ),
    )


def _took(run: SyncRun) -> str:
    began, ended = parse_time(run.started_at), parse_time(run.finished_at)
    return took((ended - began).total_seconds()) if began and ended else ""
