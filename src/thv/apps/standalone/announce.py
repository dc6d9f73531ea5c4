"""What the process says when it is up: where it answers, and what to try.

In the flow: once, after the port is open.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from thv.apps.cli.output import counted
from thv.apps.cli.session import Session
from thv.apps.standalone.settings import Settings
from thv.domain.registry import load_registry
from thv.domain.resources import MCP_REGISTRY

_MOST = 20
"""Registries that are listed when a server starts."""


async def announce(session: Session, settings: Settings, dashboard: str) -> None:
    """Where the registries of a data folder answer; `dashboard` is where people look, `""` for nowhere."""
    console = session.console
    listed = (await session.local.resources.list(MCP_REGISTRY)).items
    found = [load_registry(obj) for obj in listed]
    if settings.only:
        console.step("begin", f"serving {'/'.join(settings.only)} on {settings.base_url}")
        console.step("begin", f"  servers       {settings.base_url}/api/v1/servers")
        console.step("begin", f"  official API  {settings.base_url}/v0.1/servers")
        if settings.access_file:
            console.step("begin", f"  callers       as {settings.access_file} says")
        return
    console.step(
        "begin", f"serving {counted(len(found), 'registry', 'registries')} on {settings.base_url}"
    )
    if dashboard:
        console.step("begin", f"  dashboard     {dashboard}")
    for registry in found[:_MOST]:
        console.step(
            "begin", f"  {settings.url_of(registry.namespace, registry.name)}/api/v1/servers"
        )
    if len(found) > _MOST:
        console.step("note", f"  and {len(found) - _MOST} more: thv registry list -A")
    if settings.api.official_scope != "off":
        console.step(
            "begin", f"  {settings.base_url}/v0.1/servers   (official API over all of them)"
        )
    if settings.access_file:
        console.step("begin", f"  callers       as {settings.access_file} says")
    if settings.operations:
        host, port = settings.operations
        scheme = "https" if settings.tls else "http"
        console.step("begin", f"  {scheme}://{host}:{port}/metrics   (health and metrics)")
    if not found:
        console.step(
            "note", "add a registry from another terminal: thv registry add NAME --file FILE"
        )


def tour(session: Session, settings: Settings, dashboard: str) -> None:
    """The addresses of the sandbox and some commands worth trying; `dashboard` signs its owner in."""
    base = settings.base_url
    thv = _command(session)
    lines = [
        "",
        f"Dashboard         {dashboard}   (once, within 5 minutes; afterwards: thv dashboard)",
        f"Catalog API       {base}/api/v1/mcp_servers   (all registries)",
        f"Registry API      {base}/r/default/community/api/v1/servers",
        f"One server        {base}/r/default/essentials/api/v1/servers/github",
        f"Official MCP API  {base}/v0.1/servers   (all registries; one: /r/default/community/v0.1/servers)",
        f"OpenAPI           {base}/r/default/community/openapi.json",
        "",
        "Worth trying in another terminal:",
        f'  {thv} catalog servers --search "query a postgres database"',
        f"  {thv} search --category database",
        f"  {thv} show github",
        f"  {thv} registry export community --format toolhive --output community.json",
        f"  {thv} registry add mine --file community.json",
        f"  curl '{base}/v0.1/servers?search=grafana&limit=5'",
        "",
        "Ctrl-C ends it.",
    ]
    session.console.data("\n".join(lines) + "\n")
    session.console.out.flush()


def _command(session: Session) -> str:
    """How this program is called from here, with the folder where commands would not find it by themselves."""
    here = Path(sys.argv[0])
    on_path = shutil.which("thv", path=session.common.around.environ.get("PATH"))
    known = on_path is not None and Path(on_path).resolve() == here.resolve()
    words = ["thv" if known or here.name != "thv" else _short(here)]
    if not session.settings.is_found_without_flag(session.local.home.root):
        words += ["--data", str(session.local.home.root)]
    return shlex.join(words)


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
