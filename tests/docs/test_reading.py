"""The rules by which pages are read."""

from __future__ import annotations

import pytest

from tests.docs.reading import Command, File, NotRun, UnclearError, fits, steps_of

PAGE = """\
# Title

```console
$ first
says this
and that
$ second one \\
    --more
```

Words.

```yaml team.yaml
kind: Thing
```

```yaml
not: a file
```

```console stays
$ serve
Ready.
```

```console
^C
Bye.
```

```sh not run: needs a moon
launch
```
"""


def test_a_page_is_what_its_reader_does() -> None:
    assert steps_of(PAGE) == [
        Command(4, "first", "says this\nand that\n"),
        Command(7, "second one \\\n    --more"),
        File(14, "team.yaml", "kind: Thing\n"),
        Command(22, "serve", "Ready.\n", stays=True),
        Command(27, "^C", "Bye.\n"),
        NotRun(32, "needs a moon"),
    ]


@pytest.mark.parametrize(
    "block", ["sh\nlaunch", "console\nlaunch", "\n$ launch", "sh stays\nlaunch"]
)
def test_commands_that_nobody_would_run_are_refused(block: str) -> None:
    with pytest.raises(UnclearError, match="line 2"):
        steps_of(f"```{block}\n```\n")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("NAME    AGE\nteam    1m4s\n", "NAME  AGE\nteam  8s\n"),
        ("one\ntwo\nthree\n", "one\n...\n"),
        ("one\ntwo\nthree\n", "...\ntwo\n..."),
        ("a (b) 1.5s\n", "a (b) ...s\n"),
    ],
)
def test_an_answer_fits_what_is_shown(said: str, shown: str) -> None:
    assert fits(said, shown)


@pytest.mark.parametrize(
    ("said", "shown"), [("one\ntwo\n", "one\n"), ("onetwo\n", "one two\n"), ("", "one\n")]
)
def test_an_answer_that_says_something_else_does_not_fit(said: str, shown: str) -> None:
    assert not fits(said, shown)
