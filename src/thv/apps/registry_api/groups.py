"""R7 and R8: the groups of a registry.

In the flow: as `servers`.
"""

from __future__ import annotations

from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api.pages import (
    answer,
    content_type,
    form_of,
)
from thv.apps.registry_api.served import Served
from thv.apps.registry_api.servers import place_of
from thv.domain.canonical import JsonObject
from thv.stores.models import groups
from thv.stores.models.groups import Group
from thv.stores.models.query import Form
from thv.stores.models.view import View


def list_groups(call: Call) -> Answer:
    """R7: the groups of a registry."""
    served, form = place_of(call), form_of(call)
    view = served.view()

    def make() -> tuple[Header, bytes]:
        found = groups.groups(view)
        count = len(found)
        metadata = {"total_count": count, "filtered_count": count, "count": count}
        body = {"groups": [described(each, form) for each in found], "metadata": metadata}
        return content_type(form), encode(body)

    return answer(call, served, view, make, form)


def described(group: Group, form: Form) -> JsonObject:
    """A group in a list."""

    def named(*, remote: bool) -> list[str]:
        members = [member for member in group.members if member.remote is remote]
        return [m.key if form is Form.TOOLHIVE else m.name for m in members]

    return {
        "name": group.name,
        "description": group.description,
        "servers": named(remote=False),
        "remote_servers": named(remote=True),
        "server_count": len(group.members),
    }


def read_group(call: Call) -> Answer:
    """R8: one group with its servers in full."""
    served, form = place_of(call), form_of(call)
    view = served.view()

    def make() -> tuple[Header, bytes]:
        found = groups.group(view, call.names["group"])
        if found is None:
            raise ProblemError(
                Word.GROUP_NOT_FOUND,
                "There is no such group.",
                field="group",
                value=call.names["group"],
            )
        return content_type(form), _whole_group(served, view, found, form)

    return answer(call, served, view, make, form)


def _whole_group(served: Served, view: View, group: Group, form: Form) -> bytes:
    head = encode(
        {
            "name": group.name,
            "description": group.description,
            "server_count": len(group.members),
        }
    )
    parts = [head[:-1]]
    for key, remote in ((b"servers", False), (b"remote_servers", True)):
        plan = groups.plan(group, form, remote=remote)
        bodies = served.seal(view).on(form, view.model.read(plan)) if plan.count else b""
        parts.append(b',"%s":[%s]' % (key, bodies))
    return b"".join((*parts, b"}"))
