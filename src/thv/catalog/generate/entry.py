"""An entry as somebody wants to have it: other image, chosen tools under other names, other defaults.

In the flow: after `resolve`, before `manifests`. What is wanted is held against what the entry says of itself; what comes
out is an entry of a ToolHive document, which a sync reads like any other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from thv.catalog.generate.refusals import RefusedError, refused
from thv.catalog.generate.request import Amounts, Choice, Override, configured, place_of
from thv.catalog.generate.resolve import Candidate
from thv.domain.canonical import JsonObject
from thv.domain.entry import Status
from thv.domain.errors import Code, FieldError, InvalidError
from thv.domain.facts import Facts, facts_of
from thv.domain.lenient import as_object
from thv.domain.resources import GROUP
from thv.domain.target import Container, NotRunnable, Package, Remote, target_of
from thv.formats.images import digest_of, in_registry, is_reference, pinned
from thv.formats.toolhive import Placed, as_version, placed_entry

OWN = GROUP
"""The key of `custom_metadata` that holds what the ToolHive format has no place for."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A server as it will be served."""

    index: int
    """Its place in the request."""
    choice: Choice
    candidate: Candidate
    facts: Facts
    key: str
    section: str
    value: JsonObject
    """The entry of the document."""
    shown: dict[str, str]
    """The tools that are shown: real name to the name that is shown, in the order of the entry."""
    source: str = ""
    """Where its image has to be copied from to be where the entry says, `""` where nothing has to be copied."""
    beyond: str = ""
    """What of it lies outside, so that it does nothing in a network without a way out; `""` for nothing."""
    warnings: tuple[FieldError, ...] = ()

    @property
    def image(self) -> str:
        """What is run of it, `""` where that is no image."""
        is_container = isinstance(target_of(self.candidate.entry.server), Container)
        return str(self.value["image"]) if is_container else ""

    @property
    def image_digest(self) -> str:
        """Of the image, `""` where nobody knows it."""
        return image_digest(self.value)

    @property
    def has_tool_config(self) -> bool:
        """Whether something about its tools was asked for."""
        return self.choice.tools_filter is not None or bool(self.choice.tool_overrides)


def image_digest(value: JsonObject) -> str:
    """The digest of the image of a ToolHive entry: what was pinned, or what the reference names; else `""`."""
    own = as_object(as_object(value.get("custom_metadata")).get(OWN))
    return digest_of(str(value.get("image", "")), own.get("image_digest"))


def chosen_entry(
    index: int, choice: Choice, candidate: Candidate, image_registry: str = ""
) -> Chosen:
    """The entry as it is wanted; `image_registry` is where images lie that no choice names.

    Raises InvalidError that names every field that does not fit the entry.
    """
    entry = candidate.entry
    facts = facts_of(entry)
    placed = placed_entry(entry)
    value = {key: field for key, field in placed.value.items() if key != "groups"}
    errors = [
        *_image_errors(index, choice, entry.server),
        *_variable_errors(index, choice, value),
    ]
    try:
        shown = shown_tools(index, choice, facts.tools)
    except RefusedError as error:
        raise InvalidError("the request", [*errors, error.error]) from error
    if errors:
        raise InvalidError("the request", errors)
    value = _with_tools(value, choice, shown)
    value = _with_variables(value, choice.env_overrides)
    value = _with_image(value, choice, entry.server, image_registry)
    value = with_own(value, resources=_merged(value, choice.resources))
    value = as_version(Placed(placed.key, placed.section, value), entry.version).value
    chosen = Chosen(
        index=index,
        choice=choice,
        candidate=candidate,
        facts=facts,
        key=placed.key,
        section=placed.section,
        value=value,
        shown=shown,
        source=_copied_from(placed.value, choice, entry.server, image_registry),
        beyond=_beyond(entry.server),
    )
    return msgspec.structs.replace(chosen, warnings=tuple(_warnings(chosen)))


# ---------------------------------------------------------------- image


def _image_errors(index: int, choice: Choice, server: JsonObject) -> Iterator[FieldError]:
    target = target_of(server)
    if isinstance(target, Container):
        if not choice.custom_image and not is_reference(target.reference):
            message = (
                "must be given: the image of the entry is no reference that a runtime can look for"
            )
            yield FieldError(configured(index, "custom_image"), message, target.reference)
        return
    for field, value in (
        ("custom_image", choice.custom_image),
        ("custom_image_digest", choice.custom_image_digest),
    ):
        if value:
            message = f"must be left out: what is run of it is no image but a {target.kind}"
            yield FieldError(configured(index, field), message, value)


def _with_image(
    value: JsonObject, choice: Choice, server: JsonObject, image_registry: str
) -> JsonObject:
    """The digest stands beside the image: ToolHive's format has it in no reference."""
    if not isinstance(target_of(server), Container):
        return value
    image = str(value["image"]).partition("@")[0]
    digest = choice.custom_image_digest
    if choice.custom_image:
        image = choice.custom_image
    else:
        digest = digest or image_digest(value)
        if image_registry:
            image = mirrored(image, image_registry)
    return with_own({**value, "image": image}, image_digest=digest)


def _copied_from(value: JsonObject, choice: Choice, server: JsonObject, image_registry: str) -> str:
    """An image that somebody named is where it is named: it may be another one than that of the entry."""
    if choice.custom_image or not image_registry or not isinstance(target_of(server), Container):
        return ""
    image = str(value["image"]).partition("@")[0]
    if mirrored(image, image_registry) == image:
        return ""
    return pinned(image, choice.custom_image_digest or image_digest(value))


def mirrored(image: str, registry: str) -> str:
    """The image where another registry keeps it; as it is where it lies there already."""
    return image if image.startswith(f"{registry.rstrip('/')}/") else in_registry(image, registry)


# ---------------------------------------------------------------- tools


def shown_tools(index: int, choice: Choice, tools: tuple[str, ...]) -> dict[str, str]:
    """The tools that are shown, by their real names; raises INVALID for the first field that does not fit."""
    known = dict.fromkeys(tools)
    for tool in choice.tool_overrides:
        if tool not in known:
            path = configured(index, f"tool_overrides.{tool}")
            raise refused(Code.INVALID, path, _unknown_tool(tool, tools), tool)
    names = {tool: _name_of(tool, choice.tool_overrides.get(tool)) for tool in known}
    _check_unique(index, choice, names)
    if choice.tools_filter is None:
        return names
    chosen = {_meant(index, place, choice, names) for place in range(len(choice.tools_filter))}
    if len(chosen) != len(choice.tools_filter):
        message = "must not name a tool by both of its names"
        raise refused(Code.INVALID, configured(index, "tools_filter"), message)
    return {tool: name for tool, name in names.items() if tool in chosen}


def _name_of(tool: str, override: Override | None) -> str:
    return tool if override is None or override.name is None else override.name


def _check_unique(index: int, choice: Choice, names: dict[str, str]) -> None:
    by_name: dict[str, str] = {}
    for tool, name in names.items():
        other = by_name.setdefault(name, tool)
        if other != tool:
            # Two tools of one name in the entry itself are one tool; so one of these two was renamed.
            renamed = tool if tool in choice.tool_overrides else other
            message = f'would call two tools "{name}": {other} and {tool}'
            raise refused(
                Code.INVALID, configured(index, f"tool_overrides.{renamed}.name"), message, name
            )


def _meant(index: int, place: int, choice: Choice, names: dict[str, str]) -> str:
    """The real name of a tool that a filter names by its real or by its new name."""
    said = (choice.tools_filter or ())[place]
    path = configured(index, f"tools_filter[{place}]")
    meant = {tool for tool, name in names.items() if said in (tool, name)}
    if len(meant) > 1:
        message = f"names two tools: {' and '.join(sorted(meant))}; use their other names"
        raise refused(Code.INVALID, path, message, said)
    if not meant:
        raise refused(Code.INVALID, path, _unknown_tool(said, tuple(names)), said)
    return meant.pop()


def _unknown_tool(tool: str, tools: tuple[str, ...]) -> str:
    if not tools:
        return f'must be a tool of the server, which does not say which tools it has, not "{tool}"'
    shown = ", ".join(tools[:10]) + (", ..." if len(tools) > 10 else "")
    return f"must be a tool of the server: {shown}"


def _with_tools(value: JsonObject, choice: Choice, shown: dict[str, str]) -> JsonObject:
    """Chosen tools under their new names, in `tools` and in `tool_definitions`."""
    if choice.tools_filter is None and not choice.tool_overrides:
        return value
    definitions = value.get("tool_definitions")
    given = definitions if isinstance(definitions, list) else []
    by_name = {each["name"]: each for each in given if _is_named(each)}
    made = [
        definition
        for tool, name in shown.items()
        if (definition := _definition(by_name.get(tool), name, choice.tool_overrides.get(tool)))
    ]
    bare = {key: field for key, field in value.items() if key != "tool_definitions"}
    new = {**bare, "tools": list(shown.values())}
    return {**new, "tool_definitions": made} if made else new


def _is_named(each: object) -> bool:
    """What publishers write stands where an object with a name is expected."""
    return isinstance(each, dict) and isinstance(each.get("name"), str)


def _definition(
    given: JsonObject | None, name: str, override: Override | None
) -> JsonObject | None:
    """The definition under the new name; one that was not there only to hold another description."""
    text = None if override is None else override.description
    if given is None and text is None:
        return None
    said = {} if text is None else {"description": text}
    return {**(given or {}), "name": name, **said}


# ---------------------------------------------------------------- environment and resources


def _variable_errors(index: int, choice: Choice, value: JsonObject) -> Iterator[FieldError]:
    declared = {
        each["name"]: each for each in _variables(value) if isinstance(each.get("name"), str)
    }
    for name in choice.env_overrides:
        path = configured(index, f"env_overrides.{name}")
        if name not in declared:
            known = ", ".join(list(declared)[:10]) or "none"
            yield FieldError(path, f"must be a variable that the server declares: {known}")
        elif declared[name].get("secret") is True:
            message = (
                "is a secret: put its value into a Secret and name that when the server is run"
            )
            yield FieldError(path, message)


def _with_variables(value: JsonObject, overrides: dict[str, str]) -> JsonObject:
    if not overrides:
        return value
    changed = [
        {**each, "default": overrides[each["name"]]}
        if _is_named(each) and each["name"] in overrides
        else each
        for each in value["env_vars"]
    ]
    return {**value, "env_vars": changed}


def _merged(value: JsonObject, amounts: Amounts) -> JsonObject:
    """What the entry recommends, with what was asked for instead."""
    there = as_object(as_object(value.get("custom_metadata")).get(OWN)).get("resources")
    return {**as_object(there), **msgspec.to_builtins(amounts)}


def with_own(value: JsonObject, **members: Any) -> JsonObject:
    """The entry with these members under our key of `custom_metadata`, where they say something."""
    custom = as_object(value.get("custom_metadata"))
    own = {key: each for key, each in as_object(custom.get(OWN)).items() if key not in members}
    own |= {key: each for key, each in members.items() if each}
    rest = {key: each for key, each in custom.items() if key != OWN}
    custom = {**rest, OWN: own} if own else rest
    bare = {key: each for key, each in value.items() if key != "custom_metadata"}
    return {**bare, "custom_metadata": custom} if custom else bare


# ---------------------------------------------------------------- what is worth saying


_PLACES = {"npx": "npm", "uvx": "PyPI"}


def _beyond(server: JsonObject) -> str:
    match target_of(server):
        case Remote(reference=url):
            return f"is run by somebody else, at {url}"
        case Package(reference=reference):
            runner = reference.partition("://")[0]
            return f"is fetched from {_PLACES[runner]} when it is run"
        case _:
            return ""


def _warnings(chosen: Chosen) -> Iterator[FieldError]:
    index = chosen.index
    target = target_of(chosen.candidate.entry.server)
    if chosen.image and not chosen.image_digest:
        path = configured(index, "custom_image")
        yield FieldError(path, "no digest: the image can change behind the tag", chosen.image)
    if isinstance(target, NotRunnable):
        yield FieldError(place_of(index, "name"), f"cannot be run: {target.reason}", chosen.key)
    if chosen.facts.status is Status.DEPRECATED:
        yield FieldError(place_of(index, "name"), "is deprecated by its publisher", chosen.key)


def _variables(value: JsonObject) -> list[JsonObject]:
    variables = value.get("env_vars")
    return (
        [each for each in variables if isinstance(each, dict)]
        if isinstance(variables, list)
        else []
    )
