"""Runs checks: as many at once as do not need each other, each within its time.

In the flow: between the checks of a place and the report. A check whose ground is gone is not run, and says which
check took it away.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

import msgspec

from thv.apps.cli.doctor.findings import Findings, Outcome, failed, has_failed, skipped
from thv.clients.kube.errors import KubeConfigError, KubeError, KubeUnreachableError
from thv.domain.errors import ThvError

T = TypeVar("T")
P = ParamSpec("P")

_FORBIDDEN = 403


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is looked at."""

    id: str
    topic: str
    """The heading that it stands under."""
    look: Callable[[], Awaitable[Findings]]
    needs: tuple[str, ...] = ()
    """Checks that must not have failed; they stand before this one."""
    stuck: str
    """The command that tells more when no answer comes in time."""


async def examine(
    checks: Sequence[Check],
    told: Callable[[Check, Findings], None] = lambda *_: None,
    *,
    seconds: float,
) -> Findings:
    """The findings in the order of the checks; `told` hears of each check once those before it are told.

    A check that takes more seconds has failed.
    """
    running: dict[str, asyncio.Task[Findings]] = {}
    for check in checks:
        needed = {need: running[need] for need in check.needs}
        running[check.id] = asyncio.create_task(_one(check, needed, seconds))
    found: Findings = ()
    for check in checks:
        findings = await running[check.id]
        told(check, findings)
        found += findings
    return found


async def _one(
    check: Check, needed: Mapping[str, asyncio.Task[Findings]], seconds: float
) -> Findings:
    for need, running in needed.items():
        cause = _blocked_by(need, await running)
        if cause:
            return (skipped(check.id, f'not looked at, as "{cause}" failed', because=cause),)
    try:
        async with asyncio.timeout(seconds):
            return await check.look()
    except TimeoutError:
        return (failed(check.id, f"no answer within {seconds:g} s", check.stuck),)
    except KubeError as error:
        if error.status == _FORBIDDEN:
            return (skipped(check.id, _forbidden(error.message)),)
        return (failed(check.id, error.message, check.stuck),)
    except (KubeUnreachableError, KubeConfigError, ThvError) as error:
        return (failed(check.id, error.message, check.stuck),)
    except Exception as error:  # noqa: BLE001 # a check that breaks does not take the others with it
        what = f"the check itself broke: {type(error).__name__}: {error}"
        return (failed(check.id, what, check.stuck),)


def _forbidden(message: str) -> str:
    """What Kubernetes says, without what precedes the verb."""
    _, cannot, what = message.partition(" cannot ")
    return f"you cannot {what}" if cannot else f"you may not look: {message}"


def _blocked_by(need: str, findings: Findings) -> str:
    """The check that failed, be it an earlier one; `""` when the way is free."""
    if has_failed(findings):
        return need
    lost = next((each for each in findings if each.outcome is Outcome.SKIPPED), None)
    return lost.because if lost is not None else ""


async def aside(look: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What may block for ever (a file system, a resolver), in a thread that nobody waits for at the end."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()

    def settle(put: Callable[[Any], None], value: Any) -> None:
        if not found.done():
            put(value)

    def run() -> None:
        put: Callable[[Any], None]
        value: Any
        try:
            put, value = found.set_result, look(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 # it is raised where the future is awaited
            put, value = found.set_exception, error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, put, value)

    threading.Thread(target=run, daemon=True).start()
    return await found
