"""Somebody who looks at pages without scripts: keeps cookies, follows links, and sends the forms that a page has."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Reply, Request, new_request_id

HOST = "catalog.test"
_VOID = frozenset({"input", "link", "meta", "br", "hr", "img", "use", "path", "circle", "rect"})
_ASIDE = frozenset({"p", "li", "dt", "dd", "td", "th", "h1", "h2", "h3", "h4", "div", "summary"})
"""What stands apart from what follows it."""
_BLANKS = re.compile(r"\s+")


class Form(msgspec.Struct):
    """What would be sent as it stands, and the buttons that send it."""

    action: str
    method: str
    fields: list[tuple[str, str]] = []
    buttons: list[tuple[str, str, str]] = []
    """What is written on it, its name and its value."""


class Page(msgspec.Struct, kw_only=True):
    """An answer, read as a person without scripts sees it."""

    address: str
    status: int
    headers: dict[str, str]
    set_cookies: list[str]
    html: str
    text: str = ""
    """Of the body, blanks joined."""
    title: str = ""
    links: list[tuple[str, str]] = []
    """What is written on it, and where it leads."""
    ids: set[str] = set()
    forms: list[Form] = []

    def place(self, label: str) -> str:
        """Where the link with these words leads, else the first that has them among others."""
        found = [place for words, place in self.links if label == words]
        found += [place for words, place in self.links if label in words]
        assert found, f"no link says {label!r}: {[words for words, _ in self.links]}"
        return found[0]

    def form(self, action: str) -> Form:
        """The form that is sent there."""
        found = [each for each in self.forms if urlsplit(each.action).path == action]
        assert found, f"no form goes to {action}: {[each.action for each in self.forms]}"
        return found[0]


class Browser:
    """A visitor of one application."""

    def __init__(self, app: Responder) -> None:
        self._app = app
        self.cookies: dict[str, str] = {}

    async def open(self, target: str, *, follow: bool = True, **headers: str) -> Page:
        """A page; where it says that another one is to be looked at, that one."""
        page = await self._ask("GET", target, b"", headers)
        if follow and page.status in (303, 308):
            return await self.open(urljoin(target, page.headers["location"]))
        return page

    async def send(
        self, form: Form, button: str = "", *, follow: bool = True, **values: str | list[str]
    ) -> Page:
        """The form, with these values in place of what stands there; `button` is what is written on the one pressed."""
        pairs = [(name, value) for name, value in form.fields if name not in values]
        for name, given in values.items():
            pairs += [(name, each) for each in (given if isinstance(given, list) else [given])]
        if button:
            pairs += [(name, value) for words, name, value in form.buttons if button in words][:1]
        if form.method == "get":
            return await self.open(f"{form.action.partition('#')[0]}?{urlencode(pairs)}")
        return await self.post(form.action, pairs, follow=follow)

    async def post(
        self, action: str, pairs: list[tuple[str, str]], *, follow: bool = True, **headers: str
    ) -> Page:
        """What a form would send; from our own page, unless `headers` say otherwise."""
        told = {
            "content-type": "application/x-www-form-urlencoded",
            "sec-fetch-site": "same-origin",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        page = await self._ask("POST", action, urlencode(pairs).encode(), told)
        if follow and page.status == 303:
            return await self.open(urljoin(action, page.headers["location"]))
        return page

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Page:
        """Whatever else a client could send."""
        return await self._ask(method, target, body, headers)

    async def _ask(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Page:
        path, _, query = target.partition("#")[0].partition("?")
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {
            "host": HOST,
            "accept": "text/html",
            "accept-encoding": "gzip",
            **({"cookie": cookies} if cookies else {}),
            **({"content-length": str(len(body))} if body else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        request = Request(
            method=method,
            path=path.encode(),
            query=query.encode(),
            headers={name.encode(): value.encode("latin-1") for name, value in sent.items()},
            client="127.0.0.1",
            id=new_request_id(),
            incoming=_Body(body) if body else None,
        )
        context = Context()
        reply = self._app.respond(request, context)
        found = reply if isinstance(reply, Reply) else await reply
        page = await _page(target, found)
        self._take(page)
        return page

    def _take(self, page: Page) -> None:
        for line in page.set_cookies:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self, most: int) -> bytes:
        return self._content[: most + 1]


async def _page(address: str, reply: Reply) -> Page:
    raw = reply.body if isinstance(reply.body, bytes) else b"".join([p async for p in reply.body])
    headers = {name.decode(): value.decode("latin-1") for name, value in reply.headers}
    if headers.get("content-encoding") == "gzip":
        raw = gzip.decompress(raw)
    page = Page(
        address=address,
        status=reply.status,
        headers=headers,
        set_cookies=[v.decode() for name, v in reply.headers if name == b"set-cookie"],
        html=raw.decode(errors="replace"),
    )
    if "html" in headers.get("content-type", ""):
        _Reader(page).feed(page.html)
    return page


class _Reader(HTMLParser):
    """Fills in what a page says; fails for HTML that does not close what it opens."""

    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self._page = page
        self._open: list[str] = []
        self._words: list[str] = []
        self._link: tuple[str, int] | None = None
        self._button: tuple[Form, str, str, int] | None = None
        self._select: tuple[Form | None, str, list[tuple[str, bool]]] | None = None
        self._area: tuple[Form | None, str, int] | None = None
        self._form: Form | None = None
        self._named: dict[str, Form] = {}

    def feed(self, data: str) -> None:
        super().feed(data)
        self.close()
        assert not self._open, f"never closed: {self._open}"
        self._page.text = _joined(self._words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append(tag)
        if "id" in told:
            assert told["id"] not in self._page.ids, f"two elements are called {told['id']}"
            self._page.ids.add(told["id"])
        match tag:
            case "form":
                name = told.get("id", f" {len(self._page.forms)}")
                self._form = self._named.setdefault(name, Form("", ""))
                self._form.action = told.get("action", self._page.address)
                self._form.method = told.get("method", "get").lower()
                self._page.forms.append(self._form)
            case "a" if "href" in told:
                self._link = (told["href"], len(self._words))
            case "input":
                self._input(told)
            case "button":
                form = self._of(told)
                if form is not None:
                    name, value = told.get("name", ""), told.get("value", "")
                    self._button = (form, name, value, len(self._words))
            case "select":
                self._select = (self._of(told), told.get("name", ""), [])
            case "option" if self._select is not None:
                self._select[2].append((told.get("value", ""), "selected" in told))
            case "textarea":
                self._area = (self._of(told), told.get("name", ""), len(self._words))
            case _:
                pass

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Such as those of SVG, which have nothing in them."""

    def _of(self, told: dict[str, str]) -> Form | None:
        if "form" in told:
            return self._named.setdefault(told["form"], Form("", ""))
        return self._form

    def _input(self, told: dict[str, str]) -> None:
        form, kind = self._of(told), told.get("type", "text")
        is_off = kind in ("checkbox", "radio") and "checked" not in told
        if form is None or is_off or kind in ("submit", "button") or "name" not in told:
            return
        form.fields.append((told["name"], told.get("value", "on" if kind == "checkbox" else "")))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self._open[-1:] == [tag], f"</{tag}> closes {self._open[-3:]}"
        self._open.pop()
        if tag in _ASIDE:
            self._words.append(" ")
        match tag:
            case "form":
                self._form = None
            case "a" if self._link is not None:
                place, since = self._link
                self._page.links.append((_joined(self._words[since:]), place))
                self._link = None
            case "button" if self._button is not None:
                form, name, value, since = self._button
                form.buttons.append((_joined(self._words[since:]), name, value))
                self._button = None
            case "title":
                self._page.title = self._page.title or _joined(self._words[-1:])
            case "select" if self._select is not None:
                to, name, options = self._select
                chosen = [value for value, is_set in options if is_set] or [
                    value for value, _ in options[:1]
                ]
                if to is not None:
                    to.fields += [(name, value) for value in chosen]
                self._select = None
            case "textarea" if self._area is not None:
                to, name, since = self._area
                if to is not None:
                    to.fields.append((name, "".join(self._words[since:])))
                self._area = None
            case _:
                pass

    def handle_data(self, data: str) -> None:
        self._words.append(data)


def _joined(words: list[str]) -> str:
    return _BLANKS.sub(" ", "".join(words)).strip()
