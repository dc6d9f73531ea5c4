"""A user with two registries that are files: a trusted look at ToolHive's format, and an official document.

The servers are made up. `steady` takes out of a text what differs from run to run.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.apps.cli.running import Cli
from tests.builders import server
from thv.domain.canonical import JsonObject

NOTES: JsonObject = {
    "description": "Keeps notes in a folder of text files",
    "tier": "Official",
    "status": "Active",
    "transport": "stdio",
    "tools": ["read_note", "write_note"],
    "tool_definitions": [{"name": "read_note", "description": "Read one note"}],
    "metadata": {"stars": 1200, "pulls": 34000, "last_updated": "2025-11-20T10:00:00Z"},
    "repository_url": "https://github.com/example/notes",
    "tags": ["notes", "text"],
    "image": "ghcr.io/example/notes:2.1.0",
    "permissions": {
        "read": ["/srv/notes"],
        "network": {"outbound": {"allow_host": ["sync.example.com"], "allow_port": [443]}},
    },
    "env_vars": [
        {"name": "NOTES_DIR", "description": "Folder of the notes", "required": False, "default": "/srv"},
        {"name": "NOTES_TOKEN", "description": "Token of the sync service, which is asked for once a day when notes are exchanged with other devices", "required": True, "secret": True},
    ],
    "args": ["--root", "/srv/my notes"],
    "provenance": {"repository_uri": "https://github.com/example/notes", "signer_identity": "/.github/workflows/release.yml"},
}  # fmt: skip
WEATHER: JsonObject = {
    "description": "Answers with the weather of any town",
    "tier": "Community",
    "status": "Active",
    "transport": "streamable-http",
    "tools": ["forecast"],
    "url": "https://weather.example.com/mcp",
    "headers": [
        {"name": "X-Key", "description": "Key of the service", "required": True, "secret": True}
    ],
}
TOOLHIVE: JsonObject = {
    "version": "1.0.0",
    "last_updated": "2025-11-20T10:00:00Z",
    "servers": {"notes": NOTES},
    "remote_servers": {"weather": WEATHER},
}
OFFICIAL: JsonObject = {
    "$schema": "https://example.com/registry.schema.json",
    "version": "1.0.0",
    "meta": {"last_updated": "2025-12-01T10:00:00Z"},
    "data": {
        "servers": [
            server("io.github.acme/notes", "1.0.0"),
            server("io.github.acme/notes", "1.1.0"),
            server("io.github.acme/database-browser", "0.3.0", title="Database browser"),
            server("com.example/notes", "3.0.0"),
            server("com.example/nothing", "1.0.0", packages=[]),
        ]
    },
}
_UNSTEADY = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z(?:-[0-9a-f]{8})?", "TIME"),
        (r"('?)TIME\1", "TIME"),
        (r"sha256:[0-9a-f]{12}\b", "sha256:DIGEST"),
        (r"-s-[0-9a-f]{16}\b", "-s-DIGEST"),
        (r"(\bbytes\"?: )\d+", r"\g<1>0"),
        (r"(?<=\S) {3,}(?=\S)", "  "),
        (r"(resourceVersion\"?: )[\"']\d+[\"']", r"\1N"),
    )
)


def registry_folder(cli: Cli) -> Path:
    """Where files are registries by themselves."""
    return cli.home / ".config" / "toolhive-registry" / "registries"


def fill(cli: Cli) -> Cli:
    """Puts both registries into the folder."""
    folder = registry_folder(cli)
    folder.mkdir(parents=True)
    (folder / "tools.json").write_text(json.dumps(TOOLHIVE))
    (folder / "official.json").write_text(json.dumps(OFFICIAL))
    return cli


def steady(cli: Cli, text: str) -> str:
    """The text without times and versions."""
    text = cli.settled(text)
    for pattern, word in _UNSTEADY:
        text = pattern.sub(word, text)
    return text
