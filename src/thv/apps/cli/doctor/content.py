"""Verdicts on registries: which are in trouble, and why.

In the flow: last of the checks, on a cluster and on one machine alike. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from thv.apps.cli.doctor.findings import Finding, Findings, failed, fine, note
from thv.apps.cli.doctor.remedies import SYSTEM, Remedies
from thv.apps.cli.output import counted
from thv.domain.canonical import JsonObject
from thv.domain.conditions import Condition
from thv.domain.errors import ThvError
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import name_of, namespace_of
from thv.domain.roles import OPERATOR, SOURCE_READER

SHOWN = 20
"""Registries in trouble that are told one by one."""
DNS = "kube-system"


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry says against itself."""

    reason: str
    """As its conditions have it: `SourceUnreachable`."""
    message: str
    waits: bool = False
    """It may yet come right by itself: it is new, or its pods are starting."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A registry, as far as it takes to judge it."""

    namespace: str
    name: str
    type: str = ""
    """Of its source."""
    url: str = ""
    """Of its source, where it has one that is fetched."""
    host: str = ""
    """And its host and port."""
    secret: str = ""
    """The first Secret that its source names."""
    config_map: tuple[str, str] = ("", "")
    """The ConfigMap that is its source, and the key in it."""
    trouble: Trouble | None = None
    nameless: bool = False
    """The trouble is that a host name has no address."""

    @property
    def place(self) -> str:
        return f"{self.namespace}/{self.name}"


_NAMELESS = re.compile(r"has no address|resolve host", re.IGNORECASE)
_ABNORMAL = {
    "Stalled": "True",
    "SourceAvailable": "False",
    "DataValid": "False",
    "APIReady": "False",
    "SyncSucceeded": "False",
    "Ready": "False",
}
"""Conditions that tell trouble, those that say most first."""
_WAITING = frozenset({"Progressing", "Deploying"})


def seen_of(obj: JsonObject) -> Seen:
    """The registry of an object, also of one that this program cannot read."""
    try:
        registry = load_registry(obj)
    except ThvError as error:
        trouble = Trouble(reason="Invalid", message=error.message)
        return Seen(namespace=namespace_of(obj), name=name_of(obj), trouble=trouble)
    trouble_now = trouble_of(registry)
    source = (obj.get("spec") or {}).get("source") or {}
    block = source.get(registry.spec.source.type.value) or {}
    address = str(block.get("url") or block.get("repository") or "")
    return Seen(
        namespace=registry.namespace,
        name=registry.name,
        type=registry.spec.source.type.value,
        url=address if address.startswith(("http://", "https://")) else "",
        host=_host_of(address),
        secret=next(_secrets(block), ""),
        config_map=_config_map_of(registry),
        trouble=trouble_now,
        nameless=trouble_now is not None and _NAMELESS.search(trouble_now.message) is not None,
    )


def _host_of(address: str) -> str:
    """As settings name one that may be private."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 22)
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.hostname else ""


def _config_map_of(registry: Registry) -> tuple[str, str]:
    found = registry.spec.source.config_map
    return (found.name, found.key) if found is not None else ("", "")


def trouble_of(registry: Registry) -> Trouble | None:
    """What its conditions say that is not as it should be; None for one that goes."""
    if registry.deleting:
        return None
    if not registry.status.conditions:
        return Trouble(reason="Progressing", message="nobody has looked at it yet", waits=True)
    bad = {each.type: each for each in registry.status.conditions if _is_bad(each)}
    worst = next((bad[kind] for kind in _ABNORMAL if kind in bad), None)
    if worst is None:
        return None
    waits = worst.reason in _WAITING
    return Trouble(reason=worst.reason, message=worst.message or worst.type, waits=waits)


def _is_bad(condition: Condition) -> bool:
    return _ABNORMAL.get(condition.type) == condition.status


def _secrets(block: Any) -> Iterator[str]:
    """The Secrets that a source names."""
    for key, value in block.items() if isinstance(block, dict) else ():
        if key.endswith("Secret"):
            yield str(value.get("name", "") if isinstance(value, dict) else value)


class Keeper(msgspec.Struct, frozen=True, kw_only=True):
    """Who keeps registries in sync, as far as commands depend on it."""

    on_cluster: bool
    operator: JsonObject | None = None
    """The Deployment, where it is known."""
    watched: tuple[str, ...] = ()
    """The namespaces that it looks after; none means all."""

    @property
    def home(self) -> str:
        """The namespace of the operator."""
        return SYSTEM if self.operator is None else namespace_of(self.operator)


def judge_registries(found: Sequence[Seen], remedies: Remedies, keeper: Keeper) -> Findings:
    """One finding for each that is in trouble, up to a bound."""
    ill = [registry for registry in found if registry.trouble is not None]
    shown = tuple(_finding(registry, remedies, keeper) for registry in ill[:SHOWN])
    if len(ill) > SHOWN:
        fix = remedies.thv("registry", "list", "-A")
        more = f"{counted(len(ill) - SHOWN, 'more registry', 'more registries')} in trouble"
        shown += (failed("registries", more, fix),)
    if shown:
        return shown
    every = counted(len(found), "registry", "registries")
    return (fine("registries", f"{every}, none in trouble" if found else "no registries yet"),)


def _finding(registry: Seen, remedies: Remedies, keeper: Keeper) -> Finding:
    trouble = registry.trouble
    assert trouble is not None  # noqa: S101 # only such are asked for
    if keeper.watched and registry.namespace not in keeper.watched:
        return _unwatched(registry, remedies, keeper)
    message = f"{registry.place}: {trouble.reason}: {trouble.message}"
    fix = _fix(registry, trouble.reason, remedies, keeper)
    make = note if trouble.waits else failed
    return make("registries", message, fix)


def _unwatched(registry: Seen, remedies: Remedies, keeper: Keeper) -> Finding:
    """Nobody looks after it, so what it says is of no account."""
    spaces = (*keeper.watched, registry.namespace)
    words = [word for space in spaces for word in ("--watch-namespace", space)]
    fix = remedies.repair(keeper.operator, [f"rbac.namespaces={{{','.join(spaces)}}}"], *words)
    alone = f"the operator looks after {', '.join(keeper.watched)} alone"
    return failed("registries", f"{registry.place}: {alone}", fix)


def _fix(registry: Seen, reason: str, remedies: Remedies, keeper: Keeper) -> str:
    space, name = registry.namespace, registry.name
    sync = remedies.thv("registry", "sync", name, namespace=space)
    edit = _edit(registry, remedies, keeper.on_cluster)
    match reason:
        case "SourceUnreachable" | "Timeout" | "RateLimited" if registry.url:
            return (
                f"curl -sSIL {shlex.quote(registry.url)} && {sync}   (or another address: {edit})"
            )
        case "SecretNotFound" | "AuthenticationFailed" if registry.secret:
            make = ("secret", "create", registry.secret, "--from-stdin")
            return remedies.thv(*make, namespace=space)
        case "SecretForbidden":
            return remedies.kubectl(
                *("create", "rolebinding", "source-reader", f"--clusterrole={SOURCE_READER}"),
                f"--serviceaccount={keeper.home}:{OPERATOR}",
                namespace=space,
            )
        case "NotFound" | "PathNotFound" if keeper.on_cluster and registry.config_map[0]:
            map_name, key = registry.config_map
            make = ("create", "configmap", map_name, f"--from-file={key}=FILE")
            return remedies.kubectl(*make, namespace=space)
        case "AddressDenied" if registry.host:
            return _opened(registry.host, remedies, keeper)
        case "ToolMissing":
            return "sudo apt-get install git"
        case "QuotaExceeded":
            return remedies.kubectl("describe", "resourcequota", namespace=space)
        case "APIDeploymentUnavailable" | "APINotReady":
            return remedies.kubectl("describe", "deployment", f"{name}-api", namespace=space)
        case "Suspended":
            return remedies.thv("registry", "resume", name, namespace=space)
        case "Progressing" | "Deploying":
            return remedies.thv("registry", "wait", name, namespace=space)
        case "SourceUnreachable" | "Timeout" | "RateLimited" | "Failed":
            return sync
        case _:
            return edit


def _opened(host: str, remedies: Remedies, keeper: Keeper) -> str:
    """Lets sources be there, if whoever runs this trusts that host."""
    if not keeper.on_cluster:
        return remedies.thv("config", "set", "allow", host)
    values = [f"settings.allow={{{host}}}"]
    return remedies.repair(keeper.operator, values, "--set-env", f"THV_ALLOW={host}")


def _edit(registry: Seen, remedies: Remedies, on_cluster: bool) -> str:
    if on_cluster:
        return remedies.kubectl("edit", "mcpreg", registry.name, namespace=registry.namespace)
    show = ("get", "mcpregistry", registry.name, "-o", "yaml")
    return f"{remedies.thv(*show, namespace=registry.namespace)} > FILE, then {remedies.program} apply -f FILE"


# ---------------------------------------------------------------- names


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """How pods find addresses, as far as that is seen from outside."""

    service: bool = False
    """There is a Service kube-dns."""
    endpoints: int = 0
    """Ready pods behind it."""
    nameless: tuple[str, ...] = ()
    """Registries whose source has a name that the operator finds no address of."""


def judge_names(found: Names, remedies: Remedies) -> Findings:
    """Whether pods can resolve names."""
    restart = remedies.kubectl("rollout", "restart", "deployment/coredns", namespace=DNS)
    if found.service and not found.endpoints:
        return (failed("dns", "no pod answers behind the Service kube-dns", restart),)
    if found.nameless:
        many = counted(len(found.nameless), "registry", "registries")
        message = f"the operator finds no address for the source of {many}: {found.nameless[0]}"
        logs = remedies.kubectl("logs", "deployment/coredns", "--tail=20", namespace=DNS)
        return (failed("dns", message, f"{logs}   (or the name is wrong)"),)
    ready = f"{counted(found.endpoints, 'pod')} behind the Service kube-dns"
    return (fine("dns", ready if found.service else "every source has an address"),)
