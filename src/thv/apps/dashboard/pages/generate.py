"""`/generate`: a registry of the servers that were put aside.

In the flow: the form is what the API's export says of each server; what it comes to is what the API renders, and what it
makes is what the API creates with the rights of whoever is signed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.desk import (
    Desk,
    cookie,
    cookies_of,
    is_secure,
    on_port,
    see_other,
)
from thv.apps.dashboard.forms import Form, first
from thv.apps.dashboard.places import own_path
from thv.apps.dashboard.remembered import COOKIE as WISHES
from thv.apps.dashboard.remembered import recalled, remembered
from thv.apps.dashboard.rights import who
from thv.apps.dashboard.selection import (
    COOKIE,
    MOST,
    SECONDS,
    FullError,
    anchor,
    is_server,
    parts,
    written,
)
from thv.apps.dashboard.visits import Visit
from thv.apps.dashboard.wishes import (
    Errors,
    Server,
    body_of,
    errors_of,
    first_form,
    label_of,
    warnings_of,
)
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import NO_STORE, Answer, Header
from thv.apps.kit.http.problems import ProblemError, Word

WAIT = 3
"""Seconds in which a new registry may become ready before it is shown."""
_LOOKED_THROUGH = 25
"""Servers among which the one is looked for that somebody names."""
_FILES = {"yaml": "application/yaml", "zip": "application/zip"}
_NOT_YOURS = (
    Word.NAMESPACE_ACCESS_DENIED,
    Word.FORBIDDEN,
    Word.TOKEN_NOT_FORWARDABLE,
    Word.READ_ONLY,
)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a form comes to."""

    yaml: str = ""
    images: tuple[dict[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    problem: ProblemError | None = None
    """Why it comes to nothing, or could not be created."""
    refusal: ProblemError | None = None
    """Why whoever looks may not create it; None where that one may, or is not signed in."""


class Generate:
    """The selection, and what becomes of it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        row = self._desk.row
        return (
            row("/generate", self.show),
            row("/generate/add", self.add, method="POST"),
            row("/generate/remove", self.remove, method="POST"),
            row("/generate/render", self.render, method="POST"),
            row("/generate/create", self.create, method="POST"),
        )

    # ------------------------------------------------------------ the selection

    async def add(self, visit: Visit) -> Answer:
        """Puts servers aside, and goes on where one was."""
        if wanted := first(visit.form, "wanted"):
            return await self._add_wanted(visit, wanted)
        added = [each for each in visit.form.get("server", []) if is_server(each)]
        if not added:
            raise ProblemError(
                Word.INVALID_REQUEST,
                "No server was named.",
                hint="Press Select at a server of the list.",
            )
        kept, header = _with(visit, added)
        if visit.is_fragment:
            chosen = msgspec.structs.replace(visit, selection=kept)
            page = self._desk.renderer.page(chosen, "chosen.html", server=added[-1])
            return page.with_headers([header])
        return see_other(f"{own_path(first(visit.form, 'next'))}#{anchor(added[-1])}", header)

    async def _add_wanted(self, visit: Visit, wanted: str) -> Answer:
        """Puts the one server aside that is meant; where there are several, they are chosen from."""
        found = await visit.api.get("/api/v1/mcp_servers", search=wanted, limit=_LOOKED_THROUGH)
        key = meant(wanted, found["servers"])
        if not key:
            return see_other(f"/servers?{query_of({'search': wanted})}")
        _, header = _with(visit, [key])
        return see_other("/generate#add", header)

    async def remove(self, visit: Visit) -> Answer:
        """Puts servers back."""
        gone = visit.form.get("server", [])
        header = _kept(visit, tuple(each for each in visit.selection if each not in gone))
        return see_other(own_path(first(visit.form, "next") or "/generate"), header)

    # ------------------------------------------------------------ the form

    async def show(self, visit: Visit) -> Answer:
        """The form as it was left, and what it comes to."""
        if not visit.selection:
            return self._desk.renderer.page(visit, "generate_empty.html")
        servers, spaces = await asyncio.gather(
            self._servers(visit, visit.selection), _namespaces(visit)
        )
        form = recalled(_wishes(visit), _unchanged(servers, spaces), _usable(servers))
        return self._page(visit, form, servers, await self._made(visit, form, servers), spaces)

    async def render(self, visit: Visit) -> Answer:
        """What the form comes to: beside it, or as a file; a server is taken away from both on the way."""
        form, dropped = visit.form, first(visit.form, "drop")
        headers: list[Header] = []
        if dropped:
            form = {**form, "server": [key for key in form.get("server", []) if key != dropped]}
            left = tuple(key for key in visit.selection if key != dropped)
            headers = [_kept(visit, left)]
            visit = msgspec.structs.replace(visit, selection=left)
        keys = _keys(form)
        if not keys:
            return see_other("/generate", *headers)
        servers, spaces = await asyncio.gather(self._servers(visit, keys), _namespaces(visit))
        kind = first(form, "as")
        if kind in _FILES:
            try:
                file = await _file(visit, form, servers, kind)
                return file.with_headers(_noted(visit, form, servers, spaces))
            except ProblemError as problem:
                return self._page(visit, form, servers, Made(problem=problem), spaces)
        made = await self._made(visit, form, servers)
        return self._page(visit, form, servers, made, spaces).with_headers(headers)

    async def create(self, visit: Visit) -> Answer:
        """Makes the registry, and shows it."""
        form, keys = visit.form, _keys(visit.form)
        if not keys:
            return see_other("/generate")
        servers = await self._servers(visit, keys)
        try:
            created = await _post(visit, form, servers, wait=WAIT)
        except ProblemError as problem:
            _raise_unknown(problem)
            made = msgspec.structs.replace(await self._made(visit, form, servers), problem=problem)
            return self._page(visit, form, servers, made, await _namespaces(visit))
        place = path(
            "/registries/{}/{}", created["registry"]["namespace"], created["registry"]["name"]
        )
        done = f"{place}?{query_of({'done': 'made'})}"
        return see_other(done, _kept(visit, ()), *_note(visit, ""))

    def _page(
        self, visit: Visit, form: Form, servers: list[Server], made: Made, spaces: list[str]
    ) -> Answer:
        """The form with what was typed, and everything that was said of it."""
        problem = made.problem
        usable = _usable(servers)
        # While somebody looks or types, what is not right yet is no request that failed.
        is_sent = visit.request.method == "POST" and not visit.is_fragment
        errors: Errors = errors_of(problem, usable) if problem else {}
        page = self._desk.renderer.page(
            visit,
            "generate.html",
            status=problem.status if problem and is_sent else 200,
            form=form,
            servers=servers,
            usable=usable,
            made=made,
            errors=errors,
            label_of=lambda name: label_of(name, servers),
            spaces=spaces,
            filled=lambda name: first(form, name),
            is_wrong=lambda *starts: any(name.startswith(starts) for name in errors),
            has=lambda name, value: value in form.get(name, []),
        )
        is_typed = visit.request.method == "POST"
        return page.with_headers(_noted(visit, form, servers, spaces)) if is_typed else page

    async def _servers(self, visit: Visit, keys: tuple[str, ...]) -> list[Server]:
        return list(await asyncio.gather(*(_server(visit, key) for key in keys)))

    async def _made(self, visit: Visit, form: Form, servers: list[Server]) -> Made:
        """What the API renders; for whoever is signed in, also whether it would create it."""
        usable = _usable(servers)
        if not usable:
            return Made()
        try:
            place, body, query = _asked(form, usable, "/render")
            said = await visit.api.post(place, body, **query)
            yaml = await visit.api.written(place, body, _FILES["yaml"], **query)
        except ProblemError as problem:
            _raise_unknown(problem)
            return Made(problem=problem)
        made = Made(
            yaml=yaml.decode(),
            images=tuple(said["images"]),
            warnings=tuple(warnings_of(said["warnings"], usable)),
        )
        if not visit.user:
            return made
        try:
            await _post(visit, form, servers, dry_run=True)
        except ProblemError as problem:
            where = "refusal" if problem.word in _NOT_YOURS else "problem"
            return msgspec.structs.replace(made, **{where: problem})
        return made


# ---------------------------------------------------------------- what the API is asked


async def _server(visit: Visit, key: str) -> Server:
    namespace, registry, name = parts(key)
    try:
        export = await visit.api.get(
            path("/api/v1/mcp_servers/{}/export", name), registry=f"{namespace}/{registry}"
        )
    except ProblemError as problem:
        if problem.status not in (400, 403, 404, 422):
            raise
        return Server(key=key, trouble=problem.message)
    return Server(key=key, export=export)


async def _namespaces(visit: Visit) -> list[str]:
    """Those in which whoever is signed in may create registries."""
    return (await who(visit)).spaces("create") if visit.user else []


async def _post(visit: Visit, form: Form, servers: list[Server], **more: Any) -> Any:
    place, body, query = _asked(form, _usable(servers))
    return await visit.api.post(place, body, **query, **more)


async def _file(visit: Visit, form: Form, servers: list[Server], kind: str) -> Answer:
    place, body, query = _asked(form, _usable(servers), "/render")
    content = await visit.api.written(place, body, _FILES[kind], **query)
    name = f"{first(form, 'registry_name')}.{kind}"
    disposition = f'attachment; filename="{name}"'.encode()
    headers = ((b"content-type", _FILES[kind].encode()), (b"content-disposition", disposition))
    return Answer(200, (*headers, NO_STORE), content)


def _asked(
    form: Form, servers: list[Server], what: str = ""
) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Path, body and query; raises ProblemError for a form without a namespace, which no path could name."""
    namespace = first(form, "namespace")
    if not namespace:
        raise ProblemError(Word.INVALID_REQUEST, "The namespace is required.", field="namespace")
    place = path("/api/v1/registries/{}", namespace) + what
    return place, body_of(form, servers), {"image_registry": first(form, "image_registry")}


# ---------------------------------------------------------------- values


def _raise_unknown(problem: ProblemError) -> None:
    """Whoever is not known any more is asked to sign in: that is no matter of a form."""
    if problem.status == 401:
        raise problem


def _usable(servers: list[Server]) -> list[Server]:
    return [each for each in servers if not each.trouble]


def _keys(form: Form) -> tuple[str, ...]:
    """The servers of a form; raises ProblemError for more than one registry may have."""
    keys = tuple(dict.fromkeys(each for each in form.get("server", []) if is_server(each)))
    if len(keys) > MOST:
        raise ProblemError(
            Word.INVALID_REQUEST,
            f"A registry of selected servers has at most {MOST} of them; these are {len(keys)}.",
            hint="Take some away, or make two registries of them.",
        )
    return keys


def meant(wanted: str, servers: Sequence[Mapping[str, Any]]) -> str:
    """The first server that is called so, else the only one that was found, else `""`."""
    named = [each for each in servers if wanted.casefold() in _names(each)]
    if not named and len(servers) != 1:
        return ""
    server = (named or servers)[0]
    registry = server["registry_info"]
    return f"{registry['namespace']}/{registry['name']}/{server['name']}"


def _names(server: Mapping[str, Any]) -> set[str]:
    name = server["name"].casefold()
    return {name, name.rpartition("/")[2], server["display_name"].casefold()}


def _with(visit: Visit, added: list[str]) -> tuple[tuple[str, ...], Header]:
    """The selection with these servers, and what has the browser keep it; raises ProblemError for too many."""
    kept = tuple(dict.fromkeys((*visit.selection, *added)))
    try:
        return kept, _kept(visit, kept)
    except FullError as error:
        raise _full(visit) from error


def _kept(visit: Visit, selection: tuple[str, ...]) -> Header:
    """The browser keeps it; raises FullError."""
    name, seconds = on_port(visit.request, COOKIE), SECONDS if selection else 0
    return cookie(visit.request, name, written(selection), seconds=seconds)


def _unchanged(servers: list[Server], spaces: list[str]) -> Form:
    """The form as nobody changed it yet."""
    namespace = spaces[0] if spaces and "default" not in spaces else "default"
    return first_form(servers, namespace)


def _wishes_name(visit: Visit) -> str:
    """No other site below the same domain may put words into a form that somebody is about to send."""
    is_strict = is_secure(visit.request)
    return f"__Host-{WISHES}" if is_strict else on_port(visit.request, WISHES)


def _wishes(visit: Visit) -> str:
    """What the browser kept of the form."""
    return first(cookies_of(visit.request), _wishes_name(visit))


def _noted(visit: Visit, form: Form, servers: list[Server], spaces: list[str]) -> list[Header]:
    """The browser keeps what was typed."""
    return _note(visit, remembered(form, _unchanged(servers, spaces), _usable(servers)))


def _note(visit: Visit, text: str) -> list[Header]:
    if text == _wishes(visit):
        return []
    return [cookie(visit.request, _wishes_name(visit), text, seconds=SECONDS if text else 0)]


def _full(visit: Visit) -> ProblemError:
    count = len(visit.selection)
    return ProblemError(
        Word.INVALID_REQUEST,
        f"Your selection is full: no more fit beside the {count} servers in it.",
        hint="Make a registry of them first, or take some away, on the page Generate.",
    )
