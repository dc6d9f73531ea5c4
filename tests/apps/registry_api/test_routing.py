"""Names in paths: the rule of the contract against a plain reading of it."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thv.apps.kit.http.paths import BadSegmentError, encoded
from thv.apps.kit.http.routing import Routes

TEMPLATES = ["", "/versions", "/versions/{version}", "/versions/{version}/diff", "/tools"]
ROUTES: Routes[str] = Routes((f"/s/{{name}}{rest}", rest) for rest in TEMPLATES)

segments = st.sampled_from(
    [
        "a",
        "b",
        "versions",
        "tools",
        "diff",
        "latest",
        "1.0",
        "a%2Fb",
        "a%2fversions",
        "%",
        "%zz",
        "..",
        ".",
        "%20",
        "x%2Fy%2Fz",
        "%252F",
        "ü",
    ]
)


def reference(parts: list[str]) -> tuple[str, str, str] | None:
    """Name, route and version as the four rules say; None for no route."""
    if not parts or "" in parts:
        return None

    def route(rest: list[str]) -> tuple[str, str] | None:
        match rest:
            case []:
                return "", ""
            case ["versions"] | ["tools"]:
                return "/" + rest[0], ""
            case ["versions", version]:
                return "/versions/{version}", version
            case ["versions", version, "diff"]:
                return "/versions/{version}/diff", version
            case _:
                return None

    first, rest = parts[0], parts[1:]
    if "%2F" in first or "%2f" in first:
        found = route(rest)
        return (first, *found) if found else None
    found = route(rest)
    if found:
        return (first, *found)
    if rest and (found := route(rest[1:])):
        return (f"{first}/{rest[0]}", *found)
    return None


@settings(max_examples=500, deadline=None)
@given(st.lists(segments | st.just(""), max_size=6))
def test_the_rule_of_names(parts: list[str]) -> None:
    path = "/s/" + "/".join(parts) if parts else "/s"
    found = ROUTES.find(path.encode())
    expected = reference(parts)
    if expected is None:
        assert found is None
        return
    assert found is not None
    name, route, version = expected
    assert found[0] == route
    try:
        values = found[1].decoded()
    except BadSegmentError:
        return
    assert values["name"] == "/".join(_decoded(part) for part in name.split("/"))
    assert values.get("version", "") == _decoded(version)


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode()


@settings(deadline=None)
@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_what_we_encode_is_one_segment_that_says_the_same(text: str) -> None:
    segment = encoded(text)
    assert "/" not in segment
    found = ROUTES.find(f"/s/{segment}/versions".encode())
    assert found is not None
    assert found[1].decoded() == {"name": text}


@pytest.mark.parametrize("path", [b"*", b"", b"/", b"//", b"s/a", b"/s//versions", b"/S/a"])
def test_what_is_no_path_of_ours(path: bytes) -> None:
    assert ROUTES.find(path) is None
