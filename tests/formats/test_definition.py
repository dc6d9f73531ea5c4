"""The catalog's Server Definition: the documented example, and what each kind of entry makes of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thv.formats.definition import Facts, definition, full_definition

pytestmark = pytest.mark.requirement("CAT-10")

OSV: dict[str, Any] = {
    "name": "osv-scanner",
    "title": "OSV Vulnerability Scanner",
    "description": "Open Source Vulnerability scanner for security analysis",
    "image": "ghcr.io/stackloklabs/osv-mcp/server",
    "transport": "streamable-http",
    "target_port": 8080,
    "tier": "Community",
    "status": "Active",
    "tools": ["vulnerability-scan", "osv-query"],
    "tool_definitions": [
        {
            "name": "vulnerability-scan",
            "description": "Scan for known vulnerabilities",
            "inputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": True},
        }
    ],
    "tags": ["security", "osv"],
    "metadata": {"stars": 45, "pulls": 120, "last_updated": "2025-09-23T19:59:00Z"},
    "repository_url": "https://github.com/stackloklabs/osv-mcp",
    "env_vars": [
        {"name": "LOG_LEVEL", "description": "Logging level", "required": False, "default": "info"},
        {"name": "TOKEN", "required": True, "secret": True, "default": "never told"},
    ],
    "permissions": {"network": {"outbound": {"allow_host": ["api.osv.dev"], "allow_port": [443]}}},
    "custom_metadata": {"provider": "OSV"},
}


def facts(**more: Any) -> Facts:
    told = {"name": "io.github.stacklok/osv-scanner", "version": "0.1.3", "kind": "container"}
    return Facts(**{**told, "category": "security", **more})


def test_the_documented_example() -> None:
    assert definition(OSV, facts(), "validated") == {
        "name": "osv-scanner",
        "display_name": "OSV Vulnerability Scanner",
        "description": "Open Source Vulnerability scanner for security analysis",
        "category": "validated",
        "provider": "OSV",
        "image": "ghcr.io/stackloklabs/osv-mcp/server",
        "transport": "streamable-http",
        "target_port": 8080,
        "tools": [
            {"name": "vulnerability-scan", "description": "Scan for known vulnerabilities"},
            {"name": "osv-query", "description": ""},
        ],
        "tags": ["security", "osv"],
        "metadata": {
            "stars": 45,
            "pulls": 120,
            "last_updated": "2025-09-23T19:59:00Z",
            "repository_url": "https://github.com/stackloklabs/osv-mcp",
        },
        "deployment_config": {
            "recommended_resources": {
                "cpu": "100m",
                "memory": "128Mi",
                "cpu_limit": "500m",
                "memory_limit": "512Mi",
            },
            "security_profile": "network",
            "env_vars": [
                {
                    "name": "LOG_LEVEL",
                    "description": "Logging level",
                    "required": False,
                    "default": "info",
                },
                {"name": "TOKEN", "description": "", "required": True, "secret": True},
            ],
        },
        "tier": "Community",
        "status": "Active",
        "version": "0.1.3",
        "reach": "named-hosts",
        "functional_category": "security",
        "air_gapped": {"dependencies": ["api.osv.dev"]},
    }


def test_in_full_there_is_what_lists_leave_out() -> None:
    made = full_definition(OSV, facts(), "validated")
    assert made["tools"][0] == {
        "name": "vulnerability-scan",
        "description": "Scan for known vulnerabilities",
        "input_schema": {"type": "object"},
        "annotations": {"readOnlyHint": True},
    }
    assert made["permissions"] == OSV["permissions"]
    assert made["custom_metadata"] == OSV["custom_metadata"]


def test_what_nobody_knows_is_absent() -> None:
    bare = {"name": "com.example/x", "status": "Active"}
    made = definition(bare, facts(name="com.example/x", kind="none", category=""), "community")
    assert made["display_name"] == "com.example/x"
    assert made["provider"] == "com.example"
    assert (made["description"], made["tools"], made["tags"]) == ("", [], [])
    assert made["metadata"] == {}
    assert made["packages"] == []
    assert made["air_gapped"] == {"dependencies": []}
    assert {"image", "url", "transport", "target_port", "functional_category"}.isdisjoint(made)


@pytest.mark.parametrize(
    ("kind", "there", "member"),
    [
        ("container", {"image": "x:1", "transport": "stdio", "target_port": 80}, "image"),
        ("remote", {"url": "https://mcp.example.com/mcp", "transport": "sse"}, "url"),
        ("package", {"image": "npx://x@1", "transport": "stdio"}, "packages"),
    ],
)
def test_it_has_exactly_one_of_image_url_and_packages(
    kind: str, there: dict[str, Any], member: str
) -> None:
    packages = ({"registryType": "npm", "identifier": "x"},) if kind == "package" else ()
    made = definition({"name": "x", **there}, facts(kind=kind, packages=packages), "community")
    assert {"image", "url", "packages"} & made.keys() == {member}
    assert "target_port" not in made
    assert ("recommended_resources" in made["deployment_config"]) is (kind != "remote")


@pytest.mark.parametrize(
    ("permissions", "profile"),
    [
        ({}, "none"),
        ({"network": {"outbound": {"allow_host": [], "insecure_allow_all": False}}}, "none"),
        ({"network": {"outbound": {"allow_port": [443]}}}, "network"),
        ({"network": {"outbound": {"insecure_allow_all": True}}}, "network"),
        ({"read": ["/data"]}, "custom"),
        ({"read": [], "write": []}, "none"),
    ],
)
def test_the_profile_is_derived_from_the_permissions(
    permissions: dict[str, Any], profile: str
) -> None:
    made = definition({"name": "x", "permissions": permissions}, facts(), "community")
    assert made["deployment_config"]["security_profile"] == profile


@pytest.mark.parametrize(
    ("said", "tier"),
    [("Official", "Official"), ("verified", "Verified"), ("", "Community"), ("Gold", "Gold")],
)
def test_a_tier_is_as_the_source_says(said: str, tier: str) -> None:
    assert definition({"name": "x", "tier": said}, facts(), "community")["tier"] == tier


def test_a_pinned_image_tells_its_digest_and_a_remote_server_its_host() -> None:
    digest = "sha256:" + "a" * 64
    pinned = definition({"name": "x", "image": f"ghcr.io/x@{digest}"}, facts(), "community")
    assert pinned["air_gapped"] == {"image_digest": digest, "dependencies": []}
    there = {"name": "x", "url": "https://mcp.example.com:8443/mcp"}
    remote = definition(there, facts(kind="remote"), "community")
    assert remote["air_gapped"] == {"dependencies": ["mcp.example.com"]}


def test_what_a_closed_place_has_to_know_stands_in_the_entry() -> None:
    own = {
        "image_digest": "sha256:" + "a" * 64,
        "offline_docs_path": "docs/x/README.md",
        "verified_date": "2026-11-17T22:00:00Z",
        "size_mb": 41,
    }
    there = {"name": "x", "image": "ghcr.io/x:1", "custom_metadata": {"toolhive.stacklok.io": own}}
    made = definition(there, facts(), "community")
    assert made["air_gapped"] == {**own, "dependencies": []}
    broken: dict[str, list[str]] = {key: [] for key in own}
    there = {"name": "x", "custom_metadata": {"toolhive.stacklok.io": broken}}
    assert definition(there, facts(), "community")["air_gapped"] == {"dependencies": []}


def test_resources_of_a_generated_entry_are_those_that_were_asked_for() -> None:
    own = {"toolhive.stacklok.io": {"resources": {"cpu": "200m"}}}
    custom = {"recommended_resources": {"cpu": "1", "memory": "2Gi"}, **own}
    made = definition({"name": "x", "custom_metadata": custom}, facts(), "community")
    assert made["deployment_config"]["recommended_resources"] == {"cpu": "200m", "memory": "2Gi"}


def test_an_entry_may_recommend_resources() -> None:
    custom = {"recommended_resources": {"cpu": "1", "memory": "2Gi", "disk": "1Gi"}}
    made = definition({"name": "x", "custom_metadata": custom}, facts(), "community")
    assert made["deployment_config"]["recommended_resources"] == {"cpu": "1", "memory": "2Gi"}


def test_a_tool_whose_name_is_none_is_no_tool() -> None:
    strange = [{"name": {"a": 1}}, {"name": ["b"]}, {}, {"name": "scan", "description": "Scans"}]
    made = definition(
        {"name": "x", "tool_definitions": strange},
        Facts(name="com.example/x", version="1.0.0", kind="container", category=""),
        "community",
    )
    assert made["tools"] == [{"name": "scan", "description": "Scans"}]


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
_KEYS = (*OSV.keys() - {"name"}, "url", "args", "headers", "provenance", "oauth_config")


@given(
    st.dictionaries(st.sampled_from(_KEYS), _ANYTHING, max_size=6),
    st.sampled_from(("container", "remote", "package", "none")),
)
def test_whatever_an_entry_holds_there_is_a_definition(there: dict[str, Any], kind: str) -> None:
    for base in ({}, OSV):
        entry = {**base, **there, "name": "x"}
        made = msgspec.json.encode(full_definition(entry, facts(kind=kind), "community"))
        assert msgspec.json.decode(made)["name"] == "x"


@given(st.sampled_from(_KEYS), _ANYTHING)
def test_a_part_of_a_part_may_be_anything(key: str, inner: Any) -> None:
    for value in (
        [inner],
        {"a": inner},
        {"outbound": inner},
        {"network": inner},
        [{"name": inner}],
    ):
        entry = {"name": "x", key: value}
        for kind in ("container", "remote"):
            msgspec.json.encode(full_definition(entry, facts(kind=kind), "community"))
