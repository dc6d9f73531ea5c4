"""`thv install` and `thv run`, which are the same but for how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from thv.apps.cli.choosing import Asked, chosen
from thv.apps.cli.command import OBJECTS, Command, command
from thv.apps.cli.completion import registry_names, server_names
from thv.apps.cli.exits import CommandError
from thv.apps.cli.hiding import shown_resource
from thv.apps.cli.installing import Done, Order, install, missing_secrets, next_steps
from thv.apps.cli.manifest_files import title_of
from thv.apps.cli.options import option
from thv.apps.cli.output import print_value, yaml_of
from thv.apps.cli.session import Session
from thv.apps.cli.starting import started
from thv.apps.cli.times import DURATION
from thv.apps.cli.verbs import LINES
from thv.domain.errors import Code

_PORT = click.IntRange(1, 65535)


async def _install(
    session: Session,
    *,
    registry: str,
    replace: bool,
    dry_run: str | None,
    wait: bool,
    timeout: float,
    **given: Any,
) -> None:
    dry = "" if dry_run in (None, "none") else str(dry_run)
    order = Order(replace=replace, dry_run=dry)
    if wait and not session.settings.on_cluster:
        raise CommandError(
            Code.INVALID,
            "--wait would wait for ever: nothing runs servers on this machine yet",
            tries=["leave it out"],
        )
    made, done = await install(session, chosen(session, Asked(**given)), registry, order)
    _print(session, done, order)
    session.console.out.flush()  # what is said next comes after it, also in a pipe
    for note in made.notes:
        session.console.step("note", note)
    if dry:
        return
    await _tell_missing(session, done[-1])
    if wait:
        await _wait(session, done[-1], timeout)
    else:
        _tell(session, next_steps(session, done[-1].obj))


async def _tell_missing(session: Session, server: Done) -> None:
    """Without its Secrets a server does not start; they may come later."""
    there = session.there(session.namespace)
    for name in await missing_secrets(session, server.obj):
        todo = f"{session.program} secret create {name} --from-file KEY=FILE{there}"
        session.console.step("note", f'there is no Secret "{name}" yet. Try: {todo}')


def _tell(session: Session, steps: Sequence[str]) -> None:
    """The first is for everybody, the others for who sits at a terminal."""
    first, *rest = steps
    session.console.step("note", first)
    for line in rest:
        session.console.hint(line[:1].upper() + line[1:])


async def _wait(session: Session, installed: Done, timeout: float) -> None:
    server = await started(session, installed, timeout)
    url = (server.get("status") or {}).get("url")
    session.console.step("ok", f"it runs{f' at {url}' if url else ''}")


def _print(session: Session, done: list[Done], order: Order) -> None:
    """As kubectl prints it; several YAML documents can be applied as they are."""
    match session.output:
        case "yaml":
            session.console.data("---\n".join(yaml_of(shown_resource(each.obj)) for each in done))
        case "json":
            values = [shown_resource(each.obj) for each in done]
            several = {"apiVersion": "v1", "kind": "List", "items": values}
            print_value(values[0] if len(values) == 1 else several, "json", session.console)
        case "name":
            session.console.data("".join(f"{title_of(each.obj, each.kind)}\n" for each in done))
        case _:
            dry = f" ({order.dry_run} dry run)" if order.dry_run else ""
            for each in done:
                session.console.data(f"{title_of(each.obj, each.kind)} {each.verb}{dry}\n")


_PARAMETERS = (
    click.argument(
        "words",
        nargs=-1,
        required=True,
        metavar="SERVER[@VERSION] [NAME] [-- ARGS...]",
        shell_complete=server_names,
    ),
    option(
        "--registry",
        default="",
        metavar="R",
        help="The registry that holds it, R or NAMESPACE/R.",
        shell_complete=registry_names,
    ),
    option("--version", default="", metavar="V", help="Another version than the latest one."),
    option("--name", default="", metavar="NAME", help="How the server is called here."),
    option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="A variable of the server."),
    option("--env-file", "env_files", multiple=True, metavar="FILE", help="Lines of NAME=VALUE."),
    option(
        "--secret",
        "secrets",
        multiple=True,
        metavar="NAME[/KEY][,target=VAR]",
        help="A Secret with its secret variables, or with the one that is named.",
    ),
    option("--tools", multiple=True, metavar="A,B", help="Show clients these tools alone."),
    option(
        "--permission-profile",
        default="",
        metavar="PROFILE",
        help="What it may reach: none, network, or configmap/NAME[/KEY].",
    ),
    option("--image-digest", default="", metavar="SHA256", help="Run the image of this digest."),
    option("--proxy-port", type=_PORT, metavar="PORT", help="Where clients connect."),
    option("--target-port", type=_PORT, metavar="PORT", help="Where the server listens."),
    option(
        "--resources", default="", metavar="cpu=C,memory=M", help="What it may use; reserved too."
    ),
    option("--replace", is_flag=True, help="In the place of a server of that name."),
    option(
        "--dry-run",
        is_flag=False,
        flag_value="server",
        type=click.Choice(["none", "client", "server"]),
        help="Write nothing; -o yaml prints the manifest. client has it checked by nobody.",
    ),
    option("--wait", is_flag=True, help="Until the server runs; exits with 8 when it does not."),
    option(
        "--timeout",
        type=DURATION,
        default="5m",
        show_default=True,
        metavar="TIME",
        help="How long to wait.",
    ),
)


def _command(name: str, examples: tuple[str, ...]) -> Command:
    """Both commands take the same."""

    async def story(session: Session, **given: Any) -> None:
        """Make an MCPServer of a server of a registry, in the namespace of -n.

        It has the image, transport, ports, arguments and defaults of the entry; its labels say where it came from.
        Variables that the entry requires have to be given, secret ones by a Secret. What stands behind -- takes the
        place of the entry's arguments. Without --registry one registry alone may hold the server.

        On a cluster the operator of ToolHive runs it. On one machine it is written down, and nothing runs it yet.
        """
        await _install(session, **given)

    taking: Any = story
    for parameter in reversed(_PARAMETERS):
        taking = parameter(taking)
    return command(name, examples=examples, outputs=OBJECTS, default=LINES)(taking)


install_server = _command(
    "install",
    (
        "thv install postgres-server --registry production-catalog -n production",
        "thv install postgres-server@1.2.0 --registry production-catalog --secret db-login --wait",
        "thv install postgres-server --registry production-catalog --dry-run -o yaml > postgres.yaml",
        "thv install filesystem-server --name docs --tools read_file,list_directory -- /srv/docs",
    ),
)
run_server = _command(
    "run",
    (
        "thv run postgres-server my-postgres --registry upstream-community --env READONLY=true --namespace production",
        "thv run filesystem-server --name docs --env LOG_LEVEL=debug -- /srv/docs",
    ),
)
