"""R5 and R6: how two versions of a server differ, and the tools of one.

In the flow: as `servers`; both read whole entries, because nobody keeps these answers.
"""

from __future__ import annotations

from typing import Any

from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.apps.registry_api.difference import differences, summary
from thv.apps.registry_api.pages import PLAIN_JSON, answer
from thv.apps.registry_api.served import Served
from thv.apps.registry_api.servers import place_of, version_of
from thv.domain.canonical import JsonObject
from thv.domain.facts import facts_of
from thv.formats.toolhive import placed_entry
from thv.stores.models import lookup
from thv.stores.models.lookup import Read
from thv.stores.models.query import LATEST
from thv.stores.models.rows import definitions_of
from thv.stores.models.view import View


def compare_versions(call: Call, other: Served | None = None) -> Answer:
    """R5: one version against another one, which may be of another registry."""
    served = place_of(call)
    view = served.view()
    if call.values["base"] is None:
        raise ProblemError(
            Word.INVALID_REQUEST,
            "base is required: the version to compare with.",
            culprits=[Culprit("is required", "query.base")],
            field="base",
        )

    def make() -> tuple[Header, bytes]:
        base, head = (
            _read(call, other.view() if other else view, call.values["base"]),
            _read(call, view, call.names["version"]),
        )
        return PLAIN_JSON, encode(_comparison(base, head))

    # Of another registry the address does not tell what it serves now.
    content = other.view().generation.content if other else ""
    return answer(call, served, view, make, values={**call.values, "content": content})


def _read(call: Call, view: View, text: str) -> Read:
    return lookup.read(view, version_of(call, view, text))


def _comparison(base: Read, head: Read) -> JsonObject:
    placed = placed_entry(head.entry)
    old, new = placed_entry(base.entry).value, placed.value
    found = list(differences(old, new))
    return {
        "name": placed.key,
        "base": {"version": base.entry.version, "digest": base.said.revision},
        "head": {"version": head.entry.version, "digest": head.said.revision},
        "summary": summary(old, new, found),
        "changes": found,
    }


def list_tools(call: Call) -> Answer:
    """R6: the tools of the latest version of a server."""
    served = place_of(call)
    view = served.view()

    def make() -> tuple[Header, bytes]:
        read = _read(call, view, LATEST)
        tools = _tools(read)
        body = {
            "server": call.names["name"],
            "version": read.entry.version,
            "tools": tools,
            "metadata": {"count": len(tools)},
        }
        return PLAIN_JSON, encode(body)

    return answer(call, served, view, make)


def _tools(read: Read) -> list[JsonObject]:
    facts = facts_of(read.entry)
    defined = {
        each.get("name"): each for each in definitions_of(read.entry.server, facts.reference)
    }
    return [_tool(name, defined.get(name, {})) for name in facts.tools]


def _tool(name: str, definition: JsonObject) -> JsonObject:
    description = definition.get("description")
    return {
        "name": name,
        "description": description if isinstance(description, str) else "",
        "input_schema": _either(definition, "input_schema", "inputSchema"),
        "output_schema": _either(definition, "output_schema", "outputSchema"),
        "annotations": definition.get("annotations"),
    }


def _either(definition: JsonObject, *keys: str) -> Any:
    return next((definition[key] for key in keys if key in definition), None)
