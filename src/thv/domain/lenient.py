"""Readers of what strangers wrote: a value of another type than it should have counts as absent.

In the flow: wherever a field of an entry is looked at that nothing has to check first.
"""

from __future__ import annotations

from typing import Any

from thv.domain.canonical import JsonObject


def as_object(value: Any) -> JsonObject:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_objects(value: Any) -> list[JsonObject]:
    """The objects of the list, or none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The text, or an empty one."""
    return value if isinstance(value, str) else ""


def as_texts(value: Any) -> list[str]:
    """The texts of the list, or none."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
