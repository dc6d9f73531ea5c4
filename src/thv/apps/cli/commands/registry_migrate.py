"""`thv registry migrate`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from thv.apps.cli.carrying import content, survey
from thv.apps.cli.command import command
from thv.apps.cli.documents import STDIN, open_paper
from thv.apps.cli.exits import CommandError
from thv.apps.cli.interrupting import interruptible
from thv.apps.cli.manifest_files import Manifest, read_manifests
from thv.apps.cli.migrating import (
    Packed,
    config_map,
    config_map_yaml,
    documents,
    metadata,
    pack,
    registry,
    upgraded,
)
from thv.apps.cli.options import option
from thv.apps.cli.output import counted, json_of, yaml_of
from thv.apps.cli.registries import REGISTRY_SUFFIXES
from thv.apps.cli.session import Session
from thv.apps.cli.writing import STDOUT, write_out
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import MCP_REGISTRY
from thv.domain.text import object_name


@command(
    "migrate",
    examples=(
        "thv registry migrate registry.json --output k8s-registry.yaml",
        "thv registry migrate registry.json --name corp -n toolhive-system | kubectl apply -f -",
        "thv registry migrate registry.json --as url --url https://catalog.example.com/registry.json",
        "thv registry migrate old-mcpregistry.yaml --output mcpregistry.yaml",
    ),
    outputs=("yaml", "json"),
)
@click.argument("file", metavar="FILE|-")
@option(
    "--output", "target", default=STDOUT, metavar="FILE", help="File to write; default: the output."
)
@option(
    "--as",
    "as_",
    type=click.Choice(["configmap", "url", "git"]),
    default="configmap",
    show_default=True,
    help="Where the entries come from on the cluster.",
)
@option("--name", default="", help="Name of the registry; default: that of the file.")
@option("--url", default="", metavar="URL", help="With --as url: where the file can be fetched.")
@option("--git-repo", default="", metavar="URL", help="With --as git: the repository.")
@option("--git-branch", default="", metavar="BRANCH", help="With --as git.")
@option("--git-path", default="", metavar="PATH", help="With --as git: the file in the repository.")
@option("--trust-level", type=click.Choice(["raw", "tested", "trusted"]), help="Trust level.")
@option("--display-name", default="", help="Title for people.")
@option("--interval", default="", metavar="1h", help="Time between two syncs.")
async def migrate(
    session: Session,
    *,
    file: str,
    target: str,
    as_: str,
    name: str,
    url: str,
    git_repo: str,
    git_branch: str,
    git_path: str,
    trust_level: str | None,
    display_name: str,
    interval: str,
) -> None:
    """Make Kubernetes manifests of a registry file: an MCPRegistry, and the ConfigMap that it reads.

    An MCPRegistry of an older ToolHive (toolhive.stacklok.dev) is rewritten as this version reads it. What comes
    out is what `kubectl apply -f` and `thv apply -f` take.
    """
    as_json = session.output == "json"
    old = _old_registries(session, file)
    if old:
        _write(session, target, _upgraded(session, old), as_json=as_json)
        _next_step(session, target)
        return
    more = {
        "displayName": display_name,
        "trustLevel": trust_level,
        "syncPolicy": {"interval": interval} if interval else None,
    }
    with interruptible(), open_paper(session, file) as paper:
        count = survey(session, paper)
        meta = metadata(_name(name, file), _namespace(session))
        if as_ == "configmap":
            packed = pack(content(paper))
            source = {"type": "configmap", "configMap": {"name": meta["name"], "key": packed.key}}
            objects: list[JsonObject] = [config_map(meta, packed), registry(meta, source, **more)]
            texts = None if as_json else [config_map_yaml(meta, packed), yaml_of(objects[1])]
        else:
            source = _remote_source(as_, url, git_repo, git_branch, git_path)
            packed, texts = Packed(), None
            objects = [registry(meta, source, **more)]
    await _check(session, objects)
    _write(session, target, objects, texts=texts, as_json=as_json)
    title = f"mcpregistry/{meta['name']}"
    entries = counted(count, "entry", "entries")
    session.console.step("ok", f"{title} with {entries} of {paper.title}")
    _next_step(session, target, server_side=packed.needs_server_side)


# A registry file -------------------------------------------------------------------------------------------


def _remote_source(as_: str, url: str, repo: str, branch: str, path: str) -> JsonObject:
    if as_ == "url":
        if not url:
            raise CommandError(
                Code.INVALID,
                "--as url needs the URL where the file can be fetched",
                tries=["add --url https://HOST/registry.json"],
            )
        return {"type": "url", "url": {"url": url}}
    if not repo:
        raise CommandError(
            Code.INVALID,
            "--as git needs the repository that holds the file",
            tries=["add --git-repo https://HOST/REPOSITORY.git"],
        )
    place = {"branch": branch, "path": path}
    given = {key: value for key, value in place.items() if value}
    return {"type": "git", "git": {"repository": repo, **given}}


def _name(name: str, file: str) -> str:
    if name:
        return name
    if file == STDIN:
        raise CommandError(Code.INVALID, "the input has no name", tries=["add --name NAME"])
    stem = Path(file).absolute().name
    for suffix in REGISTRY_SUFFIXES:
        stem = stem.removesuffix(suffix)
    made = object_name(stem)
    return made if made[0].isalpha() else object_name(f"registry-{stem}")


def _namespace(session: Session) -> str:
    return session.namespace if session.settings.has_own_namespace else ""


async def _check(session: Session, objects: Iterable[JsonObject]) -> None:
    """Raises what the store would refuse: the manifests that are written can be applied."""
    for obj in objects:
        await session.local.resources.apply(obj, manager="thv-migrate", dry_run=True, force=True)


# An older MCPRegistry --------------------------------------------------------------------------------------


def _old_registries(session: Session, file: str) -> list[Manifest]:
    """The manifests of a file that holds such; empty for a registry document."""
    if file == STDIN or not file.endswith((".yaml", ".yml", ".json")) or not Path(file).is_file():
        return []
    if Path(file).stat().st_size > 1 << 20:
        return []
    try:
        found = read_manifests(session, [file])
    except ThvError:
        return []
    return [each for each in found if each.obj.get("kind") == MCP_REGISTRY.kind]


def _upgraded(session: Session, old: Iterable[Manifest]) -> list[JsonObject]:
    objects = []
    for manifest in old:
        obj, left_out = upgraded(manifest.obj)
        for field in left_out:
            session.console.step(
                "note", f"{manifest.title}: {field} has no counterpart here and is left out"
            )
        objects.append(obj)
    return objects


# Writing ---------------------------------------------------------------------------------------------------


def _write(
    session: Session,
    target: str,
    objects: list[JsonObject],
    *,
    texts: list[str] | None = None,
    as_json: bool,
) -> None:
    if as_json:
        value = (
            objects[0]
            if len(objects) == 1
            else {"apiVersion": "v1", "kind": "List", "items": objects}
        )
        write_out(session.console, target, [json_of(msgspec.to_builtins(value)).encode()])
    else:
        write_out(session.console, target, documents(texts or [yaml_of(obj) for obj in objects]))


def _next_step(session: Session, target: str, *, server_side: bool = False) -> None:
    if target == STDOUT:
        return
    flag = " --server-side" if server_side else ""
    session.console.step("ok", f"wrote {target}")
    session.console.hint(
        f"On a cluster: kubectl apply{flag} -f {target}     Here: thv apply -f {target}"
    )
    if server_side:
        session.console.step("note", "it is too large for a plain kubectl apply; use --server-side")
