"""What is installed on a cluster.

In the flow: before anything is changed. The Deployment of the operator tells of all, wherever it is.
"""

from __future__ import annotations

import shlex

import msgspec

from thv.apps.cli.exits import CommandError
from thv.apps.cli.operating.kinds import DEFINITION
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import (
    DEPLOYMENT,
    MCP_REGISTRY,
    annotations_of,
    labels_of,
    namespace_of,
)
from thv.domain.roles import OPERATOR
from thv.formats.images import tag_of
from thv.formats.install import VERSION, Installation, read_installation
from thv.stores.resources.base import ResourceStore

_SELECTOR = f"app.kubernetes.io/name={OPERATOR}"
_RELEASE = "meta.helm.sh/release-name"


class Found(msgspec.Struct, frozen=True):
    """An installation, told by its Deployment."""

    deployment: JsonObject

    @property
    def namespace(self) -> str:
        """Of the operator."""
        return namespace_of(self.deployment)

    @property
    def installation(self) -> Installation:
        """What was chosen for it."""
        return read_installation(self.deployment)

    @property
    def version(self) -> str:
        """Of the product; releases before 0.2.0 say it by the image alone. `""` when nothing says it."""
        return labels_of(self.deployment).get(VERSION) or tag_of(self.installation.image)

    @property
    def release(self) -> str:
        """The release of Helm that it belongs to; `""` for none."""
        if labels_of(self.deployment).get("app.kubernetes.io/managed-by") != "Helm":
            return ""
        return annotations_of(self.deployment).get(_RELEASE, "toolhive-registry")


async def find(store: ResourceStore, namespace: str = "") -> Found | None:
    """The installation of the cluster, or of one namespace; raises CONFLICT for several."""
    listed = await store.list(DEPLOYMENT, namespace or None, selector=_SELECTOR)
    if len(listed.items) > 1:
        places = ", ".join(namespace_of(obj) for obj in listed.items)
        raise CommandError(
            Code.CONFLICT,
            f"the cluster has several operators, in {places}; they would undo each other's work",
            tries=[f"kubectl delete deployment {OPERATOR} -n NAMESPACE   (all but one)"],
        )
    return Found(listed.items[0]) if listed.items else None


async def require(session: Session, store: ResourceStore, namespace: str) -> Found:
    """The installation; raises NOT_FOUND."""
    found = await find(store, namespace)
    if found is not None:
        return found
    where = f' in the namespace "{namespace}"' if namespace else ""
    raise CommandError(
        Code.NOT_FOUND,
        f"the operator is not installed{where}",
        tries=[f"{session.program} operator install"],
    )


async def definition(store: ResourceStore) -> JsonObject | None:
    """The definition of MCPRegistry as the cluster has it."""
    try:
        return await store.get(DEFINITION, "", MCP_REGISTRY.resource)
    except ThvError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise


def require_not_helm(found: Found, doing: str) -> None:
    """Raises CONFLICT with Helm's own command for what Helm installed: two managers undo each other."""
    if not found.release:
        return
    words = [found.release, "charts/toolhive-registry", "-n", found.namespace, "--wait"]
    command = {
        "uninstall": shlex.join(["helm", "uninstall", found.release, "-n", found.namespace]),
    }.get(doing, shlex.join(["helm", "upgrade", *words, "--reuse-values"]))
    raise CommandError(
        Code.CONFLICT,
        f'the operator was installed by Helm, as the release "{found.release}" in {found.namespace}',
        cause=f"an {doing} beside Helm would be undone by its next command",
        tries=[command],
    )
