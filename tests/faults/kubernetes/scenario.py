"""A life of three registries in one namespace, in steps: how each step is told, and when it is done.

`corp` has an API of its own, `shop` one that is shared, `lab` none. At the end only `corp` is left.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.control_plane.plane import ControlPlane, PlaneError
from tests.faults.kubernetes.faults import NONE, Faults, Moment
from tests.faults.kubernetes.journal import Write
from tests.faults.kubernetes.operating import OperatorProcess, until
from tests.faults.kubernetes.picture import KINDS, Picture, picture, strays, subjects, torn
from tests.faults.kubernetes.proxy import FaultProxy
from thv.domain.canonical import JsonObject
from thv.domain.resources import MCP_REGISTRY

PATIENCE = 60.0
QUIET = 0.3
"""Seconds without a request after which nothing more comes of a step."""
GRACE = "1s"
"""How long the operator keeps chunks that nobody names any more, in these runs."""
TROUBLE = 2.0
"""Seconds for which faults last in each step."""
SHARED = "registry-api-shared"
REQUEST = "toolhive.stacklok.io/sync-requested-at"


def document(*names: str, description: str = "a server") -> str:
    """A registry in the official form, its times fixed."""
    return json.dumps(
        [
            {"name": f"io.example/{name}", "version": "1.0.0", "description": description}
            for name in names
        ]
    )


class World:
    """A namespace, and the hand of its owner."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.plane = plane
        self.namespace = namespace

    def path(self, plural: str, name: str = "") -> str:
        return f"{KINDS[plural]}/namespaces/{self.namespace}/{plural}/{name}".rstrip("/")

    def registry(self, name: str) -> JsonObject:
        return self.plane.request("GET", self.path(MCP_REGISTRY.plural, name))

    def add(self, name: str, servers: str, api: JsonObject) -> None:
        """A registry and the ConfigMap that it reads."""
        source = {"name": f"{name}-servers"}
        content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": source}
        content["data"] = {"registry.json": servers}
        self.plane.request("POST", self.path("configmaps"), content)
        registry = {
            "apiVersion": MCP_REGISTRY.api_version,
            "kind": MCP_REGISTRY.kind,
            "metadata": {"name": name},
            "spec": {"source": {"type": "configmap", "configMap": source}, "api": api},
        }
        self.plane.request("POST", self.path(MCP_REGISTRY.plural), registry)

    def change(self, plural: str, name: str, edit: Callable[[JsonObject], None]) -> None:
        """Edits an object as kubectl does, again when somebody was faster."""
        path = self.path(plural, name)
        while True:
            obj = self.plane.request("GET", path)
            edit(obj)
            try:
                self.plane.request("PUT", path, obj)
            except PlaneError as error:
                if ": 409 " not in str(error):
                    raise
            else:
                return

    def remove(self, name: str) -> None:
        self.plane.request("DELETE", self.path(MCP_REGISTRY.plural, name))

    def has(self, plural: str, name: str) -> bool:
        listed = self.plane.request("GET", self.path(plural))["items"]
        return any(item["metadata"]["name"] == name for item in listed)

    def names(self) -> str:
        """Everything that there is, for whoever wonders."""
        found = [
            f"{plural}/{item['metadata']['name']}"
            for plural in KINDS
            for item in self.plane.request("GET", self.path(plural))["items"]
        ]
        return f"{' '.join(found)}; subjects {self.subjects()}"

    def subjects(self) -> list[str]:
        """The accounts of this namespace that may check tokens."""
        return subjects(self.plane, self.namespace)

    def is_settled(self, name: str, servers: int) -> bool:
        """Whether the operator has seen everything about a registry, has made so many servers of it and tries nothing
        again."""
        obj = self.registry(name)
        status, meta = obj.get("status", {}), obj["metadata"]
        content = self.plane.request("GET", self.path("configmaps", f"{name}-servers"))
        sync = status.get("syncStatus", {})
        return bool(
            status.get("observedGeneration") == meta["generation"]
            and status.get("serverCount", 0) == servers
            and sync.get("phase") == "Complete"
            and sync.get("revision") == content["metadata"]["resourceVersion"]
            and status.get("lastHandledSyncRequest", "")
            == meta.get("annotations", {}).get(REQUEST, "")
            and self.has("services", f"{name}-api") is bool(obj["spec"]["api"]["enabled"])
        )


@dataclass(frozen=True)
class Step:
    title: str
    act: Callable[[World], None]
    done: Callable[[World], bool]


def _create(world: World) -> None:
    world.add("corp", document("a", "b"), {})
    world.add("shop", document("c"), {"mode": "shared"})
    world.add("lab", document("d"), {"enabled": False})


def _edit(world: World) -> None:
    def more(content: JsonObject) -> None:
        content["data"] = {"registry.json": document("a", "b", "e", description="a better one")}

    world.change("configmaps", "corp-servers", more)


def _filter(world: World) -> None:
    def narrow(obj: JsonObject) -> None:
        obj["spec"]["filter"] = {"exclude": {"names": ["io.example/b"]}}

    world.change(MCP_REGISTRY.plural, "corp", narrow)


def _resync(world: World) -> None:
    def ask(obj: JsonObject) -> None:
        obj["metadata"].setdefault("annotations", {})[REQUEST] = "once more"

    for name in ("corp", "shop"):
        world.change(MCP_REGISTRY.plural, name, ask)


def _api(world: World, *, enabled: bool) -> None:
    def switch(obj: JsonObject) -> None:
        obj["spec"]["api"]["enabled"] = enabled

    for name in ("corp", "shop"):
        world.change(MCP_REGISTRY.plural, name, switch)


def _delete(world: World) -> None:
    for name in ("lab", "shop"):
        world.remove(name)


def _three(servers: int) -> Callable[[World], bool]:
    def done(world: World) -> bool:
        wanted = {"corp": servers, "shop": 1, "lab": 1}
        return all(world.is_settled(name, count) for name, count in wanted.items())

    return done


def _are_gone(world: World) -> bool:
    """Whether nothing is left but what is `corp`'s own, with which all is well."""
    shared = any(world.has(plural, SHARED) for plural in KINDS)
    services = any(world.has("services", f"{name}-api") for name in ("lab", "shop"))
    alone = not shared and not services and world.subjects() == ["corp-api"]
    return alone and world.is_settled("corp", 2)


STEPS = (
    Step("create", _create, _three(2)),
    Step("edit", _edit, _three(3)),
    Step("filter", _filter, _three(2)),
    Step("resync", _resync, _three(2)),
    Step("no API", lambda world: _api(world, enabled=False), _three(2)),
    Step("API", lambda world: _api(world, enabled=True), _three(2)),
    Step("delete", _delete, _are_gone),
)


Order = Callable[[FaultProxy, int], None]
"""Has the proxy kill the process at some moment."""


def at_write(number: int, moment: Moment) -> Order:
    """At the n-th write, whatever it is."""
    return lambda proxy, pid: proxy.kill(pid, number=number, moment=moment)


def at_first_status(proxy: FaultProxy, pid: int) -> None:
    """At the first status of a registry, which is written and not answered."""

    def is_status(write: Write) -> bool:
        return (write.target.resource, write.target.subresource) == (MCP_REGISTRY.plural, "status")

    proxy.kill(pid, number=1, moment="before", which=is_status)


@dataclass(frozen=True)
class Run:
    picture: Picture
    writes: list[Write]
    killed: Write | None = None
    """The write at which the operator was killed."""
    torn: tuple[str, ...] = ()
    """Chunks that were named and missing while it was dead."""
    seconds: float = 0.0


def play(
    world: World,
    proxy: FaultProxy,
    operator: OperatorProcess,
    kill: Order | None = None,
    faults: Faults = NONE,
) -> Run:
    """The scenario from its begin to its end, with the operator killed once or not at all, and faults in each step."""
    began, lost = time.monotonic(), list[str]()

    def revive() -> bool:
        if operator.alive:
            return False
        lost.extend(torn(world.plane, world.namespace))
        return operator.revive()

    def rests(done: Callable[[], bool], what: str) -> None:
        """Waits until an operator that works asks nothing more, and has done this."""
        journal = proxy.journal

        begun = time.monotonic()

        def holds() -> bool:
            if time.monotonic() - begun > TROUBLE:
                proxy.faults = NONE
            is_at_work = not revive() and journal.led_since(operator.started)
            return is_at_work and journal.quiet_for() > QUIET and done()

        try:
            until(holds, PATIENCE, what, pause=0.05)
        except TimeoutError as error:
            error.add_note(f"{world.names()}\n{operator.said()[-3000:]}")
            raise

    with operator:
        if kill is not None:
            kill(proxy, operator.pid)
        for step in STEPS:
            proxy.faults = faults
            step.act(world)
            rests(lambda step=step: step.done(world), f"the step {step.title!r}")  # type: ignore[misc]
        rests(lambda: not strays(world.plane, world.namespace), "old chunks to go")
    writes = proxy.journal.since(0)
    seen = picture(world.plane, world.namespace, writes)
    return Run(seen, writes, proxy.killed, tuple(lost), time.monotonic() - began)
