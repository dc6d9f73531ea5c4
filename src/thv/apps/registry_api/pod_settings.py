"""Settings of the registry API in a cluster: the only reader of its part of the environment.

In the flow: read once when the process starts; flags of the command line replace single fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from thv.apps.kit import variables
from thv.apps.kit.http.clients import ClientSettings, read_client_settings
from thv.apps.kit.logs import LogFormat, LogLevel
from thv.apps.kit.tls import KeyPair, read_key_pair
from thv.apps.kit.traces import TraceSettings, read_traces
from thv.domain.errors import Code, ThvError


class PodSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the process may need to know."""

    kubeconfig: str = ""
    """File that says which cluster; without it the pod's service account, or KUBECONFIG. --kubeconfig."""
    context: str = ""
    """Context of the kubeconfig. --context."""
    namespace: str = ""
    """Whose registries are served. --namespace, POD_NAMESPACE."""
    registry: str = ""
    """The one that is served. --registry."""
    shared: bool = False
    """Serve every registry of the namespace that has a port of its own, instead of one. --shared."""
    data: Path = Path("/data")
    """Folder for read models, and for what a restart without the cluster needs. THV_DATA, --data."""
    listen: str = "0.0.0.0:8080"
    """Where the API answers; with --shared the host alone counts. THV_LISTEN, --listen."""
    listen_operations: str = "0.0.0.0:8081"
    """Where health is told. THV_LISTEN_OPERATIONS, --listen-operations."""
    tls: KeyPair | None = None
    """Certificate and key with which both answer over HTTPS; they may be replaced. THV_TLS_CERT, THV_TLS_KEY."""
    drain: float = 5.0
    """Seconds that requests still come after the process was told to stop. THV_DRAIN."""
    accept_cluster_audience: bool = False
    """Take tokens that were made for the API server, too. THV_ACCEPT_CLUSTER_AUDIENCE=true."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may read /api/v1; the official API is open to all. THV_CORS_ORIGINS."""
    clients: ClientSettings = ClientSettings()  # each of them says what it means
    access_log: bool = True
    """Log every request. THV_ACCESS_LOG=false."""
    traces: TraceSettings | None = None
    """Collector of OpenTelemetry, http://host:4318, that gets traces of requests, and the share of those that nobody
    traces yet. THV_TRACES, THV_TRACES_RATIO."""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR. THV_LOG_LEVEL."""
    log_format: LogFormat = "text"
    """How lines are written: text, or json for a JSON object a line. THV_LOG_FORMAT."""

    def __post_init__(self) -> None:
        if not self.namespace or bool(self.registry) == self.shared:
            raise ThvError(
                Code.INVALID,
                "which registries to serve is not said",
                hint="Give --namespace NAMESPACE, and either --registry NAME or --shared.",
            )


def read_settings(environ: Mapping[str, str], **flags: object) -> PodSettings:
    """The settings of an environment with what flags say; raises INVALID for a value that none may have."""
    read = {
        "namespace": environ.get("POD_NAMESPACE", ""),
        "data": Path(environ.get("THV_DATA") or "/data"),
        "listen": environ.get("THV_LISTEN") or "0.0.0.0:8080",
        "listen_operations": environ.get("THV_LISTEN_OPERATIONS") or "0.0.0.0:8081",
        "tls": read_key_pair(environ),
        "drain": variables.seconds(environ, "THV_DRAIN", 5.0),
        "accept_cluster_audience": variables.flag(environ, "THV_ACCEPT_CLUSTER_AUDIENCE"),
        "cors_origins": variables.words(environ, "THV_CORS_ORIGINS"),
        "clients": read_client_settings(environ),
        "access_log": variables.flag(environ, "THV_ACCESS_LOG", default=True),
        "traces": read_traces(environ),
        "log_level": variables.one_of(LogLevel, environ, "THV_LOG_LEVEL", "INFO"),
        "log_format": variables.one_of(LogFormat, environ, "THV_LOG_FORMAT", "text"),
    }
    given = {name: value for name, value in flags.items() if value}
    return PodSettings(**{**read, **given})
