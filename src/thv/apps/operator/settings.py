"""Settings of the operator: the only reader of its part of the environment.

In the flow: read once when the process starts; flags of the command line replace single fields.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec

from thv.apps.kit import variables
from thv.apps.kit.logs import LogFormat, LogLevel
from thv.apps.kit.outbound import read_proxy
from thv.apps.kit.tls import KeyPair, read_key_pair
from thv.apps.kit.traces import TraceSettings, read_traces
from thv.clients.http.proxy import Proxy
from thv.domain.registry import Resources
from thv.domain.roles import OPERATOR
from thv.sync.serving.settings import ApiSettings, Dns, Mode, PodExtras, PullPolicy, Traces


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
    tls: KeyPair | None = None
    """Certificate and key with which health and metrics are told over HTTPS. THV_TLS_CERT, THV_TLS_KEY."""
    workers: int = 4
    """Registries that are worked on at once. THV_WORKERS."""
    allow: tuple[str, ...] = ()
    """host:port of sources that may be private or speak plain http. THV_ALLOW."""
    proxy: Proxy | None = None
    """Outbound proxy of sources as http://host:port, whom sources reach without it as in NO_PROXY, and who we are
    there. THV_PROXY, THV_NO_PROXY, THV_PROXY_USERNAME, THV_PROXY_PASSWORD."""
    trust: Path | None = None
    """File of certificates, PEM, that are trusted for every source beside those of the system; it may be replaced.
    THV_TRUST."""
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
    api_tls_secret: str = ""
    """Name of a Secret of type kubernetes.io/tls in each namespace with registries, with which their APIs and metrics
    speak HTTPS; without it they speak HTTP. THV_API_TLS_SECRET."""
    api_resources: Resources | None = None
    """Of a pod that serves one registry, where spec.api.resources says nothing; usually 50m and 64Mi, at most 128Mi.
    THV_API_RESOURCES, as JSON."""
    api_shared_resources: Resources | None = None
    """Of a pod that serves all shared registries of a namespace; usually 100m and 128Mi, at most 512Mi.
    THV_API_SHARED_RESOURCES, as JSON."""
    api_shared_replicas: int = 1
    """Pods for the shared registries of a namespace. THV_API_SHARED_REPLICAS."""
    api_extras: PodExtras = PodExtras()
    """What API pods get beside what they need: labels, annotations, where they run. THV_API_PODS, as JSON."""
    api_cors_origins: tuple[str, ...] = ()
    """Origins whose pages may read /api/v1 of every registry. THV_API_CORS_ORIGINS."""
    api_accept_cluster_audience: bool = False
    """Have APIs take tokens that were made for the API server, too. THV_API_ACCEPT_CLUSTER_AUDIENCE=true."""
    api_access_log: bool = True
    """Have APIs log every request. THV_API_ACCESS_LOG=false."""
    api_log_level: LogLevel = "INFO"
    """How much API pods log. THV_API_LOG_LEVEL."""
    dns: Dns = Dns()
    """Where API pods may ask for names. THV_DNS_NAMESPACE, THV_DNS_PODS (labels), THV_DNS_ADDRESSES (networks)."""
    metrics_namespaces: tuple[tuple[str, str], ...] = ()
    """Labels of the namespaces that may read metrics of API pods. THV_METRICS_NAMESPACES."""
    api_server: tuple[tuple[str, int], ...] = ()
    """Where API pods may reach the API server beside its endpoints. KUBERNETES_SERVICE_HOST and _PORT."""
    traces: TraceSettings | None = None
    """Collector of OpenTelemetry, http://host:4318, that gets traces of syncs and, from API pods, of requests, and the
    share of requests that nobody traces yet. THV_TRACES, THV_TRACES_RATIO."""
    traces_namespaces: tuple[tuple[str, str], ...] = ()
    """Labels of the namespaces in which API pods may reach it; none: any namespace. THV_TRACES_NAMESPACES."""
    log_level: LogLevel = "INFO"
    """How much is logged: DEBUG, INFO, WARNING or ERROR. THV_LOG_LEVEL."""
    log_format: LogFormat = "text"
    """How it is logged, here and by API pods: text, or json for an object a line. THV_LOG_FORMAT."""

    def api(self, namespace: str) -> ApiSettings:
        """How APIs are deployed; `namespace` is the operator's."""
        usual = ApiSettings(image=self.image)
        return ApiSettings(
            image=self.image,
            pull_policy=self.image_pull_policy,
            pull_secrets=self.image_pull_secrets,
            operator_namespace=namespace,
            mode=self.api_mode,
            resources=self.api_resources or usual.resources,
            shared_resources=self.api_shared_resources or usual.shared_resources,
            shared_replicas=self.api_shared_replicas,
            extras=self.api_extras,
            tls_secret=self.api_tls_secret,
            cors_origins=self.api_cors_origins,
            accept_cluster_audience=self.api_accept_cluster_audience,
            access_log=self.api_access_log,
            log_level=self.api_log_level,
            traces=_api_traces(self.traces, self.traces_namespaces),
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
        namespaces=variables.words(environ, "THV_NAMESPACES"),
        data=Path(environ.get("THV_DATA") or "/data"),
        listen=environ.get("THV_LISTEN_OPERATIONS") or "0.0.0.0:8081",
        tls=read_key_pair(environ),
        workers=variables.count(environ, "THV_WORKERS", 4),
        allow=variables.words(environ, "THV_ALLOW"),
        proxy=read_proxy(environ),
        trust=variables.file(environ, "THV_TRUST"),
        fetch_backoff=variables.seconds(environ, "THV_FETCH_BACKOFF", 0.1),
        chunk_grace=timedelta(seconds=variables.seconds(environ, "THV_CHUNK_GRACE", 600)),
        chunk_mebibytes=variables.count(environ, "THV_CHUNK_MIB", 128, most=65536),
        image=variables.given(
            environ, "THV_IMAGE", "the image of this product, which the API pods run"
        ),
        image_pull_policy=variables.one_of(PullPolicy, environ, "THV_IMAGE_PULL_POLICY", ""),
        image_pull_secrets=variables.words(environ, "THV_IMAGE_PULL_SECRETS"),
        api_mode=variables.one_of(Mode, environ, "THV_API_MODE", "dedicated"),
        api_tls_secret=environ.get("THV_API_TLS_SECRET", ""),
        api_resources=variables.json_of(Resources, environ, "THV_API_RESOURCES"),
        api_shared_resources=variables.json_of(Resources, environ, "THV_API_SHARED_RESOURCES"),
        api_shared_replicas=variables.count(environ, "THV_API_SHARED_REPLICAS", 1, most=10),
        api_extras=variables.json_of(PodExtras, environ, "THV_API_PODS") or PodExtras(),
        api_cors_origins=variables.words(environ, "THV_API_CORS_ORIGINS"),
        api_accept_cluster_audience=variables.flag(environ, "THV_API_ACCEPT_CLUSTER_AUDIENCE"),
        api_access_log=variables.flag(environ, "THV_API_ACCESS_LOG", default=True),
        api_log_level=variables.one_of(LogLevel, environ, "THV_API_LOG_LEVEL", "INFO"),
        dns=_dns(environ),
        metrics_namespaces=variables.labels(environ, "THV_METRICS_NAMESPACES"),
        api_server=_api_server(environ),
        traces=read_traces(environ),
        traces_namespaces=variables.labels(environ, "THV_TRACES_NAMESPACES"),
        log_level=variables.one_of(LogLevel, environ, "THV_LOG_LEVEL", "INFO"),
        log_format=variables.one_of(LogFormat, environ, "THV_LOG_FORMAT", "text"),
    )


def _api_traces(
    settings: TraceSettings | None, namespaces: tuple[tuple[str, str], ...]
) -> Traces | None:
    if settings is None:
        return None
    return Traces(
        endpoint=settings.endpoint,
        port=settings.collector.port,
        ratio=settings.ratio,
        namespaces=namespaces,
    )


def _dns(environ: Mapping[str, str]) -> Dns:
    """Labels that are set to nothing mean every pod of the namespace."""
    usual = Dns()
    return Dns(
        namespace=environ.get("THV_DNS_NAMESPACE") or usual.namespace,
        pods=variables.labels(environ, "THV_DNS_PODS") if "THV_DNS_PODS" in environ else usual.pods,
        addresses=variables.networks(environ, "THV_DNS_ADDRESSES"),
    )


def _api_server(environ: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT")
    return ((host, int(port)),) if host and port and port.isdecimal() else ()
