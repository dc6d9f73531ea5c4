"""Settings of the registry API in a cluster: the only reader of its part of the environment.

In the flow: read once when the process starts; flags of the command line replace single fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import msgspec

from thv.apps.kit.logs import LogFormat
from thv.domain.durations import parse_duration
from thv.domain.errors import Code, ThvError

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


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
    drain: float = 5.0
    """Seconds that requests still come after the process was told to stop. THV_DRAIN."""
    accept_cluster_audience: bool = False
    """Take tokens that were made for the API server, too. THV_ACCEPT_CLUSTER_AUDIENCE=true."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may read /api/v1; the official API is open to all. THV_CORS_ORIGINS."""
    access_log: bool = False
    """Log every request. THV_ACCESS_LOG=true."""
    log_level: str = "INFO"
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
        "drain": parse_duration(environ.get("THV_DRAIN") or "5s"),
        "accept_cluster_audience": _flag(environ, "THV_ACCEPT_CLUSTER_AUDIENCE"),
        "cors_origins": _words(environ, "THV_CORS_ORIGINS"),
        "access_log": _flag(environ, "THV_ACCESS_LOG"),
        "log_level": _level(environ.get("THV_LOG_LEVEL") or "INFO"),
        "log_format": _format(environ.get("THV_LOG_FORMAT") or "text"),
    }
    given = {name: value for name, value in flags.items() if value}
    return PodSettings(**{**read, **given})  # type: ignore[arg-type] # the names are those of the fields


def _words(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in environ.get(name, "").split(",") if word.strip())


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise ThvError(Code.INVALID, f'{name} is "{text}"', hint="It can be true or false.")
    return text == "true"


def _level(text: str) -> str:
    if text.upper() not in _LEVELS:
        hint = f"It can be {', '.join(_LEVELS)}."
        raise ThvError(Code.INVALID, f'THV_LOG_LEVEL is "{text}"', hint=hint)
    return text.upper()


def _format(text: str) -> LogFormat:
    for form in get_args(LogFormat):
        if text == form:
            return text  # type: ignore[return-value] # it is one of them
    hint = f"It can be {' or '.join(get_args(LogFormat))}."
    raise ThvError(Code.INVALID, f'THV_LOG_FORMAT is "{text}"', hint=hint)
