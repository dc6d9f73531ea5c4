"""What a command that changed registries prints: `mcpregistry/corp removed`.

In the flow: last step of commands that change something.
"""

from __future__ import annotations

from collections.abc import Sequence

from thv.apps.cli.output import print_value
from thv.apps.cli.registries import Shelf
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.resources import metadata_of

LINES = "lines"
"""The output of such a command when no format was asked for."""
MANAGER = "thv"
"""Who owns the fields that these commands write."""


def print_done(session: Session, shelves: Sequence[Shelf], verb: str) -> None:
    """One line a registry; `-o name` the name alone, JSON and YAML the object, or a list of several."""
    match session.output:
        case "name":
            session.console.data("".join(f"{shelf.title}\n" for shelf in shelves))
        case "json" | "yaml":
            values = [without_managed_fields(shelf.obj) for shelf in shelves]
            shown = values[0] if len(values) == 1 else {"items": values}
            print_value(shown, session.output, session.console)
        case _:
            session.console.data("".join(f"{shelf.title} {verb}\n" for shelf in shelves))


def without_managed_fields(obj: JsonObject) -> JsonObject:
    """The object without who owns which field, which nobody reads."""
    metadata = {key: value for key, value in metadata_of(obj).items() if key != "managedFields"}
    return {**obj, "metadata": metadata}
