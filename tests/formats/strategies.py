"""Random entries of both formats, as realistic and as dirty as real ones: hypothesis strategies.

Every field is what it should be most of the time and any JSON value now and then.
"""

from __future__ import annotations

import string
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, PUBLISHER_META, TOOLHIVE_PUBLISHER

few = settings(max_examples=50, deadline=None)
many = settings(max_examples=100, deadline=None)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
words = st.sampled_from(
    ["stdio", "name", "type", "=", "==x", "*", "0", "+1", "", "x y", "ünï", "😀"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 70_000)
    | st.just(2**63)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | texts
    | words
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | texts, inner, max_size=3),
    max_leaves=8,
)
"""Any JSON value."""

objects = st.dictionaries(words | texts, values, max_size=4)
"""Any JSON object."""


def mostly(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What it should be; now and then anything."""
    # Small numbers are drawn often, 13 is not.
    return st.integers(0, 19).flatmap(lambda dice: values if dice == 13 else strategy)


def shaped(required: JsonObject, optional: JsonObject) -> st.SearchStrategy[JsonObject]:
    """An object of these fields, now and then with a field that nobody knows."""
    known = st.fixed_dictionaries(
        {key: mostly(field) for key, field in required.items()},
        optional={key: mostly(field) for key, field in optional.items()},
    )
    unknown = st.integers(0, 9).flatmap(lambda dice: objects if dice == 7 else st.just({}))
    return st.tuples(unknown, known).map(lambda both: {**both[0], **both[1]})


# Official --------------------------------------------------------------------------------------------------

_part = st.text(string.ascii_letters + string.digits + ".-", min_size=1, max_size=8)
names = (
    st.tuples(_part, _part).map("/".join)
    | _part.map("io.github.stacklok/".__add__)
    | st.sampled_from(["io.example/Files", "no-slash", "a/b/c", "io.example/ünï cöde", "x"])
)
versions = st.sampled_from(
    ["1.0.0", "2.3.4", "v1.0.0", "1.2.3-rc.1+b5", "latest", "", "2025.06.18", "{{V}}"]
)
urls = st.sampled_from(
    ["https://example.com/mcp", "http://localhost:8080/x", "https://{host}/mcp", "", "not a url"]
)
_env_names = st.sampled_from(["TOKEN", "API_KEY", "PORT", "_", ""])
_inputs = {
    "description": texts,
    "isRequired": st.booleans(),
    "isSecret": st.booleans(),
    "format": st.sampled_from(["string", "number", "odd"]),
    "default": texts,
    "value": st.sampled_from(["", "x", "{token}", "TOKEN={token}"]),
    "choices": st.lists(texts, max_size=2),
    "placeholder": texts,
    "variables": st.dictionaries(st.just("token"), objects, max_size=1),
}
_key_values = st.lists(mostly(shaped({"name": _env_names}, _inputs)), min_size=1, max_size=3)
_arguments = st.lists(
    mostly(
        shaped(
            {"type": st.sampled_from(["named", "positional"])},
            {
                "name": st.sampled_from(["--port", "-e", "--env", "-v"]),
                "valueHint": st.sampled_from(["path", "port"]),
                "isRepeated": st.booleans(),
                **_inputs,
            },
        )
    ),
    max_size=3,
)
_transports = shaped(
    {"type": st.sampled_from(["stdio", "sse", "streamable-http", "odd"])}, {"url": urls}
)
_packages = shaped(
    {
        "registryType": st.sampled_from(["oci", "npm", "oci", "pypi", "mcpb"]),
        "identifier": st.sampled_from(
            ["ghcr.io/a/b:1.0.0", "a/b", "@scope/pkg", "pkg", "ghcr.io/a/b@sha256:" + "0" * 64, ""]
        ),
        "transport": _transports,
    },
    {
        "version": versions,
        "registryBaseUrl": st.sampled_from(["https://ghcr.io", "https://docker.io/", ""]),
        "runtimeHint": st.sampled_from(["npx", "docker"]),
        "environmentVariables": _key_values,
        "runtimeArguments": _arguments,
        "packageArguments": _arguments,
        "fileSha256": texts,
    },
)
_remotes = shaped(
    {"type": st.sampled_from(["sse", "streamable-http", "stdio"]), "url": urls},
    {"headers": _key_values, "variables": objects},
)
_blocks = shaped(
    {},
    {
        "status": st.sampled_from(["active", "deprecated", "Deprecated", "Active", "odd"]),
        "tier": st.sampled_from(["Official", "Community"]),
        "tags": st.lists(texts, max_size=2),
        "tools": st.lists(texts, max_size=2),
        "args": st.lists(texts, max_size=2),
        "env_vars": st.lists(objects, max_size=1),
        "metadata": shaped(
            {}, {"stars": st.integers(0, 9), "pulls": st.integers(0, 9), "kubernetes": objects}
        ),
        "custom_metadata": st.just({})
        | shaped({}, {"homepage": urls, "category": texts, "server.json": values}),
        "permissions": objects,
        "tool_definitions": st.lists(shaped({"name": texts}, {}), max_size=2),
        "@key": texts,
    },
)
_references = st.sampled_from(
    ["ghcr.io/a/b:1.0.0", "https://example.com/mcp", "npx://pkg", "", "other"]
)
_publisher = shaped(
    {},
    {
        TOOLHIVE_PUBLISHER: st.dictionaries(_references, mostly(_blocks), max_size=2),
        "tool": texts,
        "keywords": st.lists(texts, max_size=2),
        "category": texts,
    },
)
servers = shaped(
    {"name": names, "version": versions},
    {
        "$schema": st.sampled_from(
            [
                "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
                "https://static.modelcontextprotocol.io/schemas/2025-09-29/server.schema.json",
                "draft",
            ]
        ),
        "title": texts,
        "description": texts,
        "websiteUrl": urls,
        "repository": st.just({})
        | shaped({}, {"url": urls, "source": st.sampled_from(["github", ""]), "id": texts}),
        "icons": st.lists(objects, max_size=1),
        "packages": st.lists(mostly(_packages), min_size=1, max_size=3),
        "remotes": st.lists(mostly(_remotes), max_size=2),
        "_meta": shaped({}, {PUBLISHER_META: _publisher, "com.example/own": objects}),
    },
)
"""server.json of the newest generation."""

officials = shaped(
    {},
    {
        "status": st.sampled_from(["active", "deprecated", "deleted", "odd"]),
        "statusMessage": texts,
        "isLatest": st.booleans(),
        "publishedAt": st.just("2025-10-17T10:00:00Z"),
    },
)
items = st.fixed_dictionaries(
    {"server": servers},
    optional={"_meta": shaped({}, {OFFICIAL_META: officials, "com.example/scan": objects})},
)
"""Items of a page of the official API."""


# ToolHive --------------------------------------------------------------------------------------------------

keys = (
    st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=10)
    | names
    | st.sampled_from(["Key With Blanks", "ünï"])
)
_toolhive_variables = st.lists(
    mostly(
        shaped(
            {"name": _env_names},
            {
                "description": texts,
                "required": st.booleans(),
                "secret": st.booleans(),
                "default": texts,
                "choices": st.lists(texts, max_size=2),
            },
        )
    ),
    max_size=3,
)
_common = {
    "description": texts,
    "title": texts,
    "name": names | texts,
    "tier": st.sampled_from(["Official", "Community"]),
    "status": st.sampled_from(["Active", "Deprecated", "active", "deprecated"]),
    "tools": st.lists(texts, max_size=2),
    "tags": st.lists(texts, max_size=2),
    "args": st.lists(texts, max_size=2),
    "env_vars": _toolhive_variables,
    "headers": _toolhive_variables,
    "transport": st.sampled_from(["stdio", "sse", "streamable-http"]),
    "repository_url": urls,
    "metadata": shaped({}, {"stars": st.integers(0, 9), "last_updated": texts}),
    "custom_metadata": st.just({}) | shaped({}, {"homepage": urls, "team": texts}),
    "permissions": objects,
    "target_port": st.integers(0, 70_000),
    "oauth_config": objects,
}
images = st.sampled_from(
    ["ghcr.io/a/b:1.0.0", "a/b", "npx://pkg@1.0.0", "npx://@scope/pkg", "uvx://pkg", "go://x", ""]
)
containers = shaped({"image": images}, _common)
"""Entries of `servers` in a ToolHive registry."""

endpoints = shaped({"url": urls}, _common)
"""Entries of `remote_servers` in a ToolHive registry."""
