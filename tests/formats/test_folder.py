"""Files of folders, as people write them and as they had better not."""

from __future__ import annotations

import tracemalloc

import pytest

from thv.formats.folder import UnreadableFileError, parse_file


@pytest.mark.parametrize(
    "text",
    [
        "x: !!int abc",
        "x: !!bool maybe",
        "x: !!timestamp 99",
        "x: !!float x",
        "!!set {a}",
        "x: !own y",
    ],
)
def test_a_tag_that_makes_a_text_something_else_is_refused(text: str) -> None:
    with pytest.raises(UnreadableFileError, match="the tag !"):
        parse_file("a.yaml", text.encode())


def test_tags_that_say_what_is_so_anyway_are_read() -> None:
    text = b"!!map {a: !!str 1, b: !!seq [! c]}"
    assert parse_file("a.yaml", text) == {"a": "1", "b": ["c"]}


@pytest.mark.parametrize("path", ["a.yaml", "a.json"])
def test_a_number_of_thousands_of_digits_is_refused(path: str) -> None:
    with pytest.raises(UnreadableFileError):
        parse_file(path, b'{"a": ' + b"9" * 5000 + b"}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing", None),
        ("--- a\n...", "a"),
        ("a: 1\nb: 2.5\nc: '1'\nd: ~\ne: yes\nf: 2026-01-01", {"a": 1, "b": 2.5, "c": "1", "d": None, "e": True, "f": "2026-01-01"}),
        ("[0x1F, 017, 1_000, =, '<<', -0.5]", [31, 15, 1000, "=", "<<", -0.5]),
        ("a: |\n  x\n  y\nb: >\n  x\n  y", {"a": "x\ny\n", "b": "x y"}),
        ("{a: 1, a: 2}", {"a": 2}),
        ("- &a x\n- *a\n- &a y\n- *a", ["x", "x", "y", "y"]),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
        ("a: &x {b: 1}\nd: {<<: [*x, {b: 2, c: 3}], e: 4}", {"a": {"b": 1}, "d": {"b": 1, "c": 3, "e": 4}}),
    ],
)  # fmt: skip
def test_yaml_is_read_as_people_know_it(text: str, value: object) -> None:
    assert parse_file("a.yaml", text.encode()) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("--- a\n--- b", "several documents"),
        ("? [a]\n: b", "a key that is a list"),
        ("a: *a", "stands before what it names"),
        ("a: &a [*a]", "inside an anchored value"),
        ("<<: 1", "<< takes over mappings"),
        ("!!str [a]", "the tag !!str"),
        ("[" * 65 + "]" * 65, "more than 64 levels"),
        ("- &a x" + "\n- *a" * 101, "more than 100 aliases"),
        ("- &a " + "x" * 20_000 + "\n- *a" * 60, "characters by aliases"),
        ("a: [", "expected"),
    ],
)
def test_yaml_that_only_grows_or_means_nothing_is_refused(text: str, why: str) -> None:
    with pytest.raises(UnreadableFileError, match=why):
        parse_file("a.yaml", text.encode())


def test_yaml_takes_little_more_memory_than_its_value() -> None:
    text = b"[" + b"t," * 100_000 + b"t]"
    tracemalloc.start()
    try:
        assert len(parse_file("a.yaml", text)) == 100_001
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 << 20


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (":".join(["59"] * 100_000), "more than 4300 characters"),
        ("1:" * 2000 + "1.5", "too large"),
    ],
)
def test_a_number_of_base_60_keeps_nobody_busy(number: str, why: str) -> None:
    with pytest.raises(UnreadableFileError, match=why):
        parse_file("a.yaml", f"a: {number}".encode())
