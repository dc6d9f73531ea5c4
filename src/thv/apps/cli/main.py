"""The tree of commands.

In the flow: the console script `thv` (and `kubectl-thv`) starts here; each command is imported when it is used.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from thv.apps.cli.loader import Lazy, LazyGroup
from thv.apps.cli.options import common_options

_REGISTRY = {
    "list": Lazy("thv.apps.cli.commands.registry_list:list_registries", "List registries."),
    "add": Lazy("thv.apps.cli.commands.registry_add:add", "Add a registry."),
    "sync": Lazy("thv.apps.cli.commands.registry_sync:sync", "Synchronize registries now."),
}

_COMMANDS = {
    "registry": Lazy(
        "thv.apps.cli.main:registry", "Registries: where entries come from and what is served."
    ),
    "version": Lazy("thv.apps.cli.commands.version:version", "Print the version."),
}


@click.group(
    cls=LazyGroup, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@common_options
def cli() -> None:
    """Registries of MCP servers: synchronized, converted, filtered, served."""


@click.group(cls=LazyGroup, lazy=_REGISTRY)
@common_options
def registry() -> None:
    """Registries: where entries come from and what is served."""


def main() -> None:
    """Runs the command line; `kubectl thv` shows the name that was typed."""
    name = "kubectl thv" if Path(sys.argv[0]).name.startswith("kubectl") else "thv"
    cli(prog_name=name)
