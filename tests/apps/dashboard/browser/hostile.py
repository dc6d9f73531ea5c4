"""Entries of somebody who wants to do harm by what is shown: every text of them holds one attack.

Those in ToolHive's format have the texts that only this format has; those in the official format the others. Each also
has a harmless one beside it, which must look as it always does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_RAN = "window.__ran.push"
ELSEWHERE = "https://evil.example"
ATTACKS = {
    "script": f"<script>{_RAN}('script')</script>",
    "script-end": f"</script></style></title></textarea></template><script>{_RAN}('end')</script>",
    "image": f"<img src=x onerror={_RAN}('image')><svg onload={_RAN}('svg')>",
    "attribute": f'" autofocus tabindex=1 onfocus={_RAN}("focus") onmouseover={_RAN}("over") x="',
    "apostrophe": f"' autofocus onfocus='{_RAN}(1)' x='",
    "backtick": f"`onload={_RAN}(1)` <iframe srcdoc='<script>parent.{_RAN}(1)</script>'>",
    "comment": f"--><!--[if gte IE 4]><script>{_RAN}('comment')</script><![endif]-->",
    "entity": "&lt;script&gt;&#x3c;script&#x3e; &amp;amp; &nbsp;",
    "script-address": f"javascript:{_RAN}('address')//https://good.example/",
    "hidden-address": f"\x01 java\tscript:{_RAN}('address')",
    "data-address": f"data:text/html,<script>parent.{_RAN}('data')</script>",
    "elsewhere": f"<img src={ELSEWHERE}/a.png><link rel=stylesheet href={ELSEWHERE}><b style='background:url({ELSEWHERE})'>",
    "no-scheme": "//evil.example/a.png",
    "credentials": "https://good.example@evil.example:443/\\..//",
    "htmx": f'<div hx-get="/signout" hx-trigger="load" hx-on:load="{_RAN}(1)" data-hx-get="/x">x</div>',
    "template": "{{7*7}} ${7*7} #{7*7} <%= 7*7 %> {% print(7*7) %} {{ visit.api }}",
    "bidi": "invoice\u202egnp.exe \u2066isolated\u2069 \u200fmark",
    "hidden": "zero\u200bwidth\u200djoined\ufeff\u00ad\u2060\u180e\U000e0041\u3164end",
    "control": "bell\x07 escape\x1b[31mred\x7f \x85next \u2028line\u2029",
    "long": "W" * 2000,
    "long-path": "a/" * 700,
    "rtl": "שרת מסמכים עברי خادم المستندات العربي 123 (abc) שלום",
    "emoji": "👩\u200d👩\u200d👧🏳️\u200d🌈🇩🇪" * 20,
    "stacked": "Z" + "\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309" * 30 + "algo",
    "lines": "one\n\n\n\n\n\n\n\n\n\ntwo\r\n\tthree" * 20,
    "null": "null",
    "nothing": "",
    "blank": " \t ",
    "undefined": "undefined",
    "number": "-1e309",
    "name-with-html": "<b>bold</b>/<i>slanted</i>?a=b#c%2F..%00",
}
"""What is written wherever there is room for a text."""


REGISTRIES = 4


def documents() -> dict[str, bytes]:
    """What the registries are made of, by name."""
    return {"toolhive": toolhive(), "official": official(), "many": many()}


def registries(folder: Path) -> bytes:
    """Their manifests, one whose source is not there, and a server that somebody started by hand."""
    lost = f"{ATTACKS['image']} {ATTACKS['template']}".replace("/", "")
    paths = {name: f"{name}.json" for name in documents()} | {"lost": f"{lost}.json"}
    return _json(
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [
                *(_registry(name, folder / path) for name, path in paths.items()),
                by_hand("script-container", _container("")["image"]),
            ],
        }
    )


def by_hand(name: str, image: str) -> dict[str, Any]:
    """A server that names no registry."""
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"image": image},
    }


def _registry(name: str, path: Path) -> dict[str, Any]:
    text = f'{ATTACKS["script"]} " onfocus=alert(1) {ATTACKS["bidi"]} {ATTACKS["hidden"]}'[:128]
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "displayName": text,
            "description": text,
            "source": {"type": "file", "file": {"path": str(path)}},
        },
    }


def toolhive() -> bytes:
    """A document in which every attack has a container and a remote server, and a group."""
    which = ATTACKS
    containers = {f"{name}-container": _container(text) for name, text in which.items()}
    remotes = {f"{name}-remote": _remote(text) for name, text in which.items()}
    groups = [
        {"name": f"{text}", "description": text, "servers": {f"{name}-of-group": _container(text)}}
        for name, text in which.items()
        if text.strip()
    ]
    for name, text in which.items():
        if text.strip():
            containers[text] = _container(text) | {"title": name}
    return _json(
        {
            "version": "1.0.0",
            "last_updated": "2026-11-20T08:00:00Z",
            "servers": containers,
            "remote_servers": remotes,
            "groups": groups,
        }
    )


def official() -> bytes:
    """The same in the official format, two versions each."""
    which = ATTACKS
    servers = [
        _official(name, text, version)
        for name, text in which.items()
        for version in ("1.0.0", "2.0.0")
    ]
    servers += [_official(name, text, text) for name, text in which.items() if text.strip()]
    return _json({"servers": servers, "metadata": {"count": len(servers)}})


def many() -> bytes:
    """One server that has far more of everything than anybody reads."""
    words = [f"number-{number:05}" for number in range(3000)]
    server = {
        **_container("Has a lot of everything."),
        "tools": words,
        "tool_definitions": [_tool(f"{word}", "Does much.") for word in words],
        "tags": words[:500],
        "env_vars": [{"name": f"VARIABLE_{number}", "description": "x"} for number in range(500)],
        "args": words[:500],
        "custom_metadata": {word: word for word in words[:500]},
        "permissions": {
            "network": {"outbound": {"allow_host": [f"{word}.example" for word in words], "allow_port": [*range(1, 1000)]}},
            "read": [f"/{word}" for word in words[:500]],
            "write": [f"/{word}" for word in words[:500]],
        },
    }  # fmt: skip
    return _json({"version": "1.0.0", "last_updated": "", "servers": {"many": server}})


def _container(text: str) -> dict[str, Any]:
    return {
        **_any(text),
        "image": f"ghcr.io/example/{text}",
        "target_port": 8080,
        "transport": "stdio",
        "args": [text, text],
        "docker_tags": [text],
        "permissions": {
            "name": text,
            "network": {"outbound": {"allow_host": [text], "allow_port": [443]}},
            "read": [text],
            "write": [text],
        },
        "provenance": {
            "sigstore_url": text,
            "repository_uri": text,
            "repository_ref": text,
            "signer_identity": text,
            "runner_environment": text,
            "cert_issuer": text,
        },
    }


def _remote(text: str) -> dict[str, Any]:
    return {
        **_any(text),
        "url": text,
        "transport": "sse",
        "headers": [{"name": text, "description": text, "required": True, "choices": [text]}],
        "oauth_config": {"issuer": text, "client_id": text, "scopes": [text]},
    }


def _any(text: str) -> dict[str, Any]:
    return {
        "title": text,
        "description": text,
        "overview": text,
        "tier": text,
        "status": "Active",
        "repository_url": text,
        "tags": [text, "hostile"],
        "tools": [text, "harmless"],
        "tool_definitions": [_tool(text, text)],
        "env_vars": [{"name": text, "description": text, "required": True, "default": text}],
        "metadata": {"stars": 1, "pulls": 2, "last_updated": text, "more": text},
        "custom_metadata": {"category": text, text: text},
    }


def _tool(name: str, text: str) -> dict[str, Any]:
    property_ = {"type": "string", "description": text, "default": text, "enum": [text]}
    schema = {"type": "object", "properties": {name: property_}, "required": [name], "title": text}
    annotations = {"title": text, "readOnlyHint": True}
    return {"name": name, "description": text, "inputSchema": schema, "outputSchema": schema, "annotations": annotations}  # fmt: skip


def _official(name: str, text: str, version: str) -> dict[str, Any]:
    argument = {"type": "named", "name": text, "value": text, "default": text, "description": text, "valueHint": text}  # fmt: skip
    variable = {"name": text, "description": text, "default": text, "choices": [text], "value": text}  # fmt: skip
    return {
        "server": {
            "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
            "name": f"io.example/{name}",
            "title": text,
            "description": f"{text} {version}",
            "version": version,
            "websiteUrl": text,
            "repository": {"url": text, "source": text, "id": text, "subfolder": text},
            "icons": [{"src": text, "mimeType": text, "sizes": [text], "theme": text}],
            "packages": [
                {
                    "registryType": "npm",
                    "registryBaseUrl": text,
                    "identifier": text,
                    "version": text,
                    "runtimeHint": text,
                    "transport": {"type": "streamable-http", "url": text},
                    "packageArguments": [argument],
                    "runtimeArguments": [argument],
                    "environmentVariables": [variable],
                    "fileSha256": text,
                }
            ],
            "remotes": [
                {
                    "type": "sse",
                    "url": text,
                    "headers": [variable],
                    "variables": {text: {"description": text, "default": text}},
                }
            ],
            "_meta": {
                "io.modelcontextprotocol.registry/publisher-provided": {"tool": text, text: text}
            },
        },
        "_meta": {
            "io.modelcontextprotocol.registry/official": {
                "status": "deprecated",
                "statusMessage": text,
                "publishedAt": "2026-10-01T08:00:00Z",
                "updatedAt": text,
                "isLatest": version == "2.0.0",
            },
            "example.stranger": {text: text},
        },
    }


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
