"""Values of environment variables, read strictly: one that cannot be meant is refused by name.

In the flow: settings of processes are made of them, once, at the beginning.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from thv.domain.durations import parse_duration
from thv.domain.errors import Code, ThvError
from thv.domain.selectors import label_key_problem, label_value_problem

T = TypeVar("T")
Environ = Mapping[str, str]


def given(environ: Environ, name: str, meaning: str) -> str:
    """What must be set."""
    if not environ.get(name):
        raise ThvError(Code.INVALID, f"{name} is not set", hint=f"Set it to {meaning}.")
    return environ[name]


def words(environ: Environ, name: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(word.strip() for word in environ.get(name, "").split(",") if word.strip())


def flag(environ: Environ, name: str, *, default: bool = False) -> bool:
    """On or off."""
    text = environ.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise wrong(name, text, "true or false")
    return text == "true" if text else default


def count(environ: Environ, name: str, default: int, *, most: int = 64) -> int:
    """A number from 1 on."""
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most):
        raise wrong(name, text, f"a number from 1 to {most}")
    return int(text)


def seconds(environ: Environ, name: str, default: float) -> float:
    """A duration."""
    text = environ.get(name, "")
    try:
        return parse_duration(text) if text else default
    except ThvError as error:
        raise wrong(name, text, "a duration such as 30s or 10m") from error


def one_of(choices: Any, environ: Environ, name: str, default: str) -> Any:
    """A word of a `Literal`."""
    text = environ.get(name) or default
    if text not in get_args(choices):
        raise wrong(name, text, " or ".join(filter(None, get_args(choices))))
    return text


def labels(environ: Environ, name: str) -> tuple[tuple[str, str], ...]:
    """Labels as `a=b,c=d`."""
    found: list[tuple[str, str]] = []
    for word in words(environ, name):
        key, equals, value = word.partition("=")
        if not equals or label_key_problem(key) or label_value_problem(value):
            raise wrong(name, word, "labels such as k8s-app=kube-dns, comma-separated")
        found.append((key, value))
    return tuple(found)


def networks(environ: Environ, name: str) -> tuple[str, ...]:
    """Networks in CIDR form."""
    for word in words(environ, name):
        try:
            ipaddress.ip_network(word)
        except ValueError as error:
            allowed = "networks such as 169.254.20.10/32, comma-separated"
            raise wrong(name, word, allowed) from error
    return words(environ, name)


def json_of(kind: type[T], environ: Environ, name: str) -> T | None:
    """A value that has parts."""
    text = environ.get(name, "")
    try:
        return msgspec.json.decode(text, type=kind) if text else None
    except msgspec.DecodeError as error:
        hint = f"{str(error).rstrip('.')}. It is JSON with the fields of the chart's values."
        raise ThvError(Code.INVALID, f"{name} cannot be read", hint=hint) from error


def file(environ: Environ, name: str) -> Path | None:
    """A path; None when nothing is named."""
    return Path(environ[name]) if environ.get(name) else None


def wrong(name: str, text: str, allowed: str) -> ThvError:
    """Says which variable has which value and what it may have."""
    return ThvError(Code.INVALID, f'{name} is "{text}"', hint=f"It can be {allowed}.")
