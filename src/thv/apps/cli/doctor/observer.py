"""Reads what a cluster holds of an installation; every request is a read or a question.

In the flow: the reader under the verdicts of `installed`, `room`, `content` and `before`, once the way is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from thv.apps.cli.doctor.content import Names, Seen, seen_of
from thv.apps.cli.doctor.installed import (
    SELECTOR,
    Admission,
    Definition,
    Granted,
    Lease,
    Running,
    watched_by,
)
from thv.apps.cli.doctor.remedies import SYSTEM
from thv.apps.cli.doctor.room import Space
from thv.apps.cli.doctor.way import Way
from thv.clients.kube.errors import KubeError
from thv.domain.access import Action, Right
from thv.domain.canonical import JsonObject
from thv.domain.resources import (
    CLUSTER_ROLE_BINDING,
    ENDPOINTS,
    MCP_REGISTRY,
    name_of,
    namespace_of,
)
from thv.domain.roles import LEADER_ROLE, OPERATOR, OPERATOR_ROLE
from thv.domain.times import parse_time

T = TypeVar("T")

PAGE = 500
MOST = 10_000
"""Objects of a kind that are looked at."""
SPACES = 50
"""Namespaces whose quotas are looked at."""
_NOT_FOUND, _FORBIDDEN = 404, 403
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_OF_ONE_PLACE = {
    CLUSTER_ROLE_BINDING.plural: "",
    "tokenreviews": "",
    "subjectaccessreviews": "",
    ENDPOINTS.plural: "default",
}
"""Where something is whatever namespaces an operator looks after; `""` is the whole cluster."""
_DNS = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"


class Observer:
    """What is there; what several checks need is read once."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._reads: dict[str, asyncio.Task[Any]] = {}

    # ------------------------------------------------------------ kinds

    async def definition(self, name: str) -> Definition:
        """A kind by its full name; whoever may not read definitions learns which versions are served."""
        plural, _, group = name.partition(".")
        try:
            found = await self.get(f"{_CRDS}/{name}")
        except KubeError as error:
            if error.status != _FORBIDDEN:
                raise
            found = None
        return Definition(name=name, served=await self._served(group, plural), object=found)

    async def _served(self, group: str, plural: str) -> tuple[str, ...]:
        told = await self.get(f"/apis/{group}")
        versions = [str(each["version"]) for each in (told or {}).get("versions") or ()]
        found = []
        for version in versions:
            resources = await self.get(f"/apis/{group}/{version}") or {}
            if any(each.get("name") == plural for each in resources.get("resources") or ()):
                found.append(version)
        return tuple(found)

    async def short_names_of_others(self) -> tuple[str, ...]:
        """Kinds of other groups that go by a short name of ours."""
        ours = set(MCP_REGISTRY.short_names)
        return tuple(
            [
                name_of(definition)
                async for definition in self.listed(_CRDS)
                if definition["spec"]["group"] != MCP_REGISTRY.group
                and ours & set(definition["spec"]["names"].get("shortNames") or ())
            ]
        )

    # ------------------------------------------------------------ operator

    async def running(self) -> Running:
        """The operators, and the pods of the first."""
        return await self._once("running", self._running)

    async def operator(self) -> JsonObject | None:
        """Its Deployment."""
        return next(iter((await self.running()).deployments), None)

    async def known_operator(self) -> JsonObject | None:
        """Its Deployment; None also for whoever may not look."""
        try:
            return await self.operator()
        except KubeError:
            return None

    async def home(self) -> str:
        """The namespace of the operator."""
        operator = await self.operator()
        return SYSTEM if operator is None else namespace_of(operator)

    async def _running(self) -> Running:
        selected = {"labelSelector": SELECTOR}
        try:
            found = [each async for each in self.listed("/apis/apps/v1/deployments", selected)]
            everywhere = True
        except KubeError as error:
            if error.status != _FORBIDDEN:
                raise
            one = await self.get(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/{OPERATOR}")
            found, everywhere = [one] if one else [], False
        if not found:
            return Running(everywhere=everywhere)
        path = f"/api/v1/namespaces/{namespace_of(found[0])}/pods"
        pods = [pod async for pod in self.listed(path, selected)]
        return Running(deployments=tuple(found), pods=tuple(pods), everywhere=everywhere)

    async def lease(self) -> Lease:
        """Who leads."""
        space = await self.home()
        path = f"/apis/coordination.k8s.io/v1/namespaces/{space}/leases/{OPERATOR}"
        spec = (await self.get(path) or {}).get("spec") or {}
        return Lease(
            namespace=space,
            holder=str(spec.get("holderIdentity") or ""),
            renewed=_moment(spec.get("renewTime")),
            seconds=float(spec.get("leaseDurationSeconds") or 0),
            now=self._way.now(),
        )

    async def granted(self) -> Granted:
        """Asks the cluster about each right that the operator is shipped with."""
        operator = await self.operator()
        home = await self.home()
        spaces = watched_by(operator) or ("",)
        asked = [
            *(action for space in spaces for action in actions(OPERATOR_ROLE.rights, space)),
            *actions(LEADER_ROLE.rights, home),
        ]
        asked = list(dict.fromkeys(asked))
        user = f"system:serviceaccount:{home}:{OPERATOR}"
        answers = await self._way.may([attributes(action) for action in asked], user)
        missing = tuple(action for action, yes in zip(asked, answers, strict=True) if not yes)
        return Granted(asked=len(asked), missing=missing)

    async def admission(self) -> Admission:
        """Every policy of admission, and what is bound."""
        policies, bindings = f"{_ADMISSION}/validatingadmissionpolicies", "policyName"
        found = {name_of(each): each async for each in self.listed(policies)}
        bound = f"{_ADMISSION}/validatingadmissionpolicybindings"
        names = [str(each["spec"].get(bindings)) async for each in self.listed(bound)]
        return Admission(policies=found, bindings=frozenset(names))

    async def network_policies(self) -> tuple[JsonObject, ...]:
        """Those of the operator's namespace."""
        path = f"/apis/networking.k8s.io/v1/namespaces/{await self.home()}/networkpolicies"
        return tuple([each async for each in self.listed(path)])

    # ------------------------------------------------------------ namespaces and registries

    async def space(self, name: str, *, waits: bool) -> Space | None:
        """A namespace and what bounds it; None where there is none of that name."""
        path = f"/api/v1/namespaces/{quote(name, safe='')}"
        found = await self.get(path)
        if found is None:
            return None
        quotas = [each async for each in self.listed(f"{path}/resourcequotas")]
        ranges = [each async for each in self.listed(f"{path}/limitranges")]
        return Space(object=found, quotas=tuple(quotas), limit_ranges=tuple(ranges), waits=waits)

    async def registries(self) -> tuple[Seen, ...]:
        """Those of all namespaces, else those of the namespace of the context."""
        return await self._once("registries", self._registries)

    async def _registries(self) -> tuple[Seen, ...]:
        root = f"/apis/{MCP_REGISTRY.api_version}"
        here = quote(self._way.client.namespace, safe="")
        try:
            return await self._seen(f"{root}/{MCP_REGISTRY.plural}")
        except KubeError as error:
            if error.status == _NOT_FOUND:  # no such kind: another check says so
                return ()
            if error.status != _FORBIDDEN:
                raise
            return await self._seen(f"{root}/namespaces/{here}/{MCP_REGISTRY.plural}")

    async def _seen(self, path: str) -> tuple[Seen, ...]:
        return tuple([seen_of(each) async for each in self.listed(path)])

    async def names(self) -> Names:
        """How pods find addresses."""
        service = await self.get("/api/v1/namespaces/kube-system/services/kube-dns")
        selected = {"labelSelector": "kubernetes.io/service-name=kube-dns"}
        slices = [each async for each in self.listed(_DNS, selected)] if service else []
        ready = sum(_is_ready(each) for part in slices for each in part.get("endpoints") or ())
        nameless = tuple(each.place for each in await self.registries() if each.nameless)
        return Names(service=service is not None, endpoints=ready, nameless=nameless)

    # ------------------------------------------------------------ requests

    async def get(self, path: str) -> JsonObject | None:
        """One object; None where there is none."""
        try:
            return await self._way.client.request("GET", path, timeout=self._way.patience)
        except KubeError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def listed(
        self, path: str, query: Mapping[str, str] | None = None
    ) -> AsyncIterator[JsonObject]:
        """The objects of a kind, page by page, up to a bound."""
        token, seen = "", 0
        while seen < MOST:
            asked = {"limit": str(PAGE), **(query or {}), **({"continue": token} if token else {})}
            page = await self._way.client.request(
                "GET", path, query=asked, timeout=self._way.patience
            )
            for item in page.get("items") or ():
                yield item
            seen += PAGE
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                return

    async def _once(self, key: str, read: Callable[[], Awaitable[T]]) -> T:
        """Shared: a check that runs out of time leaves it to the others."""
        if key not in self._reads:
            self._reads[key] = asyncio.ensure_future(read())
        found: T = await asyncio.shield(self._reads[key])
        return found


def actions(rights: tuple[Right, ...], namespace: str) -> list[Action]:
    """Everything that rights allow, one by one; what has a place of its own is asked there."""
    return [
        Action(
            verb=verb,
            resource=resource,
            group=group,
            namespace=_OF_ONE_PLACE.get(resource, namespace),
            name=name,
        )
        for right in rights
        for group in right.groups
        for resource in right.resources
        for verb in right.verbs
        for name in right.names or ("",)
    ]


def attributes(action: Action) -> JsonObject:
    """The action as a review names it."""
    resource, _, part = action.resource.partition("/")
    found = {
        "verb": action.verb,
        "group": action.group,
        "resource": resource,
        "subresource": part,
        "namespace": action.namespace,
        "name": action.name,
    }
    return {key: value for key, value in found.items() if value}


def _is_ready(endpoint: JsonObject) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _moment(text: Any) -> datetime | None:
    found = parse_time(str(text))
    return None if found is None else found.astimezone(UTC)
