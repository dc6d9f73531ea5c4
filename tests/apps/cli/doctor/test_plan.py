"""Checks are run at once, in time, and not without what they need."""

from __future__ import annotations

import asyncio
import threading

from thv.apps.cli.doctor.findings import Findings, Outcome, failed, fine
from thv.apps.cli.doctor.plan import Check, aside, examine
from thv.clients.kube.errors import KubeError, KubeUnreachableError


def check(
    id_: str, *findings: str, needs: tuple[str, ...] = (), error: Exception | None = None
) -> Check:
    """One that finds nothing wrong, or these things."""

    async def look() -> Findings:
        if error is not None:
            raise error
        return tuple(failed(id_, each, "mend") for each in findings) or (fine(id_, "good"),)

    return Check(id=id_, topic="All", look=look, needs=needs, stuck="ask")


def found(*checks: Check, seconds: float = 60.0) -> dict[str, tuple[Outcome, str]]:
    findings = asyncio.run(examine(checks, seconds=seconds))
    return {each.check: (each.outcome, each.message) for each in findings}


def test_what_needs_a_failed_check_says_so_however_far_it_is() -> None:
    all_ = found(
        check("a", "broken"),
        check("b", needs=("a",)),
        check("c", needs=("b",)),
        check("d"),
    )
    assert all_ == {
        "a": (Outcome.FAILED, "broken"),
        "b": (Outcome.SKIPPED, 'not looked at, as "a" failed'),
        "c": (Outcome.SKIPPED, 'not looked at, as "a" failed'),
        "d": (Outcome.FINE, "good"),
    }


def test_a_check_that_never_ends_ends_in_time_and_the_others_go_on() -> None:
    async def never() -> Findings:
        await aside(threading.Event().wait)
        return ()

    hanging = Check(id="hanging", topic="All", look=never, stuck="ask elsewhere")
    findings = asyncio.run(examine([hanging, check("other")], seconds=0.05))
    assert findings == (
        failed("hanging", "no answer within 0.05 s", "ask elsewhere"),
        fine("other", "good"),
    )


def test_a_refusal_is_no_fault_and_every_other_error_is() -> None:
    assert found(
        check("refused", error=KubeError("jane cannot list pods", status=403)),
        check("broken", error=KubeError("etcd is gone", status=500)),
        check("away", error=KubeUnreachableError("no connection")),
        check("further", needs=("refused",)),
        check("faulty", error=KeyError("spec")),
    ) == {
        "refused": (Outcome.SKIPPED, "you cannot list pods"),
        "broken": (Outcome.FAILED, "etcd is gone"),
        "away": (Outcome.FAILED, "no connection"),
        "further": (Outcome.FINE, "good"),
        "faulty": (Outcome.FAILED, "the check itself broke: KeyError: 'spec'"),
    }


def test_findings_are_told_in_the_order_of_the_checks() -> None:
    order: list[str] = []
    slow = asyncio.Event

    async def story() -> None:
        gate = slow()

        async def late() -> Findings:
            await gate.wait()
            return (fine("late", ""),)

        async def early() -> Findings:
            gate.set()
            return (fine("early", ""),)

        checks = [
            Check(id=id_, topic="All", look=look, stuck="")
            for id_, look in (("late", late), ("early", early))
        ]
        await examine(checks, lambda check, _: order.append(check.id), seconds=60)

    asyncio.run(story())
    assert order == ["late", "early"]


def test_what_a_thread_raises_is_raised_where_it_is_awaited() -> None:
    async def story() -> str:
        try:
            await aside(int, "x")
        except ValueError:
            return "raised"
        return "lost"

    assert asyncio.run(story()) == "raised"
