"""`thv version`."""

from __future__ import annotations

import platform

from thv import __version__
from thv.apps.cli.command import command
from thv.apps.cli.output import print_value
from thv.apps.cli.session import Session


@command(
    "version",
    examples=("thv version", "thv version -o json"),
    outputs=("text", "json", "yaml"),
)
async def version(session: Session) -> None:
    """Print the version."""
    value = {"version": __version__, "python": platform.python_version()}
    if session.output == "text":
        session.console.data(f"thv {__version__}\n")
    else:
        print_value(value, session.output, session.console)
