"""Questions to a cluster about people: who asks, what they may do, a token for an API.

In the flow: behind `thv auth`, imported once a cluster is to be asked.
"""

from __future__ import annotations

from thv.apps.cli.cluster import Cluster, open_cluster
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import MANAGER
from thv.domain.canonical import JsonObject
from thv.domain.resources import SERVICE_ACCOUNT, Kind
from thv.stores.resources.kubernetes import KubernetesStore
from thv.stores.resources.kubernetes_errors import What, translated
from thv.stores.resources.kubernetes_paths import resource

_WHO = Kind(
    group="authentication.k8s.io",
    version="v1",
    kind="SelfSubjectReview",
    plural="selfsubjectreviews",
    namespaced=False,
)
_MAY = Kind(
    group="authorization.k8s.io",
    version="v1",
    kind="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    namespaced=False,
)


async def user_of(session: Session) -> JsonObject:
    """Name, groups and the rest of who asks."""
    answer = await _asked(_cluster(session), _WHO, {})
    found: JsonObject = answer["status"]["userInfo"]
    return found


async def allowed(session: Session, attributes: JsonObject) -> tuple[bool, str]:
    """Whether whoever asks may do this, and why."""
    asked = {"spec": {"resourceAttributes": attributes}}
    status = (await _asked(_cluster(session), _MAY, asked))["status"]
    why = status.get("reason") or status.get("evaluationError") or ""
    return bool(status["allowed"]), str(why)


async def new_token(session: Session, account: str, audience: str, seconds: int) -> str:
    """A token of a service account of the namespace, which only this audience takes."""
    path = resource(SERVICE_ACCOUNT, session.namespace, account, "token")
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": seconds},
    }
    with translated(What(SERVICE_ACCOUNT, session.namespace, account)):
        answer = await _cluster(session).client.request("POST", path, body=body)
    return str(answer["status"]["token"])


def _cluster(session: Session) -> Cluster:
    if session.settings.server:
        return open_cluster(session)
    place = session.place
    return place if isinstance(place, Cluster) else open_cluster(session)


async def _asked(cluster: Cluster, kind: Kind, review: JsonObject) -> JsonObject:
    store = KubernetesStore(cluster.client, kinds=(kind,))
    named: JsonObject = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
    return await store.create({**named, **review}, manager=MANAGER)
