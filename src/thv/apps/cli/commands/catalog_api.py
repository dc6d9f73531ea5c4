"""`thv catalog-api`: what the pods of the catalog start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from thv.apps.cli.command import role
from thv.apps.cli.loader import load
from thv.apps.cli.options import option
from thv.apps.cli.roles import environment, run_role

_ROOM = "thv.apps.catalog_api."
_PROVIDER = "thv.apps.dashboard.oidc:OidcProvider"


@role("catalog-api", examples=("thv catalog-api --namespace toolhive-system",))
@option("-n", "--namespace", default="", metavar="NS", help="Where the catalog itself is.")
@option("--listen", default="", metavar="HOST:PORT", help="Where the API answers.")
@option("--listen-operations", default="", metavar="HOST:PORT", help="Where health is told.")
@option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Read models.")
@option("--kubeconfig", default="", metavar="FILE", help="Which cluster; else the pod's.")
@option("--context", default="", metavar="NAME", help="Context of the kubeconfig.")
def catalog_api(**flags: Any) -> int:
    """Serve the catalog: all registries of a cluster together, and each under its base.

    Everything else is said by the environment.
    """

    async def story() -> None:
        settings = load(_ROOM + "pod_settings:read_pod_settings")(environment(), **flags)
        provider = load(_PROVIDER)(settings.sign_in) if settings.sign_in else None
        await load(_ROOM + "pod:run_catalog")(settings, provider)

    return run_role(story)
