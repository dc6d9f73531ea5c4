"""`thv config`: the defaults of this program, in a YAML file."""

from __future__ import annotations

from collections.abc import Mapping

import click
import msgspec
from click.shell_completion import CompletionItem

from thv.apps.cli.command import TABLES, command
from thv.apps.cli.exits import CommandError
from thv.apps.cli.output import Column, Listing, print_list
from thv.apps.cli.session import Session
from thv.apps.cli.settings import KEYS, Key, Settings, check_value, key_named, read_config
from thv.apps.cli.writing import write_file
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError


class Setting(msgspec.Struct, frozen=True):
    """A setting with its value now."""

    key: Key
    value: str
    origin: str


def _value(setting: Setting) -> JsonObject:
    return {
        "name": setting.key.name,
        "value": setting.value,
        "from": setting.origin,
        "variable": setting.key.variable,
        "flag": setting.key.flag,
        "default": setting.key.default,
        "choices": list(setting.key.choices),
        "meaning": setting.key.meaning,
    }


_LISTING = Listing[Setting](
    kind="SettingList",
    name=lambda setting: setting.key.name,
    value=_value,
    columns=(
        Column(title="NAME", cell=lambda setting: setting.key.name),
        Column(title="VALUE", cell=lambda setting: setting.value),
        Column(title="FROM", cell=lambda setting: setting.origin),
        Column(title="VARIABLE", cell=lambda setting: setting.key.variable, wide=True),
        Column(title="FLAG", cell=lambda setting: setting.key.flag, wide=True),
        Column(title="DEFAULT", cell=lambda setting: setting.key.default, wide=True),
        Column(title="MEANING", cell=lambda setting: setting.key.meaning, stretch=True, spare=1),
    ),
)


@command(
    "view",
    examples=("thv config view", "thv config view -o wide", "thv config view -o json"),
    outputs=TABLES,
)
async def view(session: Session) -> None:
    """Print every setting, its value, and who has set it: a flag, a variable, the file, or nobody."""
    settings = session.settings
    rows = [Setting(key, _shown(settings, key), settings.origins[key.name]) for key in KEYS]
    print_list(_LISTING, rows, session.output, session.console, headers=session.headers)
    session.console.hint(f"File: {settings.config}. Set one: thv config set NAME VALUE")


def _shown(settings: Settings, key: Key) -> str:
    """The value as one would type it."""
    value = getattr(settings, key.name.replace("-", "_"), "")
    if isinstance(value, float):
        return f"{value * 1000:g}ms"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(key.name, help=key.meaning)
        for key in KEYS
        if key.name.startswith(incomplete)
    ]


@command(
    "set",
    examples=("thv config set namespace team-a", "thv config set color never"),
)
@click.argument("name", shell_complete=_names)
@click.argument("value")
async def set_value(session: Session, *, name: str, value: str) -> None:
    """Set the default of a setting; flags and variables still win."""
    key = key_named(name)
    if not value.strip():
        raise CommandError(
            Code.INVALID, f"{key.name} needs a value", tries=[f"thv config unset {key.name}"]
        )
    check_value(key, value)
    _write(session, {**read_config(session.settings.config), key.name: value})
    session.console.data(f"{key.name} set\n")
    origin = session.settings.origins[key.name]
    if origin not in ("default", "config file"):
        session.console.step("note", f"{origin} is set as well, and wins over the file")


@command("unset", examples=("thv config unset namespace", "thv config unset registry-dir"))
@click.argument("name", shell_complete=_names)
async def unset(session: Session, *, name: str) -> None:
    """Go back to the built-in default of a setting."""
    key = key_named(name)
    written = read_config(session.settings.config)
    if key.name not in written:
        raise ThvError(
            Code.NOT_FOUND,
            f"{key.name} is not set in {session.settings.config}",
            hint="thv config view",
        )
    _write(session, {name: value for name, value in written.items() if name != key.name})
    session.console.data(f"{key.name} unset\n")


@command("path", examples=("thv config path", "cat $(thv config path)"))
async def path(session: Session) -> None:
    """Print where the configuration file is, whether or not it is there."""
    session.console.data(f"{session.settings.config}\n")


def _write(session: Session, values: Mapping[str, str]) -> None:
    file = session.settings.config
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder {file.parent}: {error.strerror or error}"
        raise ThvError(Code.FORBIDDEN, message) from error
    ordered = {key.name: values[key.name] for key in KEYS if key.name in values}
    write_file(file, [msgspec.yaml.encode(ordered)])
