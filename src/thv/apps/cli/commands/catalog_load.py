"""`thv catalog verify` and `thv catalog load`."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

import click
import msgspec

from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.exits import CommandError
from thv.apps.cli.importing import check_name, require_own_entries
from thv.apps.cli.interrupting import interruptible
from thv.apps.cli.options import option
from thv.apps.cli.output import OUTPUT_VERSION, counted, print_value
from thv.apps.cli.registries import Shelf, find_stored
from thv.apps.cli.session import Session
from thv.apps.cli.syncing import Order, request_now, require_good, synchronize
from thv.apps.cli.times import DURATION
from thv.apps.cli.verbs import LINES, MANAGER, print_done
from thv.apps.cli.writing import write_file
from thv.apps.kit.home import import_path
from thv.catalog.bundle.applied import Packing, held, registry_of
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry import load_registry
from thv.domain.selectors import dns_label_problem
from thv.formats.bundle import Catalog, Listed, Media, damaged
from thv.stores.bundles.opening import Bundle, open_bundle

_MODE = 0o600
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def _digest(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if text and not _DIGEST.fullmatch(text):
        raise click.BadParameter(f'"{text}" is no digest: it is sha256: and 64 hex digits')
    return text


_WANTED = option(
    "--digest",
    default="",
    metavar="SHA256",
    callback=_digest,
    help="What thv catalog save printed: refuse any other bundle.",
)


@command(
    "verify",
    examples=(
        "thv catalog verify bundle",
        f"thv catalog verify bundle --digest sha256:{'0' * 64}",
    ),
    outputs=OBJECTS,
    default=LINES,
    about="machine",
)
@click.argument("folder", metavar="DIR")
@_WANTED
async def verify(session: Session, *, folder: str, digest: str) -> None:
    """Check every file of a bundle against its digest; 9 is the exit code of a damaged one.

    A file that bundle.json does not list is refused like one that differs. Whether bundle.json is the one that was
    written tells --digest alone: compare it with what came by another way.
    """
    bundle = _checked(session, folder, digest)
    if not digest:
        session.console.step("note", f"compare the digest of bundle.json: {bundle.digest}")
    match session.output:
        case "name":
            session.console.data(f"{folder}\n")
        case "json" | "yaml":
            body = {
                "apiVersion": OUTPUT_VERSION,
                "kind": "Bundle",
                "folder": folder,
                "digest": bundle.digest,
                "catalog": bundle.manifest.catalog,
                "files": bundle.manifest.files,
            }
            print_value(body, session.output, session.console)
        case _:
            session.console.data(f"{folder} verified\n")


@command(
    "load",
    examples=(
        "thv catalog load bundle",
        f"thv catalog load bundle --digest sha256:{'0' * 64}",
        "thv catalog load bundle --name customer-registry -n production --context corp",
    ),
    outputs=OBJECTS,
    default=LINES,
)
@click.argument("folder", metavar="DIR")
@_WANTED
@option("--name", default="", help="Name of the registry; default: the one that it had.")
@option("--timeout", type=DURATION, metavar="TIME", help="How long the first sync may take.")
async def load(
    session: Session, *, folder: str, digest: str, name: str, timeout: float | None
) -> None:
    """Make a registry of a bundle, here or on a cluster; nothing outside is asked for.

    Every file is checked before any is used. A registry that was loaded before takes the new content. Its trust level
    is what the bundle says: load bundles alone whose digest you have compared.
    """
    bundle = _checked(session, folder, digest)
    catalog = bundle.manifest.catalog
    catalog = msgspec.structs.replace(catalog, name=name or catalog.name)
    target = await _target(session, catalog)
    shelf = await _stored(session, bundle, catalog)
    order = Order(timeout=timeout, asked=target is None)
    require_good(await synchronize(session, [shelf], order))
    console = session.console
    console.step("ok", f"{counted(catalog.servers, 'server')}, trust level {catalog.trust_level}")
    print_done(session, [shelf], "loaded")
    console.hint(f"Look into it: {shelf.command('catalog', 'servers', shelf.name)}")


def _checked(session: Session, folder: str, digest: str) -> Bundle:
    """The bundle, every file of which is what its manifest says."""
    bundle = open_bundle(Path(folder), digest)
    with interruptible():
        bundle.check()
    files = bundle.manifest.files
    size = sum(each.size for each in files)
    session.console.step("ok", f"{counted(len(files), 'file')} checked, {size:,} bytes")
    return bundle


async def _target(session: Session, catalog: Catalog) -> Shelf | None:
    """The registry that takes the new content; None where it is to be made. A name from elsewhere names nothing else."""
    problem = dns_label_problem(catalog.name)
    if problem:
        raise CommandError(
            Code.INVALID,
            f'a registry cannot be called "{catalog.name}": it {problem}',
            tries=["--name NAME"],
        )
    try:
        shelf = await find_stored(session, catalog.name)
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        await check_name(session, catalog.name)
        return None
    require_own_entries(shelf)
    return shelf


async def _stored(session: Session, bundle: Bundle, catalog: Catalog) -> Shelf:
    """The registry, with its document beside it; nothing is written where one of the two would be refused."""
    document, store = _document(bundle), session.place.resources
    if session.settings.on_cluster:
        config_map, registry = _held(bundle, document, catalog)
        await store.apply(_placed(session, registry), manager=MANAGER, dry_run=True)
        await store.apply(_placed(session, config_map), manager=MANAGER)
    else:
        path = import_path(session.namespace, catalog.name)
        registry = registry_of(catalog, {"type": "file", "file": {"path": path}})
        await store.apply(_placed(session, registry), manager=MANAGER, dry_run=True)
        _keep(session, bundle, document, catalog.name)
    placed = _placed(session, registry)
    placed["metadata"]["annotations"] |= request_now(session)
    obj = await store.apply(placed, manager=MANAGER)
    return Shelf(obj=obj, registry=load_registry(obj), place=session.place, program=session.program)


def _held(bundle: Bundle, document: Listed, catalog: Catalog) -> tuple[JsonObject, JsonObject]:
    packing = Packing()
    deque(packing.through(bundle.pieces(document)), maxlen=0)
    objects = held(catalog, packing)
    if objects is None:
        raise _too_large(bundle, document)
    return objects


def _document(bundle: Bundle) -> Listed:
    found = bundle.manifest.files_of(Media.TOOLHIVE)
    if len(found) != 1:
        raise damaged(f"it lists {len(found)} registries, and a bundle has one")
    return found[0]


def _keep(session: Session, bundle: Bundle, document: Listed, name: str) -> None:
    """Copies the document into the data folder; a copy that differs is gone before anybody sees it."""
    own = session.local.home.make().import_of(session.namespace, name)
    own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_file(own, bundle.pieces(document), mode=_MODE)


def _placed(session: Session, obj: JsonObject) -> JsonObject:
    return {**obj, "metadata": {**obj["metadata"], "namespace": session.namespace}}


def _too_large(bundle: Bundle, document: Listed) -> CommandError:
    return CommandError(
        Code.SIZE_LIMIT_EXCEEDED,
        f"{bundle.folder / document.path} is too large for a ConfigMap",
        tries=["put it where the cluster can fetch it: thv registry add NAME --url URL"],
    )
