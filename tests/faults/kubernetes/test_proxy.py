"""The fault proxy, against the real API server: what passes, what is counted, and each thing that can go wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.asking import Caller, config_map
from tests.faults.kubernetes.faults import NONE, Faults, Moment
from tests.faults.kubernetes.history import History, present_version
from tests.faults.kubernetes.proxy import FaultProxy
from tests.faults.kubernetes.watching import coalesced
from thv.domain.canonical import JsonObject

ACCOUNT = "tester"


@pytest.fixture(scope="module")
def world(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultProxy]:
    control_plane.kubectl("create", "namespace", "proxied")
    control_plane.kubectl("create", "serviceaccount", "-n", "proxied", ACCOUNT)
    bound = ("--clusterrole=cluster-admin", f"--serviceaccount=proxied:{ACCOUNT}")
    control_plane.kubectl("create", "clusterrolebinding", ACCOUNT, *bound)
    folder = tmp_path_factory.mktemp("proxy")
    history = History(lambda: present_version(control_plane))
    place = control_plane.url, control_plane.ca_file, folder
    with FaultProxy(*place, history=history) as proxy:
        yield proxy
    history.close()
    control_plane.kubectl("delete", "namespace", "proxied", "--wait=false")


@pytest.fixture
def proxy(world: FaultProxy) -> Iterator[FaultProxy]:
    yield world
    world.faults = NONE
    world.spare()


@pytest.fixture(scope="module")
def kubeconfig(control_plane: ControlPlane, world: FaultProxy) -> Path:
    return world.kubeconfig(control_plane.service_account("proxied", ACCOUNT))


@pytest.fixture
def caller(kubeconfig: Path) -> Caller:
    return Caller(kubeconfig)


def maps(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{name}".rstrip("/")


def names(control_plane: ControlPlane, namespace: str) -> set[str]:
    """What there really is, beside what Kubernetes itself puts into a namespace."""
    listed = control_plane.request("GET", maps(namespace))["items"]
    return {item["metadata"]["name"] for item in listed} - {"kube-root-ca.crt"}


# ---------------------------------------------------------------- what passes


def test_kubectl_works_through_the_proxy_as_the_user_of_the_token(
    control_plane: ControlPlane, proxy: FaultProxy, kubeconfig: Path, namespace: str
) -> None:
    made = control_plane.kubectl(
        "create", "configmap", "a", "-n", namespace, "--from-literal=k=v", kubeconfig=kubeconfig
    )
    assert made.returncode == 0, made.stderr
    assert names(control_plane, namespace) == {"a"}
    who = control_plane.kubectl("auth", "whoami", "-o", "json", kubeconfig=kubeconfig)
    assert f"system:serviceaccount:proxied:{ACCOUNT}" in who.stdout


def test_writes_are_counted_and_those_that_leave_nothing_behind_are_not(
    proxy: FaultProxy, caller: Caller, namespace: str
) -> None:
    mark = proxy.journal.mark()
    applied = config_map("c", k="v")
    apply = {"Content-Type": "application/apply-patch+yaml"}
    caller.ask("POST", maps(namespace), config_map("a"))
    caller.ask("POST", maps(namespace) + "?dryRun=All", config_map("b"))
    caller.ask("POST", maps(namespace), config_map("a"))
    caller.ask("PATCH", maps(namespace, "c") + "?fieldManager=x", applied, **apply)
    caller.ask("PATCH", maps(namespace, "c") + "?fieldManager=x", applied, **apply)
    caller.ask("DELETE", maps(namespace, "a"))
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {}}
    caller.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
    journal = proxy.journal
    assert [str(write) for write in journal.since(mark, namespace)] == [
        "POST configmaps/a",
        "PATCH configmaps/c",
        "PATCH configmaps/c",
        "DELETE configmaps/a",
    ]
    created = journal.counts(lambda write: write.created, mark, namespace)
    assert created == {"configmaps/a": 1, "configmaps/c": 1}
    assert journal.counts(lambda write: write.deleted, mark, namespace) == {"configmaps/a": 1}


# ---------------------------------------------------------------- kills


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_dies_at_the_write_that_was_named(
    control_plane: ControlPlane,
    proxy: FaultProxy,
    kubeconfig: Path,
    namespace: str,
    moment: Moment,
) -> None:
    words = ("-m", "tests.faults.kubernetes.asking", str(kubeconfig), namespace, "9")
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as process:
        proxy.kill(process.pid, number=3, moment=moment)
        printed, _ = process.communicate(timeout=30)
    assert process.returncode == -9
    assert printed.split() == {"before": ["c1", "c2"], "after": ["c1", "c2", "c3"]}[moment]
    assert names(control_plane, namespace) == {"c1", "c2", "c3"}
    assert str(proxy.killed) == "POST configmaps/c3"


# ---------------------------------------------------------------- errors


def test_refused_requests_never_reach_the_api_server(
    control_plane: ControlPlane, proxy: FaultProxy, caller: Caller, namespace: str
) -> None:
    proxy.faults = Faults(errors=1.0)
    said = [caller.ask("POST", maps(namespace), config_map(f"c{n}")) for n in range(40)]
    assert {reply.status for reply in said} == {409, 429, 500, 503}
    assert {reply.body["reason"] for reply in said if reply.status == 409} == {"Conflict"}
    assert all(reply.headers["Retry-After"] == "1" for reply in said if reply.status == 429)
    assert {caller.ask("GET", maps(namespace)).status for _ in range(40)} == {429, 500, 503}
    assert names(control_plane, namespace) == set()


def test_of_what_breaks_some_was_done_and_some_was_not(
    control_plane: ControlPlane, proxy: FaultProxy, caller: Caller, namespace: str
) -> None:
    proxy.faults = Faults(resets=1.0)
    for number in range(20):
        with pytest.raises((ConnectionError, OSError)):
            caller.ask("POST", maps(namespace), config_map(f"c{number}"))
    assert 1 <= len(names(control_plane, namespace)) < 20


def test_spared_resources_see_nothing_of_it(
    proxy: FaultProxy, caller: Caller, namespace: str
) -> None:
    proxy.faults = Faults(errors=1.0, resets=1.0, spared=frozenset({"configmaps"}))
    assert caller.ask("GET", maps(namespace)).status == 200


def test_an_api_server_that_is_away_refuses_and_comes_back_at_the_same_place(
    proxy: FaultProxy, caller: Caller, namespace: str
) -> None:
    with proxy.away(), pytest.raises(ConnectionRefusedError):
        caller.ask("GET", maps(namespace))
    assert caller.ask("GET", maps(namespace)).status == 200


# ---------------------------------------------------------------- stale reads


def test_stale_reads_show_what_was_true_so_long_ago(
    proxy: FaultProxy, caller: Caller, namespace: str
) -> None:
    caller.ask("POST", maps(namespace), config_map("a", k="old"))
    time.sleep(0.8)
    caller.ask("PUT", maps(namespace, "a"), config_map("a", k="new"))
    caller.ask("POST", maps(namespace), config_map("b"))
    proxy.faults = Faults(stale=0.5, stale_resources=frozenset({"configmaps"}))
    old = caller.ask("GET", maps(namespace, "a"))
    assert (old.body["kind"], old.body["data"]) == ("ConfigMap", {"k": "old"})
    assert caller.ask("GET", maps(namespace, "b")).body["reason"] == "NotFound"
    assert listed(caller, namespace) == ["a"]
    until(lambda: listed(caller, namespace) == ["a", "b"])
    assert caller.ask("GET", maps(namespace, "a")).body["data"] == {"k": "new"}


@pytest.mark.parametrize("told", ["read", "watch"])
def test_a_server_that_begins_to_lag_forgets_nothing_that_it_told(
    proxy: FaultProxy, caller: Caller, namespace: str, told: str
) -> None:
    past = proxy._history
    assert past is not None
    until(lambda: past.before(0.5) != "")
    watching = Watching(caller, namespace) if told == "watch" else None
    caller.ask("POST", maps(namespace), config_map("a"))
    if watching is None:
        caller.ask("GET", maps(namespace, "a"))
    else:
        until(lambda: watching.said() == ["ADDED a"])
    proxy.faults = Faults(stale=0.5)
    assert caller.ask("GET", maps(namespace, "a")).status == 200
    assert listed(caller, namespace) == ["a"]
    proxy.faults = NONE


def listed(caller: Caller, namespace: str) -> list[str]:
    items = caller.ask("GET", maps(namespace) + "?labelSelector=!x").body["items"]
    found = [item["metadata"]["name"] for item in items]
    return [name for name in found if name != "kube-root-ca.crt"]


# ---------------------------------------------------------------- watches


class Watching:
    """The events of a watch, gathered by a thread."""

    def __init__(self, caller: Caller, namespace: str) -> None:
        self.events: list[JsonObject] = []
        self._thread = threading.Thread(target=self._run, args=(caller, namespace), daemon=True)
        self._thread.start()

    def _run(self, caller: Caller, namespace: str) -> None:
        for event in caller.watch(maps(namespace)):
            if event["object"].get("metadata", {}).get("name") != "kube-root-ca.crt":
                self.events.append(event)

    def said(self) -> list[str]:
        return [
            f"{event['type']} {event['object'].get('metadata', {}).get('name', '')}".strip()
            for event in self.events
        ]

    def ended(self) -> bool:
        return not self._thread.is_alive()


def until(holds: object, seconds: float = 10.0) -> None:
    """Waits for a condition of another process, with a bound."""
    assert callable(holds)
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def begun(caller: Caller, namespace: str) -> Watching:
    """A watch that is there: it told of what was there already."""
    caller.ask("POST", maps(namespace), config_map("first"))
    watching = Watching(caller, namespace)
    until(lambda: "ADDED first" in watching.said())
    return watching


def test_events_pass_as_they_happen(proxy: FaultProxy, caller: Caller, namespace: str) -> None:
    watching = begun(caller, namespace)
    caller.ask("POST", maps(namespace), config_map("a"))
    until(lambda: watching.said() == ["ADDED first", "ADDED a"])
    caller.ask("DELETE", maps(namespace, "a"))
    until(lambda: watching.said()[2:] == ["DELETED a"])
    assert not watching.ended()


def test_a_watch_ends_after_so_many_events(
    proxy: FaultProxy, caller: Caller, namespace: str
) -> None:
    until(lambda: caller.ask("GET", maps(namespace, "kube-root-ca.crt")).status == 200)
    proxy.faults = Faults(close_every=3)
    watching = begun(caller, namespace)
    for name in ("a", "b"):
        caller.ask("POST", maps(namespace), config_map(name))
    until(watching.ended)
    assert watching.said() == ["ADDED first", "ADDED a"]


def test_a_watch_ends_after_so_long(proxy: FaultProxy, caller: Caller, namespace: str) -> None:
    proxy.faults = Faults(close_after=0.3)
    until(begun(caller, namespace).ended)


def test_a_watch_expires_in_place_of_an_event(
    proxy: FaultProxy, caller: Caller, namespace: str
) -> None:
    watching = begun(caller, namespace)
    proxy.faults = Faults(expire=1.0)
    caller.ask("POST", maps(namespace), config_map("a"))
    until(watching.ended)
    assert watching.said() == ["ADDED first", "ERROR"]
    assert watching.events[-1]["object"]["code"] == 410


def test_events_come_twice(proxy: FaultProxy, caller: Caller, namespace: str) -> None:
    watching = begun(caller, namespace)
    proxy.faults = Faults(duplicate=1.0)
    caller.ask("POST", maps(namespace), config_map("a"))
    until(lambda: watching.said() == ["ADDED first", "ADDED a", "ADDED a"])


def test_events_come_late(proxy: FaultProxy, caller: Caller, namespace: str) -> None:
    watching = begun(caller, namespace)
    proxy.faults = Faults(lag=0.5)
    began = time.monotonic()
    caller.ask("POST", maps(namespace), config_map("a"))
    until(lambda: watching.said() == ["ADDED first", "ADDED a"])
    assert time.monotonic() - began >= 0.5


def test_of_a_burst_only_what_it_comes_to_is_told(
    proxy: FaultProxy, caller: Caller, namespace: str
) -> None:
    watching = begun(caller, namespace)
    proxy.faults = Faults(coalesce=1.0)
    for name in ("a", "b"):
        caller.ask("POST", maps(namespace), config_map(name))
    caller.ask("DELETE", maps(namespace, "a"))
    caller.ask("PUT", maps(namespace, "b"), config_map("b", k="v"))
    until(lambda: watching.said() == ["ADDED first", "ADDED b"])
    assert watching.events[-1]["object"]["data"] == {"k": "v"}


def test_a_silent_watch_says_nothing_and_stays(
    proxy: FaultProxy, caller: Caller, namespace: str
) -> None:
    watching = begun(caller, namespace)
    proxy.faults = Faults(silent=True)
    caller.ask("POST", maps(namespace), config_map("a"))
    assert caller.ask("GET", maps(namespace, "a")).status == 200
    assert watching.said() == ["ADDED first"]
    assert not watching.ended()


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        (["ADDED"], ["ADDED"]),
        (["ADDED", "MODIFIED"], ["ADDED"]),
        (["ADDED", "DELETED"], []),
        (["MODIFIED", "DELETED"], ["DELETED"]),
        (["DELETED", "ADDED"], ["MODIFIED"]),
        (["MODIFIED", "DELETED", "ADDED", "MODIFIED"], ["MODIFIED"]),
        (["MODIFIED", "BOOKMARK"], ["MODIFIED", "BOOKMARK"]),
    ],
)
def test_what_a_burst_comes_to_is_the_difference_of_two_lists(
    happened: list[str], told: list[str]
) -> None:
    events = [
        b'{"type":"%b","object":{"metadata":{"name":"a","namespace":"n"},"number":%d}}\n'
        % (kind.encode(), number)
        for number, kind in enumerate(happened)
    ]
    assert [json.loads(line)["type"] for line in coalesced(events)] == told
