from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.apps.cli.library import NOTES, TOOLHIVE
from tests.apps.cli.running import Cli, check_golden
from tests.builders import server
from tests.formats.mutations import mutations
from thv.domain.canonical import JsonObject

pytestmark = pytest.mark.requirement("FMT-02")

GOOD = server("io.example/good", "1.0.0")
ARRAY = [
    GOOD,
    server("io.example/bad", "latest", description="x" * 101),
    server("io.example/warned", "1.0.0", websiteUrl="http://example.com"),
    {"name": "io.example/nothing"},
]


def array(cli: Cli, items: list[JsonObject] | None = None) -> str:
    return str(cli.file("array.json", json.dumps(ARRAY if items is None else items)))


def test_findings_name_entry_place_field_and_rule(cli: Cli) -> None:
    ran = cli("registry", "validate", array(cli))
    assert ran.code == 1
    check_golden("validate_text", ran.out)
    check_golden("validate_summary", cli.settled(ran.err))


def test_the_report_in_json_tells_errors_from_warnings(cli: Cli) -> None:
    ran = cli("registry", "validate", array(cli), "-o", "json")
    assert ran.code == 1
    check_golden("validate_json", cli.settled(ran.out))
    assert [each["name"] for each in ran.json["items"]] == ["io.example/bad", "io.example/nothing"]
    assert [each["name"] for each in ran.json["warned"]] == ["io.example/warned"]


def test_names_alone_can_be_piped(cli: Cli) -> None:
    ran = cli("registry", "validate", array(cli), "-o", "name")
    assert ran.out.splitlines() == ["io.example/bad@latest", "io.example/nothing"]


def test_a_valid_file_exits_with_zero_and_strict_counts_warnings(cli: Cli) -> None:
    assert cli.ok("registry", "validate", array(cli, [GOOD])).out == ""
    path = array(cli, [ARRAY[2]])
    assert cli.ok("registry", "validate", path).out == ""
    ran = cli("registry", "validate", path, "--strict")
    assert ran.code == 1
    assert "warning  websiteUrl" in ran.out


def test_at_a_terminal_the_first_findings_are_shown_and_how_to_see_all(
    cli: Cli, terminal: Cli
) -> None:
    path = array(cli, [server(f"io.example/x{n}", "latest") for n in range(30)])
    ran = terminal("registry", "validate", path)
    assert ran.out.count("version-latest") == 2 * 20
    assert "10 entries more with findings; all:" in ran.err
    assert terminal("registry", "validate", path, "--all").out.count("version-latest") == 2 * 30
    assert cli("registry", "validate", path).out.count("version-latest") == 2 * 30


def test_toolhive_entries_are_checked_against_toolhives_schema(cli: Cli) -> None:
    short = {key: value for key, value in NOTES.items() if key not in ("tier", "tools")}
    document = {
        **TOOLHIVE,
        "servers": {"notes": NOTES, "short": short, "odd": {**NOTES, "transport": "smtp"}},
    }
    ran = cli("registry", "validate", "-", "-o", "json", stdin=json.dumps(document))
    found = {
        each["name"]: [(f["path"], f["rule"]) for f in each["findings"]]
        for each in ran.json["items"]
    }
    assert found == {
        "short": [("tier", "required"), ("tools", "required")],
        "odd": [("transport", "enum")],
    }


def test_an_official_entry_in_toolhives_form_is_no_error(cli: Cli) -> None:
    there = cli.ok("registry convert", stdin=json.dumps([GOOD])).out
    assert cli("registry validate -", stdin=there).code == 0


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("<html>", "found an HTML or XML page"),
        ("", "found nothing"),
        ("plain words", "found no JSON"),
        ('{"kind": "Deployment"}', "found a JSON object with the members kind"),
    ],
)
def test_what_is_no_registry_is_refused_with_what_was_expected(
    cli: Cli, content: str, found: str
) -> None:
    ran = cli("registry validate - -o json", stdin=content)
    assert (ran.code, ran.error["code"]) == (1, "FORMAT_UNSUPPORTED")
    assert found in ran.error["message"]
    assert "Expected a ToolHive registry" in ran.error["hint"]


def test_manifests_are_told_from_registries(cli: Cli) -> None:
    manifests = "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: v1\nkind: Secret\n"
    for place in ("-", str(cli.file("m.yaml", manifests))):
        ran = cli("registry", "validate", place, stdin=manifests)
        assert ran.code == 1
        assert "found Kubernetes manifests" in ran.err


def test_a_file_that_is_not_there_has_an_exit_code_of_its_own(cli: Cli) -> None:
    assert cli("registry validate nowhere.json").code == 5


def test_the_other_format_than_the_promised_one_is_refused(cli: Cli) -> None:
    ran = cli("registry", "validate", array(cli), "--format", "toolhive")
    assert ran.code == 1
    assert "the format is set to toolhive" in ran.err


def test_no_damage_ends_in_a_traceback(cli: Cli) -> None:
    for document in mutations([TOOLHIVE, {"servers": [{"server": GOOD}]}, GOOD], 120):
        path = cli.file("mutated.json", json.dumps(document))
        for line in (("validate", str(path)), ("convert", str(path)), ("migrate", str(path))):
            ran = cli("registry", *line)
            assert "unexpected failure" not in ran.err, (document, ran.err)


@pytest.mark.flows
def test_the_real_dump_has_its_280_entries_named(cli: Cli, real_data: Path) -> None:
    path = real_data / "upstream-official-dumps" / "2025-12-18.wrapped.json"
    ran = cli("registry", "validate", str(path), "-o", "json")
    assert ran.code == 1
    assert ran.json["summary"]["entries"] == 2794
    names = {(each["name"], each["version"]) for each in ran.json["items"]}
    assert len(ran.json["items"]) == len(names) == 280
