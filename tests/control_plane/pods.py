"""One pod from its assignment to the node until it is deleted, as a kubelet would run it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from tests.control_plane.client import MERGE, ApiError, AwayError
from tests.control_plane.containers import Container
from tests.control_plane.environment import ConfigError
from tests.control_plane.node import Node
from tests.control_plane.plane import Json
from tests.control_plane.pod_status import HOST, PodStatus, is_ready
from tests.control_plane.runs import Runs
from tests.control_plane.sandbox import Sandbox

_RETRY = 0.5
_PAUSE = 0.2


class RunningPod:
    """A pod that this node runs."""

    def __init__(self, node: Node, pod: Json, address: str) -> None:
        meta = pod["metadata"]
        self.namespace, self.name, self.uid = meta["namespace"], meta["name"], meta["uid"]
        own = {"podIP": address, "podIPs": [{"ip": address}], "hostIP": HOST}
        pod = {**pod, "status": {**pod.get("status", {}), **own}}
        self._client = node.client
        self._refresh = node.pace.refresh
        self._announce = node.announce
        self._address = address
        self._path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"
        logs = node.folder / "logs" / self.namespace / self.name
        spec = pod["spec"]
        self._init = [
            Container(each, logs / each["name"]) for each in spec.get("initContainers", ())
        ]
        self.containers = [Container(each, logs / each["name"]) for each in spec["containers"]]
        self._status = PodStatus(pod, address, self._init, self.containers)
        self._runs = Runs(node, pod, address, node.folder / "pods" / self.uid, self._report)
        self._changed = asyncio.Event()
        self._leaving = asyncio.Event()
        self._hurried = asyncio.Event()
        self._grace = 0.0

    # ------------------------------------------------------------ from outside
    def leave(self, grace: float) -> None:
        """The pod is being deleted."""
        self._grace = grace
        self._leaving.set()
        if grace <= 0:
            self._hurried.set()

    def all(self) -> Iterator[Container]:
        yield from self._init
        yield from self.containers

    def kill_all(self) -> None:
        for container in self.all():
            if container.sandbox is not None:
                container.sandbox.kill_all()

    async def live(self) -> None:
        """Until the pod is deleted."""
        reporting = asyncio.create_task(self._keep_reporting())
        work = asyncio.create_task(self._work())
        try:
            await self._until_leaving(work)
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            running = [each for each in self.all() if each.sandbox is not None]
            await asyncio.gather(*map(self._end, running))
        finally:
            reporting.cancel()
            work.cancel()
            self.kill_all()
        await self._remove()

    # ------------------------------------------------------------ life
    async def _until_leaving(self, work: asyncio.Task[None]) -> None:
        """What goes wrong in here is told at once."""
        leaving = asyncio.create_task(self._leaving.wait())
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        await leaving

    async def _work(self) -> None:
        await self._prepare_volumes()
        async with asyncio.TaskGroup() as group:
            refreshing = group.create_task(self._keep_refreshing())
            if await self._initialize():
                await asyncio.gather(*map(self._keep_running, self.containers))
            refreshing.cancel()

    async def _initialize(self) -> bool:
        for container in self._init:
            if await self._keep_running(container, init=True) != 0:
                return False
        return True

    async def _keep_running(self, container: Container, *, init: bool = False) -> int:
        while True:
            code = await self._runs.run(container)
            if not self._status.restarts(code, init=init):
                return code
            await self._runs.back_off(container)

    async def _prepare_volumes(self) -> None:
        while True:
            try:
                await self._runs.volumes.write()
            except (ConfigError, ApiError, AwayError) as error:
                for container in self.all():
                    container.waits("ContainerCreating", f"MountVolume.SetUp failed: {error}")
                self._report()
                await asyncio.sleep(_RETRY)
            else:
                return

    async def _keep_refreshing(self) -> None:
        while True:
            await asyncio.sleep(self._refresh)
            with suppress(ConfigError, ApiError, AwayError):  # what is there stays
                await self._runs.volumes.write()

    # ------------------------------------------------------------ end
    async def _end(self, container: Container) -> None:
        sandbox = container.sandbox
        assert sandbox is not None
        ended = asyncio.create_task(sandbox.wait())
        hurried = asyncio.create_task(self._hurried.wait())
        asking = asyncio.create_task(self._ask_to_end(container, sandbox))
        await asyncio.wait(
            {ended, hurried}, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED
        )
        asking.cancel()
        hurried.cancel()
        sandbox.kill_all()
        container.ended(await ended)

    async def _ask_to_end(self, container: Container, sandbox: Sandbox) -> None:
        match container.spec.get("lifecycle", {}).get("preStop", {}):
            case {"sleep": sleep}:
                await asyncio.sleep(sleep["seconds"])
            case {"exec": command}:
                await sandbox.execute(command["command"], self._grace)
            case _:
                pass
        sandbox.terminate()

    async def _remove(self) -> None:
        """Deletes the object; nothing of the pod is left but its logs."""
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        while True:
            try:
                await self._send_status()
                await self._client.request("DELETE", self._path, options)
            except ApiError:
                return  # gone, or another pod of that name
            except AwayError:
                await asyncio.sleep(_PAUSE)
            else:
                return

    # ------------------------------------------------------------ status
    def _report(self) -> None:
        self._changed.set()

    async def _keep_reporting(self) -> None:
        self._report()
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._send_status()
            except ApiError:
                pass  # deleted: the watch says so
            except AwayError:
                self._report()
                await asyncio.sleep(_PAUSE)

    async def _send_status(self) -> None:
        status = self._status.render()
        await self._announce(self.uid, self._address, is_ready(status))
        body = {"metadata": {"uid": self.uid}, "status": status}
        await self._client.request("PATCH", f"{self._path}/status", body, kind=MERGE)
