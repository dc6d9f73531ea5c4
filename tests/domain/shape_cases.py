"""Cases for the schema of an MCPRegistry: values that a field may have, and values that it may not.

The store of one machine and an API server must agree on each, and name the same field.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tests.domain.rule_cases import ABSENT, Case
from thv.domain.canonical import JsonObject


class Shape(msgspec.Struct, frozen=True):
    """A registry with a value at a path, and whether the schema takes it."""

    passes: bool
    source: str
    changes: dict[str, Any]
    says: str = ""
    """What both say of a refused value, word for word."""

    @property
    def title(self) -> str:
        return self._case().title

    def registry(self) -> JsonObject:
        return self._case().registry()

    def _case(self) -> Case:
        return Case("schema", self.passes, self.source, self.changes)


_NAME = 'must be the name of an object of this namespace: a-z, 0-9, "-" and ".", a letter or digit at both ends'
_DURATION = "must be a duration such as 30s, 5m or 1h30m"
_KEY = 'must be a key of a ConfigMap or Secret: letters, digits, "-", "_" and "."'
_TEAM = 'must be the name of a team: a-z, 0-9 and "-", a letter or digit at both ends'
_DIGEST = "must be a digest: sha256: and 64 hex digits in lower case"
_COMMIT = "must be a full commit id: 40 or 64 hex digits in lower case"
_QUANTITY = "must be a quantity such as 250m, 128Mi or 1Gi"
_REPOSITORY = "must be a repository without tag"


def _values(
    source: str, path: str, good: list[Any], bad: list[Any], says: str = ""
) -> Iterator[Shape]:
    yield from (Shape(True, source, {path: value}) for value in good)
    yield from (Shape(False, source, {path: value}, says) for value in bad)


def _texts() -> Iterator[Shape]:
    secret = "spec.source.git.authSecret"
    yield from _values(
        "git",
        f"{secret}.name",
        ["a", "git-read", "a.b"],
        ["A", "a/b", "-a", "a-", "a_b", "a\n"],
        _NAME,
    )
    yield from _values(
        "configmap",
        "spec.source.configMap.key",
        ["a", "A_b-c.json", "..x"],
        ["a/b", "a b", "ä"],
        _KEY,
    )
    yield from _values(
        "git",
        "spec.source.git.commit",
        ["0" * 40, "f" * 64],
        ["0" * 39, "0" * 50, "F" * 40, "main"],
        _COMMIT,
    )
    yield from _values(
        "oci", "spec.source.oci.digest", ["sha256:" + "0" * 64], ["sha256:0", "0" * 64], _DIGEST
    )
    yield from _values(
        "oci",
        "spec.source.oci.reference",
        ["ghcr.io/a/b", "localhost:5000/a"],
        ["ghcr.io", "ghcr.io/a:1", "GHCR.io/a", "oci://ghcr.io/a"],
        _REPOSITORY,
    )
    yield from _values(
        "url",
        "spec.syncPolicy.interval",
        ["1h30m", "90s", "1.5h"],
        ["1 day", "1d", "", "h", "-1h", "1h ", "1h\n"],
        _DURATION,
    )
    yield from _values("url", "spec.displayName", ["", "ä" * 128], ["a" * 129])
    yield from _values("file", "spec.source.file.path", ["/x"], [""])


def _policies() -> Iterator[Shape]:
    tested = {"spec.trustLevel": "tested"}
    review = "spec.validationPolicy.review"
    for good, name in ((True, "security-team"), (True, "a"), (False, "Security"), (False, "a b")):
        criteria = {"spec.promotionCriteria": {"approvedBy": [name]}}
        yield Shape(good, "url", {**tested, **criteria}, "" if good else _TEAM)
    finding = {"id": "CVE-1", "reason": "not reachable", "expiresAt": "2027-03-01T00:00:00Z"}
    for good, change in (
        (True, {}),
        (True, {"expiresAt": "2027-03-01T00:00:00.5+02:00"}),
        (False, {"expiresAt": "tomorrow"}),
        (False, {"expiresAt": "2027-13-01T00:00:00Z"}),
        (False, {"expiresAt": "2027-03-01"}),
        (False, {"reason": "short"}),
        (False, {"id": ""}),
    ):
        findings = {"spec.validationPolicy": {"scan": {"ignoredFindings": [finding | change]}}}
        yield Shape(good, "url", {**tested, **findings})
    yield Shape(False, "url", {**tested, f"{review}.teams": [{"name": "a"}, {"name": "a"}]})
    yield Shape(False, "url", {**tested, f"{review}.teams": [{"min": 2}]})
    yield Shape(False, "url", {**tested, f"{review}.minApprovals": 0})
    yield Shape(False, "url", {**tested, f"{review}.onTimeout": "never"})


def _amounts() -> Iterator[Shape]:
    memory = "spec.api.resources.limits.memory"
    good: list[Any] = ["128Mi", "1Gi", "1e3", "0.5", ".5", "100m", 1024, "1024"]
    yield from _values(
        "url", memory, good, ["128MB", "128 Mi", "much", "-1", "1e100", ""], _QUANTITY
    )
    cpu = {"spec.api.resources.limits.cpu": 1}
    for bad in ("much", "1e99999999"):
        yield Shape(False, "url", {**cpu, "spec.api.resources.requests.cpu": bad}, _QUANTITY)
    yield from _values("url", "spec.api.replicas", [1, 5], [0, 6, "1", 1.5])
    yield from _values("url", "spec.syncPolicy.retry.maxRetries", [0, 10], [-1, 11])


def _kinds() -> Iterator[Shape]:
    yield from _values(
        "url", "spec.trustLevel", ["raw", "tested", "trusted"], ["high", "", "Raw", 1]
    )
    yield from _values("url", "spec.format", ["toolhive", "upstream"], ["json"])
    yield from _values("url", "spec.source.type", [], ["gitt", "Git", ABSENT])
    yield from _values("url", "spec.enforceServers", [True, False], ["yes", 1])
    yield from _values("url", "spec.source", [], [ABSENT, [], "x"])
    yield from _values("url", "spec", [], [ABSENT, []])
    yield from _values("url", "spec.api.mode", ["shared", "dedicated"], ["both"])
    tags = "spec.filter.include.tags"
    yield from _values(
        "url", tags, [["a"], []], [["a", "a"], "a", [1], ["a" * 64], [str(i) for i in range(101)]]
    )
    yield from _values("url", "spec.filter.include.transports", [["sse"]], [["http"]])
    yield from _values(
        "url",
        "spec.source.url.headers",
        [{"A": "x" * 1024}],
        [{"A": "x" * 1025}, {"A": 1}, ["A"], {f"A{i}": "" for i in range(21)}],
    )
    yield from _values(
        "git", "spec.source.git.authSecret", [{"name": "a"}], [{}, {"tokenKey": "t"}]
    )
    yield from _values("oci", "spec.source.oci.verify", [{"keySecret": {"name": "a"}}], [{}])
    yield from _values("url", "spec.syncPolicy.webhook", [{"secretRef": {"name": "a"}}], [{}])


SHAPES: tuple[Shape, ...] = (*_texts(), *_policies(), *_amounts(), *_kinds())
