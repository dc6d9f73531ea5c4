"""Runs the long-lived processes of a cluster: no session, no data folder, no output but a log.

In the flow: between the commands that images start and the doors behind them. Errors end as with every command.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from thv.apps.cli.exits import Exit, exit_of
from thv.apps.cli.loader import load
from thv.domain.errors import ThvError

_LOOP = "uvloop:new_event_loop"


def run_role(story: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Runs it to its end; the exit code."""
    try:
        with asyncio.Runner(loop_factory=load(_LOOP)) as runner:
            runner.run(story())
    except ThvError as error:
        hint = f"\nTry:   {error.hint}" if error.hint else ""
        sys.stderr.write(f"Error: {error.message}{hint}\n")
        return int(exit_of(error))
    except KeyboardInterrupt:
        return int(Exit.INTERRUPTED)
    return int(Exit.OK)


def environment() -> dict[str, str]:
    """The environment of this process, for the settings of a role."""
    return dict(os.environ)
