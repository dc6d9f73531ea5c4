"""What the status of a registry must tell once somebody wrote one."""

from __future__ import annotations

from collections.abc import Iterator

from thv.domain.canonical import JsonObject
from thv.domain.conditions import MESSAGE_LIMIT


def conditions(obj: JsonObject) -> dict[str, JsonObject]:
    return {each["type"]: each for each in obj.get("status", {}).get("conditions", ())}


def is_observed(obj: JsonObject) -> bool:
    """Whether the operator has come to an end with this generation."""
    told = conditions(obj)
    return (
        obj.get("status", {}).get("observedGeneration") == obj["metadata"]["generation"]
        and "Ready" in told
        and told["Ready"].get("observedGeneration") == obj["metadata"]["generation"]
    )


def is_leaving(obj: JsonObject) -> bool:
    """Whether it was deleted, and is held by somebody's finalizer."""
    return "deletionTimestamp" in obj["metadata"]


def wrong(obj: JsonObject) -> Iterator[str]:
    """What a person would miss in the status of an observed registry."""
    if is_leaving(obj):
        return
    told = conditions(obj)
    for each in told.values():
        text = each.get("message", "")
        if len(text) > MESSAGE_LIMIT:
            yield f"{each['type']} says {len(text)} characters"
        if "Traceback" in text or "Error(" in text:
            yield f"{each['type']} says what only programs understand: {text}"
    ready = told["Ready"]
    if ready["status"] != "True" and not ready.get("message"):
        yield f"Ready is {ready['status']} and nothing says why"
    if ready["status"] == "True" and "Stalled" in told:
        yield "it is ready and stalled"


def summary(obj: JsonObject) -> str:
    """Ready and its reason, and what else is not as it should be."""
    if is_leaving(obj):
        return "leaving"
    told = conditions(obj)
    others = sorted(
        f"{kind}={each['status']}"
        for kind, each in told.items()
        if (
            kind in ("Stalled", "DataValid", "SourceAvailable")
            and (each["status"] == "True") == (kind == "Stalled")
        )
    )
    ready = told.get("Ready", {"status": "absent", "reason": ""})
    return " ".join((f"Ready={ready['status']}", ready["reason"], *others))
