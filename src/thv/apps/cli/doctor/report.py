"""Prints findings: a line each, as they come, or all of them as JSON or YAML.

In the flow: last. Each line that is not fine ends with the command that mends it.
"""

from __future__ import annotations

from thv.apps.cli.console import Console, safe
from thv.apps.cli.doctor.findings import PAGE, Finding, Findings, Outcome, counts
from thv.apps.cli.doctor.plan import Check
from thv.apps.cli.output import OUTPUT_VERSION, print_value
from thv.domain.canonical import JsonObject

_SIGNS = {
    Outcome.FINE: "ok",
    Outcome.NOTE: "note",
    Outcome.FAILED: "fail",
    Outcome.SKIPPED: "skip",
}
_WIDTH = 15


class Teller:
    """Tells checks one after the other under the headings of their topics."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._topic = ""

    def tell(self, check: Check, findings: Findings) -> None:
        """The findings of one check."""
        if check.topic != self._topic:
            gap = "\n" if self._topic else ""
            self._console.data(f"{gap}{self._console.paint(check.topic, 'bold')}\n")
            self._topic = check.topic
        for finding in findings:
            self._console.data(self._line(finding))
        self._console.out.flush()

    def end(self, findings: Findings) -> None:
        """How many there are of each outcome, and where they are explained."""
        many = counts(findings)
        parts = [f"{many[outcome]} {outcome}" for outcome in Outcome if many[outcome]]
        wrong = many[Outcome.FAILED] + many[Outcome.NOTE]
        page = f"; each is explained in {PAGE}" if wrong else ""
        self._console.data(f"\n{', '.join(parts)}{page}\n")

    def _line(self, finding: Finding) -> str:
        sign = self._console.mark(_SIGNS[finding.outcome], err=False)
        fix = f".  Try: {safe(finding.fix)}" if finding.fix else ""
        return f"{sign} {finding.check:<{_WIDTH}} {safe(finding.message)}{fix}\n"


def print_findings(
    findings: Findings, output: str, console: Console, *, place: str, code: int
) -> None:
    """All of them for a program."""
    head = {"apiVersion": OUTPUT_VERSION, "kind": "FindingList", "place": place, "exitCode": code}
    many = {outcome.value: number for outcome, number in counts(findings).items()}
    items = [_value(finding) for finding in findings]
    print_value({**head, "counts": many, "items": items}, output, console)


def _value(finding: Finding) -> JsonObject:
    """Always the same members, whatever is in them."""
    return {
        "check": finding.check,
        "outcome": finding.outcome.value,
        "message": finding.message,
        "fix": finding.fix,
        "because": finding.because,
        "docs": finding.docs,
    }
