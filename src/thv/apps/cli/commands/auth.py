"""`thv auth`: who one is on a cluster, and what one may do."""

from __future__ import annotations

import click

from thv.apps.cli.command import command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.exits import CommandError, Exit
from thv.apps.cli.facts import Facts, print_facts
from thv.apps.cli.loader import load
from thv.apps.cli.options import option
from thv.apps.cli.output import OUTPUT_VERSION, print_value
from thv.apps.cli.registries import find_stored
from thv.apps.cli.session import Session
from thv.apps.cli.times import DURATION
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import kind_named

_ROOM = "thv.apps.cli.rights:"
_SHORTEST = 600
"""Seconds; no cluster makes tokens for less."""


@command(
    "whoami",
    examples=(
        "thv auth whoami --context prod",
        "thv auth whoami --backend kubernetes --as jane -o json",
    ),
    outputs=("table", "json", "yaml", "name"),
)
async def whoami(session: Session) -> None:
    """Who the cluster takes you for: user name and groups."""
    _require_cluster(session)
    user: JsonObject = await load(_ROOM + "user_of")(session)
    match session.output:
        case "name":
            session.console.data(f"{user['username']}\n")
        case "json" | "yaml":
            head = {"apiVersion": OUTPUT_VERSION, "kind": "User"}
            print_value({**head, **user}, session.output, session.console)
        case _:
            print_facts(session.console, _facts(user))


def _facts(user: JsonObject) -> Facts:
    return [
        ("User", str(user.get("username", ""))),
        ("Uid", str(user.get("uid", ""))),
        ("Groups", ", ".join(user.get("groups") or ())),
    ]


@command(
    "can-i",
    examples=(
        "thv auth can-i list mcpregistries --context prod",
        "thv auth can-i create mcpregistries/sync --backend kubernetes -n team --as jane",
        "thv auth can-i get mcpreg upstream-community --context prod -o json",
    ),
    outputs=("text", "json", "yaml"),
)
@click.argument("verb")
@click.argument("resource", metavar="RESOURCE[.GROUP][/SUBRESOURCE]")
@click.argument("name", required=False, default="")
@option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
async def can_i(
    session: Session, *, verb: str, resource: str, name: str, all_namespaces: bool
) -> Exit | None:
    """Whether the cluster lets you do something; exits with 1 when it does not."""
    _require_cluster(session)
    attributes = _attributes(verb, resource, name)
    attributes["namespace"] = "" if all_namespaces else session.namespace
    yes, why = await load(_ROOM + "allowed")(session, attributes)
    if session.output == "text":
        session.console.data(f"{'yes' if yes else 'no'}\n")
        session.console.detail(why)
    else:
        head = {"apiVersion": OUTPUT_VERSION, "kind": "Permission"}
        said = {**head, **attributes, "allowed": yes, "reason": why}
        print_value(said, session.output, session.console)
    return None if yes else Exit.FAILED


def _attributes(verb: str, resource: str, name: str) -> JsonObject:
    whole, _, part = resource.partition("/")
    kind = kind_named(whole)
    plural, _, group = whole.partition(".")
    if kind is not None:
        plural, group = kind.plural, kind.group
    found = {
        "verb": verb,
        "group": group,
        "resource": plural,
        "subresource": part,
        "name": name,
    }
    return {key: value for key, value in found.items() if value}


@command(
    "token",
    examples=(
        "thv auth token upstream-community --service-account agent --context prod",
        "thv auth token corp --service-account agent -n team --duration 8h --backend kubernetes",
    ),
)
@click.argument("registry", shell_complete=registry_names)
@option("--service-account", "account", required=True, metavar="NAME", help="Whose token.")
@option("--duration", type=DURATION, default="1h", show_default=True, help="How long it is good.")
async def token(session: Session, *, registry: str, account: str, duration: float) -> None:
    """Make a token of a service account that the API of one registry takes, and no other.

    Whoever holds it still needs the right to get the registry.
    """
    _require_cluster(session)
    if duration < _SHORTEST:
        raise CommandError(
            Code.INVALID, "--duration is too short", tries=["--duration 10m", "or longer"]
        )
    shelf = await find_stored(session, registry)
    audience = f"{shelf.name}-api.{shelf.namespace}.svc"
    made: str = await load(_ROOM + "new_token")(session, account, audience, int(duration))
    session.console.data(f"{made}\n")


def _require_cluster(session: Session) -> None:
    """Whoever reads the data folder of a machine may do everything with it."""
    if not session.settings.on_cluster:
        raise CommandError(
            Code.INVALID,
            "the registries of this machine know no users; a cluster does",
            tries=[session.common.again("--backend", "kubernetes")],
        )
