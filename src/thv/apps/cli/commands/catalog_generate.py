"""`thv catalog export` and `thv catalog generate`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from thv.apps.cli.catalogs.asked import (
    asked_catalog,
    chosen_namespace,
    server_path,
    told_where_to_look,
)
from thv.apps.cli.catalogs.difference import Difference, difference
from thv.apps.cli.catalogs.requests import merged, namespace_in, read_request
from thv.apps.cli.command import command
from thv.apps.cli.commands.catalog_save import image_registry_of
from thv.apps.cli.completion import registry_names, server_names
from thv.apps.cli.exits import CommandError
from thv.apps.cli.finding import objects_of, text_of
from thv.apps.cli.manifest_files import read_manifests
from thv.apps.cli.options import option
from thv.apps.cli.output import counted, json_of, yaml_of
from thv.apps.cli.session import Session
from thv.apps.cli.writing import STDOUT, require_writable, unwritable, write_file, write_out
from thv.catalog.generate.files import COPIES, documents
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.text import object_name
from thv.formats.images import is_reference

_REQUEST = ("metadata", "configuration", "servers", "filters")
"""Members of an export that a generation takes."""

_IMAGES = option(
    "--image-registry",
    default="",
    metavar="HOST[/PATH]",
    callback=image_registry_of,
    help="Where the images lie that no request names.",
)
_NAME = option("--registry-name", default="", metavar="R", help="Name of the registry to be.")
_TITLE = option("--display-name", default="", metavar="TEXT", help="Its title for people.")


def _flag(name: str, text: str) -> Callable[[Any], Any]:
    return option(f"--{name}/--no-{name}", default=None, help=text)


_SERVERS = _flag("enforce-servers", "MCPServers of its namespace must use its images.")
_TOOLS = _flag("enforce-tools", "MCPServers must name their tools.")
_SYNC = _flag("auto-sync", "Synchronize by itself when its ConfigMap changes.")


@command(
    "export",
    examples=(
        "thv catalog export osv-scanner",
        "thv catalog export osv-scanner --image-registry registry.corp.example --output request.json",
        "thv catalog export osv-scanner -n production -o yaml",
    ),
    outputs=("json", "yaml"),
)
@click.argument("name", metavar="SERVER", shell_complete=server_names)
@option("--output", "file", default=STDOUT, metavar="FILE", help="File to write; - is the output.")
@option("--registry", default="", metavar="R", help="From this one.", shell_complete=registry_names)
@option("--version", default="", metavar="V", help="This version; default: the latest.")
@option("--tool", "tools", multiple=True, metavar="X", help="Only this tool; may be repeated.")
@_NAME
@_TITLE
@_IMAGES
@_SERVERS
@_TOOLS
@_SYNC
async def export(session: Session, *, name: str, file: str, **given: Any) -> None:
    """Export all that a registry of one's own needs of a server: a request that thv catalog generate takes.

    Edit it: other images, chosen tools under other names, other defaults, resources. What it says of the server
    beside that (definitions, registry_data) is for reading.
    """
    if file != STDOUT:
        require_writable(Path(file))
    tools = ",".join(given.pop("tools"))
    wanted = {**given, "namespace": chosen_namespace(session), "tools_filter": tools}
    async with asked_catalog(session) as asked, told_where_to_look(session, asked):
        answer = await asked.read(f"{server_path(name)}/export", _query(wanted))
    text = yaml_of(answer) if session.output == "yaml" else json_of(answer)
    write_out(session.console, file, [text.encode()])
    if file != STDOUT:
        session.console.step("ok", f"wrote {file}")
        session.console.hint(f"Manifests of it: {session.program} catalog generate -f {file}")


def _query(given: dict[str, Any]) -> dict[str, str]:
    """What somebody said, in the words of the API."""
    said = {key: value for key, value in given.items() if value not in (None, "")}
    return {
        key: str(value).lower() if value in (True, False) else value for key, value in said.items()
    }


@command(
    "generate",
    examples=(
        "thv catalog generate -f request.json | kubectl apply -f -",
        "thv catalog generate --server osv-scanner --namespace production --registry-name customer-registry --output out/",
        "thv catalog generate --server osv-scanner --server postgres-server --registry-name tools -o json",
    ),
    outputs=("yaml", "json"),
)
@option("-f", "--filename", "file", default="", metavar="FILE|-", help="A request, as exported.")
@option(
    "--server",
    "servers",
    multiple=True,
    metavar="S[@VERSION]",
    help="A server to choose; may be repeated.",
    shell_complete=server_names,
)
@option(
    "--registry", default="", metavar="R", help="Those from here.", shell_complete=registry_names
)
@option(
    "--output",
    "folder",
    default="",
    metavar="DIR",
    help="Folder to write into; default: the output.",
)
@_NAME
@_TITLE
@_IMAGES
@_SERVERS
@_TOOLS
@_SYNC
async def generate(
    session: Session,
    *,
    file: str,
    servers: tuple[str, ...],
    registry: str,
    folder: str,
    image_registry: str,
    **given: Any,
) -> None:
    """Make the manifests of a registry of one's own: a ConfigMap, an MCPRegistry, MCPToolConfigs.

    Nothing is applied. -n names the namespace that they are for. With --output DIR a second run shows what is
    different. As --server names servers here, an address stands in front: thv --server URL catalog generate ...
    """
    request = read_request(session, file) if file else {}
    request = {key: request[key] for key in _REQUEST if key in request}
    said = session.settings.namespace if session.settings.has_own_namespace else ""
    namespace = said or namespace_in(request) or chosen_namespace(session)
    request = merged(request, servers, registry, {**given, "namespace": namespace})
    namespace = request["metadata"]["namespace"]
    async with (
        asked_catalog(session, needs="entries") as asked,
        told_where_to_look(session, None),
    ):
        answer = await asked.send(
            f"/api/v1/registries/{namespace}/render",
            {"image_registry": image_registry} if image_registry else {},
            msgspec.json.encode(request),
        )
    manifests = objects_of(answer, "manifests")
    if folder:
        _write(session, Path(folder), _file_name(request), manifests, objects_of(answer, "images"))
    else:
        text = json_of(answer) if session.output == "json" else documents(manifests)
        write_out(session.console, STDOUT, [text.encode()])
    _warn(session, objects_of(answer, "warnings"))


def _file_name(request: JsonObject) -> str:
    """How files of the registry begin: as it was asked for, whatever a service answers."""
    name = str(request["metadata"]["registry_name"])
    if object_name(name) != name:
        raise CommandError(
            Code.INVALID,
            f'"{name}" is no name that a registry can have',
            tries=[f"--registry-name {object_name(name)}"],
        )
    return name


def _write(
    session: Session,
    folder: Path,
    name: str,
    manifests: Sequence[JsonObject],
    images: Sequence[JsonObject],
) -> None:
    """Writes files of the registry, its images and what to copy; says what is different from what was there."""
    target = folder / f"{name}.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    before = (
        [each.obj for each in read_manifests(session, [str(target)])] if target.exists() else []
    )
    write_file(target, [documents(manifests).encode()])
    write_file(folder / f"{name}.images.txt", [_image_list(images)])
    copies = folder / f"{name}.{COPIES}"
    if lines := _copy_list(images):
        write_file(copies, [lines])
    else:
        copies.unlink(missing_ok=True)
    _show(session, difference(before, manifests), is_new=not before)
    session.console.step("ok", f"wrote {target}, {counted(len(images), 'image')} beside it")
    session.console.data(f"{target}\n")
    session.console.hint(f"On a cluster: kubectl apply --server-side -f {folder}")


def _image_list(images: Iterable[JsonObject]) -> bytes:
    """One image a line, by its digest where that is known; what is no reference is for nobody to copy."""
    parts = ((text_of(each, "image"), text_of(each, "digest")) for each in images)
    lines = {f"{image}@{digest}" if digest else image for image, digest in parts}
    return "".join(f"{line}\n" for line in sorted(filter(is_reference, lines))).encode()


def _copy_list(images: Iterable[JsonObject]) -> bytes:
    """Where each image that a mirror lacks is pulled from, and where it is run from."""
    pairs = {(text_of(each, "source"), text_of(each, "image")) for each in images}
    known = sorted(pair for pair in pairs if all(map(is_reference, pair)))
    return "".join(f"{source} {image}\n" for source, image in known).encode()


def _show(session: Session, found: Iterable[Difference], *, is_new: bool) -> None:
    for each in found:
        if not is_new:
            session.console.step(each.symbol, each.text)


def _warn(session: Session, warnings: Iterable[JsonObject]) -> None:
    for warning in warnings:
        session.console.step("note", f"{warning.get('field')}: {warning.get('message')}")
