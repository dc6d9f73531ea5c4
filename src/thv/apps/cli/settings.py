"""Settings of the command line: the only reader of the environment and of the configuration file's place.

In the flow: first thing a command makes; flags win over the environment, that over the configuration file, that
over the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import msgspec

from thv.domain.errors import Code, ThvError

Backend: TypeAlias = Literal["auto", "kubernetes", "local"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every command may need to know."""

    data: Path
    """Folder of the one-machine state. THV_DATA, --data; default: toolhive-registry in the XDG data folder."""
    config: Path
    """Configuration file. THV_CONFIG; default: toolhive-registry/config.yaml in the XDG configuration folder."""
    registry_dir: Path
    """Folder of registry files that are registries by themselves. THV_REGISTRY_DIR; default: registries beside
    the configuration file."""
    backend: Backend = "auto"
    """Where registries are kept. THV_BACKEND, --backend."""
    namespace: str = "default"
    """Namespace of what is named without one. THV_NAMESPACE, -n."""
    color: Literal["auto", "always", "never"] = "auto"
    """NO_COLOR and TERM=dumb turn colour off, CLICOLOR_FORCE on; --color wins."""
    columns: int = 80
    """Width of a terminal that does not tell. COLUMNS."""


def read_settings(environ: Mapping[str, str], home: Path) -> Settings:
    """The settings of an environment; raises INVALID for a value that none may have."""
    data_root = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    config_root = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    config = Path(environ.get("THV_CONFIG") or config_root / "toolhive-registry" / "config.yaml")
    backend = environ.get("THV_BACKEND") or "auto"
    if backend not in ("auto", "kubernetes", "local"):
        raise ThvError(
            Code.INVALID, f'THV_BACKEND is "{backend}"', hint="It can be auto, kubernetes or local."
        )
    return Settings(
        data=Path(environ.get("THV_DATA") or data_root / "toolhive-registry"),
        config=config,
        registry_dir=Path(environ.get("THV_REGISTRY_DIR") or config.parent / "registries"),
        backend=_backend(environ.get("THV_BACKEND") or "auto"),
        namespace=environ.get("THV_NAMESPACE") or "default",
        color=_color(environ),
        columns=_columns(environ.get("COLUMNS", "")),
    )


def _backend(text: str) -> Backend:
    for backend in get_args(Backend):
        if text == backend:
            return text  # type: ignore[return-value] # it is one of them
    raise ThvError(
        Code.INVALID, f'THV_BACKEND is "{text}"', hint="It can be auto, kubernetes or local."
    )


def _color(environ: Mapping[str, str]) -> Literal["auto", "always", "never"]:
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return "never"
    return "always" if environ.get("CLICOLOR_FORCE", "0") not in ("", "0") else "auto"


def _columns(text: str) -> int:
    return int(text) if text.isdecimal() and 20 <= int(text) <= 1000 else 80
