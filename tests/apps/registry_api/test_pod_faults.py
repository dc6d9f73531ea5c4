"""What callers of a pod notice while the API server is away, and after it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.apps.registry_api.cluster import Pod, Reply, Team
from tests.apps.registry_api.places import a_world
from tests.apps.registry_api.pods import LIST, a_pod, a_team
from tests.control_plane.plane import ControlPlane
from tests.stores.models.world import an_entry

pytestmark = pytest.mark.anyio
Away = Callable[[ControlPlane], AbstractContextManager[None]]
AWAY, SHORTER = 30.0, 15.0
"""Seconds; the shorter one is enough to see that nothing is remembered any more."""
RECOVERED_WITHIN = 10.0
EVERY = 0.1


@pytest.fixture
async def team(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Team]:
    async with a_team(control_plane, namespace) as made:
        yield made


class Seen(msgspec.Struct):
    """An answer, and when it was asked for."""

    at: float
    reply: Reply


class Caller:
    """Asks again and again, one request after the other."""

    def __init__(self, ask: Callable[[], Reply]) -> None:
        self._ask = ask
        self.seen: list[Seen] = []

    async def run(self) -> None:
        while True:
            at = time.monotonic()
            self.seen.append(Seen(at, await asyncio.to_thread(self._ask)))
            await asyncio.sleep(EVERY)

    def between(self, begin: float, end: float) -> list[Reply]:
        return [each.reply for each in self.seen if begin <= each.at < end]


@contextmanager
def paused(plane: ControlPlane) -> Iterator[None]:
    """Connections stay and nobody answers."""
    plane.pause("kube-apiserver")
    try:
        yield
    finally:
        plane.resume("kube-apiserver")


@contextmanager
def stopped(plane: ControlPlane) -> Iterator[None]:
    """Connections are refused."""
    plane.stop_api()
    try:
        yield
    finally:
        plane.start_api()


@pytest.mark.parametrize(("away", "seconds"), [(paused, AWAY), (stopped, SHORTER)])
async def test_without_the_api_server_open_registries_answer_and_others_as_long_as_they_know(
    team: Team, tmp_path: Path, away: Away, seconds: float
) -> None:
    for name, is_open in (("corp", False), ("public", True)):
        team.register(name, anonymousRead=is_open)
        await team.publish(a_world(), name)
    token = team.reader("alice")
    with a_pod(team, tmp_path / "1") as guarded, a_pod(team, tmp_path / "2", "public") as public:
        for pod in (guarded, public):
            pod.until_ready()
        known = Caller(lambda: guarded.get(LIST, token))
        strange = Caller(lambda: guarded.get(LIST, "garbage"))
        anonymous = Caller(lambda: public.get(LIST))
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(each.run()) for each in (known, strange, anonymous)]
            await asyncio.sleep(1)
            began = time.monotonic()
            with away(team.plane):
                await asyncio.sleep(seconds)
            back = time.monotonic()
            await _change(team)
            _await_change(guarded, token)
            _await_change(public, "")
            recovered = time.monotonic()
            await asyncio.sleep(1)
            for task in asking:
                task.cancel()
        assert {reply.status for reply in anonymous.between(0, recovered + 1)} == {200}
        _check_known(known, began, back)
        assert {reply.status for reply in strange.between(began + 10, back - 3)} == {503}
        assert {reply.status for reply in known.between(recovered, recovered + 9)} == {200}
        assert {reply.status for reply in strange.between(recovered, recovered + 9)} == {401}
        assert all(pod.ready() == 200 for pod in (guarded, public))


async def _change(team: Team) -> None:
    for name in ("corp", "public"):
        world = a_world()
        world.put(an_entry("com.example/after"))
        await team.publish(world, name)


def _await_change(pod: Pod, token: str) -> None:
    pod.until("the change", lambda: _has_changed(pod, token), RECOVERED_WITHIN)


def _has_changed(pod: Pod, token: str) -> bool:
    reply = pod.get(LIST, token)
    return reply.status == 200 and "com.example/after" in reply.names


def _check_known(known: Caller, began: float, back: float) -> None:
    """Answered until what is remembered ends, and then told to come again."""
    statuses = [reply.status for reply in known.between(began, back - 3)]
    assert statuses[:5] == [200] * 5
    assert statuses == sorted(statuses)
    refused = [reply for reply in known.between(began, back - 3) if reply.status != 200]
    assert {(reply.status, reply.code) for reply in refused} == {(503, "AUTHORIZER_UNAVAILABLE")}
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
    first = next(each.at for each in known.seen if each.reply.status == 503)
    assert first - began <= 10
