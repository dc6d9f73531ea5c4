"""What tests may rely on: pods run as on a real node, and Kubernetes is told what happens to them."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.control_plane.cluster import Place
from tests.control_plane.plane import Json

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
NAME = {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
ADDRESS = {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
SERVER = """
import http.server, os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), sys.exit(0)))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(7)
        if self.path == "/spoil":
            pathlib.Path("/data/spoiled").touch()
        bad = self.path == "/health" and os.path.exists("/data/spoiled")
        self.send_response(500 if bad else 200)
        self.end_headers()
        self.wfile.write(f"{os.environ['NAME']} {sorted(os.listdir('/data'))}".encode())
http.server.HTTPServer((os.environ["ADDRESS"], int(sys.argv[1])), Handler).serve_forever()
"""
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def run(place: Place, command: list[str], **container: Any) -> str:
    """Runs a command to its end in a pod; what it says."""
    place.apply(pod("once", command, restart="Never", **container))
    place.wait("jsonpath={.status.phase}=Succeeded", "pod/once")
    return place.logs("once")


def status_of(place: Place, name: str) -> Json:
    """Of the first container of a pod."""
    status: Json = place.get("pod", name)["status"]["containerStatuses"][0]
    return status


def pod(name: str, command: list[str], *, restart: str = "Always", **container: Any) -> Json:
    volumes = container.pop("volumes", [])
    spec = {"name": "main", "image": "python:3", "command": command, **container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {
            "restartPolicy": restart,
            "terminationGracePeriodSeconds": 5,
            "containers": [spec],
            "volumes": volumes,
        },
    }


def server(name: str, **container: Any) -> Json:
    """A pod that answers with its name and the files of its emptyDir."""
    return pod(
        name,
        ["python3", "-c", SERVER, "8080"],
        env=[NAME, ADDRESS],
        ports=[{"name": "http", "containerPort": 8080}],
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
        volumes=[{"name": "data", "emptyDir": {}}],
        **{"readinessProbe": {"httpGet": {"port": "http"}}, **container},
    )


def service() -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 8080, "targetPort": "http"}]},
    }


def test_a_service_leads_to_every_ready_pod_in_turn(place: Place) -> None:
    place.apply(server("one"), server("two"), service())
    place.wait("condition=Ready", "pod/one", "pod/two")
    assert {place.ask("web"), place.ask("web")} == {"one []", "two []"}


def test_a_service_without_a_ready_pod_refuses_connections(place: Place) -> None:
    never = {"exec": {"command": ["false"]}}
    place.apply(server("one", readinessProbe=never), service())
    place.wait("jsonpath={.status.phase}=Running", "pod/one")
    with pytest.raises(urllib.error.URLError, match="refused"):
        place.ask("web")


def test_a_deployment_is_rolled_out_and_rolled_over(place: Place) -> None:
    template = server("any")
    template = {"metadata": {"labels": {"app": "web"}}, "spec": template["spec"]}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    meta = {"name": "web"}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
    template["spec"].pop("restartPolicy")
    place.apply(deployment, service())
    place.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    before = place.ask("web")
    place.kubectl("rollout", "restart", "deployment/web")
    place.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert place.ask("web") != before


def test_a_command_that_ends_at_once_is_told_as_a_crash_loop(place: Place) -> None:
    place.apply(pod("one", ["sh", "-c", "echo said; exit 3"]))
    waiting = "{.status.containerStatuses[0].state.waiting.reason}"
    place.wait(f"jsonpath={waiting}=CrashLoopBackOff", "pod/one")
    status = status_of(place, "one")
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["restartCount"] >= 1
    assert place.logs("one", previous=True) == "said\n"


def test_an_unknown_image_is_told_until_it_can_be_had(place: Place) -> None:
    place.apply(pod("one", ["sleep", "60"], image="example.com/nothing:1"))
    waiting = "{.status.containerStatuses[0].state.waiting.reason}"
    place.wait(f"jsonpath={waiting}=ImagePullBackOff", "pod/one")
    assert "example.com/nothing:1" in status_of(place, "one")["state"]["waiting"]["message"]


def test_a_missing_configmap_is_told_until_it_is_there(place: Place) -> None:
    source = {"configMapRef": {"name": "late"}}
    place.apply(pod("one", ["sh", "-c", "echo $COLOUR; sleep 60"], envFrom=[source]))
    waiting = "{.status.containerStatuses[0].state.waiting.reason}"
    place.wait(f"jsonpath={waiting}=CreateContainerConfigError", "pod/one")
    place.kubectl("create", "configmap", "late", "--from-literal=COLOUR=red")
    place.wait("condition=Ready", "pod/one")
    assert place.cluster.kubelet.execute(place.namespace, "one", "printenv", "COLOUR") == (
        0,
        "red\n",
    )


def test_files_and_variables_come_from_configmaps_and_secrets(place: Place) -> None:
    place.kubectl("create", "configmap", "settings", "--from-literal=a.txt=from a map")
    place.kubectl("create", "secret", "generic", "hidden", "--from-literal=word=from a secret")
    key = {"secretKeyRef": {"name": "hidden", "key": "word"}}
    said = run(
        place,
        ["sh", "-c", "cat /etc/app/a.txt /etc/app/w; echo; printenv WORD TWICE"],
        env=[{"name": "WORD", "valueFrom": key}, {"name": "TWICE", "value": "$(WORD) $$(WORD)"}],
        volumeMounts=[{"name": "both", "mountPath": "/etc/app"}],
        volumes=[
            {
                "name": "both",
                "projected": {
                    "sources": [
                        {"configMap": {"name": "settings"}},
                        {"secret": {"name": "hidden", "items": [{"key": "word", "path": "w"}]}},
                    ]
                },
            }
        ],
    )
    first, second, third = said.splitlines()
    assert first == "from a mapfrom a secret"
    assert (second, third) == ("from a secret", "from a secret $(WORD)")


def test_a_projected_token_is_bound_to_its_pod_and_audience(place: Place) -> None:
    source = {"serviceAccountToken": {"path": "t", "audience": "web.svc", "expirationSeconds": 600}}
    token = run(
        place,
        ["cat", "/tokens/t"],
        volumeMounts=[{"name": "tokens", "mountPath": "/tokens"}],
        volumes=[{"name": "tokens", "projected": {"sources": [source]}}],
    )
    review = {"spec": {"token": token, "audiences": ["web.svc", "other"]}}
    asked = place.cluster.plane.request(
        "POST", "/apis/authentication.k8s.io/v1/tokenreviews", review
    )
    status = asked["status"]
    assert status["audiences"] == ["web.svc"]
    assert status["user"]["username"] == f"system:serviceaccount:{place.namespace}:default"
    assert status["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["once"]


def test_a_pod_reaches_the_api_server_with_what_it_was_given(place: Place) -> None:
    bind = f"create rolebinding look --clusterrole=view --serviceaccount={place.namespace}:default"
    place.kubectl(*bind.split())
    script = """
import json, os, ssl, urllib.request
place = "/var/run/secrets/kubernetes.io/serviceaccount/"
host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
path = f"/api/v1/namespaces/{open(place + 'namespace').read()}/pods"
headers = {"Authorization": "Bearer " + open(place + "token").read()}
context = ssl.create_default_context(cafile=place + "ca.crt")
for base in (f"https://{host}:{port}", "https://kubernetes.default.svc"):
    request = urllib.request.Request(base + path, headers=headers)
    with urllib.request.urlopen(request, context=context) as answer:
        print(json.load(answer)["items"][0]["metadata"]["name"])
"""
    assert run(place, ["python3", "-c", script]).splitlines() == ["once", "once"]


def test_a_container_has_the_rights_that_it_asks_for_and_no_more(place: Place) -> None:
    lines = (
        "id -u",
        "grep -h -e CapBnd -e CapEff -e NoNewPrivs /proc/self/status",
        "touch /tmp/x 2>&1 || true",
        f"ls {ROOT} 2>&1 || true",
        "touch /var/run/secrets/kubernetes.io/serviceaccount/x 2>&1 || true",
    )
    said = run(place, ["sh", "-c", "; ".join(lines)], securityContext=RESTRICTED).splitlines()
    assert said[0] == "65532"
    assert said[1:4] == ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"]
    assert "Read-only file system" in said[4]
    assert "No such file" in said[5]
    assert "Read-only file system" in said[6]


def test_an_image_that_runs_as_root_is_refused_where_root_is_not_wanted(place: Place) -> None:
    context = {"runAsNonRoot": True, "runAsUser": 0}
    place.apply(pod("one", ["sleep", "60"], securityContext=context))
    waiting = "{.status.containerStatuses[0].state.waiting.reason}"
    place.wait(f"jsonpath={waiting}=CreateContainerConfigError", "pod/one")


def test_an_emptydir_survives_a_crash_and_belongs_to_one_pod(place: Place) -> None:
    place.apply(server("one"), service())
    place.wait("condition=Ready", "pod/one")
    assert place.ask("web", "/spoil") == "one ['spoiled']"
    with pytest.raises(OSError, match=r"closed|reset"):
        place.ask("web", "/crash")
    restarts = "{.status.containerStatuses[0].restartCount}"
    place.wait(f"jsonpath={restarts}=1", "pod/one")
    place.wait("condition=Ready", "pod/one")
    assert place.ask("web") == "one ['spoiled']"
    assert status_of(place, "one")["lastState"]["terminated"]["exitCode"] == 7
    place.kubectl("delete", "pod", "one")
    place.apply(server("one"))
    place.wait("condition=Ready", "pod/one")
    assert place.ask("web") == "one []"


def test_a_container_that_fails_its_liveness_probe_is_started_again(place: Place) -> None:
    probe = {
        "httpGet": {"port": "http", "path": "/health"},
        "initialDelaySeconds": 1,
        "periodSeconds": 1,
    }
    place.apply(server("one", livenessProbe={**probe, "failureThreshold": 1}), service())
    place.wait("condition=Ready", "pod/one")
    place.ask("web", "/spoil")
    restarts = "{.status.containerStatuses[0].restartCount}"
    place.wait(f"jsonpath={restarts}=1", "pod/one")
    assert place.logs("one", previous=True).endswith("bye\n")


def test_a_container_that_is_killed_starts_again(place: Place) -> None:
    place.apply(server("one"))
    place.wait("condition=Ready", "pod/one")
    place.cluster.kubelet.kill(place.namespace, "one")
    place.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/one")
    assert status_of(place, "one")["lastState"]["terminated"]["exitCode"] == 137


def test_a_deleted_pod_may_say_goodbye(place: Place) -> None:
    place.apply(server("one"))
    place.wait("condition=Ready", "pod/one")
    place.kubectl("delete", "pod", "one")
    assert place.logs("one").endswith("bye\n")


def test_a_pod_that_does_not_listen_is_killed_after_its_grace(place: Place) -> None:
    place.apply(pod("one", ["sleep", "600"]))
    place.wait("condition=Ready", "pod/one")
    place.kubectl("delete", "pod", "one", "--grace-period=1", "--timeout=20s")


def test_a_pod_that_fits_no_node_is_told(place: Place) -> None:
    item = pod("one", ["sleep", "60"])
    item["spec"]["nodeSelector"] = {"disk": "fast"}
    place.apply(item)
    reason = '{.status.conditions[?(@.type=="PodScheduled")].reason}'
    place.wait(f"jsonpath={reason}=Unschedulable", "pod/one")


def test_a_job_completes(place: Place) -> None:
    place.kubectl("create", "job", "sum", "--image=python:3", "--", "python3", "-c", "print(1 + 1)")
    place.wait("condition=Complete", "job/sum")


def test_initial_containers_run_first(place: Place) -> None:
    mount = [{"name": "data", "mountPath": "/data"}]
    item = server("one")
    first = {"name": "first", "image": "python:3", "command": ["touch", "/data/made"]}
    item["spec"]["initContainers"] = [{**first, "volumeMounts": mount}]
    place.apply(item, service())
    place.wait("condition=Ready", "pod/one")
    assert place.ask("web") == "one ['made']"


def test_the_product_runs_as_it_is_installed(place: Place) -> None:
    item = pod("one", [], restart="Never", image="ghcr.io/stacklok/toolhive-registry:1")
    item["spec"]["containers"][0] |= {"args": ["--help"], "securityContext": RESTRICTED}
    place.apply(item)
    place.wait("jsonpath={.status.phase}=Succeeded", "pod/one")
    assert place.logs("one").startswith("Usage: thv")
    assert set(place.cluster.kubelet.peak_memory(place.namespace)) <= {"one"}


def test_a_container_starts_again_while_the_api_server_is_away(place: Place) -> None:
    place.apply(server("one"), service())
    place.wait("condition=Ready", "pod/one")
    url = place.url("web")
    place.cluster.plane.stop_api()
    try:
        with pytest.raises(OSError, match=r"closed|reset"):
            urllib.request.urlopen(f"{url}/crash")
        assert answered(url)
    finally:
        place.cluster.plane.start_api()
    place.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/one")


def answered(url: str) -> bool:
    """As soon as it is there again; connections that come too early are reset."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.05)
    return False


def test_a_namespace_with_running_pods_can_be_deleted(place: Place) -> None:
    place.kubectl("create", "namespace", f"{place.namespace}-more")
    other = Place(place.cluster, f"{place.namespace}-more")
    other.cluster.plane.await_path(f"/api/v1/namespaces/{other.namespace}/serviceaccounts/default")
    other.apply(server("one"), service())
    other.wait("condition=Ready", "pod/one")
    place.kubectl("delete", "namespace", other.namespace, "--timeout=60s")
