"""Resources as people may see them: without who owns which field, and never with the values of a Secret.

In the flow: wherever a whole resource is printed.
"""

from __future__ import annotations

from thv.domain.canonical import JsonObject
from thv.domain.resources import SECRET, find_kind, metadata_of

HIDDEN = "(hidden)"
"""No base64, so that what was printed is refused when somebody applies it."""


def shown_resource(obj: JsonObject, *, managed_fields: bool = False) -> JsonObject:
    """The resource to print."""
    left_out = () if managed_fields else ("managedFields",)
    metadata = {key: value for key, value in metadata_of(obj).items() if key not in left_out}
    shown: JsonObject = {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind")}
    shown |= {**obj, "metadata": metadata}
    if find_kind(str(obj.get("apiVersion")), str(obj.get("kind"))) is not SECRET:
        return shown
    for field in ("data", "stringData"):
        if isinstance(obj.get(field), dict):
            shown[field] = dict.fromkeys(obj[field], HIDDEN)
    return shown
