from __future__ import annotations

import hashlib
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thv.domain.canonical import canonical, digest_of, number

# The numbers of appendix B of RFC 8785: a double as its bits, and how ECMAScript writes it.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}

DOCUMENTS: dict[str, tuple[Any, str]] = {
    "the example of the RFC": (
        json.loads(
            r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
        ),
        r"""{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}""",
    ),
    "keys in the order of UTF-16": (
        {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\x80": 6, "ö": 7},
        '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
    ),
    "such keys inside": ([{"\ufb33": {}, "😀": []}], '[{"😀":[],"\ufb33":{}}]'),
    "the characters of the plane beyond in a value only": (
        {"b": "😀", "a": ["😀", '😀":']},
        '{"a":["😀","😀\\":"],"b":"😀"}',
    ),
    "an integer beyond 64 bit": ({"n": 2**80}, '{"n":1208925819614629174706176}'),
    "an integer beyond 2^53, as written": ([2**53 + 1], "[9007199254740993]"),
    "a number alone": (4.50, "4.5"),
    "a whole double alone": (1e22, "1e+22"),
    "whole doubles": ([1.0, -0.0, 1e20], "[1,0,100000000000000000000]"),
    "numbers inside a text": ({"t": "a,1.50"}, '{"t":"a,1.50"}'),
    "escapes": ("\b\t\n\f\r\x00\x1f\x7f\u2028/", '"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f\u2028/"'),
    "nothing": ({}, "{}"),
}

keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | keys,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_a_double_is_written_as_the_rfc_says(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert number(value) == text


@pytest.mark.parametrize(("value", "text"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_value_has_the_one_spelling_of_the_rfc(value: Any, text: str) -> None:
    assert canonical(value).decode() == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_double_reads_as_itself(value: float) -> None:
    read = float(number(value))
    assert read == value or (read == 0 and math.copysign(1, value) < 0 and value == 0)


@given(values)
def test_canonical_bytes_say_the_same_value_to_whoever_reads_doubles(value: Any) -> None:
    read = json.loads(canonical(value), parse_int=float)
    assert read == json.loads(json.dumps(value), parse_int=float)


@given(values)
def test_canonical_bytes_are_a_fixed_point(value: Any) -> None:
    once = canonical(value)
    assert canonical(json.loads(once)) == once


@given(st.dictionaries(keys, values, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any], chance: Any) -> None:
    shuffled = list(value.items())
    chance.shuffle(shuffled)
    assert canonical(dict(shuffled)) == canonical(value)


@given(st.dictionaries(keys, st.none(), min_size=2, max_size=6))
def test_keys_stand_in_the_order_of_utf_16(value: dict[str, None]) -> None:
    written = list(json.loads(canonical(value)))
    assert written == sorted(value, key=lambda key: key.encode("utf-16-be"))


def test_long_texts_beyond_the_basic_plane_cost_no_more_than_their_length() -> None:
    value = {"a": "😀" * 300_000, "b": ['😀,"'] * 100_000}
    assert json.loads(canonical(value)) == value


def test_a_digest_names_its_algorithm() -> None:
    assert digest_of(b"{}") == "sha256:" + hashlib.sha256(b"{}").hexdigest()
