"""Which figures each process tells, as they are wired there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from thv.apps.cli.wiring import Local
from thv.apps.kit.home import Home
from thv.apps.kit.metrics import Family
from thv.apps.operator.settings import Settings
from thv.apps.operator.wiring import Operator
from thv.apps.registry_api.pod import Pod
from thv.apps.registry_api.pod_settings import PodSettings
from thv.apps.standalone.figures import Figures
from thv.clients.kube.config import from_environment

_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: none
contexts: [{name: none, context: {cluster: none, user: none}}]
clusters: [{name: none, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: none, user: {}}]
"""


def processes() -> dict[str, tuple[Family, ...]]:
    """The families of each process."""
    with TemporaryDirectory() as folder:
        data = Path(folder)
        (data / "kubeconfig").write_text(_KUBECONFIG)
        client = from_environment({}, kubeconfig=str(data / "kubeconfig"))
        operator = Operator(client, Settings(image="none", data=data), now)
        pod = Pod(client, PodSettings(namespace="team", registry="corp", data=data), now)
        local = Local(home=Home(data), clock=now)
        return {
            "thv operator": operator.metrics.families,
            "thv registry-api": pod.metrics.families,
            "thv serve": Figures.of(local).metrics.families,
        }


def exported() -> dict[str, str]:
    """The kind of each family, by name."""
    return {
        family.name: family.kind.value for families in processes().values() for family in families
    }


def now() -> datetime:
    return datetime.now(UTC)
