"""`thv operator run`: what the image of the operator starts."""

from __future__ import annotations

from typing import Any

import msgspec

from thv.apps.cli.command import role
from thv.apps.cli.loader import load
from thv.apps.cli.options import option
from thv.apps.cli.roles import environment, run_role

_ROOM = "thv.apps.operator."


@role("run", examples=("thv operator run --kubeconfig ~/.kube/config --data ./operator",))
@option("--kubeconfig", default="", metavar="FILE", help="Which cluster; else the pod's.")
@option("--context", default="", metavar="NAME", help="Context of the kubeconfig.")
@option("--data", default="", metavar="DIR", help="Folder for what can be made again.")
@option("--listen-operations", default="", metavar="HOST:PORT", help="Where health is told.")
def operator(kubeconfig: str, context: str, data: str, listen_operations: str) -> int:
    """Keep the registries of a cluster in sync and have them served.

    Everything else is said by the environment; POD_NAMESPACE and POD_NAME come from the pod. `thv operator` with these
    options is the same, as images of earlier releases start it.
    """

    async def story() -> None:
        settings = load(_ROOM + "settings:read_settings")(environment())
        given = {
            "kubeconfig": kubeconfig,
            "context": context,
            "data": load("pathlib:Path")(data) if data else None,
            "listen": listen_operations,
        }
        changes: dict[str, Any] = {key: value for key, value in given.items() if value}
        await load(_ROOM + "main:run_operator")(msgspec.structs.replace(settings, **changes))

    return run_role(story)
