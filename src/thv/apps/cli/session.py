"""What every command shares: the common options, the opened state, and how a command ends.

In the flow: around each command function. It parses nothing itself: commands say what they take, and call one
flow.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
import msgspec

from thv.apps.cli.console import Console, open_console
from thv.apps.cli.exits import Exit, exit_of, show_error
from thv.apps.cli.options import Common, common_options
from thv.apps.cli.output import FORMATS
from thv.apps.cli.settings import Settings, read_settings
from thv.apps.cli.wiring import Local
from thv.apps.kit.home import Home
from thv.domain.errors import Code, ThvError

__all__ = ["Session", "common_options", "run_command"]

Story = Callable[["Session"], Coroutine[Any, Any, Exit | None]]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one command."""

    settings: Settings
    console: Console
    local: Local
    output: str
    headers: bool
    yes: bool
    """Do not ask."""
    asks: bool
    """Somebody is there to be asked."""

    @property
    def namespace(self) -> str:
        return self.settings.namespace


def run_command(story: Story) -> None:
    """Runs what a command does and leaves with its exit code."""
    common = click.get_current_context().ensure_object(Common)
    session: Session | None = None
    try:
        session = _open(common)
        code = asyncio.run(_closing(story, session))
    except ThvError as error:
        console = session.console if session else open_console("auto", 80)
        show_error(error, console, as_json=common.output == "json")
        code = exit_of(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep the interpreter from complaining about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.OK
    except Exception as error:  # noqa: BLE001 # the outermost layer of this door
        _show_crash(error, common)
        code = Exit.FAILED
    sys.exit(int(code or Exit.OK))


async def _closing(story: Story, session: Session) -> Exit | None:
    try:
        return await story(session)
    finally:
        await session.local.close()


def _open(common: Common) -> Session:
    settings = read_settings(os.environ, Path.home())
    if common.data:
        settings = msgspec.structs.replace(settings, data=Path(common.data))
    if common.namespace:
        settings = msgspec.structs.replace(settings, namespace=common.namespace)
    if common.backend == "kubernetes" or settings.backend == "kubernetes":
        raise ThvError(
            Code.INVALID,
            "this version keeps registries on this machine only",
            hint="Use --backend local, or leave --backend and THV_BACKEND out.",
        )
    if common.output not in (None, *FORMATS):
        raise ThvError(
            Code.INVALID,
            f'unknown output format "{common.output}"',
            hint=f"-o can be {', '.join(FORMATS)}.",
        )
    console = open_console(common.color or settings.color, settings.columns, quiet=common.quiet)
    return Session(
        settings=settings,
        console=console,
        local=Local(home=Home(settings.data)),
        output=common.output or "table",
        headers=not common.no_headers,
        yes=common.yes,
        asks=sys.stdin.isatty() and not common.no_input,
    )


def _show_crash(error: Exception, common: Common) -> None:
    sys.stderr.write(f"Error: unexpected failure: {type(error).__name__}: {error}\n")
    if common.debug:
        traceback.print_exception(error)
    else:
        sys.stderr.write("Try:   the same command with --debug, and report what it prints\n")
