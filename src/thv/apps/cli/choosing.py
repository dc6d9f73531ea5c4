"""The words of `thv install` and `thv run` as what a user chooses, and a wrong choice as what to type instead.

In the flow: between the options of a command and `thv.catalog.install`. Nothing is read but files that were named.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from thv.apps.cli.documents import missing
from thv.apps.cli.exits import CommandError
from thv.apps.cli.options import Common
from thv.apps.cli.session import Session
from thv.catalog.choices import Choice, ChoiceError, Choices, FromSecret
from thv.catalog.install import NAME_LIMIT
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.mcpserver import PermissionProfile

Words = tuple[str, ...]
BEHIND = "--"
"""What follows is for the server."""
_FILE_LIMIT = 1 << 20


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The command line; `""`, None and empty mean that an option was not given."""

    words: Words
    name: str = ""
    version: str = ""
    env: Words = ()
    env_files: Words = ()
    secrets: Words = ()
    tools: Words = ()
    permission_profile: str = ""
    image_digest: str = ""
    proxy_port: int | None = None
    target_port: int | None = None
    resources: str = ""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which server, and how it is to be."""

    server: str
    """`NAME`, or `NAME@VERSION`."""
    choices: Choices


def chosen(session: Session, asked: Asked) -> Chosen:
    """What the command line chooses; raises INVALID for words that do not fit together."""
    words, args = _parted(session.common, asked.words)
    if not 1 <= len(words) <= 2:
        raise CommandError(
            Code.INVALID,
            f"too many words: {shlex.join(words[2:])}" if words else "which server?",
            tries=["thv run SERVER NAME -- ARGUMENTS OF THE SERVER"],
        )
    return Chosen(
        server=_versioned(words[0], asked.version),
        choices=Choices(
            namespace=session.namespace,
            name=_agreed(asked.name, words[1:]),
            env=dict(_environment(asked)),
            secrets=tuple(map(_from_secret, asked.secrets)),
            args=args,
            tools=tuple(tool for text in asked.tools for tool in _parts(text)),
            profile=_profile(asked.permission_profile),
            image_digest=asked.image_digest,
            port=asked.proxy_port,
            target_port=asked.target_port,
            resources=_resources(asked.resources),
        ),
    )


def _parted(common: Common, words: Words) -> tuple[Words, Words]:
    """Our words, and those behind `--`, which the parser does not tell apart."""
    if BEHIND not in common.argv:
        return words, ()
    args = common.argv[common.argv.index(BEHIND) + 1 :]
    return words[: len(words) - len(args)], args


def _versioned(server: str, version: str) -> str:
    said = server.rpartition("@")[2] if "@" in server else ""
    if version and said and said != version:
        raise CommandError(
            Code.INVALID, f"--version {version} and {server} name two versions", tries=["keep one"]
        )
    return f"{server}@{version}" if version and not said else server


def _agreed(option: str, words: Words) -> str:
    """The name of the server that comes to be, which may be said twice, but not differently."""
    word = words[0] if words else ""
    if option and word and option != word:
        raise CommandError(
            Code.INVALID, f'the server is called "{word}" and --name {option}', tries=["keep one"]
        )
    return option or word


def _environment(asked: Asked) -> Iterator[tuple[str, str]]:
    """Of files first, so that the command line wins."""
    for place in asked.env_files:
        for number, line in enumerate(_lines(Path(place)), start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                yield _pair(line.strip(), f"{place}, line {number}")
    for text in asked.env:
        yield _pair(text, "--env")


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise missing(path)
    with path.open("rb") as file:
        content = file.read(_FILE_LIMIT + 1)
    if len(content) > _FILE_LIMIT:
        message = f"{path} has more than {_FILE_LIMIT >> 20} MiB, which no file of variables has"
        raise CommandError(Code.SIZE_LIMIT_EXCEEDED, message)
    return content.decode(errors="replace").splitlines()


def _pair(text: str, place: str) -> tuple[str, str]:
    """The value is not repeated in an error: it may be a secret."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError(
            Code.INVALID, f"{place} wants NAME=VALUE", tries=["--env LOG_LEVEL=debug"]
        )
    return name, value


def _from_secret(text: str) -> FromSecret:
    """`NAME`, `NAME/KEY`, with `,target=VARIABLE`."""
    head, *options = text.split(",")
    name, _, key = head.partition("/")
    targets = [option.removeprefix("target=") for option in options]
    if not name or len(options) > 1 or targets == options != []:
        raise CommandError(
            Code.INVALID,
            f'--secret "{text}" cannot be read',
            tries=[
                "--secret NAME   (every secret variable, from the key of its name)",
                "--secret NAME/KEY,target=VARIABLE   (one variable)",
            ],
        )
    return FromSecret(name, key, "".join(targets))


def _profile(text: str) -> PermissionProfile | None:
    """`none`, `network` or `configmap/NAME[/KEY]`."""
    if text in ("none", "network"):
        return PermissionProfile(name=text)
    kind, _, place = text.partition("/")
    name, _, key = place.partition("/")
    if kind in ("configmap", "cm") and name:
        profile = PermissionProfile(type="configmap", name=name)
        return msgspec.structs.replace(profile, key=key) if key else profile
    if text:
        raise CommandError(
            Code.INVALID,
            f'there is no permission profile "{text}"',
            tries=["--permission-profile none, network, or configmap/NAME"],
        )
    return None


def _resources(text: str) -> JsonObject:
    """As much is reserved as may be used."""
    pairs = dict(_pair(part, "--resources") for part in _parts(text))
    unknown = sorted(pairs.keys() - {"cpu", "memory"})
    if unknown:
        raise CommandError(
            Code.INVALID,
            f"--resources knows no {', '.join(unknown)}",
            tries=["--resources cpu=500m,memory=256Mi"],
        )
    return {"requests": pairs, "limits": pairs} if pairs else {}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


# Advice ----------------------------------------------------------------------------------------------------


def again(common: Common, *more: str) -> str:
    """The same command line with further options, before what is for the server."""
    argv = common.typed
    place = argv.index(BEHIND) if BEHIND in argv else len(argv)
    return shlex.join([*common.program.split(), *argv[:place], *more, *argv[place:]])


def advised(session: Session, error: ChoiceError, name: str) -> CommandError:
    """The error with what to type instead; `name` is how the server is called."""
    return CommandError(
        error.code,
        error.message,
        suggestions=error.meant,
        tries=_tries(session, error, name),
        details=error.details,
    )


def _tries(session: Session, error: ChoiceError, name: str) -> list[str]:
    common = session.common
    match error.choice:
        case Choice.ENV:
            return _values(session, error, name)
        case Choice.TWICE:
            return [f"keep either --env or --secret of {', '.join(error.names)}"]
        case Choice.SECRET if error.secrets:
            bare = ", ".join(f"--env {each}=..." for each in error.secrets)
            return [*_kept(session, error.secrets, name), f"--secret {name}   (in place of {bare})"]
        case Choice.SECRET:
            return [f"--secret {error.names[0]}/KEY,target=VARIABLE"]
        case Choice.ARGS:
            return [f"{again(common)} -- {shlex.join(error.names)}   (with your values)"]
        case Choice.TOOLS:
            return [f"{session.program} show SERVER --tools"]
        case Choice.NAME:
            return [f"--name NAME, of a-z, 0-9 and -, with at most {NAME_LIMIT} characters"]
        case Choice.DIGEST:
            return ["--image-digest sha256:..., or leave it out"]


def _values(session: Session, error: ChoiceError, name: str) -> list[str]:
    kept = _kept(session, error.secrets, name)
    words = [word for each in error.names for word in ("--env", f"{each}=VALUE")]
    if error.secrets:
        words += ["--secret", name]
    # With a misspelled variable the command line is not repeated: its value may be a secret.
    return [*kept, shlex.join(words) if error.meant else again(session.common, *words)]


def _kept(session: Session, secrets: Sequence[str], name: str) -> list[str]:
    """The command that keeps the values in a Secret of that name."""
    if not secrets:
        return []
    files = [word for each in secrets for word in ("--from-file", f"{each}=FILE")]
    made = shlex.join(["secret", "create", name, *files])
    return [f"{session.program} {made}{session.there(session.namespace)}"]
