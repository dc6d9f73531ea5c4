"""Whole registry documents: told apart by their content, read as a stream, written as a stream.

In the flow: `sync` feeds a reader the bytes of a source and gets entries and rejected items, one at a time. Six
containers are read:

    toolhive  {"servers": {key: entry}, "remote_servers": {...}, "groups": [...]}
    envelope  {"version", "meta", "data": {"servers": [server.json, ...]}}
    page      {"servers": [{"server", "_meta"}, ...], "metadata": {...}}, an answer of the official API
    array     [item, ...]
    single    one server.json
    folder    files of one ToolHive entry each, YAML or JSON

A damaged item is rejected with its place and costs nobody else; text that is no registry is refused whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import chain
from typing import Any, TypeAlias

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.entry import GROUPS_META, NAME_LIMIT, Entry
from thv.domain.errors import Code, ThvError
from thv.domain.lenient import as_object
from thv.domain.text import toolhive_key
from thv.formats.cutting import Cut, Cutter, MalformedError, Path, Step, TrailingTextError
from thv.formats.folder import UnreadableFileError, parse_file
from thv.formats.mapping import REMOTE_SERVERS, SERVERS
from thv.formats.official import RejectedError, document_item, entry_of
from thv.formats.toolhive import entry_of_toolhive, placed_entry

ENTRY_LIMIT = 4 << 20
DEPTH_LIMIT = 64
DOCUMENT_META = "io.stacklok.toolhive/document"
ENVELOPE_SCHEMA = "https://raw.githubusercontent.com/stacklok/toolhive-core/main/registry/types/data/upstream-registry.schema.json"
_NO_KEY = '""'
_MEMBER_COST = 200  # bytes that a member takes beside its text
_OFFICIAL_NAME = re.compile(rb'"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+"')
_REVERSE_DNS = re.compile(rb'"[a-zA-Z0-9-]+\.[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+"')

_COMPLETE = "Check that it was written and transferred completely."
_ONE_DOCUMENT = "One document is read. If each line is one, make an array of them: jq -s . FILE"


class Format(StrEnum):
    """The two formats that registries are written in."""

    TOOLHIVE = "toolhive"
    UPSTREAM = "upstream"


class Container(StrEnum):
    """How the entries lie in a document."""

    TOOLHIVE = "toolhive"
    ENVELOPE = "envelope"
    PAGE = "page"
    ARRAY = "array"
    SINGLE = "single"
    FOLDER = "folder"

    @property
    def written_in(self) -> Format:
        return (
            Format.TOOLHIVE if self in (Container.TOOLHIVE, Container.FOLDER) else Format.UPSTREAM
        )


class Found(msgspec.Struct, frozen=True):
    """An entry and where it stood."""

    entry: Entry
    place: str


class Rejected(msgspec.Struct, frozen=True):
    """An item that is no entry, where it stood, and why."""

    place: str
    name: str
    reason: str


Item: TypeAlias = Found | Rejected


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a document says beside its entries."""

    version: str = "1.0.0"
    last_updated: str = ""
    extra: dict[str, JsonObject] = msgspec.field(default_factory=dict)
    """Further members of the document, by the format that has them."""


def items_of(raws: Iterable[bytes | msgspec.Raw], place: str) -> Iterator[Item]:
    """The entries of a page whose envelope was opened already."""
    for index, raw in enumerate(raws):
        where = f"{place}[{index}]"
        yield _too_much(bytes(raw), where) or _official(bytes(raw), where)


class DocumentReader:
    """Feed it the bytes of one document; it yields entries and rejected items.

    `expected` is the format that somebody promised; the other one is refused then. After `close` the container
    and the head are known.
    """

    def __init__(self, expected: Format | None = None) -> None:
        self._expected = expected
        self._cutter = Cutter(self._decide, value_limit=ENTRY_LIMIT, depth_limit=DEPTH_LIMIT)
        self._head: dict[str, bytes] = {}
        self._room = ENTRY_LIMIT
        # Optional parts that were there, as long as nothing came in them.
        self._empty: dict[str, bytes] = {}
        self._start = b""
        self._found = 0
        self._rejected: Rejected | None = None
        self.container: Container | None = None
        self.head = Head()

    def feed(self, data: bytes) -> Iterator[Item]:
        """The items that these bytes complete."""
        if len(self._start) < 64:
            self._start += data[:64]
        yield from self._items(self._cutter.feed(data))

    def close(self) -> Iterator[Item]:
        """Ends the document; raises FORMAT_UNSUPPORTED when it was no registry."""
        yield from self._items(self._cutter.close())
        if self.container is None:
            yield from map(self._counted, self._single())
        if self.container is None or (self._rejected and not self._found):
            raise self._no_registry()
        self.head = _head_of({**self._head, **self._empty}, self.container.written_in)

    @property
    def goes_on(self) -> bool:
        """Whether the document says that it is one page of several."""
        metadata = as_object(msgspec.json.decode(self._head.get("metadata", b"{}")))
        return bool(metadata.get("nextCursor") or metadata.get("next_cursor"))

    def _items(self, cuts: Iterator[Cut]) -> Iterator[Item]:
        try:
            for cut in cuts:
                yield from map(self._counted, self._item(cut))
        except MalformedError as error:
            raise self._malformed(error) from error

    def _counted(self, item: Item) -> Item:
        if isinstance(item, Found):
            self._found += 1
        elif self._rejected is None:
            self._rejected = item
        return item

    def _decide(self, path: Path, first: str) -> Step:
        """Enters what may hold entries, takes entries and small members, passes over the rest."""
        if not path:
            return self._as(Container.ARRAY, Step.ENTER) if first == "[" else Step.ENTER
        if path in (("remote_servers",), ("groups",)):
            self._empty[str(path[0])] = b"{}" if first == "{" else b"[]"
        match path, first:
            case (("servers",), "["):
                return self._as(Container.PAGE, Step.ENTER)
            case (("servers" | "remote_servers",), "{"):
                return self._as(Container.TOOLHIVE, Step.ENTER)
            case (("groups",), "["):
                return Step.ENTER
            case (("data",), "{"):
                return Step.ENTER
            case (("data", "servers"), "["):
                return self._as(Container.ENVELOPE, Step.ENTER)
            case (("data", "groups"), "["):
                return Step.ENTER
            case (("data", _), _):
                return Step.SKIP
            case _:
                return Step.TAKE

    def _as(self, container: Container, step: Step = Step.TAKE) -> Step:
        if self.container is None:
            self.container = container
            if self._expected not in (None, container.written_in):
                raise _other_format(self._expected, container)
        return step

    def _item(self, cut: Cut) -> Iterator[Item]:
        self._empty.pop(str(cut.path[0]) if cut.path else "", None)
        place = _place(cut.path)
        match cut.path:
            case (int(),):
                yield _refused(cut, place) or _official(cut.raw, place)
            case ("servers" | "remote_servers" as section, str(key)):
                yield _refused(cut, place) or _toolhive(key, cut.raw, section, place)
            case ("servers", int()) | ("data", "servers", int()):
                yield _refused(cut, place) or _official(cut.raw, place)
            case ("groups", int(index)) | ("data", "groups", int(index)):
                refused = _refused(cut, place)
                yield from [refused] if refused else _group(cut.raw, index)
            case _:
                yield from self._kept(str(cut.path[0]), cut)

    def _kept(self, key: str, cut: Cut) -> Iterator[Item]:
        """Keeps a member of the document; what does not fit any more is reported once."""
        room = self._room - len(key) - len(cut.raw) - _MEMBER_COST
        if room >= 0 and not cut.refused:
            self._room = room
            self._head[key] = cut.raw
        elif self._room >= 0:
            self._room = -1
            why = cut.refused or f"one of too many that together exceed {ENTRY_LIMIT} bytes"
            yield Rejected(_place(cut.path), "", f"the member is {why}; no further one is kept")

    def _single(self) -> Iterator[Item]:
        """The whole document may be one entry."""
        if "server" not in self._head and not _is_server(self._head):
            return
        self._as(Container.SINGLE)
        if self._room < 0:
            yield Rejected("the document", "", f"the entry is larger than {ENTRY_LIMIT} bytes")
            return
        members = b",".join(
            msgspec.json.encode(key) + b":" + raw for key, raw in self._head.items()
        )
        self._head = {}
        yield _official(b"{" + members + b"}", "the document")

    def _malformed(self, error: MalformedError) -> ThvError:
        if _is_utf_16(self._start):
            return ThvError(
                Code.FORMAT_INVALID,
                "the document is UTF-16; expected UTF-8",
                hint="Write it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE",
            )
        if self._start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
            return self._no_registry()
        return ThvError(
            Code.FORMAT_INVALID,
            f"the document is not valid JSON: {error}",
            hint=_ONE_DOCUMENT if isinstance(error, TrailingTextError) else _COMPLETE,
        )

    def _no_registry(self) -> ThvError:
        text = self._start.lstrip(b"\xef\xbb\xbf \t\r\n")
        if self._rejected:
            found = f"no entry among its items; the first, {self._rejected.place}: {self._rejected.reason}"
        elif text[:1] == b"<":
            found = "an HTML or XML page"
        elif self._head:
            members = ", ".join(_short(key) for key in sorted(self._head)[:6])
            found = f"a JSON object with the members {members}"
        elif text[:1] in (b"{", b"["):
            found = "a JSON document without entries"
        else:
            found = "no JSON" if text else "nothing"
        return ThvError(
            Code.FORMAT_UNSUPPORTED,
            f"this is no registry document: found {found}",
            hint=(
                'Expected a ToolHive registry ({"servers": {...}}), an official registry document '
                '({"data": {"servers": [...]}}), a page or an array of official entries, or one server.json.'
            ),
        )


class FolderReader:
    """Reads files of one ToolHive entry each, YAML or JSON; after the last one `close` says whether any was one."""

    def __init__(self, expected: Format | None = None) -> None:
        if expected is Format.UPSTREAM:
            raise _other_format(expected, Container.FOLDER)
        self._found = False
        self._rejected: Rejected | None = None
        self._registries: list[str] = []

    def read_file(self, path: str, content: bytes) -> Item:
        """The entry of the text of one file."""
        try:
            value = parse_file(path, content)
        except UnreadableFileError as error:
            return self._counted(Rejected(path, "", str(error)))
        return self.read(path, value)

    def read(self, path: str, value: Any) -> Item:
        """The entry of one file: its key is `name`, else the file's own name, else its folder's."""
        if _is_registry(value):
            self._registries.append(path)
            return self._counted(Rejected(path, "", "this is a whole registry, not one entry"))
        return self._counted(_file_entry(path, value))

    def close(self) -> None:
        """Raises FORMAT_UNSUPPORTED when there were files and none of them was an entry."""
        first = self._rejected
        if self._found or first is None:
            return
        if len(self._registries) == 1:
            (path,) = self._registries
            raise ThvError(
                Code.FORMAT_UNSUPPORTED,
                f"this is no folder of entries: {path} in it is a whole registry",
                hint=f"Name the file, not the folder: --file FOLDER/{path}, or in a repository --git-path FOLDER/{path}",
            )
        raise ThvError(
            Code.FORMAT_UNSUPPORTED,
            f"this is no folder of entries: none of its files is one; the first, {first.place}: {first.reason}",
            hint=(
                "Expected files NAME.yaml, NAME.yml or NAME.json, or NAME/spec.yaml, of one ToolHive entry each; "
                "of a registry in one file, name the file."
            ),
        )

    def _counted(self, item: Item) -> Item:
        if isinstance(item, Found):
            self._found = True
        elif self._rejected is None:
            self._rejected = item
        return item


def _is_registry(value: Any) -> bool:
    """Whether the value of a file is a document of many entries."""
    members = as_object(value)
    servers = (members.get(SERVERS), members.get(REMOTE_SERVERS))
    if any(isinstance(each, dict) for each in servers):
        return "image" not in members and "url" not in members
    inner = as_object(members.get("data")).get(SERVERS)
    return isinstance(members.get(SERVERS), list) or isinstance(inner, list)


def _file_entry(path: str, value: Any) -> Item:
    try:
        value = msgspec.json.decode(msgspec.json.encode(value))
    except (TypeError, ValueError, RecursionError) as error:
        return Rejected(path, "", f"holds what JSON cannot say: {error}")
    if not isinstance(value, dict):
        return Rejected(path, "", "expected one ToolHive entry, an object")
    key = value.pop("name") if isinstance(value.get("name"), str) else _stem(path)
    section = REMOTE_SERVERS if "url" in value and "image" not in value else SERVERS
    return _toolhive_value(key, value, section, path)


def combined(first: Entry, second: Entry) -> Entry:
    """One entry of two with the same name and version in one document: the first, in the groups of both."""
    groups = {item["group"].get("name"): item for item in [*_groups(second), *_groups(first)]}
    if not groups:
        return first
    only = _only_in_groups(first) and _only_in_groups(second)
    marked = [
        {**item, "only": only} for item in sorted(groups.values(), key=lambda i: i["position"])
    ]
    return _with_groups(first, marked)


# Writing ---------------------------------------------------------------------------------------------------

Entries: TypeAlias = Callable[[], Iterable[Entry]]
"""Gives the entries afresh at each call, so that a writer may pass over them more than once."""


def toolhive_document(
    entries: Entries,
    head: Head,
    *,
    key: Callable[[Entry], str | None] | None = None,
    pretty: bool = True,
) -> Iterator[bytes]:
    """A ToolHive registry of these entries, piece by piece; `key` gives another key than the usual one, or None."""
    extra = _extra(head, Format.TOOLHIVE)
    spare = {name: extra.pop(name) for name in (REMOTE_SERVERS, "groups") if name in extra}
    yield _opening({**extra, "version": head.version, "last_updated": head.last_updated}, pretty)
    for section in (SERVERS, REMOTE_SERVERS):
        rows = (
            ((key(entry) if key else None) or placed.key, placed.value)
            for entry, placed in ((entry, placed_entry(entry)) for entry in entries())
            if placed.section == section and not _only_in_groups(entry)
        )
        yield from _object_member(section, rows, pretty, spare)
    groups = _grouped(entries())
    if groups or "groups" in spare:
        yield from _list_member("groups", groups, pretty)
    yield b"\n}\n" if pretty else b"}"


def versioned_key(entry: Entry) -> str:
    """The key of a version that is not the latest: a ToolHive document has one key for each."""
    return f"{toolhive_key(entry.name)}@{entry.version}"


def official_document(entries: Entries, head: Head, *, pretty: bool = True) -> Iterator[bytes]:
    """An official registry document of these entries, piece by piece."""
    extra = _extra(head, Format.UPSTREAM)
    members = {
        "$schema": ENVELOPE_SCHEMA,
        **extra,
        "version": head.version,
        "meta": {**as_object(extra.get("meta")), "last_updated": head.last_updated},
    }
    yield _opening(members, pretty)
    yield b',\n  "data": {' if pretty else b',"data":{'
    rows = (document_item(entry) for entry in entries())
    yield from _list_member("servers", rows, pretty, first=True, level=2)
    yield b"\n  }\n}\n" if pretty else b"}}"


def _extra(head: Head, form: Format) -> JsonObject:
    """Members of this format as they were, those of the other under a key of ours."""
    mine = {
        key: value
        for key, value in head.extra.get(form.value, {}).items()
        if key not in (SERVERS, "data")
    }
    others = {
        name: members for name, members in head.extra.items() if name != form.value and members
    }
    return (
        {**mine, "_meta": {**as_object(mine.get("_meta")), DOCUMENT_META: others}}
        if others
        else mine
    )


def _opening(members: JsonObject, pretty: bool) -> bytes:
    text = msgspec.json.encode(members)
    return msgspec.json.format(text, indent=2)[:-2] if pretty else text[:-1]


def _object_member(
    name: str, rows: Iterable[tuple[str, JsonObject]], pretty: bool, spare: JsonObject
) -> Iterator[bytes]:
    """An object of these rows; without any, only what is required or was there."""
    colon = b": " if pretty else b":"
    texts = (msgspec.json.encode(key) + colon + _text(value, pretty, 2) for key, value in rows)
    head = next(texts, None)
    if head is not None or name == SERVERS or name in spare:
        every = chain((head,) if head is not None else (), texts)
        yield from _member_of(name, every, b"{}", pretty, level=1, first=False)


def _list_member(
    name: str, rows: Iterable[Any], pretty: bool, *, first: bool = False, level: int = 1
) -> Iterator[bytes]:
    texts = (_text(value, pretty, level + 1) for value in rows)
    yield from _member_of(name, texts, b"[]", pretty, level=level, first=first)


def _member_of(
    name: str, texts: Iterable[bytes], brackets: bytes, pretty: bool, *, level: int, first: bool
) -> Iterator[bytes]:
    outer = b"\n" + b"  " * level if pretty else b""
    inner = b"\n" + b"  " * (level + 1) if pretty else b""
    yield (
        (b"" if first else b",")
        + outer
        + msgspec.json.encode(name)
        + (b": " if pretty else b":")
        + brackets[:1]
    )
    separator = inner
    for text in texts:
        yield separator + text
        separator = b"," + inner
    yield (outer if separator != inner else b"") + brackets[1:]


def _text(value: Any, pretty: bool, level: int) -> bytes:
    text = msgspec.json.encode(value)
    # A line break never occurs inside a JSON string, so indenting the lines of the text is safe.
    return (
        msgspec.json.format(text, indent=2).replace(b"\n", b"\n" + b"  " * level)
        if pretty
        else text
    )


def _grouped(entries: Iterable[Entry]) -> list[JsonObject]:
    """The groups of a ToolHive document, built from what their members say."""
    groups: dict[str, tuple[int, JsonObject]] = {}
    for entry in entries:
        for item in _groups(entry):
            fields = item["group"]
            position, group = groups.setdefault(
                fields.get("name"), (item["position"], dict(fields))
            )
            placed = placed_entry(entry)
            group.setdefault(placed.section, {})[placed.key] = placed.value
            groups[fields.get("name")] = (position, group)
    return [group for _, group in sorted(groups.values(), key=lambda pair: pair[0])]


# One item --------------------------------------------------------------------------------------------------


def _official(raw: bytes, place: str) -> Item:
    return _decoded(raw, place, entry_of)


def _toolhive(key: str, raw: bytes, section: str, place: str) -> Item:
    return _decoded(raw, place, lambda value: entry_of_toolhive(key, value, section=section), key)


def _decoded(raw: bytes, place: str, make: Callable[[Any], Entry], name: str = "") -> Item:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejected(place, _short(name), f"not valid JSON: {error}")
    return _made(lambda: make(value), place, name or _name_in(value))


def _made(make: Callable[[], Entry], place: str, name: str) -> Item:
    try:
        return Found(make(), place)
    except RejectedError as error:
        return Rejected(place, _short(name), str(error))


def _refused(cut: Cut, place: str) -> Rejected | None:
    return Rejected(place, "", f"the entry is {cut.refused}") if cut.refused else None


def _too_much(raw: bytes, place: str) -> Rejected | None:
    """Holds an item that came by itself to the limits of a document."""
    if raw.count(b"{") + raw.count(b"[") <= DEPTH_LIMIT and len(raw) <= ENTRY_LIMIT:
        return None
    cutter = Cutter(lambda *_: Step.TAKE, value_limit=ENTRY_LIMIT, depth_limit=DEPTH_LIMIT)
    try:
        (cut,) = [*cutter.feed(raw), *cutter.close()]
    except MalformedError as error:
        return Rejected(place, "", f"not valid JSON: {error}")
    return _refused(cut, place)


def _group(raw: bytes, index: int) -> Iterator[Item]:
    place = f"groups[{index}]"
    try:
        group = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield Rejected(place, "", f"not valid JSON: {error}")
        return
    if not isinstance(group, dict) or not isinstance(group.get("name"), str):
        yield Rejected(place, "", "a group must be an object with a name")
        return
    fields = {key: value for key, value in group.items() if key not in (SERVERS, REMOTE_SERVERS)}
    membership = {"group": fields, "position": index, "only": True}
    empty = True
    for section in (SERVERS, REMOTE_SERVERS):
        for key, value in as_object(group.get(section)).items():
            empty = False
            item = _toolhive_value(key, value, section, f"{place}.{section}.{_short(key)}")
            yield (
                Found(_with_groups(item.entry, [membership]), item.place)
                if isinstance(item, Found)
                else item
            )
    if empty:
        yield Rejected(place, _short(group["name"]), "a group without servers is not kept")


def _toolhive_value(key: str, value: Any, section: str, place: str) -> Item:
    return _made(lambda: entry_of_toolhive(key, value, section=section), place, key)


def _with_groups(entry: Entry, groups: list[JsonObject]) -> Entry:
    meta = {**as_object(entry.server.get("_meta")), GROUPS_META: groups}
    return msgspec.structs.replace(entry, server={**entry.server, "_meta": meta})


def _groups(entry: Entry) -> list[JsonObject]:
    groups = as_object(entry.server.get("_meta")).get(GROUPS_META)
    if not isinstance(groups, list):
        return []
    return [
        item
        for item in groups
        if isinstance(item, dict)
        and isinstance(as_object(item.get("group")).get("name"), str)
        and isinstance(item.get("position"), int)
    ]


def _only_in_groups(entry: Entry) -> bool:
    groups = _groups(entry)
    return bool(groups) and all(item.get("only") is True for item in groups)


# Head and messages -----------------------------------------------------------------------------------------


def _is_utf_16(start: bytes) -> bool:
    """By its mark; without one, by the zero beside the first bracket."""
    return start.startswith((b"\xff\xfe", b"\xfe\xff", b"{\0", b"[\0", b"\0{", b"\0["))


def _is_server(members: dict[str, bytes]) -> bool:
    """Whether an object is a server.json of any generation; files of package managers have a name and a version too."""
    name = members.get("name", b"")
    if members.keys().isdisjoint(("version", "version_detail")):
        return False
    if not _OFFICIAL_NAME.fullmatch(name):
        return False
    if b"server.schema.json" in members.get("$schema", b"") or "version_detail" in members:
        return True
    parts = (members.get(key, b"") for key in ("packages", "remotes", "registries"))
    if any(part.startswith(b"[") for part in parts):
        return True
    return bool(_REVERSE_DNS.fullmatch(name)) and "description" in members


def _head_of(members: dict[str, bytes], form: Format) -> Head:
    values = {key: _value(raw) for key, raw in members.items()}
    meta = as_object(values.get("meta")) if form is Format.UPSTREAM else {}
    version = values.get("version")
    updated = meta.get("last_updated", values.get("last_updated"))
    parked = as_object(as_object(values.get("_meta")).get(DOCUMENT_META))
    extra = {name: members for name, members in parked.items() if isinstance(members, dict)}
    own = _own_members(values, meta, form)
    return Head(
        version=version if isinstance(version, str) else "1.0.0",
        last_updated=updated if isinstance(updated, str) else "",
        extra={**extra, form.value: own} if own else extra,
    )


def _own_members(values: JsonObject, meta: JsonObject, form: Format) -> JsonObject:
    """What a document says beside its entries, version and time."""
    known = {"version", "last_updated", "_meta"}
    known |= {"meta", "metadata"} if form is Format.UPSTREAM else set()
    own = {key: value for key, value in values.items() if key not in known}
    rest = {
        "_meta": _without(as_object(values.get("_meta")), DOCUMENT_META),
        "meta": _without(meta, "last_updated"),
    }
    own.update((key, value) for key, value in rest.items() if value)
    if form is Format.UPSTREAM and own.get("$schema") == ENVELOPE_SCHEMA:
        del own["$schema"]
    return own


def _without(value: JsonObject, key: str) -> JsonObject:
    return {name: item for name, item in value.items() if name != key}


def _value(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _other_format(expected: Format | None, container: Container) -> ThvError:
    wanted = expected.value if expected else ""
    return ThvError(
        Code.FORMAT_INVALID,
        f"the format is set to {wanted}, but the document is in the {container.written_in.value} format ({container.value})",
        hint=f"Set the format to {container.written_in.value}, or leave it out: it is detected.",
    )


def _place(path: Path) -> str:
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{_short(part) or _NO_KEY}" for part in path
    )
    return "".join(parts).removeprefix(".")


def _short(key: str) -> str:
    """Keys and names come from strangers, and go into messages."""
    return key if len(key) <= NAME_LIMIT else key[: NAME_LIMIT - 1] + "…"


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0] or name
    return folder.rpartition("/")[2] if stem in ("spec", "server") and folder else stem


def _name_in(value: Any) -> str:
    place = value.get("server", value) if isinstance(value, dict) else {}
    name = place.get("name") if isinstance(place, dict) else ""
    return name if isinstance(name, str) else ""
