"""`thv operator uninstall`."""

from __future__ import annotations

import click

from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.exits import CommandError
from thv.apps.cli.operating.applying import Terms, require_all
from thv.apps.cli.operating.bringing import print_objects, show_failures, teller
from thv.apps.cli.operating.choices import home_of, namespace_option
from thv.apps.cli.operating.found import definition, find, require_not_helm
from thv.apps.cli.operating.opening import open_store
from thv.apps.cli.operating.purging import purge
from thv.apps.cli.operating.removing import belonging, remove_each
from thv.apps.cli.options import option
from thv.apps.cli.output import counted
from thv.apps.cli.session import Session
from thv.apps.cli.times import DURATION
from thv.apps.cli.verbs import LINES
from thv.domain.errors import Code
from thv.domain.resources import MCP_REGISTRY, namespace_of
from thv.stores.resources.base import ResourceStore


@command(
    "uninstall",
    examples=(
        "thv operator uninstall --context test",
        "thv operator uninstall --purge --yes",
        "thv operator uninstall --dry-run",
    ),
    outputs=OBJECTS,
    default=LINES,
    about="cluster",
)
@namespace_option
@option(
    "--purge", "purges", is_flag=True, help="The registries, their kinds and the namespace too."
)
@option(
    "--dry-run",
    is_flag=False,
    flag_value="server",
    type=click.Choice(["none", "client", "server"]),
    help="Say what would be removed, and remove nothing.",
)
@option(
    "--timeout",
    type=DURATION,
    default="5m",
    show_default=True,
    metavar="TIME",
    help="How long to wait for what ends slowly.",
)
async def uninstall(
    session: Session, *, home: str, purges: bool, dry_run: str | None, timeout: float
) -> None:
    """Remove the operator from the cluster; registries and their kinds stay.

    What serves them goes on serving what it has to callers without tokens. Installed again, the operator goes on with
    them. --purge removes them as well, and asks first.
    """
    store, dry = open_store(session), dry_run in ("client", "server")
    found = await find(store, home_of(session, home))
    if found is not None:
        require_not_helm(found, "uninstall")
    places = await _places(store)
    if purges and not dry:
        session.confirm(_question(places))
    told, terms = teller(session, dry=dry), Terms(dry=dry)
    objects = [obj async for obj in belonging(store)]
    if not objects and not purges:
        raise CommandError(Code.NOT_FOUND, "the operator is not installed: nothing of it is there")
    outcome = await remove_each(store, objects, terms, told, "deleted")
    if purges and not outcome.failures:
        outcome += await purge(store, terms, told, timeout)
    print_objects(session, outcome)
    show_failures(session, outcome)
    require_all(outcome, "deleted", [f"{session.common.again()}   (goes on where it ended)"])
    if not purges and not dry:
        _say_what_stays(session, places)


async def _places(store: ResourceStore) -> list[str]:
    """The namespace of each registry."""
    if await definition(store) is None:
        return []
    listed = await store.list(MCP_REGISTRY, partial=True)
    return [namespace_of(obj) for obj in listed.items]


def _question(places: list[str]) -> str:
    count = counted(len(places), "registry", "registries")
    spaces = counted(len(set(places)), "namespace")
    held = f"{count} in {spaces}, with all that was synchronized" if places else "no registry"
    return f"remove the operator, its namespace, its kinds and {held}?"


def _say_what_stays(session: Session, places: list[str]) -> None:
    count = counted(len(places), "registry", "registries")
    session.console.step("ok", f"{count} and their kinds stay, and so does the namespace")
    session.console.hint(f"Everything: {session.program} operator uninstall --purge")
