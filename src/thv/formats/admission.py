"""ValidatingAdmissionPolicies and their bindings, generated from the policies of the domain.

In the flow: `make gen` writes them among the manifests of the operator, whose user name they know.
"""

from __future__ import annotations

from thv.domain.admission import POLICIES, Check, Policy
from thv.domain.canonical import JsonObject
from thv.domain.resources import GROUP, PREFIX

_API_VERSION = "admissionregistration.k8s.io/v1"


def policies(operator: str) -> list[JsonObject]:
    """Each policy and its binding; `operator` is the user name of the operator."""
    return [obj for policy in POLICIES for obj in (_policy(policy, operator), _binding(policy))]


def catalog_policy(catalog: str) -> list[JsonObject]:
    """What the catalog may write of a registry: the annotation that asks for a sync; `catalog` is its user name."""
    meta = "metadata.?"
    kept = " && ".join(
        f"object.{part} == oldObject.{part}"
        for part in ("spec", f"{meta}labels", f"{meta}ownerReferences", f"{meta}finalizers")
    )
    new, old = (f"{each}.metadata.?annotations.orValue({{}})" for each in _BOTH)
    asked = f"k == '{PREFIX}sync-requested-at'"
    expression = (
        f"{kept} && {new}.all(k, {asked} || (k in {old} && {old}[k] == {new}[k]))"
        f" && {old}.all(k, {asked} || k in {new})"
    )
    name = "toolhive-registry-catalog-writes"
    labels = {"app.kubernetes.io/part-of": "toolhive-registry"}
    head = {"apiVersion": _API_VERSION, "metadata": {"name": name, "labels": labels}}
    rule = {
        "apiGroups": [GROUP],
        "apiVersions": ["*"],
        "operations": ["UPDATE"],
        "resources": ["mcpregistries"],
    }
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [
            {"name": "concerns", "expression": f"request.userInfo.username == '{catalog}'"}
        ],
        "validations": [
            {
                "expression": expression,
                "message": f"the catalog may only set the annotation {PREFIX}sync-requested-at",
                "reason": "Forbidden",
            }
        ],
    }
    binding = {"policyName": name, "validationActions": ["Deny", "Audit"]}
    return [
        {**head, "kind": "ValidatingAdmissionPolicy", "spec": spec},
        {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]


_BOTH = ("object", "oldObject")


def _policy(policy: Policy, operator: str) -> JsonObject:
    variables = [
        {"name": name, "expression": cel.replace("$OP", operator)} for name, cel in policy.variables
    ]
    conditions = [{"name": "concerns", "expression": policy.condition}] if policy.condition else []
    return _object(
        "ValidatingAdmissionPolicy",
        policy,
        failurePolicy="Fail",
        matchConstraints={"resourceRules": [_rule(policy)]},
        **({"matchConditions": conditions} if conditions else {}),
        **({"variables": variables} if variables else {}),
        validations=[_validation(policy, check) for check in policy.checks],
    )


def _rule(policy: Policy) -> JsonObject:
    return {
        "apiGroups": [GROUP],
        "apiVersions": ["*"],
        "operations": list(policy.operations),
        "resources": list(policy.resources),
    }


def _validation(policy: Policy, check: Check) -> JsonObject:
    reason = {"reason": "Forbidden"} if policy.about_rights else {}
    return {"expression": check.cel, "message": check.message, **reason}


def _binding(policy: Policy) -> JsonObject:
    return _object(
        "ValidatingAdmissionPolicyBinding",
        policy,
        policyName=_name(policy),
        validationActions=["Warn"] if policy.warns else ["Deny", "Audit"],
    )


def _object(kind: str, policy: Policy, **spec: object) -> JsonObject:
    labels = {"app.kubernetes.io/part-of": "toolhive-registry"}
    metadata = {"name": _name(policy), "labels": labels}
    return {"apiVersion": _API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _name(policy: Policy) -> str:
    return f"toolhive-registry-{policy.name}"
