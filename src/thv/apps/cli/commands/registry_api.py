"""`thv registry-api`: what the pods of registries start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from thv.apps.cli.command import role
from thv.apps.cli.loader import load
from thv.apps.cli.options import option
from thv.apps.cli.roles import environment, run_role

_ROOM = "thv.apps.registry_api."


@role(
    "registry-api",
    examples=(
        "thv registry-api --namespace team --registry corp",
        "thv registry-api --namespace team --shared",
    ),
)
@option("-n", "--namespace", default="", metavar="NS", help="Whose registries.")
@option("--registry", default="", metavar="NAME", help="The one that is served.")
@option("--shared", is_flag=True, help="Serve all that share a process, each on its port.")
@option("--listen", default="", metavar="HOST:PORT", help="Where the API answers.")
@option("--listen-operations", default="", metavar="HOST:PORT", help="Where health is told.")
@option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Read models.")
@option("--kubeconfig", default="", metavar="FILE", help="Which cluster; else the pod's.")
@option("--context", default="", metavar="NAME", help="Context of the kubeconfig.")
def registry_api(**flags: Any) -> int:
    """Serve a registry of a cluster, or those of a namespace that share a process.

    Everything else is said by the environment.
    """

    async def story() -> None:
        settings = load(_ROOM + "pod_settings:read_settings")(environment(), **flags)
        await load(_ROOM + "pod_process:run_pod")(settings)

    return run_role(story)
