"""What a cluster refuses, with what a person of the command line does about it.

In the flow: between a command on a cluster and the error that it ends with. What concerns the command itself was
said already; here is what concerns the cluster: nobody answers, the product is not installed, a right is missing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from thv.apps.cli.exits import CommandError
from thv.apps.cli.session import Session
from thv.domain.access import Action
from thv.domain.errors import Code, ThvError
from thv.domain.resources import GROUP, MCP_SERVER, TOOL_CONFIG
from thv.domain.roles import role_for

_MISSING = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]+)")?'
)
_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):(.+)")
_READING = frozenset({"get", "list", "watch"})
_VIEWED = frozenset({"configmaps", "events", "pods", "pods/log", "services"})


def explained(session: Session, error: ThvError) -> ThvError:
    """The error in the words of the command line; most are already."""
    if isinstance(error, CommandError):
        return error
    if error.details.get("unknownKind"):
        return _not_installed(session, error)
    if error.code is Code.FORBIDDEN and (missing := _MISSING.search(error.message)):
        return _lacks(session, error, missing)
    if error.code is Code.STORE_UNAVAILABLE:
        return _away(session, error)
    return error


def _away(session: Session, error: ThvError) -> CommandError:
    context = session.settings.context
    return CommandError(
        error.code,
        f"the cluster does not answer: {error.message}",
        cause=f'the context is "{context}"' if context else "",
        tries=[
            f"{session.program} doctor",
            "thv registry list --backend local   (registries of this machine)",
        ],
    )


def _not_installed(session: Session, error: ThvError) -> CommandError:
    kind = error.details["unknownKind"]
    if kind in (MCP_SERVER.kind, TOOL_CONFIG.kind):
        return _not_chosen(session, error, kind)
    return CommandError(
        error.code,
        f"the product is not installed on this cluster: it knows no kind {kind}",
        tries=[f"{session.program} operator install"],
        details=error.details,
    )


def _not_chosen(session: Session, error: ThvError, kind: str) -> CommandError:
    """Kinds that come with ToolHive, in a group of its own, or on request."""
    return CommandError(
        error.code,
        f"this cluster knows no kind {kind} of {GROUP}",
        tries=[
            f"{session.program} list   (servers of ToolHive's own group, too)",
            "kubectl apply --server-side -f charts/toolhive-registry-crds/optional",
        ],
        details=error.details,
    )


def _lacks(session: Session, error: ThvError, missing: re.Match[str]) -> CommandError:
    """Names the right, and how somebody who may gives it."""
    said = missing.groupdict()
    group = f".{said['group']}" if said["group"] else ""
    where = f' in the namespace "{said["namespace"]}"' if said["namespace"] else ""
    right = f"{said['verb']} {said['resource']}{group}"
    return CommandError(
        error.code,
        f'the user "{said["user"]}" lacks a right{where}: {right}',
        tries=[*grant(said), f"{session.program} auth whoami"],
        details={**error.details, **{key: value for key, value in said.items() if value}},
    )


def _role(verb: str, resource: str, group: str) -> str:
    """Kubernetes' own role for reading what is its own; `""` where no role gives the right."""
    if not group and resource in _VIEWED and verb in _READING:
        return "view"
    found = role_for(Action(verb=verb, resource=resource, group=group))
    return found.name if found else ""


def grant(said: Mapping[str, str | None]) -> list[str]:
    """The binding of the smallest role that is shipped, where one gives the right.

    `said` has the user, the verb, the resource, its group and the namespace, as a refusal names them.
    """
    role = _role(str(said["verb"]), str(said["resource"]), said["group"] or "")
    if not role:
        return []
    account = _ACCOUNT.fullmatch(str(said["user"]))
    who = (
        f"--serviceaccount={account[1]}:{account[2]}"
        if account
        else f"--user={shlex.quote(str(said['user']))}"
    )
    if not said["namespace"]:
        return [f"kubectl create clusterrolebinding {role} --clusterrole={role} {who}"]
    space = shlex.quote(said["namespace"])
    return [f"kubectl create rolebinding -n {space} {role} --clusterrole={role} {who}"]
