"""Conditions: what a controller says about an object, one line a topic.

In the flow: a reconcile computes the conditions that hold now; they are merged into those that the status has,
so that the time of a condition tells when its status last changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

CONDITION_LIMIT = 16
MESSAGE_LIMIT = 200

# kstatus: these two say that something abnormal is going on, and are absent otherwise.
ABNORMAL = frozenset({"Reconciling", "Stalled"})

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One observation of the state of an object."""

    type: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=316,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
            description='Topic of the condition. Example: "Ready".',
        ),
    ]
    status: Annotated[
        ConditionStatus, Meta(description="Whether it holds; Unknown when that cannot be told.")
    ]
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=256,
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            description='Why, as one word for programs. Example: "SourceUnreachable".',
        ),
    ]
    message: Annotated[
        str,
        Meta(max_length=MESSAGE_LIMIT, description="Why, as a sentence for people."),
    ] = ""
    last_transition_time: Annotated[
        str,
        Meta(
            max_length=32,
            description="When the status last changed, RFC 3339.",
            extra_json_schema={"format": "date-time"},
        ),
    ] = ""
    observed_generation: Annotated[
        int, Meta(ge=0, description="Generation of the spec that this is about.")
    ] = 0


def merge_conditions(
    existing: Iterable[Condition],
    desired: Iterable[Condition],
    *,
    now: str,
    drop: Iterable[str] = (),
) -> tuple[Condition, ...]:
    """The conditions after a reconcile, in the order in which they first appeared.

    A desired condition replaces the one of its type and keeps its time while the status is the same. `drop`
    names types that no longer apply; `Reconciling` and `Stalled` go by themselves unless desired as True.
    Beyond the limit, conditions that are not desired give way, oldest first.
    """
    wanted = {condition.type: condition for condition in desired if _may_exist(condition)}
    gone = (set(drop) | ABNORMAL) - wanted.keys()
    merged = {c.type: c for c in existing if c.type not in gone}
    for condition in wanted.values():
        merged[condition.type] = _stamped(condition, merged.get(condition.type), now)
    spare = [kind for kind in merged if kind not in wanted]
    for kind in spare[: max(0, len(merged) - CONDITION_LIMIT)]:
        del merged[kind]
    return tuple(merged.values())[:CONDITION_LIMIT]


def condition_of(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """The condition of this type."""
    return next((condition for condition in conditions if condition.type == kind), None)


def _may_exist(condition: Condition) -> bool:
    return condition.type not in ABNORMAL or condition.status == "True"


def _stamped(condition: Condition, before: Condition | None, now: str) -> Condition:
    unchanged = before is not None and before.status == condition.status
    since = before.last_transition_time if before is not None and unchanged else now
    return msgspec.structs.replace(
        condition, message=_short(condition.message), last_transition_time=since or now
    )


def _short(message: str) -> str:
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 3] + "..."
