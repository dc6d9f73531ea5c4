"""Verdicts on what is installed: kinds, operator, leader, rights, policies, network.

In the flow: once a cluster is reached. Pure; objects are as the API server answers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from thv import __version__
from thv.apps.cli.doctor.findings import Findings, failed, fine, note, skipped
from thv.apps.cli.doctor.remedies import SYSTEM, UPGRADE, Remedies
from thv.apps.cli.output import counted, span
from thv.domain.access import Action
from thv.domain.canonical import JsonObject
from thv.domain.resources import labels_of, name_of, namespace_of
from thv.domain.roles import OPERATOR
from thv.sync.serving.health import health_of

PATIENCE = 15.0
"""Seconds beyond its duration that a lease may be old: its holder may just have been asleep."""
_SHOWN = 3


# ---------------------------------------------------------------- kinds


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A kind, as the cluster has it."""

    name: str
    """`mcpregistries.toolhive.stacklok.io`."""
    served: tuple[str, ...] = ()
    """Versions that requests can name; none where the kind is not known."""
    object: JsonObject | None = None
    """The CustomResourceDefinition, where the caller may read it."""


def judge_kind(found: Definition, expected: JsonObject, mend: str, remedies: Remedies) -> Findings:
    """Whether the kind is there, and is that of this program; `mend` brings ours."""
    version = str(expected["spec"]["versions"][0]["name"])
    if found.object is None and not found.served:
        return (failed("kinds", f"the cluster knows no {found.name}", mend),)
    trouble = _unaccepted(found.object or {})
    if trouble:
        fix = f"{remedies.kubectl('describe', 'crd', found.name)}   (what is in its way must go)"
        return (failed("kinds", f"{found.name}: {trouble}", fix),)
    if version not in found.served:
        there = ", ".join(found.served) or "no version"
        return (failed("kinds", f"{found.name} is served as {there}, not as {version}", mend),)
    if found.object is None:
        return (fine("kinds", f"{found.name} {version} is there; you may not read its definition"),)
    return _compared("kinds", found, expected, mend)


def judge_optional(
    found: Sequence[Definition], expected: Mapping[str, JsonObject], remedies: Remedies
) -> Findings:
    """Whether the kinds of ToolHive, where they are installed, are ones that we read."""
    there = [each for each in found if each.served]
    wrong: Findings = ()
    for each in there:
        group = each.name.partition(".")[2]
        known, mend = KNOWN_VERSIONS[group], remedies.optional_kinds(group)
        if not set(known) & set(each.served):
            wanted, has = " or ".join(known), ", ".join(each.served)
            message = f"{each.name} is served as {has}; {wanted} is read"
            wrong += (failed("optional-kinds", message, mend),)
        elif each.object is not None and each.name in expected:
            compared = _compared("optional-kinds", each, expected[each.name], mend)
            wrong += tuple(each for each in compared if each.fix)
    if wrong:
        return wrong
    names = ", ".join(each.name for each in there)
    return (fine("optional-kinds", names or "MCPServer and MCPToolConfig are not installed"),)


KNOWN_VERSIONS: Mapping[str, tuple[str, ...]] = {
    "toolhive.stacklok.io": ("v1alpha1",),
    "toolhive.stacklok.dev": ("v1alpha1", "v1beta1"),
}
"""Of the kinds of ToolHive, by group."""


def _unaccepted(definition: JsonObject) -> str:
    for condition in (definition.get("status") or {}).get("conditions") or ():
        if _BAD.get(str(condition.get("type"))) == condition.get("status"):
            return str(condition.get("message") or condition.get("reason"))
    return ""


_BAD = {"NamesAccepted": "False", "Established": "False", "Terminating": "True"}


def _compared(check: str, found: Definition, expected: JsonObject, fix: str) -> Findings:
    """By the fields of the schema, then by the rules."""
    theirs = facts(_schema(found.object or {}, found.served))
    ours = facts(_schema(expected, found.served))
    lacking = _outermost(ours.keys() - theirs.keys())
    if lacking:
        message = f"{found.name} is older than thv {__version__}: it lacks {_listed(lacking)}"
        return (failed(check, message, fix),)
    more = _outermost(theirs.keys() - ours.keys())
    if more:
        message = f"{found.name} is newer than thv {__version__}: it has {_listed(more)}"
        return (failed(check, message, UPGRADE),)
    changed = sorted(path for path in ours if ours[path] != theirs[path])
    if changed:
        message = f"{found.name} is of another version than thv {__version__}: {_listed(changed)}"
        return (failed(check, f"{message} differ", fix),)
    return (fine(check, f"{found.name} is that of thv {__version__}"),)


def _outermost(paths: Iterable[str]) -> list[str]:
    """Without what is inside of others."""
    found: list[str] = []
    for path in sorted(paths):
        inside = found and path.startswith((f"{found[-1]}.", f"{found[-1]}[", f"{found[-1]}{{"))
        if not inside:
            found.append(path)
    return found


def _schema(definition: JsonObject, served: Sequence[str]) -> JsonObject:
    """Of the first version that both know."""
    versions = (definition.get("spec") or {}).get("versions") or ()
    for each in versions:
        if each.get("name") in served:
            found: JsonObject = (each.get("schema") or {}).get("openAPIV3Schema") or {}
            return found
    return {}


def facts(schema: JsonObject, path: str = "") -> dict[str, tuple[object, ...]]:
    """What every field demands, by its path: texts for people do not count."""
    found = {path: _demands(schema)} if path else {}
    for name, field in (schema.get("properties") or {}).items():
        if path or name in ("spec", "status"):
            found |= facts(field, f"{path}.{name}" if path else name)
    for part, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(part), dict):
            found |= facts(schema[part], path + mark)
    return found


def _demands(schema: JsonObject) -> tuple[object, ...]:
    rules = [str(rule.get("rule")) for rule in schema.get("x-kubernetes-validations") or ()]
    plain = (schema.get(key) for key in ("type", "pattern", "maxLength", "maximum", "minimum"))
    return (*plain, schema.get("default"), sorted(map(str, schema.get("enum") or ())), rules)


# ---------------------------------------------------------------- operator


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """The operators of a cluster, and the pods of the first one."""

    deployments: tuple[JsonObject, ...] = ()
    pods: tuple[JsonObject, ...] = ()
    everywhere: bool = True
    """All namespaces could be looked at."""


def judge_operator(found: Running, remedies: Remedies) -> Findings:
    """Whether there is one, and its pods are ready."""
    if not found.deployments:
        where = "" if found.everywhere else f" in the namespace {SYSTEM}, the only one looked at"
        return (failed("operator", f"no operator is installed{where}", remedies.install()),)
    operator = found.deployments[0]
    space = namespace_of(operator)
    if len(found.deployments) > 1:
        spaces = [namespace_of(each) for each in found.deployments]
        fix = remedies.kubectl("delete", "deployment", OPERATOR, namespace=spaces[-1])
        return (failed("operator", f"several operators: in {', '.join(spaces)}", fix),)
    if (operator.get("spec") or {}).get("replicas") == 0:
        fix = remedies.kubectl("scale", f"deployment/{OPERATOR}", "--replicas=1", namespace=space)
        return (failed("operator", f"the operator in {space} is scaled to 0", fix),)
    health = health_of(operator, found.pods, was_ready=True, has_content=True)
    if not health.answers:
        fix = _operator_fix(operator, found.pods, remedies)
        return (failed("operator", f"the operator in {space}: {health.message}", fix),)
    return _aged(operator, health.message, remedies)


def _aged(operator: JsonObject, message: str, remedies: Remedies) -> Findings:
    """Of an operator that works: whether all of it does, and whether it is of our version."""
    space = namespace_of(operator)
    if message:
        fix = remedies.kubectl("describe", "pods", "-l", SELECTOR, namespace=space)
        return (note("operator", f"the operator in {space}: {message}", fix),)
    version = labels_of(operator).get("app.kubernetes.io/version", __version__)
    if version != __version__:
        message = f"the operator in {space} is {version}, this is thv {__version__}"
        return (note("operator", message, remedies.repair(operator)),)
    return (fine("operator", f"the operator in {space} is ready"),)


SELECTOR = f"app.kubernetes.io/name={OPERATOR}"
_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})


def _operator_fix(operator: JsonObject, pods: Sequence[JsonObject], remedies: Remedies) -> str:
    space = namespace_of(operator)
    states = [state for pod in pods for state in _containers(pod)]
    waits = {str((state.get("waiting") or {}).get("reason") or "") for state in states}
    if waits & _PULLING:
        values = ["image.registry=HOST", "image.tag=TAG"]
        return remedies.repair(operator, values, "--image", "HOST/toolhive-registry:TAG")
    if any(state.get("terminated") for state in states) or "CrashLoopBackOff" in waits:
        command = ("logs", f"deployment/{OPERATOR}", "--previous", "--tail=20")
        return remedies.kubectl(*command, namespace=space)
    if not pods:
        return remedies.kubectl("describe", "replicasets", "-l", SELECTOR, namespace=space)
    return remedies.kubectl("describe", "pods", "-l", SELECTOR, namespace=space)


def _containers(pod: JsonObject) -> Iterator[JsonObject]:
    """How each container is, and how it was before."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        yield from (container.get(key) or {} for key in ("state", "lastState"))


def watched_by(operator: JsonObject | None) -> tuple[str, ...]:
    """The namespaces that the operator is told to look after; none means all."""
    template = ((operator or {}).get("spec") or {}).get("template") or {}
    for container in (template.get("spec") or {}).get("containers") or ():
        for variable in container.get("env") or ():
            if variable.get("name") == "THV_NAMESPACES":
                return tuple(word for word in str(variable.get("value") or "").split(",") if word)
    return ()


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who leads, as the cluster has it."""

    namespace: str
    holder: str = ""
    renewed: datetime | None = None
    seconds: float = 0.0
    """How long it lasts."""
    now: datetime
    """By the clock of the cluster."""


def judge_leader(found: Lease, remedies: Remedies) -> Findings:
    """Whether one of the operator's processes works."""
    fix = remedies.restart(found.namespace)
    if not found.holder or found.renewed is None:
        return (failed("leader", "no process of the operator holds its lease", fix),)
    age = (found.now - found.renewed).total_seconds()
    if age > found.seconds + PATIENCE:
        stale = f'the lease of "{found.holder}" was renewed {span(age)} ago, and lasts {found.seconds:g} s'
        return (failed("leader", stale, fix),)
    return (fine("leader", f"{found.holder} leads"),)


# ---------------------------------------------------------------- what it may do


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator was found not to be allowed."""

    asked: int
    missing: tuple[Action, ...] = ()


def judge_granted(found: Granted, operator: JsonObject | None, remedies: Remedies) -> Findings:
    """Whether the operator may do what it is shipped with."""
    if not found.missing:
        return (fine("operator-rights", f"the operator has its {counted(found.asked, 'right')}"),)
    names = [_spelled(action) for action in found.missing]
    message = f"the operator lacks {counted(len(names), 'right')}: {_listed(names)}"
    return (failed("operator-rights", message, remedies.repair(operator)),)


def _spelled(action: Action) -> str:
    group = f".{action.group}" if action.group else ""
    where = f" in {action.namespace}" if action.namespace else ""
    return f"{action.verb} {action.resource}{group}{where}"


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """Policies of admission and their bindings, by name."""

    policies: Mapping[str, JsonObject]
    bindings: frozenset[str]


def judge_admission(
    found: Admission,
    expected: Sequence[JsonObject],
    operator: JsonObject | None,
    remedies: Remedies,
) -> Findings:
    """Whether the policies are there, bound, and those of this program; `expected` are policies alone."""
    fix = remedies.repair(operator, ["admission.enabled=true"])
    names = [name_of(policy) for policy in expected]
    absent = [name for name in names if name not in found.policies]
    unbound = [name for name in names if name in found.policies and name not in found.bindings]
    changed = [
        name_of(policy)
        for policy in expected
        if name_of(policy) in found.policies
        and _judged(policy) != _judged(found.policies[name_of(policy)])
    ]
    said = {
        "are missing": absent,
        "are not bound": unbound,
        "are not those of this operator": changed,
    }
    wrong = [
        failed("admission", f"{_of(named, len(names))} {what}: {_listed(named)}", fix)
        for what, named in said.items()
        if named
    ]
    every = f"{counted(len(names), 'policy', 'policies')} of admission are in force"
    return tuple(wrong) or (fine("admission", every),)


def _of(named: Sequence[str], every: int) -> str:
    return f"{len(named)} of {every} policies of admission"


def _judged(policy: JsonObject) -> tuple[object, ...]:
    spec = policy.get("spec") or {}
    checks = [check.get("expression") for check in spec.get("validations") or ()]
    words = [(each.get("name"), each.get("expression")) for each in spec.get("variables") or ()]
    return checks, words


# ---------------------------------------------------------------- network


def judge_network(
    policies: Iterable[JsonObject], labels: Mapping[str, str], remedies: Remedies, namespace: str
) -> Findings:
    """Whether network policies let the operator out at all; `labels` are those of its pods."""
    closing = [
        policy
        for policy in policies
        if "Egress" in (policy["spec"].get("policyTypes") or ()) and _selects(policy, labels)
    ]
    if any(policy["spec"].get("egress") for policy in closing) or not closing:
        return (fine("network", "network policies let the operator out"),)
    names = [name_of(policy) for policy in closing]
    rule = '{"spec":{"egress":[{}]}}'
    fix = remedies.kubectl(
        *("patch", "networkpolicy", names[0], "--type=merge", "-p", rule), namespace=namespace
    )
    return (failed("network", f"no network policy lets the operator out: {_listed(names)}", fix),)


def _selects(policy: JsonObject, labels: Mapping[str, str]) -> bool:
    """By labels alone; one with expressions is taken to select, as most say what is left out."""
    wanted: dict[str, str] = (policy["spec"].get("podSelector") or {}).get("matchLabels") or {}
    return wanted.items() <= labels.items()


def _listed(names: Sequence[str]) -> str:
    """Some of the names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def without_operator(check: str) -> Findings:
    """For what nobody can ask as long as there is none."""
    return (skipped(check, "no operator was found", because="operator"),)
