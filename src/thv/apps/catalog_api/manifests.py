"""C23 to C27: registries as manifests, held against the rules, written and switched with the caller's own rights.

In the flow: beside generation, for registries of any source. The catalog has no right to write: what is made or changed is
so with the caller's token, or within the roles of one machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from thv.apps.catalog_api.catalog import catalog_of
from thv.apps.catalog_api.generation_problems import told
from thv.apps.catalog_api.generation_ready import until_ready
from thv.apps.catalog_api.generation_writers import (
    Writers,
    access_of,
    require_known,
    require_reader,
    require_writable,
)
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.body import read_value
from thv.apps.kit.http.dispatch import check_labels
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.idempotency import Idempotency
from thv.apps.kit.http.message import NO_STORE, Answer, Header, json_answer
from thv.apps.kit.http.negotiation import JSON_TYPE, YAML_TYPE
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.catalog.generate.files import documents
from thv.domain.canonical import JsonObject, canonical, digest_of
from thv.domain.errors import Code, FieldError, InvalidError, ThvError
from thv.domain.patches import merge_patch
from thv.domain.pending import MANAGER
from thv.domain.resources import (
    MCP_REGISTRY,
    annotations_of,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    resource_version_of,
    uid_of,
)
from thv.domain.rules import warnings_of
from thv.domain.suspension import REASON_LIMIT, switch
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.memory import MemoryStore

TYPES = (JSON_TYPE, YAML_TYPE)
_TRIES = 8
_LISTED = 5
_QUOTED = re.compile(r'^Invalid value: (?:"(?:[^"\\]|\\.)*"|[^:]*): ')


class Manifests:
    """Answers requests for registries that are written as they are given."""

    def __init__(
        self,
        authorization: Authorization | None,
        writers: Writers,
        *,
        address: Callable[[str, str], str],
        read_only: bool = False,
    ) -> None:
        """`address` is where the API of a registry will be, of namespace and name."""
        self._authorization = authorization
        self._writers = writers
        self._address = address
        self._read_only = read_only
        self._idempotency = Idempotency()

    # ------------------------------------------------------------ C27, C23

    async def check(self, call: Call) -> Answer:
        """The manifest if schema and rules let it be, and nothing is written."""
        manifest = await manifest_of(call)
        with refused(call.names["namespace"]):
            await MemoryStore().create(manifest, manager=MANAGER, dry_run=True)
        if call.offer.type == YAML_TYPE:
            return _yaml(manifest)
        return json_answer({"manifest": manifest, "warnings": warnings_of(manifest)})

    async def create(self, call: Call) -> Answer:
        """The registry, made with the rights of the caller."""
        require_writable(read_only=self._read_only)
        authorization = require_known(self._authorization)
        caller = await authorization.caller(call.request, access_of(call))
        manifest = await manifest_of(call)
        self._writers.check_source(manifest, call.names["namespace"])

        async def make() -> Answer:
            async with self._writers.store(call, caller) as store:
                with refused(call.names["namespace"]):
                    dry_run = call.values["dry_run"]
                    made = await store.create(manifest, manager=MANAGER, dry_run=dry_run)
                return await self._made(call, store, made)

        return await self._idempotency.once(
            call.request,
            caller=caller.identity.user,
            content=digest_of(canonical(manifest)),
            make=make,
        )

    async def _made(self, call: Call, store: ResourceStore, made: JsonObject) -> Answer:
        dry_run, seconds = call.values["dry_run"], call.values["wait"]
        if seconds and not dry_run:
            made = await until_ready(catalog_of(call), store, made, seconds)
        namespace, name = namespace_of(made), name_of(made)
        body = {
            "registry": {
                "namespace": namespace,
                "name": name,
                "phase": (made.get("status") or {}).get("phase") or "Pending",
                "api_endpoint": self._address(namespace, name),
            },
            "manifest": as_given(made),
            "warnings": warnings_of(made),
            "dry_run": dry_run,
        }
        if dry_run:
            return json_answer(body)
        place = f"/api/v1/namespaces/{namespace}/registries/{name}"
        return json_answer(body, _tag(made), (b"location", place.encode()), status=201)

    # ------------------------------------------------------------ C26

    async def read(self, call: Call) -> Answer:
        """The registry as somebody would write it, for callers who are known: a source may hold what is nobody else's."""
        namespace, name = call.names["namespace"], call.names["registry"]
        await require_reader(
            self._authorization,
            call,
            refusal="shows nobody where registries come from",
            command=f"thv get mcpreg {name} -n {namespace} -o yaml",
        )
        catalog = catalog_of(call)
        found = catalog.at(namespace, name)
        manifest = as_given(await catalog.resources.get(MCP_REGISTRY, *found.owner))
        return _yaml(manifest) if call.offer.type == YAML_TYPE else json_answer(manifest)

    # ------------------------------------------------------------ C24, C25

    async def suspend(self, call: Call) -> Answer:
        """The registry is synchronized when somebody asks for it, and only then."""
        reason = await _reason(call)
        return await self._switch(call, switch(on=False, reason=reason))

    async def resume(self, call: Call) -> Answer:
        """The registry is synchronized by itself again."""
        return await self._switch(call, switch(on=True))

    async def _switch(self, call: Call, patch: JsonObject) -> Answer:
        check_labels(call.names)
        require_writable(read_only=self._read_only)
        authorization = require_known(self._authorization)
        caller = await authorization.caller(call.request, access_of(call))
        namespace, name = call.names["namespace"], call.names["registry"]
        catalog_of(call).at(namespace, name)
        async with self._writers.store(call, caller) as store:
            with refused(namespace):
                after = await _changed(store, namespace, name, patch)
        body = {
            "registry": {"namespace": namespace, "name": name},
            "suspended": after["spec"]["syncPolicy"]["enabled"] is False,
        }
        return json_answer(body, _tag(after))


async def _changed(
    store: ResourceStore, namespace: str, name: str, patch: JsonObject
) -> JsonObject:
    """The registry after the change; whoever writes it meanwhile makes us read it again.

    It is replaced, not patched: the documented roles may update and not patch.
    """
    attempt = 1
    while True:
        live = await store.get(MCP_REGISTRY, namespace, name)
        try:
            return await store.replace(merge_patch(live, patch), manager=MANAGER)
        except ThvError as error:
            if error.code is not Code.CONFLICT or attempt == _TRIES:
                raise
        attempt += 1


# ---------------------------------------------------------------- bodies


async def manifest_of(call: Call) -> JsonObject:
    """The registry of the body, in the namespace of the path; raises ProblemError for what is none."""
    check_labels(call.names)
    body = await read_value(call.request, types=TYPES)
    for field, expected in (("apiVersion", MCP_REGISTRY.api_version), ("kind", MCP_REGISTRY.kind)):
        if body.get(field, expected) != expected:
            raise _invalid([FieldError(field, f"must be {expected}", body[field])])
    metadata, namespace = metadata_of(body), call.names["namespace"]
    if metadata.get("namespace", namespace) != namespace:
        message = f'must be the namespace of the path, "{namespace}"'
        raise _invalid([FieldError("metadata.namespace", message, metadata["namespace"])])
    if not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise _invalid([FieldError("metadata.name", "is required", metadata.get("name"))])
    return {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": {"name": metadata["name"], **metadata, "namespace": namespace},
        **{key: value for key, value in body.items() if key not in _HEAD},
    }


_HEAD = ("apiVersion", "kind", "metadata", "status")


async def _reason(call: Call) -> str:
    if call.request.header(b"content-length") in ("", "0"):
        return ""
    body = await read_value(call.request)
    for key in body:
        if key != "reason":
            raise _invalid([FieldError(key, "is not a field; known is reason", body[key])])
    reason = body.get("reason", "")
    if not isinstance(reason, str) or len(reason) > REASON_LIMIT:
        message = f"must be a text of at most {REASON_LIMIT} characters"
        raise _invalid([FieldError("reason", message, reason)])
    return reason.strip()


def as_given(registry: JsonObject) -> JsonObject:
    """What somebody would apply to have this registry: nothing that a server wrote."""
    metadata: JsonObject = {"name": name_of(registry), "namespace": namespace_of(registry)}
    for key, texts in (("labels", labels_of(registry)), ("annotations", _kept(registry))):
        if texts:
            metadata[key] = texts
    return {
        "apiVersion": registry.get("apiVersion"),
        "kind": registry.get("kind"),
        "metadata": metadata,
        "spec": registry.get("spec") or {},
    }


def _kept(registry: JsonObject) -> dict[str, str]:
    """Annotations that say how the registry is wanted, not what was asked of it once, or by which command."""
    left = ("sync-requested-at", "sync-forced-at", "last-applied-configuration")
    return {key: value for key, value in annotations_of(registry).items() if not key.endswith(left)}


def _yaml(manifest: JsonObject) -> Answer:
    text = documents([manifest]).removeprefix("---\n")
    return Answer(200, ((b"content-type", YAML_TYPE.encode()), NO_STORE), text.encode())


def _tag(registry: JsonObject) -> Header:
    """As C11 has it."""
    return b"etag", f'"{uid_of(registry)}-{resource_version_of(registry)}"'.encode()


# ---------------------------------------------------------------- refusals


@contextmanager
def refused(namespace: str) -> Iterator[None]:
    """What schema, rules and rights refuse, as the answers that they are: each field of the body with its fix."""
    try:
        with told(namespace):
            yield
    except InvalidError as error:
        raise _invalid(error.errors) from error
    except ProblemError as problem:
        if problem.word is Word.RESOURCE_EXISTS:
            raise _taken(namespace) from problem
        raise


def _invalid(errors: list[FieldError]) -> ProblemError:
    culprits = [_culprit(each) for each in errors]
    shown = "; ".join(_sentence(each) for each in culprits[:_LISTED])
    more = f"; and {len(errors) - _LISTED} more" if len(errors) > _LISTED else ""
    return ProblemError(Word.INVALID_REQUEST, f"{shown}{more}.", culprits=culprits)


def _culprit(error: FieldError) -> Culprit:
    return Culprit(_QUOTED.sub("", error.message), f"body.{error.path}", error.value)


def _sentence(culprit: Culprit) -> str:
    field = culprit.location.removeprefix("body.")
    names_it = field in culprit.message
    return culprit.message.rstrip(".") if names_it else f"{field} {culprit.message.rstrip('.')}"


def _taken(namespace: str) -> ProblemError:
    return ProblemError(
        Word.REGISTRY_EXISTS,
        f"The namespace {namespace} has a registry of this name.",
        culprits=[Culprit("is taken; choose another name", "body.metadata.name")],
        hint="Choose another name, or change the registry that there is.",
    )
