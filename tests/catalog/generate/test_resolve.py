"""Which entry is meant: trust, then the administrator's order; never a guess between equals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.catalog.generate.requests import held, origin, osv
from thv.catalog.generate.refusals import RefusedError
from thv.catalog.generate.request import Choice
from thv.catalog.generate.resolve import Candidate, resolve
from thv.domain.entry import Entry
from thv.domain.errors import Code


def other() -> Entry:
    return osv(description="another one")


RAW, RAW_TOO, TRUSTED = origin("a/raw"), origin("b/raw"), origin("c/trusted", standing=0)


def meant(*found: Candidate, **pins: Any) -> str:
    return resolve(0, Choice(name="osv", **pins), found).origin.path


def refusal(*found: Candidate, **pins: Any) -> tuple[Code, str]:
    with pytest.raises(RefusedError) as caught:
        resolve(3, Choice(name="osv", **pins), found)
    return caught.value.code, caught.value.error.path


def test_trust_comes_first() -> None:
    assert meant(held(osv(), by=RAW), held(other(), by=TRUSTED)) == "c/trusted"


def test_equals_that_are_the_same_are_no_matter() -> None:
    assert meant(held(osv(), by=RAW_TOO), held(osv(), by=RAW)) == "a/raw"


def test_equals_that_differ_are_ambiguous() -> None:
    both = held(osv(), by=RAW), held(other(), by=RAW_TOO)
    assert refusal(*both) == (Code.AMBIGUOUS, "servers[3].name")
    assert meant(*both, registry="b/raw") == "b/raw"
    assert meant(*both, digest=other().digest) == "b/raw"


def test_the_administrators_order_decides_between_equals() -> None:
    ordered = origin("z/raw", order=0)
    assert meant(held(osv(), by=RAW), held(other(), by=ordered)) == "z/raw"


def test_versions_are_the_latest_unless_one_is_named() -> None:
    old, new = osv(image="x.io/osv:0.0.6"), osv()
    both = held(old, is_latest=False), held(new)
    assert resolve(0, Choice(name="osv"), both).entry == new
    assert resolve(0, Choice(name="osv", version="latest"), both).entry == new
    assert resolve(0, Choice(name="osv", version="0.0.6"), both).entry == old
    assert refusal(*both, version="9.9.9") == (Code.NOT_FOUND, "servers[3].version")


def test_what_is_not_there_is_not_found() -> None:
    assert refusal() == (Code.NOT_FOUND, "servers[3].name")
    assert refusal(held(osv(), by=RAW), registry="a/other") == (Code.NOT_FOUND, "servers[3].name")


def test_a_digest_that_changed_is_a_conflict() -> None:
    assert refusal(held(osv()), digest=other().digest) == (Code.CONFLICT, "servers[3].digest")
