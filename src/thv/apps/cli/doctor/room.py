"""Verdicts on namespaces: whether pods of ours find room there.

In the flow: of the namespaces that hold registries, or that the operator is about to be installed in. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from thv.apps.cli.doctor.findings import Finding, Findings, failed, fine, note
from thv.apps.cli.doctor.remedies import Remedies
from thv.domain.canonical import JsonObject
from thv.domain.quantities import amount
from thv.domain.resources import labels_of, name_of

ENFORCES = "pod-security.kubernetes.io/enforce"


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What one Deployment with one pod takes of a namespace."""

    requests: Mapping[str, str]
    limits: Mapping[str, str]

    def of(self, resource: str) -> Decimal | None:
        """How much of what a quota counts; None for what we never take, or what we do not say."""
        kind, _, name = resource.rpartition(".")
        if kind in ("requests", ""):
            said = self.requests.get(name)
        else:
            said = self.limits.get(name) if kind == "limits" else None
        if said is not None:
            return amount(said)
        return Decimal(1) if resource in _COUNTED else None


_COUNTED = frozenset(
    {"pods", "services", "configmaps", "count/pods", "count/services", "count/configmaps"}
    | {"count/deployments.apps", "count/replicasets.apps", "count/serviceaccounts"}
)
_MUST_BE_SAID = frozenset(
    f"{kind}{name}" for kind in ("requests.", "limits.") for name in ("cpu", "memory")
)


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace."""

    object: JsonObject
    quotas: tuple[JsonObject, ...] = ()
    limit_ranges: tuple[JsonObject, ...] = ()
    waits: bool = False
    """Pods of ours are missing there now; else only the next change needs room."""

    @property
    def name(self) -> str:
        return name_of(self.object)


def judge_room(check: str, space: Space, need: Need, remedies: Remedies) -> Findings:
    """Whether one more pod may be there."""
    if (space.object.get("status") or {}).get("phase") == "Terminating":
        fix = remedies.kubectl("get", "namespace", space.name, "-o", "yaml")
        return (failed(check, f'the namespace "{space.name}" is being deleted', fix),)
    found = (
        *_quota_findings(check, space, need, remedies),
        *_range_findings(check, space, need, remedies),
    )
    enforced = labels_of(space.object).get(ENFORCES, "privileged")
    has_room = f'the namespace "{space.name}" has room; its pod security is "{enforced}"'
    return found or (fine(check, has_room),)


def _quota_findings(check: str, space: Space, need: Need, remedies: Remedies) -> Iterator[Finding]:
    defaults = _defaults(space)
    for quota in space.quotas:
        if (quota.get("spec") or {}).get("scopes") or quota["spec"].get("scopeSelector"):
            continue  # is about pods of another kind
        used = (quota.get("status") or {}).get("used") or {}
        short: dict[str, str] = {}
        for resource, hard in (quota["spec"].get("hard") or {}).items():
            wanted = need.of(resource)
            if wanted is None and resource in _MUST_BE_SAID and resource not in defaults:
                yield _unsaid(check, space, quota, resource, remedies)
            elif wanted is not None and amount(used.get(resource, 0)) + wanted > amount(hard):
                short[resource] = _written(amount(used.get(resource, 0)) + wanted)
        if short:
            yield _full(check, space, quota, short, remedies)


def _full(
    check: str, space: Space, quota: JsonObject, short: Mapping[str, str], remedies: Remedies
) -> Finding:
    name = name_of(quota)
    message = f'the quota "{name}" of "{space.name}" leaves no room for a pod: {", ".join(short)}'
    patch = msgspec.json.encode({"spec": {"hard": dict(short)}}).decode()
    fix = remedies.kubectl(
        *("patch", "resourcequota", name, "--type=merge", "-p", patch), namespace=space.name
    )
    if space.waits:
        return failed(check, message, fix)
    return note(check, f"{message}; what runs goes on", fix)


def _unsaid(
    check: str, space: Space, quota: JsonObject, resource: str, remedies: Remedies
) -> Finding:
    """A quota on what pods do not say refuses them all."""
    message = f'the quota "{name_of(quota)}" of "{space.name}" demands {resource}, which pods of ours leave open'
    fix = remedies.kubectl("create", "-f", "limitrange.yaml", namespace=space.name)
    fix = f"{fix}   (a LimitRange with a default for {resource})"
    return failed(check, message, fix) if space.waits else note(check, message, fix)


def _range_findings(check: str, space: Space, need: Need, remedies: Remedies) -> Iterator[Finding]:
    for limits in space.limit_ranges:
        name = name_of(limits)
        fix = remedies.kubectl("edit", "limitrange", name, namespace=space.name)
        for item in (limits.get("spec") or {}).get("limits") or ():
            for why in _broken(item, need) if item.get("type") in ("Container", "Pod") else ():
                message = f'the LimitRange "{name}" of "{space.name}" forbids our pods: {why}'
                yield failed(check, message, fix) if space.waits else note(check, message, fix)


def _broken(item: JsonObject, need: Need) -> Iterator[str]:
    for name, least in (item.get("min") or {}).items():
        said = need.requests.get(name)
        if said is not None and amount(said) < amount(least):
            yield f"they ask for {said} of {name}, it wants {least} at least"
    for name, most in (item.get("max") or {}).items():
        said = need.limits.get(name) or need.requests.get(name)
        if said is not None and amount(said) > amount(most):
            yield f"they need {said} of {name}, it allows {most} at most"


def _defaults(space: Space) -> frozenset[str]:
    """What a LimitRange says in place of a pod."""
    found: set[str] = set()
    for limits in space.limit_ranges:
        for item in (limits.get("spec") or {}).get("limits") or ():
            found |= {f"limits.{name}" for name in item.get("default") or ()}
            found |= {f"requests.{name}" for name in item.get("defaultRequest") or ()}
    return frozenset(found)


def _written(number: Decimal) -> str:
    """As a quantity: whole, or in thousandths."""
    if number == number.to_integral_value():
        return str(int(number))
    return f"{int(number * 1000)}m"
