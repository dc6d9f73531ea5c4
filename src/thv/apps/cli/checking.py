"""What is wrong with the entries of a document: the verdict of the published schema, and the rules beside it.

In the flow: behind `thv registry validate`. An error is what the published schema of the format refuses, or what
makes no sense to any client; a warning is what works, but not everywhere. Findings are made one entry at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from thv.apps.cli.documents import Paper
from thv.domain.canonical import JsonObject
from thv.formats.documents import Format, Item, Rejected
from thv.formats.mapping import PARKED
from thv.formats.schemas import schema_findings, toolhive_findings
from thv.formats.toolhive import Placed, placed_entry
from thv.formats.validation import Finding, Severity, validate_official, validate_toolhive

_HEAD = {"version": "1.0.0", "last_updated": "2025-01-01T00:00:00Z"}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is to say about one entry."""

    place: str
    name: str
    version: str
    findings: tuple[Finding, ...]

    @property
    def has_errors(self) -> bool:
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        return sum(finding.severity is Severity.WARNING for finding in self.findings)

    @property
    def title(self) -> str:
        """`name@version`, or the place of what has no name."""
        return f"{self.name}@{self.version}" if self.version else self.name or self.place

    def value(self) -> JsonObject:
        """In JSON."""
        return {
            "place": self.place,
            "name": self.name,
            "version": self.version,
            "valid": not self.has_errors,
            "findings": [msgspec.to_builtins(finding) for finding in self.findings],
        }


def verdicts(paper: Paper) -> Iterator[Verdict]:
    """One for each entry of the document, good or bad."""
    for item in paper.items():
        yield _verdict(item, paper)


def _verdict(item: Item, paper: Paper) -> Verdict:
    if isinstance(item, Rejected):
        unreadable = Finding("", item.reason, Severity.ERROR, "unreadable")
        return Verdict(place=item.place, name=item.name, version="", findings=(unreadable,))
    entry = item.entry
    format_ = paper.container.written_in if paper.container else _format_at(item.place)
    if format_ is Format.UPSTREAM:
        found = _with_verdict(validate_official(entry.server), schema_findings(entry.server))
        return Verdict(
            place=item.place, name=entry.name, version=entry.version, findings=tuple(found)
        )
    placed = placed_entry(entry)
    findings = tuple(_toolhive(placed))
    return Verdict(place=item.place, name=placed.key, version=entry.version, findings=findings)


def _format_at(place: str) -> Format:
    """Before a document is read to its end its places tell the format."""
    toolhive = place.startswith(("servers.", "remote_servers.", "groups["))
    return Format.TOOLHIVE if toolhive else Format.UPSTREAM


def _toolhive(placed: Placed) -> list[Finding]:
    """An official entry in ToolHive's form cannot have all that ToolHive's schema asks for; that is no error."""
    found = validate_toolhive(placed.key, placed.value, placed.section)
    custom = placed.value.get("custom_metadata")
    if isinstance(custom, dict) and PARKED in custom:
        return found
    return _with_verdict(found, _toolhive_verdict(placed))


def _toolhive_verdict(placed: Placed) -> list[Finding]:
    whole = toolhive_findings({**_HEAD, "servers": {}, placed.section: {placed.key: placed.value}})
    above = f"{placed.section}.{placed.key[:100]}"
    return [
        Finding(
            finding.path.removeprefix(above).removeprefix("."),
            finding.message,
            finding.severity,
            finding.rule,
        )
        for finding in whole
    ]


def _with_verdict(found: list[Finding], verdict: list[Finding]) -> list[Finding]:
    """The findings, as errors where the schema refuses the place, and what only the schema has found."""
    if not verdict:
        return found
    raised = [_raised(finding, verdict) for finding in found]
    if any(finding.severity is Severity.ERROR for finding in raised):
        return raised
    return raised + verdict


def _raised(finding: Finding, verdict: list[Finding]) -> Finding:
    """A warning becomes an error where the schema refuses the very field, or misses it."""
    if finding.severity is Severity.ERROR:
        return finding
    refused = any(_same_place(finding, each) for each in verdict)
    return msgspec.structs.replace(finding, severity=Severity.ERROR) if refused else finding


def _same_place(finding: Finding, refused: Finding) -> bool:
    if finding.path == refused.path:
        return True
    above, _, field = finding.path.rpartition(".")
    return refused.rule == "required" and above == refused.path and f'"{field}"' in refused.message
