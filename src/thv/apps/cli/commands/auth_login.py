"""`thv auth login` and `logout`: tokens of services that are in no cluster."""

from __future__ import annotations

import click

from thv.apps.cli.command import command
from thv.apps.cli.exits import CommandError
from thv.apps.cli.loader import load
from thv.apps.cli.logins import place_of, read_logins, write_logins
from thv.apps.cli.options import option
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code

_ROOM = "thv.apps.cli.service:"
_LONGEST = 16 * 1024


@command(
    "login",
    examples=(
        "thv auth login https://registry.example.com",
        "thv auth login http://127.0.0.1:8080 --token-stdin < token.txt",
    ),
)
@click.argument("url")
@option("--token-stdin", is_flag=True, help="Read the token from the input; else it is asked for.")
@option("--allow-http", is_flag=True, help="Send the token by plain http beyond this machine.")
async def login(session: Session, *, url: str, token_stdin: bool, allow_http: bool) -> None:
    """Keep a token for a service that is in no cluster, such as thv serve; it is tried first."""
    address: str = load(_ROOM + "address_of")(url, allow_http=allow_http)
    token = _read(session, from_stdin=token_stdin)
    me: JsonObject = await load(_ROOM + "me")(address, token)
    logins = read_logins(session.settings).with_token(address, token)
    place = write_logins(session.settings, logins)
    session.console.step("ok", f"logged in to {address} as {me['user']}")
    session.console.detail(f"kept in {place}")


@command("logout", examples=("thv auth logout", "thv auth logout https://registry.example.com"))
@click.argument("url", required=False, default="")
async def logout(session: Session, *, url: str) -> None:
    """Forget the token of a service, by default of the one that was logged in to last.

    The token stays good; who wants it gone removes it from the access file of the service.
    """
    logins = read_logins(session.settings)
    address: str = load(_ROOM + "address_of")(url, allow_http=True) if url else logins.current
    if address not in logins.tokens:
        raise CommandError(
            Code.NOT_FOUND,
            f"you are not logged in to {address}" if address else "you are logged in nowhere",
            tries=[f"thv auth logout {known}" for known in logins.tokens] or ["thv auth login URL"],
        )
    left = logins.without(address)
    if left.tokens:
        write_logins(session.settings, left)
    else:
        place_of(session.settings).unlink(missing_ok=True)
    session.console.step("ok", f"logged out of {address}")


def _read(session: Session, *, from_stdin: bool) -> str:
    """The token, which is never an argument: other users of a machine see those."""
    if from_stdin:
        text = session.common.around.stdin.read(_LONGEST + 1).decode(errors="replace")
    elif session.asks:
        text = str(click.prompt("Token", hide_input=True, err=True))
    else:
        raise CommandError(
            Code.INVALID,
            "where does the token come from?",
            cause="nobody is there to be asked",
            tries=[session.common.again("--token-stdin") + " < token.txt"],
        )
    token = text.strip()
    if not token or len(token) > _LONGEST or not token.isascii() or not token.isprintable():
        raise CommandError(
            Code.INVALID, "this is no token", tries=["one line of letters, digits and signs"]
        )
    return token
