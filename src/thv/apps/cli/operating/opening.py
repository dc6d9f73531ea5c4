"""A store of everything that an installation consists of."""

from __future__ import annotations

from thv.apps.cli.cluster import Cluster
from thv.apps.cli.operating.kinds import INSTALLED
from thv.apps.cli.session import Session
from thv.stores.resources.kubernetes import KubernetesStore
from thv.stores.resources.kubernetes_watch import Patience


def open_store(session: Session) -> KubernetesStore:
    """Of the cluster of this command, whose session closes it."""
    place = session.place
    assert isinstance(place, Cluster)  # noqa: S101 # the command is about a cluster
    return KubernetesStore(place.client, kinds=INSTALLED, patience=Patience())
