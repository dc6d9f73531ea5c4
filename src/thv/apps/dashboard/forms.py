"""The fields of a form.

In the flow: read once, after the size is known and before anything else of a POST.
"""

from __future__ import annotations

from typing import TypeAlias
from urllib.parse import parse_qsl

from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import Culprit, ProblemError, Word

Form: TypeAlias = dict[str, list[str]]
LIMIT = 256 * 1024
_FIELDS = 2000
_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> Form:
    """Every field with its values; raises ProblemError for a body that is no form or too large."""
    given = request.header(b"content-type").partition(";")[0].strip().lower()
    if given != _TYPE:
        culprit = Culprit(f"must be {_TYPE}", "header.content-type", given)
        raise ProblemError(
            Word.UNSUPPORTED_MEDIA_TYPE,
            "This is no form.",
            culprits=[culprit],
            hint="Programs ask the API below /api/v1.",
        )
    content = await request.incoming.read(LIMIT) if request.incoming else b""
    try:
        pairs = parse_qsl(content.decode(), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise ProblemError(
            Word.INVALID_REQUEST,
            f"The form cannot be read: it is no UTF-8, or has more than {_FIELDS} fields.",
            hint="Open the page anew and send it with fewer fields.",
        ) from error
    form: Form = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


def first(form: Form, name: str) -> str:
    """The first value of a field without blanks around it, `""` when there is none."""
    return form.get(name, [""])[0].strip()


def words(text: str) -> list[str]:
    """The words of a list: `a, b` are two, and so are two lines."""
    every = (each.strip() for each in text.replace("\n", ",").split(","))
    return list(dict.fromkeys(filter(None, every)))
