"""`thv registry sync`."""

from __future__ import annotations

import click

from thv.apps.cli.command import command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.exits import CommandError, Exit
from thv.apps.cli.options import option
from thv.apps.cli.output import OUTPUT_VERSION, print_value
from thv.apps.cli.registries import Shelf, every, find_stored
from thv.apps.cli.session import Session
from thv.apps.cli.syncing import Order, Synced, require_good, result_of, synchronize
from thv.apps.cli.times import DURATION
from thv.apps.cli.verbs import LINES
from thv.domain.errors import Code


@command(
    "sync",
    examples=(
        "thv registry sync upstream-community",
        "thv registry sync --all --timeout 5m",
        "thv registry sync -l team=search --error-unchanged",
        "thv registry sync upstream-community --force -o json",
    ),
    outputs=("name", "json", "yaml"),
    default=LINES,
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=registry_names)
@option("--all", "all_", is_flag=True, help="Every registry of the namespace.")
@option("-A", "--all-namespaces", is_flag=True, help="Every registry of every namespace.")
@option("-l", "--selector", default="", metavar="SEL", help="Registries with such labels.")
@option("--wait/--no-wait", default=True, help="Wait for the end (default), or only ask for it.")
@option("--timeout", type=DURATION, metavar="TIME", help="How long to wait, such as 60s or 5m.")
@option("--force", is_flag=True, help="Fetch everything, even if the source says nothing changed.")
@option("--error-unchanged", is_flag=True, help="Exit with 3 when nothing changed.")
async def sync(
    session: Session,
    *,
    names: tuple[str, ...],
    all_: bool,
    all_namespaces: bool,
    selector: str,
    wait: bool,
    timeout: float | None,
    force: bool,
    error_unchanged: bool,
) -> Exit | None:
    """Synchronize registries now, also those whose automatic sync is suspended.

    Ctrl-C stops it; the next sync goes on where it was, and what was served before stays served.
    """
    if bool(names) == (all_ or all_namespaces or bool(selector)):
        raise _nothing_named(both=bool(names))
    shelves = await _chosen(session, names, selector, all_namespaces=all_namespaces)
    results = await synchronize(session, shelves, Order(wait=wait, timeout=timeout, force=force))
    _print(session, results)
    require_good(results)
    unchanged = bool(results) and all(done.outcome == "Unchanged" for done in results)
    return Exit.UNCHANGED if error_unchanged and unchanged else None


async def _chosen(
    session: Session, names: tuple[str, ...], selector: str, *, all_namespaces: bool
) -> list[Shelf]:
    if names:
        return [await find_stored(session, name) for name in dict.fromkeys(names)]
    shelves = await every(session, all_namespaces=all_namespaces, selector=selector)
    stored = [shelf for shelf in shelves if not shelf.file]
    if not stored:
        what = f'with the labels "{selector}" ' if selector else ""
        place = "" if all_namespaces else f'in the namespace "{session.namespace}"'
        session.console.step("note", f"there is no registry {what}{place}".rstrip())
    return stored


def _print(session: Session, results: list[Synced]) -> None:
    match session.output:
        case "name":
            session.console.data("".join(f"{done.shelf.title}\n" for done in results))
        case "json" | "yaml":
            body = {
                "apiVersion": OUTPUT_VERSION,
                "kind": "SyncResultList",
                "items": [result_of(done) for done in results],
            }
            print_value(body, session.output, session.console)
        case _:
            return


def _nothing_named(*, both: bool) -> CommandError:
    if both:
        return CommandError(
            Code.INVALID,
            "name registries, or choose them with --all or --selector, not both",
            tries=["thv registry sync --all"],
        )
    return CommandError(
        Code.INVALID,
        "which registry? No name was given",
        tries=["thv registry list", "thv registry sync --all"],
    )
