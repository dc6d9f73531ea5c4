"""`thv secret create`."""

from __future__ import annotations

import base64
from pathlib import Path

import click

from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.documents import missing
from thv.apps.cli.exits import CommandError
from thv.apps.cli.hiding import shown_resource
from thv.apps.cli.manifest_files import title_of
from thv.apps.cli.options import option
from thv.apps.cli.output import print_value
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import LINES, MANAGER
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import SECRET

_LIMIT = 1 << 20
_KEY_TYPES = {"ssh-privatekey": "kubernetes.io/ssh-auth"}


@command(
    "create",
    examples=(
        "thv secret create git-read --from-stdin < token.txt",
        "thv secret create git-ssh --from-file ssh-privatekey=id_ed25519 --from-file known_hosts=known_hosts",
        'printf %s "$PASSWORD" | thv secret create basic --from-stdin --key password --replace',
    ),
    outputs=OBJECTS,
    default=LINES,
)
@click.argument("name")
@option(
    "--from-stdin", is_flag=True, help="Read one value from the input; a last line break is cut."
)
@option(
    "--key", default="token", show_default=True, help="With --from-stdin: the key of the value."
)
@option("--from-file", "files", multiple=True, metavar="[KEY=]FILE", help="One value from a file.")
@option("--replace", is_flag=True, help="Replace a secret that is there already.")
async def create(
    session: Session,
    *,
    name: str,
    from_stdin: bool,
    key: str,
    files: tuple[str, ...],
    replace: bool,
) -> None:
    """Keep the credentials of a source. Values come from the input or a file, never from the command line."""
    if not from_stdin and not files:
        raise CommandError(
            Code.INVALID,
            "where does the value come from?",
            tries=[f"thv secret create {name} --from-stdin < token.txt", "or --from-file KEY=FILE"],
        )
    values = dict(_of_file(text) for text in files)
    if from_stdin:
        values[key] = _typed(session)
    obj = await _store(session, _secret(session, name, values), replace=replace)
    _print(session, obj, "replaced" if replace else "created")
    _next_step(session, name, values)


def _secret(session: Session, name: str, values: dict[str, bytes]) -> JsonObject:
    kind = next((_KEY_TYPES[key] for key in values if key in _KEY_TYPES), "Opaque")
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": {"name": name, "namespace": session.namespace},
        "type": kind,
        "data": {key: base64.b64encode(value).decode() for key, value in values.items()},
    }


async def _store(session: Session, secret: JsonObject, *, replace: bool) -> JsonObject:
    store = session.place.resources
    name, space = secret["metadata"]["name"], session.namespace
    try:
        return await store.create(secret, manager=MANAGER)
    except ThvError as error:
        if error.code is not Code.ALREADY_EXISTS:
            raise
        if not replace:
            raise CommandError(
                Code.ALREADY_EXISTS,
                f'there is a secret "{name}" in the namespace "{space}" already',
                tries=["add --replace", f"thv get secret {name} -o yaml   (shows its keys)"],
            ) from error
    live = await store.get(SECRET, space, name)
    return await store.replace({**secret, "type": live.get("type", "Opaque")}, manager=MANAGER)


def _typed(session: Session) -> bytes:
    """The value from the input; at a terminal it is asked for, and what is typed is not shown."""
    stdin = session.common.around.stdin
    if session.asks:
        value = click.prompt("Value", hide_input=True, err=True, default="", show_default=False)
        content = str(value).encode()
    else:
        content = stdin.read(_LIMIT + 1)
    content = content.removesuffix(b"\n").removesuffix(b"\r")
    _check(content, "the input")
    return content


def _of_file(text: str) -> tuple[str, bytes]:
    """`KEY=FILE`, or a file whose name is the key."""
    key, equals, place = text.partition("=")
    path = Path(place if equals else text).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except FileNotFoundError as error:
        raise missing(path) from error
    except OSError as error:
        message = f'"{path}" cannot be read: {error.strerror or error}'
        raise CommandError(Code.FORBIDDEN, message) from error
    _check(content, str(path))
    return key if equals else path.name, content


def _check(content: bytes, place: str) -> None:
    if not content:
        raise CommandError(Code.INVALID, f"{place} is empty; a secret needs a value")
    if len(content) > _LIMIT:
        raise CommandError(Code.SIZE_LIMIT_EXCEEDED, f"{place} is larger than 1 MiB")


def _print(session: Session, obj: JsonObject, verb: str) -> None:
    match session.output:
        case "name":
            session.console.data(f"{title_of(obj, SECRET)}\n")
        case "json" | "yaml":
            print_value(shown_resource(obj), session.output, session.console)
        case _:
            session.console.data(f"{title_of(obj, SECRET)} {verb}\n")


def _next_step(session: Session, name: str, values: dict[str, bytes]) -> None:
    """What uses it."""
    there = session.there(session.namespace)
    known = {"token", "username", "password", "ssh-privatekey"}
    flag = "--auth-secret" if known & values.keys() else "--header-secret"
    source = "--git-repo git@HOST:REPOSITORY" if "ssh-privatekey" in values else "--url URL"
    session.console.hint(
        f"Use it: {session.program} registry add NAME {source} {flag} {name}{there}"
    )
