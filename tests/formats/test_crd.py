from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from thv.domain.mcpserver import SERVER_RULES
from thv.domain.rules import RULES, Rule
from thv.domain.toolconfig import TOOL_CONFIG_RULES
from thv.formats.crd import registry_crd, registry_schema
from thv.formats.server_crd import server_crd, server_schema, tool_config_crd, tool_config_schema

pytestmark = pytest.mark.requirement("REG-01")

SIZE_LIMIT = 256 * 1024

DEFINITIONS = [registry_crd(), server_crd(), tool_config_crd()]
SCHEMAS = [registry_schema(), server_schema(), tool_config_schema()]

of_each_definition = pytest.mark.parametrize(
    "crd", DEFINITIONS, ids=lambda crd: crd["spec"]["names"]["kind"]
)
of_each_schema = pytest.mark.parametrize(
    "schema", SCHEMAS, ids=lambda schema: schema["description"].split()[0]
)


def _nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from _nodes(inner, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from _nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from _nodes(schema["additionalProperties"], f"{path}.*")


def _at(path: str) -> dict[str, Any]:
    found: dict[str, Any] = dict(_nodes(registry_schema()))[path]
    return found


def _version() -> dict[str, Any]:
    version: dict[str, Any]
    (version,) = registry_crd()["spec"]["versions"]
    return version


def test_definition_names_the_kind() -> None:
    crd = registry_crd()
    assert crd["metadata"]["name"] == "mcpregistries.toolhive.stacklok.io"
    assert crd["spec"]["scope"] == "Namespaced"
    assert crd["spec"]["names"] == {
        "kind": "MCPRegistry",
        "listKind": "MCPRegistryList",
        "plural": "mcpregistries",
        "singular": "mcpregistry",
        "shortNames": ["mcpreg"],
        "categories": ["toolhive", "toolhive-registry"],
    }
    assert (_version()["name"], _version()["served"], _version()["storage"]) == (
        "v1alpha1",
        True,
        True,
    )
    assert _version()["subresources"] == {"status": {}}


def test_columns_are_those_that_people_look_at() -> None:
    columns = _version()["additionalPrinterColumns"]
    assert [c["name"] for c in columns if not c.get("priority")] == [
        *("Ready", "Servers", "Trust", "Last-Sync", "Reason", "Age"),
    ]
    assert [c["name"] for c in columns if c.get("priority")] == [
        *("Message", "Source", "Format", "Interval", "Revision", "URL"),
    ]


def test_fields_can_be_selected_by() -> None:
    assert [field["jsonPath"] for field in _version()["selectableFields"]] == [
        ".spec.trustLevel",
        ".spec.source.type",
        ".status.phase",
    ]


@of_each_definition
def test_definition_stays_small(crd: dict[str, Any]) -> None:
    assert len(msgspec.json.encode(crd)) < SIZE_LIMIT


@of_each_schema
def test_every_field_is_described(schema: dict[str, Any]) -> None:
    described = {
        path for path, node in _nodes(schema) if node.get("description", "").endswith((".", '"'))
    }
    # An API server describes metadata itself.
    fields = {
        path
        for path, _ in _nodes(schema)
        if path and not path.endswith(("[]", ".*")) and not path.startswith("metadata")
    }
    assert fields - described == set()


@of_each_schema
def test_every_value_of_a_spec_is_described_with_a_default_or_an_example(
    schema: dict[str, Any],
) -> None:
    bare = [
        path
        for path, node in _nodes(schema)
        if path.startswith("spec")
        and not path.endswith(("[]", ".*"))
        and (node.get("type") != "object" or "additionalProperties" in node)
        and not any(word in node["description"] for word in ("Default: ", "Example: ", "Refused: "))
    ]
    assert bare == []


@of_each_schema
def test_every_list_and_text_is_bounded(schema: dict[str, Any]) -> None:
    for path, node in _nodes(schema):
        if not path.startswith(("spec", "status")):
            continue
        if node.get("type") == "array":
            assert "maxItems" in node, path
            assert "x-kubernetes-list-type" in node, path
        if node.get("type") == "string":
            digest = node.get("pattern", "").startswith("^sha256:")
            assert digest or node.keys() & {"maxLength", "enum"}, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


@of_each_schema
def test_every_description_that_names_a_default_tells_the_truth(schema: dict[str, Any]) -> None:
    for path, node in _nodes(schema):
        _, named, default = node.get("description", "").partition(" Default: ")
        if named and "default" in node:
            assert default.rstrip(".") == _spelled(node["default"]), path


def _spelled(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("spec.trustLevel", "raw"),
        ("spec.syncPolicy", {}),
        ("spec.syncPolicy.enabled", True),
        ("spec.syncPolicy.interval", "1h"),
        ("spec.syncPolicy.onUpdate", "update"),
        ("spec.syncPolicy.timeout", "30s"),
        ("spec.syncPolicy.retry", {}),
        ("spec.syncPolicy.retry.maxRetries", 3),
        ("spec.syncPolicy.retry.backoffInterval", "30s"),
        ("spec.source.configMap.key", "registry.json"),
        ("spec.source.git.branch", "main"),
        ("spec.source.git.path", "registry.json"),
        ("spec.source.registry.versions", "latest"),
        ("spec.source.oci.tag", "latest"),
        ("spec.source.oci.allowRollback", False),
        ("spec.source.url.caConfigMap.key", "ca.crt"),
        ("spec.source.url.authSecret.sshKeyKey", "ssh-privatekey"),
        ("spec.enforceServers", False),
        ("spec.enforceTools", False),
        ("spec.api", {}),
        ("spec.api.enabled", True),
        ("spec.api.replicas", 1),
        ("spec.api.anonymousRead", False),
        ("spec.validationPolicy.autoSubmit", True),
        ("spec.validationPolicy.maxOpenReviews", 50),
        ("spec.validationPolicy.scan", {}),
        ("spec.validationPolicy.scan.failOn", "high"),
        ("spec.validationPolicy.scan.maxAge", "168h"),
        ("spec.validationPolicy.review", {}),
        ("spec.validationPolicy.review.minApprovals", 1),
        ("spec.validationPolicy.review.teams[].min", 1),
        ("spec.validationPolicy.review.timeout", "336h"),
        ("spec.validationPolicy.review.onTimeout", "expire"),
        ("spec.validationPolicy.review.reminders", ["24h"]),
        ("spec.validationPolicy.review.ticket.required", False),
        ("spec.validationPolicy.review.grace", "336h"),
        ("spec.validationPolicy.review.waiverApprovals", 2),
        ("spec.validationPolicy.review.allowBreakGlass", False),
        ("spec.promotionCriteria.successfulDeployments", 0),
        ("spec.promotionCriteria.automatic", True),
    ],
)
def test_schema_writes_the_default(path: str, default: Any) -> None:
    assert _at(path)["default"] == default


@pytest.mark.parametrize(
    "path",
    [
        *(
            "spec.displayName",
            "spec.format",
            "spec.filter",
            "spec.validationPolicy",
            "spec.promotionCriteria",
        ),
        *(
            "spec.source.git.tag",
            "spec.source.url.headers",
            "spec.source.registry.url",
            "spec.api.mode",
        ),
        *("spec.validationPolicy.review.validFor", "spec.validationPolicy.review.escalateTo"),
    ],
)
def test_absence_stays_absence(path: str) -> None:
    assert "default" not in _at(path)


def test_status_has_no_defaults() -> None:
    assert [path for path, schema in _nodes(_at("status"), "status") if "default" in schema] == []


@pytest.mark.parametrize(
    ("path", "required"),
    [
        ("", ["spec"]),
        ("spec", ["source"]),
        ("spec.source", ["type"]),
        ("spec.source.oci.verify", ["keySecret"]),
        ("spec.source.git.authSecret", ["name"]),
        ("spec.syncPolicy.webhook", ["secretRef"]),
        ("spec.validationPolicy.scan.ignoredFindings[]", ["id", "reason", "expiresAt"]),
        ("spec.validationPolicy.review.ticket", ["system"]),
    ],
)
def test_what_identifies_is_required(path: str, required: list[str]) -> None:
    assert _at(path)["required"] == required


@pytest.mark.parametrize(
    ("path", "kind", "keys"),
    [
        ("spec.filter.include.names", "set", None),
        ("spec.promotionCriteria.approvedBy", "set", None),
        ("spec.validationPolicy.scan.ignoredFindings", "map", ["id"]),
        ("spec.validationPolicy.review.teams", "map", ["name"]),
        ("spec.validationPolicy.review.reminders", "atomic", None),
        ("status.conditions", "map", ["type"]),
        ("status.serverApprovalStatus", "map", ["serverName", "version"]),
        ("status.servers", "atomic", None),
        ("status.snapshot.chunks", "atomic", None),
    ],
)
def test_lists_say_how_they_merge(path: str, kind: str, keys: list[str] | None) -> None:
    assert _at(path)["x-kubernetes-list-type"] == kind
    assert _at(path).get("x-kubernetes-list-map-keys") == keys


def test_quantities_are_numbers_or_texts() -> None:
    memory = _at("spec.api.resources.limits.memory")
    assert memory["x-kubernetes-int-or-string"] is True
    assert memory["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert "type" not in memory


@pytest.mark.parametrize(
    ("schema", "rules"),
    list(zip(SCHEMAS, [RULES, SERVER_RULES, TOOL_CONFIG_RULES], strict=True)),
    ids=["MCPRegistry", "MCPServer", "MCPToolConfig"],
)
def test_every_rule_sits_where_its_path_says(
    schema: dict[str, Any], rules: tuple[Rule, ...]
) -> None:
    found = {
        (path, validation["rule"], validation["message"], validation.get("fieldPath", ""))
        for path, node in _nodes(schema)
        for validation in node.get("x-kubernetes-validations", ())
    }
    assert found == {
        (
            rule.path.replace("{}", ".*"),
            rule.cel,
            rule.message,
            f".{rule.field}" if rule.field else "",
        )
        for rule in rules
    }


@of_each_definition
def test_a_cluster_is_told_in_words_what_a_pattern_of_a_spec_means(crd: dict[str, Any]) -> None:
    (version,) = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    for path, node in _nodes(schema):
        assert "x-shape" not in node, path
        assert not (path.startswith("spec") and "pattern" in node), path
    words = [
        (path, validation["message"])
        for path, node in _nodes(schema)
        for validation in node.get("x-kubernetes-validations", ())
    ]
    assert all(message for _, message in words)
    if crd is registry_crd():
        assert (
            "spec.syncPolicy.interval",
            "must be a duration such as 30s, 5m or 1h30m",
        ) in words


def test_enumerations_keep_their_order() -> None:
    assert _at("spec.source.type")["enum"] == ["configmap", "url", "git", "registry", "oci", "file"]
    assert _at("spec.trustLevel")["enum"] == ["raw", "tested", "trusted"]
    assert _at("status.phase")["enum"] == ["Pending", "Syncing", "Ready", "Failed", "Terminating"]
