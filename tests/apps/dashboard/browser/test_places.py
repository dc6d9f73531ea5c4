"""Every page in both schemes and three widths: accessible, as wide as its window, quiet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.dashboard.browser.looking import (
    HEIGHT,
    SCHEMES,
    WIDTHS,
    ZOOMED,
    Looking,
    judge,
    overflowing,
)
from tests.apps.dashboard.browser.places import PLACES, Place
from thv.apps.dashboard.assets import Assets
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.pages import rows
from thv.apps.dashboard.rendering import Renderer
from thv.apps.dashboard.sessions import MemorySessions
from thv.apps.kit.http.message import Answer, Request
from thv.apps.kit.http.rates import Limiter, Rates


def test_no_page_is_left_out() -> None:
    async def nobody(_: Request) -> Answer:
        raise AssertionError

    desk = Desk(
        nobody, MemorySessions(), Renderer(Assets()), has_sign_in=True, limiter=Limiter(Rates())
    )
    shown = {row.template for row in rows(desk) if row.method == "GET"}
    assert shown == {place.template for place in PLACES} - {""}


@pytest.mark.requirement("GOV-14")
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_page_is_good_to_look_at(place: Place, looking: Looking, pictures: Path) -> None:
    page = looking.page(selected=place.selected)
    looking.open(page, place.path, place.status)
    wrong: dict[str, list[str]] = {}
    for scheme in SCHEMES:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            for each in [*judge(page, colours_alone=scheme != SCHEMES[0]), *overflowing(page)]:
                wrong.setdefault(str(each), []).append(f"{scheme} {width}")
            picture = pictures / f"{place.name}-{width}-{scheme}.png"
            page.screenshot(path=picture, full_page=True)
    page.set_viewport_size({"width": ZOOMED, "height": HEIGHT})
    for each in overflowing(page):
        wrong.setdefault(each, []).append(f"{ZOOMED}")
    assert not wrong, "\n".join(f"{', '.join(where)}: {each}" for each, where in wrong.items())
