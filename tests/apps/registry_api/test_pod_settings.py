from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from thv.apps.registry_api.pod import shared_port
from thv.apps.registry_api.pod_settings import PodSettings, read_settings
from thv.domain.errors import ThvError


def test_flags_win_over_the_environment_and_that_over_the_defaults() -> None:
    environ = {
        "POD_NAMESPACE": "here", "THV_DATA": "/models", "THV_LISTEN": "10.0.0.1:9000", "THV_DRAIN": "1m",
        "THV_ACCEPT_CLUSTER_AUDIENCE": "true", "THV_CORS_ORIGINS": "https://a.example, https://b.example",
    }  # fmt: skip
    assert read_settings(environ, registry="corp", listen="10.0.0.1:8080", shared=False) == (
        PodSettings(
            namespace="here",
            registry="corp",
            data=Path("/models"),
            listen="10.0.0.1:8080",
            drain=60.0,
            accept_cluster_audience=True,
            cors_origins=("https://a.example", "https://b.example"),
        )
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("THV_DRAIN", "soon"), ("THV_ACCESS_LOG", "yes"), ("THV_LOG_LEVEL", "LOUD"), ("THV_LOG_FORMAT", "xml"), ("THV_ACCEPT_CLUSTER_AUDIENCE", "1")],
)  # fmt: skip
def test_a_value_that_none_may_have_is_refused(name: str, value: str) -> None:
    with pytest.raises(ThvError) as refused:
        read_settings({name: value}, namespace="team", registry="corp")
    assert f'"{value}"' in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(
    ("spec", "status", "port"),
    [
        ({"mode": "shared"}, {"targetPort": 20001}, 20001), ({}, {"targetPort": 20001}, 20001),
        ({"mode": "shared"}, {}, None), ({"mode": "dedicated"}, {"targetPort": 20001}, None),
        ({"mode": "shared", "enabled": False}, {"targetPort": 20001}, None),
    ],
)  # fmt: skip
def test_which_registries_share_a_process(
    spec: dict[str, Any], status: dict[str, Any], port: int | None
) -> None:
    assert shared_port({"spec": {"api": spec}, "status": {"apiStatus": status}}) == port


def test_a_registry_without_status_shares_nothing() -> None:
    assert shared_port({"spec": {}}) is None
