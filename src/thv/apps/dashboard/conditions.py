"""What is wrong with a registry, as its conditions say: the cause first, in words, with what to do about it.

In the flow: between the state that the API tells and the page of a registry. The words are those of the table of reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from thv.domain.reasons import REASONS, Reason

_CAUSES = ("Stalled", "SourceAvailable", "DataValid", "APIReady", "SyncSucceeded", "PolicySatisfied", "Ready")  # fmt: skip
"""Types in the order in which one explains the next; what follows from others comes last."""
_WORTH_KNOWING = {("DataValid", "ParsedWithSkips"), ("DataValid", "FilterMatchedNothing")}
_BAD_WHEN_TRUE = ("Stalled",)
_UNDER_WAY = frozenset({"Progressing", "Deploying"})
"""What passes by itself."""
_KNOWN: Mapping[tuple[str, str], Reason] = {(each.type, each.word): each for each in REASONS}
_NAME = re.compile(r"(`thv registry \w+) NAME")


class Finding(msgspec.Struct, frozen=True):
    """A condition that somebody should know of."""

    type: str
    reason: str
    message: str
    meaning: str
    remedy: str
    since: str | None
    is_bad: bool
    """Whether it keeps the registry from what it is for; else it is worth knowing."""


def findings(registry: str, conditions: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """What is not as it should be, the cause first and each trouble once."""
    by_type = {each["type"]: each for each in conditions}
    found = [
        _finding(registry, by_type[kind])
        for kind in _CAUSES
        if kind in by_type and _counts(by_type[kind])
    ]
    return _without_echoes(found)


def _counts(condition: Mapping[str, Any]) -> bool:
    kind, status, reason = condition["type"], condition["status"], condition["reason"]
    if (kind, reason) in _WORTH_KNOWING:
        return True
    if (kind, reason) == ("Ready", "Progressing"):
        return False
    return bool(status == ("True" if kind in _BAD_WHEN_TRUE else "False"))


def _finding(registry: str, condition: Mapping[str, Any]) -> Finding:
    kind, reason = condition["type"], condition["reason"]
    known = _KNOWN.get((kind, reason))
    return Finding(
        type=kind,
        reason=reason,
        message=condition["message"],
        meaning=known.meaning if known else "",
        remedy=_NAME.sub(rf"\1 {registry}", known.remedy) if known else "",
        since=condition["last_transition_time"],
        is_bad=(kind, reason) not in _WORTH_KNOWING and reason not in _UNDER_WAY,
    )


def _without_echoes(found: list[Finding]) -> list[Finding]:
    """What only repeats the message of a cause says nothing new."""
    said: set[str] = set()
    kept = []
    for each in found:
        if each.message in said or (each.type in ("SyncSucceeded", "Ready") and said):
            continue
        said.add(each.message)
        kept.append(each)
    return kept


def meaning(condition: Mapping[str, Any]) -> str:
    """What a condition says, for people."""
    known = _KNOWN.get((condition["type"], condition["reason"]))
    return known.meaning if known else ""
