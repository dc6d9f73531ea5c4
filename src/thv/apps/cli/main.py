"""The tree of commands.

In the flow: the console script `thv` (and `kubectl-thv`) starts here; each command is imported when it is used.
"""

from __future__ import annotations

import atexit
import gc
import sys
from itertools import pairwise
from pathlib import Path

import click

from thv.apps.cli.loader import Lazy, LazyGroup, load
from thv.apps.cli.options import Common, common_options

_AT = "thv.apps.cli.commands."

_REGISTRY = {
    "list": Lazy(_AT + "registry_list:list_registries", "List registries."),
    "add": Lazy(_AT + "registry_add:add", "Add a registry."),
    "sync": Lazy(_AT + "registry_sync:sync", "Synchronize registries now."),
    "status": Lazy(_AT + "registry_status:status", "How a registry is doing, and what to do."),
    "show": Lazy(_AT + "registry_show:show_registry", "What a registry is and what it holds."),
    "history": Lazy(_AT + "registry_status:history", "The last syncs of a registry."),
    "events": Lazy(_AT + "registry_events:events", "What a cluster tells of a registry."),
    "tree": Lazy(_AT + "registry_tree:tree", "What belongs to a registry, and how it is."),
    "logs": Lazy(_AT + "registry_logs:logs", "What the pods of a registry write."),
    "diff": Lazy(_AT + "registry_diff:diff", "Compare a registry with a file or another one."),
    "remove": Lazy(_AT + "registry_remove:remove", "Remove registries."),
    "suspend": Lazy(_AT + "registry_switch:suspend", "Stop synchronizing by itself."),
    "resume": Lazy(_AT + "registry_switch:resume", "Synchronize by itself again."),
    "wait": Lazy(_AT + "registry_wait:wait", "Wait until a registry is ready."),
    "import": Lazy(_AT + "registry_import:import_file", "Put the entries of a file in a registry."),
    "export": Lazy(_AT + "registry_export:export", "Write a registry as a file."),
    "migrate": Lazy(_AT + "registry_migrate:migrate", "Make Kubernetes manifests of a file."),
    "convert": Lazy(_AT + "registry_convert:convert", "Convert a file to the other format."),
    "validate": Lazy(_AT + "registry_validate:validate", "Check a file."),
    "info": Lazy(_AT + "show:info", "Show one server, like thv show."),
    "ls": Lazy(_AT + "registry_list:list_registries", "List registries.", hidden=True),
    "get": Lazy(_AT + "registry_show:show_registry", "Show a registry.", hidden=True),
    "rm": Lazy(_AT + "registry_remove:remove", "Remove registries.", hidden=True),
    "delete": Lazy(_AT + "registry_remove:remove", "Remove registries.", hidden=True),
}

_CATALOG = {
    "list": Lazy(_AT + "catalog_list:list_registries", "List the registries of the catalog."),
    "show": Lazy(_AT + "catalog_list:show", "Show one of them."),
    "servers": Lazy(_AT + "catalog_servers:servers", "List the servers of all, or of one."),
    "categories": Lazy(_AT + "catalog_browse:categories", "List classes and subjects of servers."),
    "tools": Lazy(_AT + "catalog_browse:tools", "List tools and who offers them."),
    "export": Lazy(_AT + "catalog_generate:export", "Export what a registry of a server needs."),
    "generate": Lazy(_AT + "catalog_generate:generate", "Make manifests of a registry."),
    "save": Lazy(_AT + "catalog_save:save", "Write what a closed place needs of a registry."),
    "verify": Lazy(_AT + "catalog_load:verify", "Check what came over."),
    "load": Lazy(_AT + "catalog_load:load", "Make a registry of it."),
}

_SECRET = {
    "create": Lazy(_AT + "secret:create", "Keep credentials for sources."),
}

_AUTH = {
    "login": Lazy(_AT + "auth_login:login", "Keep a token for a service."),
    "logout": Lazy(_AT + "auth_login:logout", "Forget the token of a service."),
    "whoami": Lazy(_AT + "auth:whoami", "Who a cluster or a service takes you for."),
    "can-i": Lazy(_AT + "auth:can_i", "Whether you may do something there."),
    "token": Lazy(_AT + "auth:token", "Make a token for the API of a registry, or for thv serve."),
}

_OPERATOR = {
    "install": Lazy(_AT + "operator_install:install", "Install the operator on a cluster."),
    "upgrade": Lazy(_AT + "operator_install:upgrade", "Bring it to the version of this program."),
    "status": Lazy(_AT + "operator_status:status", "How it is doing."),
    "uninstall": Lazy(_AT + "operator_uninstall:uninstall", "Remove it; registries stay."),
    "manifests": Lazy(_AT + "operator_manifests:manifests", "Print what is installed."),
    "images": Lazy(_AT + "operator_manifests:images", "List the images of an installation."),
    "run": Lazy(_AT + "operator:operator", "Keep the registries of a cluster.", hidden=True),
}

_CONFIG = {
    "view": Lazy(_AT + "config:view", "What is set, and by whom."),
    "set": Lazy(_AT + "config:set_value", "Set a default."),
    "unset": Lazy(_AT + "config:unset", "Go back to the built-in default."),
    "path": Lazy(_AT + "config:path", "Where the configuration file is."),
}

_COMMANDS = {
    "search": Lazy(_AT + "search:search", "Find servers in all registries."),
    "show": Lazy(_AT + "show:show", "Everything about one server."),
    "install": Lazy(_AT + "install:install_server", "Install a server of a registry."),
    "run": Lazy(_AT + "install:run_server", "The same, as ToolHive spells it."),
    "list": Lazy(_AT + "servers:list_servers", "List installed servers, or those of a registry."),
    "uninstall": Lazy(_AT + "servers:uninstall", "Remove installed servers."),
    "registry": Lazy("thv.apps.cli.main:registry", "Registries: where servers come from."),
    "catalog": Lazy("thv.apps.cli.main:catalog", "All registries together, and closed places."),
    "secret": Lazy("thv.apps.cli.main:secret", "Credentials for sources."),
    "auth": Lazy("thv.apps.cli.main:auth", "Who you are, and what you may do."),
    "get": Lazy(_AT + "resources:get", "Print resources."),
    "apply": Lazy(_AT + "apply:apply", "Create or change resources from manifests."),
    "delete": Lazy(_AT + "resources:delete", "Delete resources."),
    "explain": Lazy(_AT + "explain:explain", "What the fields of a resource mean."),
    "dev": Lazy(_AT + "serve:dev", "Try everything out: a filled service in one process."),
    "serve": Lazy(_AT + "serve:serve", "Keep registries in sync and serve them."),
    "dashboard": Lazy(_AT + "dashboard:dashboard", "Open the dashboard of a running service."),
    "operator": Lazy("thv.apps.cli.main:operator", "The operator: have a cluster keep registries."),
    "catalog-api": Lazy(
        _AT + "catalog_api:catalog_api", "Serve the catalog of a cluster.", hidden=True
    ),
    "registry-api": Lazy(
        _AT + "registry_api:registry_api", "Serve registries of a cluster.", hidden=True
    ),
    "doctor": Lazy(_AT + "doctor:doctor", "Find out what is wrong, and how it is mended."),
    "backup": Lazy(_AT + "backup:backup", "Save the data folder in one file."),
    "restore": Lazy(_AT + "backup:restore", "Bring the data folder back."),
    "config": Lazy("thv.apps.cli.main:config", "Defaults of this program."),
    "completion": Lazy(_AT + "completion:completion", "Completion for your shell."),
    "version": Lazy(_AT + "version:version", "Print the version."),
    "rm": Lazy(_AT + "servers:uninstall", "Remove installed servers.", hidden=True),
}

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=LazyGroup, lazy=_COMMANDS, context_settings=_HELP)
@common_options
def cli() -> None:
    """Registries of MCP servers: synchronized, converted, filtered, served."""


@click.group(cls=LazyGroup, lazy=_REGISTRY)
@common_options
def registry() -> None:
    """Registries: where servers come from."""


@click.group(cls=LazyGroup, lazy=_CATALOG)
@common_options
def catalog() -> None:
    """All registries together, and what is carried to where there is no way out."""


@click.group(cls=LazyGroup, lazy=_SECRET)
@common_options
def secret() -> None:
    """Credentials for sources."""


@click.group(cls=LazyGroup, lazy=_AUTH)
@common_options
def auth() -> None:
    """Who you are, and what you may do."""


@click.group(cls=LazyGroup, lazy=_OPERATOR, bare="run")
@common_options
def operator() -> None:
    """The operator, which keeps the registries of a cluster in sync and has them served."""


@click.group(cls=LazyGroup, lazy=_CONFIG)
@common_options
def config() -> None:
    """Defaults of this program, in a YAML file."""


def main() -> None:
    """Runs the command line; `kubectl thv` shows the name that was typed."""
    # What is left goes with the process; to look for cycles in it is a sixth of what a short command takes.
    atexit.register(gc.freeze)
    name = "kubectl thv" if Path(sys.argv[0]).name.startswith("kubectl") else "thv"
    sys.exit(run(Common(argv=sys.argv[1:], program=name)))


def run(common: Common) -> int:
    """Runs one command line; the exit code."""
    try:
        code = cli.main(
            list(common.argv), prog_name=common.program, standalone_mode=False, obj=common
        )
    except click.exceptions.NoArgsIsHelpError as error:
        common.around.stdout.write(error.ctx.get_help() + "\n")
        return 0
    except click.UsageError as error:
        return _refuse(error, common)
    except (click.Abort, KeyboardInterrupt):
        common.around.stderr.write("interrupted\n")
        return 130
    return code if isinstance(code, int) else 0


def _refuse(error: click.UsageError, common: Common) -> int:
    """Says what is wrong with a command line, in the shape of every other error."""
    path = error.ctx.command_path if error.ctx else common.program
    argv = (*common.argv, "")
    as_json = "-ojson" in argv or ("-o", "json") in pairwise(argv)
    report = load("thv.apps.cli.usage:show_usage_error")
    code: int = report(error, path, common.around, as_json=as_json)
    return code
