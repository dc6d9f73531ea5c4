"""The Kubernetes kind of the store against servers that refuse, stall, cut and forget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from tests.clients.kube.server import (
    Request,
    Script,
    Server,
    Wire,
    added,
    bookmark,
    serving,
    status,
)
from thv.clients.kube.config import Access, connect
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, InvalidError, Next, ThvError
from thv.domain.resources import CLUSTER_ROLE_BINDING, CONFIG_MAP, DEPLOYMENT, MCP_REGISTRY, Kind
from thv.stores.resources.base import EventType, WatchEvent
from thv.stores.resources.kubernetes import PAGE, PAGE_BYTES, KubernetesStore
from thv.stores.resources.kubernetes_paths import collection, resource
from thv.stores.resources.kubernetes_watch import Patience

pytestmark = [pytest.mark.anyio, pytest.mark.flows]

QUICK = Patience(first=0.001, longest=0.004, away=0.2, idle=5.0)


@asynccontextmanager
async def against(
    script: Script, patience: Patience = QUICK
) -> AsyncIterator[tuple[KubernetesStore, Server]]:
    async with serving(script) as server:
        client = connect(Access(cluster={"server": server.url}, user={}), {})
        store = KubernetesStore(client, patience=patience)
        try:
            yield store, server
        finally:
            await store.close()


def a_map(name: str = "servers", **metadata: str) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "team", **metadata},
    }


# ---------------------------------------------------------------- where things are


@pytest.mark.parametrize(
    ("kind", "namespace", "path"),
    [
        (CONFIG_MAP, "team", "/api/v1/namespaces/team/configmaps/x"),
        (CONFIG_MAP, "", "/api/v1/namespaces/default/configmaps/x"),
        (
            MCP_REGISTRY,
            "team",
            "/apis/toolhive.stacklok.io/v1alpha1/namespaces/team/mcpregistries/x",
        ),
        (DEPLOYMENT, "team", "/apis/apps/v1/namespaces/team/deployments/x"),
        (
            CLUSTER_ROLE_BINDING,
            "",
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/x",
        ),
    ],
)
async def test_an_object_has_its_path(kind: Kind, namespace: str, path: str) -> None:
    assert resource(kind, namespace, "x") == path


async def test_all_namespaces_have_one_path() -> None:
    assert collection(CONFIG_MAP, None) == "/api/v1/configmaps"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../secrets/a", "a%2fb"])
async def test_a_name_that_leads_elsewhere_is_never_sent(name: str) -> None:
    async with against(_fine) as (store, server):
        with pytest.raises(InvalidError):
            await store.get(CONFIG_MAP, "team", name)
        with pytest.raises(InvalidError):
            await store.delete(CONFIG_MAP, name or "..", "servers")
    assert server.asked == []


async def _fine(_: Request, wire: Wire) -> None:
    await wire.say(200, a_map(resourceVersion="7"))


# ---------------------------------------------------------------- refusals

FORBIDDEN = (
    'configmaps "servers" is forbidden: User "jane" cannot get resource "configmaps" '
    'in API group "" in the namespace "team"'
)
QUOTA = (
    'configmaps "servers" is forbidden: exceeded quota: few-maps, requested: count/configmaps=1, '
    "used: count/configmaps=5, limited: count/configmaps=5"
)
DENIED = (
    "configmaps \"servers\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' "
    "denied request: labels are kept by the operator"
)
UNKNOWN = (
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
    'unknown field "bogus", unknown field "metadata.what"'
)


@pytest.mark.parametrize(
    ("code", "said", "ours", "message"),
    [
        (
            404,
            status(404, "NotFound", 'configmaps "servers" not found', name="servers"),
            Code.NOT_FOUND,
            'configmap "servers" not found in namespace "team"',
        ),
        (
            404,
            status(404, "NotFound", 'namespaces "team" not found', name="team", kind="namespaces"),
            Code.NOT_FOUND,
            'namespace "team" not found',
        ),
        (404, b"404 page not found", Code.NOT_FOUND, "the cluster knows no kind ConfigMap of v1"),
        (403, status(403, "Forbidden", FORBIDDEN), Code.FORBIDDEN, FORBIDDEN),
        (
            403,
            status(403, "Forbidden", QUOTA),
            Code.STORE_FULL,
            'configmap "servers" exceeds the ResourceQuota "few-maps" of namespace "team" (few-maps,',
        ),
        (
            422,
            status(422, "Invalid", DENIED, causes=[{"message": DENIED}]),
            Code.INVALID,
            'configmap "servers" is refused by a policy: labels are kept by the operator',
        ),
        (
            403,
            status(403, "Forbidden", DENIED),
            Code.FORBIDDEN,
            'configmap "servers" is refused by a policy: labels are kept by the operator',
        ),
        (
            400,
            status(400, "BadRequest", UNKNOWN),
            Code.INVALID,
            'bogus: unknown field "bogus"; metadata.what: unknown field "metadata.what"',
        ),
        (
            401,
            status(401, "Unauthorized", "Unauthorized"),
            Code.STORE_UNAVAILABLE,
            "the API server does not accept our credentials: Unauthorized",
        ),
        (
            409,
            status(409, "Conflict", "the object has been modified", name="servers"),
            Code.CONFLICT,
            'configmap "servers" has changed: the object has been modified',
        ),
        (
            413,
            status(413, "RequestEntityTooLarge", "limit is 3145728"),
            Code.SIZE_LIMIT_EXCEEDED,
            'configmap "servers" is larger than the cluster stores: limit is 3145728',
        ),
        (
            500,
            status(500, "", "etcdserver: request is too large"),
            Code.SIZE_LIMIT_EXCEEDED,
            'configmap "servers" is larger than the cluster stores: etcdserver: request is too large',
        ),
        (
            500,
            status(500, "InternalError", "etcdserver: leader changed"),
            Code.STORE_UNAVAILABLE,
            "the API server cannot answer now (500): etcdserver: leader changed",
        ),
        (504, b"gateway timeout", Code.STORE_UNAVAILABLE, "cannot answer now (504)"),
        (405, status(405, "MethodNotAllowed", "not supported"), Code.INVALID, "not supported"),
        (200, b"<html>", Code.STORE_UNAVAILABLE, "the answer is no JSON object: <html>"),
    ],
)
async def test_a_refusal_reads_as_of_any_store(
    code: int, said: object, ours: Code, message: str
) -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.say(code, said)

    async with against(script) as (store, _):
        with pytest.raises(ThvError) as error:
            await store.get(CONFIG_MAP, "team", "servers")
    assert error.value.code is ours
    assert message in error.value.message


async def test_a_busy_server_says_when_to_come_again() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.say(429, status(429, "TooManyRequests", "busy"), {"Retry-After": "40"})

    async with against(script) as (store, _):
        with pytest.raises(ThvError, match="busy") as error:
            await store.create(a_map(), manager="test")
    assert error.value.code is Code.STORE_UNAVAILABLE
    assert (error.value.next, error.value.retry_after) == (Next.WAIT, 40.0)


async def test_a_server_that_is_away_is_told_with_its_address() -> None:
    async with serving(_fine) as server:
        pass
    client = connect(Access(cluster={"server": server.url}, user={}), {})
    store = KubernetesStore(client)
    with pytest.raises(ThvError, match=f"no connection to {server.url}") as error:
        await store.get(CONFIG_MAP, "team", "servers")
    assert (error.value.code, error.value.next) == (Code.STORE_UNAVAILABLE, Next.BACKOFF)
    await store.close()


# ---------------------------------------------------------------- lists


async def test_everything_comes_in_pages() -> None:
    async def script(request: Request, wire: Wire) -> None:
        at = int(request.query.get("continue", "0"))
        metadata = {"resourceVersion": "9", "continue": str(at + 1) if at < 2 else ""}
        items = [{"metadata": {"name": f"m-{at}-{n}"}} for n in range(2)]
        await wire.say(200, {"kind": "ConfigMapList", "metadata": metadata, "items": items})

    async with against(script) as (store, server):
        listed = await store.list(CONFIG_MAP, "team", selector="a=b")
    assert [item["metadata"]["name"] for item in listed.items] == [
        f"m-{at}-{n}" for at in range(3) for n in range(2)
    ]
    assert listed.items[0]["kind"] == "ConfigMap"
    assert listed.items[0]["apiVersion"] == "v1"
    assert (listed.resource_version, listed.continue_) == ("9", "")
    assert {asked.query["limit"] for asked in server.asked} == {str(PAGE)}
    assert {asked.query["labelSelector"] for asked in server.asked} == {"a=b"}


async def test_large_objects_come_some_at_a_time() -> None:
    """Whoever may write one ConfigMap in some namespace decides how large an answer about all of them is."""
    large, count, answers = "x" * (PAGE_BYTES // 5), 40, list[int]()

    async def script(request: Request, wire: Wire) -> None:
        at, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
        answers.append(min(limit, count - at))
        items = [
            {"metadata": {"name": f"m-{n}", "labels": {"x": large if n > 5 else "x"}}}
            for n in range(at, min(at + limit, count))
        ]
        rest = str(at + limit) if at + limit < count else ""
        metadata = {"resourceVersion": "9", "continue": rest}
        await wire.say(200, {"kind": "ConfigMapList", "metadata": metadata, "items": items})

    async with against(script) as (store, _):
        listed = await store.list(CONFIG_MAP, None, partial=True)
    assert [item["metadata"]["name"] for item in listed.items] == [f"m-{n}" for n in range(count)]
    assert len(answers) < count


async def test_one_object_comes_however_large_it_is() -> None:
    huge = {"metadata": {"name": "huge", "labels": {"x": "x" * (PAGE_BYTES * 2)}}}

    async def script(_: Request, wire: Wire) -> None:
        await wire.say(200, {"metadata": {"resourceVersion": "9"}, "items": [huge]})

    async with against(script) as (store, _):
        (item,) = (await store.list(CONFIG_MAP, "team")).items
    assert item["metadata"]["name"] == "huge"


async def test_a_list_that_is_too_old_is_expired() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.say(410, status(410, "Expired", "The provided continue parameter is too old"))

    async with against(script) as (store, _):
        with pytest.raises(ThvError) as error:
            await store.list(CONFIG_MAP, "team", limit=1, continue_="old")
    assert error.value.code is Code.EXPIRED


async def test_metadata_alone_is_asked_for_and_keeps_its_kind() -> None:
    async def script(request: Request, wire: Wire) -> None:
        if "watch" not in request.query:
            items = [{"metadata": {"name": "a"}}]
            await wire.say(200, {"metadata": {"resourceVersion": "9"}, "items": items})
            return
        told = added("b", "10")
        told["object"] |= {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        await wire.open()
        await wire.tell(told)
        await wire.end()

    async with against(script) as (store, server):
        (item,) = (await store.list(CONFIG_MAP, "team", name="a,b", partial=True)).items
        (event,) = await told(store, 1, partial=True)
    assert (item["apiVersion"], item["kind"]) == ("v1", "ConfigMap")
    assert (event.object["apiVersion"], event.object["kind"]) == ("v1", "ConfigMap")
    assert [asked.headers["accept"] for asked in server.asked[:2]] == [
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    ]
    assert server.asked[0].query["fieldSelector"] == r"metadata.name=a\,b"


# ---------------------------------------------------------------- writes


async def test_an_object_without_version_replaces_what_another_just_wrote() -> None:
    version = 3

    async def script(request: Request, wire: Wire) -> None:
        nonlocal version
        if request.method == "GET":
            await wire.say(200, a_map(resourceVersion=str(version)))
        elif version < 5:
            version += 1
            await wire.say(409, status(409, "Conflict", "modified"))
        else:
            await wire.say(200, request.json)

    async with against(script) as (store, server):
        replaced = await store.replace(a_map(), manager="test")
    assert replaced["metadata"]["resourceVersion"] == "5"
    assert [asked.method for asked in server.asked] == ["GET", "PUT"] * 3


async def test_a_deletion_names_what_it_means() -> None:
    async with against(_fine) as (store, server):
        await store.delete(CONFIG_MAP, "team", "servers", uid="u", resource_version="7")
        await store.delete(CONFIG_MAP, "team", "servers")
    assert [asked.json for asked in server.asked] == [
        {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": preconditions,
        }
        for preconditions in ({"uid": "u", "resourceVersion": "7"}, {})
    ]


# ---------------------------------------------------------------- watches that last


async def told(
    store: KubernetesStore, count: int, *, since: str = "5", partial: bool = False
) -> list[WatchEvent]:
    """The next events."""
    events: list[WatchEvent] = []
    watch = store.watch(CONFIG_MAP, "team", since=since, partial=partial)
    async with aclosing(watch) as coming, asyncio.timeout(10):
        async for event in coming:
            events.append(event)
            if len(events) == count:
                break
    return events


def by_turns(*turns: Script) -> Script:
    """The next of these for each connection or request; the last one for ever."""
    left = list(turns)

    async def script(request: Request, wire: Wire) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(request, wire)

    return script


def telling(*events: object, then: str = "end") -> Script:
    async def script(_: Request, wire: Wire) -> None:
        await wire.open()
        await wire.tell(*events)
        await (wire.stall() if then == "stall" else wire.end())
        if then == "reset":
            wire.reset()

    return script


async def _reset(_: Request, wire: Wire) -> None:
    wire.reset()


async def _half(_: Request, wire: Wire) -> None:
    await wire.open()
    await wire.piece(b'{"type":"ADDED","object":{"metadata":{"na')
    wire.reset()


def refusing(code: int, reason: str = "", **headers: str) -> Script:
    async def script(_: Request, wire: Wire) -> None:
        await wire.say(code, status(code, reason, "no"), headers)

    return script


@pytest.mark.parametrize(
    "turn",
    [
        telling(),
        _reset,
        _half,
        refusing(500, "InternalError"),
        refusing(503),
        refusing(429, "TooManyRequests", **{"Retry-After": "0"}),
        telling({"type": "ERROR", "object": status(500, "InternalError", "leader changed")}),
    ],
)
async def test_a_watch_goes_on_where_it_was(turn: Script) -> None:
    script = by_turns(
        telling(added("a", "6"), bookmark("8")), turn, turn, telling(added("b", "9"), then="stall")
    )
    async with against(script) as (store, server):
        events = await told(store, 3)
    assert [event.type for event in events] == [
        EventType.ADDED,
        EventType.BOOKMARK,
        EventType.ADDED,
    ]
    versions = [asked.query["resourceVersion"] for asked in server.asked]
    assert versions[0] == "5"
    assert set(versions[1:]) == {"8"}
    assert {asked.query["allowWatchBookmarks"] for asked in server.asked} == {"true"}


async def test_a_dead_connection_is_replaced() -> None:
    script = by_turns(telling(added("a", "6"), then="stall"), telling(added("b", "7")))
    async with against(script, Patience(first=0.001, idle=0.1)) as (store, server):
        events = await told(store, 2)
    assert [event.resource_version for event in events] == ["6", "7"]
    assert len(server.asked) == 2


async def failure(script: Script, patience: Patience = QUICK) -> tuple[ThvError, int]:
    """How a watch fails, and after how many requests."""
    async with against(script, patience) as (store, server):
        with pytest.raises(ThvError) as error:
            await told(store, 10)
        return error.value, len(server.asked)


@pytest.mark.parametrize(
    "turn",
    [
        refusing(410, "Expired"),
        telling({"type": "ERROR", "object": status(410, "Expired", "too old resource version")}),
    ],
)
async def test_a_version_that_is_too_old_is_the_callers(turn: Script) -> None:
    error, requests = await failure(by_turns(telling(added("a", "6")), turn))
    assert (error.code, requests) == (Code.EXPIRED, 2)


@pytest.mark.parametrize(
    ("turn", "code"),
    [
        (refusing(403, "Forbidden"), Code.FORBIDDEN),
        (refusing(404), Code.NOT_FOUND),
        (refusing(400, "BadRequest"), Code.INVALID),
        (telling({"kind": "no event"}), Code.STORE_UNAVAILABLE),
        (telling({"type": "NEWS", "object": {}}), Code.STORE_UNAVAILABLE),
    ],
)
async def test_a_refusal_is_told_at_once(turn: Script, code: Code) -> None:
    error, requests = await failure(turn)
    assert (error.code, requests) == (code, 1)


async def test_a_server_that_stays_away_is_told() -> None:
    error, requests = await failure(_reset)
    assert error.code is Code.STORE_UNAVAILABLE
    assert requests > 5


async def test_a_quiet_hour_is_no_absence() -> None:
    script = by_turns(*[telling(then="stall")] * 8, telling(added("a", "6")))
    async with against(script, Patience(first=0.001, idle=0.1, away=0.3)) as (store, server):
        await told(store, 1)
    assert len(server.asked) == 9


async def test_watches_that_end_at_once_are_not_asked_for_at_once() -> None:
    patience = Patience(first=0.01, longest=0.04)
    async with against(telling(), patience) as (store, server):
        watch = store.watch(CONFIG_MAP, "team", since="5")
        async with aclosing(watch) as coming:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.4):
                    await anext(coming)
    assert 5 < len(server.asked) < 30


@pytest.mark.parametrize("turn", [telling(then="stall"), telling(), refusing(503)])
async def test_a_closed_store_ends_its_watches(turn: Script) -> None:
    async with against(turn, Patience(first=30.0, longest=30.0)) as (store, server):
        watch = store.watch(CONFIG_MAP, "team", since="5")
        coming = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0.1)  # by now it waits for an event, or for its next turn
        assert server.asked
        await store.close()
        with pytest.raises(ThvError) as error:
            await coming
    assert error.value.code is Code.STORE_UNAVAILABLE
