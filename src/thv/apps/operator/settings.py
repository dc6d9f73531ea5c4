"""Settings of the operator: the only reader of its part of the environment.

In the flow: read once when the process starts; flags of the command line replace single fields.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from thv.apps.kit.logs import LogFormat
from thv.domain.durations import parse_duration
from thv.domain.errors import Code, ThvError
from thv.domain.roles import OPERATOR
from thv.domain.selectors import label_key_problem, label_value_problem
from thv.sync.serving.settings import ApiSettings, Dns, Mode, PullPolicy

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator may need to know."""

    kubeconfig: str = ""
    """File that says which cluster; without it the pod's service account, or KUBECONFIG. --kubeconfig."""
    context: str = ""
    """Context of the kubeconfig. --context."""
    namespace: str = ""
    """Where the lease is; without it the namespace of the pod. POD_NAMESPACE."""
    service_account: str = OPERATOR
    """Whom namespaces must let read Secrets. POD_SERVICE_ACCOUNT."""
    identity: str = ""
    """Who we are in the lease. POD_NAME; without it host and process."""
    namespaces: tuple[str, ...] = ()
    """Whose registries are looked after; none named means all. THV_NAMESPACES."""
    data: Path = Path("/data")
    """Folder for what can be made again: mirrors of sources, selections. THV_DATA, --data."""
    listen: str = "0.0.0.0:8081"
    """Where health is told. THV_LISTEN_OPERATIONS, --listen-operations."""
    workers: int = 4
    """Registries that are worked on at once. THV_WORKERS."""
    allow: tuple[str, ...] = ()
    """host:port of sources that may be private or speak plain http. THV_ALLOW."""
    fetch_backoff: float = 0.1
    """Seconds before the second try of a page. THV_FETCH_BACKOFF."""
    chunk_grace: timedelta = timedelta(minutes=10)
    """How long chunks that no pointer names may still be read. THV_CHUNK_GRACE."""
    chunk_mebibytes: int = 128
    """All chunks of the cluster together, in MiB; above it a registry says SnapshotTooLarge. THV_CHUNK_MIB."""
    image: str
    """Image of this product; the API pods run it. THV_IMAGE."""
    image_pull_policy: PullPolicy = ""
    """Without it as the cluster decides by the tag. THV_IMAGE_PULL_POLICY."""
    image_pull_secrets: tuple[str, ...] = ()
    """Names of image pull Secrets in the namespaces of the registries. THV_IMAGE_PULL_SECRETS."""
    api_mode: Mode = "dedicated"
    """Of registries that say nothing in spec.api.mode. THV_API_MODE."""
    dns: Dns = Dns()
    """Where API pods may ask for names. THV_DNS_NAMESPACE, THV_DNS_PODS (labels), THV_DNS_ADDRESSES (networks)."""
    metrics_namespaces: tuple[tuple[str, str], ...] = ()
    """Labels of the namespaces that may read metrics of API pods. THV_METRICS_NAMESPACES."""
    api_server: tuple[tuple[str, int], ...] = ()
    """Where API pods may reach the API server beside its endpoints. KUBERNETES_SERVICE_HOST and _PORT."""
    log_level: LogLevel = "INFO"
    """How much is logged: DEBUG, INFO, WARNING or ERROR. THV_LOG_LEVEL."""
    log_format: LogFormat = "text"
    """How it is logged, here and by API pods: text, or json for an object a line. THV_LOG_FORMAT."""

    def api(self, namespace: str) -> ApiSettings:
        """How APIs are deployed; `namespace` is the operator's."""
        return ApiSettings(
            image=self.image,
            pull_policy=self.image_pull_policy,
            pull_secrets=self.image_pull_secrets,
            operator_namespace=namespace,
            mode=self.api_mode,
            dns=self.dns,
            metrics_namespaces=self.metrics_namespaces,
            log_format=self.log_format,
            api_server=self.api_server,
        )


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of an environment; raises INVALID for a value that none may have."""
    return Settings(
        namespace=environ.get("POD_NAMESPACE", ""),
        service_account=environ.get("POD_SERVICE_ACCOUNT") or OPERATOR,
        identity=environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}",
        namespaces=_words(environ, "THV_NAMESPACES"),
        data=Path(environ.get("THV_DATA") or "/data"),
        listen=environ.get("THV_LISTEN_OPERATIONS") or "0.0.0.0:8081",
        workers=_count(environ, "THV_WORKERS", 4),
        allow=_words(environ, "THV_ALLOW"),
        fetch_backoff=_seconds(environ, "THV_FETCH_BACKOFF", 0.1),
        chunk_grace=timedelta(seconds=_seconds(environ, "THV_CHUNK_GRACE", 600)),
        chunk_mebibytes=_count(environ, "THV_CHUNK_MIB", 128, most=65536),
        image=_given(environ, "THV_IMAGE", "the image of this product, which the API pods run"),
        image_pull_policy=_one_of(PullPolicy, environ, "THV_IMAGE_PULL_POLICY", ""),
        image_pull_secrets=_words(environ, "THV_IMAGE_PULL_SECRETS"),
        api_mode=_one_of(Mode, environ, "THV_API_MODE", "dedicated"),
        dns=_dns(environ),
        metrics_namespaces=_labels(environ, "THV_METRICS_NAMESPACES"),
        api_server=_api_server(environ),
        log_level=_one_of(LogLevel, environ, "THV_LOG_LEVEL", "INFO"),
        log_format=_one_of(LogFormat, environ, "THV_LOG_FORMAT", "text"),
    )


def _dns(environ: Mapping[str, str]) -> Dns:
    """Labels that are set to nothing mean every pod of the namespace."""
    usual = Dns()
    return Dns(
        namespace=environ.get("THV_DNS_NAMESPACE") or usual.namespace,
        pods=_labels(environ, "THV_DNS_PODS") if "THV_DNS_PODS" in environ else usual.pods,
        addresses=_networks(environ, "THV_DNS_ADDRESSES"),
    )


def _api_server(environ: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT")
    return ((host, int(port)),) if host and port and port.isdecimal() else ()


def _networks(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    for word in _words(environ, name):
        try:
            ipaddress.ip_network(word)
        except ValueError as error:
            allowed = "networks such as 169.254.20.10/32, comma-separated"
            raise _wrong(name, word, allowed) from error
    return _words(environ, name)


def _labels(environ: Mapping[str, str], name: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for word in _words(environ, name):
        key, equals, value = word.partition("=")
        if not equals or label_key_problem(key) or label_value_problem(value):
            raise _wrong(name, word, "labels such as k8s-app=kube-dns, comma-separated")
        found.append((key, value))
    return tuple(found)


def _given(environ: Mapping[str, str], name: str, meaning: str) -> str:
    if not environ.get(name):
        raise ThvError(Code.INVALID, f"{name} is not set", hint=f"Set it to {meaning}.")
    return environ[name]


def _words(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in environ.get(name, "").split(",") if word.strip())


def _count(environ: Mapping[str, str], name: str, default: int, *, most: int = 64) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most):
        raise _wrong(name, text, f"a number from 1 to {most}")
    return int(text)


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    try:
        return parse_duration(text) if text else default
    except ThvError as error:
        raise _wrong(name, text, "a duration such as 30s or 10m") from error


def _one_of(words: Any, environ: Mapping[str, str], name: str, default: str) -> Any:
    """A word of a `Literal`."""
    text = environ.get(name) or default
    if text not in get_args(words):
        raise _wrong(name, text, " or ".join(filter(None, get_args(words))))
    return text


def _wrong(name: str, text: str, allowed: str) -> ThvError:
    return ThvError(Code.INVALID, f'{name} is "{text}"', hint=f"It can be {allowed}.")
