"""The environment of a server that is installed: each variable with its value, or the Secret that holds it.

In the flow: a step of `install`. What an entry declares comes from a stranger, and is read tolerantly.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from textwrap import shorten
from typing import Any

import msgspec

from thv.catalog.choices import Choice, ChoiceError, Choices
from thv.domain.canonical import JsonObject
from thv.domain.lenient import as_text

_DESCRIPTION = 80
"""Characters of a description that an error holds."""


class Variable(msgspec.Struct, frozen=True):
    """A variable that the entry declares."""

    name: str
    description: str
    required: bool
    secret: bool
    default: str


class Inputs(msgspec.Struct, frozen=True):
    """The environment of a server."""

    env: list[JsonObject]
    secrets: list[JsonObject]
    notes: tuple[str, ...]


def inputs_of(key: str, there: JsonObject, choices: Choices) -> Inputs:
    """Every variable with its value; raises ChoiceError for one that is missing, twice there, or a bare secret."""
    declared = {each.name: each for each in declared_variables(there)}
    secrets = _secret_variables(key, declared, choices)
    _require_no_bare_secret(key, declared, choices.env)
    twice = sorted(choices.env.keys() & secrets.keys())
    if twice:
        raise ChoiceError(Choice.TWICE, f"{', '.join(twice)} has a value and a Secret", twice)
    known = {
        name: choices.env.get(name, "" if each.secret else each.default)
        for name, each in declared.items()
        if name not in secrets
    }
    missing = [
        declared[name]
        for name, value in known.items()
        if _is_missing(declared[name], value, choices)
    ]
    further = {name: value for name, value in choices.env.items() if name not in declared}
    if missing:
        raise _missing(key, missing, further)
    values = {
        name: value for name, value in known.items() if value or name in choices.env
    } | further
    return Inputs(
        env=[{"name": name, "value": value} for name, value in values.items()],
        secrets=list(secrets.values()),
        notes=_undeclared(key, further, declared),
    )


def _is_missing(variable: Variable, value: str, choices: Choices) -> bool:
    return variable.required and not value and variable.name not in choices.env


def declared_variables(there: JsonObject) -> list[Variable]:
    """The variables that an entry declares, as far as they can be read."""
    return [
        Variable(
            name=each["name"],
            description=as_text(each.get("description")),
            required=each.get("required") is True,
            secret=each.get("secret") is True,
            default=_spelled(each.get("default")),
        )
        for each in _list(there.get("env_vars"))
        if isinstance(each, dict) and as_text(each.get("name"))
    ]


def _secret_variables(
    key: str, declared: Mapping[str, Variable], choices: Choices
) -> dict[str, JsonObject]:
    """By the name of the variable; what names one wins over what gives all."""
    found: dict[str, JsonObject] = {}
    for each in choices.secrets:
        if each.key or each.target:
            target = each.target or each.key
            found[target] = _secret_variable(each.secret, each.key or target, target)
    for each in choices.secrets:
        if each.key or each.target:
            continue
        wanted = [name for name, variable in declared.items() if variable.secret]
        if not wanted:
            message = (
                f'"{key}" declares no secret: say which variable the Secret "{each.secret}" is for'
            )
            raise ChoiceError(Choice.SECRET, message, [each.secret])
        for name in wanted:
            found.setdefault(name, _secret_variable(each.secret, name, name))
    return found


def _secret_variable(secret: str, key: str, target: str) -> JsonObject:
    return {"name": secret, "key": key, "targetEnvName": target}


def _require_no_bare_secret(
    key: str, declared: Mapping[str, Variable], env: Mapping[str, str]
) -> None:
    """A value of the command line would stand in the object, for everybody who may read servers."""
    bare = [name for name in env if name in declared and declared[name].secret]
    if bare:
        raise ChoiceError(
            Choice.SECRET,
            f'{", ".join(bare)} of "{key}" is secret, and comes from a Secret',
            secrets=bare,
        )


def _missing(key: str, missing: Sequence[Variable], further: Iterable[str]) -> ChoiceError:
    said = "; ".join(_described(each) for each in missing)
    names = [each.name for each in missing if not each.secret]
    near = [name for word in further for name in difflib.get_close_matches(word, names, n=1)]
    return ChoiceError(
        Choice.ENV,
        f'"{key}" needs a value of {said}',
        names,
        secrets=[each.name for each in missing if each.secret],
        meant=near,
    )


def _described(variable: Variable) -> str:
    secret = " (secret)" if variable.secret else ""
    about = shorten(variable.description, _DESCRIPTION, placeholder="...")
    return f"{variable.name}{secret}" + (f", {about}" if about else "")


def _undeclared(
    key: str, further: Iterable[str], declared: Mapping[str, Variable]
) -> tuple[str, ...]:
    notes = []
    for name in further:
        near = difflib.get_close_matches(name, declared, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        notes.append(f'"{key}" declares no variable {name}, which is set all the same{meant}')
    return tuple(notes)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _spelled(value: Any) -> str:
    """A default as a variable holds it."""
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()
