"""`thv registry logs`."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import click

from thv.apps.cli.command import command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.console import safe
from thv.apps.cli.exits import CommandError
from thv.apps.cli.loader import load
from thv.apps.cli.options import option
from thv.apps.cli.registries import Shelf, find
from thv.apps.cli.session import Session
from thv.apps.cli.times import DURATION
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import POD, SERVICE, name_of
from thv.domain.roles import OPERATOR
from thv.sync.serving.names import NAME, SHARED, api_name, selector_of

_PODS = "thv.apps.cli.podlogs:"


@command(
    "logs",
    examples=(
        "thv registry logs upstream-community --backend kubernetes --tail 100",
        "thv registry logs upstream-community --context prod -n team -f --since 10m",
        "thv registry logs upstream-community --context prod --operator",
    ),
)
@click.argument("name", shell_complete=registry_names)
@option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@option(
    "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each pod."
)
@option("--since", type=DURATION, metavar="TIME", help="Only lines of that time, such as 10m.")
@option("--operator", is_flag=True, help="What the operator writes about the registry instead.")
@option(
    "--operator-namespace",
    default="",
    metavar="NS",
    help="Where the operator runs; needed by who may not list the pods of all namespaces.",
)
async def logs(
    session: Session,
    *,
    name: str,
    follow: bool,
    tail: int | None,
    since: float | None,
    operator: bool,
    operator_namespace: str,
) -> None:
    """What the pods that serve a registry write; the oldest line first.

    Lines of several pods begin with the name of the pod. With --operator: the lines of the operator that name the
    registry, where a failed sync and its retries are told.
    """
    shelf = await find(session, name)
    if not shelf.place.on_cluster:
        raise _not_kept(session, shelf)
    if operator and follow and tail is not None:
        raise CommandError(
            Code.INVALID,
            "--tail with --operator counts lines about the registry, and cannot while it follows",
            tries=[session.common.again("--since", "10m") + "   (without --tail)"],
        )
    pods = (
        await _operator_pods(session, operator_namespace)
        if operator
        else await _api_pods(session, shelf)
    )
    wish = load(_PODS + "Wish")(follow=follow, tail=None if operator else tail, since=since)
    lines = load(_PODS + "lines_of")(session.place.client, pods, wish)  # type: ignore[attr-defined] # a cluster
    if operator:
        lines = _about(shelf, lines, tail)
    await _print(session, lines, several=len(pods) > 1)


async def _print(session: Session, lines: AsyncGenerator[Any, None], *, several: bool) -> None:
    console, written = session.console, 0
    try:
        async with aclosing(lines):
            async for line in lines:
                written += 1
                console.data(f"{f'[{line.pod}] ' if several else ''}{safe(line.text)}\n")
                console.out.flush()
    except ThvError as error:
        if not load(_PODS + "is_starting")(error):
            raise
        console.step("note", error.message)
    else:
        if not written:
            console.step("note", "no such lines were written")


async def _about(
    shelf: Shelf, lines: AsyncGenerator[Any, None], tail: int | None
) -> AsyncGenerator[Any, None]:
    """The records of the registry; the last ones, when somebody wants no more."""
    about = load(_PODS + "About")(shelf.namespace, shelf.name)
    last: deque[Any] = deque(maxlen=tail)
    async with aclosing(lines):
        async for line in lines:
            if about.keeps(line.text):
                if tail is None:
                    yield line
                else:
                    last.append(line)
    for line in last:
        yield line


async def _api_pods(session: Session, shelf: Shelf) -> list[JsonObject]:
    """The pods that the Service of the registry leads to; raises NOT_FOUND when there is none."""
    chosen = selector_of(shelf.name)
    services = await shelf.place.resources.list(SERVICE, shelf.namespace, name=api_name(shelf.name))
    for service in services.items:
        chosen = (service.get("spec") or {}).get("selector") or chosen
    if chosen.get(NAME) == SHARED:
        session.console.step("note", "its pods serve other registries of the namespace as well")
    pods = await _pods(session, shelf.namespace, chosen)
    if not pods:
        raise CommandError(
            Code.NOT_FOUND,
            f"no pod serves {shelf.title}",
            tries=[
                shelf.command("registry", "status", shelf.name),
                shelf.command("registry", "logs", shelf.name, "--operator"),
            ],
        )
    return pods


async def _operator_pods(session: Session, namespace: str) -> list[JsonObject]:
    try:
        pods = await _pods(session, namespace or None, {NAME: OPERATOR})
    except ThvError as error:
        if error.code is not Code.FORBIDDEN or namespace:
            raise
        raise CommandError(
            Code.FORBIDDEN,
            "you may not list the pods of all namespaces, so the operator was not found",
            tries=[session.common.again("--operator-namespace", "toolhive-system")],
        ) from error
    if not pods:
        where = f'in the namespace "{namespace}"' if namespace else "on this cluster"
        raise CommandError(
            Code.NOT_FOUND,
            f"no operator runs {where}",
            tries=[f"kubectl get pods -A -l {NAME}={OPERATOR}"],
        )
    return pods


async def _pods(
    session: Session, namespace: str | None, labels: dict[str, str]
) -> list[JsonObject]:
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    listed = await session.place.resources.list(POD, namespace, selector=selector)
    return sorted(listed.items, key=name_of)


def _not_kept(session: Session, shelf: Shelf) -> CommandError:
    """On one machine a process writes to where it was started, and nothing is kept."""
    holder = "" if shelf.file else session.local.lock.holder()
    said = f"{holder} writes to the terminal or file that it was started with" if holder else ""
    return CommandError(
        Code.INVALID,
        "only a cluster keeps what the processes of a registry write",
        cause=said or "no thv serve runs here; commands synchronize by themselves",
        tries=[
            shelf.command("registry", "history", shelf.name),
            shelf.command("registry", "status", shelf.name),
        ],
    )
