"""That the comparison of a follower with what it follows sees what it should."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.comparing import Held, differences, latest_differences
from tests.peers.official import META, Json, Key

A1, A2, B1 = ("x/a", "1.0.0"), ("x/a", "2.0.0"), ("x/b", "1.0.0")


def item(key: Key, *, latest: bool = True, **official: Any) -> Json:
    server = {"name": key[0], "version": key[1], "description": official.pop("description", "")}
    return {"server": server, "_meta": {META: {"status": "active", "isLatest": latest, **official}}}


def held(*items: tuple[Key, Json], deleted: set[Key] = frozenset()) -> Held:  # type: ignore[assignment] # nobody changes it
    return Held(dict(items), frozenset(deleted))


THEIRS = held((A1, item(A1, latest=False)), (A2, item(A2)), deleted={B1})
SEEN = [A1, A2, B1]


def test_two_that_say_the_same_do_not_differ() -> None:
    assert differences(THEIRS, THEIRS, SEEN) == []
    assert latest_differences(THEIRS, held((A2, item(A2)))) == []


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (held((A2, item(A2)), deleted={B1}), f"{A1} is missing"),
        (THEIRS._replace(alive={**THEIRS.alive, B1: item(B1)}), f"{B1} is too much"),
        (THEIRS._replace(deleted=frozenset()), f"{B1} is not told as deleted"),
        (THEIRS._replace(deleted=frozenset({B1, ("x/c", "1")})), "is told as deleted"),
        (held((A1, item(A1)), (A2, item(A2)), deleted={B1}), "x/a has 2 latest versions"),
        (
            held((A1, item(A1)), (A2, item(A2, latest=False)), deleted={B1}),
            f"{A2} is not the latest",
        ),
        (
            THEIRS._replace(alive={**THEIRS.alive, A2: item(A2, status="deprecated")}),
            "'status': 'deprecated'",
        ),
        (
            THEIRS._replace(alive={**THEIRS.alive, A2: item(A2, description="other")}),
            "'description': 'other'",
        ),
    ],
)
def test_what_differs_is_named(ours: Held, said: str) -> None:
    found = differences(THEIRS, ours, SEEN)
    assert any(said in each for each in found), found


def test_what_was_never_seen_leaves_no_trace() -> None:
    ours = THEIRS._replace(deleted=frozenset())
    assert differences(THEIRS, ours, [A1, A2]) == []


def test_a_name_whose_deleted_version_is_the_latest_has_one_of_those_that_live() -> None:
    theirs = held((A1, item(A1, latest=False)), deleted={A2})
    ours = held((A1, item(A1)), deleted={A2})
    assert differences(theirs, ours, [A2]) == []
    assert latest_differences(theirs, ours) == latest_differences(theirs, held()) == []
    assert differences(theirs, held((A1, item(A1, latest=False)), deleted={A2}), [A2]) != []
