"""From rows to reads: which stretches of a body file hold a page.

In the flow: between the rows that a query found and the bytes that a door sends. Bodies of a full build lie in
the order of names, so a page of neighbours is one read. What lies between scattered ones is not read with them:
a read of its own costs less than copying a few kilobytes that nobody asked for.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from itertools import accumulate

from thv.domain.errors import Code, ThvError
from thv.stores.models.query import Form, Plan

PAGE_LIMIT = 4 << 20
"""Bytes after which a page ends, however few rows it has."""


def plan_of(
    form: Form, places: Sequence[int], sizes: Sequence[int], *, apart: bool = False
) -> Plan:
    """The plan for these bodies, in this order, up to the byte bound and at least one.

    `apart` reads each by itself, for those who must change each.
    """
    count = _fitting(sizes)
    starts, lengths = array("q"), array("I")
    end = -1
    for place, size in zip(places[:count], sizes[:count], strict=True):
        if place == end + 1 and starts and not apart:
            lengths[-1] += size + 1
        else:
            starts.append(place)
            lengths.append(size)
        end = place + size
    return Plan(form, starts, lengths, count)


def _fitting(sizes: Sequence[int]) -> int:
    if sum(sizes) <= PAGE_LIMIT:
        return len(sizes)
    within = sum(1 for total in accumulate(sizes) if total <= PAGE_LIMIT)
    return max(within, 1)


def read_stretches(descriptor: int, plan: Plan) -> list[bytes]:
    """The stretches one by one; of a plan whose bodies are apart, the bodies."""
    pread = os.pread
    found = [
        pread(descriptor, size, place) for place, size in zip(plan.places, plan.sizes, strict=True)
    ]
    if sum(map(len, found)) != sum(plan.sizes):
        raise ThvError(
            Code.STORE_UNAVAILABLE,
            "a file of the read model is shorter than it should be",
            hint="It is built again with the next snapshot; restart the server to build it now.",
        )
    return found
