"""What the first request of a caller of the catalog takes on a cluster, by how many namespaces there are.

    python -m bench.catalog_callers [COUNT ...]

A real API server and `thv catalog-api` with the rights that are shipped. Each namespace has a registry. One caller may list
those of every namespace by one binding, one by a binding in each, one in a single namespace. The status is 1 when a figure
is above its bar.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.apps.catalog_api.test_pod import CatalogPod, applied
from tests.contracts.cluster import install_kinds
from tests.control_plane.binaries import find_or_build
from tests.control_plane.plane import ControlPlane, control_plane_in

from thv.domain.canonical import JsonObject
from thv.domain.resources import GROUP, MCP_REGISTRY
from thv.domain.roles import CATALOG
from thv.formats.install import Installation
from thv.formats.install_catalog import catalog_rights, session_shelves

SYSTEM = "toolhive-system"
BARS = {50: 0.5, 1000: 3.0}
"""Seconds, by namespaces."""
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_USER = "toolhive-registry-user"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, metavar="COUNT")
    missed = 0
    for count in parser.parse_args().counts or list(BARS):
        for who, seconds in first_requests(count):
            bar = BARS.get(count)
            above = bar is not None and seconds > bar
            missed += above
            limit = f"   bar {bar:g}{'   MISSED' if above else ''}" if bar else ""
            print(f"{count:5} namespaces, {who:38}{seconds:8.3f} s{limit}", flush=True)
    return min(missed, 1)


def first_requests(count: int) -> Iterator[tuple[str, float]]:
    """Who asks, and the seconds until the answer."""
    with (
        tempfile.TemporaryDirectory() as name,
        control_plane_in(Path(name) / "plane", find_or_build()) as plane,
    ):
        install_kinds(plane)
        furnish(plane, count)
        kubeconfig = plane.service_account(SYSTEM, CATALOG)
        with CatalogPod(kubeconfig, Path(name) / "pod", SYSTEM) as pod:
            pod.until_ready()
            for account, title in (
                ("everywhere", "one binding for all"),
                ("each", "a binding in each"),
                ("one", "a binding in one"),
            ):
                token = plane.token(SYSTEM, account, audiences=[f"thv-catalog.{SYSTEM}.svc"])
                yield title, asked(pod.port, token, 1 if account == "one" else count)
                yield f"{title}, again", asked(pod.port, token, 1 if account == "one" else count)


def furnish(plane: ControlPlane, count: int) -> None:
    """Namespaces with a registry each, accounts, and what they may do."""
    plane.request("POST", "/api/v1/namespaces", _named("v1", "Namespace", SYSTEM))
    installation = Installation(namespace=SYSTEM)
    accounts = (CATALOG, "everywhere", "each", "one")
    for account in accounts:
        path = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts"
        plane.request("POST", path, _named("v1", "ServiceAccount", account))
    for obj in (*catalog_rights(installation), *session_shelves(installation)):
        applied(plane, obj)
    rule = {"apiGroups": [GROUP], "resources": ["mcpregistries"], "verbs": ["get", "list"]}
    role = _named("rbac.authorization.k8s.io/v1", "ClusterRole", _USER, rules=[rule])
    plane.request("POST", f"{_RBAC}/clusterroles", role)
    bound = _binding("ClusterRoleBinding", "everywhere")
    plane.request("POST", f"{_RBAC}/clusterrolebindings", bound)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: _space(plane, number), range(count)))


def _space(plane: ControlPlane, number: int) -> None:
    name = f"team-{number}"
    plane.request("POST", "/api/v1/namespaces", _named("v1", "Namespace", name))
    source = {"type": "configmap", "configMap": {"name": "servers", "key": "servers.json"}}
    registry = _named(MCP_REGISTRY.api_version, MCP_REGISTRY.kind, "corp", spec={"source": source})
    path = f"/apis/{MCP_REGISTRY.api_version}/namespaces/{name}/{MCP_REGISTRY.plural}"
    plane.request("POST", path, registry)
    for account in ("each", "one")[: 2 if number == 0 else 1]:
        path = f"{_RBAC}/namespaces/{name}/rolebindings"
        plane.request("POST", path, _binding("RoleBinding", account))


def _binding(kind: str, account: str) -> JsonObject:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": SYSTEM}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _USER}
    made = _named("rbac.authorization.k8s.io/v1", kind, account)
    return {**made, "subjects": [subject], "roleRef": reference}


def _named(version: str, kind: str, name: str, **more: object) -> JsonObject:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


def asked(port: int, token: str, count: int) -> float:
    """Seconds until the registries that the caller may list are listed."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/registries", headers={"Authorization": f"Bearer {token}"}
    )
    begin = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        found = json.load(answer)["metadata"]["total_count"]
    seconds = time.perf_counter() - begin
    if found != count:
        raise RuntimeError(f"{found} registries, not {count}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
