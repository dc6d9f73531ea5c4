"""Wrong manifests, and what a user must read: which field, and what to do about it.

The texts are matched against what the real kubectl prints; `...` in a text stands for whatever comes between.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tests.domain.rule_cases import ABSENT, Case
from thv.domain.canonical import JsonObject


class Wrong(msgspec.Struct, frozen=True):
    """One mistake."""

    mistake: str
    source: str
    changes: dict[str, Any]
    field: str
    fix: str

    def registry(self) -> JsonObject:
        return Case("", False, self.source, self.changes).registry()


_SECRET = "spec.source.git.authSecret"
_NAME = 'must be the name of an object of this namespace: a-z, 0-9, "-" and "."'
_TESTED = {"spec.trustLevel": "tested"}

WRONG: tuple[Wrong, ...] = (
    Wrong("a type that does not exist", "url", {"spec.source.type": "http"},
          "spec.source.type", 'supported values: "configmap", "url", "git", "registry", "oci", "file"'),
    Wrong("no source", "url", {"spec.source": ABSENT}, "spec.source", "Required value"),
    Wrong("no type", "url", {"spec.source.type": ABSENT}, "spec.source.type", "Required value"),
    Wrong("the block is missing", "git", {"spec.source.git": ABSENT},
          "spec.source.git", 'spec.source.git is required when spec.source.type is "git"'),
    Wrong("two blocks", "git", {"spec.source.url": {"url": "https://a.example.com"}},
          "spec.source", "set only the block that spec.source.type names; remove the other blocks"),
    Wrong("no repository", "git", {"spec.source.git.repository": ABSENT},
          "spec.source.git.repository", "Required value"),
    Wrong("a password in the URL", "git", {"spec.source.git.repository": "https://me:pw@git.example.com/x"},
          "spec.source.git.repository", "must be an http, https or ssh URL, or user@host:path, without a password in it"),
    Wrong("a URL without a scheme", "url", {"spec.source.url.url": "catalog.example.com/servers.json"},
          "spec.source.url.url", "must be an http or https URL"),
    Wrong("credentials in a URL", "url", {"spec.source.url.url": "https://token@catalog.example.com"},
          "spec.source.url.url", "put credentials into authSecret"),
    Wrong("a short commit id", "git", {"spec.source.git.commit": "3f9c01a"},
          "spec.source.git.commit", "must be a full commit id: 40 or 64 hex digits"),
    Wrong("a tag and a commit", "git", {"spec.source.git.tag": "v1", "spec.source.git.commit": "0" * 40},
          "spec.source.git", "set at most one of spec.source.git.tag and spec.source.git.commit"),
    Wrong("a branch with a blank", "git", {"spec.source.git.branch": "my branch"},
          "spec.source.git.branch", 'must start with a letter, digit or "_" and must not contain spaces'),
    Wrong("a path out of the repository", "git", {"spec.source.git.path": "../../etc/passwd"},
          "spec.source.git.path", 'must be relative and stay inside the repository: no leading "/", no ".."'),
    Wrong("a Secret of another namespace", "git", {_SECRET: {"name": "other/git-read"}},
          f"{_SECRET}.name", _NAME),
    Wrong("a Secret without a name", "git", {_SECRET: {"tokenKey": "token"}},
          f"{_SECRET}.name", "Required value"),
    Wrong("a key that no ConfigMap has", "configmap", {"spec.source.configMap.key": "a/b.json"},
          "spec.source.configMap.key", 'letters, digits, "-", "_" and "."'),
    Wrong("a ConfigMap by an underscore", "configmap", {"spec.source.configMap.name": "corp_servers"},
          "spec.source.configMap.name", _NAME),
    Wrong("neither URL nor reference", "registry", {"spec.source.registry": {}},
          "spec.source.registry", "set exactly one of spec.source.registry.url and spec.source.registry.registryRef"),
    Wrong("a tag in the reference", "oci", {"spec.source.oci.reference": "ghcr.io/corp/catalog:1.4"},
          "spec.source.oci.reference", "spec.source.oci.tag names the tag"),
    Wrong("a trusted artifact that nobody verifies", "oci", {"spec.trustLevel": "trusted"},
          "spec.source.oci.verify", "set spec.source.oci.verify.keySecret"),
    Wrong("a header with a blank", "url", {"spec.source.url.headers": {"X Team": "mcp"}},
          "spec.source.url.headers", 'a header name has 1 to 128 letters, digits and "-"'),
    Wrong("days", "url", {"spec.syncPolicy.interval": "1d"},
          "spec.syncPolicy.interval", "must be a duration such as 30s, 5m or 1h30m"),
    Wrong("a number of seconds", "url", {"spec.syncPolicy.interval": 3600},
          "spec.syncPolicy.interval", "must be of type string"),
    Wrong("too often", "url", {"spec.syncPolicy.interval": "10s"},
          "spec.syncPolicy.interval", "must be at least 1m and at most 720h"),
    Wrong("too patient", "url", {"spec.syncPolicy.timeout": "2h"},
          "spec.syncPolicy.timeout", "must be at least 1s and at most 1h"),
    Wrong("too many tries", "url", {"spec.syncPolicy.retry.maxRetries": 50},
          "spec.syncPolicy.retry.maxRetries", "should be less than or equal to 10"),
    Wrong("a trust level of another product", "url", {"spec.trustLevel": "verified"},
          "spec.trustLevel", 'supported values: "raw", "tested", "trusted"'),
    Wrong("a format of another product", "url", {"spec.format": "mcp"},
          "spec.format", 'supported values: "toolhive", "upstream"'),
    Wrong("criteria of a raw registry", "url", {"spec.promotionCriteria": {"successfulDeployments": 3}},
          "spec.promotionCriteria", 'promotionCriteria requires trustLevel "tested" or "trusted"'),
    Wrong("an approval in a raw registry", "url", {"spec.validationPolicy": {"approvalRequired": True}},
          "spec.validationPolicy", 'require trustLevel "tested" or "trusted"'),
    Wrong("nobody to escalate to", "url", {**_TESTED, "spec.validationPolicy": {"review": {"onTimeout": "escalate"}}},
          "spec.validationPolicy.review.escalateTo", "is required when onTimeout is"),
    Wrong("a team with a blank", "url", {**_TESTED, "spec.promotionCriteria": {"approvedBy": ["Security Team"]}},
          "spec.promotionCriteria.approvedBy[0]", 'must be the name of a team: a-z, 0-9 and "-"'),
    Wrong("an open door to nothing", "url", {"spec.api": {"enabled": False, "anonymousRead": True}},
          "spec.api.anonymousRead", "has no effect while spec.api.enabled is false; remove one"),
    Wrong("megabytes", "url", {"spec.api.resources": {"limits": {"memory": "128MB"}}},
          "spec.api.resources.limits.memory", "must be a quantity such as 250m, 128Mi or 1Gi"),
    Wrong("no replicas", "url", {"spec.api.replicas": 0},
          "spec.api.replicas", "should be greater than or equal to 1"),
    Wrong("a transport that does not exist", "url", {"spec.filter": {"include": {"transports": ["http"]}}},
          "spec.filter.include.transports[0]", 'supported values: "stdio", "sse", "streamable-http"'),
    Wrong("a text for a list", "url", {"spec.filter": {"include": {"names": "io.github.corp/*"}}},
          "spec.filter.include.names", "must be of type array"),
    Wrong("a word for yes", "url", {"spec.enforceServers": "yes"},
          "spec.enforceServers", "must be of type boolean"),
    Wrong("a name with a dot", "url", {"metadata.name": "corp.eu"},
          "metadata.name", 'use only a-z, 0-9 and "-", and have at most 59 characters'),
    Wrong("a name too long for its Service", "url", {"metadata.name": "a" * 60},
          "metadata.name", 'the Service is named "<name>-api"'),
    Wrong("the format of another version", "url", {"spec.source.format": "toolhive"},
          "spec.source.format", "unknown field"),
    Wrong("a word in lower case", "configmap", {"spec.source.configmap": {"name": "servers"}},
          "spec.source.configmap", "unknown field"),
    Wrong("a slip of the hand", "url", {"spec.synPolicy": {}}, "spec.synPolicy", "unknown field"),
    Wrong("a file on a cluster", "file", {}, "source type", "use configmap, git, url or oci"),
)  # fmt: skip
