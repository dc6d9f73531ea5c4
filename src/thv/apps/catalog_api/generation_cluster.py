"""What writes registries on a cluster, with everything it needs: callers write with their own tokens.

In the flow: a process that serves the catalog of a cluster adds these rows to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from thv.apps.catalog_api.adoption import Adoptions, adoption_rows
from thv.apps.catalog_api.generation import Generations
from thv.apps.catalog_api.generation_rows import generation_rows
from thv.apps.catalog_api.generation_writers import OfCluster
from thv.apps.catalog_api.left_out import LeftOuts, left_out_rows
from thv.apps.catalog_api.manifest_rows import manifest_rows
from thv.apps.catalog_api.manifests import Manifests
from thv.apps.catalog_api.preview_apart import Apart
from thv.apps.catalog_api.previews import Previews, preview_rows
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.outbound import Outbound
from thv.clients.kube.config import Access, connect
from thv.domain.registry import SourceType
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.kubernetes import KubernetesStore


def on_cluster(
    access: Access,
    environ: Mapping[str, str],
    authorization: Authorization | None,
    *,
    clock: Callable[[], datetime],
    tried: frozenset[SourceType] = frozenset(),
    outbound: Callable[[], Outbound] = Outbound,
) -> tuple[Endpoint, ...]:
    """The rows of a cluster, whose API server is sent the tokens of callers.

    `tried` are the types of sources that are read for whoever tries them, reached as `outbound` says.
    """

    def connected(token: str) -> ResourceStore:
        theirs = msgspec.structs.replace(access, user={"token": token})
        return KubernetesStore(connect(theirs, environ))

    writers = OfCluster(connected)
    generations = Generations(authorization, writers, address=in_cluster, clock=clock)
    manifests = Manifests(authorization, writers, address=in_cluster)
    left_outs = LeftOuts(authorization)
    apart = Apart(access, environ, outbound)
    previews = Previews(authorization, writers, apart, types=tried)
    return (
        *(preview_rows(previews) if tried else ()),
        *generation_rows(generations),
        *manifest_rows(manifests),
        *left_out_rows(left_outs),
        *adoption_rows(Adoptions(authorization, writers)),
    )


def in_cluster(namespace: str, name: str) -> str:
    """The Service of a registry."""
    return f"http://{name}-api.{namespace}.svc:8080"
