"""Templates to answers.

In the flow: a page's function says which template and what is in it; every text that is put in is escaped, and made
visible where it hides something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import jinja2
from markupsafe import Markup, escape

from thv.apps.dashboard import wording
from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.assets import Assets
from thv.apps.dashboard.forgery import FIELD, form_token
from thv.apps.dashboard.permissions import REACHES
from thv.apps.dashboard.selection import anchor
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.message import Answer, Header

Values: TypeAlias = Mapping[str, Any]

HTML = (b"content-type", b"text/html; charset=utf-8")
POLICY = (
    b"content-security-policy",
    b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
)
FRAGMENT = "fragment"
"""The block of a template that a script asks for alone."""
_VARY = (b"vary", b"HX-Request, Cookie")
_KEPT_BY_NOBODY = (b"cache-control", b"no-store")


class Renderer:
    """The templates of the package."""

    def __init__(self, assets: Assets) -> None:
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("thv.apps.dashboard"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_finalized,
            auto_reload=False,
        )
        environment.globals.update(asset=assets.url, at=path, query=query_of, reaches=REACHES)
        environment.filters.update(
            age=wording.age,
            link=wording.link,
            digest=wording.short_digest,
            number=wording.number,
            hidden=wording.hidden_in,
            anchor=anchor,
            exact=_exact,
            pieces=wording.pieces,
            sentence=wording.sentence,
        )
        environment.globals["plural"] = wording.plural
        for shared in ("bits", "cards", "fields", "tables"):
            environment.globals[shared] = environment.get_template(f"parts/{shared}.html").module
        self._environment = environment

    def page(self, visit: Visit, template: str, status: int = 200, **values: Any) -> Answer:
        """A page, or the part of it that a script asks for."""
        return Answer(status, _headers(), self._text(visit, template, values).encode())

    def bare(self, template: str, status: int, values: Values, *headers: Header) -> Answer:
        """A page for somebody of whom nothing is known."""
        text = self._environment.get_template(template).render({"visit": None, **values})
        return Answer(status, (*_headers(), *headers), text.encode())

    def _text(self, visit: Visit, template: str, values: Values) -> str:
        found = self._environment.get_template(template)
        known = {"visit": visit, "csrf": lambda: _hidden_field(visit), **values}
        if visit.is_fragment and FRAGMENT in found.blocks:
            context = found.new_context(known)
            return "".join(found.blocks[FRAGMENT](context))
        return found.render(known)


def _headers() -> tuple[Header, ...]:
    return (HTML, POLICY, _VARY, _KEPT_BY_NOBODY)


def _hidden_field(visit: Visit) -> Markup:
    value = form_token(visit.number)
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, value)


def _exact(value: Any) -> Markup:
    """A text that a form sends back, to the character; escaped as all are."""
    return escape(value)


def _finalized(value: Any) -> Any:
    """Texts with what they hide; nothing for None."""
    if value is None:
        return ""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    is_plain = value.isascii() and value.isprintable()
    return value if is_plain else wording.visible(value)
