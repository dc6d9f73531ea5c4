"""`thv catalog save`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import click

from thv import __version__
from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.completion import registry_names, server_names
from thv.apps.cli.exits import CommandError
from thv.apps.cli.interrupting import interruptible
from thv.apps.cli.locating import locate
from thv.apps.cli.options import option
from thv.apps.cli.output import OUTPUT_VERSION, counted, print_value
from thv.apps.cli.reading import Book, require_book
from thv.apps.cli.registries import find
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import LINES
from thv.apps.cli.writing import unwritable
from thv.catalog.bundle.carried import Image
from thv.catalog.bundle.parts import Contents, images_of, parts
from thv.domain.entry import Entry
from thv.domain.errors import Code
from thv.formats.bundle import Catalog, Media
from thv.formats.images import is_reference
from thv.stores.bundles.writing import Written, require_free, write_bundle
from thv.stores.models import export, lookup
from thv.stores.models.lookup import Version


def image_registry_of(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Where images lie; raises for what is not the beginning of an image."""
    if text and not is_reference(f"{text.rstrip('/')}/x"):
        raise click.BadParameter(f'"{text}" is no registry such as registry.example/path')
    return text.rstrip("/")


@command(
    "save",
    examples=(
        "thv catalog save production-catalog --output bundle",
        "thv catalog save corp --output bundle --image-registry registry.corp.example/mcp",
        "thv catalog save corp --server osv-scanner --server postgres-server@1.2.0 --output bundle",
    ),
    outputs=OBJECTS,
    default=LINES,
)
@click.argument("name", shell_complete=registry_names)
@option("--output", "folder", required=True, metavar="DIR", help="Folder to make.")
@option(
    "--server",
    "servers",
    multiple=True,
    metavar="S[@VERSION]",
    help="Only this server; may be repeated.",
    shell_complete=server_names,
)
@option(
    "--image-registry",
    default="",
    metavar="HOST[/PATH]",
    callback=image_registry_of,
    help="Where the images lie on the other side.",
)
async def save(
    session: Session, *, name: str, folder: str, servers: tuple[str, ...], image_registry: str
) -> None:
    """Write everything that a place without a way out needs to serve a registry.

    The folder holds the registry in both formats, the manifests for a cluster, the list of images, a page for each
    server, and bundle.json, which lists every file by its digest. The same content gives the same bytes. Compare the
    digest that is printed with the one on the other side.
    """
    path = Path(folder)
    require_free(path)
    book = await require_book(session, await find(session, name))
    chosen = _chosen(book, servers)
    contents = _contents(book, _entries(book, chosen), len(chosen), image_registry)
    try:
        with interruptible():
            images = images_of(contents)
            written = write_bundle(path, contents.catalog, parts(contents, images))
    except OSError as error:
        raise unwritable(path, error) from error
    _say(session, path, images, written)
    _print(session, path, written)


def _contents(
    book: Book, entries: Callable[[], Iterator[Entry]], chosen: int, image_registry: str
) -> Contents:
    registry, generation = book.shelf.registry, book.view.generation
    catalog = Catalog(
        name=book.name,
        title=registry.spec.display_name,
        description=registry.spec.description,
        trust_level=book.trust,
        source=f"{book.shelf.namespace}/{book.name}",
        snapshot=generation.digest,
        created=generation.created_at,
        servers=chosen or generation.servers,
        image_registry=image_registry,
        program=__version__,
    )
    return Contents(catalog=catalog, entries=entries)


def _chosen(book: Book, servers: Sequence[str]) -> Collection[Version]:
    """Each once, by whichever of its names it was chosen again; raises for two versions of one server."""
    chosen = dict.fromkeys(locate([book], server).version for server in servers)
    for first, second in pairwise(sorted(chosen, key=lambda version: version.name)):
        if first.name == second.name:
            raise CommandError(
                Code.INVALID,
                f"a bundle holds one version of a server, and {first.name} is to be {first.version} and {second.version}",
                tries=["Name it once with --server, or save a bundle for each version."],
            )
    return chosen


def _entries(book: Book, chosen: Collection[Version]) -> Callable[[], Iterator[Entry]]:
    """The latest version of each server, or those that were chosen."""
    if not chosen:
        return lambda: export.entries(book.view, latest=True)
    return lambda: (lookup.read(book.view, version).entry for version in chosen)


def _say(session: Session, path: Path, images: Sequence[Image], written: Written) -> None:
    console, catalog, files = session.console, written.manifest.catalog, written.manifest.files
    size = sum(each.size for each in files)
    servers = counted(catalog.servers, "server")
    console.step("ok", f"{servers} of {catalog.source} in {len(files):,} files, {size:,} bytes")
    _say_images(session, images, catalog.image_registry)
    if not written.manifest.files_of(Media.MANIFESTS):
        console.step("note", "too large for a ConfigMap: the README says how a cluster serves it")
    console.hint(f"On the other side: thv catalog load {path.name} --digest {written.digest}")


def _say_images(session: Session, images: Sequence[Image], registry: str) -> None:
    loose = sum(not image.is_pinned for image in images)
    where = f" for {registry}" if registry else ""
    if images:
        said = f"{counted(len(images), 'image')}{where} in images.txt"
        session.console.step("note" if loose else "ok", said + _loose(loose))


def _loose(count: int) -> str:
    return f"; nobody knows the digest of {count:,}" if count else ""


def _print(session: Session, path: Path, written: Written) -> None:
    match session.output:
        case "name":
            session.console.data(f"{path}\n")
        case "json" | "yaml":
            catalog = written.manifest.catalog
            body = {
                "apiVersion": OUTPUT_VERSION,
                "kind": "Bundle",
                "folder": str(path),
                "digest": written.digest,
                "catalog": catalog,
                "files": written.manifest.files,
            }
            print_value(body, session.output, session.console)
        case _:
            session.console.data(f"{path} {written.digest}\n")
