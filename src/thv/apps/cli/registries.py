"""The registries that commands know: those of the data folder or the cluster, and the files of the registry folder.

In the flow: between a name that was typed and the registry it means. Where both have a name, the files lose.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from thv import __version__
from thv.apps.cli.exits import CommandError
from thv.apps.cli.loader import load
from thv.apps.cli.places import Place
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject, digest_of
from thv.domain.errors import Code
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import MCP_REGISTRY
from thv.domain.selectors import parse_selector

FILES = "files"
"""The namespace of registries that are files; it is seen from every other one."""
REGISTRY_SUFFIXES = (".json", ".yaml", ".yml", ".json.gz")


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """A registry and the place that holds its content."""

    obj: JsonObject
    registry: Registry
    place: Place
    file: str = ""
    """The file that this registry is, `""` for every other one."""
    program: str = "thv"
    """How a command begins that finds this place again."""

    @property
    def name(self) -> str:
        return self.registry.name

    @property
    def namespace(self) -> str:
        return self.registry.namespace

    @property
    def title(self) -> str:
        """`mcpregistry/corp`."""
        return f"mcpregistry/{self.name}"

    def command(self, *words: str) -> str:
        """A command on this registry that works from everywhere."""
        line = f"{self.program} {shlex.join(words)}"
        known = self.file or self.namespace == self.place.namespace
        return line if known else f"{line} -n {self.namespace}"


async def every(
    session: Session, *, all_namespaces: bool = False, selector: str = ""
) -> list[Shelf]:
    """The registries of the namespace, or of all, then the files that none of them hides."""
    namespace = None if all_namespaces else session.namespace
    stored = await _stored(session.place, namespace, selector, session.program)
    files = [shelf for shelf in await _files(session) if _selected(shelf, selector)]
    taken = set() if all_namespaces else {shelf.name for shelf in stored}
    for shelf in files:
        if shelf.name in taken:
            session.console.detail(f"{shelf.file} is hidden by mcpregistry/{shelf.name}")
    return stored + [shelf for shelf in files if shelf.name not in taken]


async def find(session: Session, name: str) -> Shelf:
    """The registry of that name, also written as `mcpregistry/NAME` or NAMESPACE/NAME.

    Raises NOT_FOUND with what is alike.
    """
    wanted = plain_name(name)
    space, _, last = wanted.rpartition("/")
    if space not in ("", FILES):
        shelves = await _stored(session.place, space, "", session.program)
    else:
        shelves = [shelf for shelf in await every(session) if space in ("", shelf.namespace)]
    found = next((shelf for shelf in shelves if shelf.name == last), None)
    if found is None:
        raise _unknown(session, wanted, [shelf.name for shelf in shelves])
    return found


async def find_stored(session: Session, name: str) -> Shelf:
    """The same for what changes a registry; raises INVALID for one that is a file."""
    found = await find(session, name)
    if found.file:
        raise CommandError(
            Code.INVALID,
            f'the registry "{found.name}" is a file, and files are not changed by commands',
            tries=[f"edit, move or remove {found.file}"],
        )
    return found


async def again(shelf: Shelf) -> Shelf:
    """The registry as it is now."""
    obj = await shelf.place.resources.get(MCP_REGISTRY, shelf.namespace, shelf.name)
    return msgspec.structs.replace(shelf, obj=obj, registry=load_registry(obj))


def plain_name(name: str) -> str:
    """What `-o name` prints is accepted as a name, kubectl's longer form too."""
    kind, slash, rest = name.partition("/")
    return rest if slash and kind.lower() in MCP_REGISTRY.words else name


def names_of(shelves: Iterable[Shelf]) -> str:
    """The names in a sentence."""
    return ", ".join(shelf.name for shelf in shelves)


async def _stored(place: Place, namespace: str | None, selector: str, program: str) -> list[Shelf]:
    listed = await place.resources.list(MCP_REGISTRY, namespace, selector=selector)
    return [
        Shelf(obj=obj, registry=load_registry(obj), place=place, program=program)
        for obj in listed.items
    ]


async def _files(session: Session) -> list[Shelf]:
    """The files of the registry folder, as they are now; what was seen before is not read again."""
    folder, local = session.settings.registry_dir, session.local.files
    if not local.home.store.exists() and not (folder.is_dir() and any(folder.iterdir())):
        return []
    stamp, seen = folder_stamp(folder), local.home.root / "seen"
    if not seen.exists() or seen.read_text() != stamp:
        await load("thv.apps.cli.files:refresh")(session)
        seen.write_text(stamp)
    return [
        msgspec.structs.replace(shelf, file=path_of(shelf.registry))
        for shelf in await _stored(local, FILES, "", session.program)
    ]


def folder_stamp(folder: Path) -> str:
    """Tells two states of the registry folder apart by names, identities, sizes and times of its files."""
    lines = [f"{path}\0{found}\n" for path, found in sorted(_stats(folder, depth=3))]
    return digest_of("".join([__version__, str(folder.absolute()), *lines]).encode())


def _stats(folder: Path, depth: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    if not folder.is_dir():
        return
    for entry in os.scandir(folder):
        found = entry.stat(follow_symlinks=entry.is_file() or entry.is_dir())
        yield entry.path, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if entry.is_dir() and depth > 1:
            yield from _stats(Path(entry.path), depth - 1)


def path_of(registry: Registry) -> str:
    """The file of a registry of type file."""
    file = registry.spec.source.file
    return file.path if file else ""


def place_of(registry: Registry) -> str:
    """Where the entries come from, in a word."""
    source = registry.spec.source
    match source.type.value:
        case "configmap" if source.config_map:
            return f"{source.config_map.name}/{source.config_map.key}"
        case "url" if source.url:
            return source.url.url
        case "git" if source.git:
            git = source.git
            return f"{git.repository} {git.commit[:12] or git.tag or git.branch} {git.path}"
        case "registry" if source.registry:
            reference = source.registry.registry_ref
            return f"mcpregistry/{reference.name}" if reference else source.registry.url
        case "oci" if source.oci:
            return source.oci.reference
        case "file" if source.file:
            return source.file.path
        case _:
            return ""


def _selected(shelf: Shelf, selector: str) -> bool:
    return not selector or parse_selector(selector).matches(shelf.registry.labels)


def _unknown(session: Session, name: str, names: list[str]) -> CommandError:
    space, _, last = name.rpartition("/")
    return CommandError(
        Code.NOT_FOUND,
        f'there is no registry "{last}" in the namespace "{space or session.namespace}"',
        suggestions=difflib.get_close_matches(last, names, n=3, cutoff=0.5),
        tries=[
            f"{session.program} registry list -A"
            if names
            else f"{session.program} registry add {shlex.quote(last or 'NAME')} --url URL"
        ],
        details={"kind": "MCPRegistry", "namespace": space or session.namespace, "name": last},
    )
