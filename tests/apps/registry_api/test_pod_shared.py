"""One process behind the Services of many registries, each on the port that the operator gave to it."""

from __future__ import annotations

import gzip
import http.client
import itertools
import json
import random
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.apps.registry_api.cluster import Pod, Reply, Team, rule
from tests.apps.registry_api.pods import LIST, a_team, unreachable
from tests.control_plane.plane import ControlPlane
from tests.ports import free_ports
from tests.stores.models.world import World, an_entry
from thv.domain.resources import GROUP

pytestmark = pytest.mark.anyio
ACCOUNT = "registry-api-shared"


@pytest.fixture
async def team(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Team]:
    async with a_team(control_plane, namespace) as made:
        made.account(ACCOUNT)
        made.allow(ACCOUNT, rule(GROUP, "mcpregistries", "get", "list", "watch"))
        made.allow_reviews(ACCOUNT)
        yield made


async def share(team: Team, name: str, port: int, *, anonymous: bool = True) -> None:
    """A registry that the shared process serves at this port; its one server has the registry's name."""
    team.register(name, mode="shared", anonymousRead=anonymous)
    team.bind_also(f"{name}-api", ACCOUNT)
    await team.publish(World(an_entry(f"com.example/{name}")), name)
    await place(team, name, port)


async def place(team: Team, name: str, port: int) -> None:
    endpoint = f"http://{name}-api.{team.namespace}.svc:8080"
    await team.set_status(name, apiStatus={"endpoint": endpoint, "targetPort": port})


def a_shared_pod(team: Team, folder: Path) -> Pod:
    kubeconfig = team.plane.service_account(team.namespace, ACCOUNT)
    return Pod(kubeconfig, folder, "--namespace", team.namespace, "--shared")


def served(pod: Pod, port: int) -> list[str]:
    reply = pod.get(LIST, port=port)
    return reply.names if reply.status == 200 else [str(reply.status)]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


async def test_each_registry_answers_at_its_own_port_and_goes_with_it(
    team: Team, tmp_path: Path
) -> None:
    one, two, three, four = free_ports(4)
    await share(team, "one", one)
    await share(team, "two", two)
    team.register("own", mode="dedicated", anonymousRead=True)
    await place(team, "own", four)
    with a_shared_pod(team, tmp_path) as pod:
        pod.until_ready()
        assert (served(pod, one), served(pod, two)) == (["com.example/one"], ["com.example/two"])
        assert not listens(four)
        await share(team, "three", three)
        pod.until("the new one", lambda: served(pod, three) == ["com.example/three"])
        await team.remove("two")
        pod.until("the end of the old one", lambda: not listens(two))
        await team.set_api("three", mode="dedicated")
        pod.until("the end of the shared one", lambda: not listens(three))
        assert served(pod, one) == ["com.example/one"]
        kept = {f"{team.namespace}.one.json"}
        pod.until("one descriptor", lambda: names(tmp_path / "data" / "registries") == kept)
        pod.until("one model", lambda: len(names(tmp_path / "data" / "models")) == 1)


async def test_ports_may_change_hands(team: Team, tmp_path: Path) -> None:
    one, two = free_ports(2)
    await share(team, "a", one)
    await share(team, "b", two)
    with a_shared_pod(team, tmp_path) as pod:
        pod.until_ready()
        await place(team, "a", two)
        await place(team, "b", one)
        pod.until("the change", lambda: served(pod, one) == ["com.example/b"])
        pod.until("the change", lambda: served(pod, two) == ["com.example/a"])


async def test_a_port_that_is_taken_is_tried_again_and_hinders_nobody(
    team: Team, tmp_path: Path
) -> None:
    (free,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        await share(team, "a", port)
        await share(team, "b", free)
        with a_shared_pod(team, tmp_path) as pod:
            pod.until("the other one", lambda: served(pod, free) == ["com.example/b"])
            taken.close()
            pod.until("the port", lambda: served(pod, port) == ["com.example/a"])
            assert "cannot listen on port" in pod.log.read_text()


async def test_a_kept_connection_ends_with_its_registry(team: Team, tmp_path: Path) -> None:
    one, two = free_ports(2)
    await share(team, "one", one)
    await share(team, "two", two)
    with a_shared_pod(team, tmp_path) as pod:
        pod.until_ready()
        connection = http.client.HTTPConnection("127.0.0.1", two, timeout=5)
        connection.request("GET", LIST)
        assert connection.getresponse().read().count(b"com.example/two")
        await team.remove("two")
        pod.until("the end of it", lambda: not listens(two))
        connection.request("GET", LIST)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["connection"]) == (404, "close")
        connection.close()


async def test_a_token_for_one_registry_opens_no_other_of_the_process(
    team: Team, tmp_path: Path
) -> None:
    one, two = free_ports(2)
    await share(team, "one", one, anonymous=False)
    await share(team, "two", two, anonymous=False)
    team.reader("alice")
    token = team.token("alice", f"one-api.{team.namespace}.svc")
    with a_shared_pod(team, tmp_path) as pod:
        pod.until_ready()
        assert pod.get(LIST, token, port=one).status == 200
        assert pod.get(LIST, token, port=two).code == "INVALID_TOKEN"


@pytest.mark.requirement("API-05")
async def test_callers_at_once_see_their_own_registry_and_nothing_of_the_other(
    team: Team, tmp_path: Path
) -> None:
    """Two callers with a right to one registry each, 480 requests on eight connections, at both ports."""
    ports = dict(zip(("one", "two"), free_ports(2), strict=True))
    for name, port in ports.items():
        await share(team, name, port, anonymous=False)
        team.account(name)
        team.allow(name, rule(GROUP, "mcpregistries", "get", names=[name]))
    tokens = {
        (who, for_whom): team.token(who, f"{for_whom}-api.{team.namespace}.svc")
        for who in ports
        for for_whom in ports
    }
    paths = (LIST, "/v0.1/servers", "/api/v1/tools", "/api/v1/info", "/api/v1/me", "/openapi.json")
    with a_shared_pod(team, tmp_path) as pod:
        pod.until_ready()

        def ask(who: str, at: str, path: str, encoding: str) -> None:
            reply = pod.get(path, tokens[who, at], port=ports[at], Accept_Encoding=encoding)
            body = gzip.decompress(reply.body) if encoding_of(reply) == "gzip" else reply.body
            if path == "/api/v1/me":
                assert json.loads(body)["user"].endswith(f":{who}")
                assert bool(json.loads(body)["namespaces"]) is (who == at)
            elif path != "/openapi.json":
                assert reply.status == (200 if who == at else 403), (who, at, path)
            foreign = "two" if who == "one" else "one"
            assert f"com.example/{foreign}".encode() not in body
            assert who == at or b"com.example/" not in body

        every = [*itertools.product(ports, ports, paths, ("gzip", "identity"))] * 10
        random.Random(7).shuffle(every)
        with ThreadPoolExecutor(8) as threads:
            for done in [threads.submit(ask, *each) for each in every]:
                done.result()


def encoding_of(reply: Reply) -> str:
    return {name.lower(): value for name, value in reply.headers.items()}.get(
        "content-encoding", ""
    )


async def test_a_restart_without_the_cluster_serves_all_that_it_had(
    team: Team, tmp_path: Path
) -> None:
    ports = free_ports(3)
    for name, port in zip("abc", ports, strict=True):
        await share(team, name, port)
    with a_shared_pod(team, tmp_path) as pod:
        pod.until_ready()
        assert [served(pod, port) for port in ports] == [[f"com.example/{name}"] for name in "abc"]
    lost = unreachable(pod.kubeconfig)
    with Pod(lost, tmp_path, "--namespace", team.namespace, "--shared") as pod:
        pod.until_ready()
        pod.until("all of them", lambda: all(listens(port) for port in ports))
        assert [served(pod, port) for port in ports] == [[f"com.example/{name}"] for name in "abc"]


async def test_without_any_shared_registry_it_is_ready_for_one(team: Team, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with a_shared_pod(team, tmp_path) as pod:
        pod.until_ready()
        await share(team, "first", port)
        pod.until("it", lambda: served(pod, port) == ["com.example/first"])
