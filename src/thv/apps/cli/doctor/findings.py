"""Findings: what one look at an installation came to.

In the flow: made by verdicts, put in order by `plan`, printed by `report`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec

from thv.apps.cli.exits import Exit

PAGE = "docs/how-to/troubleshoot.md"
UNREACHABLE = frozenset({"kubeconfig", "address", "reachable"})
"""Checks without which nothing can be said of a cluster."""


class Outcome(StrEnum):
    """What a finding means for whoever asked."""

    FINE = "fine"
    NOTE = "note"
    """Works, and may be a surprise one day."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Could not be looked at; nothing is known."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a report."""

    check: str
    """The word of the check, which is its anchor in the page about them."""
    outcome: Outcome
    message: str
    fix: str = ""
    """The command that mends it; for what no command can do, a sentence."""
    because: str = ""
    """Of a skipped check: the failed one that it needs, `""` for another reason."""

    @property
    def docs(self) -> str:
        """Where it is explained."""
        return f"{PAGE}#{self.check}"


Findings: TypeAlias = tuple[Finding, ...]


def fine(check: str, message: str) -> Finding:
    """Nothing to do."""
    return Finding(check=check, outcome=Outcome.FINE, message=message)


def note(check: str, message: str, fix: str) -> Finding:
    """Something to know."""
    return Finding(check=check, outcome=Outcome.NOTE, message=message, fix=fix)


def failed(check: str, message: str, fix: str) -> Finding:
    """Something to mend."""
    return Finding(check=check, outcome=Outcome.FAILED, message=message, fix=fix)


def skipped(check: str, message: str, because: str = "") -> Finding:
    """Something that nobody looked at."""
    return Finding(check=check, outcome=Outcome.SKIPPED, message=message, because=because)


def has_failed(findings: Iterable[Finding]) -> bool:
    """Whether something is to be mended."""
    return any(finding.outcome is Outcome.FAILED for finding in findings)


def exit_of(findings: Iterable[Finding]) -> Exit:
    """What the program ends with."""
    wrong = {finding.check for finding in findings if finding.outcome is Outcome.FAILED}
    if wrong & UNREACHABLE:
        return Exit.UNREACHABLE
    return Exit.FAILED if wrong else Exit.OK


def counts(findings: Iterable[Finding]) -> Mapping[Outcome, int]:
    """How many findings there are of each outcome, none included."""
    found = Counter(finding.outcome for finding in findings)
    return {outcome: found[outcome] for outcome in Outcome}
