"""`thv dashboard`."""

from __future__ import annotations

import webbrowser

from thv.apps.cli.command import command
from thv.apps.cli.exits import CommandError
from thv.apps.cli.options import option
from thv.apps.cli.output import print_value
from thv.apps.cli.session import Session
from thv.apps.cli.wiring import Local
from thv.apps.kit.codes import Codes
from thv.domain.errors import Code


@command(
    "dashboard",
    examples=("thv dashboard", "thv dashboard --no-open", "thv dashboard --data ./sandbox"),
    outputs=("text", "json", "yaml"),
    about="machine",
)
@option("--no-open", is_flag=True, help="Print the address, and open no browser.")
async def dashboard(session: Session, *, no_open: bool) -> None:
    """Open the dashboard of the service that runs on this machine, as its owner.

    The link signs in once, within five minutes. Where the service asks for tokens, one signs in with one of them.
    """
    local = session.local
    link = f"{_address(local)}/signin/once/{Codes(local.home.codes).make()}"
    if session.output != "text":
        print_value({"url": link}, session.output, session.console)
        return
    session.console.data(f"{link}\n")
    session.console.out.flush()
    if not no_open and session.asks and not webbrowser.open(link):
        session.console.step("note", "no browser could be opened here; open the link yourself")


def _address(local: Local) -> str:
    """Where the process is that holds the data folder; one that was killed left its address behind."""
    home = local.home
    if home.address.exists() and local.lock.holder():
        return home.address.read_text().strip()
    raise CommandError(
        Code.NOT_FOUND,
        f"no service runs on the data folder {home.root}",
        tries=["thv serve", "thv dev   (a sandbox with samples)"],
    )
