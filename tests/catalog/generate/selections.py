"""Selections that somebody could make, by chance: requests over a pool of servers of every kind, and what is to come of each."""

from __future__ import annotations

import random
import string
from typing import Any

import msgspec

from tests.builders import server, toolhive_entry
from thv.domain.canonical import JsonObject

_ODD = ["größe", "read file", "a/b", "日本", "x" * 128, "1e3", "yes", "null", "=1+1", "-"]
_TEXTS = [
    "plain",
    "with: colon # and hash",
    "quotes \" and ' and \\",
    "two\nlines\n",
    "  spaces  ",
    "tabs\tinside",
    "ünïcode 🎉 \u2028 and \x85",
    "- item",
    "{}",
    "0123",
    "12:30:45",
    "true",
    "~",
    "&a *b !c %d @e `f`",
    "",
]
_TAGS = ["security", "web", "data", "cloud", "db-tools"]
_AMOUNTS = [("100m", "1"), ("250m", "500m"), ("1", "2"), ("1e3", "2k"), ("0.5", ".75")]
_MEMORY = [("64Mi", "1Gi"), ("128Mi", "128Mi"), ("1e6", "1Gi"), ("100M", "0.5Gi")]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is to be served as."""

    key: str
    version: str
    tools: tuple[str, ...]
    image: str | None
    """None where no image is run."""
    defaults: dict[str, str]


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """A request, and what comes of it."""

    body: JsonObject
    servers: tuple[Wanted, ...]
    configs: dict[str, JsonObject]
    """The spec of the MCPToolConfig of each server that has one."""


# ---------------------------------------------------------------- the pool


def toolhive_pool(seed: int = 1, count: int = 30) -> JsonObject:
    """A ToolHive document of containers and remotes with tools, variables and definitions of every kind."""
    chance = random.Random(seed)
    servers = {f"server-{number}": _container(chance, number) for number in range(count)}
    remotes = {f"far-{number}": _remote(chance, number) for number in range(count // 5)}
    return {
        "version": "1.0.0",
        "last_updated": "2026-01-01T00:00:00Z",
        "servers": servers,
        "remote_servers": remotes,
    }


def official_pool(count: int = 8) -> list[JsonObject]:
    """Entries as publishers write them: packages for npx, and images."""
    made: list[JsonObject] = []
    for number in range(count):
        name = f"io.Example.Team/Server_{number}" if number % 2 else f"io.example/s-{number}"
        more: JsonObject = {}
        if number % 3 == 0:
            variable = {"name": "LEVEL", "description": "how much", "default": "info"}
            package = {
                "registryType": "oci",
                "identifier": f"ghcr.io/example/s{number}:2.{number}.0",
                "transport": {"type": "stdio"},
                "environmentVariables": [variable],
            }
            more = {
                "packages": [package],
                "repository": {"url": "https://github.com/a/b", "source": "github"},
            }
        made.append(server(name, f"1.{number}.0-rc.1", **more))
    return made


def _container(chance: random.Random, number: int) -> JsonObject:
    tag = chance.choice([f":{number}.1.0", ":latest", ":v2", "", ":2026-01-01"])
    tools = [f"tool_{each}" for each in range(chance.randint(0, 8))]
    tools += chance.sample(_ODD, chance.randint(0, 2))
    return toolhive_entry(
        image=f"ghcr.io/example/image-{number}{tag}",
        description=chance.choice(_TEXTS) or "what it does",
        transport=chance.choice(["stdio", "sse", "streamable-http"]),
        tools=tools,
        tags=chance.sample(_TAGS, chance.randint(1, 3)),
        env_vars=[
            {"name": "LOG_LEVEL", "description": "how much", "required": False, "default": "info"},
            {"name": "REGION", "description": chance.choice(_TEXTS), "required": True},
            {"name": "API_TOKEN", "description": "who", "required": True, "secret": True},
        ],
        **_definitions(chance, tools),
    )


def _definitions(chance: random.Random, tools: list[str]) -> JsonObject:
    described = chance.sample(tools, chance.randint(0, len(tools)))
    if not described:
        return {}
    made = [
        {"name": tool, "description": chance.choice(_TEXTS), "inputSchema": {"type": "object"}}
        for tool in described
    ]
    return {"tool_definitions": made}


def _remote(chance: random.Random, number: int) -> JsonObject:
    return {
        "url": f"https://mcp-{number}.example.com/mcp",
        "description": "Somebody else's service",
        "transport": "streamable-http",
        "tier": "Community",
        "status": "Active",
        "tools": ["ask", "tell"][: chance.randint(0, 2)],
        "tags": chance.sample(_TAGS, 2),
    }


# ---------------------------------------------------------------- selections


class Pool:
    """The servers of both documents, and selections of them."""

    def __init__(self) -> None:
        toolhive = toolhive_pool()
        self.toolhive, self.official = toolhive, official_pool()
        self._entries: dict[str, JsonObject] = {**toolhive["servers"], **toolhive["remote_servers"]}
        self._official = {entry["name"]: entry for entry in self.official}

    @property
    def names(self) -> list[str]:
        """As requests name them."""
        return [*self._entries, *self._official]

    def selection(self, seed: int, registry: str) -> Selection:
        """The same for the same seed."""
        chance = random.Random(seed)
        names = chance.sample(self.names, chance.randint(1, 6))
        made = [self._chosen(chance, name) for name in names]
        configuration = {field: chance.random() < 0.5 for field in ("enforce_servers", "auto_sync")}
        has_tools = all(wanted.tools for _, wanted, _ in made)
        body: JsonObject = {
            "metadata": {
                "registry_name": registry,
                "display_name": chance.choice(["", "Mine", "0x1"]) or "x",
            },
            "configuration": {**configuration, "enforce_tools": has_tools},
            "servers": [item for item, _, _ in made],
        }
        if chance.random() < 0.3:
            body["filters"] = {"global_tags": {"include": [], "exclude": ["deprecated", "yes"]}}
        configs = {wanted.key: config for _, wanted, config in made if config}
        return Selection(
            body=body,
            servers=tuple(sorted((wanted for _, wanted, _ in made), key=lambda each: each.key)),
            configs=configs,
        )

    def _chosen(self, chance: random.Random, name: str) -> tuple[JsonObject, Wanted, JsonObject]:
        if name in self._official:
            return self._of_publisher(chance, name)
        entry = self._entries[name]
        tools, given, config = _some_tools(chance, list(entry["tools"]))
        image = entry.get("image")
        defaults = {"LOG_LEVEL": "info"} if image else {}
        if image and chance.random() < 0.5:
            image = _image(chance)
            given["custom_image"] = image
            if chance.random() < 0.5:
                given["custom_image_digest"] = "sha256:" + chance.randbytes(32).hex()
        if image and chance.random() < 0.5:
            overrides = {"REGION": chance.choice(_TEXTS), "LOG_LEVEL": "1e3"}
            given["env_overrides"] = overrides
            defaults |= overrides
        if chance.random() < 0.4:
            given["resources"] = _resources(chance)
        wanted = Wanted(
            key=name, version=_version(entry), tools=tools, image=image, defaults=defaults
        )
        return {"name": name, "configuration": given}, wanted, config

    def _of_publisher(
        self, chance: random.Random, name: str
    ) -> tuple[JsonObject, Wanted, JsonObject]:
        entry = self._official[name]
        package = entry["packages"][0]
        is_image = package["registryType"] == "oci"
        given: JsonObject = {}
        image, defaults = (package["identifier"], {"LEVEL": "info"}) if is_image else (None, {})
        if is_image and chance.random() < 0.7:
            image = given["custom_image"] = _image(chance)
            given["env_overrides"] = defaults = {"LEVEL": chance.choice(_TEXTS)}
        wanted = Wanted(
            key=name, version=entry["version"], tools=(), image=image, defaults=defaults
        )
        return {"name": name, "configuration": given}, wanted, {}


def _some_tools(
    chance: random.Random, tools: list[str]
) -> tuple[tuple[str, ...], JsonObject, JsonObject]:
    """The tools that are to be shown, what asks for that, and the tool config that says it."""
    given: JsonObject = {}
    renamed = chance.sample(tools, chance.randint(0, len(tools))) if chance.random() < 0.6 else []
    overrides: JsonObject = {}
    for number, tool in enumerate(renamed):
        name = f"{chance.choice(['corp', 'Team.1', '_x'])}-{number}"
        words = {"name": name, "description": chance.choice(_TEXTS)}
        kept = chance.sample(sorted(words), chance.randint(1, 2))
        overrides[tool] = {field: words[field] for field in words if field in kept}
    names = {tool: overrides.get(tool, {}).get("name", tool) for tool in tools}
    chosen = tools
    if tools and chance.random() < 0.6:
        good = [tool for tool in tools if _is_nameable(names[tool])]
        if good:
            picked = set(chance.sample(good, chance.randint(1, len(good))))
            chosen = [tool for tool in tools if tool in picked]
            said = [chance.choice([tool, names[tool]]) for tool in chosen]
            given["tools_filter"] = chance.sample(said, len(said))
    if overrides:
        given["tool_overrides"] = overrides
    shown = tuple(names[tool] for tool in chosen)
    config: JsonObject = {}
    if "tools_filter" in given:
        config["toolsFilter"] = list(shown)
    if overrides:
        config["toolsOverride"] = overrides
    return shown, given, config


def _is_nameable(name: str) -> bool:
    return set(name) <= set(string.ascii_letters + string.digits + "_.-")


def _image(chance: random.Random) -> str:
    host = chance.choice(["registry.corp.example", "10.0.0.1:5000", "localhost", "mirror.corp/mcp"])
    return f"{host}/team/image{chance.choice([':v1', '', ':1.0.0', ':2026'])}"


def _resources(chance: random.Random) -> JsonObject:
    cpu, memory = chance.choice(_AMOUNTS), chance.choice(_MEMORY)
    return {"cpu": cpu[0], "cpu_limit": cpu[1], "memory": memory[0], "memory_limit": memory[1]}


def _version(entry: JsonObject) -> str:
    tag: Any = str(entry.get("image", "")).rpartition(":")[2]
    return tag if tag.count(".") == 2 and tag.replace(".", "").isdigit() else "1.0.0"
