"""What strangers write is shown as it is written, and does nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page

from tests.apps.dashboard.browser.conftest import Guarded
from tests.apps.dashboard.browser.hostile import ATTACKS
from tests.apps.dashboard.browser.looking import HEIGHT, Looking, overflowing

_HIGHEST = 60_000
"""Pixels of a page at most, however much an entry has of something."""
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\U000e0000-\U000e0fff]"
    "|(?<![\ufe0f\U0001f000-\U0001faff])\u200d"  # between pictures it makes one of two
)
_STATE = """() => {
  const box = name => document.querySelector(name).getBoundingClientRect();
  const every = [...document.querySelectorAll("*")];
  const links = [...document.querySelectorAll("[href], [src], [action], [formaction]")];
  const address = each => each.href?.baseVal ?? each.href ?? each.src ?? each.action;
  return {
    ran: window.__ran,
    handlers: every.flatMap(each => each.getAttributeNames().filter(name => /^on|^style$|hx-on/.test(name))),
    strangers: [...document.querySelectorAll("iframe, object, embed, img, base, style, body script, body link, template")].map(each => each.outerHTML),
    schemes: [...new Set(links.map(each => new URL(address(each), location.href).protocol))],
    text: document.body.innerText, title: document.title,
    top: box("header.top").top + scrollY, foot: box("footer").bottom + scrollY, end: document.documentElement.scrollHeight,
  };
}"""


def enter(looking: Looking, guarded: Guarded, page: Page) -> None:
    """Signs in."""
    looking.open(page, "/signin")
    page.locator("#token").fill(guarded.token)
    page.get_by_role("button", name="Sign in").click()
    page.locator("details.menu").wait_for()


def _places() -> Iterator[str]:
    server = "/servers/default/{}/{}".format
    for number, name in enumerate(ATTACKS):
        if number % 2:
            yield server("toolhive", f"{name}-container")
        else:
            yield server("official", quote(f"io.example/{name}", safe=""))
    for name in ("script", "attribute", "name-with-html", "bidi"):
        yield server("toolhive", quote(ATTACKS[name], safe=""))
        yield f"/tools/{quote(ATTACKS[name], safe='')}"
    yield server("toolhive", "htmx-remote")
    yield server("toolhive", "script-address-remote")
    yield server("many", "many")
    for name in ("script", "long"):
        place = server("official", quote(f"io.example/{name}", safe=""))
        yield f"{place}/compare"
        yield f"{place}/install"
    yield f"{server('toolhive', quote(ATTACKS['image'], safe=''))}/install"
    yield from (
        "/", "/servers", "/servers?sort=-stars", "/servers?tags=hostile&search=x", "/tools", "/tools?search=script",
        "/categories", "/registries", "/registries/default/toolhive", "/registries/default/official",
        "/registries/default/lost", "/registries/new", "/deployments", "/deployments?origin=none",
        "/deployments/adopt?namespace=default&name=script-container", "/generate", "/settings/access",
    )  # fmt: skip


def _wrong(page: Page) -> dict[str, Any]:
    """What is not as it should be, at two widths."""
    found: dict[str, Any] = {}
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        wide = overflowing(page)
        state = page.evaluate(_STATE)
        found |= {
            f"{name} at {width}": value
            for name, value in {
                "ran": state["ran"],
                "handlers": state["handlers"],
                "strangers": state["strangers"],
                "schemes": [each for each in state["schemes"] if each not in ("http:", "https:")],
                "hidden": [hex(ord(each)) for each in _HIDDEN.findall(state["text"] + state["title"])],
                "computed": [each for each in ("49 49", "$49") if each in state["text"]],
                "wider than the window": wide,
                "header": state["top"] if state["top"] != 0 else None,
                "footer": (state["foot"], state["end"]) if abs(state["foot"] - state["end"]) > 2 else None,
                "height": state["end"] if state["end"] > _HIGHEST else None,
            }.items()
            if value
        }  # fmt: skip
    return found


def test_nothing_that_is_written_does_anything(strange: Looking, guarded: Guarded) -> None:
    chosen = ("script", "attribute", "bidi", "name-with-html")
    selected = tuple(f"default/toolhive/{ATTACKS[name]}" for name in chosen)
    page = strange.page(selected=selected)
    enter(strange, guarded, page)
    wrong = {}
    for place in _places():
        answer = page.goto(place)
        assert answer is not None
        found = _wrong(page) | ({} if answer.status == 200 else {"status": answer.status})
        if found:
            wrong[place] = found
    assert not wrong, "\n".join(f"{place}: {found}" for place, found in wrong.items())


ASKED = (
    "/servers?search={}",
    "/servers?tier={}&tags={}&registry={}&nothing={}",
    "/servers?labelSelector={}",
    "/servers?cursor={}&sort={}",
    "/tools?search={}",
    "/registries?search={}",
    "/signin?next={}",
    "/{}",
    "/servers/{}/{}/{}",
    "/registries/{}/{}",
)


def test_nothing_that_is_asked_does_anything(strange: Looking, guarded: Guarded) -> None:
    page = strange.page()
    enter(strange, guarded, page)
    wrong = {}
    for number, address in enumerate(ASKED):
        for name in ("script", "attribute", "bidi", "template")[number % 2 :: 2]:
            place = address.replace("{}", quote(ATTACKS[name][:180], safe=""))
            strange.expect_refusal(page, place)
            page.goto(place)
            found = _wrong(page)
            if found:
                wrong[f"{address} {name}"] = found
    assert not wrong, "\n".join(f"{place}: {found}" for place, found in wrong.items())
