"""How an installation is: read from the cluster, judged by a pure function.

In the flow: behind `thv operator status`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import msgspec

from thv.apps.cli.operating.applying import MANAGER
from thv.apps.cli.operating.found import Found, definition
from thv.apps.cli.operating.kinds import is_applied_by
from thv.apps.cli.operating.leading import Leader, read_leader
from thv.apps.cli.operating.waiting import is_established, is_rolled_out, trouble_of
from thv.domain.canonical import JsonObject
from thv.domain.registry_status import Phase
from thv.domain.resources import MCP_REGISTRY, metadata_of
from thv.domain.roles import OPERATOR
from thv.stores.resources.base import ResourceStore
from thv.sync.serving.health import ready_pods
from thv.sync.serving.listing import listed


class Versions(msgspec.Struct, frozen=True, rename="camel"):
    """A kind as the cluster has it."""

    name: str
    served: tuple[str, ...]
    stored: tuple[str, ...]
    established: bool


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and the command that helps."""

    message: str
    command: str


class Standing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything that is told of an installation."""

    namespace: str
    version: str
    image: str
    managed_by: str
    scope: str
    namespaces: tuple[str, ...]
    wanted: int
    ready: int
    rolled_out: bool
    trouble: str
    """What keeps pods from being ready."""
    leader: Leader | None
    kinds: tuple[Versions, ...]
    registries: dict[str, int]
    """How many are in which phase."""


async def read_standing(store: ResourceStore, found: Found) -> Standing:
    """As the cluster tells it now."""
    deployment, installation = found.deployment, found.installation
    ready, wanted = ready_pods(deployment)
    rolled_out = is_rolled_out(deployment)
    kind = await definition(store)
    return Standing(
        namespace=found.namespace,
        version=found.version,
        image=installation.image,
        managed_by=_manager(found),
        scope=installation.scope,
        namespaces=installation.watched,
        wanted=wanted,
        ready=ready,
        rolled_out=rolled_out,
        trouble="" if rolled_out else await trouble_of(store, deployment),
        leader=await read_leader(store, found.namespace),
        kinds=(_versions(kind),) if kind else (),
        registries=await _by_phase(store) if kind else {},
    )


def problems(standing: Standing, now: datetime) -> Iterator[Problem]:
    """What is wrong with the operator; how single registries are is not its fault."""
    namespace, install = standing.namespace, "thv operator upgrade"
    if not any(each.established for each in standing.kinds):
        yield Problem("the cluster does not know the kind MCPRegistry", install)
    if standing.trouble or standing.ready < standing.wanted:
        what = standing.trouble or f"{standing.ready} of {standing.wanted} pods are ready"
        yield Problem(
            what, f"kubectl describe pods -n {namespace} -l app.kubernetes.io/name={OPERATOR}"
        )
    if standing.wanted == 0:
        scale = f"kubectl scale deployment/{OPERATOR} -n {namespace} --replicas 1"
        yield Problem("no pod is wanted", scale)
    elif standing.leader is None or not standing.leader.leads(now):
        yield Problem("no process leads", f"kubectl logs -n {namespace} deployment/{OPERATOR}")


def _manager(found: Found) -> str:
    """Whoever applied the Deployment: `Helm`, `thv-operator`, `kubectl`, a GitOps controller."""
    if found.release:
        return f"Helm (release {found.release})"
    if is_applied_by(found.deployment, MANAGER):
        return MANAGER
    entries = metadata_of(found.deployment).get("managedFields") or ()
    names = (str(each.get("manager")) for each in entries if each.get("operation") == "Apply")
    return next(names, "")


def _versions(kind: JsonObject) -> Versions:
    served = tuple(each["name"] for each in kind["spec"]["versions"] if each.get("served"))
    stored = tuple((kind.get("status") or {}).get("storedVersions") or ())
    return Versions(metadata_of(kind)["name"], served, stored, is_established(kind))


async def _by_phase(store: ResourceStore) -> dict[str, int]:
    phases = Counter(
        [
            str((obj.get("status") or {}).get("phase") or Phase.PENDING)
            async for obj in listed(store, MCP_REGISTRY, None)
        ]
    )
    return dict(sorted(phases.items()))


def body_of(standing: Standing, found: list[Problem]) -> JsonObject:
    """As `-o json` shows it."""
    body: JsonObject = msgspec.to_builtins(standing)
    replicas = {"wanted": body.pop("wanted"), "ready": body.pop("ready")}
    del body["rolledOut"], body["trouble"]
    return {
        **body,
        "replicas": replicas,
        "healthy": not found,
        "problems": msgspec.to_builtins(found),
    }
