"""The MCPRegistry that a command line asks for.

In the flow: between the options of `thv registry add` and the resource store. Which values are right is decided by
the schema and the rules of the resource; here is only what a command line can get wrong by itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from thv.apps.cli.exits import CommandError
from thv.apps.cli.registries import plain_name
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import MCP_REGISTRY

Words = tuple[str, ...]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `thv registry add`; `""`, None and empty mean that an option was not given."""

    name: str
    url: str = ""
    git_repo: str = ""
    git_branch: str = ""
    git_tag: str = ""
    git_commit: str = ""
    git_path: str = ""
    configmap: str = ""
    registry_url: str = ""
    registry_ref: str = ""
    versions: str | None = None
    file: str = ""
    format: str | None = None
    display_name: str = ""
    description: str = ""
    labels: Words = ()
    trust_level: str | None = None
    auth_secret: str = ""
    header_secret: str = ""
    headers: Words = ()
    ca_configmap: str = ""
    include: dict[str, Words] = msgspec.field(default_factory=dict)
    exclude: dict[str, Words] = msgspec.field(default_factory=dict)
    allow_tiers: Words = ()
    block: Words = ()
    interval: str = ""
    on_update: str | None = None
    sync_timeout: str = ""
    max_retries: int | None = None
    retry_interval: str = ""
    suspended: bool = False
    enforce_servers: bool = False
    enforce_tools: bool = False


SOURCES = {
    "url": "--url",
    "git_repo": "--git-repo",
    "configmap": "--configmap",
    "registry_url": "--registry-url",
    "registry_ref": "--registry-ref",
    "file": "--file",
}
# Options that mean something for some sources only.
_BELONGS: dict[str, tuple[str, Words]] = {
    "git_branch": ("--git-branch", ("git_repo",)),
    "git_tag": ("--git-tag", ("git_repo",)),
    "git_commit": ("--git-commit", ("git_repo",)),
    "git_path": ("--git-path", ("git_repo",)),
    "versions": ("--versions", ("registry_url", "registry_ref")),
    "auth_secret": ("--auth-secret", ("url", "git_repo", "registry_url")),
    "header_secret": ("--header-secret", ("url", "registry_url")),
    "headers": ("--header", ("url", "registry_url")),
    "ca_configmap": ("--ca-configmap", ("url", "git_repo", "registry_url")),
}


def manifest_of(wanted: Wanted, namespace: str) -> JsonObject:
    """The object to apply; raises INVALID for options that do not fit together."""
    kind = source_of(wanted)
    metadata: JsonObject = {"name": wanted.name, "namespace": namespace}
    if wanted.labels:
        metadata["labels"] = _pairs(wanted.labels, "--label", "=")
    return {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": metadata,
        "spec": _spec(wanted, kind),
    }


def source_of(wanted: Wanted) -> str:
    """The name of the one source option that was given."""
    given = [name for name in SOURCES if getattr(wanted, name)]
    if len(given) > 1:
        options = " and ".join(SOURCES[name] for name in given)
        raise CommandError(Code.INVALID, f"{options} name two sources; a registry has one")
    if not given:
        raise CommandError(
            Code.INVALID,
            f'where do the servers of "{wanted.name}" come from? No source was given',
            tries=[
                f"thv registry add {wanted.name} --url https://HOST/registry.json",
                f"thv registry add {wanted.name} --registry-url https://registry.modelcontextprotocol.io",
                f"thv registry add {wanted.name} --git-repo https://HOST/REPOSITORY.git",
                f"thv registry add {wanted.name} --file registry.json",
            ],
        )
    for name, (option, kinds) in _BELONGS.items():
        if getattr(wanted, name) and given[0] not in kinds:
            meant = " or ".join(SOURCES[kind] for kind in kinds)
            raise CommandError(Code.INVALID, f"{option} needs {meant}, not {SOURCES[given[0]]}")
    if wanted.git_repo:
        _check_git(wanted)
    return given[0]


def _check_git(wanted: Wanted) -> None:
    """Raises INVALID for two revisions, and for a repository of this machine, which Git is not asked for."""
    revisions = [
        _BELONGS[name][0]
        for name in ("git_branch", "git_tag", "git_commit")
        if getattr(wanted, name)
    ]
    if len(revisions) > 1:
        names = " and ".join(revisions)
        raise CommandError(Code.INVALID, f"{names} exclude each other", tries=["keep one of them"])
    place = wanted.git_repo.removeprefix("file://")
    if place != wanted.git_repo or place.startswith(("/", "./", "../", "~")):
        raise CommandError(
            Code.INVALID,
            f'--git-repo "{wanted.git_repo}" is a place on this machine; a repository is read over https or ssh',
            tries=[
                f"thv registry add {wanted.name} --file {shlex.quote(_joined(place, wanted.git_path))}"
            ],
        )


def _joined(folder: str, path: str) -> str:
    return str(Path(folder) / (path or "registry.json"))


def _spec(wanted: Wanted, kind: str) -> JsonObject:
    return {
        **_given(
            displayName=wanted.display_name,
            description=wanted.description,
            format=wanted.format,
            trustLevel=wanted.trust_level,
        ),
        "source": _source(wanted, kind),
        **_given(
            syncPolicy=_sync_policy(wanted),
            filter=_given(include=_side(wanted.include), exclude=_side(wanted.exclude)),
            validationPolicy=_given(
                allowedTiers=list(wanted.allow_tiers), blockedPatterns=list(wanted.block)
            ),
            enforceServers=wanted.enforce_servers,
            enforceTools=wanted.enforce_tools,
        ),
    }


def _source(wanted: Wanted, kind: str) -> JsonObject:
    access = _given(
        authSecret=_given(name=wanted.auth_secret),
        headersSecret=_given(name=wanted.header_secret),
        headers=_pairs(wanted.headers, "--header", ":"),
        caConfigMap=_key_of(wanted.ca_configmap),
    )
    match kind:
        case "url":
            return {"type": "url", "url": {"url": _require_url(wanted.url, "--url"), **access}}
        case "git_repo":
            place = _given(
                branch=wanted.git_branch,
                tag=wanted.git_tag,
                commit=wanted.git_commit,
                path=wanted.git_path,
            )
            return {"type": "git", "git": {"repository": wanted.git_repo, **place, **access}}
        case "configmap":
            return {"type": "configmap", "configMap": _key_of(wanted.configmap)}
        case "registry_url":
            url = _require_url(wanted.registry_url, "--registry-url")
            versions = _given(versions=wanted.versions)
            return {"type": "registry", "registry": {"url": url, **versions, **access}}
        case "registry_ref":
            reference = {"registryRef": {"name": plain_name(wanted.registry_ref)}}
            return {
                "type": "registry",
                "registry": {**reference, **_given(versions=wanted.versions)},
            }
        case _:
            return {"type": "file", "file": {"path": str(_require_file(wanted.file))}}


def _require_url(url: str, option: str) -> str:
    """Catches the commonest mistake: a file where a URL belongs."""
    path = url.removeprefix("file://")
    if path != url or ("://" not in url and Path(url).expanduser().exists()):
        raise CommandError(
            Code.INVALID,
            f"{option} takes an http or https URL; {path} is a file",
            tries=[f"--file {path}"],
        )
    return url


def _require_file(text: str) -> Path:
    """The absolute path; raises PATH_NOT_FOUND when nothing is there."""
    if text.startswith(("http://", "https://")):
        raise CommandError(
            Code.INVALID, "--file takes a file or a folder; this is a URL", tries=[f"--url {text}"]
        )
    path = Path(text.removeprefix("file://")).expanduser().absolute()
    if not path.exists():
        raise CommandError(
            Code.PATH_NOT_FOUND, f"there is no file or folder {path}", tries=[f"ls {path.parent}"]
        )
    return path


def _sync_policy(wanted: Wanted) -> JsonObject:
    retry = _given(backoffInterval=wanted.retry_interval)
    if wanted.max_retries is not None:
        retry["maxRetries"] = wanted.max_retries
    policy = _given(
        interval=wanted.interval,
        onUpdate=wanted.on_update,
        timeout=wanted.sync_timeout,
        retry=retry,
    )
    return {"enabled": False, **policy} if wanted.suspended else policy


def _side(lists: dict[str, Words]) -> JsonObject:
    """Lists of a filter; `a,b` is two words, as everywhere else."""
    return _given(**{field: _unique(words) for field, words in lists.items()})


def _unique(words: Sequence[str]) -> list[str]:
    parts = (part.strip() for word in words for part in word.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def _key_of(text: str) -> JsonObject:
    """`CM` or `CM/KEY`."""
    name, _, key = text.partition("/")
    return _given(name=name, key=key)


def _pairs(texts: Sequence[str], option: str, separator: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, found, value = text.partition(separator)
        if not found or not key.strip():
            raise CommandError(
                Code.INVALID,
                f"{option} takes NAME{separator}VALUE",
                tries=[f"{option} NAME{separator}VALUE"],
            )
        pairs[key.strip()] = value.strip()
    return pairs


def _given(**members: Any) -> JsonObject:
    """The members that say something."""
    return {key: value for key, value in members.items() if value}
