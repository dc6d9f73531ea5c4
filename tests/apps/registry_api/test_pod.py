"""A registry's own pod on a real API server: the installed console script with the rights of its ServiceAccount."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps.registry_api.cluster import SCRIPT, Pod, Reply, Team
from tests.apps.registry_api.places import a_world
from tests.apps.registry_api.pods import LIST, a_pod, a_team, unreachable
from tests.control_plane.plane import ControlPlane
from tests.stores.models.world import World, an_entry

pytestmark = pytest.mark.anyio
PLAIN = "com.example/plain"


@pytest.fixture
async def team(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Team]:
    async with a_team(control_plane, namespace) as made:
        yield made


async def test_a_pod_serves_what_the_pointer_names_and_follows_it(
    team: Team, tmp_path: Path
) -> None:
    team.register(anonymousRead=True)
    with a_pod(team, tmp_path) as pod:
        pod.until("an answer", lambda: pod.alive() == 200)
        assert (pod.ready(), pod.get(LIST).code) == (503, "SNAPSHOT_UNAVAILABLE")
        world = a_world()
        await team.publish(world)
        pod.until_ready()
        assert PLAIN in pod.get(LIST).names
        for number in range(5):
            world.put(an_entry(f"com.example/fresh{number}"))
            await team.publish(world, delta=True)
            pod.until_served(f"com.example/fresh{number}")


async def test_a_right_that_comes_after_the_pointer_is_waited_for(
    team: Team, tmp_path: Path
) -> None:
    team.register(anonymousRead=True)
    with a_pod(team, tmp_path) as pod:
        snapshot = await team.write(a_world(), "corp")
        await team.point("corp", snapshot)
        pod.until("trouble", lambda: b"forbidden" in _health(pod).body)
        await team.admit("corp", snapshot)
        pod.until("content", lambda: pod.get(LIST).status == 200)


def _health(pod: Pod) -> Reply:
    return pod.get("/api/v1/health")


async def test_a_registry_that_is_made_anew_shows_nothing_of_the_old_one(
    team: Team, tmp_path: Path
) -> None:
    team.register(anonymousRead=True)
    await team.publish(a_world())
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
        await team.remove("corp")
        pod.until("its end", lambda: pod.get(LIST).status == 401)
        assert pod.ready() == 503
        team.register_again(anonymousRead=True)
        await team.publish(World(an_entry("com.example/other")))
        pod.until("the new one", lambda: pod.get(LIST).status == 200)
        assert pod.get(LIST).names == ["com.example/other"]
        models = list((pod.folder / "data" / "models").iterdir())
        assert len(models) == 1


async def test_a_container_that_restarts_without_the_cluster_serves_what_it_had(
    team: Team, tmp_path: Path
) -> None:
    team.register(anonymousRead=True)
    await team.publish(a_world())
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
        before = pod.get(LIST)
    lost = unreachable(pod.kubeconfig)
    arguments = ("--namespace", team.namespace, "--registry", "corp")
    with Pod(lost, tmp_path, *arguments) as pod:
        pod.until_ready()
        again = pod.get(LIST)
        assert (again.status, again.body) == (200, before.body)
        assert again.headers["etag"] == before.headers["etag"]


async def test_a_damaged_folder_is_made_again(team: Team, tmp_path: Path) -> None:
    team.register(anonymousRead=True)
    await team.publish(a_world())
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            path.write_bytes(b"\x00garbage")
    with a_pod(team, tmp_path) as pod:
        pod.until_ready()
        assert PLAIN in pod.get(LIST).names


async def test_told_to_stop_it_is_unready_answers_on_and_lets_requests_finish(
    team: Team, tmp_path: Path
) -> None:
    team.register(anonymousRead=True)
    await team.publish(a_world())
    with a_pod(team, tmp_path, THV_DRAIN="3s") as pod:
        pod.until_ready()
        since = pod.get("/api/v1/changes").json["since"]
        slow: list[Reply] = []
        asking = threading.Thread(
            target=lambda: slow.append(pod.get(f"/api/v1/changes?since={since}&wait=3"))
        )
        asking.start()
        await asyncio.sleep(0.3)  # so that it is under way
        pod.stop()
        pod.until("it to be unready", lambda: pod.ready() == 503)
        answer = pod.get(LIST)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert pod.alive() == 200
        assert pod.ended() == 0
        asking.join()
        assert [reply.status for reply in slow] == [200]


def test_a_process_that_is_not_told_what_to_serve_says_how(tmp_path: Path) -> None:
    for words in (
        ("--registry", "corp"),
        ("-n", "team"),
        ("-n", "team", "--registry", "c", "--shared"),
    ):
        done = subprocess.run(
            [str(SCRIPT), "registry-api", *words],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr == (
            "Error: which registries to serve is not said\n"
            "Try:   Give --namespace NAMESPACE, and either --registry NAME or --shared.\n"
        )


LOADED = """
import sys
import thv.apps.cli.commands.registry_api, thv.apps.registry_api.pod_settings, thv.apps.registry_api.pod_process
print(*sys.modules)
"""
UNWANTED = (
    "thv.clients.git", "thv.sources", "thv.sync", "thv.stores.mirrors", "thv.stores.resources.sqlite",
    "thv.apps.operator", "thv.apps.standalone", "thv.apps.cli.session", "thv.apps.cli.output",
    "thv.apps.cli.settings", "jsonschema_rs",
)  # fmt: skip


def test_a_pod_loads_nothing_that_synchronizes_or_renders() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    assert not {name for name in done.stdout.split() if name.startswith(UNWANTED)}
