"""The schema of an MCPRegistry where there is no cluster; on one, the same table is held against its API server."""

from __future__ import annotations

import pytest

from tests.domain.shape_cases import SHAPES, Shape
from thv.domain.errors import InvalidError
from thv.stores.resources.memory import MemoryStore

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-01")]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.title)
async def test_a_value_is_judged(shape: Shape) -> None:
    store = MemoryStore()
    if shape.passes:
        await store.create(shape.registry(), manager="test")
        return
    with pytest.raises(InvalidError) as error:
        await store.create(shape.registry(), manager="test")
    assert shape.says in error.value.message
