"""What may be written by whom: the admission policies, each in CEL and in Python.

In the flow: a cluster evaluates the CEL between authorization and storage; the embedded store evaluates the
predicates before it writes. One table of cases holds both to the same verdicts. What concerns only a cluster (a
file of its machines is no source) has a predicate too, as a reconcile asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import msgspec

from thv.domain.access import Action, Caller
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.permissions import SET_POLICY, Permission
from thv.domain.resources import MCP_REGISTRY, metadata_of, name_of
from thv.domain.rules import warnings_of

Operation = Literal["CREATE", "UPDATE", "DELETE"]

# Parts of Kubernetes that write on behalf of nobody.
SYSTEM = (
    "system:kube-controller-manager",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:storage-version-migrator-controller",
)


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """A write that waits for its admission."""

    operation: Operation
    resource: str
    """Plural, with the subresource behind a slash: `mcpregistries/status`."""
    namespace: str
    object: JsonObject | None = None
    """As it would be stored; None when it goes."""
    old: JsonObject | None = None
    """As it is; None when it is new."""
    caller: Caller

    @property
    def spec(self) -> JsonObject:
        """Of the object as it would be stored."""
        return _spec_of(self.object)

    @property
    def old_spec(self) -> JsonObject:
        """Of the object as it is."""
        return _spec_of(self.old)

    def may_read_secret(self, name: str) -> bool:
        """Whether the caller may read a Secret of the namespace of the object."""
        secret = Action(
            verb="get", resource="secrets", group="", namespace=self.namespace, name=name
        )
        return self.caller.may(secret)


Verdict = Callable[[Write], bool]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence that must hold."""

    cel: str
    message: str
    holds: Verdict
    """The same verdict as the CEL."""


def _always(_: Write) -> bool:
    return True


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Checks of certain writes."""

    id: str
    name: str
    operations: tuple[Operation, ...]
    resources: tuple[str, ...]
    checks: tuple[Check, ...]
    variables: tuple[tuple[str, str], ...] = ()
    """Names and CEL, in the order in which they may use each other."""
    condition: str = ""
    """CEL: only these writes are looked at; it cannot use variables."""
    concerns: Verdict = _always
    """The same in Python."""
    warns: bool = False
    """What is wrong is let through with a warning."""
    about_rights: bool = False
    """What is wrong is that the caller lacks a right."""
    cluster_only: bool = False

    def matches(self, write: Write) -> bool:
        """Whether the policy looks at this write."""
        return (
            write.operation in self.operations
            and any(_is_named(resource, write.resource) for resource in self.resources)
            and self.concerns(write)
        )


class Refusal(msgspec.Struct, frozen=True):
    """Why a write must not be."""

    policy: Policy
    message: str


def refusals(write: Write, policies: Iterable[Policy]) -> Iterator[Refusal]:
    """What these policies refuse, and what they warn of."""
    for policy in policies:
        if policy.matches(write):
            broken = (check for check in policy.checks if not check.holds(write))
            yield from (Refusal(policy, check.message) for check in broken)


def admit(write: Write) -> None:
    """Raises FORBIDDEN or INVALID for a write that must not be, where no cluster judges it."""
    here = (policy for policy in POLICIES if not (policy.warns or policy.cluster_only))
    refusal = next(refusals(write, here), None)
    if refusal is None:
        return
    subject = MCP_REGISTRY.subject(name_of(write.object or write.old or {}))
    rights = refusal.policy.about_rights
    raise ThvError(
        Code.FORBIDDEN if rights else Code.INVALID,
        f"{subject} is refused: {refusal.message}",
        hint=f"You are {write.caller.name}; ask an administrator of the namespace."
        if rights
        else "",
        details={"policy": refusal.policy.id},
    )


# ---------------------------------------------------------------- words of CEL

_OPERATOR = ("isOperator", "request.userInfo.username == '$OP'")
_SYSTEM = ("isSystem", f"request.userInfo.username in [{', '.join(map(repr, SYSTEM))}]")
_SPEC_CHANGED = "oldObject == null || object.spec != oldObject.spec"
_OWNERS_CHANGED = "object.metadata.?ownerReferences != oldObject.metadata.?ownerReferences"
_WRITTEN: tuple[Operation, ...] = ("CREATE", "UPDATE")


def _may(permission: Permission, name: str) -> str:
    """Whether the caller has a permission on a registry."""
    plain, _, part = permission.resource.partition("/")
    below = f".subresource('{part}')" if part else ""
    return (
        f"authorizer.group('{permission.group}').resource('{plain}'){below}"
        f".namespace(request.namespace).name({name}).check('{permission.verb}').allowed()"
    )


# ---------------------------------------------------------------- predicates


def _is_named(resource: str, asked: str) -> bool:
    """Whether a policy on `resource`, which may be `*/status`, is about `asked`."""
    if resource.startswith("*/"):
        return asked.endswith(resource.removeprefix("*"))
    return resource == asked


def _spec_of(obj: JsonObject | None) -> JsonObject:
    return _dict((obj or {}).get("spec"))


def _dict(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _at(value: Any, path: str) -> Any:
    """The value at a path; None where a part of it is absent."""
    for part in path.split("."):
        value = _dict(value).get(part)
    return value


def _owners(obj: JsonObject | None) -> Any:
    return metadata_of(obj or {}).get("ownerReferences")


def _spec_changed(write: Write) -> bool:
    return write.old is None or write.spec != write.old_spec


def _spec_or_owners_changed(write: Write) -> bool:
    return _spec_changed(write) or _owners(write.object) != _owners(write.old)


_POLICY_FIELDS = ("trustLevel", "validationPolicy", "promotionCriteria", "source")


def _touches_trust(write: Write) -> bool:
    """Whether the trust, the policy or the source of a tested or trusted registry changes."""
    levels = {write.spec.get("trustLevel"), write.old_spec.get("trustLevel", "raw")}
    if levels <= {"raw"}:
        return False
    changed = any(write.spec.get(field) != write.old_spec.get(field) for field in _POLICY_FIELDS)
    return write.old is None or changed


def _enforces(spec: JsonObject) -> bool:
    return bool(spec.get("enforceServers") or spec.get("enforceTools"))


def _lifts_enforcement(write: Write) -> bool:
    """Whether the registry enforces less than it did, or may go by itself."""
    fields = ("enforceServers", "enforceTools")
    lifted = any(write.old_spec.get(field) and not write.spec.get(field) for field in fields)
    loose = _enforces(write.old_spec) and _owners(write.object) != _owners(write.old)
    return lifted or loose


def _may_set_policy(write: Write) -> bool:
    name = name_of(write.object or write.old or {})
    return write.caller.may(SET_POLICY.on(write.namespace, name))


def _policy_is_kept(write: Write) -> bool:
    touches = _touches_trust(write) or (write.old is not None and _lifts_enforcement(write))
    return not touches or _may_set_policy(write)


def _may_delete(write: Write) -> bool:
    enforces = _enforces(write.old_spec)
    return write.caller.operator or _is_system(write) or not enforces or _may_set_policy(write)


def _is_system(write: Write) -> bool:
    return write.caller.name in SYSTEM


def _may_read(*paths: str) -> Verdict:
    """Whether the caller may read the Secrets that are named at these paths of the spec."""

    def holds(write: Write) -> bool:
        names = (_at(write.spec, path) for path in paths)
        return all(write.may_read_secret(name) for name in names if name)

    return holds


def _named(*paths: str) -> str:
    """A list in CEL of what is given at these paths of the spec."""
    return f"[{', '.join('?object.spec.?' + path.replace('.', '.?') for path in paths)}]"


# ---------------------------------------------------------------- policies

_TRUST = 'changing trustLevel, policy, or the source of a tested or trusted registry, or lifting enforcement, needs "update" on mcpregistries/policy'
_TOUCHES = (
    "((object.spec.trustLevel != 'raw' || (oldObject != null && oldObject.spec.trustLevel != 'raw'))"
    " && (oldObject == null || object.spec.trustLevel != oldObject.spec.trustLevel"
    " || object.spec.?validationPolicy != oldObject.spec.?validationPolicy"
    " || object.spec.?promotionCriteria != oldObject.spec.?promotionCriteria"
    " || object.spec.source != oldObject.spec.source))"
    " || (oldObject != null && ((oldObject.spec.enforceServers && !object.spec.enforceServers)"
    " || (oldObject.spec.enforceTools && !object.spec.enforceTools)"
    " || ((oldObject.spec.enforceServers || oldObject.spec.enforceTools)"
    f" && {_OWNERS_CHANGED})))"
)
_AUTH_SECRETS = tuple(
    f"source.{block}.authSecret.name" for block in ("url", "git", "registry", "oci")
)
_KEY_SECRETS = (
    "source.url.headersSecret.name",
    "source.registry.headersSecret.name",
    "source.oci.verify.keySecret.name",
    "syncPolicy.webhook.secretRef.name",
)
_READABLE = "authorizer.group('').resource('secrets').namespace(request.namespace).name(s).check('get').allowed()"
_UNREADABLE = "you may only reference Secrets that you may read yourself"

POLICIES: tuple[Policy, ...] = (
    Policy(
        id="P4",
        name="status-writers",
        operations=("UPDATE",),
        resources=("*/status",),
        variables=(_OPERATOR,),
        checks=(
            Check(
                cel="variables.isOperator",
                message="status is written by the registry operator only",
                holds=lambda write: write.caller.operator,
            ),
        ),
        about_rights=True,
    ),
    Policy(
        id="P6",
        name="trust-and-policy",
        operations=_WRITTEN,
        resources=("mcpregistries",),
        condition=f"{_SPEC_CHANGED} || {_OWNERS_CHANGED}",
        concerns=_spec_or_owners_changed,
        variables=(("touches", _TOUCHES),),
        checks=(
            Check(
                cel=f"!variables.touches || {_may(SET_POLICY, 'object.metadata.name')}",
                message=_TRUST,
                holds=_policy_is_kept,
            ),
        ),
        about_rights=True,
    ),
    Policy(
        id="P6",
        name="enforcing-registries-stay",
        operations=("DELETE",),
        resources=("mcpregistries",),
        variables=(_OPERATOR, _SYSTEM),
        checks=(
            Check(
                cel=(
                    "variables.isOperator || variables.isSystem"
                    " || !(oldObject.spec.enforceServers || oldObject.spec.enforceTools)"
                    f" || {_may(SET_POLICY, 'oldObject.metadata.name')}"
                ),
                message=_TRUST,
                holds=_may_delete,
            ),
        ),
        about_rights=True,
    ),
    Policy(
        id="P7",
        name="no-file-source",
        operations=_WRITTEN,
        resources=("mcpregistries",),
        checks=(
            Check(
                cel="object.spec.source.type != 'file'",
                message='source type "file" exists only on a single machine (thv serve); use configmap, git, url or oci',
                holds=lambda write: _at(write.spec, "source.type") != "file",
            ),
        ),
        cluster_only=True,
    ),
    Policy(
        id="P8",
        name="secrets-one-may-read",
        operations=_WRITTEN,
        resources=("mcpregistries",),
        condition=_SPEC_CHANGED,
        concerns=_spec_changed,
        variables=(("auth", _named(*_AUTH_SECRETS)), ("keys", _named(*_KEY_SECRETS))),
        checks=(
            Check(
                cel=f"variables.auth.all(s, {_READABLE})",
                message=_UNREADABLE,
                holds=_may_read(*_AUTH_SECRETS),
            ),
            Check(
                cel=f"variables.keys.all(s, {_READABLE})",
                message=_UNREADABLE,
                holds=_may_read(*_KEY_SECRETS),
            ),
        ),
        about_rights=True,
    ),
    Policy(
        id="P11",
        name="no-credentials-in-headers",
        operations=_WRITTEN,
        resources=("mcpregistries",),
        checks=(
            Check(
                cel=(
                    "![?object.spec.source.?url.?headers, ?object.spec.source.?registry.?headers]"
                    ".exists(m, m.exists(h, h.lowerAscii() in ['authorization', 'cookie', 'x-api-key']))"
                ),
                message="put credentials into authSecret or headersSecret, not into headers",
                holds=lambda write: not warnings_of(write.object or {}),
            ),
        ),
        warns=True,
    ),
)
