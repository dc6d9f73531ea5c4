"""`thv serve` and `thv dev`: what they announce, what they run, and how they end.

In the flow: the command line parses and calls one of these two stories.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from thv.apps.cli.commands.registry_list import listing
from thv.apps.cli.exits import CommandError
from thv.apps.cli.files import file_registry_name
from thv.apps.cli.output import print_list
from thv.apps.cli.registries import every, find_stored
from thv.apps.cli.session import Session
from thv.apps.cli.wiring import Local
from thv.apps.kit.home import Home
from thv.apps.standalone.announce import announce, tour
from thv.apps.standalone.content import sample_content
from thv.apps.standalone.links import dashboard_of
from thv.apps.standalone.ports import bound
from thv.apps.standalone.report import Reporter
from thv.apps.standalone.samples import MANAGER, sample_registries
from thv.apps.standalone.service import running
from thv.apps.standalone.settings import Settings
from thv.apps.standalone.sign_in import require_sign_in
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.registry import load_registry
from thv.domain.resources import MCP_REGISTRY, name_of, namespace_of

HIGHEST_PORT = 65535
FIRST_SYNC = 30
"""Seconds that the samples have before what there is is shown."""


async def run_serve(session: Session, asked: Settings) -> None:
    """Serves a data folder, or files, until it is stopped."""
    require_sign_in(asked)
    async with _content(session, asked) as (served, chosen):
        with _bound(chosen, "thv serve") as (listener, settings):
            async with running(served.local, settings, listener) as work:
                with _told_to_stop() as stop:
                    await announce(served, settings, dashboard_of(served.local.home, settings))
                    reporter = Reporter(served.local.resources, served.console)
                    await _until_stopped(stop, work, reporter)


async def run_dev(session: Session, asked: Settings, *, kept: bool) -> None:
    """The sandbox: sample registries in a data folder that is gone afterwards, unless it is `kept`.

    An access file is that of a real service; the sandbox is for whoever is on this machine.
    """
    asked = msgspec.structs.replace(asked, access_file=None, sign_in=None)
    with (
        _bound(asked, "thv dev") as (listener, settings),
        _sandbox(session, kept=kept) as sandbox,
    ):
        await _play(sandbox, settings, listener)
    home = session.local.home.root
    session.console.step("ok", f"kept in {home}" if kept else "stopped; nothing is left behind")


async def _play(sandbox: Session, settings: Settings, listener: socket.socket) -> None:
    """Everything that happens in the sandbox."""
    folder = sandbox.local.home.root / "samples"
    search_path = sandbox.common.around.environ.get("PATH")
    async with (
        sample_content(folder, search_path=search_path) as content,
        running(sandbox.local, _opened(settings, content.address), listener) as work,
    ):
        wanted = sample_registries(content)
        await _apply(sandbox.local, wanted, MANAGER)
        await _first_sync(sandbox.local, wanted)
        for line in content.missing:
            sandbox.console.step("note", line)
        shown = listing(sandbox, namespaces=False)
        print_list(shown, await every(sandbox), "table", sandbox.console)
        with _told_to_stop() as stop:
            tour(sandbox, settings, dashboard_of(sandbox.local.home, settings))
            reporter = Reporter(sandbox.local.resources, sandbox.console)
            await _until_stopped(stop, work, reporter)


def _opened(settings: Settings, address: str) -> Settings:
    """The settings with one more host that sources may reach."""
    engine = settings.engine
    hosts = (*engine.allowed_hosts, address)
    return msgspec.structs.replace(
        settings, engine=msgspec.structs.replace(engine, allowed_hosts=hosts)
    )


@contextmanager
def _bound(settings: Settings, command: str) -> Iterator[tuple[socket.socket, Settings]]:
    """The socket, and the settings with the port that it really has; `command` is what one may type again."""
    port = settings.api.port
    again = f"{command} --port {port + 1 if port < HIGHEST_PORT else 0}"
    with closing(bound(settings.api.host, port, again=again)) as listener:
        api = msgspec.structs.replace(settings.api, port=listener.getsockname()[1])
        yield listener, msgspec.structs.replace(settings, api=api)


@asynccontextmanager
async def _content(session: Session, settings: Settings) -> AsyncIterator[tuple[Session, Settings]]:
    """The data folder that is served: the session's, or one made of files."""
    if not settings.files:
        if settings.only:
            await find_stored(session, settings.only[1])
        yield session, settings
        return
    manifests = _manifests(settings.files)
    with _temporary(session) as made:
        await _apply(made.local, manifests, "thv-serve")
        if len(manifests) == 1:
            only = (namespace_of(manifests[0]), name_of(manifests[0]))
            settings = msgspec.structs.replace(settings, only=only)
        yield made, settings


@contextmanager
def _temporary(session: Session) -> Iterator[Session]:
    with tempfile.TemporaryDirectory(prefix="thv-", ignore_cleanup_errors=True) as folder:
        local = Local(home=Home(Path(folder)), clock=session.local.clock)
        settings = msgspec.structs.replace(session.settings, data=Path(folder))
        yield msgspec.structs.replace(session, local=local, settings=settings)


@contextmanager
def _sandbox(session: Session, *, kept: bool) -> Iterator[Session]:
    """A data folder for the samples, which other commands find as long as it is there."""
    if kept:
        yield session
        return
    pointer = session.settings.sandbox
    with _temporary(session) as made, _pointing(pointer, made.local.home.root):
        yield made


@contextmanager
def _pointing(pointer: Path, folder: Path) -> Iterator[None]:
    """Lets commands without a data folder of their own find this one."""
    missing = [parent for parent in pointer.parents if not parent.exists()]
    with suppress(OSError):  # then they need --data, as the tour says
        pointer.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(folder, target_is_directory=True)
    try:
        yield
    finally:
        with suppress(OSError):
            if pointer.readlink() == folder:
                pointer.unlink()
            for parent in missing:
                parent.rmdir()


def _manifests(files: tuple[Path, ...]) -> list[JsonObject]:
    """A registry for each file; raises when one is missing or two would have one name."""
    made: dict[str, JsonObject] = {}
    for file in files:
        if not file.exists():
            raise CommandError(
                Code.NOT_FOUND, f"there is no file {file}", tries=[f"ls {file.parent}"]
            )
        name = file_registry_name(file)
        if name in made:
            raise CommandError(
                Code.CONFLICT,
                f'two files would be the registry "{name}"; the second is {file}',
                tries=["rename one of them"],
            )
        made[name] = {
            "apiVersion": MCP_REGISTRY.api_version,
            "kind": MCP_REGISTRY.kind,
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "source": {"type": "file", "file": {"path": str(file.resolve())}},
                "api": {"anonymousRead": True},
            },
        }
    return list(made.values())


async def _apply(local: Local, manifests: list[JsonObject], manager: str) -> None:
    for manifest in manifests:
        await local.resources.apply(manifest, manager=manager, force=True)


async def _first_sync(local: Local, manifests: list[JsonObject]) -> None:
    """Waits until every registry serves something or has failed."""
    waiting = {(namespace_of(manifest), name_of(manifest)) for manifest in manifests}
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_SYNC):
            since = (await local.resources.list(MCP_REGISTRY)).resource_version
            for key in list(waiting):
                if _has_begun(await local.resources.get(MCP_REGISTRY, *key)):
                    waiting.discard(key)
            async for event in local.resources.watch(MCP_REGISTRY, since=since):
                if event.type != "BOOKMARK" and _has_begun(event.object):
                    waiting.discard((namespace_of(event.object), name_of(event.object)))
                if not waiting:
                    return


def _has_begun(obj: JsonObject) -> bool:
    status = load_registry(obj).status
    return status.snapshot is not None or status.sync_status.error is not None


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    """Set on Ctrl-C or SIGTERM, from before anybody is told to press it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # a second Ctrl-C does not wait


async def _until_stopped(
    stop: asyncio.Event, work: asyncio.Future[list[None]], reporter: Reporter
) -> None:
    """Returns when it is told to stop; raises what broke the service."""
    stopping = asyncio.ensure_future(stop.wait())
    reporting = asyncio.ensure_future(reporter.run())
    try:
        tasks: list[asyncio.Future[Any]] = [work, stopping, reporting]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for ended in (work, reporting):
            if ended.done():
                ended.result()
    finally:
        for task in (stopping, reporting):
            task.cancel()
