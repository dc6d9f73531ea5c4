from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.apps.cli.running import Cli, Screen, check_golden
from tests.builders import array, server
from tests.upstream import Upstream, stall, status
from thv.apps.cli.console import open_console
from thv.apps.cli.engine import Engine
from thv.apps.cli.options import Surroundings
from thv.apps.cli.progress import ProgressLine
from thv.apps.cli.wiring import Local
from thv.apps.kit.controllers import run_registries
from thv.apps.kit.home import Home, LoopLock
from thv.sync.fetch import Progress

pytestmark = pytest.mark.flows
OPEN = ("--allow-private-ip", "--allow-http")


@pytest.fixture
def file(cli: Cli) -> Path:
    path = cli.file("servers.json", array(server("io.example/a"), server("io.example/b")))
    cli.ok("registry", "add", "local", "--file", str(path))
    return path


@pytest.mark.requirement("CLI-01", "REG-08")
def test_a_sync_says_what_changed(cli: Cli, file: Path) -> None:
    file.write_bytes(array(server("io.example/a", description="other"), server("io.example/c")))
    ran = cli.ok("registry sync local")
    assert ran.out == ""
    check_golden("registry_sync_changed", cli.settled(ran.err))


@pytest.mark.requirement("CLI-01")
def test_a_sync_that_finds_nothing_new_says_so_and_may_exit_with_3(cli: Cli, file: Path) -> None:
    check_golden("registry_sync_unchanged", cli.settled(cli.ok("registry sync local").err))
    assert cli("registry sync local --error-unchanged").code == 3
    file.write_bytes(array(server("io.example/a")))
    assert cli("registry sync local --error-unchanged").code == 0


@pytest.mark.requirement("REG-08")
def test_the_status_says_which_request_was_handled(cli: Cli, file: Path) -> None:
    cli.ok("registry sync local")
    obj = cli.ok("registry show local -o json").json
    asked = obj["metadata"]["annotations"]["toolhive.stacklok.io/sync-requested-at"]
    assert obj["status"]["lastHandledSyncRequest"] == asked
    assert obj["status"]["syncStatus"]["trigger"] == "Manual"


@pytest.mark.requirement("REG-08")
def test_a_suspended_registry_is_synchronized_on_request(cli: Cli, file: Path) -> None:
    cli.ok("registry suspend local")
    file.write_bytes(array(server("io.example/new")))
    assert "+1 added" in cli.ok("registry sync local").err


@pytest.mark.requirement("CLI-01", "REG-11")
def test_all_registries_or_those_with_a_label_are_synchronized(cli: Cli, file: Path) -> None:
    cli.ok("registry", "add", "other", "--file", str(file), "--label", "team=search", "--no-sync")
    cli.ok("registry", "add", "far", "--file", str(file), "-n", "prod", "--no-sync")

    def names(words: str) -> list[str]:
        return [item["name"] for item in cli.ok(f"registry sync {words} -o json").json["items"]]

    assert names("--all") == ["local", "other"]
    assert names("-l team=search") == ["other"]
    assert sorted(names("-A")) == ["far", "local", "other"]
    assert cli.ok("registry sync mcpregistry/local other -o name").out == (
        "mcpregistry/local\nmcpregistry/other\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--all", 'no registry in the namespace "default"'),
        ("-l a=b", 'no registry with the labels "a=b"'),
    ],
)
def test_nothing_to_synchronize_is_no_error(cli: Cli, words: str, said: str) -> None:
    assert said in cli.ok(f"registry sync {words}").err


@pytest.mark.parametrize(
    ("case", "words", "code"),
    [
        ("nothing", "", 2),
        ("both", "local --all", 2),
        ("unknown", "locla", 5),
        ("timeout", "local --timeout soon", 2),
        ("selector", "-l 'a in (b'", 2),
    ],
)
def test_a_wrong_command_line_is_refused(
    cli: Cli, file: Path, case: str, words: str, code: int
) -> None:
    ran = cli(f"registry sync {words}")
    assert (ran.code, ran.out) == (code, "")
    check_golden(f"registry_sync_wrong_{case}", ran.err)


def test_the_result_is_a_document_for_programs(cli: Cli, file: Path) -> None:
    file.write_bytes(array(server("io.example/a"), {"name": "io.example/bad"}))
    check_golden("registry_sync_json", cli.settled(cli.ok("registry sync local -o json").out))


@pytest.mark.requirement("FMT-04")
def test_items_that_are_no_entries_are_counted_and_the_first_is_named(cli: Cli, file: Path) -> None:
    file.write_bytes(array(server("io.example/a"), {"name": "io.example/bad"}))
    check_golden("registry_sync_skips", cli.settled(cli.ok("registry sync local").err))


def test_a_forced_sync_asks_for_everything_again(cli: Cli, upstream: Upstream) -> None:
    upstream.file("/s.json", array(server("io.example/a")), etag='"1"')
    cli.ok("registry", "add", "lab", "--url", f"{upstream.url}/s.json", *OPEN)
    cli.ok("registry sync lab")
    assert upstream.seen("/s.json")[-1].headers["if-none-match"] == '"1"'
    cli.ok("registry sync lab --force")
    assert "if-none-match" not in upstream.seen("/s.json")[-1].headers
    cli.ok("registry sync lab")
    assert "if-none-match" in upstream.seen("/s.json")[-1].headers


@pytest.mark.requirement("SYN-02")
def test_a_failed_sync_says_that_the_old_content_is_still_served(
    cli: Cli, upstream: Upstream
) -> None:
    cli.environ["THV_FETCH_BACKOFF"] = "1ms"
    upstream.file("/s.json", array(server("io.example/a")))
    cli.ok("registry", "add", "lab", "--url", f"{upstream.url}/s.json", *OPEN)
    upstream.fault(status(503), times=-1)
    ran = cli("registry sync lab")
    assert ran.code == 10
    check_golden("registry_sync_failed", cli.settled(ran.err))
    assert cli.ok("search -o name").out == "io.example/a\n"


def test_one_failure_does_not_keep_others_from_being_synchronized(cli: Cli, file: Path) -> None:
    broken = cli.file("broken.json", b"<html>")
    cli("registry", "add", "broken", "--file", str(broken))
    ran = cli("registry sync --all -o json")
    assert (ran.code, [item["outcome"] for item in ran.json["items"]]) == (
        1,
        ["Failed", "Unchanged"],
    )
    ran = cli("registry sync --all")
    check_golden("registry_sync_one_failed", cli.settled(ran.err))


def test_two_different_failures_exit_with_1(cli: Cli, file: Path) -> None:
    cli("registry", "add", "broken", "--file", str(cli.file("broken.json", b"<html>")))
    gone = cli.file("gone.json", b"[]")
    cli.ok("registry", "add", "gone", "--file", str(gone), "--no-sync")
    gone.unlink()
    assert cli("registry sync broken gone").code == 1


def test_a_registry_over_one_that_serves_nothing_yet_is_left_pending(cli: Cli, file: Path) -> None:
    cli.ok("registry", "add", "below", "--file", str(file), "--no-sync")
    shown = cli.ok("registry show below -o json").json
    source = {"type": "registry", "registry": {"registryRef": {"name": "below"}}}
    above = {**shown, "metadata": {"name": "above"}, "spec": {"source": source}, "status": {}}
    cli.ok("apply", "-f", str(cli.file("above.json", json.dumps(above).encode())))
    ran = cli("registry sync above")
    assert ran.code == 8
    assert 'it waits: the registry "below" has not served anything yet' in ran.err
    assert "thv registry sync below" in ran.err
    assert cli.ok("registry history above -o json").json["items"] == []
    cli.ok("registry sync above below")
    assert cli.ok("search --registry above -o name").out.split() == ["io.example/a", "io.example/b"]


def test_a_file_of_the_registry_folder_needs_no_sync(cli: Cli) -> None:
    cli.environ["THV_REGISTRY_DIR"] = str(cli.home / "shelf")
    cli.file("shelf/mine.json", array(server("io.example/a")))
    ran = cli("registry sync mine")
    assert (ran.code, "is a file" in ran.err) == (2, True)


# ---------------------------------------------------------------- at a terminal


def test_a_long_sync_draws_a_bar_with_the_time_that_is_left() -> None:
    times = iter([0.0, 0.2, 4.0, 4.05, 8.0])
    screen = Screen(terminal=True)
    console = open_console(
        Surroundings(environ={"NO_COLOR": "1"}, stdout=Screen(), stderr=screen), "never", 100
    )
    line = ProgressLine(console, "official", lambda: next(times))
    for entries, share in ((10, 0.01), (2_500, 0.25), (2_600, 0.26), (5_000, 0.5)):
        line.report(Progress(entries=entries, done=share))
    line.clear()
    check_golden("progress", screen.getvalue().replace("\r\x1b[K", "\n"))


def test_a_long_sync_counts_what_it_has_read_when_nobody_knows_how_much_there_is(
    terminal: Cli, upstream: Upstream
) -> None:
    for number in range(300):
        upstream.corpus.publish(f"io.example/s{number:03}")
    upstream.latency = 0.25
    ran = terminal.ok("registry", "add", "api", "--registry-url", upstream.url, *OPEN)
    assert "\r\x1b[K◎ api: 100 entries" in ran.err or "\r\x1b[K◎ api: 200 entries" in ran.err
    assert ran.err.count("\x1b[K") >= 2, "the line is taken away at the end"
    last = ran.err.rsplit("\x1b[K", 1)[1]
    assert last.startswith("◎ fetched 300 entries")


def test_a_pipe_sees_no_bar(cli: Cli, upstream: Upstream) -> None:
    upstream.corpus.publish("io.example/a")
    upstream.latency = 0.4
    ran = cli.ok("registry", "add", "api", "--registry-url", upstream.url, *OPEN)
    assert "\x1b" not in ran.err


def test_a_screen_without_unicode_gets_plain_signs(cli: Cli, file: Path) -> None:
    cli.encoding = "ascii"
    ran = cli.ok("registry sync local")
    assert ran.err.isascii()
    assert ran.err.startswith("-> requesting sync of mcpregistry/local\n")


@pytest.mark.requirement("SYN-02")
def test_ctrl_c_stops_and_the_next_sync_goes_on_where_it_was(cli: Cli, upstream: Upstream) -> None:
    for number in range(250):
        upstream.corpus.publish(f"io.example/s{number:03}")
    upstream.fault(stall(), path="/v0.1/servers", after=2, times=1)
    pressed = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    inherited = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # ignored in background jobs
    pressed.start()
    ran = cli("registry", "add", "api", "--registry-url", upstream.url, *OPEN)
    pressed.cancel()
    signal.signal(signal.SIGINT, inherited)
    assert ran.code == 130
    assert "the next sync goes on where this one was" in ran.err
    before = len(upstream.seen("/v0.1/servers"))
    ran = cli.ok("registry sync api")
    assert "250 servers" in ran.err
    again = upstream.seen("/v0.1/servers")[before:]
    assert ["cursor" in seen.query for seen in again] == [True], "what was read is not read again"


# ---------------------------------------------------------------- while another process synchronizes


@contextmanager
def loop_of(cli: Cli) -> Iterator[None]:
    """What `thv serve` does, in a thread: holds the lock and runs the loop."""
    ended, begun = threading.Event(), threading.Event()

    async def run() -> None:
        local = Local(home=Home(cli.data), clock=cli.clock)
        assert local.lock.acquire("thv (pid 1) on port 8080")
        engine = Engine(local)
        task = asyncio.ensure_future(
            run_registries(local.resources, engine.reconciler.reconcile, cli.clock)
        )
        begun.set()
        while not ended.is_set():  # noqa: ASYNC110 # the event belongs to another thread
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])
        await engine.close()
        await local.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    begun.wait(10)
    try:
        yield
    finally:
        ended.set()
        thread.join(10)


@pytest.mark.requirement("REG-08")
def test_a_running_service_is_asked_and_its_answer_awaited(cli: Cli, file: Path) -> None:
    cli.ok("registry suspend local")
    with loop_of(cli):
        file.write_bytes(array(server("io.example/a"), server("io.example/z")))
        ran = cli.ok("registry sync local -v")
    assert "thv (pid 1) on port 8080 synchronizes this data folder" in ran.err
    assert "+1 added  ~0 changed  -1 removed" in ran.err


def test_a_request_is_left_to_a_running_service(cli: Cli, file: Path) -> None:
    with loop_of(cli):
        ran = cli.ok("registry sync local --no-wait -o json")
        assert ran.json["items"][0]["outcome"] == "Pending"
        assert "nobody" not in ran.err
        cli.ok("registry wait local --for=condition=SyncSucceeded")


def test_a_service_that_does_not_answer_in_time_leaves_the_sync_pending(
    cli: Cli, file: Path
) -> None:
    lock = LoopLock(Home(cli.data))
    assert lock.acquire("thv (pid 1) on port 8080")
    ran = cli("registry sync local --timeout 300ms")
    lock.release()
    assert (ran.code, "was not synchronized within" in ran.err) == (8, True)


def test_the_sync_is_done_here_when_the_other_process_ends(cli: Cli, file: Path) -> None:
    lock = LoopLock(Home(cli.data))
    assert lock.acquire("thv (pid 1) on port 8080")
    ended = threading.Timer(0.3, lock.release)
    ended.start()
    assert "nothing changed" in cli.ok("registry sync local").err


def test_another_command_is_waited_for_and_named(cli: Cli, file: Path) -> None:
    lock = LoopLock(Home(cli.data))
    assert lock.acquire("thv registry sync (pid 1)")
    ended = threading.Timer(0.3, lock.release)
    ended.start()
    ran = cli.ok("registry sync local")
    assert "◎ waiting for thv registry sync (pid 1)\n" in ran.err
    assert "nothing changed" in ran.err


@pytest.mark.requirement("CLI-01")
def test_results_hold_no_text_that_a_terminal_obeys(terminal: Cli) -> None:
    path = terminal.file("x.json", json.dumps([{"name": "io.example/\x1b[31mred"}]))
    ran = terminal("registry", "add", "evil", "--file", str(path))
    assert "\x1b[31m" not in ran.err
