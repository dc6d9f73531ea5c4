"""`thv` with one thread beside the main one, so that the n-th write of a thread is the same write each time.

Work in threads is awaited before the next begins; which thread of several has it depends on how busy the machine is.
"""

from __future__ import annotations

import concurrent.futures
from concurrent.futures import ThreadPoolExecutor

__all__ = ["main"]


class OneThread(ThreadPoolExecutor):
    """What an event loop makes for itself."""

    def __init__(self, max_workers: int | None = None, thread_name_prefix: str = "") -> None:
        super().__init__(1, thread_name_prefix)


concurrent.futures.ThreadPoolExecutor = OneThread  # type: ignore[misc,assignment] # before anybody takes it

from thv.main import main  # noqa: E402

if __name__ == "__main__":
    main()
