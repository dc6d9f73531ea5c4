from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.apps.cli.running import Cli, check_golden
from tests.builders import array, server, toolhive
from tests.upstream import Upstream, status

pytestmark = pytest.mark.flows
OPEN = ("--allow-private-ip", "--allow-http")


@pytest.fixture
def file(cli: Cli) -> Path:
    path = cli.file("servers.json", array(server("io.example/a"), server("io.example/b", "2.0.0")))
    cli.ok("registry", "add", "local", "--file", str(path))
    return path


@pytest.fixture
def failed(cli: Cli, upstream: Upstream) -> None:
    """A registry that served something and then failed."""
    cli.environ["THV_FETCH_BACKOFF"] = "1ms"
    upstream.file("/s.json", array(server("io.example/a")))
    cli.ok("registry", "add", "lab", "--url", f"{upstream.url}/s.json", *OPEN)
    upstream.fault(status(503), times=-1)
    assert cli("registry sync lab").code == 10


# ---------------------------------------------------------------- show


@pytest.mark.requirement("REG-10")
def test_a_registry_is_shown_with_what_it_holds(cli: Cli) -> None:
    path = cli.file(
        "corp.json",
        toolhive(
            one={"tier": "Official", "tags": ["database"]},
            two={"transport": "sse"},
            left_out={"tags": ["experimental"]},
        ),
    )
    cli.ok(
        "registry", "add", "corp", "--file", str(path), "--exclude-tag", "experimental", "--display-name",
        "Corp servers", "--description", "What we run", "--trust-level", "tested", "--block", "*-alpha",
    )  # fmt: skip
    check_golden("registry_show", cli.settled(cli.ok("registry show corp").out))


def test_a_registry_that_was_never_synchronized_is_shown_too(cli: Cli, file: Path) -> None:
    cli.ok("registry", "add", "new", "--file", str(file), "--no-sync", "--suspended")
    check_golden("registry_show_new", cli.settled(cli.ok("registry show new").out))


def test_some_of_its_servers_are_named(cli: Cli, file: Path) -> None:
    assert "io.example/b" not in cli.ok("registry show local --servers 1").out
    assert "SERVER" not in cli.ok("registry show local --servers 0").out


@pytest.mark.requirement("REG-09")
def test_what_a_registry_leaves_out_is_named_with_the_rules(cli: Cli) -> None:
    path = cli.file("all.json", array(*(server(f"io.example/{name}") for name in "abcd")))
    cli.ok(f"registry add some --file {path} --exclude-name *b --block *c")
    ran = cli.ok("registry show some --servers 0 --left-out 1")
    last = ran.out.splitlines()[-1].split()
    assert last == ["io.example/b", "1", "filter.exclude.names"]
    assert "1 more entry left out" in ran.err
    whole = cli.ok("registry show some --servers 0 --left-out 9")
    assert "validationPolicy.blockedPatterns" in whole.out
    assert "more" not in whole.err
    cli.ok(f"registry add all --file {path}")
    assert "no list of what it leaves out" in cli.ok("registry show all --left-out 1").err


def test_a_narrow_terminal_wraps_and_hints(terminal: Cli) -> None:
    path = terminal.file("servers.json", array(server("io.example/a"), server("io.example/b")))
    terminal.columns = 60
    terminal.ok("registry", "add", "local", "--file", str(path), "--description", "word " * 30)
    ran = terminal.ok("registry show local --servers 1")
    assert max(map(len, ran.out.splitlines())) <= 60 or str(path) in ran.out
    assert "1 more: thv search --registry local" in ran.err


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ("--url https://a.example/s.json --auth-secret t --header-secret h", "url https://a.example/s.json"),
        ("--git-repo https://a.example/m.git --git-tag v1", "git https://a.example/m.git v1 registry.json"),
        ("--registry-url https://a.example", "registry https://a.example"),
        ("--registry-ref other", "registry mcpregistry/other"),
        ("--configmap servers", "configmap servers/registry.json"),
    ],
)  # fmt: skip
def test_the_source_is_said_in_a_line(cli: Cli, options: str, shown: str) -> None:
    cli.ok(f"registry add some {options} --no-sync --enforce-servers --allow-tier Official")
    out = cli.ok("registry show some").out
    assert f"{shown}\n" in out
    assert "tiers Official; enforces servers" in out
    assert ("secret/t and secret/h" in out) == ("--auth-secret" in options)


def test_a_governed_registry_says_what_it_demands(cli: Cli, file: Path) -> None:
    manifest = cli.ok("registry show local -o json").json
    spec = {**manifest["spec"], "trustLevel": "tested"}
    spec["validationPolicy"] = {"approvalRequired": True, "securityScanRequired": True}
    spec["promotionCriteria"] = {"successfulDeployments": 2}
    metadata = {"name": "governed", "namespace": "default"}
    path = cli.file(
        "g.json", json.dumps({**manifest, "metadata": metadata, "spec": spec, "status": None})
    )
    cli.ok("apply", "-f", str(path))
    out = cli.ok("registry show governed").out
    assert "approval required; scan required; promotion by criteria" in out


@pytest.mark.parametrize("verb", ["show", "status"])
def test_objects_are_printed_as_they_are(cli: Cli, file: Path, verb: str) -> None:
    shown = cli.ok(f"registry {verb} local -o json").json
    assert (shown["kind"], "spec" in shown) == ("MCPRegistry", verb == "show")
    assert cli.ok(f"registry {verb} local -o yaml").out.startswith("apiVersion: toolhive.")
    assert cli.ok(f"registry {verb} mcpregistry/local -o name").out == "mcpregistry/local\n"


@pytest.mark.parametrize(
    "verb", ["show", "status", "history", "remove", "suspend", "resume", "wait"]
)
def test_an_unknown_name_is_not_found_and_one_alike_is_offered(
    cli: Cli, file: Path, verb: str
) -> None:
    ran = cli(f"registry {verb} locla -o json")
    assert (ran.code, ran.error["suggestions"]) == (5, ["local"])


# ---------------------------------------------------------------- status, history


@pytest.mark.requirement("REG-10")
def test_the_status_of_a_good_registry(cli: Cli, file: Path) -> None:
    check_golden("registry_status", cli.settled(cli.ok("registry status local").out))


@pytest.mark.requirement("REG-10")
def test_the_status_of_a_failed_registry_says_what_to_do(cli: Cli, failed: None) -> None:
    check_golden("registry_status_failed", cli.settled(cli.ok("registry status lab").out))


def test_a_request_that_nobody_answered_yet_is_said(cli: Cli, file: Path) -> None:
    cli.ok("registry sync local --no-wait")
    assert "a sync was requested and is not done yet" in cli.ok("registry status local").out


@pytest.mark.requirement("REG-10")
def test_the_history_has_a_line_a_sync(cli: Cli, failed: None) -> None:
    check_golden("registry_history", cli.settled(cli.ok("registry history lab -o wide").out))
    listed = cli.ok("registry history lab --limit 1 -o json").json
    assert (listed["kind"], listed["items"][0]["outcome"]) == ("SyncRunList", "Failed")


def test_a_registry_without_history_is_no_error(terminal: Cli) -> None:
    path = terminal.file("servers.json", array(server("io.example/a")))
    terminal.ok("registry", "add", "new", "--file", str(path), "--no-sync")
    ran = terminal.ok("registry history new")
    assert (ran.out, "thv registry sync new" in ran.err) == ("", True)


# ---------------------------------------------------------------- suspend, resume


@pytest.mark.requirement("REG-08")
def test_a_registry_is_suspended_and_resumed(cli: Cli, file: Path) -> None:
    assert cli.ok("registry suspend local").out == "mcpregistry/local suspended\n"
    assert "only by request; thv registry resume local" in cli.ok("registry status local").out
    assert "(suspended)" in cli.ok("registry show local").out
    assert cli.ok("registry resume local -o name").out == "mcpregistry/local\n"
    shown = cli.ok("registry resume local -o json").json
    assert shown["spec"]["syncPolicy"]["enabled"] is True


# ---------------------------------------------------------------- wait


@pytest.mark.requirement("REG-13")
def test_a_ready_registry_is_not_waited_for(cli: Cli, file: Path) -> None:
    assert cli.ok("registry wait local").out == "mcpregistry/local condition Ready met\n"
    assert (
        cli.ok("registry wait local --for=condition=DataValid -o name").out == "mcpregistry/local\n"
    )


def test_waiting_ends_with_8_and_the_last_condition(cli: Cli, file: Path, failed: None) -> None:
    ran = cli("registry wait lab --for=condition=SourceAvailable --timeout 200ms")
    assert (ran.code, ran.out) == (8, "")
    check_golden("registry_wait_timeout", cli.settled(ran.err))
    assert cli.ok("registry wait lab --for=condition=SourceAvailable=false --timeout 1").out
    ran = cli("registry wait local --for=condition=Approved --timeout 100ms")
    assert "it has no condition Approved yet" in ran.err


def test_what_is_gone_needs_no_waiting(cli: Cli, file: Path) -> None:
    assert cli.ok("registry wait nothing --for=delete").out == ""
    assert cli("registry wait local --for=delete --timeout 100ms").code == 8


def test_a_removal_is_noticed_while_waiting(cli: Cli, file: Path) -> None:
    other = Cli(cli.home, dict(cli.environ))
    removal = threading.Timer(0.3, other.ok, ("registry remove local --yes -q",))
    removal.start()
    ran = cli.ok("registry wait local --for=delete --timeout 10")
    removal.join()
    assert ran.out == "mcpregistry/local removed\n"


def test_a_goal_that_is_none_is_refused(cli: Cli, file: Path) -> None:
    ran = cli("registry wait local --for=ready")
    assert (ran.code, "write condition=Ready" in ran.err) == (2, True)


# ---------------------------------------------------------------- remove


def content(cli: Cli) -> list[str]:
    folders = ("snapshots", "selections", "mirrors", "models", "imports")
    found = (
        path for folder in folders for path in (cli.data / folder).rglob("*") if path.is_file()
    )
    return sorted(path.relative_to(cli.data).parts[0] for path in found)


@pytest.mark.requirement("CLI-01")
def test_a_registry_is_removed_with_all_its_content(cli: Cli, file: Path) -> None:
    assert {"mirrors", "models", "selections", "snapshots"} <= set(content(cli))
    assert cli.ok("registry remove local --yes").out == "mcpregistry/local removed\n"
    assert content(cli) == []
    assert cli.ok("registry list -o name").out == ""


@pytest.mark.requirement("CLI-01")
def test_a_deleted_registry_goes_with_all_its_content_too(cli: Cli, file: Path) -> None:
    cli.ok(f"registry import --file {file} --registry imported")
    assert "imports" in content(cli)
    cli.ok("delete mcpregistry local imported --yes")
    assert content(cli) == []


@pytest.mark.requirement("REG-11")
def test_the_mirror_of_a_registry_whose_source_cannot_be_opened_stays(
    cli: Cli, file: Path, failed: None
) -> None:
    (cli.data / "allowed-hosts").write_text("nonsense")
    mirrors = set((cli.data / "mirrors").glob("*.db"))
    cli.ok("registry remove local --yes")
    assert len(mirrors & set((cli.data / "mirrors").glob("*.db"))) == 1


@pytest.mark.requirement("REG-11")
def test_what_another_registry_uses_stays(cli: Cli, file: Path) -> None:
    cli.ok("registry", "add", "twin", "--file", str(file))
    cli.ok("registry remove local --yes --keep-servers")
    assert "mirrors" in content(cli)
    assert cli.ok("search --registry twin -o name").out == "io.example/a\nio.example/b\n"
    assert "nothing changed" in cli.ok("registry sync twin").err


def test_content_stays_whole_while_another_registry_was_never_synchronized(
    cli: Cli, file: Path
) -> None:
    cli.ok("registry", "add", "new", "--file", str(file), "--no-sync")
    cli.ok("registry remove local --yes")
    assert "mirrors" in content(cli), "the new one may be in the middle of its first sync"


def test_nobody_is_there_to_confirm(cli: Cli, file: Path) -> None:
    ran = cli("registry remove local")
    assert ran.code == 2
    check_golden("registry_remove_unasked", ran.err)
    assert cli.ok("registry list -o name").out == "mcpregistry/local\n"


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 2), ("", 2)])
def test_a_person_is_asked(terminal: Cli, answer: str, code: int) -> None:
    path = terminal.file("servers.json", array(server("io.example/a")))
    terminal.ok("registry", "add", "local", "--file", str(path))
    ran = terminal("registry remove local", stdin=answer)
    assert ran.code == code
    assert "remove the registry local with 1 server? [y/N]" in ran.err
    assert terminal("registry remove local --no-input").code == (5 if code == 0 else 2)


def test_several_are_removed_or_none(cli: Cli, file: Path) -> None:
    cli.ok("registry", "add", "twin", "--file", str(file), "--no-sync")
    assert cli("registry remove local nothing --yes").code == 5
    out = cli.ok("registry remove local twin --yes").out
    assert out == "mcpregistry/local removed\nmcpregistry/twin removed\n"


def test_a_registry_that_reads_the_removed_one_is_named(cli: Cli, file: Path) -> None:
    cli.ok("registry add layered --registry-ref local")
    ran = cli.ok("registry remove local --yes")
    assert "mcpregistry/layered reads one of them" in ran.err
    assert cli.ok("search --registry layered -o name").out == "io.example/a\nio.example/b\n"


@pytest.mark.requirement("CLI-07")
@pytest.mark.parametrize("verb", ["remove --yes", "suspend", "resume"])
def test_a_file_of_the_registry_folder_is_not_changed_by_commands(cli: Cli, verb: str) -> None:
    cli.environ["THV_REGISTRY_DIR"] = str(cli.home / "shelf")
    path = cli.file("shelf/mine.json", array(server("io.example/a")))
    ran = cli(f"registry {verb} mine")
    assert (ran.code, f"edit, move or remove {path}" in ran.err) == (2, True)
    check_golden("registry_show_folder", cli.settled(cli.ok("registry show mine").out))
    assert "when the file changes" in cli.ok("registry status mine").out


def test_aliases_are_understood(cli: Cli, file: Path) -> None:
    assert cli.ok("registry get local -o name").out == "mcpregistry/local\n"
    assert cli.ok("registry rm local -y").out == "mcpregistry/local removed\n"
