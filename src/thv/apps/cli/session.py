"""What every command shares: the opened state, and how a command ends.

In the flow: around each command function. It parses nothing itself: commands say what they take, and call one
flow.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Coroutine, Sequence
from functools import cached_property
from typing import Any

import msgspec

from thv.apps.cli.console import Console, open_console
from thv.apps.cli.exits import CommandError, Exit, exit_of, show_error
from thv.apps.cli.interrupting import interruptible
from thv.apps.cli.loader import load
from thv.apps.cli.options import About, Common
from thv.apps.cli.places import Place
from thv.apps.cli.settings import Settings, read_settings
from thv.apps.cli.wiring import Local
from thv.apps.kit.home import Home
from thv.domain.errors import Code, ThvError

__all__ = ["Session", "open_session", "run_story"]

Story = Callable[["Session"], Coroutine[Any, Any, Exit | None]]


class Session(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One run of one command."""

    settings: Settings
    console: Console
    local: Local
    """The data folder of this machine, wherever registries are kept."""
    common: Common
    output: str
    headers: bool
    yes: bool
    """Do not ask."""
    asks: bool
    """Somebody is there to be asked."""

    @cached_property
    def place(self) -> Place:
        """Where registries are kept, opened when it is first asked for; raises INVALID where only an API is known."""
        if self.settings.server:
            raise _only_served(self.settings)
        if self.settings.on_cluster:
            cluster: Place = load("thv.apps.cli.cluster:open_cluster")(self)
            return cluster
        self.console.detail(f"registries are kept in {self.local.home.root} ({self.settings.why})")
        return self.local

    @property
    def namespace(self) -> str:
        settings = self.settings
        return settings.namespace if settings.has_own_namespace else self.place.namespace

    def there(self, namespace: str) -> str:
        """What a command that we suggest ends with, so that it finds this namespace."""
        return "" if namespace == self.place.namespace else f" -n {shlex.quote(namespace)}"

    @property
    def program(self) -> str:
        """How a command that we suggest begins, so that it finds the same registries."""
        common = self.common
        given = {
            "--data": common.data,
            "--backend": common.backend if common.backend != "auto" else None,
            "--kubeconfig": common.kubeconfig,
            "--context": common.context,
            "--as": common.acts_as,
            "--server": common.server,
            "--token-file": common.token_file,
        }
        flags = [word for flag, value in given.items() if value for word in (flag, value)]
        groups = [word for group in common.acts_as_groups for word in ("--as-group", group)]
        return shlex.join([*common.program.split(), *flags, *groups])

    async def close(self) -> None:
        """Releases what was opened."""
        if self.settings.on_cluster and "place" in self.__dict__:
            await self.place.close()
        await self.local.close()

    def confirm(self, question: str) -> None:
        """Asks before something is destroyed; raises when the answer is no, or nobody is there."""
        if self.yes:
            return
        if not self.asks:
            raise CommandError(
                Code.INVALID,
                f"this needs a yes: {question}",
                cause="nobody is there to be asked",
                tries=[self.common.again("--yes")],
            )
        self.console.err.write(f"{question} [y/N] ")
        self.console.err.flush()
        with interruptible():
            answer = self.common.around.stdin.readline().decode(errors="replace")
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError(Code.INVALID, "nothing was changed")


def run_story(
    story: Story,
    common: Common,
    outputs: Sequence[str],
    default: str,
    *,
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    about: About = "",
    served: Story | None = None,
) -> int:
    """Runs what a command does; the exit code. `served` is what it does where only an API is known."""
    console = open_console(common.around, "auto", None)
    try:
        session = open_session(common, outputs, default, about=about)
        console = session.console
        with asyncio.Runner(loop_factory=new_loop) as runner:
            chosen = served if served and session.settings.server else story
            code = runner.run(_told(chosen, session))
    except ThvError as error:
        show_error(error, console, as_json=common.output == "json")
        code = exit_of(error)
    except KeyboardInterrupt:
        console.err.write("interrupted\n")
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        _let_go_of_stdout()
        code = Exit.OK
    except Exception as error:  # noqa: BLE001 # the outermost layer of this door
        _show_crash(error, common, console)
        code = Exit.FAILED
    return int(code or Exit.OK)


async def _told(story: Story, session: Session) -> Exit | None:
    try:
        code = await story(session)
        session.console.out.flush()
    except ThvError as error:
        if not session.settings.on_cluster:
            raise
        raise load("thv.apps.cli.refusals:explained")(session, error) from error
    else:
        return code
    finally:
        await session.close()


def open_session(
    common: Common, outputs: Sequence[str], default: str, *, about: About = ""
) -> Session:
    """The session of a command line; raises INVALID for settings that none may have.

    `about`: what the command is about, whatever keeps the registries.
    """
    settings = read_settings(common)
    if about == "cluster":
        settings = _on_cluster(settings, common)
    elif about == "machine":
        settings = msgspec.structs.replace(settings, on_cluster=False, server="")
    if common.output not in (None, *outputs, "json"):
        raise _unknown_output(common.output, outputs)
    console = open_console(
        common.around, settings.color, None, quiet=common.quiet, verbose=common.verbose
    )
    return Session(
        settings=settings,
        console=console,
        local=Local(home=Home(settings.data), clock=common.around.clock),
        common=common,
        output=common.output or default,
        headers=not common.no_headers,
        yes=common.yes,
        asks=common.around.stdin.isatty() and not common.no_input,
    )


def _on_cluster(settings: Settings, common: Common) -> Settings:
    """Commands that are suggested then name the cluster, too."""
    if common.backend == "local":
        raise ThvError(
            Code.INVALID,
            "--backend is local, and this command is about a cluster",
            hint="Leave it out, or say --backend kubernetes.",
        )
    if not settings.on_cluster:
        common.backend = "kubernetes"
    return msgspec.structs.replace(settings, on_cluster=True, server="")


def _only_served(settings: Settings) -> CommandError:
    return CommandError(
        Code.INVALID,
        f"this needs the place that keeps registries, and {settings.server} only serves one",
        cause=f"the address comes from {settings.why}",
        tries=[
            "--context NAME for a cluster, --backend local for this machine",
            "an address is enough for: thv search, thv show, thv registry list, show and export, thv catalog",
        ],
    )


def _unknown_output(output: str | None, outputs: Sequence[str]) -> ThvError:
    name = str(output).partition("=")[0]
    if name in ("jsonpath", "jsonpath-file", "custom-columns", "go-template", "template"):
        hint = "It is not offered: pipe -o json into jq."
    elif outputs:
        hint = f"-o can be {', '.join(outputs)}; a file is named with --output, where there is one."
    else:
        hint = "This command has no such format; a file is named with --output, where there is one."
    return ThvError(Code.INVALID, f'unknown output format "{output}"', hint=hint)


def _let_go_of_stdout() -> None:
    """Whoever read our output has seen enough; keeps the interpreter from complaining about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_crash(error: Exception, common: Common, console: Console) -> None:
    console.err.write(f"\nError: unexpected failure: {type(error).__name__}: {error}\n")
    if common.debug:
        traceback.print_exception(error, file=console.err)
    else:
        console.err.write(f"Try:   {common.again('--debug')}\n       and report what it prints\n")
