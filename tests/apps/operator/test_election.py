"""Several processes stand for one lease of a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from tests.control_plane.plane import ControlPlane
from thv.apps.kit.election import Election, Terms
from thv.clients.kube.config import from_environment
from thv.domain.errors import Code, ThvError
from thv.domain.resources import LEASE
from thv.stores.resources.kubernetes import KubernetesStore

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

TERMS = Terms(duration=2.0, renewal=0.5, retry=0.1, margin=0.5)
PATIENCE = 20.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(control_plane: ControlPlane) -> AsyncIterator[KubernetesStore]:
    opened = KubernetesStore(from_environment({}, kubeconfig=str(control_plane.kubeconfig)))
    yield opened
    await opened.close()


class Candidate:
    """One that does nothing but lead."""

    def __init__(self, store: KubernetesStore, namespace: str, name: str) -> None:
        self.election = Election(
            store, namespace, "lead", name, clock=lambda: datetime.now(UTC), terms=TERMS
        )
        self.working = asyncio.Event()

    async def work(self) -> None:
        self.working.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.working.clear()

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.election.run(self.work))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def leading(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.working.wait()


async def test_one_leads_and_the_next_one_follows_at_once_when_it_stops(
    store: KubernetesStore, namespace: str
) -> None:
    one, two = Candidate(store, namespace, "one"), Candidate(store, namespace, "two")
    async with one.standing() as first:
        await one.leading()
        async with two.standing():
            with pytest.raises(ThvError):
                two.election.require()
            assert not two.working.is_set()
            first.cancel()
            await two.leading()
            assert not one.election.leads
    lease = await store.get(LEASE, namespace, "lead")
    assert lease["spec"]["leaseTransitions"] >= 1


async def test_a_leader_that_says_nothing_any_more_is_followed(
    store: KubernetesStore, namespace: str
) -> None:
    gone, next_one = Candidate(store, namespace, "gone"), Candidate(store, namespace, "next")
    assert await gone.election._tried()  # and never renews
    async with next_one.standing():
        await next_one.leading()
    with pytest.raises(ThvError) as error:
        gone.election.require()
    assert error.value.code is Code.STORE_UNAVAILABLE


async def test_who_comes_back_under_its_name_leads_at_once(
    store: KubernetesStore, namespace: str
) -> None:
    assert await Candidate(store, namespace, "pod-1").election._tried()
    again = Candidate(store, namespace, "pod-1")
    assert await again.election._tried()
    again.election.require()


async def test_a_lease_that_another_one_took_ends_the_work(
    store: KubernetesStore, namespace: str
) -> None:
    one = Candidate(store, namespace, "one")
    async with one.standing():
        await one.leading()
        lease = await store.get(LEASE, namespace, "lead")
        taken = {**lease["spec"], "holderIdentity": "thief"}
        patch = {"spec": taken}
        await store.merge(LEASE, namespace, "lead", patch, manager="thief")
        async with asyncio.timeout(PATIENCE):
            while one.working.is_set():  # noqa: ASYNC110 # it notices when it renews
                await asyncio.sleep(0.05)
