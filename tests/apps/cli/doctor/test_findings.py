"""What findings come to together, and how they are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.apps.cli.running import Cli, Screen
from thv.apps.cli.console import open_console
from thv.apps.cli.doctor import findings
from thv.apps.cli.doctor.cluster_checks import after_installation, before_installation, on_the_way
from thv.apps.cli.doctor.findings import PAGE, Findings, exit_of, failed, fine, note, skipped
from thv.apps.cli.doctor.machine_checks import of_machine, of_program
from thv.apps.cli.doctor.machine_reader import Machine, program_of
from thv.apps.cli.doctor.plan import Check
from thv.apps.cli.doctor.remedies import Remedies
from thv.apps.cli.doctor.report import Teller
from thv.apps.cli.doctor.way import Chosen, Way
from thv.apps.cli.exits import Exit
from thv.apps.cli.options import Surroundings, utc_now
from thv.apps.kit.home import Home

ROOT = Path(__file__).resolve().parents[4]
REMEDIES = Remedies()


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ((fine("folder", ""), note("git", "", ""), skipped("store", "")), Exit.OK),
        ((fine("folder", ""), failed("git", "", "")), Exit.FAILED),
        ((failed("reachable", "", ""), failed("git", "", "")), Exit.UNREACHABLE),
        ((failed("credentials", "", ""),), Exit.FAILED),
    ],
)
def test_the_worst_finding_decides_what_the_program_ends_with(found: Findings, code: Exit) -> None:
    assert exit_of(found) is code


def every_check() -> list[Check]:
    way = Way(Chosen(environ={}), utc_now, patience=1.0)
    machine = Machine(Home(Path("/data")), utc_now, {})
    return [
        of_program(program_of("/usr/bin/thv", "")),
        *of_machine(machine, Home(Path("/data")), REMEDIES),
        *on_the_way(way, REMEDIES),
        *after_installation(way, REMEDIES, ""),
        *before_installation(way, REMEDIES, "toolhive-system"),
    ]


def test_every_check_is_explained_under_its_own_heading() -> None:
    headings = set(re.findall(r"^### (\S+)$", (ROOT / PAGE).read_text(), re.MULTILINE))
    assert headings == {check.id for check in every_check()}


def test_what_a_check_needs_stands_before_it() -> None:
    way = Way(Chosen(environ={}), utc_now, patience=1.0)
    for further in (
        after_installation(way, REMEDIES, ""),
        before_installation(way, REMEDIES, "toolhive-system"),
    ):
        seen: set[str] = set()
        for check in (*on_the_way(way, REMEDIES), *further):
            assert set(check.needs) <= seen
            seen.add(check.id)


def test_only_what_leads_to_the_cluster_makes_it_unreachable() -> None:
    ids = [
        check.id for check in on_the_way(Way(Chosen(environ={}), utc_now, patience=1.0), REMEDIES)
    ]
    assert set(ids[:3]) == findings.UNREACHABLE


def told(terminal: bool) -> str:
    out = Screen(terminal=terminal)
    teller = Teller(open_console(Surroundings(environ={}, stdout=out, stderr=Screen()), "auto", 80))

    async def nothing() -> Findings:
        return ()

    check = Check(id="git", topic="This machine", look=nothing, stuck="")
    said = (fine("git", "good"), failed("git", "bad \x1b[2J", "apt-get install git"))
    teller.tell(check, said)
    teller.end(said)
    return out.getvalue()


def test_a_line_ends_with_its_command_and_moves_no_cursor() -> None:
    assert told(terminal=False) == (
        "This machine\n"
        "✔ git             good\n"
        "✗ git             bad \\u001b[2J.  Try: apt-get install git\n"
        "\n"
        "1 fine, 1 failed; each is explained in docs/how-to/troubleshoot.md\n"
    )
    assert "\x1b[31m✗\x1b[0m git" in told(terminal=True)


def test_json_has_the_same_members_for_every_finding(cli: Cli) -> None:
    ran = cli("doctor -o json")
    assert ran.json["kind"] == "FindingList"
    assert ran.json["place"] == str(cli.data)
    members = {"check", "outcome", "message", "fix", "because", "docs"}
    assert all(set(item) == members for item in ran.json["items"])
    assert sum(ran.json["counts"].values()) == len(ran.json["items"])
    assert ran.json["exitCode"] == ran.code


def test_pre_is_about_a_cluster(cli: Cli) -> None:
    ran = cli("doctor --pre --backend local")
    assert (ran.code, "--pre is about a cluster" in ran.err) == (2, True)
    ran = cli("doctor --pre -o json")
    assert ran.code == 10
    first = next(item for item in ran.json["items"] if item["outcome"] == "failed")
    assert first["check"] == "kubeconfig"
