"""`thv search` and `thv show`, of servers behind an address.

In the flow: a registry of ours, and a catalog of many, filter by themselves and answer in ToolHive's form; an official
API knows a search by name alone, and its entries are converted here.
"""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from thv.apps.cli.commands.search import LISTING
from thv.apps.cli.exits import CommandError
from thv.apps.cli.finding import object_of, objects_of, text_of
from thv.apps.cli.output import age, counted, print_list, print_value
from thv.apps.cli.portrait import DIGEST, Portrait, Sitter, tools_of
from thv.apps.cli.served.api import Api, open_api, segment
from thv.apps.cli.served.registry import info_of, is_catalog, require_name
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, OWN_META
from thv.domain.errors import Code
from thv.domain.facts import facts_of
from thv.formats.official import entry_of
from thv.formats.toolhive import placed_entry

_PAGE = 1000
_OFFICIAL_PAGE = 100
_PARTS = ("tools", "permissions", "versions", "provenance")


class Found(NamedTuple):
    """A server and its versions, the newest first."""

    item: JsonObject
    """As the official API has it."""
    toolhive: JsonObject
    versions: list[Release]


class Release(NamedTuple):
    """A version of a server."""

    version: str
    latest: bool


# ---------------------------------------------------------------- search


async def search(
    session: Session,
    *,
    query: tuple[str, ...],
    registries: tuple[str, ...],
    all_namespaces: bool,  # noqa: ARG001 # there is one registry
    limit: int,
    **filters: Any,
) -> None:
    """The servers that match, as far as the API can tell."""
    api = open_api(session)
    try:
        asked = _asked(" ".join(query), filters)
        entries, metadata = await _answered(api, asked, registries, limit)
    finally:
        await api.close()
    matched = metadata.get("filtered_count", len(entries))
    more = {"matched": matched, "total": metadata.get("total_count", matched)}
    print_list(LISTING, entries, session.output, session.console, headers=session.headers, **more)
    if metadata.get("partial"):
        session.console.step("note", "no server has all of these words; these have most of them")
    _remark(session, entries, matched)


async def _answered(
    api: Api, asked: dict[str, str], registries: Sequence[str], limit: int
) -> tuple[list[JsonObject], JsonObject]:
    """The first servers, and the counts, of whatever is behind the address."""
    info = await info_of(api)
    if info is None and await is_catalog(api):
        return await _search(api, _of_many(asked, registries), limit)
    for name in registries:
        require_name(api, info, name)
    if info is not None:
        return await _search(api, asked, limit)
    _require_official(api, asked)
    return await _official_search(api, asked.get("search", ""), limit)


def _asked(text: str, filters: dict[str, Any]) -> dict[str, str]:
    """The filters in the words of the API."""
    lists = {
        "category": filters["categories"],
        "tags": filters["tags"],
        "tools": filters["tools"],
        "tier": filters["tiers"],
        "transport": filters["transports"],
        "status": filters["statuses"],
        "trust_level": filters["trusts"],
    }
    plain = {"search": text.strip(), "labelSelector": filters["selector"]}
    found = {key: ",".join(values) for key, values in lists.items()} | plain
    return {key: value for key, value in found.items() if value}


def _of_many(asked: dict[str, str], registries: Sequence[str]) -> dict[str, str]:
    """The same for the API of a catalog, where a category is something else."""
    words = {"category": "functional_category"}
    named = {"registry": ",".join(registries)} if registries else {}
    return (
        {words.get(key, key): value for key, value in asked.items()}
        | {"format": "toolhive"}
        | named
    )


def _require_official(api: Api, asked: dict[str, str]) -> None:
    beyond = sorted(asked.keys() - {"search"})
    if beyond:
        raise CommandError(
            Code.INVALID,
            f"{api.url} is an official API, which cannot filter by {', '.join(beyond)}",
            tries=["thv registry add NAME --registry-url URL   (then search it here)"],
        )


async def _search(
    api: Api, asked: dict[str, str], limit: int
) -> tuple[list[JsonObject], JsonObject]:
    """The first servers, and the counts."""
    entries: list[JsonObject] = []
    metadata: JsonObject = {}
    cursor = ""
    while len(entries) < limit:
        size = {"limit": str(min(_PAGE, limit - len(entries)))}
        page = await api.read("/api/v1/servers", {**asked, **size, **_after(cursor)})
        entries += objects_of(page, "servers")
        metadata = object_of(page, "metadata")
        cursor = text_of(metadata, "next_cursor")
        if not cursor:
            break
    return entries[:limit], metadata


async def _official_search(api: Api, text: str, limit: int) -> tuple[list[JsonObject], JsonObject]:
    entries: list[JsonObject] = []
    async for item in _official_items(api, text):
        if len(entries) == limit:
            break
        entries.append(_toolhive(item))
    return entries, {}


async def _official_items(api: Api, text: str) -> AsyncIterator[JsonObject]:
    asked = {"version": "latest", "limit": str(_OFFICIAL_PAGE)} | ({"search": text} if text else {})
    cursor = ""
    while True:
        page = await api.read("/v0.1/servers", {**asked, **_after(cursor)})
        for item in objects_of(page, "servers"):
            yield item
        cursor = text_of(object_of(page, "metadata"), "nextCursor")
        if not cursor:
            return


def _after(cursor: str) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def _remark(session: Session, entries: Sequence[JsonObject], matched: int) -> None:
    console = session.console
    if not entries:
        console.step("note", "no server matches")
    elif matched > len(entries):
        matches = counted(matched, "match", "matches")
        console.step("note", f"{len(entries):,} of {matches} shown; more with --limit")
    else:
        name = shlex.quote(text_of(entries[0], "name"))
        console.hint(f"Details: {session.program} show {name}")


# ---------------------------------------------------------------- show


async def show(
    session: Session,
    *,
    name: str,
    registry: str | None,
    include_registry_info: bool,
    **parts: bool,
) -> None:
    """One server, by its name or the last part of it."""
    chosen = [part for part in _PARTS if parts[part]]
    if len(chosen) > 1:
        flags = " and ".join(f"--{part}" for part in chosen)
        raise CommandError(Code.INVALID, f"{flags} exclude each other", tries=["give one of them"])
    api = open_api(session)
    try:
        info = await info_of(api)
        require_name(api, info, registry or "")
        found = await _found(session, api, info, name)
    finally:
        await api.close()
    part = chosen[0] if chosen else ""
    sitter = _sitter(session, api, info, found)
    if session.output == "text":
        Portrait(session.console, sitter).part(part, info=include_registry_info)
    else:
        value = _value(session, sitter, found, part, info=include_registry_info)
        print_value(value, session.output, session.console)


async def _found(session: Session, api: Api, info: JsonObject | None, text: str) -> Found:
    name, _, version = text.rpartition("@")
    for wanted, asked in ((text, "latest"), (name, version)):
        if wanted and asked and (item := await _item(api, wanted, asked)):
            return await _whole(api, info, wanted, item)
    alike = await _alike(api, name or text)
    if len(alike) == 1:
        full = alike[0]
        if item := await _item(api, full, version if name else "latest"):
            return await _whole(api, info, full, item)
    raise CommandError(
        Code.NOT_FOUND,
        f'server "{text}" not found at {api.url}',
        suggestions=alike[:10],
        tries=[f"{session.program} search {shlex.quote((name or text).rpartition('/')[2])}"],
        details={"name": text},
    )


async def _item(api: Api, name: str, version: str) -> JsonObject | None:
    return await api.find(f"/v0.1/servers/{segment(name)}/versions/{segment(version)}")


async def _alike(api: Api, text: str) -> list[str]:
    """Names of which the last part is this one."""
    last = text.rpartition("/")[2].casefold()
    page = await api.find("/v0.1/servers", {"search": last, "version": "latest", "limit": "100"})
    names = [
        text_of(object_of(item, "server"), "name") for item in objects_of(page or {}, "servers")
    ]
    return [name for name in names if name.rpartition("/")[2].casefold() == last]


async def _whole(api: Api, info: JsonObject | None, name: str, item: JsonObject) -> Found:
    version = text_of(object_of(item, "server"), "version")
    told = await api.read(f"/v0.1/servers/{segment(name)}/versions")
    releases = [
        Release(
            text_of(object_of(each, "server"), "version"),
            _official(each).get("isLatest") is True,
        )
        for each in objects_of(told, "servers")
    ]
    toolhive = (
        _toolhive(item)
        if info is None
        else await api.read(f"/api/v1/servers/{segment(name)}", {"version": version})
    )
    return Found(item, toolhive, releases)


def _official(item: JsonObject) -> JsonObject:
    return object_of(object_of(item, "_meta"), OFFICIAL_META)


def _toolhive(item: JsonObject) -> JsonObject:
    """The entry in ToolHive's form, with what an API of several registries says of its own."""
    placed = placed_entry(entry_of(item))
    said = object_of(object_of(item, "_meta"), OWN_META)
    names = {"namespace": "namespace", "name": "name", "trust_level": "trustLevel"}
    info = {key: said[word] for key, word in names.items() if word in said}
    return {"name": placed.key, **placed.value, **({"registry_info": info} if info else {})}


def _sitter(session: Session, api: Api, info: JsonObject | None, found: Found) -> Sitter:
    entry = entry_of(found.item)
    told = info or {}
    trust = text_of(told, "trust_level")
    return Sitter(
        entry=entry,
        facts=facts_of(entry, session.local.taxonomy),
        toolhive=found.toolhive,
        registries=f"{told['name']} ({trust})" if info else api.url,
        about=_about(session, api, told),
        versions=found.versions,
    )


def _about(session: Session, api: Api, info: JsonObject) -> list[tuple[str, str]]:
    synced = age(text_of(object_of(info, "sync"), "last_success"), session.local.clock())
    return [
        ("Name", f"{info['namespace']}/{info['name']}" if info else ""),
        ("Title", text_of(info, "display_name")),
        ("Trust", text_of(info, "trust_level")),
        ("Source", text_of(object_of(info, "source"), "type")),
        ("Synchronized", f"{synced} ago" if synced else ""),
        ("Snapshot", text_of(object_of(info, "snapshot"), "digest")[:DIGEST]),
        ("Address", api.url),
    ]


def _value(session: Session, sitter: Sitter, found: Found, part: str, *, info: bool) -> JsonObject:
    """What `-o` prints, in the shape that every place gives it."""
    name = text_of(found.toolhive, "name")
    match part, session.output:
        case "tools", _:
            return {"name": name, "tools": tools_of(sitter)}
        case "versions", _:
            each = [{"version": one.version, "is_latest": one.latest} for one in found.versions]
            return {"name": name, "versions": each}
        case (("permissions" | "provenance"), _):
            return {"name": name, part: found.toolhive.get(part) or {}}
        case _, "upstream":
            return found.item if info else object_of(found.item, "server")
        case _, "toolhive":
            left_out = {"name"} if info else {"name", "registry_info"}
            return {name: {k: v for k, v in found.toolhive.items() if k not in left_out}}
        case _:
            return found.toolhive
