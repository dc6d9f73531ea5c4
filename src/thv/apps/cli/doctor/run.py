"""One run of `thv doctor`: which checks, about what, and what they came to.

In the flow: the only module of this room that knows a session.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from thv.apps.cli.doctor.cluster_checks import after_installation, before_installation, on_the_way
from thv.apps.cli.doctor.findings import Findings, exit_of
from thv.apps.cli.doctor.machine_checks import of_machine, of_program
from thv.apps.cli.doctor.machine_reader import Machine, program_of
from thv.apps.cli.doctor.plan import Check, examine
from thv.apps.cli.doctor.remedies import SYSTEM, Remedies
from thv.apps.cli.doctor.report import Teller, print_findings
from thv.apps.cli.doctor.way import Chosen, Way
from thv.apps.cli.exits import Exit
from thv.apps.cli.session import Session
from thv.clients.kube.config import Acting

_ANSWERS = 0.8
"""The share of its time that a check waits for one answer, so that it can say which one did not come."""


async def run_doctor(session: Session, *, pre: bool, seconds: float) -> Exit:
    """Looks, tells, and says how it ended; no check takes more seconds."""
    if pre or session.settings.on_cluster:
        return await _of_cluster(session, seconds, pre=pre)
    home = session.local.home
    machine = Machine(home, session.local.clock, session.common.around.environ)
    checks = [_program(session), *of_machine(machine, home, Remedies(program=session.program))]
    code = await _told(session, checks, seconds, lambda: str(home.root))
    if (session.common.around.home / ".kube" / "config").is_file():
        session.console.hint("a cluster is looked at with: thv doctor --backend kubernetes")
    return code


async def _of_cluster(session: Session, seconds: float, *, pre: bool) -> Exit:
    settings, around = session.settings, session.common.around
    chosen = Chosen(
        environ={"HOME": str(around.home), **around.environ},
        kubeconfig=settings.kubeconfig,
        context=settings.context,
        acting=Acting(user=settings.acts_as, groups=settings.acts_as_groups),
    )
    remedies = Remedies(
        name=session.common.program,
        program=session.program,
        context=settings.context,
        kubeconfig=settings.kubeconfig,
    )
    named = settings.namespace if settings.has_own_namespace else ""
    way = Way(chosen, around.clock, patience=_ANSWERS * seconds)
    further = (
        before_installation(way, remedies, named or SYSTEM)
        if pre
        else after_installation(way, remedies, named)
    )
    try:
        checks = [_program(session), *on_the_way(way, remedies), *further]
        return await _told(session, checks, seconds, lambda: way.origin)
    finally:
        await way.close()


async def _told(
    session: Session, checks: list[Check], seconds: float, place: Callable[[], str]
) -> Exit:
    if session.output != "text":
        found = await examine(checks, seconds=seconds)
        code = exit_of(found)
        print_findings(found, session.output, session.console, place=place(), code=int(code))
        return code
    teller = Teller(session.console)
    findings: Findings = await examine(checks, teller.tell, seconds=seconds)
    teller.end(findings)
    return exit_of(findings)


def _program(session: Session) -> Check:
    path = session.common.around.environ.get("PATH", "")
    return of_program(program_of(sys.argv[0], path))
