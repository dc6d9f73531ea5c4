"""`thv apply`."""

from __future__ import annotations

import click

from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.exits import EXITS, CommandError, Exit, exit_of, show_error
from thv.apps.cli.hiding import shown_resource
from thv.apps.cli.manifest_files import (
    Manifest,
    is_namespace,
    read_manifests,
    title_of,
    unknown_kind,
)
from thv.apps.cli.options import option
from thv.apps.cli.output import print_value
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import LINES, MANAGER
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, InvalidError, ThvError
from thv.domain.resources import (
    MCP_REGISTRY,
    NAMESPACE,
    Kind,
    metadata_of,
    name_of,
    namespace_of,
    resource_version_of,
)
from thv.domain.rules import warnings_of

_DRY = " (server dry run)"


@command(
    "apply",
    examples=(
        "thv apply -f registry.yaml",
        "thv apply -f manifests/ --dry-run",
        "thv registry migrate registry.json | thv apply -f -",
    ),
    outputs=OBJECTS,
    default=LINES,
)
@option(
    "-f",
    "--filename",
    "places",
    multiple=True,
    required=True,
    metavar="FILE|DIR|-",
    help="Manifests, in YAML or JSON.",
)
@option(
    "--dry-run",
    is_flag=False,
    flag_value="server",
    type=click.Choice(["none", "client", "server"]),
    help="Check everything, write nothing.",
)
@option("--force-conflicts", is_flag=True, help="Take over fields that others own.")
@option(
    "--field-manager",
    default=MANAGER,
    show_default=True,
    metavar="NAME",
    help="Who owns the fields.",
)
@option(
    "--validate",
    type=click.Choice(["strict", "ignore"]),
    default="strict",
    help="What to do with unknown fields: refuse them, or leave them out.",
)
@option("--server-side", is_flag=True, help="As kubectl has it; it is always so.")
async def apply(
    session: Session,
    *,
    places: tuple[str, ...],
    dry_run: str | None,
    force_conflicts: bool,
    field_manager: str,
    validate: str,
    server_side: bool,  # noqa: ARG001 # there is no other way
) -> Exit | None:
    """Create or change resources from manifests: the kinds of thv explain; on a cluster also Namespace.

    Fields that were applied before and are not in the manifest any more are removed; fields of other managers stay.
    Each resource is handled by itself: an error of one leaves the others applied.
    """
    applied: list[tuple[Kind, JsonObject, str]] = []
    code: Exit | None = None
    dry = dry_run in ("client", "server")
    for manifest in read_manifests(session, places):
        try:
            done = await _apply(
                session,
                manifest,
                dry=dry,
                force=force_conflicts,
                manager=field_manager,
                strict=validate == "strict",
            )
        except ThvError as error:
            show_error(_placed(error, manifest), session.console, as_json=session.output == "json")
            code = code or exit_of(error)
            continue
        if done is not None:
            applied.append(done)
            _print_line(session, done, dry=dry)
            # A cluster warns of the same by itself.
            for warning in () if session.settings.on_cluster else warnings_of(done[1]):
                session.console.step("note", f"{manifest.title}: {warning}")
    _print_objects(session, [obj for _, obj, _ in applied])
    if not dry:
        _remark(session, applied)
    return code


async def _apply(
    session: Session, manifest: Manifest, *, dry: bool, force: bool, manager: str, strict: bool
) -> tuple[Kind, JsonObject, str] | None:
    """The kind, the object as it is now, and what happened to it; None for what needs nothing."""
    on_cluster = session.settings.on_cluster
    if is_namespace(manifest) and not on_cluster:
        session.console.step("note", f"{manifest.title}: namespaces come by themselves here")
        return None
    kind = NAMESPACE if is_namespace(manifest) else manifest.kind
    if kind is None:
        raise unknown_kind(manifest, on_cluster=on_cluster)
    wanted = _in_namespace(session, manifest) if kind.namespaced else manifest.obj
    before = await _live(session, kind, wanted)
    try:
        now = await session.place.resources.apply(
            wanted, manager=manager, force=force, dry_run=dry, strict=strict
        )
    except ThvError as error:
        if error.code is Code.CONFLICT and error.details.get("conflicts"):
            raise _conflict(session, manifest, kind, error) from error
        raise
    return kind, now, _verb(before, now)


def _in_namespace(session: Session, manifest: Manifest) -> JsonObject:
    """The object in the namespace that it says, or else in that of the command line."""
    own, asked = namespace_of(manifest.obj), session.namespace
    if not own:
        metadata = {**metadata_of(manifest.obj), "namespace": asked}
        return {**manifest.obj, "metadata": metadata}
    if own != asked and session.settings.origins.get("namespace") == "--namespace":
        raise CommandError(
            Code.INVALID,
            f'{manifest.title} is of the namespace "{own}", the command line says "{asked}"',
            tries=["leave out -n, or the namespace of the manifest"],
        )
    return manifest.obj


async def _live(session: Session, kind: Kind, obj: JsonObject) -> JsonObject | None:
    try:
        return await session.place.resources.get(kind, namespace_of(obj), name_of(obj))
    except ThvError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise


def _verb(before: JsonObject | None, now: JsonObject) -> str:
    if before is None:
        return "created"
    same = resource_version_of(before) == resource_version_of(now) and _content(before) == _content(
        now
    )
    return "unchanged" if same else "configured"


def _content(obj: JsonObject) -> JsonObject:
    metadata = {key: value for key, value in metadata_of(obj).items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def _print_line(session: Session, done: tuple[Kind, JsonObject, str], *, dry: bool) -> None:
    kind, obj, verb = done
    if session.output == LINES:
        session.console.data(f"{title_of(obj, kind)} {verb}{_DRY if dry else ''}\n")
    elif session.output == "name":
        session.console.data(f"{title_of(obj, kind)}\n")


def _print_objects(session: Session, objects: list[JsonObject]) -> None:
    if session.output not in ("json", "yaml") or not objects:
        return
    values = [shown_resource(obj) for obj in objects]
    shown = values[0] if len(values) == 1 else {"apiVersion": "v1", "kind": "List", "items": values}
    print_value(shown, session.output, session.console)


def _remark(session: Session, applied: list[tuple[Kind, JsonObject, str]]) -> None:
    """Who synchronizes what was applied."""
    changed = [obj for kind, obj, verb in applied if kind is MCP_REGISTRY and verb != "unchanged"]
    if changed and not session.settings.on_cluster and not session.local.lock.holder():
        names = " ".join(name_of(obj) for obj in changed)
        there = session.there(namespace_of(changed[0]))
        session.console.hint(f"Synchronize now: {session.program} registry sync {names}{there}")


def _placed(error: ThvError, manifest: Manifest) -> ThvError:
    """The error with the place of the resource."""
    if isinstance(error, InvalidError):
        return InvalidError(f"{error.subject} in {manifest.place}", error.errors, hint=error.hint)
    if isinstance(error, CommandError) and error.cause:
        return error
    return CommandError(
        error.code,
        error.message,
        cause=f"found in {manifest.place}",
        tries=error.hint.splitlines(),
        details=error.details,
        exit_code=EXITS[error.code],
    )


def _conflict(session: Session, manifest: Manifest, kind: Kind, error: ThvError) -> CommandError:
    """Names who owns the fields, and how to take them over."""
    conflicts = error.details["conflicts"]
    managers = sorted({str(conflict["manager"]) for conflict in conflicts})
    fields = ", ".join(sorted({str(each["field"]).lstrip(".") for each in conflicts})[:10])
    return CommandError(
        Code.CONFLICT,
        f"{title_of(manifest.obj, kind)}: {fields} belongs to {', '.join(managers)}",
        cause=f"{manifest.place} gives another value than its owner set",
        tries=[
            f"{session.common.again('--force-conflicts')}   (takes the fields over)",
            "or leave the fields out of the manifest",
        ],
        details=error.details,
    )
