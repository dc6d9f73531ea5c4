"""Specs that can be served, drawn from values for every field of an MCPRegistry, and specs that cannot.

In no spec here does the way to it matter: `onUpdate: create` keeps what was there before, and a suspended registry goes
on with what it has, so that neither is drawn.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from thv.domain.canonical import JsonObject
from thv.formats.crd import registry_schema

Values = Mapping[str, list[Any]]

FIELDS: Values = {
    "displayName": ["Corp", "ä" * 128],
    "description": ["All of it", "x" * 2048],
    "syncPolicy.enabled": [True],
    "syncPolicy.interval": ["1h", "720h"],
    "syncPolicy.onUpdate": ["update", "recreate"],
    "syncPolicy.timeout": ["1h", "30s"],
    "syncPolicy.retry.maxRetries": [0, 10],
    "syncPolicy.retry.backoffInterval": ["1s", "1h"],
    "syncPolicy.webhook.secretRef.name": ["hook"],
    "filter.include.names": [["io.example/*"], ["*a", "*b"], []],
    "filter.include.tags": [["database"], ["nobody-has-it"]],
    "filter.include.tiers": [["Official"], ["Community", "Official"]],
    "filter.include.transports": [["stdio"], ["sse", "streamable-http"]],
    "filter.include.categories": [["filesystem"]],
    "filter.exclude.names": [["*b"], ["*a*a*a*b", "?????"]],
    "filter.exclude.tags": [["database"]],
    "filter.exclude.tiers": [["Community"]],
    "filter.exclude.transports": [["sse"]],
    "filter.exclude.categories": [["filesystem"]],
    "enforceServers": [True, False],
    "enforceTools": [True, False],
    "validationPolicy.allowedTiers": [["Official", "Community"], ["Official"]],
    "validationPolicy.blockedPatterns": [["*b@*"], ["io.example/a"]],
}
"""What may be said of a registry of any trust level."""

GOVERNED: Values = {
    "validationPolicy.approvalRequired": [True, False],
    "validationPolicy.securityScanRequired": [True, False],
    "validationPolicy.digestRequired": [True, False],
    "validationPolicy.autoSubmit": [True, False],
    "validationPolicy.maxOpenReviews": [1, 500],
    "validationPolicy.scan.failOn": ["low", "critical"],
    "validationPolicy.scan.maxAge": ["1h", "8760h"],
    "validationPolicy.scan.ignoredFindings": [
        [{"id": "CVE-1", "reason": "not reachable", "expiresAt": "2027-03-01T00:00:00Z"}]
    ],
    "validationPolicy.review.minApprovals": [1, 10],
    "validationPolicy.review.teams": [
        [{"name": "security", "min": 2, "categories": ["database"], "risk": ["high", "low"]}]
    ],
    "validationPolicy.review.timeout": ["1h", "8760h"],
    "validationPolicy.review.onTimeout": ["expire", "approve"],
    "validationPolicy.review.escalateTo": ["management"],
    "validationPolicy.review.reminders": [["24h", "1m"], []],
    "validationPolicy.review.channels": [["#mcp"]],
    "validationPolicy.review.ticket": [{"system": "JIRA", "channel": "MCP", "required": True}],
    "validationPolicy.review.validFor": ["24h"],
    "validationPolicy.review.grace": ["2160h"],
    "validationPolicy.review.waiverApprovals": [1, 5],
    "validationPolicy.review.allowBreakGlass": [True],
    "promotionCriteria.successfulDeployments": [0, 10_000],
    "promotionCriteria.approvedBy": [["security", "platform"]],
    "promotionCriteria.testValidationPassed": [True, False],
    "promotionCriteria.automatic": [True, False],
}
"""What may be said only of one that is tested or trusted."""

API: Values = {
    "api.replicas": [1, 2, 5],
    "api.mode": ["dedicated", "shared"],
    "api.anonymousRead": [True, False],
    "api.resources.requests.cpu": ["10m", 1],
    "api.resources.requests.memory": ["64Mi"],
    "api.resources.limits.cpu": ["500m"],
    "api.resources.limits.memory": ["256Mi", "1Gi"],
}


@dataclass(frozen=True)
class Places:
    """Where the sources are that specs name."""

    document: str
    """URL of a document."""
    api: str
    """Base of an official API."""
    repository: str
    commit: str
    private_repository: str
    """One that asks for user name and password."""


def sources(places: Places) -> list[tuple[JsonObject, list[str]]]:
    """Sources, and the formats that may be said to be theirs."""
    auth = {"name": "login", "usernameKey": "user", "passwordKey": "pass", "tokenKey": "none"}
    ssh = {"sshKeyKey": "none", "knownHostsKey": "none"}
    roots = {"name": "roots", "key": "ca.crt"}
    web = {
        "headers": {"X-Team": "mcp"},
        "headersSecret": {"name": "headers"},
        "authSecret": auth | ssh,
        "caConfigMap": roots,
    }
    private = {"repository": places.private_repository}
    git = {"repository": places.repository}
    api = {"url": places.api}
    blocks: list[tuple[str, JsonObject, list[str]]] = [
        ("configMap", {"name": "one"}, ["upstream"]),
        ("configMap", {"name": "one", "key": "packed.json.gz"}, ["upstream"]),
        ("configMap", {"name": "two", "key": "registry.json"}, ["toolhive"]),
        ("configMap", {"name": "two", "key": "entry.yaml"}, []),
        ("url", {"url": places.document}, ["upstream"]),
        ("url", {"url": places.document, **web}, ["upstream"]),
        ("registry", {**api, "versions": "all"}, ["upstream"]),
        ("registry", {**api, "versions": "latest", **web}, []),
        ("registry", {"registryRef": {"name": "base"}}, []),
        ("git", {**git, "branch": "main"}, ["upstream"]),
        ("git", {**private, "authSecret": auth | ssh, "caConfigMap": roots}, ["upstream"]),
        ("git", {**git, "tag": "v1", "path": "registry.json"}, ["upstream"]),
        ("git", {**git, "commit": places.commit, "path": "folder"}, ["toolhive"]),
    ]
    return [({"type": key.lower(), key: block}, formats) for key, block, formats in blocks]


def drawn(places: Places, chance: random.Random) -> JsonObject:
    """A spec that can be served."""
    spec: JsonObject = {}
    source, formats = chance.choice(sources(places))
    spec["source"] = copy.deepcopy(source)
    if formats and chance.random() < 0.3:
        spec["format"] = chance.choice(formats)
    _some(spec, FIELDS, 3, chance)
    if chance.random() < 0.4:
        spec["trustLevel"] = chance.choice(("tested", "trusted"))
        _some(spec, GOVERNED, 5, chance)
    spec["api"] = {"enabled": chance.random() < 0.4}
    if spec["api"]["enabled"]:
        _some(spec, API, 3, chance)
    return spec


def _some(spec: JsonObject, fields: Values, most: int, chance: random.Random) -> None:
    for path in chance.sample(sorted(fields), chance.randrange(most + 1)):
        *above, last = path.split(".")
        holder = spec
        for part in above:
            holder = holder.setdefault(part, {})
        holder[last] = copy.deepcopy(chance.choice(fields[path]))


# ---------------------------------------------------------------- what cannot be served


def wrong(name: str, chance: random.Random) -> JsonObject:
    """A spec that the API server refuses, or that the operator cannot follow, of the registry of this name."""
    oci = {
        "reference": "ghcr.io/corp/catalog",
        "tag": "latest",
        "digest": "sha256:" + "0" * 64,
        "verify": {"keySecret": {"name": "keys"}},
        "allowRollback": True,
        "authSecret": {"name": "login"},
        "caConfigMap": {"name": "roots"},
    }
    specs: list[JsonObject] = [
        {"source": {"type": "configmap", "configMap": {"name": "broken"}}},
        {"source": {"type": "configmap", "configMap": {"name": "nobody"}}},
        {"source": {"type": "configmap", "configMap": {"name": "one", "key": "no-such"}}},
        {"source": {"type": "registry", "registry": {"registryRef": {"name": name}}}},
        {"source": {"type": "registry", "registry": {"registryRef": {"name": "nobody"}}}},
        {"source": {"type": "url", "url": {"url": "http://127.0.0.1:1/x"}}},
        {"source": {"type": "git", "git": {"repository": "https://nobody.invalid/x"}}},
        {"source": {"type": "oci", "oci": oci}},
        {"source": {"type": "file", "file": {"path": "/etc/passwd"}}},
        {"source": {"type": "url"}},
        {
            "source": {"type": "configmap", "configMap": {"name": "one"}},
            "syncPolicy": {"interval": "1s"},
        },
        {"source": {"type": "configmap", "configMap": {"name": "one"}}, "format": "yaml"},
        {},
    ]
    return {"api": {"enabled": False}, **chance.choice(specs)}


# ---------------------------------------------------------------- what is covered

NOT_DRAWN = {
    "source.oci": "not supported yet; part of the wrong ones",
    "source.file": "refused on a cluster; part of the wrong ones",
}


def paths_of(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all fields that a spec sets."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_of(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from paths_of(item, path)


def paths_of_schema() -> set[str]:
    """The paths of all fields that a spec may set, but for those that are not drawn."""
    found = set(_of_schema(registry_schema()["properties"]["spec"], ""))
    return {path for path in found if not path.startswith(tuple(NOT_DRAWN))}


def _of_schema(schema: JsonObject, path: str) -> Iterator[str]:
    if path:
        yield path
    for key, inner in schema.get("properties", {}).items():
        yield from _of_schema(inner, f"{path}.{key}".lstrip("."))
    if isinstance(schema.get("items"), dict):
        yield from (each for each in _of_schema(schema["items"], path) if each != path)
