from __future__ import annotations

import pytest

from tests.domain.server_rule_cases import SERVER_CASES, ServerCase
from thv.domain.canonical import JsonObject
from thv.domain.mcpserver import SERVER_RULES, ServerSpec
from thv.domain.rules import Rule, check_rules
from thv.domain.toolconfig import TOOL_CONFIG_RULES
from thv.formats.server_crd import server_schema, tool_config_schema
from thv.stores.resources.schema import defaulted, unknown_fields, validate

_RULES = {"MCPServer": SERVER_RULES, "MCPToolConfig": TOOL_CONFIG_RULES}
_SCHEMAS: dict[str, JsonObject] = {
    "MCPServer": server_schema(),
    "MCPToolConfig": tool_config_schema(),
}


@pytest.mark.parametrize("case", SERVER_CASES, ids=lambda case: case.title)
def test_rule_judges(case: ServerCase) -> None:
    schema = _SCHEMAS[case.kind]
    obj: JsonObject = defaulted(schema, case.object())
    rules: tuple[Rule, ...] = _RULES[case.kind]
    messages = [error.message for error in check_rules(obj, rules)]
    broken = {rule.id for rule in rules if rule.message in messages}
    assert broken == (set() if case.passes else {case.rule})
    assert validate(schema, obj) == []
    assert [e for e in unknown_fields(schema, obj) if not e.path.startswith("metadata")] == []


def test_every_rule_has_a_passing_and_a_failing_case() -> None:
    for verdict in (True, False):
        judged = {case.rule for case in SERVER_CASES if case.passes is verdict}
        assert judged == {rule.id for rules in _RULES.values() for rule in rules}


def test_error_of_a_map_names_the_key() -> None:
    obj: JsonObject = {"spec": {"toolsOverride": {"list_directory": {}}}}
    (error,) = check_rules(obj, TOOL_CONFIG_RULES)
    assert error.path == "spec.toolsOverride[list_directory]"


def test_nothing_is_written_for_an_absent_port() -> None:
    filled = defaulted(server_schema(), {"spec": {"image": "x"}})
    assert filled["spec"] == {
        "image": "x",
        "transport": "stdio",
        "proxyMode": "streamable-http",
    }
    assert set(ServerSpec.__struct_encode_fields__) == set(
        server_schema()["properties"]["spec"]["properties"]
    )
