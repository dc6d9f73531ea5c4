"""When an object counts as being as desired."""

from __future__ import annotations

from typing import Any

import pytest

from thv.sync.serving.covers import covers

DEPLOYMENT = {
    "metadata": {"labels": {"app": "corp"}, "ownerReferences": [{"uid": "1", "controller": True}]},
    "spec": {
        "replicas": 1,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "api",
                        "args": ["registry-api", "--listen"],
                        "env": [{"name": "POD_IP"}],
                        "resources": {"limits": {"memory": "1024Mi", "cpu": "0.5"}},
                    }
                ],
                "volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1024Mi"}}],
            }
        },
    },
}


def live(**container: Any) -> dict[str, Any]:
    """The same with what a cluster adds to it."""
    api = {
        "name": "api",
        "args": ["registry-api", "--listen"],
        "env": [{"name": "INJECTED"}, {"name": "POD_IP", "value": ""}],
        "resources": {"limits": {"memory": "1Gi", "cpu": "500m"}},
        "terminationMessagePath": "/dev/termination-log",
        **container,
    }
    return {
        "metadata": {
            "labels": {"app": "corp", "more": "yes"},
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "ownerReferences": [{"uid": "0"}, {"uid": "1", "controller": True}],
        },
        "spec": {
            "replicas": 1,
            "template": {
                "spec": {
                    "containers": [{"name": "sidecar"}, api],
                    "volumes": [
                        {"name": "token"},
                        {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}},
                    ],
                    "dnsPolicy": "ClusterFirst",
                }
            },
        },
        "status": {"readyReplicas": 1},
    }


def test_what_a_cluster_adds_does_not_matter() -> None:
    assert covers(DEPLOYMENT, live())


@pytest.mark.parametrize(
    "container",
    [
        {"args": ["registry-api"]},
        {"args": ["registry-api", "--listen", "--more"]},
        {"env": [{"name": "INJECTED"}]},
        {"resources": {"limits": {"memory": "2Gi", "cpu": "500m"}}},
        {"resources": {}},
        {"name": "other"},
    ],
)
def test_a_changed_field_matters(container: dict[str, Any]) -> None:
    assert not covers(DEPLOYMENT, live(**container))


@pytest.mark.parametrize(
    ("desired", "there", "expected"),
    [
        ({"a": {}}, {}, False),
        ({"podSelector": {}}, {"podSelector": {"matchLabels": {"a": "b"}}}, True),
        ({"rules": []}, {}, True),
        ({"rules": []}, {"rules": [{"verbs": ["*"]}]}, False),
        ({"rules": [{"verbs": ["get"]}]}, {"rules": [{"verbs": ["get", "list"]}]}, False),
        ({"subjects": [{"name": "a"}]}, {"subjects": [{"name": "a"}, {"name": "b"}]}, False),
        ({"port": 8080}, {"port": "8080"}, False),
        ({"on": True}, {"on": 1}, False),
        (
            {"ports": [{"port": 1, "targetPort": 2}]},
            {"ports": [{"port": 1, "targetPort": 2}]},
            True,
        ),
        (
            {"ports": [{"port": 1, "targetPort": 2}]},
            {"ports": [{"port": 1, "targetPort": 3}]},
            False,
        ),
        ({"ports": [{"port": 1}]}, {"ports": [{"port": 1}, {"port": 2}]}, False),
        ({"ports": [{"containerPort": 1}]}, {"ports": [{"containerPort": 1}, {"x": 2}]}, True),
    ],
)
def test_rules_of_comparison(desired: Any, there: Any, expected: bool) -> None:
    assert covers(desired, there) is expected
