"""A real Prometheus that chooses its targets as the Prometheus Operator would have it.

Debian's is built without its own discovery in Kubernetes: what that would find is written into a file.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.control_plane.plane import ControlPlane, Json
from tests.ports import free_port

_PATIENCE = 30.0


class Prometheus:
    """One that runs."""

    def __init__(self, base: str, plane: ControlPlane, found: Path) -> None:
        self._base = base
        self._plane = plane
        self._found = found

    def discover(self) -> None:
        """Has it learn which pods there are now."""
        pods = self._plane.request("GET", "/api/v1/pods")["items"]
        fresh = self._found.with_suffix(".new")
        fresh.write_text(json.dumps([target for pod in pods for target in targets(pod)]))
        fresh.rename(self._found)

    def ask(self, path: str, **query: str) -> Any:
        """The data of an answer of its API."""
        url = f"{self._base}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What an expression is now."""
        found = self.ask("query", query=expression)["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def until(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Asks until there is something."""
        deadline = time.monotonic() + _PATIENCE
        while not (found := self.values(expression)):
            assert time.monotonic() < deadline, f"{expression}: {self.ask('targets')}"
            time.sleep(0.2)
        return found


@contextmanager
def prometheus(
    program: str, folder: Path, plane: ControlPlane, monitors: list[Json], rules: Json
) -> Iterator[Prometheus]:
    """Scrapes each second what the monitors select, and evaluates the rules."""
    found = folder / "pods.json"
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yaml")],
        "scrape_configs": [job(monitor, found) for monitor in monitors],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = (
        program,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    )
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            _await_ready(f"http://{address}/-/ready", folder / "log")
            made = Prometheus(f"http://{address}", plane, found)
            made.discover()
            yield made
        finally:
            process.terminate()


def job(monitor: Json, found: Path) -> Json:
    """What the Prometheus Operator makes of a PodMonitor."""
    spec = monitor["spec"]
    (endpoint,) = spec["podMetricsEndpoints"]
    namespaces = spec["namespaceSelector"].get("matchNames", [".+"])
    keep = [
        _keep(f"pod_label_{_word(each['key'])}", "|".join(each["values"]))
        for each in spec["selector"]["matchExpressions"]
    ]
    return {
        "job_name": monitor["metadata"]["name"],
        "honor_labels": endpoint["honorLabels"],
        "metrics_path": endpoint["path"],
        "scheme": endpoint.get("scheme", "http"),
        "tls_config": {
            "insecure_skip_verify": endpoint.get("tlsConfig", {}).get("insecureSkipVerify", False)
        },
        "file_sd_configs": [{"files": [str(found)]}],
        "relabel_configs": [
            _keep("namespace", "|".join(namespaces)),
            *keep,
            _keep("pod_container_port_name", endpoint["port"]),
            _keep("pod_phase", "Running"),
            _copy("namespace", "namespace"),
            _copy("pod_name", "pod"),
        ],
    }


def targets(pod: Json) -> Iterator[Json]:
    """Each port of each container, labelled as the discovery of Prometheus does."""
    metadata, status = pod["metadata"], pod["status"]
    labels = {
        "namespace": metadata["namespace"],
        "pod_name": metadata["name"],
        "pod_phase": status["phase"],
        **{f"pod_label_{_word(key)}": value for key, value in metadata.get("labels", {}).items()},
    }
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", ()):
            named = {**labels, "pod_container_port_name": port.get("name", "")}
            yield {
                "targets": [f"{status.get('podIP', '')}:{port['containerPort']}"],
                "labels": {f"__meta_kubernetes_{key}": value for key, value in named.items()},
            }


def _keep(source: str, regex: str) -> Json:
    return {
        "action": "keep",
        "source_labels": [f"__meta_kubernetes_{source}"],
        "regex": regex,
    }


def _copy(source: str, target: str) -> Json:
    return {"source_labels": [f"__meta_kubernetes_{source}"], "target_label": target}


def _word(key: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", key)


def _await_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
