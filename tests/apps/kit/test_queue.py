from __future__ import annotations

from datetime import UTC, datetime, timedelta

from thv.apps.kit.queue import WorkQueue

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def taken(queue: WorkQueue[str], full: set[str] | None = None, at: datetime = NOW) -> str:
    found = queue.take(at, full=full or ())
    return found[0] if found else ""


def in_lanes() -> tuple[WorkQueue[str], dict[str, str]]:
    """A queue, and the lanes of its keys, which are that of their first letter unless said otherwise."""
    lanes: dict[str, str] = {}
    return WorkQueue(lane=lambda key: lanes.get(key, key[0])), lanes


def test_a_full_lane_is_passed_by() -> None:
    queue, _ = in_lanes()
    for number, key in enumerate(("f1", "f2", "n1", "f3")):
        queue.add(key, NOW - SECOND * (9 - number))
    assert [taken(queue) for _ in range(2)] == ["f1", "f2"]
    assert queue.full(2) == {"f"}
    assert queue.next_at(full=queue.full(2)) == NOW - SECOND * 7
    assert taken(queue, queue.full(2)) == "n1"
    assert taken(queue, queue.full(2)) == ""
    queue.done("f1")
    assert queue.full(2) == set()
    assert taken(queue, queue.full(2)) == "f3"


def test_the_key_that_is_due_longest_comes_first_whatever_its_lane() -> None:
    queue, _ = in_lanes()
    for key, seconds in (("a1", 1), ("b1", 3), ("a2", 2)):
        queue.add(key, NOW - SECOND * seconds)
    assert [taken(queue) for _ in range(4)] == ["b1", "a2", "a1", ""]


def test_a_key_that_changes_its_lane_is_taken_once() -> None:
    queue, lanes = in_lanes()
    queue.add("x", NOW)
    lanes["x"] = "other"
    queue.add("x", NOW + SECOND)
    assert taken(queue, {"x"}) == "x"
    assert taken(queue) == ""
    lanes["x"] = "x"
    queue.add("x", NOW)  # while it is in work
    queue.done("x")
    assert taken(queue, {"other"}) == "x"
    assert taken(queue) == ""


def test_a_key_keeps_its_earliest_moment_and_all_its_hints() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("x", NOW, hint="one")
    queue.add("x", NOW + SECOND, hint="two")
    assert queue.next_at() == NOW
    assert queue.take(NOW) == ("x", frozenset({"one", "two"}))
