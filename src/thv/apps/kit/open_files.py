"""How many files this process may have open.

In the flow: set once when a server starts. Each client is a file, and so is each port; each open read model has some.
"""

from __future__ import annotations

import resource


def allow_open_files() -> None:
    """As many as the platform allows: the usual limit is from times when that was not asked for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
