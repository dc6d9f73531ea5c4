"""The published rules of kstatus, by which Flux and others read any object: github.com/kubernetes-sigs/cli-utils.

In their order: what is being deleted; a generation that nobody has observed; the conditions Reconciling and Stalled, the
first of them that is True; Ready. An object that says nothing of all this counts as current.
"""

from __future__ import annotations

from enum import StrEnum

from thv.domain.canonical import JsonObject


class Reading(StrEnum):
    """What a tool shows."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"


def reading(obj: JsonObject) -> Reading:
    """How the object reads."""
    metadata, status = obj.get("metadata", {}), obj.get("status", {})
    if metadata.get("deletionTimestamp"):
        return Reading.TERMINATING
    observed = status.get("observedGeneration")
    if observed is not None and observed != metadata.get("generation"):
        return Reading.IN_PROGRESS
    conditions = status.get("conditions", ())
    for each in conditions:
        if each["type"] in _ABNORMAL and each["status"] == "True":
            return _ABNORMAL[each["type"]]
    ready = next((each["status"] for each in conditions if each["type"] == "Ready"), "True")
    return Reading.CURRENT if ready == "True" else Reading.IN_PROGRESS


_ABNORMAL = {"Reconciling": Reading.IN_PROGRESS, "Stalled": Reading.FAILED}
