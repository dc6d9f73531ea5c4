"""The checks of a cluster, in the order in which they are told.

In the flow: each joins a reader with a verdict; `plan` runs them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from thv.apps.cli.doctor.before import (
    Wanted,
    judge_already,
    judge_foreign_kinds,
    judge_install_rights,
)
from thv.apps.cli.doctor.content import Keeper, Seen, judge_names, judge_registries
from thv.apps.cli.doctor.findings import Findings, fine
from thv.apps.cli.doctor.installed import (
    KNOWN_VERSIONS,
    judge_admission,
    judge_granted,
    judge_kind,
    judge_leader,
    judge_network,
    judge_operator,
    judge_optional,
    watched_by,
    without_operator,
)
from thv.apps.cli.doctor.observer import SPACES, Observer, attributes
from thv.apps.cli.doctor.plan import Check
from thv.apps.cli.doctor.reach import (
    judge_address,
    judge_clock,
    judge_connection,
    judge_credentials,
    judge_kubeconfig,
    judge_rights,
    judge_version,
)
from thv.apps.cli.doctor.remedies import Remedies
from thv.apps.cli.doctor.room import Need, judge_room
from thv.apps.cli.doctor.way import Way
from thv.domain.access import Action
from thv.domain.canonical import JsonObject
from thv.domain.resources import MCP_REGISTRY, labels_of, namespace_of
from thv.domain.roles import OPERATOR
from thv.formats.admission import policies
from thv.formats.crd import registry_crd
from thv.formats.install import Installation, render
from thv.formats.server_crd import server_crd, tool_config_crd
from thv.sync.serving.health import ready_pods
from thv.sync.serving.settings import ApiSettings

_WAY = "The way to the cluster"
_INSTALLED = "What is installed"
_REGISTRIES = "Registries"
_BEFORE = "Before an installation"
_OPTIONAL = ("mcpservers", "mcptoolconfigs")


def on_the_way(way: Way, remedies: Remedies) -> list[Check]:
    """Kubeconfig to credentials: what everything else needs."""
    view = remedies.kubectl("config", "view", "--minify")
    ask = remedies.kubectl("cluster-info")

    async def kubeconfig() -> Findings:
        return judge_kubeconfig(await way.kubeconfig(), remedies)

    async def address() -> Findings:
        return judge_address(await way.address())

    async def reachable() -> Findings:
        return judge_connection(await way.connection(), remedies)

    async def clock() -> Findings:
        return judge_clock(way.skew)

    async def credentials() -> Findings:
        return judge_credentials(await way.credentials())

    async def version() -> Findings:
        return judge_version(await way.told_version())

    return [
        Check(id="kubeconfig", topic=_WAY, look=kubeconfig, stuck=view),
        Check(id="address", topic=_WAY, look=address, needs=("kubeconfig",), stuck=view),
        Check(id="reachable", topic=_WAY, look=reachable, needs=("address",), stuck=ask),
        Check(id="clock", topic=_WAY, look=clock, needs=("reachable",), stuck=ask),
        Check(id="credentials", topic=_WAY, look=credentials, needs=("reachable",), stuck=ask),
        Check(id="version", topic=_WAY, look=version, needs=("credentials",), stuck=ask),
    ]


def after_installation(way: Way, remedies: Remedies, namespace: str) -> list[Check]:
    """What is installed, and how the registries are; `namespace` is where the caller works, `""` that of the context."""
    there = Observer(way)
    operators = _of_operator(there, remedies)
    return [*_of_caller(way, there, remedies, namespace), *operators, *_of_content(there, remedies)]


def _of_caller(way: Way, there: Observer, remedies: Remedies, namespace: str) -> list[Check]:
    stuck = remedies.kubectl("api-resources", "--api-group", MCP_REGISTRY.group)

    async def rights() -> Findings:
        return judge_rights(await way.rights(namespace or way.client.namespace), remedies)

    async def kinds() -> Findings:
        mend = remedies.repair(await there.known_operator())
        return judge_kind(
            await there.definition(MCP_REGISTRY.resource), registry_crd(), mend, remedies
        )

    async def optional() -> Findings:
        return await _optional(there, remedies)

    needs = ("credentials",)
    return [
        Check(id="rights", topic=_INSTALLED, look=rights, needs=needs, stuck=stuck),
        Check(id="kinds", topic=_INSTALLED, look=kinds, needs=needs, stuck=stuck),
        Check(id="optional-kinds", topic=_INSTALLED, look=optional, needs=needs, stuck=stuck),
    ]


async def _optional(there: Observer, remedies: Remedies) -> Findings:
    names = [f"{plural}.{group}" for group in KNOWN_VERSIONS for plural in _OPTIONAL]
    found = [await there.definition(name) for name in names]
    expected = {crd["metadata"]["name"]: crd for crd in (server_crd(), tool_config_crd())}
    return judge_optional(found, expected, remedies)


def _of_operator(there: Observer, remedies: Remedies) -> list[Check]:
    stuck = remedies.kubectl("get", "deployments", "-A")

    async def operator() -> Findings:
        return judge_operator(await there.running(), remedies)

    async def leader() -> Findings:
        return judge_leader(await there.lease(), remedies)

    async def rights() -> Findings:
        found = await there.operator()
        if found is None:
            return without_operator("operator-rights")
        return judge_granted(await there.granted(), found, remedies)

    async def admission() -> Findings:
        found = await there.operator()
        if found is None:
            return without_operator("admission")
        user = f"system:serviceaccount:{namespace_of(found)}:{OPERATOR}"
        expected = [each for each in policies(user) if not each["kind"].endswith("Binding")]
        return judge_admission(await there.admission(), expected, found, remedies)

    async def network() -> Findings:
        found = await there.operator()
        if found is None:
            return without_operator("network")
        labels = labels_of(found["spec"]["template"])
        space = namespace_of(found)
        return judge_network(await there.network_policies(), labels, remedies, space)

    needs = ("credentials",)
    return [
        Check(id="operator", topic=_INSTALLED, look=operator, needs=needs, stuck=stuck),
        Check(id="leader", topic=_INSTALLED, look=leader, needs=("operator",), stuck=stuck),
        Check(id="operator-rights", topic=_INSTALLED, look=rights, needs=needs, stuck=stuck),
        Check(id="admission", topic=_INSTALLED, look=admission, needs=needs, stuck=stuck),
        Check(id="network", topic=_INSTALLED, look=network, needs=needs, stuck=stuck),
    ]


def _of_content(there: Observer, remedies: Remedies) -> list[Check]:
    stuck = remedies.kubectl("get", MCP_REGISTRY.resource, "-A")

    async def registries() -> Findings:
        operator = await there.known_operator()
        keeper = Keeper(on_cluster=True, operator=operator, watched=watched_by(operator))
        return judge_registries(await there.registries(), remedies, keeper)

    async def room() -> Findings:
        return await _room_of(there, await there.registries(), remedies)

    async def dns() -> Findings:
        return judge_names(await there.names(), remedies)

    needs = ("credentials",)
    return [
        Check(id="registries", topic=_REGISTRIES, look=registries, needs=needs, stuck=stuck),
        Check(id="room", topic=_REGISTRIES, look=room, needs=needs, stuck=stuck),
        Check(id="dns", topic=_REGISTRIES, look=dns, needs=needs, stuck=stuck),
    ]


async def _room_of(there: Observer, registries: Sequence[Seen], remedies: Remedies) -> Findings:
    """Of each namespace with pods of ours what is to be told, else one word for all."""
    found = await _room_of_operator(there, remedies)
    waiting = {each.namespace for each in registries if each.trouble is not None}
    names = sorted({each.namespace for each in registries}, key=lambda name: name not in waiting)
    for name in names[:SPACES]:
        space = await there.space(name, waits=name in waiting)
        if space is not None:
            found += judge_room("room", space, _API, remedies)
    told = tuple(each for each in found if each.fix)
    return told or found[-1:] or (fine("room", "no namespace holds pods of ours yet"),)


async def _room_of_operator(there: Observer, remedies: Remedies) -> Findings:
    operator = await there.known_operator()
    if operator is None:
        return ()
    ready, _ = ready_pods(operator)
    space = await there.space(namespace_of(operator), waits=not ready)
    return judge_room("room", space, _operator_need(), remedies) if space is not None else ()


def before_installation(way: Way, remedies: Remedies, namespace: str) -> list[Check]:
    """What an installation in this namespace meets."""
    there = Observer(way)
    stuck = remedies.kubectl("get", "namespaces")

    async def rights() -> Findings:
        asked = _installing(namespace)
        answers = await way.may([attributes(action) for action in asked])
        missing = [each for each, yes in zip(asked, answers, strict=True) if not yes]
        return judge_install_rights(
            Wanted(user=way.user, missing=tuple(map(_said, missing))), remedies
        )

    async def already() -> Findings:
        return judge_already((await there.running()).deployments, namespace, remedies)

    async def foreign() -> Findings:
        ours = (await there.definition(MCP_REGISTRY.resource)).object
        theirs = await there.short_names_of_others()
        return judge_foreign_kinds(ours, theirs, namespace, remedies)

    async def optional() -> Findings:
        return await _optional(there, remedies)

    async def room() -> Findings:
        space = await there.space(namespace, waits=True)
        if space is None:
            return (fine("room", f'the namespace "{namespace}" is made by the installation'),)
        return judge_room("room", space, _operator_need(), remedies)

    needs = ("credentials",)
    return [
        Check(id="install-rights", topic=_BEFORE, look=rights, needs=needs, stuck=stuck),
        Check(id="already", topic=_BEFORE, look=already, needs=needs, stuck=stuck),
        Check(id="foreign-kinds", topic=_BEFORE, look=foreign, needs=needs, stuck=stuck),
        Check(id="optional-kinds", topic=_BEFORE, look=optional, needs=needs, stuck=stuck),
        Check(id="room", topic=_BEFORE, look=room, needs=needs, stuck=stuck),
    ]


# ---------------------------------------------------------------- what is needed


def _need_of(resources: JsonObject) -> Need:
    return Need(requests=resources.get("requests") or {}, limits=resources.get("limits") or {})


_API = _need_of(msgspec.to_builtins(ApiSettings(image="").resources))


def _operator_need() -> Need:
    deployment = next(each for each in render() if each["kind"] == "Deployment")
    return _need_of(deployment["spec"]["template"]["spec"]["containers"][0]["resources"])


def _installing(namespace: str) -> list[Action]:
    """Making each kind of object that belongs to an installation, and changing it."""
    objects = [*render(Installation(namespace=namespace)), registry_crd()]
    places = {
        (_plural(obj["kind"]), obj["apiVersion"].rpartition("/")[0], namespace_of(obj))
        for obj in objects
    }
    return [
        Action(verb=verb, resource=plural, group=group, namespace=space)
        for plural, group, space in sorted(places)
        for verb in ("create", "patch")
    ]


def _plural(kind: str) -> str:
    """Good for every kind that is installed."""
    return f"{kind[:-1]}ies".lower() if kind.endswith("y") else f"{kind}s".lower()


def _said(action: Action) -> str:
    group = f".{action.group}" if action.group else ""
    where = f" in {action.namespace}" if action.namespace else ""
    return f"{action.verb} {action.resource}{group}{where}"
