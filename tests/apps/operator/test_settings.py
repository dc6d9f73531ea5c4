"""What the operator reads from its environment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from thv.apps.kit.tls import KeyPair
from thv.apps.operator.settings import read_settings
from thv.clients.http.proxy import Proxy
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Quantities, Resources
from thv.sync.serving.settings import PodExtras, Traces

IMAGE = {"THV_IMAGE": "registry.example/thv:1"}


def test_only_the_image_must_be_said() -> None:
    settings = read_settings(IMAGE)
    assert settings.image == "registry.example/thv:1"
    assert (settings.workers, settings.api_mode, settings.data) == (4, "dedicated", Path("/data"))
    assert settings.identity  # host and process


def test_everything_else_can_be() -> None:
    settings = read_settings(
        {
            **IMAGE,
            "POD_NAMESPACE": "system",
            "POD_NAME": "operator-0",
            "THV_NAMESPACES": "a, b",
            "THV_WORKERS": "8",
            "THV_ALLOW": "10.0.0.1:443",
            "THV_CHUNK_GRACE": "30s",
            "THV_API_MODE": "shared",
            "THV_IMAGE_PULL_POLICY": "Always",
            "THV_LOG_LEVEL": "DEBUG",
            "THV_LOG_FORMAT": "json",
            "THV_TLS_CERT": "/tls/tls.crt",
            "THV_TLS_KEY": "/tls/tls.key",
            "THV_API_TLS_SECRET": "api-tls",
            "THV_TRACES": "http://collector.monitoring.svc:4318",
            "THV_TRACES_NAMESPACES": "team=monitoring",
            "THV_PROXY": "http://proxy.corp:3128",
            "THV_NO_PROXY": ".svc, 10.0.0.0/8",
            "THV_PROXY_USERNAME": "me",
            "THV_PROXY_PASSWORD": "canary\n",
            "THV_TRUST": "/trust/ca.crt",
            "THV_API_SHARED_REPLICAS": "3",
            "THV_API_RESOURCES": '{"limits": {"memory": "1Gi"}}',
            "THV_API_PODS": '{"podLabels": {"a": "b"}}',
        }
    )
    assert settings.tls == KeyPair(Path("/tls/tls.crt"), Path("/tls/tls.key"))
    assert settings.proxy == Proxy(
        url="http://proxy.corp:3128/",
        username="me",
        password="canary",
        direct=(".svc", "10.0.0.0/8"),
    )
    assert "canary" not in repr(settings)
    assert settings.trust == Path("/trust/ca.crt")
    assert settings.api("system").traces == Traces(
        endpoint="http://collector.monitoring.svc:4318",
        port=4318,
        ratio=0.1,
        namespaces=(("team", "monitoring"),),
    )
    assert settings.api("system").tls_secret == "api-tls"
    assert settings.api("system").shared_replicas == 3
    assert settings.api("system").resources == Resources(limits=Quantities(memory="1Gi"))
    assert settings.api("system").extras == PodExtras(pod_labels={"a": "b"})
    assert settings.namespaces == ("a", "b")
    assert settings.chunk_grace == timedelta(seconds=30)
    assert settings.api("system").pull_policy == "Always"
    assert settings.api("system").mode == "shared"
    assert settings.api("system").log_format == "json"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("THV_IMAGE", ""),
        ("THV_WORKERS", "none"),
        ("THV_WORKERS", "0"),
        ("THV_WORKERS", "²"),
        ("THV_CHUNK_MIB", "1e9"),
        ("THV_CHUNK_GRACE", "soon"),
        ("THV_API_MODE", "both"),
        ("THV_IMAGE_PULL_POLICY", "Sometimes"),
        ("THV_LOG_LEVEL", "LOUD"),
        ("THV_LOG_FORMAT", "xml"),
        ("THV_TLS_CERT", "/tls/tls.crt"),
        ("THV_PROXY", "http://me:canary@proxy.corp"),
        ("THV_API_PODS", "{}}"),
        ("THV_TRACES", "collector:4318"),
        ("THV_TRACES", "http://me:canary@collector"),
        ("THV_API_PODS", '{"podLabel": {}}'),
        ("THV_API_RESOURCES", '{"limits": {"memory": []}}'),
        ("THV_API_ACCESS_LOG", "yes"),
    ],
)
def test_a_value_that_none_may_have_is_named(name: str, value: str) -> None:
    with pytest.raises(ThvError) as error:
        read_settings({**IMAGE, name: value})
    assert error.value.code is Code.INVALID
    assert name in error.value.message
    assert "canary" not in f"{error.value.message} {error.value.hint}"
    assert error.value.hint
