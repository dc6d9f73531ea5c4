"""`thv dashboard`."""

from __future__ import annotations

import asyncio
import webbrowser

from thv.apps.cli.command import command
from thv.apps.cli.exits import CommandError
from thv.apps.cli.loader import load
from thv.apps.cli.options import option
from thv.apps.cli.output import print_value
from thv.apps.cli.session import Session
from thv.apps.cli.wiring import Local
from thv.apps.kit.codes import Codes
from thv.domain.errors import Code

_ROOM = "thv.apps.cli.dashboards:"


@command(
    "dashboard",
    examples=(
        "thv dashboard",
        "thv dashboard --no-open",
        "thv dashboard --context prod --service-account me -n team",
    ),
    outputs=("text", "json", "yaml"),
)
@option("--no-open", is_flag=True, help="Print the address, and open no browser.")
@option(
    "--service-account",
    "account",
    default="",
    metavar="NAME",
    help="On a cluster: sign in as this one, of the namespace of -n.",
)
@option(
    "--operator-namespace",
    "home",
    default="toolhive-system",
    metavar="NAMESPACE",
    help="On a cluster: where the catalog is.",
    show_default=True,
)
async def dashboard(session: Session, *, no_open: bool, account: str, home: str) -> None:
    """Open the dashboard of the service that runs on this machine, or of a cluster.

    On this machine the link signs its owner in once, within five minutes; where the service asks for tokens, one signs
    in with one of them. On a cluster kubectl forwards a port until Ctrl-C, and the link signs in as a service account.
    """
    if session.settings.on_cluster:
        await _of_cluster(session, home, account, no_open=no_open)
    else:
        local = session.local
        _show(session, f"{_address(local)}{_once(local)}", no_open=no_open)


def _address(local: Local) -> str:
    """Where the process is that holds the data folder; one that was killed left its address behind."""
    home = local.home
    if home.address.exists() and local.lock.holder():
        return home.address.read_text().strip()
    raise CommandError(
        Code.NOT_FOUND,
        f"no service runs on the data folder {home.root}",
        tries=[
            "thv serve",
            "thv dev   (a sandbox with samples)",
            "thv dashboard --context NAME   (of a cluster)",
        ],
    )


def _once(local: Local) -> str:
    return f"/signin/once/{Codes(local.home.codes).make()}"


async def _of_cluster(session: Session, home: str, account: str, *, no_open: bool) -> None:
    token = await load(_ROOM + "new_token")(session, account, home) if account else ""
    async with load(_ROOM + "way_to")(session, home) as port:
        link = f"http://127.0.0.1:{port}/"
        if token:
            link = await asyncio.to_thread(load(_ROOM + "signed_link"), port, token)
        _show(session, link, no_open=no_open)
        session.console.step("note", "Ctrl-C ends it")
        await asyncio.Event().wait()


def _show(session: Session, link: str, *, no_open: bool) -> None:
    if session.output != "text":
        print_value({"url": link}, session.output, session.console)
    else:
        session.console.data(f"{link}\n")
    session.console.out.flush()
    is_wanted = session.output == "text" and not no_open and session.asks
    if is_wanted and not webbrowser.open(link):
        session.console.step("note", "no browser could be opened here; open the link yourself")
