"""`thv registry show`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import click
import msgspec

from thv.apps.cli.command import command
from thv.apps.cli.commands.registry_list import ready_of
from thv.apps.cli.completion import registry_names
from thv.apps.cli.facts import Facts, ago, print_facts
from thv.apps.cli.options import option
from thv.apps.cli.output import Column, counted, print_value, table, until
from thv.apps.cli.registries import Shelf, find, place_of
from thv.apps.cli.session import Session
from thv.apps.cli.syncing import short
from thv.apps.cli.verbs import without_managed_fields
from thv.domain.filter import Filter
from thv.domain.left_out import NAME_LIMIT, LeftOut, parse
from thv.domain.registry import RegistrySpec, SourceType
from thv.domain.registry_status import RegistryStatus, ServerSummary
from thv.domain.resources import metadata_of
from thv.stores.chunks.base import Owner


@command(
    "show",
    examples=(
        "thv registry show upstream-community",
        "thv registry show upstream-community --servers 50",
        "thv registry show upstream-community --left-out 100",
        "thv registry show corp -o yaml",
    ),
    outputs=("table", "json", "yaml", "name"),
    served="thv.apps.cli.served.lists:show_registry",
)
@click.argument("name", shell_complete=registry_names)
@option(
    "--servers",
    type=click.IntRange(min=0, max=50),
    default=10,
    show_default=True,
    help="How many of its servers to name.",
)
@option(
    "--left-out",
    type=click.IntRange(min=0, max=NAME_LIMIT),
    default=0,
    show_default=True,
    help="How many of the names to list that its filter and policy leave out, with the rules that do.",
)
async def show_registry(session: Session, *, name: str, servers: int, left_out: int) -> None:
    """What a registry is: its source, filter and policy, and what it holds."""
    shelf = await find(session, name)
    match session.output:
        case "name":
            session.console.data(f"{shelf.title}\n")
        case "json" | "yaml":
            print_value(without_managed_fields(shelf.obj), session.output, session.console)
        case _:
            print_facts(session.console, _facts(shelf, session.local.clock()))
            _print_servers(session, shelf, servers)
            if left_out:
                await _print_left_out(session, shelf, left_out)


def _facts(shelf: Shelf, now: datetime) -> Facts:
    spec, status = shelf.registry.spec, shelf.registry.status
    ready = ready_of(shelf.registry)
    created = str(metadata_of(shelf.obj).get("creationTimestamp", ""))
    return [
        ("Name", shelf.name),
        ("Namespace", shelf.namespace),
        ("Title", spec.display_name),
        ("About", spec.description),
        ("Trust", spec.trust_level.value),
        ("Source", f"{spec.source.type.value} {place_of(shelf.registry)}"),
        ("Resolved", status.sync_status.resolved_url),
        ("Versions", spec.source.registry.versions if spec.source.registry else ""),
        ("Credential", _credential(spec)),
        ("Format", _format(spec, status)),
        *_filter(spec.filter),
        ("Policy", _policy(spec)),
        ("Sync", _sync(shelf, now)),
        ("Ready", f"{ready.status}  {ready.reason}  {ready.message}".rstrip()),
        ("Servers", _held(status)),
        *_statistics(status),
        ("Left out", _left_out(status)),
        ("Converted", _converted(status)),
        ("Endpoint", status.api_status.endpoint or "none; make one with: thv serve"),
        ("Revision", short(status.sync_status.revision)),
        ("Snapshot", status.snapshot.digest if status.snapshot else ""),
        ("Created", ago(created, now)),
    ]


def _credential(spec: RegistrySpec) -> str:
    block = spec.source.url or spec.source.git or spec.source.registry
    secrets = [
        place.name
        for place in (getattr(block, "auth_secret", None), getattr(block, "headers_secret", None))
        if place
    ]
    return f"secret/{' and secret/'.join(secrets)}" if secrets else ""


def _format(spec: RegistrySpec, status: RegistryStatus) -> str:
    return spec.format or (
        f"{status.sync_status.format} (detected)" if status.sync_status.format else ""
    )


def _filter(filter_: Filter | None) -> Facts:
    sides = (("Include", filter_.include), ("Exclude", filter_.exclude)) if filter_ else ()
    return [
        (title, "; ".join(f"{field} {', '.join(words)}" for field, words in _lists(side).items()))
        for title, side in sides
        if side is not None
    ]


def _lists(side: object) -> Mapping[str, tuple[str, ...]]:
    return {field: words for field, words in msgspec.to_builtins(side).items() if words}


def _policy(spec: RegistrySpec) -> str:
    policy, criteria = spec.validation_policy, spec.promotion_criteria
    said = []
    if policy and policy.allowed_tiers:
        said.append(f"tiers {', '.join(policy.allowed_tiers)}")
    if policy and policy.blocked_patterns:
        said.append(f"blocked {', '.join(policy.blocked_patterns)}")
    if policy and policy.approval_required:
        said.append("approval required")
    if policy and policy.security_scan_required:
        said.append("scan required")
    if criteria and criteria.any_given:
        said.append("promotion by criteria")
    said += [
        word
        for word, on in (
            ("enforces servers", spec.enforce_servers),
            ("enforces tools", spec.enforce_tools),
        )
        if on
    ]
    return "; ".join(said)


def _sync(shelf: Shelf, now: datetime) -> str:
    policy, status = shelf.registry.spec.sync_policy, shelf.registry.status.sync_status
    if shelf.file:
        return "whenever the file changes"
    last = f"last {ago(status.last_sync_time, now)}" if status.last_sync_time else "never yet"
    if not policy.enabled:
        return f"only by request (suspended), {last}"
    due = until(status.next_sync_time, now)
    following = f", next {due}" if due else ""
    mode = "" if policy.on_update.value == "update" else f" ({policy.on_update.value})"
    return f"every {policy.interval}{mode}, {last}{following}"


def _held(status: RegistryStatus) -> str:
    if status.snapshot is None:
        return "none yet"
    versions = counted(status.version_count, "version")
    more = f" in {versions}" if status.version_count != status.server_count else ""
    return f"{status.server_count:,}{more}"


def _statistics(status: RegistryStatus) -> Facts:
    found = status.statistics
    if found is None or not status.server_count:
        return []
    kinds = {"container": found.containers, "remote": found.remotes, "package": found.packages}
    groups = (
        ("kind", kinds),
        ("tier", found.by_tier),
        ("transport", found.by_transport),
        ("category", found.by_category),
    )
    return [(f"  by {title}", _counts(counts)) for title, counts in groups] + [
        ("  tools", f"{found.tools:,}" if found.tools else ""),
        ("  deprecated", f"{found.deprecated:,}" if found.deprecated else ""),
    ]


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (pair[0] == "other", -pair[1], pair[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered if count)


def _left_out(status: RegistryStatus) -> str:
    found = status.statistics
    if found is None or not (found.filtered_out or found.blocked):
        return ""
    parts = [
        f"{count:,} by {what}"
        for count, what in ((found.filtered_out, "filter"), (found.blocked, "policy"))
        if count
    ]
    return ", ".join(parts)


def _converted(status: RegistryStatus) -> str:
    conversion = status.sync_status.conversion
    if conversion is None:
        return ""
    text = f"{conversion.success_percent} % of {counted(conversion.read, 'entry', 'entries')}"
    if conversion.skipped:
        text += f", {conversion.skipped:,} could not be read"
    if conversion.lossy:
        text += f", {conversion.lossy:,} name nothing to run"
    return text


_COLUMNS: tuple[Column[ServerSummary], ...] = (
    Column(title="SERVER", cell=lambda server: server.name, stretch=True),
    Column(title="VERSION", cell=lambda server: server.version),
    Column(title="TIER", cell=lambda server: server.tier, spare=1),
    Column(title="TRANSPORT", cell=lambda server: server.transport, spare=2),
    Column(title="STATUS", cell=lambda server: server.status, spare=3),
)


def _print_servers(session: Session, shelf: Shelf, limit: int) -> None:
    status = shelf.registry.status
    first = status.servers[:limit]
    if first:
        session.console.data("\n")
        width = session.console.columns
        session.console.data(table(_COLUMNS, first, width=width, headers=session.headers))
    if first and status.server_count > len(first):
        more = shelf.command("search", "--registry", shelf.name)
        session.console.hint(f"{status.server_count - len(first):,} more: {more}")
    if status.snapshot is None and shelf.registry.spec.source.type is not SourceType.OCI:
        session.console.hint(f"Try: {shelf.command('registry', 'sync', shelf.name)}")


_LEFT_OUT: tuple[Column[LeftOut], ...] = (
    Column(title="LEFT OUT", cell=lambda each: each.name, stretch=True),
    Column(title="VERSIONS", cell=lambda each: f"{each.versions:,}", number=True),
    Column(title="BY", cell=lambda each: ", ".join(each.rules)),
)


async def _print_left_out(session: Session, shelf: Shelf, limit: int) -> None:
    registry = shelf.registry
    statistics = registry.status.statistics
    if statistics is None or statistics.left_out is None:
        session.console.step("note", f"{shelf.name} keeps no list of what it leaves out")
        return
    owner = Owner(registry.namespace, registry.name, registry.uid)
    every = parse(await shelf.place.chunks.get(owner, statistics.left_out))
    session.console.data("\n")
    width = session.console.columns
    session.console.data(table(_LEFT_OUT, every[:limit], width=width, headers=session.headers))
    shown = sum(each.versions for each in every[:limit])
    rest = statistics.filtered_out + statistics.blocked - shown
    if rest > 0:
        session.console.step("note", f"{counted(rest, 'more entry', 'more entries')} left out")
