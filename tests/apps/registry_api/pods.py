"""Fixtures and beginnings for tests of pods on a real API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.apps.registry_api.cluster import Pod, Team
from tests.contracts.cluster import a_client, install_kinds
from tests.control_plane.plane import ControlPlane
from thv.stores.resources.kubernetes import KubernetesStore

LIST = "/api/v1/servers"


@asynccontextmanager
async def a_team(plane: ControlPlane, namespace: str) -> AsyncIterator[Team]:
    """A namespace in which everything may be done."""
    install_kinds(plane)
    store = KubernetesStore(a_client(plane))
    try:
        yield Team(plane, namespace, store)
    finally:
        await store.close()


def a_pod(team: Team, folder: Path, name: str = "corp", **environ: str) -> Pod:
    """The pod of one registry, with the token of its ServiceAccount."""
    kubeconfig = team.plane.service_account(team.namespace, f"{name}-api")
    arguments = ("--namespace", team.namespace, "--registry", name)
    return Pod(kubeconfig, folder, *arguments, **environ)


def unreachable(kubeconfig: Path) -> Path:
    """The same identity at an address where nobody answers."""
    lost = kubeconfig.with_suffix(".lost")
    text = kubeconfig.read_text()
    server = text.partition('"server":"')[2].partition('"')[0]
    lost.write_text(text.replace(server, "https://127.0.0.1:9"))
    return lost
