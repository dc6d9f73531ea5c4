"""`thv registry wait`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import click
import msgspec

from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.exits import CommandError, Exit
from thv.apps.cli.following import followed
from thv.apps.cli.options import option
from thv.apps.cli.output import took
from thv.apps.cli.registries import Shelf, again, find
from thv.apps.cli.session import Session
from thv.apps.cli.times import DURATION
from thv.apps.cli.verbs import LINES, print_done
from thv.domain.conditions import condition_of
from thv.domain.errors import Code, ThvError


class Goal(msgspec.Struct, frozen=True):
    """What is waited for: a condition that has a status, or that the registry is gone."""

    condition: str = ""
    status: str = "True"

    def __str__(self) -> str:
        return f"condition {self.condition}={self.status}" if self.condition else "its removal"


class _GoalType(click.ParamType[Goal]):
    name = "goal"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Goal:
        """`condition=Ready`, `condition=Ready=False`, `delete`, as kubectl spells them."""
        if isinstance(value, Goal):
            return value
        kind, _, rest = str(value).partition("=")
        condition, _, status = rest.partition("=")
        if kind == "delete" and not rest:
            return Goal()
        if kind == "condition" and condition:
            return Goal(condition, (status or "True").capitalize())
        return self.fail(
            f"'{value}' is nothing to wait for; write condition=Ready, condition=Ready=False or delete",
            param,
            ctx,
        )


@command(
    "wait",
    examples=(
        "thv registry wait upstream-community --for=condition=Ready",
        "thv registry wait staging lab --for=condition=SyncSucceeded --timeout 2m",
        "thv registry wait lab --for=delete",
    ),
    outputs=OBJECTS,
    default=LINES,
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=registry_names)
@option(
    "--for",
    "goal",
    type=_GoalType(),
    default="condition=Ready",
    show_default=True,
    metavar="GOAL",
    help="condition=TYPE, condition=TYPE=STATUS, or delete.",
)
@option(
    "--timeout", type=DURATION, default="30s", show_default=True, metavar="TIME", help="How long."
)
async def wait(session: Session, *, names: tuple[str, ...], goal: Goal, timeout: float) -> None:
    """Wait until registries are ready; exits with 8 when the time is up."""
    shelves = await _found(session, names, goal)
    until = asyncio.get_running_loop().time() + timeout
    met = [await _met(shelf, goal, until, timeout) for shelf in shelves]
    print_done(session, met, f"condition {goal.condition} met" if goal.condition else "removed")


async def _found(session: Session, names: tuple[str, ...], goal: Goal) -> list[Shelf]:
    found = []
    for name in dict.fromkeys(names):
        try:
            found.append(await find(session, name))
        except ThvError as error:
            if error.code is not Code.NOT_FOUND or goal.condition:
                raise
    return found


async def _met(shelf: Shelf, goal: Goal, until: float, timeout: float) -> Shelf:
    """Looks at least once, however little time there is."""
    seen = shelf
    try:
        if goal.condition and _reached(await again(shelf), goal):
            return await again(shelf)
        async with asyncio.timeout_at(until), aclosing(followed(shelf)) as states:
            async for seen in states:
                if goal.condition and _reached(seen, goal):
                    return seen
    except TimeoutError:
        raise _timed_out(seen, goal, timeout) from None
    return seen if not goal.condition else await again(seen)  # which says that it is gone


def _reached(shelf: Shelf, goal: Goal) -> bool:
    condition = condition_of(shelf.registry.status.conditions, goal.condition)
    return condition is not None and condition.status == goal.status


def _timed_out(shelf: Shelf, goal: Goal, timeout: float) -> CommandError:
    condition = condition_of(shelf.registry.status.conditions, goal.condition or "Ready")
    if condition is None:
        cause = f"it has no condition {goal.condition} yet"
    else:
        cause = f"{condition.type} is {condition.status}: {condition.reason}: {condition.message}"
    tries = [shelf.command("registry", "status", shelf.name)]
    if goal.condition and not shelf.file:
        tries.append(shelf.command("registry", "sync", shelf.name))
    return CommandError(
        Code.SOURCE_TIMEOUT,
        f"{shelf.title} did not reach {goal} within {took(timeout)}",
        cause=cause.rstrip(": "),
        tries=tries,
        exit_code=Exit.PENDING,
    )
