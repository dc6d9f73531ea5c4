"""C12 to C14: registries of one's own, rendered or written with the caller's rights.

In the flow: a body is read, resolved among what the caller may read, and becomes manifests; those are the answer, or they
are written where the caller may write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from thv.apps.catalog_api.catalog import catalog_of
from thv.apps.catalog_api.generation_candidates import resolved
from thv.apps.catalog_api.generation_problems import told
from thv.apps.catalog_api.generation_ready import until_ready
from thv.apps.catalog_api.generation_writers import (
    Writers,
    access_of,
    require_known,
    require_writable,
)
from thv.apps.kit.authorization import Authorization, Known
from thv.apps.kit.http.body import read_value
from thv.apps.kit.http.dispatch import check_labels
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.idempotency import Idempotency
from thv.apps.kit.http.message import NO_STORE, Answer, Header, json_answer
from thv.apps.kit.http.negotiation import JSON_TYPE, YAML_TYPE
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.catalog.generate import create
from thv.catalog.generate.create import Written
from thv.catalog.generate.files import archive, documents
from thv.catalog.generate.manifests import Generation, generate
from thv.catalog.generate.request import parse_request
from thv.catalog.generate.resolve import Candidate
from thv.domain.canonical import JsonObject, canonical, digest_of
from thv.domain.errors import Code, FieldError, ThvError
from thv.domain.permissions import CHANGE_TOOL_CONFIG, MAKE_TOOL_CONFIG, READ, Permission
from thv.domain.resources import MCP_REGISTRY, name_of, namespace_of, resource_version_of, uid_of
from thv.stores.resources.base import ResourceStore

ZIP_TYPE = "application/zip"
_TYPES = (JSON_TYPE, YAML_TYPE)


class Generations:
    """Answers requests for registries of one's own."""

    def __init__(
        self,
        authorization: Authorization | None,
        writers: Writers,
        *,
        address: Callable[[str, str], str],
        clock: Callable[[], datetime],
        read_only: bool = False,
    ) -> None:
        """`address` is where the API of a registry will be, of namespace and name."""
        self._authorization = authorization
        self._writers = writers
        self._address = address
        self._clock = clock
        self._read_only = read_only
        self._idempotency = Idempotency()

    # ------------------------------------------------------------ C12

    async def render(self, call: Call) -> Answer:
        """The manifests, and nothing is written."""
        require_writable(read_only=self._read_only)
        made = await self._generation(call, await self._body(call))
        if call.offer.type == YAML_TYPE:
            return _file(documents(made.manifests).encode(), YAML_TYPE)
        if call.offer.type == ZIP_TYPE:
            name = f"{made.request.registry_name}.zip"
            disposition = f'attachment; filename="{name}"'.encode()
            return _file(archive(made), ZIP_TYPE, (b"content-disposition", disposition))
        include: Collection[str] = call.values["include"] or ("manifests", "images")
        return json_answer(self._told(made, made.registry, include))

    # ------------------------------------------------------------ C13

    async def create(self, call: Call) -> Answer:
        """The registry, made with the rights of the caller."""
        require_writable(read_only=self._read_only)
        authorization = require_known(self._authorization)
        caller = await authorization.caller(call.request, access_of(call))
        body = await self._body(call)

        async def make() -> Answer:
            return await self._create(call, caller, body)

        return await self._idempotency.once(
            call.request,
            caller=caller.identity.user,
            content=digest_of(canonical(body)),
            make=make,
        )

    async def _create(self, call: Call, caller: Known, body: JsonObject) -> Answer:
        made = await self._generation(call, body)
        await self._require(caller, made, MAKE_TOOL_CONFIG)
        dry_run = call.values["dry_run"]
        async with self._writers.store(call, caller) as store:
            with told(made.request.namespace):
                written = await create.create(store, made, self._clock(), dry_run=dry_run)
            return await self._written(call, store, made, written, status=201)

    # ------------------------------------------------------------ C14

    async def replace(self, call: Call) -> Answer:
        """The registry as the request says now."""
        require_writable(read_only=self._read_only)
        authorization = require_known(self._authorization)
        caller = await authorization.caller(call.request, access_of(call))
        body = await self._body(call)
        made = await self._generation(call, body, registry=call.names["registry"])
        await self._require(caller, made, CHANGE_TOOL_CONFIG)
        dry_run = call.values["dry_run"]
        async with self._writers.store(call, caller) as store:
            with told(made.request.namespace):
                live = await _live(store, made)
                _check_match(call, live)
                _check_generated(live)
                written = await _replaced(store, made, live, dry_run=dry_run)
            return await self._written(call, store, made, written, status=200)

    # ------------------------------------------------------------ steps

    async def _body(self, call: Call) -> JsonObject:
        check_labels(call.names)
        return await read_value(call.request, types=_TYPES)

    async def _generation(
        self, call: Call, body: JsonObject, *, registry: str | None = None
    ) -> Generation:
        namespace = call.names["namespace"]
        with told(namespace):
            request = parse_request(body, namespace)
            if registry not in (None, request.registry_name):
                raise _other_name(request.registry_name, str(registry))
            candidates = await resolved(catalog_of(call), call, request.servers)
            await self._require_readable(call, candidates)
            return generate(request, candidates, call.values["image_registry"] or "")

    async def _require_readable(self, call: Call, candidates: Sequence[Candidate]) -> None:
        """Lists show what may be listed; of what is taken over, each registry must be one that may be read."""
        if self._authorization is None or b"authorization" not in call.request.headers:
            return
        caller = await self._authorization.caller(call.request, access_of(call))
        catalog = catalog_of(call)
        for path in dict.fromkeys(each.origin.path for each in candidates):
            namespace, _, name = path.partition("/")
            is_open = catalog.at(namespace, name).registry.spec.api.anonymous_read
            if not is_open and not await self._authorization.allows(
                caller, READ.on(namespace, name)
            ):
                raise ProblemError(
                    Word.FORBIDDEN,
                    f"You may not read the registry {path}.",
                    field=str(READ),
                    value=path,
                )

    async def _require(self, caller: Known, made: Generation, permission: Permission) -> None:
        """Asked where it is known whether tools were chosen."""
        if made.tool_configs:
            authorization = require_known(self._authorization)
            await authorization.require(caller, permission.on(made.request.namespace))

    async def _written(
        self, call: Call, store: ResourceStore, made: Generation, written: Written, *, status: int
    ) -> Answer:
        registry, dry_run = written.registry, call.values["dry_run"]
        if not dry_run and call.values["wait"]:
            registry = await until_ready(catalog_of(call), store, registry, call.values["wait"])
        body = self._told(made, registry, ("manifests", "images"), written, dry_run=dry_run)
        if dry_run:
            return json_answer(body)
        tag = _tag(registry)
        path = f"/api/v1/namespaces/{namespace_of(registry)}/registries/{name_of(registry)}"
        location = [(b"location", path.encode())] if status == 201 else []
        return json_answer(body, (b"etag", tag.encode()), *location, status=status)

    def _told(
        self,
        made: Generation,
        registry: JsonObject,
        include: Collection[str],
        written: Written | None = None,
        *,
        dry_run: bool = False,
    ) -> JsonObject:
        namespace, name = made.request.namespace, made.request.registry_name
        status = registry.get("status") or {}
        warnings = (*made.warnings, *(written.warnings if written else ()))
        body: JsonObject = {
            "registry": {
                "namespace": namespace,
                "name": name,
                "phase": status.get("phase") or "Pending",
                "api_endpoint": self._address(namespace, name),
            }
        }
        if written:
            body["created"] = written.objects
        if "manifests" in include:
            body["manifests"] = made.manifests
        if "images" in include:
            body["images"] = made.images
        return {**body, "warnings": list(map(_warning, warnings)), "dry_run": dry_run}


def _warning(error: FieldError) -> dict[str, Any]:
    return {"field": error.path, "message": error.message}


def _file(content: bytes, kind: str, *headers: Header) -> Answer:
    return Answer(200, ((b"content-type", kind.encode()), NO_STORE, *headers), content)


# ---------------------------------------------------------------- replacing


def _other_name(given: str, path: str) -> ProblemError:
    message = f'must be the registry of the path, "{path}"'
    culprit = Culprit(message, "body.metadata.registry_name", given)
    return ProblemError(
        Word.INVALID_REQUEST, f"metadata.registry_name {message}.", culprits=[culprit]
    )


async def _live(store: ResourceStore, made: Generation) -> JsonObject:
    namespace, name = made.request.namespace, made.request.registry_name
    try:
        return await store.get(MCP_REGISTRY, namespace, name)
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        raise ProblemError(
            Word.REGISTRY_NOT_FOUND,
            f'There is no registry "{name}" in the namespace "{namespace}".',
            field="registry",
            value=name,
            hint=f"Make it: POST /api/v1/registries/{namespace}.",
        ) from error


def _check_match(call: Call, live: JsonObject) -> None:
    given = call.request.header(b"if-match")
    place = f"/api/v1/namespaces/{namespace_of(live)}/registries/{name_of(live)}"
    if not given:
        raise ProblemError(
            Word.PRECONDITION_REQUIRED,
            "A replacement needs If-Match: what it takes the place of.",
            field="If-Match",
            hint=f"Send the ETag of GET {place}.",
        )
    tags = {tag.strip() for tag in given.split(",")}
    if not tags & {"*", _tag(live)}:
        raise _changed(given, place)


def _check_generated(live: JsonObject) -> None:
    if not create.is_generated(live, name_of(live)):
        raise ProblemError(
            Word.RESOURCE_EXISTS,
            f'The registry "{name_of(live)}" was not generated here, and is not replaced.',
            field="registry",
            value=name_of(live),
            hint=f"Change the object itself: kubectl edit mcpregistry {name_of(live)} -n {namespace_of(live)}",
        )


async def _replaced(
    store: ResourceStore, made: Generation, live: JsonObject, *, dry_run: bool
) -> Written:
    try:
        return await create.replace(store, made, live, dry_run=dry_run)
    except ThvError as error:
        if error.code is not Code.CONFLICT:
            raise
        place = f"/api/v1/namespaces/{namespace_of(live)}/registries/{name_of(live)}"
        raise _changed(_tag(live), place) from error


def _changed(given: str, place: str) -> ProblemError:
    return ProblemError(
        Word.REVISION_CHANGED,
        "The registry is another one than If-Match names.",
        field="If-Match",
        value=given,
        hint=f"Read it again: GET {place}.",
    )


def _tag(obj: JsonObject) -> str:
    """As C11 has it."""
    return f'"{uid_of(obj)}-{resource_version_of(obj)}"'
