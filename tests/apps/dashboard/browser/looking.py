"""A page in a real browser, and whoever watches that it does nothing that it must not.

Whatever is looked at is watched: requests to another origin, complaints in the console (those of the content security
policy are among them), errors of scripts and dialogs fail the test that caused them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError

from thv.apps.dashboard.selection import COOKIE, written

WIDTHS = (1280, 768, 360)
SCHEMES = ("light", "dark")
HEIGHT = 900
ZOOMED = 320
"""What 1280 px are at 400 %."""
_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_OF_COLOURS = ("color-contrast", "link-in-text-block")
_AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
_JUDGED = """async runOnly => {
  const found = await axe.run(document, {runOnly, resultTypes: ["violations"], preload: false});
  return found.violations.map(each => ({
    id: each.id, help: each.help, where: each.nodes.slice(0, 3).map(node => node.target.join(" ")),
    why: each.nodes[0].failureSummary, count: each.nodes.length,
  }));
}"""
_OVERFLOWING = """() => {
  const wide = innerWidth, out = [];
  if (document.documentElement.scrollWidth <= wide) return out;
  for (const each of document.body.querySelectorAll("*")) {
    const box = each.getBoundingClientRect();
    const isShown = each.checkVisibility({contentVisibilityAuto: true}) && !each.closest(".scroller, pre, .sr, svg");
    if (isShown && Math.max(box.right, box.left + each.scrollWidth) > wide + 1)
      out.push(each.tagName.toLowerCase() + "." + each.className + " ends at " + Math.round(box.right));
  }
  return out.length ? out.slice(-5) : ["the document is wider than the window"];
}"""
_WATCHED = """
window.__ran = [];
for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = () => { window.__ran.push(name); };
document.addEventListener("securitypolicyviolation",
  event => console.error("policy: " + event.violatedDirective + " " + event.blockedURI + " " + event.sample));
"""
_FOCUSED = """() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  const named = at.getAttribute("aria-label") || at.labels?.[0]?.textContent || at.textContent;
  return {
    tag: at.tagName.toLowerCase(), id: at.id, text: named.trim().replace(/\\s+/g, " "), href: at.getAttribute("href"),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    inView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""


class Focus(NamedTuple):
    """What has the focus, and whether that is seen."""

    tag: str
    id: str
    text: str
    href: str | None
    is_seen: bool


class Watch:
    """Notes what must not happen."""

    def __init__(self, context: BrowserContext, *origins: str) -> None:
        self._origins = origins
        self._refused = frozenset[str]()
        self.noted: list[str] = []
        context.on("request", self._asked)
        context.on("console", self._said)
        context.on("weberror", self._broke)

    def expect_refusal(self, url: str) -> None:
        """A page whose status is an error is one, and the browser says so; without a query it is any."""
        self._refused |= {url}

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" not in self._origins:
            self.noted.append(f"request: {request.url}")

    def _said(self, said: ConsoleMessage) -> None:
        url = said.location["url"]
        is_expected = not self._refused.isdisjoint((url, url.partition("?")[0]))
        is_refusal = said.text.startswith("Failed to load resource") and is_expected
        if said.type in ("error", "warning") and not is_refusal:
            self.noted.append(f"console: {said.text} {url}")

    def _broke(self, error: WebError) -> None:
        self.noted.append(f"script: {error.error}")


class Looking:
    """Opens pages of one service."""

    def __init__(self, browser: Browser, origin: str, *others: str) -> None:
        """`others` are origins that pages may lead to."""
        self._browser = browser
        self.origin = origin
        self._others = others
        self._watch: dict[BrowserContext, Watch] = {}

    def page(
        self, *, width: int = WIDTHS[0], scripts: bool = True, selected: tuple[str, ...] = ()
    ) -> Page:
        """A page of somebody who has never been here, or has put some servers aside before."""
        context = self._browser.new_context(
            base_url=self.origin,
            viewport={"width": width, "height": HEIGHT},
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        context.set_default_timeout(30_000)
        context.add_init_script(_WATCHED)
        self._watch[context] = Watch(context, self.origin, *self._others)
        if selected:
            value = written(selected)
            name = f"{COOKIE}_{urlsplit(self.origin).port}"
            context.add_cookies([{"name": name, "value": value, "url": self.origin}])
        return context.new_page()

    def open(self, page: Page, path: str, status: int = 200) -> None:
        """Goes there; the status is the one that is expected."""
        if status >= 400:
            self._watch[page.context].expect_refusal(self.origin + path)
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status, f"{path}: {answer.status}"

    def expect_refusal(self, page: Page, path: str) -> None:
        """What is loaded next from there is refused."""
        self._watch[page.context].expect_refusal(self.origin + path)

    def end(self) -> list[str]:
        """What was noted of all pages."""
        noted = []
        for context, watch in self._watch.items():
            for page in context.pages:
                if not page.is_closed():
                    noted += [f"ran: {each}" for each in _ran(page)]
            noted += watch.noted
            context.close()
        self._watch.clear()
        return noted


def _ran(page: Page) -> Sequence[str]:
    found: list[str] = page.evaluate("() => window.__ran || []")
    return found


def judge(page: Page, *, colours_alone: bool = False) -> list[Mapping[str, Any]]:
    """What axe finds on the page as it is now; nothing but its colours differs between the schemes."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_AXE)
    rules = {"type": "rule", "values": _OF_COLOURS}
    wanted = rules if colours_alone else {"type": "tag", "values": _TAGS}
    found: list[Mapping[str, Any]] = page.evaluate(_JUDGED, wanted)
    return found


def overflowing(page: Page) -> list[str]:
    """What makes the page wider than the window."""
    found: list[str] = page.evaluate(_OVERFLOWING)
    return found


def focused(page: Page) -> Focus:
    """What has the focus."""
    found = page.evaluate(_FOCUSED)
    is_seen = found["outlined"] and found["inView"]
    return Focus(found["tag"], found["id"], found["text"], found["href"], is_seen)
