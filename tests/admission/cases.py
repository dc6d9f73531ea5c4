"""One table of writes and whether the admission policies let them pass; Python and CEL must agree on each.

A case is what a caller does to a registry: a caller has the rights of `CALLERS` and no others.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from tests.domain.rule_cases import SOURCES, a_registry
from thv.domain.access import Caller, Grant, Right
from thv.domain.canonical import JsonObject
from thv.domain.roles import ADMIN_ROLE, DEPLOYER_ROLE, OPERATOR_ROLE, Role
from thv.formats.install import Installation

Deed = Literal["create", "change", "write status", "delete"]

OPERATOR_USER = Installation().operator
MASTERS = "system:masters"

_REGISTRIES = Right(
    verbs=("get", "list", "create", "update", "patch", "delete"),
    resources=("mcpregistries", "mcpregistries/status"),
)
_POLICY = Right(verbs=("update",), resources=("mcpregistries/policy",))


def _on_policy_of(name: str) -> Right:
    return Right(verbs=("update",), resources=("mcpregistries/policy",), names=(name,))


def _reading_secrets(*names: str) -> Right:
    return Right(verbs=("get",), resources=("secrets",), groups=("",), names=names)


def _role(name: str, *rights: Right) -> Role:
    return Role(name=f"case-{name}", meaning="Of a case.", rights=rights)


CALLERS: dict[str, Role | None] = {
    "author": _role("author", _REGISTRIES),
    "policy": _role("policy", _REGISTRIES, _POLICY),
    "policy of another": _role("policy-of-another", _REGISTRIES, _on_policy_of("another")),
    "reader of secrets": _role("reader", _REGISTRIES, _reading_secrets()),
    "reader of one": _role("reader-of-one", _REGISTRIES, _reading_secrets("one")),
    "lister of secrets": _role(
        "lister", _REGISTRIES, Right(verbs=("list", "watch"), resources=("secrets",), groups=("",))
    ),
    "admin": ADMIN_ROLE,
    "deployer": DEPLOYER_ROLE,
    "operator": OPERATOR_ROLE,
    "cluster admin": None,
}
"""What each holds in the namespace of the case; None is everything."""


def user_of(caller: str) -> str:
    """The user name on both sides."""
    return OPERATOR_USER if caller == "operator" else caller.replace(" ", "-")


def caller_named(caller: str, namespace: str) -> Caller:
    """The caller where there is no cluster."""
    role = CALLERS[caller]
    if role is None:
        return Caller(name=user_of(caller), groups=(MASTERS,), unlimited=True)
    grant = Grant(rights=role.rights, namespace=namespace)
    return Caller(name=user_of(caller), grants=(grant,), operator=caller == "operator")


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A deed and its verdict."""

    policy: str
    title: str
    caller: str
    deed: Deed
    source: str = "url"
    before: dict[str, Any] = {}
    """Of the spec, when there is a registry already."""
    after: dict[str, Any] = {}
    """Of the spec, as the caller wants it."""
    metadata: dict[str, Any] = {}
    """As the caller wants it."""
    refused: bool = False

    @property
    def name(self) -> str:
        return f"{self.policy} {'refuses' if self.refused else 'admits'}: {self.title}"


def registry_of(case: Case, spec: dict[str, Any], namespace: str, name: str) -> JsonObject:
    """A registry that differs from a plain one by these fields of the spec."""
    obj = a_registry(case.source)
    obj["metadata"] = {"name": name, "namespace": namespace}
    obj["spec"] |= spec
    return obj


# ---------------------------------------------------------------- the table


def _source(kind: str, **block: Any) -> dict[str, Any]:
    (name,) = SOURCES[kind]
    return {"source": {"type": kind, name: {**SOURCES[kind][name], **block}}}


_TRUSTED = {"trustLevel": "trusted"}
_TESTED = {"trustLevel": "tested"}
_GATED = {**_TESTED, "validationPolicy": {"approvalRequired": True}}
_OTHER_URL = {"source": {"type": "url", "url": {"url": "https://other.example.com/x.json"}}}
_OWNER_REFERENCE = {
    "ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "0-0-0-0"},
    ]
}


def _p4() -> list[Case]:
    def case(title: str, caller: str, *, refused: bool) -> Case:
        return Case(policy="P4", title=title, caller=caller, deed="write status", refused=refused)

    return [
        case("a status of the operator", "operator", refused=False),
        case("a status of an author who has the right", "author", refused=True),
        case("a status of a cluster admin", "cluster admin", refused=True),
    ]


def _p6() -> list[Case]:
    def case(
        title: str, caller: str, deed: Deed = "create", *, refused: bool = False, **more: Any
    ) -> Case:
        return Case(policy="P6", title=title, caller=caller, deed=deed, refused=refused, **more)

    on_author: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
        ("raising the trust level", {}, _TRUSTED, True),
        ("lowering the trust level", _TESTED, {}, True),
        ("loosening the policy", _GATED, _TESTED, True),
        ("a new source of a trusted registry", _TRUSTED, {**_TRUSTED, **_OTHER_URL}, True),
        ("criteria", _TESTED, {**_TESTED, "promotionCriteria": {"automatic": False}}, True),
        ("lifting enforceServers", {"enforceServers": True}, {}, True),
        ("lifting enforceTools", {"enforceTools": True}, {}, True),
        ("setting enforceServers", {}, {"enforceServers": True}, False),
        ("a new source of a raw registry", {}, _OTHER_URL, False),
        ("a policy of a raw registry", {}, {"validationPolicy": {"autoSubmit": False}}, False),
        ("another interval", _TRUSTED, {**_TRUSTED, "syncPolicy": {"interval": "2h"}}, False),
        ("another title", _GATED, {**_GATED, "displayName": "Corp"}, False),
    ]
    return [
        case("a trusted registry of an author", "author", after=_TRUSTED, refused=True),
        case("a tested registry of an author", "author", after=_TESTED, refused=True),
        case("a raw registry of an author", "author"),
        case("a trusted registry of who may set policy", "policy", after=_TRUSTED),
        case("a trusted registry of an admin", "admin", after=_TRUSTED),
        case("a trusted registry of a cluster admin", "cluster admin", after=_TRUSTED),
        case(
            "a trusted registry of who may set another's",
            "policy of another",
            after=_TRUSTED,
            refused=True,
        ),
        *(
            case(
                f"{title} by an author", "author", "change",
                before=before, after=after, refused=refused,
            )
            for title, before, after, refused in on_author
        ),
        *(
            case(f"{title} by who may", "policy", "change", before=before, after=after)
            for title, before, after, refused in on_author
            if refused
        ),
        case(
            "an owner of an enforcing registry",
            "author", "change",
            before={"enforceServers": True},
            after={"enforceServers": True},
            metadata=_OWNER_REFERENCE,
            refused=True,
        ),
        case("an owner of a plain registry", "author", "change", metadata=_OWNER_REFERENCE),
        case(
            "a label of a trusted registry", "author", "change",
            before=_TRUSTED, after=_TRUSTED, metadata={"labels": {"team": "mcp"}},
        ),
        case("the end of a plain registry", "author", "delete"),
        case("the end of a trusted registry", "author", "delete", before=_TRUSTED),
        case(
            "the end of an enforcing registry", "author", "delete",
            before={"enforceServers": True}, refused=True,
        ),
        case(
            "the end of one that enforces tools", "author", "delete",
            before={"enforceTools": True}, refused=True,
        ),
        case(
            "the end of an enforcing registry by who may", "policy", "delete",
            before={"enforceServers": True},
        ),
    ]  # fmt: skip


def _p7() -> list[Case]:
    return [
        Case(policy="P7", title="a file", caller="cluster admin", deed="create", source="file", refused=True),
        Case(policy="P7", title="a URL", caller="author", deed="create"),
        Case(
            policy="P7",
            title="a file instead of a URL",
            caller="author",
            deed="change",
            after=_source("file"),
            refused=True,
        ),
    ]  # fmt: skip


_ONE = {"authSecret": {"name": "one"}}
_TWO = {"authSecret": {"name": "two"}}


def _p8() -> list[Case]:
    def case(title: str, caller: str, after: dict[str, Any], *, refused: bool, **more: Any) -> Case:
        deed: Deed = "change" if "before" in more else "create"
        return Case(
            policy="P8", title=title, caller=caller, deed=deed, after=after, refused=refused, **more
        )

    keys = {"headersSecret": {"name": "one"}}
    verify = {"verify": {"keySecret": {"name": "one"}}}
    webhook = {"syncPolicy": {"webhook": {"secretRef": {"name": "one"}}}}
    places: list[tuple[str, dict[str, Any]]] = [
        *((f"authSecret of {kind}", _source(kind, **_ONE)) for kind in ("url", "git", "oci")),
        ("authSecret of registry", _source("registry", **_ONE)),
        ("headersSecret of url", _source("url", **keys)),
        ("headersSecret of registry", _source("registry", **keys)),
        ("keySecret of oci", _source("oci", **verify)),
        ("secretRef of a webhook", webhook),
    ]
    return [
        *(case(f"{title}, unread", "author", spec, refused=True) for title, spec in places),
        *(case(f"{title}, read", "reader of one", spec, refused=False) for title, spec in places),
        case("another Secret", "reader of one", _source("url", **_TWO), refused=True),
        case("any Secret", "reader of secrets", _source("url", **_TWO), refused=False),
        case("a list of Secrets only", "lister of secrets", _source("url", **_ONE), refused=True),
        case("a cluster admin's", "cluster admin", _source("url", **_TWO), refused=False),
        case("two, one unread", "reader of one", _source("url", **_TWO, **keys), refused=True),
        case("both read", "reader of one", _source("url", **_ONE, **keys), refused=False),
        case("a new interval beside a Secret", "author", {**_source("url", **_ONE), "syncPolicy": {"interval": "2h"}}, before=_source("url", **_ONE), refused=True),
        case("a label beside a Secret", "author", _source("url", **_ONE), before=_source("url", **_ONE), metadata={"labels": {"a": "b"}}, refused=False),
    ]  # fmt: skip


CASES: tuple[Case, ...] = (*_p4(), *_p6(), *_p7(), *_p8())


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """Headers of a source, and whether they are warned of (P11)."""

    source: Literal["url", "registry"]
    headers: dict[str, str]
    warned: bool


WARNED: tuple[Warned, ...] = tuple(
    Warned(source=source, headers={name: "x"}, warned=warned)
    for source in ("url", "registry")
    for name, warned in (("Authorization", True), ("cookie", True), ("X-API-Key", True), ("X-Team", False))
)  # fmt: skip
