"""`thv operator install` and `thv operator upgrade`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import click
import msgspec

from thv import __version__
from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.exits import CommandError
from thv.apps.cli.operating.applying import Terms
from thv.apps.cli.operating.bringing import Manner, bring
from thv.apps.cli.operating.choices import (
    Choices,
    chosen,
    home_of,
    installation_options,
)
from thv.apps.cli.operating.found import Found, find, require, require_not_helm
from thv.apps.cli.operating.judging import is_older, next_image
from thv.apps.cli.operating.opening import open_store
from thv.apps.cli.options import option
from thv.apps.cli.session import Session
from thv.apps.cli.times import DURATION
from thv.apps.cli.verbs import LINES
from thv.domain.errors import Code
from thv.formats.install import Installation


def _manner_options(story: Callable[..., Any]) -> Callable[..., Any]:
    """How it is done, for both commands."""
    for add in reversed(
        [
            option(
                "--dry-run",
                is_flag=False,
                flag_value="server",
                type=click.Choice(["none", "client", "server"]),
                help="Have the cluster check everything, write nothing.",
            ),
            option("--force-conflicts", is_flag=True, help="Take over fields that others own."),
            option("--skip-crds", is_flag=True, help="Leave the kinds to somebody else."),
            option(
                "--wait/--no-wait",
                "waits",
                default=True,
                show_default=True,
                help="Wait until the operator is ready.",
            ),
            option(
                "--timeout",
                type=DURATION,
                default="5m",
                show_default=True,
                metavar="TIME",
                help="How long; exits with 8 when the time is up.",
            ),
        ]
    ):
        story = add(story)
    return story


@command(
    "install",
    examples=(
        "thv operator install",
        "thv operator install --context prod --replicas 2 --image-registry registry.corp.example/mcp",
        "thv operator install --scope namespace --watch-namespace team-a --dry-run",
    ),
    outputs=OBJECTS,
    default=LINES,
    about="cluster",
)
@installation_options
@_manner_options
async def install(
    session: Session,
    *,
    home: str,
    dry_run: str | None,
    force_conflicts: bool,
    skip_crds: bool,
    waits: bool,
    timeout: float,
    **given: Any,
) -> None:
    """Install the operator on the cluster: its kinds, its rights, its policies and itself.

    Nothing but this program is needed. What is there already and as it should be stays unchanged.
    """
    wanted = chosen(Installation(), home_of(session, home), Choices(**given))
    store = open_store(session)
    found = await find(store)
    if found is not None:
        _require_same(session, found, wanted)
    dry = dry_run in ("client", "server")
    manner = Manner(
        terms=Terms(dry=dry, force=force_conflicts),
        with_kinds=not skip_crds,
        waits=waits,
        seconds=timeout,
    )
    await bring(session, store, wanted, manner)
    if not dry:
        _say_what_next(session, wanted, waited=waits)


def _require_same(session: Session, found: Found, wanted: Installation) -> None:
    """Raises CONFLICT when what is there is somebody else's, elsewhere, or of another version."""
    require_not_helm(found, "install")
    if found.namespace != wanted.namespace:
        raise CommandError(
            Code.CONFLICT,
            f"the operator is installed in {found.namespace} already, and a cluster has one",
            tries=[
                f"{session.program} operator upgrade",
                f"{session.program} operator uninstall   (registries stay)",
            ],
        )
    if found.version != __version__:
        raise CommandError(
            Code.CONFLICT,
            f"version {found.version or 'unknown'} is installed in {found.namespace}, this is {__version__}",
            tries=[f"{session.program} operator upgrade   (keeps what was chosen for it)"],
        )


@command(
    "upgrade",
    examples=(
        "thv operator upgrade",
        "thv operator upgrade --context prod --dry-run",
        "thv operator upgrade --replicas 2 --set-env THV_LOG_LEVEL=DEBUG --timeout 2m",
    ),
    outputs=OBJECTS,
    default=LINES,
    about="cluster",
)
@installation_options
@_manner_options
async def upgrade(
    session: Session,
    *,
    home: str,
    dry_run: str | None,
    force_conflicts: bool,
    skip_crds: bool,
    waits: bool,
    timeout: float,
    **given: Any,
) -> None:
    """Bring the operator and its kinds to the version of this program.

    What was chosen for the installation stays, but for what is given here. Objects that this version does not have any
    more are removed. Registries go on being served all the while.
    """
    store = open_store(session)
    found = await require(session, store, home_of(session, home))
    require_not_helm(found, "upgrade")
    choices = Choices(**given)
    wanted = chosen(_begin(found, choices), "", choices)
    _say_what_comes(session, found)
    dry = dry_run in ("client", "server")
    manner = Manner(
        terms=Terms(dry=dry, force=force_conflicts),
        with_kinds=not skip_crds,
        prunes=True,
        waits=waits,
        seconds=timeout,
    )
    await bring(session, store, wanted, manner)
    if waits and not dry:
        session.console.step("ok", f"the operator {__version__} is ready in {wanted.namespace}")


def _begin(found: Found, choices: Choices) -> Installation:
    installation = found.installation
    if choices.image:
        return installation
    image = next_image(installation.image, found.version, __version__)
    return msgspec.structs.replace(installation, image=image)


def _say_what_comes(session: Session, found: Found) -> None:
    if found.version == __version__:
        return
    back = "back " if is_older(__version__, found.version) else ""
    session.console.step(
        "begin", f"{back}from {found.version or 'an unknown version'} to {__version__}"
    )


def _say_what_next(session: Session, wanted: Installation, *, waited: bool) -> None:
    console, program = session.console, session.program
    whose = ", ".join(wanted.watched) or "every namespace"
    done = "looks" if waited else "will look"
    console.step("ok", f"the operator {__version__} {done} after the registries of {whose}. Next:")
    there = f" -n {shlex.quote(wanted.watched[0])}" if wanted.watched else ""
    official = "--registry-url https://registry.modelcontextprotocol.io"
    if not console.quiet:
        console.err.write(
            f"\n  {program} registry add official{there} {official}\n"
            f"  {program} search --registry official{there} postgres\n"
            f"  {program} operator status\n"
        )
