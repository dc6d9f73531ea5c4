from __future__ import annotations

import pytest

from tests.domain.rule_cases import CASES, Case, a_registry
from thv.domain.registry import RegistrySpec
from thv.domain.rules import RULES, _reported_at, check_rules, warnings_of

pytestmark = pytest.mark.requirement("REG-01")


def _with_trust(case: Case) -> dict[str, object]:
    """The registry as it is judged: the default of trustLevel is written."""
    obj = case.registry()
    obj["spec"].setdefault("trustLevel", "raw")
    return obj


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_rule_judges(case: Case) -> None:
    messages = [error.message for error in check_rules(_with_trust(case))]
    broken = {rule.id for rule in RULES for message in messages if rule.message in message}
    assert broken == (set() if case.passes else {case.rule})


def test_every_rule_has_a_passing_and_a_failing_case() -> None:
    for verdict in (True, False):
        assert {rule.id for rule in RULES} == {
            case.rule for case in CASES if case.passes is verdict
        }


def test_every_rule_on_a_path_of_its_own_is_broken_by_some_case() -> None:
    broken = {
        rule
        for case in CASES
        if not case.passes
        for error in check_rules(_with_trust(case))
        for rule in RULES
        if rule.message in error.message
        and _reported_at(rule, rule.path.split("[")[0]) == error.path.split("[")[0]
    }
    assert {(rule.id, rule.path, rule.cel) for rule in broken} == {
        (rule.id, rule.path, rule.cel) for rule in RULES
    }


def test_the_table_holds_every_rule_once() -> None:
    ids = [rule.id for rule in RULES]
    assert len({(rule.id, rule.path, rule.cel) for rule in RULES}) == len(RULES)
    assert ids.count("S1") == 6
    assert ids.count("Y2") == 7
    assert set(ids) == {
        *("N1", "S1", "S2", "S3", "U1", "U2", "U3", "U4", "U5", "H1"),
        *("Y1", "Y2", "V1", "V2", "V3", "V4", "V5", "V6"),
    }


def test_error_names_the_field_and_its_value() -> None:
    obj = a_registry()
    obj["spec"]["syncPolicy"] = {"interval": "10s"}
    (error,) = check_rules(obj)
    assert str(error) == (
        'spec.syncPolicy.interval: Invalid value: "10s": '
        "spec.syncPolicy.interval must be at least 1m and at most 720h"
    )
    assert error.value == "10s"


def test_error_of_a_list_names_the_item() -> None:
    obj = a_registry()
    obj["spec"]["validationPolicy"] = {"review": {"reminders": ["24h", "1s"]}}
    (error,) = check_rules(obj)
    assert error.path == "spec.validationPolicy.review.reminders[1]"


@pytest.mark.parametrize("value", [None, 5, "x", [], {}])
@pytest.mark.parametrize("field", RegistrySpec.__struct_encode_fields__)
def test_values_of_wrong_types_are_left_to_the_schema(field: str, value: object) -> None:
    obj = a_registry()
    obj["spec"][field] = value
    check_rules(obj)
    check_rules({"spec": value, "metadata": value})


@pytest.mark.parametrize("name", ["Authorization", "authorization", "Cookie", "X-API-Key"])
@pytest.mark.parametrize("source", ["url", "registry"])
def test_credentials_in_headers_are_warned_of(source: str, name: str) -> None:
    obj = a_registry(source)
    obj["spec"]["source"][source]["headers"] = {name: "x"}
    assert warnings_of(obj) == [
        "put credentials into authSecret or headersSecret, not into headers"
    ]


def test_other_headers_are_fine() -> None:
    obj = a_registry("url")
    obj["spec"]["source"]["url"]["headers"] = {"X-Team": "mcp"}
    assert warnings_of(obj) == []
    assert warnings_of(a_registry("git")) == []
