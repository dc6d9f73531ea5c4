"""How somebody gets a server: commands to type, objects to apply, and what a client is told; pure.

In the flow: after an entry was found, where nobody has chosen anything yet. What only a user knows stands as `VALUE`, in
capitals, so that it is seen.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

import msgspec

from thv.catalog.choices import Choices, FromSecret
from thv.catalog.inputs import Variable, declared_variables
from thv.catalog.install import (
    NAME_LIMIT,
    Ground,
    Origin,
    default_name,
    installation,
    open_arguments,
)
from thv.catalog.told import VALUE, Told, is_open, told_of
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.domain.errors import Code, ThvError
from thv.domain.facts import Facts
from thv.domain.target import target_of
from thv.formats.toolhive import placed_entry


class Command(msgspec.Struct, frozen=True):
    """A line to type."""

    title: str
    command: str


class Obstacle(msgspec.Struct, frozen=True):
    """Why there is nothing to install, and what to do instead."""

    message: str
    hint: str


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that gets one version of a server."""

    commands: tuple[Command, ...] = ()
    objects: tuple[JsonObject, ...] = ()
    """To apply on a cluster; empty where there is an obstacle."""
    obstacle: Obstacle | None = None
    told: Told | None = None
    """What clients are told; None where that is known only once it runs."""
    notes: tuple[str, ...] = ()


def offer_of(entry: Entry, facts: Facts, origin: Origin, namespace: str, ground: Ground) -> Offer:
    """The offer of an entry in a namespace, with what it leaves open."""
    there = placed_entry(entry).value
    variables, open_ones = declared_variables(there), open_arguments(there)
    choices = _choices(facts, namespace, variables, open_ones)
    told = told_of(default_name(facts.key), target_of(entry.server), there, variables)
    said = told.notes if told else ()
    try:
        made = installation(entry, facts, origin, choices, ground)
    except ThvError as error:
        if error.code is not Code.INVALID:
            raise
        obstacle = Obstacle(f"{error.message}.", error.hint)
        return Offer(obstacle=obstacle, told=told, notes=said)
    return Offer(
        commands=_commands(facts, entry.version, origin, choices, variables),
        objects=made.objects,
        told=told,
        notes=(*made.notes, *said),
    )


# What a user is left to choose -------------------------------------------------------------------------------


def _choices(
    facts: Facts, namespace: str, variables: Sequence[Variable], arguments: Sequence[str]
) -> Choices:
    """What must be chosen, and nothing else."""
    name = default_name(facts.key)
    return Choices(
        namespace=namespace,
        env={each.name: VALUE for each in variables if is_open(each) and not each.secret},
        secrets=tuple(
            FromSecret(name, each.name, each.name)
            for each in variables
            if is_open(each) and each.secret
        ),
        args=tuple(arguments),
    )


# Commands ----------------------------------------------------------------------------------------------------


def _commands(
    facts: Facts, version: str, origin: Origin, choices: Choices, variables: Sequence[Variable]
) -> tuple[Command, ...]:
    name, place = default_name(facts.key), ("-n", choices.namespace)
    own_name = f"my-{name}"[:NAME_LIMIT].rstrip("-")
    server, registry = f"{facts.key}@{version}", f"{origin.namespace}/{origin.name}"
    chosen = (*place, *_env(choices), *_secrets(choices, variables))
    behind = ("--", *choices.args) if choices.args else ()
    lines = [
        Command(
            "Install it",
            shlex.join(["thv", "install", server, "--registry", registry, *chosen, *behind]),
        ),
        Command(
            "The same under a name of your own",
            shlex.join(["thv", "run", server, own_name, "--registry", registry, *chosen, *behind]),
        ),
    ]
    if choices.secrets:
        files = [w for each in choices.secrets for w in ("--from-file", f"{each.key}=FILE")]
        kept = shlex.join(["thv", "secret", "create", name, *files, *place])
        lines.insert(0, Command("Keep its secrets first, each in a file", kept))
    return tuple(lines)


def _env(choices: Choices) -> list[str]:
    return [word for name, value in choices.env.items() for word in ("--env", f"{name}={value}")]


def _secrets(choices: Choices, variables: Iterable[Variable]) -> list[str]:
    """By the name of the Secret alone where it holds every secret variable."""
    if not choices.secrets:
        return []
    name = choices.secrets[0].secret
    wanted = {each.key for each in choices.secrets}
    if wanted == {each.name for each in variables if each.secret}:
        return ["--secret", name]
    return [word for key in sorted(wanted) for word in ("--secret", f"{name}/{key},target={key}")]
