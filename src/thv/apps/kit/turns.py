"""How long a thread of ours may keep others waiting.

In the flow: called once by processes that answer requests while threads beside them read, compare and index.
"""

from __future__ import annotations

import sys

_SECONDS = 0.001


def short_turns() -> None:
    """Whoever waits for the interpreter gets it after a millisecond, not after five.

    Each wait of the event loop gives it to a thread that has work; with five milliseconds a time, that is what readers
    would notice of a large sync.
    """
    sys.setswitchinterval(_SECONDS)
