"""Verdicts on the way to a cluster: kubeconfig, address, connection, identity, version, clock.

In the flow: first of all checks of a cluster; whatever fails here takes the rest with it. Pure.
"""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from thv.apps.cli.doctor.findings import Finding, Findings, failed, fine, note
from thv.apps.cli.doctor.remedies import Remedies
from thv.apps.cli.output import span
from thv.apps.cli.refusals import grant

OLDEST = (1, 32)
"""The oldest Kubernetes that tests were run on."""
SKEW, SKEW_NOTED = 30.0, 5.0
"""Seconds between two clocks: certificates, tokens and leases suffer from the former."""
SOON = timedelta(days=7)
_NUMBER = re.compile(r"\d+")


# ---------------------------------------------------------------- kubeconfig


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True):
    """One kubeconfig."""

    path: str
    exists: bool = True
    readable: bool = True
    contexts: tuple[str, ...] | None = None
    """None when it cannot be parsed."""
    current: str = ""


class Kubeconfig(msgspec.Struct, frozen=True, kw_only=True):
    """What says which cluster."""

    files: tuple[ConfigFile, ...]
    wanted: str = ""
    """The context that somebody named."""
    problem: str = ""
    """Why it cannot be used, `""` when it can."""
    server: str = ""
    origin: str = ""


def judge_kubeconfig(found: Kubeconfig, remedies: Remedies) -> Findings:
    """Whether it leads to a cluster."""
    if not found.problem:
        return (fine("kubeconfig", f"{found.origin}: {found.server}"),)
    return (failed("kubeconfig", found.problem, _config_fix(found, remedies)),)


def _config_fix(found: Kubeconfig, remedies: Remedies) -> str:
    there = [file for file in found.files if file.exists]
    if not there:
        return "export KUBECONFIG=FILE   (the file that whoever runs the cluster gave you)"
    for file in there:
        if not file.readable:
            return f'sudo chown "$(id -un)" {shlex.quote(file.path)}'
        if file.contexts is None:
            return f"kubectl config view --kubeconfig {shlex.quote(file.path)}   (names the line that is wrong)"
    names = [name for file in there for name in file.contexts or ()]
    if found.wanted not in names and found.wanted and names:
        return f"{remedies.elsewhere(names[0])} doctor"
    current = found.wanted or next((file.current for file in there if file.current), "")
    if current not in names and names:
        use = f"--kubeconfig {shlex.quote(there[0].path)} {shlex.quote(names[0])}"
        return f"kubectl config use-context {use}"
    return f"kubectl config view --minify --kubeconfig {shlex.quote(there[0].path)}   (shows what it names)"


# ---------------------------------------------------------------- the connection


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """The host of the API server, or of the proxy before it."""

    host: str
    cluster: str = ""
    """Its name in the kubeconfig."""
    addresses: tuple[str, ...] = ()
    proxy: bool = False


def judge_address(found: Address) -> Findings:
    """Whether its name leads anywhere."""
    what = "proxy" if found.proxy else "API server"
    if found.addresses:
        return (fine("address", f"the {what} {found.host} is at {found.addresses[0]}"),)
    setting = "--proxy-url=URL" if found.proxy else "--server=https://HOST:PORT"
    fix = f"kubectl config set-cluster {shlex.quote(found.cluster or 'CLUSTER')} {setting}"
    return (failed("address", f'the name of the {what}, "{found.host}", has no address', fix),)


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking the API server for its version."""

    server: str
    cluster: str = ""
    problem: str = ""
    """Why there is no answer, `""` when there is one of any kind."""
    untrusted: bool = False
    """Its certificate is not what the kubeconfig expects."""


def judge_connection(found: Connection, remedies: Remedies) -> Findings:
    """Whether the API server answers."""
    if not found.problem:
        return (fine("reachable", f"{found.server} answers"),)
    if found.untrusted and "expired" in found.problem:
        fix = "sudo kubeadm certs renew all   (on the control plane, or your provider's way)"
        return (failed("reachable", found.problem, fix),)
    if found.untrusted:
        cluster = shlex.quote(found.cluster or "CLUSTER")
        fix = f"kubectl config set-cluster {cluster} --certificate-authority=FILE --embed-certs"
        return (failed("reachable", found.problem, fix),)
    fix = f"{remedies.kubectl('cluster-info')}   (is the cluster started, is a VPN missing?)"
    return (failed("reachable", found.problem, fix),)


# ---------------------------------------------------------------- identity


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What proves who we are, and what the server says to it."""

    entry: str
    """The user of the kubeconfig."""
    kind: Literal["certificate", "token", "token file", "command", "password", "nothing"]
    begins: datetime | None = None
    ends: datetime | None = None
    command: tuple[str, ...] = ()
    problem: str = ""
    """Why there is nothing to show the server."""
    refused: str = ""
    """What the server says against it."""
    user: str = ""
    """Whom it takes us for."""
    now: datetime


def judge_credentials(found: Credentials) -> Findings:
    """Whether the server knows us."""
    fix = _credential_fix(found)
    if found.problem:
        return (failed("credentials", found.problem, fix),)
    if found.refused:
        return (failed("credentials", f"{_why_refused(found)}: {found.refused}", fix),)
    if found.user == "system:anonymous":
        return (failed("credentials", f'the user "{found.entry}" has no credential', fix),)
    known = f'you are "{found.user}"' if found.user else "the API server knows you"
    if found.ends is not None and found.ends - found.now < SOON:
        left = span((found.ends - found.now).total_seconds())
        return (note("credentials", f"{known}; the {found.kind} ends in {left}", fix),)
    return (fine("credentials", known),)


def _why_refused(found: Credentials) -> str:
    whose = f'the {found.kind} of the user "{found.entry}"'
    if found.ends is not None and found.ends <= found.now:
        return f"{whose} ended at {found.ends:%Y-%m-%d %H:%M} UTC"
    if found.begins is not None and found.begins > found.now:
        return f"{whose} is good from {found.begins:%Y-%m-%d %H:%M} UTC on only"
    return f"{whose} is refused" if found.kind != "nothing" else f"{whose} is missing"


def _credential_fix(found: Credentials) -> str:
    change = f"kubectl config set-credentials {shlex.quote(found.entry or 'USER')}"
    match found.kind:
        case "command":
            return f"{shlex.join(found.command)}   (must print a token; sign in first)"
        case "certificate":
            return f"{change} --client-certificate=FILE --client-key=FILE --embed-certs"
        case "password":
            return f"{change} --username=NAME --password=PASSWORD"
        case "token" | "token file" | "nothing":
            return f"{change} --token=TOKEN"


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may not do in a namespace."""

    user: str
    namespace: str
    missing: tuple[tuple[str, str, str], ...] = ()
    """Verb, resource and group."""


READING = (
    ("list", "mcpregistries", "toolhive.stacklok.io"),
    ("get", "mcpregistries", "toolhive.stacklok.io"),
    ("get", "configmaps", ""),
)
"""Without these nothing can be shown."""
WRITING = (
    ("create", "mcpregistries", "toolhive.stacklok.io"),
    ("patch", "mcpregistries", "toolhive.stacklok.io"),
    ("create", "configmaps", ""),
)
"""Without these nothing can be changed, which many need not."""


def judge_rights(found: Rights, remedies: Remedies) -> Findings:
    """Whether the caller may read registries, and change them."""
    lines: dict[str, Finding] = {}
    for needed, make in ((READING, failed), (WRITING, note)):
        for right in (right for right in found.missing if right in needed):
            message = (
                f'"{found.user}" may not {right[0]} {right[1]} in the namespace "{found.namespace}"'
            )
            given = next(iter(grant(_said(found, right))), "kubectl auth can-i --list")
            fix = given.replace("kubectl", remedies.kubectl(), 1)
            lines.setdefault(fix, make("rights", message, fix))
    may = f'you may read and change registries of the namespace "{found.namespace}"'
    return tuple(lines.values()) or (fine("rights", may),)


def _said(found: Rights, right: tuple[str, str, str]) -> dict[str, str | None]:
    verb, resource, group = right
    place = {"user": found.user, "namespace": found.namespace}
    return {**place, "verb": verb, "resource": resource, "group": group}


# ---------------------------------------------------------------- version and clock


def judge_version(version: str, oldest: tuple[int, int] = OLDEST) -> Findings:
    """Whether Kubernetes is new enough; `version` is as the server writes it, such as v1.36.3."""
    numbers = [int(number) for number in _NUMBER.findall(version)[:2]]
    if tuple(numbers) >= oldest:
        return (fine("version", f"Kubernetes {version}"),)
    needed = ".".join(map(str, oldest))
    fix = f"sudo kubeadm upgrade plan   (or your provider's way to Kubernetes {needed})"
    return (failed("version", f"Kubernetes {version} is older than {needed}", fix),)


def judge_clock(skew: float) -> Findings:
    """Whether both sides have the same time; `skew` is by how many seconds ours is ahead."""
    apart = f"this machine is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the cluster"
    fix = "sudo timedatectl set-ntp true   (here, or on the machines of the cluster)"
    if abs(skew) > SKEW:
        return (failed("clock", apart, fix),)
    if abs(skew) > SKEW_NOTED:
        return (note("clock", apart, fix),)
    return (fine("clock", "this machine and the cluster have the same time"),)
