"""Settings of the catalog in a cluster: the only reader of its part of the environment.

In the flow: read once when the process starts; flags of the command line replace single fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import msgspec

from thv.apps.catalog_api.settings import Settings, read_settings
from thv.apps.kit import variables
from thv.apps.kit.http.clients import ClientSettings, read_client_settings
from thv.apps.kit.logs import LogFormat, LogLevel
from thv.apps.kit.outbound import read_proxy
from thv.apps.kit.sign_in import SignIn, read_sign_in
from thv.apps.kit.tls import KeyPair, read_key_pair
from thv.apps.kit.traces import TraceSettings, read_traces
from thv.apps.registry_api.aggregate import Scope
from thv.clients.http.proxy import Proxy
from thv.domain.errors import Code, ThvError
from thv.domain.registry import SourceType

TRIED = frozenset({SourceType.CONFIGMAP, SourceType.REGISTRY, SourceType.URL})
"""Git is left to administrators: it is a program of others beside the sessions of everybody who is signed in."""
_TRIABLE = TRIED | {SourceType.GIT}


class CatalogPodSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the process may need to know."""

    kubeconfig: str = ""
    """File that says which cluster; without it the pod's service account, or KUBECONFIG. --kubeconfig."""
    context: str = ""
    """Context of the kubeconfig. --context."""
    namespace: str = ""
    """Where the catalog itself is, which is in the audience of its tokens. --namespace, POD_NAMESPACE."""
    data: Path = Path("/data")
    """Folder for read models. THV_DATA, --data."""
    listen: str = "0.0.0.0:8080"
    """Where the API answers. THV_LISTEN, --listen."""
    listen_operations: str = "0.0.0.0:8081"
    """Where health is told. THV_LISTEN_OPERATIONS, --listen-operations."""
    tls: KeyPair | None = None
    """Certificate and key with which both answer over HTTPS; they may be replaced. THV_TLS_CERT, THV_TLS_KEY."""
    drain: float = 5.0
    """Seconds that requests still come after the process was told to stop. THV_DRAIN."""
    accept_cluster_audience: bool = False
    """Take tokens that were made for the API server, too. THV_ACCEPT_CLUSTER_AUDIENCE=true."""
    dashboard: bool = True
    """Show pages to people, who sign in with a token. THV_DASHBOARD=false."""
    sign_in: SignIn | None = None  # each of them says what it means
    try_sources: frozenset[SourceType] = TRIED
    """Types of sources that are read for whoever may make a registry of them, before there is one: configmap, registry, url,
    git; without it the first three, none where it is set to nothing. THV_TRY_SOURCES."""
    allow: tuple[str, ...] = ()
    """host:port of sources that may be private or speak plain http, as for the operator. THV_ALLOW."""
    proxy: Proxy | None = None
    """Outbound proxy of sources as http://host:port, whom sources reach without it as in NO_PROXY, and who we are
    there. THV_PROXY, THV_NO_PROXY, THV_PROXY_USERNAME, THV_PROXY_PASSWORD."""
    trust: Path | None = None
    """File of certificates, PEM, that are trusted for every source beside those of the system; it may be replaced.
    THV_TRUST."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may read /api/v1; the official API is open to all. THV_CORS_ORIGINS."""
    official_scope: Scope = "trusted"
    """Which registries the official API at the root shows: all, trusted or off. THV_OFFICIAL_SCOPE."""
    registry_order: tuple[str, ...] = ()
    """Registries as namespace/name, the best first, where several hold a server. THV_REGISTRY_ORDER."""
    catalog: Settings = Settings(anonymous_read=False)
    clients: ClientSettings = ClientSettings()  # each of them says what it means
    access_log: bool = True
    """Log every request. THV_ACCESS_LOG=false."""
    traces: TraceSettings | None = None
    """Collector of OpenTelemetry, http://host:4318, and the share of requests that it gets. THV_TRACES, THV_TRACES_RATIO."""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR. THV_LOG_LEVEL."""
    log_format: LogFormat = "text"
    """How lines are written: text, or json for a JSON object a line. THV_LOG_FORMAT."""

    def __post_init__(self) -> None:
        if not self.namespace:
            raise ThvError(
                Code.INVALID,
                "where the catalog is, is not said",
                hint="Give --namespace NAMESPACE.",
            )
        if self.sign_in and not self.sign_in.public_url:
            raise ThvError(
                Code.INVALID,
                "THV_PUBLIC_URL is not set, and people sign in at an issuer, which must send them back",
                hint="Set it to the address at which browsers find the catalog, such as https://catalog.example.com.",
            )

    @property
    def audience(self) -> str:
        """For whom tokens must be made."""
        return f"thv-catalog.{self.namespace}.svc"


def read_pod_settings(environ: Mapping[str, str], **flags: object) -> CatalogPodSettings:
    """The settings of an environment with what flags say; raises INVALID for a value that none may have."""
    read = {
        "namespace": environ.get("POD_NAMESPACE", ""),
        "data": Path(environ.get("THV_DATA") or "/data"),
        "listen": environ.get("THV_LISTEN") or "0.0.0.0:8080",
        "listen_operations": environ.get("THV_LISTEN_OPERATIONS") or "0.0.0.0:8081",
        "tls": read_key_pair(environ),
        "drain": variables.seconds(environ, "THV_DRAIN", 5.0),
        "accept_cluster_audience": variables.flag(environ, "THV_ACCEPT_CLUSTER_AUDIENCE"),
        "dashboard": variables.flag(environ, "THV_DASHBOARD", default=True),
        "sign_in": read_sign_in(environ),
        "try_sources": _tried(environ),
        "allow": variables.words(environ, "THV_ALLOW"),
        "proxy": read_proxy(environ),
        "trust": variables.file(environ, "THV_TRUST"),
        "cors_origins": variables.words(environ, "THV_CORS_ORIGINS"),
        "official_scope": _scope(environ),
        "registry_order": variables.words(environ, "THV_REGISTRY_ORDER"),
        "catalog": read_settings(environ, anonymous_read=False),
        "clients": read_client_settings(environ),
        "access_log": variables.flag(environ, "THV_ACCESS_LOG", default=True),
        "traces": read_traces(environ),
        "log_level": variables.one_of(LogLevel, environ, "THV_LOG_LEVEL", "INFO"),
        "log_format": variables.one_of(LogFormat, environ, "THV_LOG_FORMAT", "text"),
    }
    given = {name: value for name, value in flags.items() if value}
    return CatalogPodSettings(**{**read, **given})


def _scope(environ: Mapping[str, str]) -> str:
    scope = environ.get("THV_OFFICIAL_SCOPE") or "trusted"
    if scope not in get_args(Scope):
        raise ThvError(
            Code.INVALID,
            f'THV_OFFICIAL_SCOPE is "{scope}"',
            hint="It can be all, trusted or off.",
        )
    return scope


def _tried(environ: Mapping[str, str]) -> frozenset[SourceType]:
    """Being set to nothing means none."""
    if "THV_TRY_SOURCES" not in environ:
        return TRIED
    words = variables.words(environ, "THV_TRY_SOURCES")
    known = {kind.value: kind for kind in _TRIABLE}
    for word in words:
        if word not in known:
            raise variables.wrong("THV_TRY_SOURCES", word, f"some of {', '.join(sorted(known))}")
    return frozenset(known[word] for word in words)
