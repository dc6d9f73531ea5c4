"""Who is let in by a pod: what it answers is what the live cluster allows, to the row."""

from __future__ import annotations

import base64
import itertools
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.apps.registry_api.cluster import Pod, Team, rule
from tests.apps.registry_api.places import a_world
from tests.apps.registry_api.pods import LIST, a_pod, a_team
from tests.contracts.cluster import a_namespace
from tests.control_plane.plane import ControlPlane
from thv.apps.kit.authorization import KNOWN_FOR
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.registry_api.door import registry_rows
from thv.domain.access import Caller
from thv.domain.canonical import JsonObject
from thv.domain.permissions import LIST_SERVERS, READ
from thv.domain.resources import GROUP, OLD_GROUP
from thv.domain.roles import PEOPLE_ROLES
from thv.formats.roles import cluster_role
from thv.formats.tokens import ROLES, Given

pytestmark = pytest.mark.anyio
REVOKED_WITHIN = 10.0
VALUES = {
    "name": "com.example%2Fplain", "serverName": "com.example%2Fplain", "version": "latest", "group": "tools",
    "tool": "scan",
}  # fmt: skip


class Account(NamedTuple):
    """A ServiceAccount, and what it may do in its own namespace and in the other one."""

    name: str
    own: tuple[JsonObject, ...] = ()
    other: tuple[JsonObject, ...] = ()


def registries(*verbs: str, names: tuple[str, ...] = ()) -> JsonObject:
    return rule(GROUP, "mcpregistries", *verbs, names=names)


EVERYTHING = rule("*", "*", "*")
ACCOUNTS = (
    Account("nobody"),
    Account("reader-of-one", own=(registries("get", names=("corp",)),)),
    Account("reader-of-all", own=(registries("get"),)),
    Account("reader-of-servers", own=(registries("get"), rule(OLD_GROUP, "mcpservers", "list"))),
    Account("reader-of-another", own=(registries("get", names=("other",)),)),
    Account("lister", own=(registries("list", "watch"),)),
    Account("writer", own=(registries("create", "update", "patch", "delete"),)),
    Account("of-the-old-group", own=(rule(OLD_GROUP, "mcpregistries", "get"),)),
    Account("of-the-status", own=(rule(GROUP, "mcpregistries/status", "get"),)),
    Account("guest", other=(registries("get"),)),
    Account("owner", own=(EVERYTHING,)),
    Account("owner-there", other=(EVERYTHING,)),
    *(Account(role.name, own=tuple(cluster_role(role)["rules"])) for role in PEOPLE_ROLES),
)


@pytest.fixture
async def team(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Team]:
    async with a_team(control_plane, namespace) as made:
        yield made


@pytest.fixture
async def other(control_plane: ControlPlane) -> AsyncIterator[Team]:
    with a_namespace(control_plane) as name:
        async with a_team(control_plane, name) as made:
            yield made


@pytest.mark.requirement("API-05")
async def test_every_endpoint_answers_exactly_whom_the_cluster_lets_have_what_it_needs(
    team: Team, other: Team, tmp_path: Path
) -> None:
    teams = (team, other)
    for each in teams:
        each.register()
        await each.publish(a_world())
    for account in ACCOUNTS:
        team.account(account.name)
        team.allow(account.name, *account.own)
        other.allow(account.name, *account.other, whose=team.namespace)
    began = time.monotonic()
    with ExitStack() as stack:
        pods = [stack.enter_context(a_pod(each, tmp_path / each.namespace)) for each in teams]
        for pod in pods:
            pod.until_ready()
        mismatches = list(mismatching(team, teams, pods))
        reviews = [token_reviews(pod) for pod in pods]
    assert not mismatches
    # Each account has one token a pod, which no pod has reviewed twice within ten seconds.
    tens = math.floor((time.monotonic() - began) / KNOWN_FOR) + 1
    assert all(len(ACCOUNTS) <= count <= len(ACCOUNTS) * tens for count in reviews), (reviews, tens)


def token_reviews(pod: Pod) -> int:
    """How often a pod has asked the API server whose a token is."""
    wanted = 'thv_authorizer_duration_seconds_count{kind="tokenreview"} '
    text = pod.get("/metrics", port=pod.operations).body.decode()
    return int(text.partition(wanted)[2].split()[0])


def mismatching(owner: Team, teams: tuple[Team, ...], pods: list[Pod]) -> Iterator[str]:
    """Every answer that is not what `kubectl auth can-i` says."""
    asked = 0
    for account, (team, pod) in itertools.product(ACCOUNTS, zip(teams, pods, strict=True)):
        may = can_i(owner, account.name, team.namespace)
        lists = may and lists_servers(owner, account.name, team.namespace)
        if account.name in ROLES and may != may_elsewhere(account.name, owner, team):
            yield f"{account.name} at {team.namespace}: one machine says otherwise than {may}"
        token = owner.token(account.name, f"corp-api.{team.namespace}.svc")
        for endpoint in guarded():
            asked += 1
            reply = pod.get(path_of(endpoint), token)
            is_let = lists if LIST_SERVERS in endpoint.needs else may
            code = "" if is_let else "NAMESPACE_ACCESS_DENIED"
            if (reply.status, reply.code) != (200 if is_let else 403, code):
                place = f"{account.name} at {team.namespace}: {endpoint.id}"
                yield f"{place}: {is_let}, but {reply.status} {reply.body[:200]!r}"
    assert asked > len(ACCOUNTS) * 2 * 15


def may_elsewhere(role: str, owner: Team, team: Team) -> bool:
    """What one machine says of whoever holds the role in the namespace of `owner`."""
    grant = Given(role=role, namespace=owner.namespace).grant
    return Caller(name=role, grants=(grant,)).may(READ.on(team.namespace, "corp"))


def can_i(team: Team, account: str, namespace: str) -> bool:
    caller = f"system:serviceaccount:{team.namespace}:{account}"
    asked = ("auth", "can-i", "get", f"mcpregistries.{GROUP}/corp", "-n", namespace)
    return team.plane.kubectl(*asked, "--as", caller).stdout.strip() == "yes"


def lists_servers(team: Team, account: str, namespace: str) -> bool:
    """In either group, which are one list; kubectl cannot ask about a kind that is not there."""
    return any(_lists(team, account, namespace, group) for group in (GROUP, OLD_GROUP))


def _lists(team: Team, account: str, namespace: str, group: str) -> bool:
    wanted = {"verb": "list", "group": group, "resource": "mcpservers", "namespace": namespace}
    user = f"system:serviceaccount:{team.namespace}:{account}"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": wanted},
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(team.plane.request("POST", path, review)["status"]["allowed"])


def guarded() -> list[Endpoint]:
    """Everything below the base of a registry that needs a right."""
    return [row for row in registry_rows(lambda: 0.0) if row.method == "GET" and not row.public]


def path_of(endpoint: Endpoint) -> str:
    path = endpoint.template
    for name, value in VALUES.items():
        path = path.replace(f"{{{name}}}", value)
    return f"{path}?base=2.0.0%2Bbuild.1" if endpoint.id == "R5" else path


# ---------------------------------------------------------------- tokens


async def test_every_bad_credential_is_refused_alike(team: Team, tmp_path: Path) -> None:
    team.register()
    await team.publish(a_world())
    good = team.reader("alice")
    ended = team.reader("bob")
    team.plane.request("DELETE", f"/api/v1/namespaces/{team.namespace}/serviceaccounts/bob")
    head, payload, signature = good.split(".")
    forged = base64.urlsafe_b64encode(b'{"exp":9999999999,"sub":"system:admin"}').decode()
    bad = {
        "garbage": "Bearer garbage",
        "of the cluster": f"Bearer {team.plane.token(team.namespace, 'alice')}",
        "of another registry": f"Bearer {team.token('alice', f'other-api.{team.namespace}.svc')}",
        "of another namespace": f"Bearer {team.token('alice', 'corp-api.elsewhere.svc')}",
        "of an account that is gone": f"Bearer {ended}",
        "forged": f"Bearer {head}.{forged.rstrip('=')}.{signature}",
        "cut": f"Bearer {head}.{payload}.",
        "basic": "Basic YWxpY2U6c2VjcmV0",
        "bare": good,
        "twice": f"Bearer {good}, Bearer {good}",
    }
    audience = f"corp-api.{team.namespace}.svc"
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
        assert pod.get(LIST, good).status == 200
        bodies = set()
        for name, header in bad.items():
            reply = pod.get(LIST, Authorization=header, X_Request_Id="same")
            assert (reply.status, reply.code) == (401, "INVALID_TOKEN"), name
            challenge = reply.headers["www-authenticate"]
            assert challenge == f'Bearer realm="{audience}", error="invalid_token"', name
            bodies.add(reply.body)
        assert len(bodies) == 1
        assert f"kubectl create token SERVICEACCOUNT -n {team.namespace} --audience {audience}" in (
            bodies.pop().decode()
        )
        bare: tuple[tuple[str, dict[str, Any]], ...] = (
            (LIST, {}),
            (f"{LIST}?access_token={good}", {}),
            (LIST, {"Cookie": f"token={good}; __Host-thv_session={good}"}),
            (LIST, {"X_Remote_User": "alice", "X_Remote_Group": "system:masters"}),
            ("/v0.1/servers", {}),
        )
        for path, headers in bare:
            reply = pod.get(path, **headers)
            assert (reply.status, reply.code) == (401, "UNAUTHENTICATED"), (path, headers)
            assert reply.headers["www-authenticate"] == f'Bearer realm="{audience}"'


async def test_the_command_of_the_refusal_makes_a_token_that_opens(
    team: Team, tmp_path: Path
) -> None:
    team.register()
    await team.publish(a_world())
    team.reader("alice")
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
        hint = pod.get(LIST, "garbage").json["error"]["details"]["hint"]
        words = hint.replace("SERVICEACCOUNT", "alice").split()
        assert words[0] == "kubectl"
        token = team.plane.kubectl(*words[1:]).stdout.strip()
        assert pod.get(LIST, token).status == 200


async def test_a_token_of_the_cluster_opens_by_setting_alone(team: Team, tmp_path: Path) -> None:
    team.register()
    await team.publish(a_world())
    team.reader("alice")
    token = team.plane.token(team.namespace, "alice")
    with a_pod(team, tmp_path, THV_ACCEPT_CLUSTER_AUDIENCE="true") as pod:
        pod.until_ready()
        assert pod.get(LIST, token).status == 200
        assert pod.get(LIST, team.token("alice")).status == 200
        assert pod.get(LIST, team.token("alice", "elsewhere")).code == "INVALID_TOKEN"


async def test_a_caller_is_told_who_it_is(team: Team, tmp_path: Path) -> None:
    team.register()
    await team.publish(a_world())
    reader = team.reader("alice", "corp")
    team.account("bob")
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
        me = pod.get("/api/v1/me", reader).json
        assert me["user"] == f"system:serviceaccount:{team.namespace}:alice"
        assert "system:serviceaccounts" in me["groups"]
        assert me["method"] == "kubernetes"
        assert [space["name"] for space in me["namespaces"]] == [team.namespace]
        assert "get" in me["namespaces"][0]["verbs"]
        assert "delete" not in me["namespaces"][0]["verbs"]
        assert pod.get("/api/v1/me", team.token("bob")).json["namespaces"] == []
        assert pod.get("/api/v1/me").code == "UNAUTHENTICATED"
        assert pod.get("/api/v1/me", "garbage").code == "INVALID_TOKEN"
        can_i = "/api/v1/me/can-i?verb=get&resource=secrets"
        assert pod.get(can_i, reader).status == 404  # a cluster has its own


async def test_health_tells_details_to_readers_alone(team: Team, tmp_path: Path) -> None:
    team.register()
    await team.publish(a_world())
    reader = team.reader("alice")
    team.account("bob")
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
        for token in ("", "garbage", team.token("bob")):
            assert pod.get("/api/v1/health", token).json == {"status": "ok"}
        assert pod.get("/api/v1/health", reader).json["registry"] == f"{team.namespace}/corp"


# ---------------------------------------------------------------- changes of rights


async def test_a_revoked_binding_is_refused_within_ten_seconds_and_a_new_one_is_taken(
    team: Team, tmp_path: Path
) -> None:
    team.register()
    await team.publish(a_world())
    token = team.reader("alice")
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
        assert pod.get(LIST, token).status == 200
        team.forbid("alice")
        began = time.monotonic()
        pod.until("the refusal", lambda: pod.get(LIST, token).status == 403, REVOKED_WITHIN)
        assert time.monotonic() - began < REVOKED_WITHIN
        team.bind("alice")
        pod.until("the right", lambda: pod.get(LIST, token).status == 200, REVOKED_WITHIN)


async def test_a_pod_that_may_not_ask_lets_nobody_in(team: Team, tmp_path: Path) -> None:
    team.register()
    await team.publish(a_world())
    token = team.reader("alice")
    team.forbid_reviews("corp-api")
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
        pod.until("the refusal", lambda: pod.get(LIST, token).status == 503)
        reply = pod.get(LIST, token)
        assert reply.code == "AUTHORIZER_UNAVAILABLE"
        assert int(reply.headers["retry-after"]) >= 1
        assert pod.get(LIST).code == "UNAUTHENTICATED"
        assert 'cannot create resource "tokenreviews"' in pod.log.read_text()


async def test_a_registry_that_becomes_open_or_closed_is_so_at_once(
    team: Team, tmp_path: Path
) -> None:
    team.register()
    await team.publish(a_world())
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
        assert pod.get(LIST).status == 401
        await team.set_api("corp", anonymousRead=True)
        pod.until("an open door", lambda: pod.get(LIST).status == 200)
        assert {pod.get(LIST, "garbage").status, pod.get(LIST, Authorization="Basic x").status} == {
            200
        }
        await team.set_api("corp", anonymousRead=False)
        pod.until("a closed door", lambda: pod.get(LIST).status == 401)
