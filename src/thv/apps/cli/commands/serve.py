"""`thv serve` and `thv dev`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from thv.apps.cli.command import command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.loader import load
from thv.apps.cli.options import option
from thv.apps.cli.session import Session

_LOOP = "uvloop:new_event_loop"
_ROOM = "thv.apps.standalone."


@command(
    "serve",
    examples=(
        "thv serve",
        "thv serve --registry official --port 9000",
        "thv serve --registry-file registry.json --listen 127.0.0.1:8080",
        "thv serve --listen 0.0.0.0:8080 --token-file tokens.yaml",
    ),
    loop=_LOOP,
    about="machine",
)
@option(
    "--registry",
    default="",
    metavar="NAME",
    help="Serve this one, at the root.",
    shell_complete=registry_names,
)
@option(
    "--registry-file",
    "files",
    multiple=True,
    type=click.Path(path_type=str),
    metavar="FILE",
    help="Serve this file or folder instead of a data folder; one alone is served at the root.",
)
@option(
    "--listen", default="", metavar="HOST:PORT", help="Where to listen.  [default: 127.0.0.1:8080]"
)
@option("--port", type=click.IntRange(0, 65535), help="The port alone; 0 takes a free one.")
@option("--read-only", is_flag=True, help="Serve what is there; synchronize nothing.")
@option(
    "--official-scope",
    type=click.Choice(["all", "trusted", "off"]),
    help="What the official API at the root shows.  [default: all]",
)
@option(
    "--allowed-host", "hosts", multiple=True, metavar="NAME", help="Answer for this host name too."
)
@option(
    "--anonymous-read", is_flag=True, help="Beyond this machine, too, everybody reads everything."
)
@option(
    "--token-file",
    "access_file",
    default="",
    metavar="FILE",
    help="Whose tokens are good, and for what.  [default: tokens.yaml of the data folder, if it is there]",
)
@option(
    "--allow",
    multiple=True,
    metavar="HOST:PORT",
    help="Sources may be there though it is private or plain http.",
)
@option(
    "--fetch-backoff",
    default="",
    metavar="TIME",
    help="Wait before a page is asked for again.  [default: 100ms]",
)
@option(
    "--listen-operations",
    default="",
    metavar="HOST:PORT",
    help="Where health and metrics are told.  [default: nowhere]",
)
@option(
    "--tls-cert",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Answer over HTTPS with this certificate, PEM; it may be replaced.",
)
@option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Its key.")
@option(
    "--oidc-issuer",
    default="",
    metavar="URL",
    help="Where people sign in to the dashboard; the access file names it, too.",
)
@option("--oidc-client-id", default="", metavar="ID", help="Who the dashboard is there.")
@option(
    "--oidc-client-secret-file",
    default="",
    metavar="FILE",
    help="The secret of that client, if any.",
)
@option(
    "--public-url",
    default="",
    metavar="URL",
    help="Where browsers find the dashboard.  [default: where they are]",
)
@option("--access-log/--no-access-log", default=None, help="Log every request.  [default: on]")
async def serve(session: Session, **flags: Any) -> None:
    """Keep the registries of the data folder in sync and serve them.

    Each registry answers under /r/NAMESPACE/NAME, with its own routes and the official MCP registry API; the
    official API over all of them answers at the root.
    """
    settings = load(_ROOM + "settings:settings_of")(session, **flags)
    await load(_ROOM + "main:run_serve")(session, settings)


@command(
    "dev",
    examples=("thv dev", "thv dev --port 9000", "thv dev --data ./sandbox"),
    loop=_LOOP,
    about="machine",
)
@option("--port", type=click.IntRange(0, 65535), help="The port.  [default: 8080]")
@option(
    "--listen-operations",
    default="",
    metavar="HOST:PORT",
    help="Where health and metrics are told.  [default: nowhere]",
)
async def dev(session: Session, *, port: int | None, listen_operations: str) -> None:
    """Try everything out: a filled service in one process.

    Sample registries from a file, a URL and a Git repository that this process serves itself, a filtered and a
    layered one on top. Ctrl-C leaves nothing behind; --data DIR keeps it.
    """
    make = load(_ROOM + "settings:settings_of")
    settings = make(session, port=port, listen_operations=listen_operations, access_log=False)
    await load(_ROOM + "main:run_dev")(session, settings, kept=session.common.data is not None)
