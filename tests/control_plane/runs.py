"""Starts the container of a pod and watches over it, again and again as its pod wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.control_plane.client import AwayError
from tests.control_plane.containers import Container, identity_of, must_not_be_root
from tests.control_plane.environment import ConfigError, environment_of, expanded, service_links
from tests.control_plane.images import Image, image_of
from tests.control_plane.node import Node
from tests.control_plane.plane import Json
from tests.control_plane.probes import Target, follow
from tests.control_plane.sandbox import PATH, Mount, Plan, Sandbox
from tests.control_plane.volumes import Volumes

_RETRY = 0.5


class ImageError(Exception):
    """No image of that name can be had."""


class Runs:
    """All runs of the containers of one pod."""

    def __init__(
        self, node: Node, pod: Json, address: str, folder: Path, report: Callable[[], None]
    ) -> None:
        self._node = node
        self._pod = pod
        self._namespace, self._name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self._address = address
        self._folder = folder
        self._report = report
        self.volumes = Volumes(pod, folder / "volumes", self._read, self._token)

    async def run(self, container: Container) -> int:
        """One run; the exit code."""
        sandbox = await self._start(container)
        probing = asyncio.create_task(self._probe(container, sandbox))
        try:
            code = await sandbox.wait()
        finally:
            probing.cancel()
        container.ended(code)
        self._report()
        return code

    async def back_off(self, container: Container) -> None:
        """The first restart is at once, every later one waits twice as long."""
        if container.exits < 2:
            return
        pace = self._node.pace
        seconds = min(pace.backoff * 2 ** (container.exits - 2), pace.most_backoff)
        which = f"container={container.name} pod={self._name}_{self._namespace}"
        container.waits("CrashLoopBackOff", f"back-off {seconds:.0f}s restarting failed {which}")
        self._report()
        await asyncio.sleep(seconds)

    # ------------------------------------------------------------ start
    async def _start(self, container: Container) -> Sandbox:
        """Tries until it starts; what is missing is told meanwhile."""
        while True:
            try:
                sandbox = await self._begin(container)
            except ConfigError as error:
                container.waits("CreateContainerConfigError", str(error))
            except ImageError as error:
                container.waits_for_image(str(error))
            except AwayError:
                pass  # the first start needs the API server
            else:
                container.runs(sandbox)
                self._report()
                return sandbox
            self._report()
            await asyncio.sleep(_RETRY)

    async def _begin(self, container: Container) -> Sandbox:
        sandbox = Sandbox(await self._plan(container))
        try:
            await sandbox.begun()
        except asyncio.CancelledError:
            sandbox.kill_all()
            raise
        return sandbox

    async def _plan(self, container: Container) -> Plan:
        spec = container.spec
        image = image_of(spec["image"], self._node.images())
        if image is None:
            raise ImageError(spec["image"])
        identity = identity_of(spec, self._pod, image)
        if identity.user == 0 and must_not_be_root(spec, self._pod):
            raise ConfigError("container has runAsNonRoot and image will run as root")
        environ = await self._environ(container, image)
        command = [*(spec.get("command") or image.entrypoint), *spec.get("args", ())]
        own = [*self.volumes.mounts(spec), Mount(self._node.hosts, "/etc/hosts", read_only=True)]
        root = self._folder / "roots" / container.name
        root.mkdir(parents=True, exist_ok=True)
        container.log.parent.mkdir(parents=True, exist_ok=True)
        return Plan(
            argv=[expanded(each, environ) for each in command],
            environ=environ,
            identity=identity,
            root=root,
            etc=self._node.etc,
            log=container.log,
            mounts=[*image.folders, *own],
            read_only=spec.get("securityContext", {}).get("readOnlyRootFilesystem", False),
            workdir=spec.get("workingDir", "/"),
            host_name=self._name[:63],
        )

    async def _environ(self, container: Container, image: Image) -> dict[str, str]:
        """As it was before while the API server is away: a kubelet has it in memory."""
        path = f"{image.search_path}:{PATH}".lstrip(":")
        base = {"PATH": path, "HOSTNAME": self._name, "HOME": "/home/nonroot", **self._links()}
        try:
            found = await environment_of(container.spec, self._pod, base, self._read)
        except AwayError:
            if container.environ is None:
                raise
            return container.environ
        container.environ = found
        return found

    def _links(self) -> dict[str, str]:
        links = service_links(self._node.services(self._namespace))
        if self._pod["spec"].get("enableServiceLinks", True):
            return links
        return {name: value for name, value in links.items() if name.startswith("KUBERNETES_")}

    async def _read(self, kind: str, name: str) -> dict[str, bytes] | None:
        return await self._node.read(self._namespace, kind, name)

    async def _token(self, audience: str, seconds: int) -> str:
        return await self._node.token(self._pod, audience, seconds)

    # ------------------------------------------------------------ probes
    async def _probe(self, container: Container, sandbox: Sandbox) -> None:
        """The startup probe holds the others back; what fails for good ends the container."""
        target = Target(self._address, container.spec, sandbox.execute)
        begun, failed = asyncio.Event(), asyncio.Event()

        def judge_start(good: bool) -> None:
            (begun if good else failed).set()

        def judge_life(good: bool) -> None:
            if not good:
                failed.set()

        def judge_readiness(good: bool) -> None:
            if container.ready != good:
                container.ready = good
                self._report()

        async with asyncio.TaskGroup() as group:
            group.create_task(self._end_after(failed, sandbox))
            if "startupProbe" in container.spec:
                asking = group.create_task(self._follow("startupProbe", target, judge_start))
                await begun.wait()
                asking.cancel()
            container.started = True
            self._report()
            group.create_task(self._follow("livenessProbe", target, judge_life))
            if "readinessProbe" not in container.spec:
                judge_readiness(True)
            group.create_task(self._follow("readinessProbe", target, judge_readiness))

    async def _follow(self, name: str, target: Target, said: Callable[[bool], None]) -> None:
        probe = target.container.get(name)
        if probe is not None:
            eager = self._node.pace.eager and name != "livenessProbe"
            await follow(probe, target, said, eager=eager)

    async def _end_after(self, failed: asyncio.Event, sandbox: Sandbox) -> None:
        await failed.wait()
        sandbox.terminate()
        await asyncio.sleep(self._pod["spec"].get("terminationGracePeriodSeconds", 30))
        sandbox.kill()
