"""R13: what changed since a token.

In the flow: followers of a registry ask with the token of the last answer, and may wait until there is one. A
token names a snapshot and how many changes behind it were read already, so every replica understands it.
"""

from __future__ import annotations

import re

import msgspec

from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, encode
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.apps.registry_api.pages import PLAIN_JSON, cache_control
from thv.apps.registry_api.served import Served
from thv.apps.registry_api.servers import place_of
from thv.stores.models import log
from thv.stores.models.view import View

MOST = 1000
"""Changes in one answer."""

_TOKEN = re.compile(r"([0-9a-f]{16})(?:\.([0-9]{1,9}))?")


async def list_changes(call: Call) -> Answer:
    """R13: the changes, oldest first; without a token only the current one."""
    served = place_of(call)
    view = served.view()
    if call.values["since"] is None:
        return _answer(call, served, view, [], view.generation.content, more=False)
    content, read = _token(call.values["since"])
    after = _after(view, content, read)
    found = log.read(view.model.connection, after, MOST + 1)
    if not found and call.values["wait"]:
        await served.wait_for_change(call.values["wait"])
        view = served.view()
        after = _after(view, content, read)
        found = log.read(view.model.connection, after, MOST + 1)
    shown = found[:MOST]
    more = len(found) > MOST
    token = f"{content}.{read + len(shown)}" if more else view.generation.content
    return _answer(call, served, view, shown, token, more=more)


def _token(text: str) -> tuple[str, int]:
    match = _TOKEN.fullmatch(text)
    if match is None:
        message = "is not a token of this registry"
        raise ProblemError(
            Word.INVALID_REQUEST,
            f"since {message}.",
            culprits=[Culprit(message, "query.since", text)],
        )
    return match[1], int(match[2] or 0)


def _after(view: View, content: str, read: int) -> int:
    position = log.position_of(view.model.connection, content)
    if position is None:
        raise ProblemError(
            Word.CURSOR_EXPIRED,
            "The changes since then are no longer kept.",
            field="since",
            hint="List the servers once more, and follow the token of an answer without since.",
        )
    return position + read


def _answer(
    call: Call, served: Served, view: View, changes: list[log.Change], token: str, *, more: bool
) -> Answer:
    shown = [msgspec.structs.asdict(change) for change in changes]
    body = {"changes": shown, "since": token, "more": more}
    headers = (PLAIN_JSON, cache_control(call, served), _snapshot(view))
    return Answer(200, headers, encode(body))


def _snapshot(view: View) -> tuple[bytes, bytes]:
    return (b"x-snapshot", view.generation.digest.encode())
