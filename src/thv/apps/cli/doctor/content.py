"""Verdicts on registries: which are in trouble, and why.

In the flow: last of the checks, on a cluster and on one machine alike. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

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
    secret: str = ""
    """The first Secret that its source names."""
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
        secret=next(_secrets(block), ""),
        trouble=trouble_now,
        nameless=trouble_now is not None and _NAMELESS.search(trouble_now.message) is not None,
    )


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


def judge_registries(
    found: Sequence[Seen], remedies: Remedies, *, on_cluster: bool, home: str = SYSTEM
) -> Findings:
    """One finding for each that is in trouble, up to a bound; `home` is the namespace of the operator."""
    ill = [registry for registry in found if registry.trouble is not None]
    shown = tuple(
        _finding(registry, remedies, home, on_cluster=on_cluster) for registry in ill[:SHOWN]
    )
    if len(ill) > SHOWN:
        fix = remedies.thv("registry", "list", "-A")
        more = f"{counted(len(ill) - SHOWN, 'more registry', 'more registries')} in trouble"
        shown += (failed("registries", more, fix),)
    if shown:
        return shown
    every = counted(len(found), "registry", "registries")
    return (fine("registries", f"{every}, none in trouble" if found else "no registries yet"),)


def _finding(registry: Seen, remedies: Remedies, home: str, *, on_cluster: bool) -> Finding:
    trouble = registry.trouble
    assert trouble is not None  # noqa: S101 # only such are asked for
    message = f"{registry.place}: {trouble.reason}: {trouble.message}"
    fix = _fix(registry, trouble.reason, remedies, home, on_cluster=on_cluster)
    make = note if trouble.waits else failed
    return make("registries", message, fix)


def _fix(registry: Seen, reason: str, remedies: Remedies, home: str, *, on_cluster: bool) -> str:
    space, name = registry.namespace, registry.name
    sync = remedies.thv("registry", "sync", name, namespace=space)
    edit = _edit(registry, remedies, on_cluster)
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
                f"--serviceaccount={home}:{OPERATOR}",
                namespace=space,
            )
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
