"""What clients are told of a server: how to start it on their machine, or where to call it; pure.

In the flow: a part of an offer. Clients read one of two forms: most of them a member of `mcpServers`, where `VALUE` stands
for what only a user knows, and VS Code a file of its own, by which it asks for that. Neither holds a secret.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from textwrap import shorten
from typing import TypeAlias

import msgspec

from thv.catalog.inputs import Variable
from thv.domain.canonical import JsonObject
from thv.domain.lenient import as_text, as_texts
from thv.domain.target import Container, NotRunnable, Package, Remote, Target

VALUE = "VALUE"
"""What a user puts something else in the place of."""
PORT = "PORT"
"""What stands for the port that is known once a container runs."""
_PATHS = {"streamable-http": "/mcp", "sse": "/sse"}
OPEN_ARGUMENT = re.compile(r"\{[^{}]+\}")
"""An argument that a user writes in place of this one."""
_TRANSPORTS = {"streamable-http": "http", "sse": "sse"}
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")
_PROMPT = 120
"""Characters of what VS Code asks."""
_REPLACED = "${"
"""Begins what clients replace by something of the machine that they run on."""


class Hole(msgspec.Struct, frozen=True):
    """What only a user knows."""

    name: str
    mark: str = VALUE
    """What is seen in its place."""
    description: str = ""
    secret: bool = False


Fill: TypeAlias = Callable[[Hole], str]


class VsCode(msgspec.Struct, frozen=True):
    """What VS Code is told."""

    file: JsonObject
    """Of `.vscode/mcp.json`: `servers`, and `inputs` where something is asked for."""
    command: str
    """Adds the same for every folder."""


class Told(msgspec.Struct, frozen=True):
    """What clients are told of a server that they can start or call."""

    client: JsonObject
    """The members of `mcpServers`."""
    vscode: VsCode
    notes: tuple[str, ...] = ()


def is_open(variable: Variable) -> bool:
    """Whether a user has to say it."""
    return variable.required and (variable.secret or not variable.default)


def told_of(
    name: str, target: Target, there: JsonObject, variables: Sequence[Variable]
) -> Told | None:
    """What clients know it by this name; None where what they need is known only once it runs."""
    client = _server(target, there, variables, lambda hole: hole.mark)
    if client is None:
        return None
    asked: dict[str, JsonObject] = {}

    def ask(hole: Hole) -> str:
        key = _input_key(name, hole)
        asked.setdefault(key, _input(name, key, hole))
        return f"${{input:{key}}}"

    server = {"type": "stdio", **(_server(target, there, variables, ask) or {})}
    return Told(
        client={name: client},
        vscode=_vscode(name, server, list(asked.values())),
        notes=_notes(client),
    )


def _notes(client: JsonObject) -> tuple[str, ...]:
    if _REPLACED not in msgspec.json.encode(client).decode():
        return ()
    return (
        f"{_REPLACED}...}} in it is replaced by something of your machine: look before you copy",
    )


# One server --------------------------------------------------------------------------------------------------


def _server(
    target: Target, there: JsonObject, variables: Sequence[Variable], fill: Fill
) -> JsonObject | None:
    match target:
        case Remote():
            headers = {each.name: fill(each) for each in _headers(there)}
            called = {"type": _TRANSPORTS[target.transport], "url": target.reference}
            return {**called, "headers": headers} if headers else called
        case Package(transport="stdio"):
            runner, _, what = target.reference.partition("://")
            before = ["-y"] if runner == "npx" else []
            words = [*before, what, *_arguments(there, fill)]
            return _started(runner, words, _environment(variables, fill))
        case Container(transport="stdio"):
            env = _environment(variables, fill)
            passed = [word for name in env for word in ("-e", name)]
            words = ["run", "--rm", "-i", *passed, target.reference, *_arguments(there, fill)]
            return _started("docker", words, env)
        case Container():
            place = f"http://127.0.0.1:{PORT}{_PATHS[target.transport]}"
            return {"type": _TRANSPORTS[target.transport], "url": place}
        case Package() | NotRunnable():
            return None


def _started(command: str, words: list[str], env: dict[str, str]) -> JsonObject:
    started: JsonObject = {"command": command, "args": words}
    return {**started, "env": env} if env else started


def _environment(variables: Sequence[Variable], fill: Fill) -> dict[str, str]:
    """What must be set: a default where there is one, but never that of a secret."""
    return {
        each.name: fill(_hole(each)) if is_open(each) else each.default
        for each in variables
        if each.required
    }


def _hole(variable: Variable) -> Hole:
    return Hole(variable.name, description=variable.description, secret=variable.secret)


def _arguments(there: JsonObject, fill: Fill) -> list[str]:
    return [
        fill(Hole(each.strip("{}"), each)) if OPEN_ARGUMENT.fullmatch(each) else each
        for each in as_texts(there.get("args"))
    ]


def _headers(there: JsonObject) -> list[Hole]:
    headers = there.get("headers")
    every = headers if isinstance(headers, list) else []
    return [
        Hole(
            each["name"],
            description=as_text(each.get("description")),
            secret=each.get("secret") is not False,
        )
        for each in every
        if isinstance(each, dict) and each.get("required") and as_text(each.get("name"))
    ]


# VS Code -----------------------------------------------------------------------------------------------------


def _vscode(name: str, server: JsonObject, inputs: list[JsonObject]) -> VsCode:
    asked: JsonObject = {"inputs": inputs} if inputs else {}
    added = msgspec.json.encode({"name": name, **asked, **server}).decode()
    return VsCode(
        file={**asked, "servers": {name: server}},
        command=shlex.join(["code", "--add-mcp", added]),
    )


def _input(name: str, key: str, hole: Hole) -> JsonObject:
    """Something that is asked for when the server starts, once, and then kept out of every file."""
    said = f"{hole.name}: {hole.description}" if hole.description else f"{hole.name} of {name}"
    asked: JsonObject = {
        "type": "promptString",
        "id": key,
        "description": shorten(said, _PROMPT, placeholder="..."),
    }
    return {**asked, "password": True} if hole.secret else asked


def _input_key(name: str, hole: Hole) -> str:
    """With the name of the server in front: servers that are kept in one file share their inputs."""
    plain = _NOT_PLAIN.sub("-", hole.name.lower()).strip("-") or "value"
    return plain if plain.startswith(f"{name}-") else f"{name}-{plain}"
