"""Lua as Argo CD runs it: finds the interpreter, or builds it with Go, and runs a program."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.go_programs import GoProgram

LUA = GoProgram(
    name="glua",
    module="github.com/yuin/gopher-lua",
    version="1.1.1",
    package="cmd/glua",
    product="lua",
)


def run(program: str, folder: Path) -> list[str]:
    """The lines that it prints; raises MissingError when there is no way to an interpreter."""
    lua, file = LUA.find_or_build(), folder / "program.lua"
    file.write_text(program)
    return subprocess.run(
        [lua, file], capture_output=True, text=True, check=True
    ).stdout.splitlines()


def literal(value: Any) -> str:
    """A value of JSON as Lua writes it."""
    match value:
        case dict():
            members = ", ".join(f'["{key}"] = {literal(item)}' for key, item in value.items())
        case list():
            members = ", ".join(map(literal, value))
        case str():
            return f'"{value}"'
        case _:
            return str(value)
    return f"{{{members}}}"
