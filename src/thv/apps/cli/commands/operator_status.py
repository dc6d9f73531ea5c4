"""`thv operator status`."""

from __future__ import annotations

from datetime import datetime

from thv.apps.cli.command import command
from thv.apps.cli.exits import Exit
from thv.apps.cli.facts import Facts, ago, print_facts
from thv.apps.cli.operating.choices import home_of, namespace_option
from thv.apps.cli.operating.found import require
from thv.apps.cli.operating.leading import Leader
from thv.apps.cli.operating.opening import open_store
from thv.apps.cli.operating.standing import (
    Standing,
    Versions,
    body_of,
    problems,
    read_standing,
)
from thv.apps.cli.output import OUTPUT_VERSION, print_value
from thv.apps.cli.session import Session


@command(
    "status",
    examples=("thv operator status", "thv operator status --context prod -o json"),
    outputs=("table", "json", "yaml"),
    about="cluster",
)
@namespace_option
async def status(session: Session, *, home: str) -> Exit | None:
    """How the operator is doing: version, replicas, leader, kinds, registries; exits with 1 when it does not work."""
    store, now = open_store(session), session.local.clock()
    found = await require(session, store, home_of(session, home))
    standing = await read_standing(store, found)
    wrong = [*problems(standing, now)]
    if session.output == "table":
        print_facts(session.console, _facts(standing, now))
    else:
        head = {"apiVersion": OUTPUT_VERSION, "kind": "OperatorStatus"}
        print_value({**head, **body_of(standing, wrong)}, session.output, session.console)
    for each in wrong:
        session.console.step("fail", f"{each.message}; try: {each.command}")
    return Exit.FAILED if wrong else None


def _facts(standing: Standing, now: datetime) -> Facts:
    return [
        ("Namespace", standing.namespace),
        ("Version", standing.version or "unknown"),
        ("Image", standing.image),
        ("Managed by", standing.managed_by),
        ("Looks after", ", ".join(standing.namespaces) or "every namespace"),
        ("Rights", "in these namespaces" if standing.scope == "namespace" else "in the cluster"),
        ("Replicas", _replicas(standing)),
        ("Leader", _leader(standing.leader, now)),
        *(("Kind", _kind(each)) for each in standing.kinds),
        ("Registries", _registries(standing.registries)),
    ]


def _replicas(standing: Standing) -> str:
    changing = "" if standing.rolled_out else ", a rollout is under way"
    return f"{standing.ready} of {standing.wanted} ready{changing}"


def _leader(leader: Leader | None, now: datetime) -> str:
    return f"{leader.pod}, since {ago(leader.since, now)}" if leader else "none"


def _kind(kind: Versions) -> str:
    return f"{kind.name} served as {', '.join(kind.served)}, stored as {', '.join(kind.stored)}"


def _registries(phases: dict[str, int]) -> str:
    parts = ", ".join(f"{count:,} {phase}" for phase, count in phases.items())
    total = sum(phases.values())
    return f"{total:,}: {parts}" if total else "none"
