"""Registries that a cluster keeps.

In the flow: a `Place` like the data folder, imported only by commands that are to talk to a cluster. The read models
of its registries are made on this machine, in a cache folder, from the snapshots that the cluster holds.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import msgspec

from thv.apps.cli.console import Console
from thv.apps.cli.exits import CommandError
from thv.apps.cli.session import Session
from thv.apps.cli.wiring import Clock, shipped_taxonomy
from thv.clients.kube.client import KubeClient, Limits
from thv.clients.kube.config import Acting, from_environment
from thv.clients.kube.errors import KubeConfigError
from thv.domain.errors import Code
from thv.domain.resources import Kind
from thv.domain.taxonomy import Taxonomy
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.resources.kubernetes import KubernetesStore
from thv.stores.resources.kubernetes_kinds import served
from thv.stores.resources.kubernetes_watch import Patience

HERE = "thv registry list --backend local   (registries of this machine)"
UNUSED = 14 * 86_400.0
"""Seconds after which the read model of a registry that nobody looked into goes."""
_LIMITS = Limits(connect=5.0)


class Cluster(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A cluster, as one user of it."""

    client: KubeClient
    cache: Path
    clock: Clock
    on_cluster: bool = True
    keeper: str = "the operator"

    @property
    def namespace(self) -> str:
        """That of the context."""
        return self.client.namespace

    @cached_property
    def resources(self) -> KubernetesStore:
        return KubernetesStore(self.client, patience=Patience())

    @cached_property
    def chunks(self) -> ConfigMapChunks:
        return ConfigMapChunks(self.resources)

    @cached_property
    def taxonomy(self) -> Taxonomy:
        return shipped_taxonomy()

    @cached_property
    def models(self) -> Path:
        """Registries of all clusters lie beside each other: their identities are unique."""
        folder = self.cache / "models"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_unused(folder)
        return folder

    async def known(self, kinds: Sequence[Kind]) -> tuple[Kind, ...]:
        """Those of the kinds that the cluster serves, in their order."""
        return await served(self.client, kinds)

    async def close(self) -> None:
        """Closes the connections."""
        await self.resources.close()


def open_cluster(session: Session) -> Cluster:
    """The cluster that the settings name; raises STORE_UNAVAILABLE when they name none."""
    settings, around = session.settings, session.common.around
    try:
        client = from_environment(
            {"HOME": str(around.home), **around.environ},
            kubeconfig=settings.kubeconfig,
            context=settings.context,
            acting=Acting(user=settings.acts_as, groups=settings.acts_as_groups),
            limits=_LIMITS,
            warned=_once_each(session.console),
        )
    except KubeConfigError as error:
        raise CommandError(
            Code.STORE_UNAVAILABLE,
            f"no cluster can be used: {error.message}",
            tries=["kubectl config get-contexts", HERE],
        ) from error
    session.console.detail(f"registries are kept on the cluster {client.server} ({settings.why})")
    return Cluster(client=client, cache=settings.cache, clock=around.clock)


def _once_each(console: Console) -> Callable[[str], None]:
    """Shows what the API server warns of; what it repeats at each request is said once."""
    said: set[str] = set()

    def warned(text: str) -> None:
        if text not in said:
            said.add(text)
            console.warning(text)

    return warned


def _forget_unused(folder: Path) -> None:
    long_ago = time.time() - UNUSED
    for entry in os.scandir(folder):
        if entry.stat(follow_symlinks=False).st_mtime < long_ago:
            shutil.rmtree(entry.path, ignore_errors=True)
