"""Who gives way when clients ask for more than a process has."""

from __future__ import annotations

import asyncio

import pytest

from thv.apps.kit.http.traffic import Limits, Traffic

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Client:
    """Notes what becomes of it."""

    def __init__(self, unread: int = 0) -> None:
        self.unread = unread
        self.fate = ""

    def take_turn(self, *, shed: bool) -> None:
        self.fate = "shed" if shed else "answered"

    def expire(self) -> None:
        self.fate = "expired"

    def abort(self) -> None:
        self.fate = "aborted"


def fates(*clients: Client) -> list[str]:
    return [client.fate for client in clients]


def made(limits: Limits) -> tuple[Traffic, Clock]:
    clock = Clock()
    return Traffic(limits, clock), clock


async def test_the_one_that_was_idle_for_longest_goes_first() -> None:
    traffic, clock = made(Limits(connections=2))
    first, second, third = clients = Client(), Client(), Client()
    traffic.is_new(first, 1)
    traffic.is_new(second, 2)
    traffic.is_waiting(first)
    await asyncio.sleep(0)
    traffic.is_idle(first)
    traffic.is_new(third, 3)
    assert fates(*clients) == ["answered", "expired", ""]
    clock.now += 76
    traffic.sweep()
    assert fates(first, third) == ["expired", "expired"]


async def test_who_does_not_finish_a_request_is_told_so_however_often_a_byte_comes() -> None:
    traffic, clock = made(Limits(head=10))
    slow = Client()
    traffic.is_new(slow, 1)
    for _ in range(11):
        traffic.is_asking(slow)
        clock.now += 1
    traffic.sweep()
    assert slow.fate == "expired"


async def test_those_who_read_least_make_room_for_answers() -> None:
    traffic, clock = made(Limits(unread=100, stall=30))
    slow, slower, fast = clients = Client(60), Client(40), Client(20)
    traffic.is_stalled(slow, 60)
    traffic.is_stalled(slower, 40)
    traffic.is_stalled(fast, 20)
    assert fates(*clients) == ["aborted", "", ""]
    clock.now += 31
    slower.unread = 39
    traffic.sweep()
    assert fates(*clients) == ["aborted", "", "aborted"]
    clock.now += 31
    traffic.sweep()
    assert slower.fate == "aborted"


async def test_one_answer_may_be_larger_than_all_together() -> None:
    traffic, _ = made(Limits(unread=100))
    only = Client(1000)
    traffic.is_stalled(only, 1000)
    assert only.fate == ""
    traffic.reads_on(only)
    traffic.is_stalled(only, 50)
    other = Client(50)
    traffic.is_stalled(other, 50)
    assert fates(only, other) == ["", ""]


async def test_requests_wait_for_answers_that_wait_and_are_sent_away_after_a_while() -> None:
    traffic, clock = made(Limits(at_once=1, patience=2))
    early, late = Client(), Client()
    traffic.began()
    traffic.is_waiting(early)
    clock.now += 1
    traffic.is_waiting(late)
    await asyncio.sleep(0)
    assert fates(early, late) == ["", ""]
    clock.now += 1.5
    traffic.sweep()
    assert fates(early, late) == ["shed", ""]
    traffic.ended()
    await asyncio.sleep(0)
    assert late.fate == "answered"


async def test_many_requests_leave_time_for_other_things() -> None:
    traffic, _ = made(Limits())
    clients = [Client() for _ in range(100)]
    for client in clients:
        traffic.is_waiting(client)
    await asyncio.sleep(0)
    assert fates(*clients).count("answered") == 64
    await asyncio.sleep(0)
    assert fates(*clients).count("answered") == 100
