"""A registry that somebody is about to describe: the fields of the form, and the manifest that they come to.

In the flow: between the form and the API, which says what is wrong with a manifest by its paths; those are led back to
fields here. What is right is the API's to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from thv.apps.dashboard.forms import Form, words
from thv.apps.kit.http.problems import Culprit
from thv.catalog.generate.files import documents
from thv.domain.canonical import JsonObject
from thv.domain.resources import MCP_REGISTRY

Values: TypeAlias = Mapping[str, str]


class Step(msgspec.Struct, frozen=True):
    """One page of the form."""

    title: str
    fields: tuple[str, ...]


STEPS = (
    Step(
        "Source",
        (
            "namespace", "name", "type", "url", "repository", "branch", "path", "configmap", "key", "registry",
            "registry_url", "versions", "file", "secret",
        ),
    ),
    Step(
        "Format and filters",
        (
            "format", "include_names", "exclude_names", "include_tags", "exclude_tags", "include_tiers",
            "include_transports", "include_categories",
        ),
    ),
    Step(
        "Trust and sync",
        (
            "trust_level", "display_name", "description", "interval", "suspended", "enforce_servers", "enforce_tools",
            "anonymous_read",
        ),
    ),
    Step("Review", ()),
)  # fmt: skip
DEFAULTS: Values = {"type": "url", "trust_level": "raw", "interval": "1h", "branch": "main", "versions": "latest"}  # fmt: skip
TYPES = {
    "url": "A document on the web",
    "git": "A Git repository",
    "registry_url": "The API of another registry",
    "registry": "A registry of the same namespace",
    "configmap": "A ConfigMap",
    "file": "A file of this machine",
}
_FLAGS = {
    "enforce_servers": ("enforceServers",),
    "enforce_tools": ("enforceTools",),
    "anonymous_read": ("api", "anonymousRead"),
}
_SIDES = ("include", "exclude")
_WORDS = {"include": "Only these", "exclude": "Not these"}
_LISTS = ("names", "tags", "tiers", "transports", "categories")
RULES = {
    **{
        f"filter.{side}.{name}": f"{word} {name}"
        for side, word in _WORDS.items()
        for name in _LISTS
    },
    "validationPolicy.allowedTiers": "Only tiers that its policy allows",
    "validationPolicy.blockedPatterns": "Not what its policy blocks",
}
"""What keeps entries out, by its place in the spec, in the words of the form."""
_PLACES = {
    "metadata.name": "name",
    "metadata.namespace": "namespace",
    "namespace": "namespace",
    "spec.source.url.url": "url",
    "spec.source.git.repository": "repository",
    "spec.source.git.branch": "branch",
    "spec.source.git.path": "path",
    "spec.source.configMap.name": "configmap",
    "spec.source.configMap.key": "key",
    "spec.source.registry.url": "registry_url",
    "spec.source.registry.registryRef.name": "registry",
    "spec.source.registry.versions": "versions",
    "spec.source.file.path": "file",
    "spec.format": "format",
    "spec.trustLevel": "trust_level",
    "spec.displayName": "display_name",
    "spec.description": "description",
    "spec.syncPolicy.interval": "interval",
    "spec.api.anonymousRead": "anonymous_read",
}
"""Where a manifest says what a field says; what is beneath a place belongs to it."""
_NEEDED = {
    "namespace": "Say in which namespace it belongs.",
    "name": "Give it a name.",
}
_SOURCES = {
    "url": ("url", "Say where the document is."),
    "git": ("repository", "Say where the repository is."),
    "registry_url": ("registry_url", "Say where the other registry is."),
    "registry": ("registry", "Say which registry it is."),
    "configmap": ("configmap", "Say which ConfigMap it is."),
    "file": ("file", "Say which file it is."),
}


def values_of(form: Form) -> dict[str, str]:
    """What was typed; nothing else of the form."""
    fields = {field for step in STEPS for field in step.fields}
    found = {field: form[field][-1].strip() for field in fields if field in form}
    return {**DEFAULTS, **found}


def source_type(kind: str) -> str:
    """The type of the source in the manifest, of a choice in the form."""
    return "registry" if kind == "registry_url" else kind


def missing(values: Values) -> dict[str, str]:
    """What has to be filled in before anything can be said of the rest, by field."""
    kind = values.get("type", "")
    if kind not in _SOURCES:
        return {"type": "Choose where its servers come from."}
    field, message = _SOURCES[kind]
    needed = {**_NEEDED, field: message}
    return {name: said for name, said in needed.items() if not values.get(name)}


def filters_of(manifest: JsonObject) -> list[tuple[str, str]]:
    """What its filter takes and leaves out, in the words of the form."""
    found = manifest.get("spec", {}).get("filter") or {}
    return [
        (f"{_WORDS[side]} {name}", ", ".join(values))
        for side in _SIDES
        for name, values in (found.get(side) or {}).items()
        if name in _LISTS and values
    ]


def address_of(manifest: JsonObject) -> str:
    """Where exactly its content is, in one line; `""` where the name of its source says all."""
    source = manifest.get("spec", {}).get("source") or {}
    match source.get("type"):
        case "url" | "registry" as kind:
            return str((source.get(kind) or {}).get("url", ""))
        case "file":
            return str((source.get("file") or {}).get("path", ""))
        case "git":
            git = source.get("git") or {}
            at = next((str(git[key]) for key in ("commit", "tag", "branch") if git.get(key)), "")
            return " · ".join(filter(None, (git.get("repository"), at, git.get("path"))))
        case _:
            return ""


def field_of(culprit: Culprit) -> str:
    """The field that a refusal is about, `""` where it is about none."""
    place = culprit.location.partition(".")[2]
    for side in _SIDES:
        for name in _LISTS:
            if place.startswith(f"spec.filter.{side}.{name}"):
                return f"{side}_{name}"
    if place.endswith("Secret.name"):
        return "secret"
    return next((field for known, field in _PLACES.items() if place.startswith(known)), "")


def step_of(fields: Iterable[str]) -> int:
    """The first step that has one of these fields; the last one where none has."""
    wanted = set(fields)
    return next(
        (index for index, step in enumerate(STEPS) if wanted & set(step.fields)), len(STEPS) - 1
    )


# ---------------------------------------------------------------- the manifest


def yaml_of(manifest: JsonObject) -> str:
    """As a file to apply."""
    return documents([manifest]).removeprefix("---\n")


def manifest_of(values: Values) -> JsonObject:
    """What the fields come to; what is the default anyway is left out."""
    spec: JsonObject = {
        **_given(displayName=values.get("display_name"), description=values.get("description")),
        **_given(format=values.get("format")),
        "trustLevel": values.get("trust_level") or "raw",
        "source": _source(values),
        "syncPolicy": _sync_policy(values),
        **_given(filter=_filter(values)),
    }
    for field, path in _FLAGS.items():
        if values.get(field):
            _put(spec, path)
    return {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": _given(name=values.get("name"), namespace=values.get("namespace")),
        "spec": spec,
    }


def _source(values: Values) -> JsonObject:
    said = values.get
    access = _given(authSecret=_given(name=said("secret")))
    match said("type"):
        case "git":
            place = _given(branch=said("branch"), path=said("path"))
            return {"type": "git", "git": {"repository": said("repository", ""), **place, **access}}
        case "configmap":
            return {"type": "configmap", "configMap": {"name": said("configmap", ""), **_given(key=said("key"))}}  # fmt: skip
        case "registry_url":
            other = {"url": said("registry_url", ""), "versions": said("versions", "latest")}
            return {"type": "registry", "registry": {**other, **access}}
        case "registry":
            return {"type": "registry", "registry": {"registryRef": {"name": said("registry", "")}}}
        case "file":
            return {"type": "file", "file": {"path": said("file", "")}}
        case _:
            return {"type": "url", "url": {"url": said("url", ""), **access}}


def _sync_policy(values: Values) -> JsonObject:
    switched = {"enabled": False} if values.get("suspended") else {}
    return {**switched, "interval": values.get("interval") or "1h"}


def _filter(values: Values) -> JsonObject:
    sides = {
        side: _given(**{name: words(values.get(f"{side}_{name}", "")) for name in _LISTS})
        for side in _SIDES
    }
    return _given(**sides)


def _put(spec: JsonObject, path: tuple[str, ...]) -> None:
    *above, last = path
    for part in above:
        spec = spec.setdefault(part, {})
    spec[last] = True


def _given(**members: Any) -> JsonObject:
    """The members that say something."""
    return {key: value for key, value in members.items() if value}
