"""Where objects are at an API server.

In the flow: between the kinds and the requests of the Kubernetes store. Pure.
"""

from __future__ import annotations

from urllib.parse import quote

from thv.domain.errors import FieldError, InvalidError
from thv.domain.resources import Kind

DEFAULT_NAMESPACE = "default"


def collection(kind: Kind, namespace: str | None) -> str:
    """The path of all objects of a namespace, or of all namespaces."""
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    if not kind.namespaced or not namespace:
        return f"{root}/{kind.plural}"
    place = _segment(kind, "metadata.namespace", namespace)
    return f"{root}/namespaces/{place}/{kind.plural}"


def resource(kind: Kind, namespace: str, name: str, subresource: str = "") -> str:
    """The path of one object; raises INVALID for what can be no name, which might lead elsewhere."""
    path = f"{collection(kind, namespace or DEFAULT_NAMESPACE)}/{_segment(kind, 'metadata.name', name)}"
    return f"{path}/{subresource}" if subresource else path


def _segment(kind: Kind, field: str, text: str) -> str:
    if not text:
        problem = "Required value: name is required"
    elif text in {".", ".."} or "/" in text or "%" in text:
        problem = f'Invalid value: "{text}": may be neither "." nor "..", nor contain "/" or "%"'
    else:
        return quote(text, safe="")
    raise InvalidError(kind.subject(text), [FieldError(field, problem, text)])
