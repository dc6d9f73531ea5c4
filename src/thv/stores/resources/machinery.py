"""What an API server does with an object, as functions of values.

In the flow: a store reads the live object in a transaction, one of the verbs below makes the next one of it (or
raises), and the store writes that when it differs. Nothing here knows where objects lie, reads a clock or makes
an id: both are passed in.
"""

from __future__ import annotations

from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, FieldError, InvalidError, ThvError
from thv.domain.patches import merge_patch
from thv.domain.resources import metadata_of, name_of
from thv.stores.resources.definitions import Definition
from thv.stores.resources.fieldsets import FieldSet
from thv.stores.resources.metadata import check_metadata, check_metadata_update
from thv.stores.resources.ownership import (
    Applied,
    Manager,
    Owned,
    Owners,
    applied,
    managed_fields,
    owners_of,
    same_owners,
    updated,
)
from thv.stores.resources.schema import defaulted, pruned, unknown_fields, validate

SIZE_LIMIT = 3 * 1024 * 1024 // 2
GENERATED_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED_BASE_LIMIT = 58

_STATUS: FieldSet = frozenset({("f:status",)})
_ALL_BUT_STATUS: FieldSet = frozenset({("f:metadata",), ("f:spec",)})


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Who writes, when, and how strictly."""

    manager: str
    now: str
    """RFC 3339, whole seconds."""
    strict: bool = True
    """Unknown fields are errors; else they are dropped."""
    force: bool = False
    """An apply takes over fields of others."""


# ---------------------------------------------------------------- verbs


def created(definition: Definition, obj: JsonObject, request: Request, *, uid: str) -> JsonObject:
    """The object that a create makes; its name is already chosen."""
    if metadata_of(obj).get("resourceVersion"):
        problem = "must not be set on an object that is to be created"
        raise _refused(definition, obj, [FieldError("metadata.resourceVersion", problem)])
    sent, unknown = _received(definition, obj, request)
    manager = Manager("Update", request.manager)
    owners = updated(definition.schema, {}, sent, {}, manager, **_when(definition, request))
    return _new(definition, sent, owners, unknown, request, uid=uid)


def replaced(
    definition: Definition, live: JsonObject, obj: JsonObject, request: Request
) -> JsonObject:
    """The object that a replace makes; raises CONFLICT when it was meant for another state or object."""
    _match_version(definition, live, obj)
    _match_uid(definition, live, obj)
    return _overwritten(definition, live, obj, request)


def merged(
    definition: Definition, live: JsonObject, patch: JsonObject, request: Request
) -> JsonObject:
    """The object that a JSON merge patch (RFC 7386) makes."""
    obj = merge_patch(live, patch)
    _match_version(definition, live, obj)
    return _overwritten(definition, live, obj, request)


def apply(
    definition: Definition,
    live: JsonObject | None,
    config: JsonObject,
    request: Request,
    *,
    uid: str,
) -> JsonObject:
    """The object that a server-side apply makes, new or changed; raises CONFLICT unless forced."""
    sent, unknown = _applicable(definition, config, request)
    if live is None and metadata_of(config).get("uid"):
        raise _conflict(definition, config, "it names a uid, but no such object exists")
    result = _applied(definition, live or {}, sent, request, unknown=unknown)
    value = _tidy(definition, defaulted(definition.schema, result.value))
    if live is None:
        return _new(definition, value, result.owners, unknown, request, uid=uid)
    _match_version(definition, live, value)
    return _next(definition, live, value, result.owners, unknown)


def status_applied(
    definition: Definition, live: JsonObject, config: JsonObject, request: Request
) -> JsonObject:
    """The object after its status, and nothing else, was applied."""
    sent, unknown = _applicable(definition, config, request)
    result = _applied(definition, live, sent, request, unknown=unknown, subresource="status")
    _match_version(definition, live, result.value)
    rest = {key: value for key, value in live.items() if key != "status"}
    status = {"status": result.value["status"]} if "status" in result.value else {}
    obj = _with_owners({**rest, **status}, result.owners)
    if _same(live, obj):
        return live
    _check(definition, live, obj, unknown)
    return obj


def deleted(definition: Definition, live: JsonObject, request: Request) -> JsonObject | None:
    """The object that waits for its finalizers; None when nothing holds it."""
    metadata = metadata_of(live)
    if not metadata.get("finalizers"):
        return None
    if "deletionTimestamp" in metadata:
        return live
    marked = {**metadata, "deletionTimestamp": request.now, "deletionGracePeriodSeconds": 0}
    if definition.has_status:
        marked["generation"] = metadata["generation"] + 1
    return {**live, "metadata": _sorted(marked)}


def without_owners(
    definition: Definition, live: JsonObject, uids: set[str], request: Request
) -> JsonObject:
    """The object without its references to owners that are gone."""
    references = metadata_of(live).get("ownerReferences") or []
    rest = [reference for reference in references if reference.get("uid") not in uids]
    return merged(definition, live, {"metadata": {"ownerReferences": rest or None}}, request)


def is_finished(obj: JsonObject) -> bool:
    """Whether the object was deleted and its last finalizer is gone."""
    metadata = metadata_of(obj)
    return "deletionTimestamp" in metadata and not metadata.get("finalizers")


def generated_name(base: str, suffix: str) -> str:
    """The name that `generateName` gives."""
    return base[:_GENERATED_BASE_LIMIT] + suffix


# ---------------------------------------------------------------- steps


def _received(
    definition: Definition, obj: JsonObject, request: Request
) -> tuple[JsonObject, list[FieldError]]:
    """What a client sent, pruned and filled with defaults, and what it should not have sent."""
    prepared = definition.prepared(obj)
    unknown = unknown_fields(definition.schema, prepared) if request.strict else []
    known = defaulted(definition.schema, pruned(definition.schema, prepared))
    return _tidy(definition, known), unknown


def _tidy(definition: Definition, obj: JsonObject) -> JsonObject:
    """Without the empty maps and lists that an API server does not keep."""
    kept = {k: v for k, v in obj.items() if v or k not in definition.kept_if_filled}
    if not isinstance(obj.get("metadata"), dict):
        return kept
    metadata = {k: v for k, v in obj["metadata"].items() if v or k not in _KEPT_IF_FILLED}
    return {**kept, "metadata": metadata}


_KEPT_IF_FILLED = frozenset({"annotations", "finalizers", "labels", "ownerReferences"})


def _applicable(
    definition: Definition, config: JsonObject, request: Request
) -> tuple[JsonObject, list[FieldError]]:
    """The part of a configuration that the schema knows; an apply writes no defaults of its own."""
    if not request.manager:
        problem = [FieldError("fieldManager", "Required value: an apply needs a manager")]
        raise _refused(definition, config, problem)
    if metadata_of(config).get("managedFields") is not None:
        problem = [FieldError("metadata.managedFields", "must not be set in an applied object")]
        raise _refused(definition, config, problem)
    prepared = definition.prepared(config)
    unknown = unknown_fields(definition.schema, prepared)
    # Nulls stay: an apply owns what it sets to null.
    known = pruned(definition.schema, prepared) if unknown else prepared
    return known, unknown if request.strict else []


def _applied(
    definition: Definition,
    live: JsonObject,
    config: JsonObject,
    request: Request,
    *,
    unknown: list[FieldError],
    subresource: str = "",
) -> Applied:
    ignored = _ALL_BUT_STATUS if subresource else _untouched(definition)
    owners = owners_of(live) or _first_owners(definition, live, request)
    return applied(
        definition.schema,
        _without_managed_fields(live),
        config,
        owners,
        Manager("Apply", request.manager, subresource),
        api_version=definition.kind.api_version,
        now=request.now,
        force=request.force or bool(unknown),
        ignored=ignored,
    )


def _first_owners(
    definition: Definition, live: JsonObject, request: Request
) -> dict[Manager, Owned]:
    """Fields that nobody owns when an object is first applied belong to nobody in particular."""
    manager = Manager("Update", "before-first-apply")
    return updated(definition.schema, {}, live, {}, manager, **_when(definition, request))


def _overwritten(
    definition: Definition, live: JsonObject, obj: JsonObject, request: Request
) -> JsonObject:
    sent, unknown = _received(definition, obj, request)
    before, after = _without_managed_fields(live), _without_managed_fields(sent)
    manager = Manager("Update", request.manager)
    owners = owners_of(live)
    if owners:
        when = _when(definition, request)
        owners = updated(definition.schema, before, after, owners, manager, **when)
    return _next(definition, live, after, owners, unknown)


def _new(
    definition: Definition,
    sent: JsonObject,
    owners: Owners,
    unknown: list[FieldError],
    request: Request,
    *,
    uid: str,
) -> JsonObject:
    """A new object with what the store writes into its metadata."""
    written: JsonObject = {"uid": uid, "creationTimestamp": request.now}
    if definition.has_status:
        written["generation"] = 1
    given = {key: value for key, value in metadata_of(sent).items() if key not in _SYSTEM_FIELDS}
    body = {
        key: value for key, value in sent.items() if key != "status" or not definition.has_status
    }
    obj = _with_owners({**body, "metadata": {**given, **written}}, owners)
    _check(definition, None, obj, unknown)
    return obj


_SYSTEM_FIELDS = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


def _next(
    definition: Definition,
    live: JsonObject,
    sent: JsonObject,
    owners: Owners,
    unknown: list[FieldError],
) -> JsonObject:
    """The live object itself when nothing changed, else the next one."""
    body = {
        key: value for key, value in sent.items() if key != "status" or not definition.has_status
    }
    if definition.has_status and "status" in live:
        body["status"] = live["status"]
    metadata = _kept_metadata(metadata_of(live), metadata_of(sent))
    if definition.has_status and _content(body) != _content(live):
        metadata["generation"] = metadata_of(live)["generation"] + 1
    obj = _with_owners({**body, "metadata": metadata}, owners)
    if _same(live, obj) and not unknown:
        return live
    _check(definition, live, obj, unknown)
    return obj


def _kept_metadata(live: JsonObject, sent: JsonObject) -> JsonObject:
    """What was sent, with what only the store writes as it is."""
    kept = dict(sent)
    for key in ("resourceVersion", "creationTimestamp", "generation"):
        if key in live:
            kept[key] = live[key]
        else:
            kept.pop(key, None)
    for key in ("uid", "namespace", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if key in live and (key not in kept or key == "deletionTimestamp"):
            kept[key] = live[key]
    kept.pop("selfLink", None)
    return kept


# ---------------------------------------------------------------- checks


def _check(
    definition: Definition, live: JsonObject | None, obj: JsonObject, unknown: list[FieldError]
) -> None:
    """Raises INVALID with all that is wrong; what was wrong before and is unchanged is let pass."""
    errors = unknown + _errors(definition, obj)
    if live is not None:
        before = _errors(definition, live) if errors else []
        errors = [error for error in errors if error not in before]
        errors += check_metadata_update(metadata_of(live), metadata_of(obj))
        errors += definition.check_update(live, obj)
    if errors:
        raise _refused(definition, obj, errors)
    size = len(msgspec.json.encode(obj))
    if size > SIZE_LIMIT:
        raise ThvError(
            Code.SIZE_LIMIT_EXCEEDED,
            f"{_subject(definition, obj)} has {size} bytes, an object may have at most {SIZE_LIMIT}",
            hint="Split it into several objects, or keep the content outside and refer to it.",
            details={"bytes": size, "limit": SIZE_LIMIT},
        )


def _errors(definition: Definition, obj: JsonObject) -> list[FieldError]:
    structural = validate(definition.schema, obj) + check_metadata(metadata_of(obj))
    wrong = {error.path for error in structural}
    return structural + [error for error in definition.check(obj) if error.path not in wrong]


def _match_version(definition: Definition, live: JsonObject, obj: JsonObject) -> None:
    wanted, found = (metadata_of(o).get("resourceVersion") for o in (obj, live))
    if wanted and wanted != found:
        raise _conflict(
            definition, live, f"it is at resourceVersion {found}, the request is for {wanted}"
        )


def _match_uid(definition: Definition, live: JsonObject, obj: JsonObject) -> None:
    wanted, found = metadata_of(obj).get("uid"), metadata_of(live).get("uid")
    if wanted and wanted != found:
        raise _conflict(definition, live, f"its uid is {found}, the request is for {wanted}")


def check_preconditions(
    definition: Definition, live: JsonObject, *, uid: str, resource_version: str
) -> None:
    """Raises CONFLICT when the object is not the one that is meant; empty texts mean any."""
    metadata = {"uid": uid, "resourceVersion": resource_version}
    _match_uid(definition, live, {"metadata": metadata})
    _match_version(definition, live, {"metadata": metadata})


def _conflict(definition: Definition, obj: JsonObject, why: str) -> ThvError:
    return ThvError(
        Code.CONFLICT,
        f"{_subject(definition, obj)} has changed: {why}",
        hint="Read it again, repeat the change on what it is now, and send that.",
    )


def _refused(definition: Definition, obj: JsonObject, errors: list[FieldError]) -> InvalidError:
    hint = "Correct the named fields and send the object again; nothing was changed."
    return InvalidError(_subject(definition, obj), errors, hint=hint)


def _subject(definition: Definition, obj: JsonObject) -> str:
    return definition.kind.subject(name_of(obj))


# ---------------------------------------------------------------- parts


def _when(definition: Definition, request: Request) -> Any:
    return {
        "api_version": definition.kind.api_version,
        "now": request.now,
        "ignored": _untouched(definition),
    }


def _untouched(definition: Definition) -> FieldSet:
    return _STATUS if definition.has_status else frozenset()


def _without_managed_fields(obj: JsonObject) -> JsonObject:
    metadata = {k: v for k, v in metadata_of(obj).items() if k != "managedFields"}
    return {**obj, "metadata": metadata} if "metadata" in obj else obj


def _with_owners(obj: JsonObject, owners: Owners) -> JsonObject:
    metadata = {k: v for k, v in metadata_of(obj).items() if k != "managedFields"}
    entries = managed_fields(owners)
    owned = {"managedFields": entries} if entries else {}
    return {**obj, "metadata": _sorted({**metadata, **owned})}


def _same(live: JsonObject, obj: JsonObject) -> bool:
    """Whether nothing differs but the times of owners."""
    same = _without_managed_fields(live) == _without_managed_fields(obj)
    return same and same_owners(owners_of(live), owners_of(obj))


def _content(obj: JsonObject) -> JsonObject:
    return {key: value for key, value in obj.items() if key != "metadata"}


def _sorted(metadata: JsonObject) -> JsonObject:
    return dict(sorted(metadata.items()))
