"""One table of cases for the rules of an MCPRegistry; Python and CEL must agree on each.

A case is a change of a valid registry of the given source, and whether the rule lets it pass. Only the rule of
the case may be broken by it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec

from thv.domain.canonical import JsonObject

SOURCES: dict[str, JsonObject] = {
    "configmap": {"configMap": {"name": "servers"}},
    "url": {"url": {"url": "https://catalog.example.com/servers.json"}},
    "git": {"git": {"repository": "https://git.example.com/mcp/registry.git"}},
    "registry": {"registry": {"url": "https://registry.example.com/v0.1"}},
    "oci": {"oci": {"reference": "ghcr.io/corp/mcp-catalog"}},
    "file": {"file": {"path": "/srv/registry.json"}},
}
BLOCKS = {kind: next(iter(block)) for kind, block in SOURCES.items()}

ABSENT = object()
"""Stands for a field that is taken away."""


class Case(msgspec.Struct, frozen=True):
    """A registry and the verdict of one rule on it."""

    rule: str
    passes: bool
    source: str
    changes: dict[str, Any]
    """Value by path."""

    @property
    def title(self) -> str:
        shown = {path: "absent" if v is ABSENT else v for path, v in self.changes.items()}
        return f"{self.rule} {'passes' if self.passes else 'fails'} {self.source} {shown}"[:140]

    def registry(self) -> JsonObject:
        obj = a_registry(self.source)
        for path, value in self.changes.items():
            _set(obj, path.split("."), value)
        return obj


def a_registry(source: str = "url") -> JsonObject:
    """A registry that breaks no rule."""
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": "corp", "namespace": "default"},
        "spec": {"source": {"type": source, **copy.deepcopy(SOURCES[source])}},
    }


def _set(obj: JsonObject, path: list[str], value: Any) -> None:
    for part in path[:-1]:
        obj = obj.setdefault(part, {})
    if value is ABSENT:
        obj.pop(path[-1], None)
    else:
        obj[path[-1]] = copy.deepcopy(value)


def _texts(rule: str, source: str, path: str, good: list[Any], bad: list[Any]) -> Iterator[Case]:
    yield from (Case(rule, True, source, {path: value}) for value in good)
    yield from (Case(rule, False, source, {path: value}) for value in bad)


def _names() -> Iterator[Case]:
    good = ["a", "corp", "a-b", "a1", "a" * 59]
    bad = ["1corp", "a" * 60, "corp.eu", "a.b"]
    yield from _texts("N1", "url", "metadata.name", good, bad)


def _sources() -> Iterator[Case]:
    for kind, block in BLOCKS.items():
        yield Case("S1", True, kind, {})
        yield Case("S1", False, kind, {f"spec.source.{block}": ABSENT})
        other = "git" if kind != "git" else "url"
        yield Case(
            "S2", False, kind, {f"spec.source.{BLOCKS[other]}": SOURCES[other][BLOCKS[other]]}
        )
    yield Case("S2", True, "git", {})
    registry = "spec.source.registry"
    yield Case("S3", True, "registry", {})
    yield Case(
        "S3",
        True,
        "registry",
        {f"{registry}.url": ABSENT, f"{registry}.registryRef.name": "staging"},
    )
    yield Case("S3", False, "registry", {f"{registry}.url": ABSENT})
    yield Case("S3", False, "registry", {f"{registry}.registryRef.name": "staging"})


_URLS = [
    "https://registry.modelcontextprotocol.io/servers.json",
    "http://staging-registry-api:8080/api/v1/servers",
    "https://example.com",
    "https://example.com?x=1",
    "https://example.com#part",
    "https://[2001:db8::1]:8443/x",
    "https://example.com/a@b",
    "https://exämple.com/ü",
    "https://example.com/a\u00a0b",
    "https://example.com/a\x0bb",
]
_NO_URLS = [
    "ftp://example.com/x",
    "https://user@example.com/x",
    "https://user:pass@example.com/x",
    "https://",
    "https:///x",
    "example.com/x",
    "https://example.com/a b",
    "https://example.com/x\n",
    "https://exa mple.com",
    "HTTPS://example.com",
    " https://example.com",
    "",
]

_REPOSITORIES = [
    "https://git.example.com/mcp/registry.git",
    "http://git.example.com/x",
    "ssh://git@git.example.com/mcp/registry.git",
    "ssh://git.example.com:2222/mcp/registry.git",
    "git@git.example.com:mcp/registry.git",
    "a.b-c_d@host:x",
]
_NO_REPOSITORIES = [
    "https://user:pass@git.example.com/x",
    "https://token@git.example.com/x",
    "https://git.example.com",
    "https://git.example.com/",
    "file:///srv/git",
    "ext::sh -c touch% /tmp/pwned",
    "--upload-pack=touch /tmp/pwned",
    "ssh://-oProxyCommand=x/y",
    "ssh://git:pass@git.example.com/x",
    "git@-host:x",
    "git@host:-x",
    "git@host:",
    "-u@host:x",
    "https://git.example.com/a b",
    "https://git.example.com/x\n",
    "",
]

_REFERENCES = ["main", "feature/x", "v1.0.0", "_x", "1.x", "a+b", "a-b", "release-1.0"]
_NO_REFERENCES = ["-x", "a..b", "a b", "a\n", "/a", ".a", "a~1", "a^", "a:b", "ä", "", "..", "--x"]

_PATHS = [
    "registry.json",
    "a/b/c.json",
    "registry",
    ".well-known/x",
    "a..b/c",
    "a b.json",
    "a/./b",
    "a-b_c.json",
]
_NO_PATHS = ["/etc/passwd", "../x", "a/../b", "a/..", "..", "-x", "a\\b", "ä.json", ""]

_HEADERS = [{}, {"X-Team": "mcp"}, {"a" * 128: "x"}, {"x-1": ""}]
_NO_HEADERS = [
    {"": "x"},
    {"a" * 129: "x"},
    {"X Team": "x"},
    {"X_Team": "x"},
    {"X:": "x"},
    {"A": "b", "é": "x"},
    {"a\n": "x"},
]


def _addresses() -> Iterator[Case]:
    yield from _texts("U1", "url", "spec.source.url.url", _URLS, _NO_URLS)
    yield from _texts("U1", "registry", "spec.source.registry.url", _URLS[:2], _NO_URLS[:2])
    yield from _texts("U2", "git", "spec.source.git.repository", _REPOSITORIES, _NO_REPOSITORIES)
    yield from _texts("U3", "git", "spec.source.git.branch", _REFERENCES, _NO_REFERENCES)
    yield from _texts("U3", "git", "spec.source.git.tag", _REFERENCES, _NO_REFERENCES)
    yield from _texts("U4", "git", "spec.source.git.path", _PATHS, _NO_PATHS)
    tag, commit = "spec.source.git.tag", "spec.source.git.commit"
    yield Case("U5", True, "git", {tag: "v1"})
    yield Case("U5", True, "git", {commit: "0" * 40})
    yield Case("U5", False, "git", {tag: "v1", commit: "0" * 40})
    yield from _texts("H1", "url", "spec.source.url.headers", _HEADERS, _NO_HEADERS)
    yield from _texts(
        "H1", "registry", "spec.source.registry.headers", _HEADERS[:2], _NO_HEADERS[:3]
    )


def _durations() -> Iterator[Case]:
    sync, review = "spec.syncPolicy", "spec.validationPolicy.review"
    yield from _bounds(
        "Y1",
        f"{sync}.interval",
        ["1m", "60s", "720h", "1.5h", "719h60m", "60000ms"],
        ["59s", "720h1s", "0s", "721h", "59.999s", "9" * 30 + "h"],
    )
    yield from _bounds("Y2", f"{sync}.timeout", ["1s", "1000ms", "1h"], ["999ms", "61m"])
    yield from _bounds("Y2", f"{sync}.retry.backoffInterval", ["1s", "1h"], ["0.5s", "1h1ms"])
    yield from _bounds("Y2", "spec.validationPolicy.scan.maxAge", ["1h", "8760h"], ["59m", "8761h"])
    yield from _bounds("Y2", f"{review}.timeout", ["1h", "8760h"], ["59m", "8761h"])
    yield from _bounds(
        "Y2",
        f"{review}.reminders",
        [["1m"], ["72h", "24h"], [], ["8760h"]],
        [["59s"], ["24h", "8761h"]],
    )
    yield from _bounds("Y2", f"{review}.validFor", ["24h", "26280h"], ["23h", "26281h"])
    yield from _bounds("Y2", f"{review}.grace", ["1h", "2160h"], ["59m", "2161h"])


def _bounds(rule: str, path: str, good: list[Any], bad: list[Any]) -> Iterator[Case]:
    yield from _texts(rule, "url", path, good, bad)


def _policies() -> Iterator[Case]:
    level, policy, criteria = "spec.trustLevel", "spec.validationPolicy", "spec.promotionCriteria"
    for given in ({}, {"automatic": True}, {"successfulDeployments": 10}):
        yield Case("V1", False, "url", {criteria: given})
        yield Case("V1", False, "url", {criteria: given, level: "raw"})
        yield Case("V1", True, "url", {criteria: given, level: "tested"})
    for key in ("approvalRequired", "securityScanRequired"):
        yield Case("V2", False, "url", {f"{policy}.{key}": True})
        yield Case("V2", True, "url", {f"{policy}.{key}": False})
        yield Case("V2", True, "url", {f"{policy}.{key}": True, level: "trusted"})
    yield Case("V2", True, "url", {policy: {}})
    yield Case("V3", True, "url", {"spec.api.anonymousRead": True})
    yield Case("V3", True, "url", {"spec.api": {"enabled": False}})
    yield Case("V3", False, "url", {"spec.api": {"enabled": False, "anonymousRead": True}})
    verify = "spec.source.oci.verify"
    yield Case("V4", True, "oci", {level: "tested"})
    yield Case("V4", False, "oci", {level: "trusted"})
    yield Case("V4", True, "oci", {level: "trusted", verify: {"keySecret": {"name": "keys"}}})
    yield Case("V4", True, "git", {level: "trusted"})
    review = f"{policy}.review"
    yield Case("V5", True, "url", {review: {}})
    yield Case("V5", True, "url", {f"{review}.onTimeout": "expire"})
    yield Case("V5", False, "url", {f"{review}.onTimeout": "escalate"})
    yield Case("V5", True, "url", {review: {"onTimeout": "escalate", "escalateTo": "management"}})


FITTING: tuple[tuple[str, Any, Any], ...] = (
    ("cpu", "500m", "0.5"),
    ("cpu", 1, "1000m"),
    ("cpu", "2", ABSENT),
    ("cpu", ABSENT, "10m"),
    ("memory", "128Mi", 134217728),
    ("memory", "1e2", "1e99"),
)
"""A request and its limit."""
EXCESSIVE: tuple[tuple[str, Any, Any], ...] = (
    ("cpu", "501m", "0.5"),
    ("cpu", 2, 1),
    ("memory", "1Gi", "1G"),
    ("memory", "1E3", ".9k"),
)


def _compute() -> Iterator[Case]:
    path = "spec.api.resources"
    for passes, pairs in ((True, FITTING), (False, EXCESSIVE)):
        for name, request, limit in pairs:
            both = {f"{path}.requests.{name}": request, f"{path}.limits.{name}": limit}
            yield Case("V6", passes, "url", both)


CASES: tuple[Case, ...] = (
    *_names(),
    *_sources(),
    *_addresses(),
    *_durations(),
    *_policies(),
    *_compute(),
)
