"""A request is read strictly: each wrong field is named by its path, and values that may be secrets are not repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.catalog.generate.requests import DIGEST, NAMESPACE, request, wanted
from thv.catalog.generate.request import Amounts, Override, parse_request
from thv.domain.canonical import JsonObject
from thv.domain.errors import InvalidError

SPECIFIED: JsonObject = {
    "metadata": {
        "namespace": "production",
        "registry_name": "customer-registry",
        "display_name": "Production MCP Registry",
    },
    "configuration": {"enforce_servers": True, "enforce_tools": True, "auto_sync": False},
    "servers": [
        {
            "name": "osv-scanner",
            "configuration": {
                "custom_image": "internal-registry.company.com/osv-mcp/server:v1.0.0",
                "custom_image_digest": DIGEST,
                "tools_filter": ["vulnerability-scan", "security-analysis"],
                "tool_overrides": {
                    "vulnerability-scan": {
                        "name": "enterprise-vuln-scan",
                        "description": "Enterprise vulnerability scanning",
                    }
                },
                "env_overrides": {"LOG_LEVEL": "warn"},
                "resources": {
                    "cpu": "200m",
                    "memory": "256Mi",
                    "cpu_limit": "1000m",
                    "memory_limit": "1Gi",
                },
            },
        }
    ],
    "filters": {"global_tags": {"include": ["security"], "exclude": ["deprecated"]}},
}
"""The request of the specification."""


def culprits(body: JsonObject) -> dict[str, Any]:
    """The fields that are refused, with the values that are said."""
    with pytest.raises(InvalidError) as caught:
        parse_request(body, NAMESPACE)
    return {error.path: error.value for error in caught.value.errors}


@pytest.mark.requirement("CAT-07")
def test_the_request_of_the_specification_field_by_field() -> None:
    read = parse_request(SPECIFIED, NAMESPACE)
    assert (read.namespace, read.registry_name) == ("production", "customer-registry")
    assert read.display_name == "Production MCP Registry"
    assert (read.enforce_servers, read.enforce_tools, read.auto_sync) == (True, True, False)
    assert (read.include_tags, read.exclude_tags) == (("security",), ("deprecated",))
    (choice,) = read.servers
    assert choice.name == "osv-scanner"
    assert choice.custom_image == "internal-registry.company.com/osv-mcp/server:v1.0.0"
    assert choice.custom_image_digest == DIGEST
    assert choice.tools_filter == ("vulnerability-scan", "security-analysis")
    assert choice.tool_overrides == {
        "vulnerability-scan": Override(
            name="enterprise-vuln-scan", description="Enterprise vulnerability scanning"
        )
    }
    assert choice.env_overrides == {"LOG_LEVEL": "warn"}
    assert choice.resources == Amounts(
        cpu="200m", memory="256Mi", cpu_limit="1000m", memory_limit="1Gi"
    )


def test_what_an_export_adds_is_passed_over() -> None:
    extra: JsonObject = {"definitions": {"osv-scanner": {}}, "registry_data": {"servers": {}}}
    pins = {"registry": "tools/main", "version": "1.0.0", "digest": DIGEST}
    body = {**SPECIFIED, **extra, "servers": [{**SPECIFIED["servers"][0], **pins}]}
    (choice,) = parse_request(body, NAMESPACE).servers
    assert (choice.registry, choice.version, choice.digest) == ("tools/main", "1.0.0", DIGEST)


def test_the_same_request_has_the_same_digest_however_it_was_written() -> None:
    backwards = {key: SPECIFIED[key] for key in reversed(SPECIFIED)}
    same = {**backwards, "definitions": {}}
    assert parse_request(same, NAMESPACE).digest == parse_request(SPECIFIED, NAMESPACE).digest
    other = {**SPECIFIED, "configuration": {"auto_sync": True}}
    assert parse_request(other, NAMESPACE).digest != parse_request(SPECIFIED, NAMESPACE).digest


def test_a_digest_in_the_image_is_taken_apart() -> None:
    body = request(wanted("a", custom_image=f"x.example/a:1@{DIGEST}"))
    (choice,) = parse_request(body, NAMESPACE).servers
    assert (choice.custom_image, choice.custom_image_digest) == ("x.example/a:1", DIGEST)


_NAME = {"registry_name": "mine"}
WRONG: list[tuple[str, JsonObject, str]] = [
    ("no metadata", {"servers": [wanted("a")]}, "metadata.registry_name"),
    ("metadata that is a list", {"metadata": [], "servers": [wanted("a")]}, "metadata"),
    ("no name of the registry", {"metadata": {}, "servers": [wanted("a")]}, "metadata.registry_name"),
    *(
        (f"the name {name!r}", {"metadata": {"registry_name": name}, "servers": [wanted("a")]}, "metadata.registry_name")
        for name in ("Caps", "1st", "a" * 53, "-a", "a-", "a.b", "a_b", "")
    ),
    ("another namespace", request(wanted("a"), metadata={**_NAME, "namespace": "other"}), "metadata.namespace"),
    ("a long title", request(wanted("a"), metadata={**_NAME, "display_name": "x" * 101}), "metadata.display_name"),
    ("no servers", {"metadata": _NAME}, "servers"),
    ("an empty selection", request(), "servers"),
    ("201 servers", request(*(wanted(f"s{n}") for n in range(201))), "servers"),
    ("a server twice", request(wanted("a"), wanted("a")), "servers"),
    ("a server without a name", request({}), "servers[0].name"),
    ("a server that is a text", request("a"), "servers[0]"),
    ("a misspelt flag", request(wanted("a"), configuration={"enforce_server": True}), "configuration.enforce_server"),
    ("a flag that is a text", request(wanted("a"), configuration={"auto_sync": "true"}), "configuration.auto_sync"),
    ("a flag that is a number", request(wanted("a"), configuration={"auto_sync": 1}), "configuration.auto_sync"),
    ("an unknown member", request(wanted("a"), server=[]), "server"),
    ("a misspelt field of a server", request({"name": "a", "configuraton": {}}), "servers[0].configuraton"),
    ("an image with a scheme", request(wanted("a", custom_image="https://x/y")), "servers[0].configuration.custom_image"),
    ("a long image", request(wanted("a", custom_image="x.io/" + "a" * 510)), "servers[0].configuration.custom_image"),
    ("a short digest", request(wanted("a", custom_image_digest="sha256:abcd")), "servers[0].configuration.custom_image_digest"),
    (
        "two digests",
        request(wanted("a", custom_image=f"x.io/a@{DIGEST}", custom_image_digest="sha256:" + "0" * 64)),
        "servers[0].configuration.custom_image_digest",
    ),
    ("no tool at all", request(wanted("a", tools_filter=[])), "servers[0].configuration.tools_filter"),
    ("a tool twice", request(wanted("a", tools_filter=["t", "t"])), "servers[0].configuration.tools_filter[1]"),
    ("a long tool", request(wanted("a", tools_filter=["t" * 129])), "servers[0].configuration.tools_filter[0]"),
    ("an empty override", request(wanted("a", tool_overrides={"t": {}})), "servers[0].configuration.tool_overrides.t"),
    (
        "a long new name",
        request(wanted("a", tool_overrides={"t": {"name": "x" * 129}})),
        "servers[0].configuration.tool_overrides.t.name",
    ),
    (
        "a long description",
        request(wanted("a", tool_overrides={"t": {"description": "x" * 1025}})),
        "servers[0].configuration.tool_overrides.t.description",
    ),
    ("a variable with a space", request(wanted("a", env_overrides={"A B": "x"})), "servers[0].configuration.env_overrides.A B"),
    ("a number for a variable", request(wanted("a", env_overrides={"A": 12345})), "servers[0].configuration.env_overrides.A"),
    ("a long value", request(wanted("a", env_overrides={"A": "x" * 4097})), "servers[0].configuration.env_overrides.A"),
    ("no amount", request(wanted("a", resources={"cpu": "lots"})), "servers[0].configuration.resources.cpu"),
    (
        "more than the limit",
        request(wanted("a", resources={"memory": "1Gi", "memory_limit": "1000Mi"})),
        "servers[0].configuration.resources.memory",
    ),
    ("an unknown amount", request(wanted("a", resources={"gpu": "1"})), "servers[0].configuration.resources.gpu"),
    ("a pin that is a path", request({"name": "a", "registry": "a/b/c"}), "servers[0].registry"),
    ("a digest pin in capitals", request({"name": "a", "digest": DIGEST.upper()}), "servers[0].digest"),
    ("51 tags", request(wanted("a"), filters={"global_tags": {"include": [f"t{n}" for n in range(51)]}}), "filters.global_tags.include"),
    ("a long tag", request(wanted("a"), filters={"global_tags": {"exclude": ["x" * 64]}}), "filters.global_tags.exclude[0]"),
    ("filters of another kind", request(wanted("a"), filters={"tags": {}}), "filters.tags"),
]  # fmt: skip


@pytest.mark.requirement("CAT-08")
@pytest.mark.parametrize(
    ("body", "field"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_a_wrong_field_is_named(body: JsonObject, field: str) -> None:
    assert list(culprits(body)) == [field]


def test_every_culprit_is_named_at_once() -> None:
    body = request({"name": "", "x": 1}, metadata={"registry_name": "A", "y": 2}, configuration=[])
    found = culprits(body)
    assert set(found) == {
        "servers[0].name",
        "servers[0].x",
        "metadata.registry_name",
        "metadata.y",
        "configuration",
    }
    assert found["metadata.registry_name"] == "A"


def test_what_may_be_a_secret_is_not_repeated() -> None:
    body = request(
        wanted("a", env_overrides={"A": {"hunter2": 1}, "B": "hunter2" * 1000, "A B": "hunter2"})
    )
    with pytest.raises(InvalidError) as caught:
        parse_request(body, NAMESPACE)
    assert "hunter2" not in f"{caught.value.message} {caught.value.details} {caught.value.errors}"


def test_a_near_miss_says_what_was_probably_meant() -> None:
    with pytest.raises(InvalidError, match="did you mean enforce_servers"):
        parse_request(request(wanted("a"), configuration={"enforce_server": True}), NAMESPACE)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a body."""
    yield path
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield from places(value[key], (*path, key))


def put(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The same with something else at a place."""
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], other)
    return copy


@pytest.mark.parametrize(
    "other",
    [None, True, 0, 1.5, "", "x", "\0", "ü" * 5000, [], [[]], [1], {}, {"": 0}, {"x": {}}],
    ids=repr,
)
def test_whatever_stands_in_a_place_is_read_or_refused_by_its_path(other: Any) -> None:
    for path in places(SPECIFIED):
        body = put(SPECIFIED, path, other)
        if not isinstance(body, dict):
            continue
        try:
            parse_request(body, NAMESPACE)
        except InvalidError as error:
            roots = {each.path.partition(".")[0].partition("[")[0] for each in error.errors}
            assert roots <= {path[0], "metadata", "servers", "x", ""} if path else True
