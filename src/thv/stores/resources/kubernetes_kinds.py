"""Which kinds an API server serves.

In the flow: before something is written that several groups or versions may keep. Whoever is known to the cluster may
ask, whatever else they may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from thv.clients.kube.client import KubeClient
from thv.clients.kube.errors import KubeError, KubeUnreachableError
from thv.domain.resources import Kind
from thv.stores.resources.kubernetes_errors import What, as_ours, away


async def served(client: KubeClient, kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    """Those of the kinds that are there, in their order."""
    wanted = tuple(kinds)
    versions = list({kind.api_version: kind for kind in wanted}.values())
    found = await asyncio.gather(*(_plurals(client, kind) for kind in versions))
    plurals = {kind.api_version: names for kind, names in zip(versions, found, strict=True)}
    return tuple(kind for kind in wanted if kind.plural in plurals[kind.api_version])


async def _plurals(client: KubeClient, kind: Kind) -> frozenset[str]:
    """All resources of the group and version of a kind; none where there is no such version."""
    root = "/apis/" if kind.group else "/api/"
    try:
        answer = await client.request("GET", root + kind.api_version)
    except KubeError as error:
        if error.status == 404:
            return frozenset()
        raise as_ours(error, What(kind)) from error
    except KubeUnreachableError as error:
        raise away(error) from error
    return frozenset(str(each.get("name")) for each in answer.get("resources") or ())
