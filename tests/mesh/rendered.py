"""What the code deploys, as a mesh sees it: pods with labels, an identity and ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.builders import registry
from thv.domain.canonical import JsonObject
from thv.formats.install import kinds, render
from thv.formats.install_catalog import render_catalog
from thv.sync.serving.network import SHARED_PORTS, own_policy, service, shared_policy
from thv.sync.serving.pods import own_deployment, shared_deployment
from thv.sync.serving.settings import ApiSettings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "mesh"
HOME, TEAM = "toolhive-system", "default"
"""Where the operator is, and where the registries of the examples are."""
SETTINGS = ApiSettings(image="x", operator_namespace=HOME)
QUICKSTART = registry("quickstart", TEAM)

Manifests = list[JsonObject]


class Caller(NamedTuple):
    """A pod of the mesh that calls, known by its certificate."""

    namespace: str
    account: str


class Pod(NamedTuple):
    """A pod that is called."""

    namespace: str
    account: str
    labels: Mapping[str, str]
    named: Mapping[str, int]
    """Ports that its manifest declares."""
    api: int | None
    """The port that its Service leads to."""
    probed: frozenset[int]
    """Ports that the kubelet asks."""

    @property
    def caller(self) -> Caller:
        return Caller(self.namespace, self.account)


def manifests(name: str) -> Manifests:
    """The objects of one example."""
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


def installed() -> Manifests:
    """Everything that is installed, and what the operator then makes of a registry, in both ways."""
    return [
        *kinds(),
        *render(),
        *render_catalog(),
        own_deployment(QUICKSTART, SETTINGS),
        own_policy(QUICKSTART, SETTINGS, []),
        service(QUICKSTART, SETTINGS, None),
        shared_deployment(TEAM, SETTINGS),
        shared_policy(TEAM, SETTINGS, []),
        service(QUICKSTART, SETTINGS, SHARED_PORTS[7]),
    ]


def pods() -> dict[str, Pod]:
    """One of each kind."""
    operator, catalog, own, shared = (o for o in installed() if o["kind"] == "Deployment")
    return {
        "operator": _pod(operator, None),
        "catalog": _pod(catalog, 8080),
        "own": _pod(own, 8080),
        "shared": _pod(shared, SHARED_PORTS[7]),
    }


def _pod(deployment: JsonObject, api: int | None) -> Pod:
    template: dict[str, Any] = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    probes = [container[f"{when}Probe"]["httpGet"] for when in ("startup", "liveness", "readiness")]
    return Pod(
        namespace=deployment["metadata"]["namespace"],
        account=template["spec"]["serviceAccountName"],
        labels=template["metadata"]["labels"],
        named=named,
        api=api,
        probed=frozenset(named[probe["port"]] for probe in probes),
    )


def selects(obj: JsonObject, selector: JsonObject, pod: Pod) -> bool:
    """Whether an object with this selector is about the pod."""
    if obj["metadata"]["namespace"] != pod.namespace:
        return False
    known = selector.keys() <= {"matchLabels", "matchExpressions"} and bool(selector)
    assert known, selector
    expressions = selector.get("matchExpressions", [])
    assert {each["operator"] for each in expressions} <= {"In"}
    return selector.get("matchLabels", {}).items() <= pod.labels.items() and all(
        pod.labels.get(each["key"]) in each["values"] for each in expressions
    )


def of_kind(objects: Iterable[JsonObject], *kind: str) -> Manifests:
    return [obj for obj in objects if obj["kind"] in kind]
