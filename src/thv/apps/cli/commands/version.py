"""`thv version`."""

from __future__ import annotations

import platform

import click

from thv import __version__
from thv.apps.cli.output import print_value
from thv.apps.cli.session import Session, common_options, run_command


@click.command()
@common_options
def version() -> None:
    """Print the version."""

    async def story(session: Session) -> None:
        value = {"version": __version__, "python": platform.python_version()}
        if session.output in ("json", "yaml"):
            print_value(value, session.output, session.console)
        else:
            session.console.data(f"thv {__version__}\n")

    run_command(story)
