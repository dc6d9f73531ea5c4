"""Settings of the command line: the only reader of the environment and of the configuration file.

In the flow: first thing a command makes; flags win over the environment, that over the configuration file, that
over the defaults.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from thv.apps.cli.options import Common
from thv.domain.durations import parse_duration
from thv.domain.errors import Code, ThvError

Backend: TypeAlias = Literal["auto", "kubernetes", "local"]
Color: TypeAlias = Literal["auto", "always", "never"]


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One setting: its names, what it may be, and what it means."""

    name: str
    """In the configuration file and for `thv config`."""
    variable: str
    flag: str = ""
    choices: tuple[str, ...] = ()
    default: str
    meaning: str


KEYS: tuple[Key, ...] = (
    Key(
        name="data",
        variable="THV_DATA",
        flag="--data",
        default="$XDG_DATA_HOME/toolhive-registry",
        meaning="Folder of the one-machine state.",
    ),
    Key(
        name="registry-dir",
        variable="THV_REGISTRY_DIR",
        default="registries, beside the configuration file",
        meaning="Folder of files that are registries by themselves, read-only.",
    ),
    Key(
        name="backend",
        variable="THV_BACKEND",
        flag="--backend",
        choices=("auto", "kubernetes", "local"),
        default="auto",
        meaning="Where registries are kept; auto: a cluster if one is named, else this machine.",
    ),
    Key(
        name="kubeconfig",
        variable="THV_KUBECONFIG",
        flag="--kubeconfig",
        default="as kubectl: KUBECONFIG, else ~/.kube/config",
        meaning="Kubeconfig of the cluster that keeps registries.",
    ),
    Key(
        name="context",
        variable="THV_CONTEXT",
        flag="--context",
        default="the current one",
        meaning="Context of that kubeconfig.",
    ),
    Key(
        name="server",
        variable="THV_SERVER",
        flag="--server",
        default="",
        meaning="Address of the API of a registry, to read from without a cluster.",
    ),
    Key(
        name="token-file",
        variable="THV_TOKEN_FILE",
        flag="--token-file",
        default="",
        meaning="File with the token for that API.",
    ),
    Key(
        name="namespace",
        variable="THV_NAMESPACE",
        flag="--namespace",
        default="default; on a cluster that of the context",
        meaning="Namespace of what is named without one.",
    ),
    Key(
        name="color",
        variable="THV_COLOR",
        flag="--color",
        choices=("auto", "always", "never"),
        default="auto",
        meaning="Colours; NO_COLOR and TERM=dumb turn them off, CLICOLOR_FORCE on.",
    ),
    Key(
        name="fetch-backoff",
        variable="THV_FETCH_BACKOFF",
        default="100ms",
        meaning="Wait before a page of a source is asked for again; doubles with each try.",
    ),
    Key(
        name="allow",
        variable="THV_ALLOW",
        default="",
        meaning="Hosts as host:port, with commas, that may be private or speak plain http.",
    ),
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every command may need to know."""

    data: Path
    default_data: Path
    """Where the data folder is when nobody names one."""
    config: Path
    """Configuration file. THV_CONFIG; default: toolhive-registry/config.yaml in the XDG configuration folder."""
    registry_dir: Path
    cache: Path
    """What is made again when it is lost: read models of clusters."""
    backend: Backend = "auto"
    on_cluster: bool = False
    """What `backend` comes to."""
    why: str = "default"
    """What decided that."""
    server: str = ""
    """The API that is read from instead, `""` for none."""
    token_file: Path | None = None
    kubeconfig: str = ""
    context: str = ""
    acts_as: str = ""
    acts_as_groups: tuple[str, ...] = ()
    namespace: str = "default"
    color: Color = "auto"
    fetch_backoff: float = 0.1
    """Seconds."""
    allow: tuple[str, ...] = ()
    """Hosts as `host:port` that sources may reach though they are private or speak plain http."""
    origins: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Where each setting comes from: a flag, a variable, `config file` or `default`."""

    @property
    def sandbox(self) -> Path:
        """Leads to the data folder of a running `thv dev`."""
        return sandbox_of(self.default_data)

    def is_found_without_flag(self, folder: Path) -> bool:
        """Whether commands that are given no folder use this one."""
        return folder.resolve() == _found(self.default_data).resolve()

    @property
    def has_own_namespace(self) -> bool:
        """Whether somebody named the namespace."""
        return self.origins.get("namespace", "default") != "default"


def sandbox_of(default: Path) -> Path:
    """Where `thv dev` leaves its address for commands that have no data folder of their own."""
    return default / "dev"


def _found(default: Path) -> Path:
    """The data folder when nobody names one: one's own, else that of a running sandbox."""
    sandbox = sandbox_of(default)
    return (
        sandbox.resolve() if sandbox.is_dir() and not (default / "store.db").exists() else default
    )


def config_path(environ: Mapping[str, str], home: Path) -> Path:
    """Where the configuration file is."""
    root = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return Path(environ.get("THV_CONFIG") or root / "toolhive-registry" / "config.yaml")


def read_settings(common: Common) -> Settings:
    """The settings of one command line; raises INVALID for a value that none may have."""
    environ, home = common.around.environ, common.around.home
    config = config_path(environ, home)
    written = read_config(config)
    values, origins = {}, {}
    for key in KEYS:
        values[key.name], origins[key.name] = _value(key, common, written)
        _check(key, values[key.name], origins[key.name])
    data_root = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    cache_root = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    server, on_cluster, why = _chosen(common, values, origins)
    default = data_root / "toolhive-registry"
    return Settings(
        data=Path(values["data"] or _found(default)).expanduser(),
        default_data=default,
        config=config,
        registry_dir=Path(values["registry-dir"] or config.parent / "registries").expanduser(),
        cache=cache_root / "toolhive-registry",
        backend=values["backend"] or "auto",  # type: ignore[arg-type] # it was checked
        on_cluster=on_cluster,
        why=why,
        server=server,
        token_file=Path(values["token-file"]).expanduser() if values["token-file"] else None,
        kubeconfig=values["kubeconfig"],
        context=values["context"],
        acts_as=common.acts_as or "",
        acts_as_groups=common.acts_as_groups,
        namespace=values["namespace"] or "default",
        color=values["color"] or "auto",  # type: ignore[arg-type] # it was checked
        fetch_backoff=parse_duration(values["fetch-backoff"] or "100ms"),
        allow=tuple(host.strip() for host in values["allow"].split(",") if host.strip()),
        origins=origins,
    )


def read_config(path: Path) -> dict[str, str]:
    """What the configuration file says; raises INVALID with the place when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, f"it cannot be read: {error}") from error
    try:
        found: Any = msgspec.yaml.decode(text)
    except msgspec.DecodeError as error:
        raise _unusable(path, f"it is no YAML: {' '.join(str(error).split())[:120]}") from error
    if not isinstance(found, dict | None):
        raise _unusable(path, "it must hold settings, such as `namespace: team-a`")
    return {key_named(str(name)).name: str(value) for name, value in (found or {}).items()}


def key_named(name: str) -> Key:
    """The setting of that name; raises INVALID with the names that exist."""
    found = next((key for key in KEYS if key.name == name), None)
    if found is not None:
        return found
    names = [key.name for key in KEYS]
    alike = difflib.get_close_matches(name, names, n=1)
    meant = f"Did you mean {alike[0]}? " if alike else ""
    raise ThvError(
        Code.INVALID,
        f'there is no setting "{name}"',
        hint=f"{meant}Settings are {', '.join(names)}.",
    )


def check_value(key: Key, value: str) -> None:
    """Raises INVALID when a setting cannot have this value."""
    _check(key, value, key.name)


def _chosen(
    common: Common, values: Mapping[str, str], origins: Mapping[str, str]
) -> tuple[str, bool, str]:
    """The API that is read from, or whether a cluster keeps the registries, and what says so."""
    by_flag = [name for name in ("kubeconfig", "context") if origins[name] == f"--{name}"]
    flag = (
        "--as" if common.acts_as or common.acts_as_groups else f"--{by_flag[0]}" if by_flag else ""
    )
    server = _chosen_server(values, origins, flag)
    if server:
        return server, False, origins["server"]
    return "", *_chosen_keeper(common, values, origins, flag)


def _chosen_server(values: Mapping[str, str], origins: Mapping[str, str], flag: str) -> str:
    """The API, unless something that was said louder names another place."""
    flags = [flag, *(f"--{name}" for name in ("backend", "data") if _is_flag(origins[name]))]
    louder = next((each for each in flags if each and values["backend"] != "auto"), "")
    if louder and _is_flag(origins["server"]):
        raise ThvError(
            Code.INVALID,
            f"{louder} and --server name two places to read from",
            hint="Leave out one of them.",
        )
    by_variable = any(
        origins[name].startswith("THV_") for name in ("backend", "context", "kubeconfig")
    )
    quieter = origins["server"] == "config file" and by_variable
    return "" if louder or quieter else values["server"].rstrip("/")


def _is_flag(origin: str) -> bool:
    return origin.startswith("--")


def _chosen_keeper(
    common: Common, values: Mapping[str, str], origins: Mapping[str, str], flag: str
) -> tuple[bool, str]:
    """Whether a cluster keeps the registries, and what says so; a kubeconfig that merely exists does not.

    `flag` is one that is about a cluster.
    """
    backend, origin = values["backend"] or "auto", origins["backend"]
    if backend == "local" and origin == "--backend" and flag:
        raise ThvError(
            Code.INVALID,
            f"{flag} is about a cluster, and --backend is local",
            hint="Leave out one of them.",
        )
    if backend == "kubernetes" and origin == "--backend":
        return True, origin
    if flag:
        return True, flag
    if backend != "auto":
        return backend == "kubernetes", origin
    if origins["data"] == "--data":
        return False, "--data"
    named = next((name for name in ("context", "kubeconfig") if values[name]), "")
    if named:
        return True, f"{named} of {origins[named]}"
    return (True, common.program) if common.program.startswith("kubectl") else (False, "default")


def _value(key: Key, common: Common, written: Mapping[str, str]) -> tuple[str, str]:
    """The value, `""` for the default, and where it comes from."""
    environ = common.around.environ
    flag = getattr(common, key.name.replace("-", "_"), None) if key.flag else None
    if flag:
        return str(flag), key.flag
    if environ.get(key.variable):
        return environ[key.variable], key.variable
    if key.name == "color" and (decided := _color_of(environ)):
        return decided
    if written.get(key.name):
        return written[key.name], "config file"
    return "", "default"


def _color_of(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """What other programs' variables say."""
    if environ.get("NO_COLOR"):
        return "never", "NO_COLOR"
    if environ.get("TERM") == "dumb":
        return "never", "TERM"
    if environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return "always", "CLICOLOR_FORCE"
    return None


def _check(key: Key, value: str, origin: str) -> None:
    if value and key.name == "fetch-backoff" and not _is_duration(value):
        raise ThvError(
            Code.INVALID,
            f'{origin} is "{value}"',
            hint='It is a duration, such as "500ms" or "2s".',
        )
    if value and key.choices and value not in key.choices:
        raise ThvError(
            Code.INVALID,
            f'{origin} is "{value}"',
            hint=f"It can be {', '.join(key.choices[:-1])} or {key.choices[-1]}.",
        )


def _is_duration(text: str) -> bool:
    try:
        return parse_duration(text) >= 0
    except ThvError:
        return False


def _unusable(path: Path, why: str) -> ThvError:
    return ThvError(
        Code.INVALID,
        f"the configuration file {path} is unusable: {why}",
        hint="Correct or remove it; THV_CONFIG names another one.",
    )
