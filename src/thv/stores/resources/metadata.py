"""What the metadata of an object may hold, and what of it an update may change.

In the flow: part of the validation of every write. Names, labels and annotations follow Kubernetes, so that an
object of one machine can move to a cluster. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import FieldError
from thv.domain.selectors import (
    dns_label_problem,
    dns_name_problem,
    label_key_problem,
    label_value_problem,
)
from thv.stores.resources.schema import Schema

ANNOTATIONS_LIMIT = 256 * 1024

_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}

OBJECT_META: Schema = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "generateName": _TEXT,
        "namespace": _TEXT,
        "uid": _TEXT,
        "resourceVersion": _TEXT,
        "selfLink": _TEXT,
        "generation": {"type": "integer"},
        "creationTimestamp": _TIME,
        "deletionTimestamp": _TIME,
        "deletionGracePeriodSeconds": {"type": "integer"},
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "items": _TEXT, "x-kubernetes-list-type": "set"},
        "ownerReferences": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "items": {
                "type": "object",
                "x-kubernetes-map-type": "atomic",
                "required": ["apiVersion", "kind", "name", "uid"],
                "properties": {
                    "apiVersion": _TEXT,
                    "kind": _TEXT,
                    "name": _TEXT,
                    "uid": {"type": "string", "minLength": 1},
                    "controller": {"type": "boolean"},
                    "blockOwnerDeletion": {"type": "boolean"},
                },
            },
        },
        "managedFields": {"type": "array", "items": {}},
    },
}


def check_metadata(metadata: JsonObject) -> list[FieldError]:
    """What is wrong with the metadata of any object; its types are checked by the schema."""
    return [
        *_name_errors(metadata),
        *_entry_errors("metadata.labels", metadata.get("labels"), str, label_value_problem),
        *_entry_errors("metadata.annotations", metadata.get("annotations"), str.lower, _anything),
        *_annotation_size_errors(metadata.get("annotations")),
        *_finalizer_errors(metadata.get("finalizers")),
        *_owner_errors(metadata.get("ownerReferences")),
    ]


def check_metadata_update(old: JsonObject, new: JsonObject) -> list[FieldError]:
    """What an update may not change of the metadata."""
    return [*_immutable_errors(old, new), *_new_finalizer_errors(old, new)]


def _name_errors(metadata: JsonObject) -> Iterator[FieldError]:
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if not name:
        yield FieldError("metadata.name", "Required value: name or generateName is required")
    elif isinstance(name, str) and (problem := dns_name_problem(name)):
        yield _invalid("metadata.name", name, problem)
    if isinstance(namespace, str) and (problem := dns_label_problem(namespace)):
        yield _invalid("metadata.namespace", namespace, problem)


def _entry_errors(
    path: str, entries: Any, spelling: Callable[[str], str], value_problem: Callable[[str], str]
) -> Iterator[FieldError]:
    for key, value in entries.items() if isinstance(entries, dict) else ():
        if problem := label_key_problem(spelling(key)):
            yield _invalid(path, key, f"the key {problem}")
        if isinstance(value, str) and (problem := value_problem(value)):
            yield _invalid(f"{path}[{key}]", value, problem)


def _anything(_: str) -> str:
    return ""


def _annotation_size_errors(annotations: Any) -> Iterator[FieldError]:
    if isinstance(annotations, dict):
        pairs = ((key, value) for key, value in annotations.items() if isinstance(value, str))
        size = sum(len(key.encode()) + len(value.encode()) for key, value in pairs)
        if size > ANNOTATIONS_LIMIT:
            problem = f"Too long: all have {size} bytes, may have at most {ANNOTATIONS_LIMIT}"
            yield FieldError("metadata.annotations", problem)


def _finalizer_errors(finalizers: Any) -> Iterator[FieldError]:
    for index, name in enumerate(finalizers if isinstance(finalizers, list) else ()):
        if isinstance(name, str) and (problem := label_key_problem(name)):
            yield _invalid(f"metadata.finalizers[{index}]", name, problem)


def _owner_errors(references: Any) -> Iterator[FieldError]:
    owners = [r for r in references or () if isinstance(r, dict)]
    controllers = [owner.get("name") for owner in owners if owner.get("controller") is True]
    if len(controllers) > 1:
        named = " and ".join(str(name) for name in controllers)
        problem = f"only one owner can be the controller, found {named}"
        yield FieldError("metadata.ownerReferences", f"Invalid value: {problem}")


_IMMUTABLE = ("name", "namespace", "uid", "deletionTimestamp", "deletionGracePeriodSeconds")


def _immutable_errors(old: JsonObject, new: JsonObject) -> Iterator[FieldError]:
    for key in _IMMUTABLE:
        if new.get(key) != old.get(key):
            yield _invalid(f"metadata.{key}", new.get(key), "field is immutable")


def _new_finalizer_errors(old: JsonObject, new: JsonObject) -> Iterator[FieldError]:
    added = set(new.get("finalizers") or ()) - set(old.get("finalizers") or ())
    if added and "deletionTimestamp" in old:
        named = ", ".join(sorted(added))
        problem = f"Forbidden: the object is being deleted, no finalizer can be added: {named}"
        yield FieldError("metadata.finalizers", problem)


def _invalid(path: str, value: Any, problem: str) -> FieldError:
    return FieldError(
        path, f"Invalid value: {msgspec.json.encode(value).decode()}: {problem}", value
    )
