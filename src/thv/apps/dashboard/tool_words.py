"""What tools take and do, in plain words; pure.

In the flow: from the schema and the annotations of a tool, which a stranger wrote, to the pages of servers and tools.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from thv.domain.lenient import as_object, as_text

Schema: TypeAlias = Mapping[str, Any]

_MOST = 40
"""Parameters of one tool that are shown."""
_DEEPEST = 3
_SCHEMA_BYTES = 96 * 1024
"""Of the input of all tools together: what more there is can be had as JSON."""
_CHOICES = 12
_LONGEST = 400
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "array": "list",
    "null": "nothing",
}


class Parameter(msgspec.Struct, frozen=True):
    """A value that a tool takes."""

    name: str
    """With the names of what it is in before it: `filter.tags[]`."""
    kind: str
    is_required: bool
    description: str
    default: str = ""
    choices: tuple[str, ...] = ()


class Hint(msgspec.Struct, frozen=True):
    """Something that the publisher says of a tool."""

    tone: str
    words: str
    meaning: str


class Tool(msgspec.Struct, frozen=True):
    """A tool as its section shows it."""

    name: str
    description: str
    hints: list[Hint]
    parameters: tuple[Parameter, ...] = ()
    is_described: bool = False
    """Whether there is a schema of its input."""
    has_more: bool = False
    """Whether there is more than is shown."""

    @property
    def is_told(self) -> bool:
        """Whether more than its name is known."""
        return bool(self.description or self.hints or self.is_described)


_HINTS: tuple[tuple[str, bool, Hint], ...] = (
    ("readOnlyHint", True, Hint("good", "Reads only", "It changes nothing.")),
    ("readOnlyHint", False, Hint("warn", "May change things", "It does more than read.")),
    ("destructiveHint", True, Hint("bad", "May destroy", "What it changes may be lost.")),
    ("destructiveHint", False, Hint("calm", "Only adds", "It takes nothing away.")),
    ("idempotentHint", True, Hint("calm", "Safe to repeat", "A second call changes nothing more.")),
    ("idempotentHint", False, Hint("calm", "Repeats", "A second call does it once more.")),
    ("openWorldHint", True, Hint("calm", "Reaches outside", "It works with things elsewhere.")),
    ("openWorldHint", False, Hint("calm", "Stays inside", "It works with its own things alone.")),
)


def hints(annotations: Any) -> list[Hint]:
    """What is declared of a tool, and nothing that is not."""
    said = annotations if isinstance(annotations, dict) else {}
    is_reading = said.get("readOnlyHint") is True
    return [
        hint
        for key, value, hint in _HINTS
        if said.get(key) is value and not (is_reading and key == "destructiveHint")
    ]


def tools_of(tools: Iterable[dict[str, Any]]) -> list[Tool]:
    """The tools with what they take, as long as there is room for it."""
    found, left = [], _SCHEMA_BYTES
    for each in tools:
        schema = each.get("input_schema")
        left -= len(msgspec.json.encode(schema)) if schema is not None else 0
        shown, has_more = parameters(schema) if left >= 0 else ((), True)
        found.append(
            Tool(
                name=each["name"],
                description=each["description"],
                hints=hints(each.get("annotations")),
                parameters=shown,
                is_described=schema is not None,
                has_more=has_more,
            )
        )
    return found


def parameters(schema: Any) -> tuple[tuple[Parameter, ...], bool]:
    """What a tool takes, and whether there is more than is shown."""
    if not isinstance(schema, dict):
        return (), False
    found: list[Parameter] = []
    for each in _of(schema, schema, "", 0):
        if len(found) == _MOST:
            return tuple(found), True
        found.append(each)
    return tuple(found), False


def _of(schema: Schema, whole: Schema, before: str, depth: int) -> Iterator[Parameter]:
    """What is needed comes first; the order of the publisher is not kept by anybody."""
    required = schema.get("required")
    wanted = set(filter(_is_text, required)) if isinstance(required, list) else set()
    properties = as_object(schema.get("properties"))
    for name, raw in sorted(properties.items(), key=lambda each: each[0] not in wanted):
        told = _followed(raw, whole)
        yield _parameter(before + name, told, whole, is_required=name in wanted)
        if depth < _DEEPEST:
            inner = _followed(told.get("items"), whole)
            mark = "[]." if inner.get("properties") else "."
            yield from _of(inner if mark == "[]." else told, whole, before + name + mark, depth + 1)


def _parameter(name: str, told: Schema, whole: Schema, *, is_required: bool) -> Parameter:
    choices = told.get("enum")
    values = choices if isinstance(choices, list) else []
    return Parameter(
        name=name[:_LONGEST],
        kind=_kind(told, whole, 0),
        is_required=is_required,
        description=as_text(told.get("description"))[:_LONGEST],
        default=_spelled(told["default"]) if told.get("default") is not None else "",
        choices=tuple(_spelled(each) for each in values[:_CHOICES]),
    )


def _kind(told: Schema, whole: Schema, depth: int) -> str:
    """What kind of value it is, as a person says it."""
    if depth > _DEEPEST:
        return "value"
    kinds = told.get("type")
    if isinstance(kinds, list):
        return " or ".join(_WORDS.get(each, each) for each in kinds[:4] if isinstance(each, str))
    if kinds == "array":
        inner = _followed(told.get("items"), whole)
        return f"list of {_kind(inner, whole, depth + 1)}" if inner else "list"
    if isinstance(kinds, str):
        return _WORDS.get(kinds, kinds[:40])
    for key in ("anyOf", "oneOf"):
        either = told.get(key)
        if isinstance(either, list):
            words = (_kind(_followed(each, whole), whole, depth + 1) for each in either[:4])
            return " or ".join(dict.fromkeys(words))
    return "one of" if "enum" in told else "value"


def _followed(raw: Any, whole: Schema) -> Schema:
    """What a schema stands for, where it refers to a part of the whole."""
    told = as_object(raw)
    reference = told.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return told
    found: Any = whole
    for part in reference[2:].split("/")[:4]:
        found = as_object(found).get(part)
    return {**as_object(found), **{key: value for key, value in told.items() if key != "$ref"}}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _spelled(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:80]
