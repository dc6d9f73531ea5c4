from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.strategies import few, many, values
from thv.formats.cutting import Cut, Cutter, MalformedError, Path, Step

LIMIT = 10_000


def take(path: Path, first: str) -> Step:
    return Step.TAKE


def enter(path: Path, first: str) -> Step:
    return Step.ENTER if len(path) < 3 and first in "{[" else Step.TAKE


def leaf(path: Path, first: str) -> Step:
    """Takes what stands at even places and under short keys, skips the rest."""
    part = path[-1] if path else 0
    wanted = part % 2 == 0 if isinstance(part, int) else len(part) < 2
    return Step.ENTER if len(path) < 2 else Step.TAKE if wanted else Step.SKIP


def cuts(document: bytes, decide: Any = take, size: int = 1 << 16, **limits: int) -> list[Cut]:
    cutter = Cutter(decide, **limits)
    found: list[Cut] = []
    for start in range(0, len(document), size):
        found += cutter.feed(document[start : start + size])
    return [*found, *cutter.close()]


def expected(value: Any, decide: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What a cutter takes of a value, by the definition of the steps."""
    text = json.dumps(value)
    step = decide(path, text[0])
    if step is Step.ENTER and isinstance(value, dict):
        for key, item in value.items():
            yield from expected(item, decide, (*path, key))
    elif step is Step.ENTER and isinstance(value, list):
        for index, item in enumerate(value):
            yield from expected(item, decide, (*path, index))
    elif step is Step.TAKE:
        yield path, value


@st.composite
def documents(draw: st.DrawFn) -> tuple[Any, bytes]:
    value = draw(
        st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=3), values, max_size=4
        )
        | values
    )
    text = json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 0, 2])),
        separators=draw(st.sampled_from([(",", ":"), (" , ", " : ")])),
    )
    mark = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    around = draw(st.sampled_from(["", " ", "\r\n\t"]))
    return value, mark + (around + text + around).encode()


@many
@given(documents(), st.sampled_from([take, enter, leaf]), st.integers(1, 20))
def test_cutting_gives_what_a_parser_gives_however_the_bytes_are_split(
    document: tuple[Any, bytes], decide: Any, size: int
) -> None:
    value, data = document
    found = [(cut.path, json.loads(cut.raw)) for cut in cuts(data, decide, size)]
    assert found == list(expected(value, decide))


def test_values_come_as_soon_as_they_are_complete() -> None:
    cutter = Cutter(enter)
    assert [cut.path for cut in cutter.feed(b'[1, {"a": 2}, "x')] == [(0,), (1, "a")]
    assert [cut.raw for cut in cutter.feed(b'y"]')] == [b'"xy"']
    assert list(cutter.close()) == []


def test_a_key_is_decoded() -> None:
    assert cuts(rb'{"\u00fc\ud83d\ude00\"": 1}', enter)[0].path == ('ü😀"',)


def test_keys_that_repeat_are_all_reported() -> None:
    assert [cut.raw for cut in cuts(b'{"a": 1, "a": 2}', enter)] == [b"1", b"2"]


def test_what_is_taken_is_not_judged() -> None:
    found = cuts(b'[nan, {"a" 1}, "\x00\xff"]', enter_top)
    assert [cut.raw for cut in found] == [b"nan", b'{"a" 1}', b'"\x00\xff"']


# Limits ----------------------------------------------------------------------------------------------------

LIMITED = {
    "a long text": (b'"' + b"x" * LIMIT + b'"', "larger than 10000 bytes"),
    "a long object": (b'{"a":"' + b"x" * LIMIT + b'"}', "larger than 10000 bytes"),
    "a long number": (b"1" * (LIMIT + 1), "larger than 10000 bytes"),
    "a deep list": (b"[" * 65 + b"]" * 65, "nested deeper than 64 levels"),
    "as long as it may be": (b'"' + b"x" * (LIMIT - 2) + b'"', ""),
    "as deep as it may be": (b"[" * 64 + b"]" * 64, ""),
}


@pytest.mark.parametrize("size", [7, 1_000, 1 << 20])
@pytest.mark.parametrize(("value", "refused"), LIMITED.values(), ids=LIMITED.keys())
def test_a_value_beyond_a_limit_is_refused_and_costs_nobody_else(
    value: bytes, refused: str, size: int
) -> None:
    found = cuts(b'[1, %b , {"a": 2}]' % value, enter_top, size, value_limit=LIMIT)
    raw = b"" if refused else value
    assert found == [Cut((0,), b"1"), Cut((1,), raw, refused), Cut((2,), b'{"a": 2}')]


def enter_top(path: Path, first: str) -> Step:
    return Step.TAKE if path else Step.ENTER


ENDLESS = {
    "a text that is taken": (b'["', b"x"),
    "escapes": (b'["', b"\\"),
    "a number": (b"[", b"1"),
    "an object that is taken": (b"[{", b'"a":1,'),
    "a text inside": (b'[{"a":"', b"x"),
    "brackets": (b"[", b"["),
    "closing and opening brackets": (b"[[", b"[]"),
    "blanks": (b"[", b" \n"),
    "small values": (b"[0", b",0"),
    "keys that repeat": (b'{"a":0', b',"a":0'),
}


@pytest.mark.parametrize("step", [Step.TAKE, Step.SKIP])
@pytest.mark.parametrize(("start", "more"), ENDLESS.values(), ids=ENDLESS.keys())
def test_endless_input_is_never_kept(start: bytes, more: bytes, step: Step) -> None:
    cutter = Cutter(lambda path, _: step if path else Step.ENTER, value_limit=LIMIT)
    piece = more * (LIMIT // len(more))
    list(cutter.feed(start))
    for _ in range(20):
        list(cutter.feed(piece))
        assert len(cutter._buffer) <= 2 * LIMIT


def test_an_endless_key_ends_the_document() -> None:
    cutter = Cutter(enter_top, value_limit=LIMIT)
    list(cutter.feed(b'{"' + b"x" * (LIMIT - 1)))
    with pytest.raises(MalformedError, match="a key is longer than 10000 bytes"):
        list(cutter.feed(b"x"))


HOSTILE = {
    "two million lists": b"[" * 2_000_000,
    "two million objects": b'{"a":' * 2_000_000,
    "a million lists that close": b"[" + b"[" * 1_000_000 + b"]" * 1_000_000 + b"]",
    "many small texts": b'["' + b'","' * 200_000 + b'"]',
    "two million backslashes": b'["' + b"\\" * 2_000_000 + b'"]',
}


@pytest.mark.flows  # large
@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_documents_end(document: bytes) -> None:
    try:
        found = cuts(document, enter_top)
    except MalformedError:
        return
    assert {cut.refused for cut in found} <= {"", "nested deeper than 64 levels"}


def test_small_pieces_of_a_large_value_cost_no_more_than_their_bytes() -> None:
    value = b'{"text": "' + b"x" * 1_000_000 + rb"\"" + b'"}'
    assert cuts(b"[%b]" % value, enter_top, 50) == [Cut((0,), value)]


# Malformed -------------------------------------------------------------------------------------------------

MALFORMED = {
    b"": "the document ends in the middle (line 1, column 2)",
    b"{": "the document ends in the middle (line 1, column 3)",
    b'{"a": [1,\n 2': "the document ends in the middle (line 2, column 4)",
    b'{"a": [1,\n {"b": {"c": {"d": 2': "the document ends in the middle (line 2, column 8)",
    b"\xef\xbb": "a value cannot start with 'ï' (line 1, column 1)",
    b"hello": "a value cannot start with 'h' (line 1, column 1)",
    b"[1,]": "a value cannot start with ']' (line 1, column 4)",
    b"[,1]": "a value cannot start with ',' (line 1, column 2)",
    b'{"a":1,}': "a key must be a string (line 1, column 8)",
    b"{a: 1}": "a key must be a string (line 1, column 2)",
    b'{"a" 1}': "a key must be followed by ':' (line 1, column 6)",
    b'{"a": 1 "b": 2}': "expected ',' or '}', found '\"' (line 1, column 9)",
    b"[1 2]": "expected ',' or ']', found '2' (line 1, column 4)",
    b"[1}": "expected ',' or ']', found '}' (line 1, column 3)",
    b'[\n  1,\n  2\n  "x"\n]': "expected ',' or ']', found '\"' (line 4, column 3)",
    b"{} x": "there is text after the end of the document (line 1, column 4)",
    b"[]\n[]": "there is text after the end of the document (line 2, column 1)",
    rb'{"\x": 1}': "a key is no valid string",
    b'{"\xff": 1}': "a key is no valid string",
}


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(("document", "message"), MALFORMED.items())
def test_malformed_text_is_named_with_its_place(document: bytes, message: str, size: int) -> None:
    with pytest.raises(MalformedError) as caught:
        cuts(document, enter, size)
    assert str(caught.value).startswith(message)


@few
@given(values.filter(lambda value: isinstance(value, dict | list)), st.data())
def test_a_truncated_document_is_never_taken_for_a_whole_one(
    value: Any, data: st.DataObject
) -> None:
    text = msgspec.json.encode(value)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(MalformedError):
        cuts(text[:cut], enter)
