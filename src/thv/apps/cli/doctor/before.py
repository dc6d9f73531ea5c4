"""Verdicts before an installation: rights, what is there already, kinds of others.

In the flow: with `--pre`, in place of those on what is installed. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from thv.apps.cli.doctor.findings import Findings, failed, fine, note
from thv.apps.cli.doctor.remedies import RELEASE, Remedies
from thv.domain.canonical import JsonObject
from thv.domain.resources import MCP_REGISTRY, annotations_of, namespace_of

_RELEASE_SPACE = "meta.helm.sh/release-namespace"
_SHOWN = 3


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What an installer was found not to be allowed."""

    user: str
    missing: tuple[str, ...] = ()
    """As `create deployments.apps in toolhive-system`."""


def judge_install_rights(found: Wanted, remedies: Remedies) -> Findings:
    """Whether the caller may install."""
    if not found.missing:
        return (fine("install-rights", "you may make everything that is installed"),)
    more = len(found.missing) - _SHOWN
    named = ", ".join(found.missing[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    role = ("toolhive-registry-installer", "--clusterrole=cluster-admin", f"--user={found.user}")
    bind = remedies.kubectl("create", "clusterrolebinding", *role)
    fix = f"{bind}   (by an administrator)"
    return (failed("install-rights", f'"{found.user}" may not {named}', fix),)


def judge_foreign_kinds(
    ours: JsonObject | None, theirs: Sequence[str], namespace: str, remedies: Remedies
) -> Findings:
    """Whether kinds that are there already are in the way; `theirs` share a short name with ours."""
    found: Findings = ()
    if ours is not None:
        owner = annotations_of(ours).get(RELEASE, "")
        space = annotations_of(ours).get(_RELEASE_SPACE, "")
        if owner and (owner, space) != ("toolhive-registry", namespace):
            message = f"{MCP_REGISTRY.resource} belongs to the Helm release {space}/{owner}"
            fix = remedies.helm_install(namespace, "--set", "crds.enabled=false")
            found += (failed("foreign-kinds", message, fix),)
        elif not owner:
            message = f"{MCP_REGISTRY.resource} is there, and not by Helm"
            fix = remedies.helm_install(namespace, "--take-ownership")
            found += (note("foreign-kinds", message, fix),)
    for name in theirs:
        message = f"{name} goes by a short name of ours as well"
        found += (note("foreign-kinds", message, remedies.kubectl("get", MCP_REGISTRY.resource)),)
    return found or (fine("foreign-kinds", "no kinds are in the way"),)


def judge_already(operators: Sequence[JsonObject], namespace: str, remedies: Remedies) -> Findings:
    """Whether an operator is there already: a cluster has one."""
    spaces = [namespace_of(each) for each in operators]
    elsewhere = [space for space in spaces if space != namespace]
    if elsewhere:
        message = f"an operator is installed in {elsewhere[0]} already; a cluster has one"
        return (failed("already", message, remedies.thv("operator", "upgrade")),)
    if spaces:
        fix = remedies.repair(operators[0])
        return (note("already", f"an operator is installed in {namespace} already", fix),)
    return (fine("already", "no operator is installed yet"),)
