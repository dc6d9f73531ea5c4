"""`thv auth`: who one is on a cluster or at a service, and what one may do there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from thv.apps.cli.command import command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.exits import CommandError, Exit
from thv.apps.cli.facts import Facts, print_facts
from thv.apps.cli.loader import load
from thv.apps.cli.logins import read_logins
from thv.apps.cli.options import option
from thv.apps.cli.output import OUTPUT_VERSION, print_value
from thv.apps.cli.registries import find_stored
from thv.apps.cli.session import Session
from thv.apps.cli.times import DURATION
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import kind_named

_ROOM = "thv.apps.cli.rights:"
_SERVICE = "thv.apps.cli.service:"
_SHORTEST = 600
"""Seconds; no cluster makes tokens for less."""
_HOUR = 3600.0
_QUARTER = 90 * 24 * _HOUR


@command(
    "whoami",
    examples=(
        "thv auth whoami",
        "thv auth whoami --context prod",
        "thv auth whoami --backend kubernetes --as jane -o json",
    ),
    outputs=("table", "json", "yaml", "name"),
)
async def whoami(session: Session) -> None:
    """Who the cluster takes you for, or the service that you logged in to."""
    user = await _user(session)
    match session.output:
        case "name":
            session.console.data(f"{user['username']}\n")
        case "json" | "yaml":
            head = {"apiVersion": OUTPUT_VERSION, "kind": "User"}
            print_value({**head, **user}, session.output, session.console)
        case _:
            print_facts(session.console, _facts(user))


async def _user(session: Session) -> JsonObject:
    """As a cluster tells it; a service tells besides what one may do to registries."""
    if session.settings.on_cluster:
        found: JsonObject = await load(_ROOM + "user_of")(session)
        return found
    address, token = _service(session)
    me: JsonObject = await load(_SERVICE + "me")(address, token)
    return {"username": me.pop("user"), "server": address, **me}


def _facts(user: JsonObject) -> Facts:
    return [
        ("User", str(user.get("username", ""))),
        ("Uid", str(user.get("uid", ""))),
        ("Groups", ", ".join(user.get("groups") or ())),
        ("Service", str(user.get("server", ""))),
        *(
            ("May" if not place else "", f"{', '.join(space['verbs'])} in {space['name']}")
            for place, space in enumerate(user.get("namespaces") or ())
        ),
    ]


@command(
    "can-i",
    examples=(
        "thv auth can-i get mcpregistries corp",
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
    """Whether the cluster, or the service that you logged in to, lets you do something; exits with 1 when not."""
    attributes = _attributes(verb, resource, name)
    attributes["namespace"] = "" if all_namespaces else _namespace(session)
    yes, why = await _allowed(session, attributes)
    if session.output == "text":
        session.console.data(f"{'yes' if yes else 'no'}\n")
        session.console.detail(why)
    else:
        head = {"apiVersion": OUTPUT_VERSION, "kind": "Permission"}
        said = {**head, **attributes, "allowed": yes, "reason": why}
        print_value(said, session.output, session.console)
    return None if yes else Exit.FAILED


def _namespace(session: Session) -> str:
    """A service has no namespace of its own that would be meant."""
    on_cluster = session.settings.on_cluster
    return session.namespace if on_cluster else session.settings.namespace


async def _allowed(session: Session, attributes: JsonObject) -> tuple[bool, str]:
    if session.settings.on_cluster:
        found: tuple[bool, str] = await load(_ROOM + "allowed")(session, attributes)
        return found
    address, token = _service(session)
    return await load(_SERVICE + "allowed")(address, token, attributes), ""


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
        "thv auth token --user alice --role toolhive-registry-user@team",
    ),
)
@click.argument("registry", required=False, default="", shell_complete=registry_names)
@option("--service-account", "account", default="", metavar="NAME", help="On a cluster: whose.")
@option("--user", default="", metavar="NAME", help="On one machine: whose.")
@option("--group", "groups", multiple=True, metavar="NAME", help="And a group that they are in.")
@option(
    "--role",
    "roles",
    multiple=True,
    metavar="ROLE[@NAMESPACE]",
    help="And a role that they hold, there or everywhere.",
)
@option("--duration", type=DURATION, help="How long it is good.  [default: 1h; 2160h of a user]")
@option(
    "--file",
    default="",
    metavar="FILE",
    help="Access file that is to know it.  [default: tokens.yaml of the data folder]",
)
async def token(
    session: Session,
    *,
    registry: str,
    account: str,
    user: str,
    groups: tuple[str, ...],
    roles: tuple[str, ...],
    duration: float | None,
    file: str,
) -> None:
    """Make a token, and print it once.

    On a cluster: of a service account, for the API of one registry and no other; whoever holds it still needs the
    right to get the registry. On one machine: of a user, whom the access file of thv serve knows from now on.
    """
    if session.settings.on_cluster:
        made = await _of_account(
            session, registry, account, _HOUR if duration is None else duration
        )
    else:
        _require_no_cluster(session, registry, account)
        seconds = _QUARTER if duration is None else duration
        made = _of_user(session, user, groups, roles, seconds=seconds, file=file)
    session.console.data(f"{made}\n")


async def _of_account(session: Session, registry: str, account: str, duration: float) -> str:
    if not registry or not account:
        raise CommandError(
            Code.INVALID,
            "whose token, and for which registry?",
            tries=[f"{session.program} auth token REGISTRY --service-account NAME"],
        )
    if duration < _SHORTEST:
        raise CommandError(
            Code.INVALID, "--duration is too short", tries=["--duration 10m", "or longer"]
        )
    shelf = await find_stored(session, registry)
    audience = f"{shelf.name}-api.{shelf.namespace}.svc"
    made: str = await load(_ROOM + "new_token")(session, account, audience, int(duration))
    return made


def _require_no_cluster(session: Session, registry: str, account: str) -> None:
    if registry or account:
        raise CommandError(
            Code.INVALID,
            "the registries of this machine have no service accounts; those of a cluster do",
            tries=[
                session.common.again("--backend", "kubernetes"),
                "thv auth token --user NAME --role toolhive-registry-user",
            ],
        )


def _of_user(
    session: Session,
    user: str,
    groups: tuple[str, ...],
    roles: tuple[str, ...],
    *,
    seconds: float,
    file: str,
) -> str:
    if not user:
        raise CommandError(
            Code.INVALID,
            "whose token?",
            tries=[
                "thv auth token --user NAME --role toolhive-registry-user",
                session.common.again("--backend", "kubernetes"),
            ],
        )
    own = session.local.home.tokens
    path = Path(file).expanduser() if file else own
    if path == own:
        session.local.home.make()
    is_new = not path.exists()
    ends = session.local.clock().replace(microsecond=0) + timedelta(seconds=seconds)
    made: str = load("thv.apps.cli.tokens:add_token")(path, user, groups, roles, ends)
    session.console.step("ok", f"{path} knows {user} by this token until {ends:%Y-%m-%d %H:%M} UTC")
    if not roles and not groups:
        session.console.step("note", f"{user} holds no role yet; --role gives one")
    if is_new:
        flag = "" if path == own else f" --token-file {path}"
        session.console.hint(f"The file is new: start thv serve{flag} (again)")
    return made


def _service(session: Session) -> tuple[str, str]:
    """Address and token of the service that is meant; raises INVALID where there is none."""
    if session.settings.server:
        address: str = load(_SERVICE + "root_of")(session.settings.server)
        return address, load("thv.apps.cli.served.api:token_of")(session)
    logins = read_logins(session.settings)
    if logins.current not in logins.tokens:
        raise CommandError(
            Code.INVALID,
            "whom to ask? you are logged in to no service, and no cluster is named",
            tries=[
                "thv auth login URL   (of a thv serve)",
                session.common.again("--backend", "kubernetes"),
            ],
        )
    return logins.current, logins.tokens[logins.current]
