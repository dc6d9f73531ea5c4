"""Names for the completion of a shell: of registries and of servers.

In the flow: each press of the tab key is a new process, which must answer at once; so the names are kept in a file
for a minute. Nothing heavy is imported before they have to be read anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from thv.apps.cli.loader import load
from thv.apps.cli.options import Common

FRESH = 60.0
"""Seconds for which names are not read again."""


def registry_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The registries that begin so."""
    return [name for name in _names(ctx, "registries") if name.startswith(incomplete)]


def installed_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The installed servers that begin so."""
    return [name for name in _names(ctx, "installed") if name.startswith(incomplete)]


def server_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The servers of which the name, or its last part, begins so."""
    known = _known(ctx)
    if known.get("more"):
        return _beginning(ctx, incomplete)
    return [
        name
        for name in known.get("servers", ())
        if name.startswith(incomplete) or name.rpartition("/")[2].startswith(incomplete)
    ][:200]


def kind_words(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The kinds of resources that begin so."""
    kinds = ("mcpregistry", "configmap", "secret", "mcpserver", "mcptoolconfig")
    return [kind for kind in kinds if kind.startswith(incomplete)]


def _names(ctx: click.Context, what: str) -> list[str]:
    names: list[str] = _known(ctx).get(what, [])
    return names


def _known(ctx: click.Context) -> Mapping[str, Any]:
    """The names that are kept; completion never fails: who presses a key wants no error."""
    common = _common(ctx)
    try:
        settings = load("thv.apps.cli.settings:read_settings")(common)
        file = (settings.cache if settings.on_cluster else settings.data) / "completion.json"
        where = _where(common, settings)
        return _read(file, where) or _collect(common, file, where)
    except Exception:  # noqa: BLE001 # see above
        return {}


def _beginning(ctx: click.Context, incomplete: str) -> list[str]:
    try:
        names: list[str] = load("thv.apps.cli.names:beginning")(_common(ctx), incomplete)
    except Exception:  # noqa: BLE001 # as above
        return []
    return names


def _common(ctx: click.Context) -> Common:
    """The options that were typed before the word that is completed."""
    common = ctx.ensure_object(Common)
    for param in ("data", "namespace", "backend", "kubeconfig", "context", "acts_as"):
        for context in (ctx, ctx.parent):
            if context is not None and context.params.get(param):
                setattr(common, param, context.params[param])
    return common


def _where(common: Common, settings: Any) -> str:
    """Tells one set of names from another: the namespace, on a cluster also which one and as whom."""
    if not settings.on_cluster:
        return str(settings.namespace)
    named = settings.kubeconfig or common.around.environ.get("KUBECONFIG", "")
    return json.dumps([settings.namespace, named, settings.context, settings.acts_as])


def _read(file: Path, where: str) -> Mapping[str, Any] | None:
    try:
        if time.time() - file.stat().st_mtime > FRESH:
            return None
        known = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return known if known.get("where") == where else None


def _collect(common: Common, file: Path, where: str) -> Mapping[str, Any]:
    collected: dict[str, Any] = load("thv.apps.cli.names:collect")(common)
    known = {"where": where, **collected}
    if file.parent.is_dir():
        file.write_text(json.dumps(known))
    return known
