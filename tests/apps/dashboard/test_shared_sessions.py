"""Sessions of several replicas: one signs in anywhere and is signed in everywhere, and nobody who reads them learns a token."""

from __future__ import annotations

import json

import pytest

from thv.apps.dashboard import shared
from thv.apps.dashboard.sessions import IDLE, LONGEST, MOST_OF_ONE
from thv.apps.dashboard.shared import KNOWN_FOR, SEEN_EVERY, SharedSessions
from thv.domain.errors import Code, ThvError
from thv.domain.resources import CONFIG_MAP
from thv.domain.roles import SESSIONS, SESSIONS_ROLE
from thv.stores.resources.memory import MemoryStore

pytestmark = pytest.mark.anyio

TOKEN = "the-token-of-somebody"
HOME = "toolhive-system"


class Time:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Replicas:
    """Two of them, over one store."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.time = Time()
        self.one, self.other = self.replica(), self.replica()

    def replica(self) -> SharedSessions:
        return SharedSessions(self.store, HOME, SESSIONS, now=self.time, clock=self.time)

    async def kept(self) -> dict[str, str]:
        """Everything that is stored."""
        found = [await self.store.get(CONFIG_MAP, HOME, name) for name in SESSIONS]
        return {place: value for obj in found for place, value in (obj.get("data") or {}).items()}

    async def put(self, place: str, value: str) -> None:
        for name in SESSIONS:
            data = (await self.store.get(CONFIG_MAP, HOME, name)).get("data") or {}
            if place in data:
                changed = {"data": {place: value}}
                await self.store.merge(CONFIG_MAP, HOME, name, changed, manager="somebody")


@pytest.fixture
async def replicas() -> Replicas:
    store = MemoryStore()
    for name in SESSIONS:
        metadata = {"name": name, "namespace": HOME}
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        await store.create(obj, manager="installer")
    return Replicas(store)


async def test_who_signs_in_at_one_is_signed_in_at_the_other(replicas: Replicas) -> None:
    number = await replicas.one.begin(TOKEN, "rob")
    for sessions in (replicas.one, replicas.other, replicas.replica()):
        found = await sessions.find(number)
        assert found is not None
        assert (found.token, found.user) == (TOKEN, "rob")


async def test_what_is_stored_tells_neither_token_nor_number_nor_name(replicas: Replicas) -> None:
    number = await replicas.one.begin(TOKEN, "rob")
    stored = json.dumps(await replicas.kept())
    assert TOKEN not in stored
    assert number[1:] not in stored
    assert "rob" not in stored


async def test_a_number_opens_its_own_session_alone(replicas: Replicas) -> None:
    numbers = [await replicas.one.begin(f"{TOKEN}-{user}", user) for user in ("rob", "ann")]
    places = list(await replicas.kept())
    sealed = await replicas.kept()
    await replicas.put(places[0], sealed[places[1]])
    await replicas.put(places[1], sealed[places[0]])
    fresh = replicas.replica()
    assert [await fresh.find(number) for number in numbers] == [None, None]


@pytest.mark.parametrize(
    "value", ["", "x", "1.2.", "1.2.AAAA", "9999999999.9999999999.é", "..", "1"]
)
async def test_what_was_changed_is_no_session(replicas: Replicas, value: str) -> None:
    number = await replicas.one.begin(TOKEN, "rob")
    [place] = await replicas.kept()
    await replicas.put(place, value)
    assert await replicas.replica().find(number) is None


async def test_who_signs_out_at_one_is_out_at_the_other_within_seconds(replicas: Replicas) -> None:
    number = await replicas.one.begin(TOKEN, "rob")
    assert await replicas.other.find(number)
    await replicas.one.end(number)
    assert await replicas.one.find(number) is None
    assert await replicas.kept() == {}
    replicas.time.now += KNOWN_FOR + 1
    assert await replicas.other.find(number) is None


async def test_a_session_ends_when_nobody_is_there_at_any_replica(replicas: Replicas) -> None:
    number = await replicas.one.begin(TOKEN, "rob")
    for sessions in (replicas.one, replicas.other) * 3:
        replicas.time.now += IDLE - SEEN_EVERY
        assert await sessions.find(number)
    replicas.time.now += IDLE + 1
    assert await replicas.one.find(number) is None


async def test_a_session_ends_with_the_working_day(replicas: Replicas) -> None:
    began = replicas.time.now
    number = await replicas.one.begin(TOKEN, "rob")
    while replicas.time.now < began + LONGEST - IDLE / 2:
        replicas.time.now += IDLE / 2
        assert await replicas.one.find(number)
    replicas.time.now = began + LONGEST + 1
    assert await replicas.one.find(number) is None


async def test_looking_around_writes_little(replicas: Replicas) -> None:
    number = await replicas.one.begin(TOKEN, "rob")
    before = await replicas.kept()
    for _ in range(10):
        replicas.time.now += SEEN_EVERY / 10 - 1
        assert await replicas.one.find(number)
    assert await replicas.kept() == before
    replicas.time.now += SEEN_EVERY
    assert await replicas.one.find(number)
    assert await replicas.kept() != before


async def test_what_has_ended_goes_with_the_next_write(replicas: Replicas) -> None:
    for user in range(20):
        await replicas.one.begin(TOKEN, str(user))
    replicas.time.now += IDLE + 1
    for user in range(20):
        await replicas.other.begin(TOKEN, str(user))
        await replicas.one.begin(TOKEN, str(user))
    assert len(await replicas.kept()) < 60


async def test_the_one_that_was_left_longest_makes_room(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "MOST_BYTES", 4_000)
    first = await replicas.one.begin(TOKEN, "first")
    for user in range(100):
        replicas.time.now += 1
        last = await replicas.one.begin(TOKEN * 4, str(user))
    assert sum(map(len, (await replicas.kept()).values())) < len(SESSIONS) * 4_000
    assert await replicas.one.find(first) is None
    assert await replicas.one.find(last)


async def test_nobody_ends_the_sessions_of_others_by_signing_in(replicas: Replicas) -> None:
    mia = await replicas.other.begin(TOKEN, "mia")
    own = []
    for turn in range(3 * MOST_OF_ONE):
        replicas.time.now += 1
        sessions = (replicas.one, replicas.other)[turn % 2]
        own.append(await sessions.begin(f"{TOKEN}-{turn}", "rob"))
    assert len(await replicas.kept()) == MOST_OF_ONE + 1
    replicas.time.now += KNOWN_FOR + 1
    for sessions in (replicas.one, replicas.other):
        assert await sessions.find(mia)
        found = [await sessions.find(number) for number in own]
        assert [each is not None for each in found] == [False] * 2 * MOST_OF_ONE + [
            True
        ] * MOST_OF_ONE


async def test_who_was_there_lately_stays_when_the_same_one_signs_in_again(
    replicas: Replicas,
) -> None:
    first = await replicas.one.begin(TOKEN, "rob")
    second = await replicas.one.begin(TOKEN, "rob")
    replicas.time.now += SEEN_EVERY + 1
    assert await replicas.other.find(first)
    for _ in range(MOST_OF_ONE - 1):
        replicas.time.now += 1
        await replicas.other.begin(TOKEN, "rob")
    replicas.time.now += KNOWN_FOR + 1
    assert await replicas.one.find(first)
    assert await replicas.one.find(second) is None


async def test_sessions_of_a_release_before_go_on(replicas: Replicas) -> None:
    """Which had no mark of whose they are."""
    number = await replicas.one.begin(TOKEN, "rob")
    [(place, value)] = (await replicas.kept()).items()
    ends, seen, _, box = value.split(".")
    await replicas.put(place, f"{ends}.{seen}.{box}")
    fresh = replicas.replica()
    assert await fresh.find(number)
    for turn in range(MOST_OF_ONE):
        await fresh.begin(TOKEN, "rob")
        await fresh.begin(TOKEN, str(turn))
    assert await fresh.find(number)


async def test_without_its_config_map_it_says_what_is_missing(replicas: Replicas) -> None:
    sessions = SharedSessions(MemoryStore(), HOME, SESSIONS)
    with pytest.raises(ThvError) as caught:
        await sessions.begin(TOKEN, "rob")
    assert caught.value.code is Code.STORE_UNAVAILABLE
    assert "thv-catalog-sessions-" in caught.value.message


def test_the_right_names_these_objects_and_no_others() -> None:
    [right] = SESSIONS_ROLE.rights
    assert right.names == SESSIONS
    assert right.verbs == ("get", "patch")
    assert right.resources == ("configmaps",)
