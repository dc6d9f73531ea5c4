from __future__ import annotations

import logging
from pathlib import Path

import pytest

from thv.apps.kit.outbound import Roots, read_proxy
from thv.domain.errors import Code, ThvError


def test_without_an_address_there_is_no_proxy() -> None:
    assert read_proxy({"THV_NO_PROXY": "corp.example", "HTTPS_PROXY": "http://proxy"}) is None


def test_trust_roots_are_those_that_the_file_has_now(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes(b"first")
    roots = Roots(file)
    file.write_bytes(b"second")
    assert roots() == b"second"
    file.unlink()
    with caplog.at_level(logging.WARNING):
        assert roots() == b"second"
    assert str(file) in caplog.text
    assert Roots(None)() == b""


def test_trust_roots_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ThvError) as error:
        Roots(tmp_path / "ca.crt")
    assert error.value.code is Code.INVALID
    assert str(tmp_path / "ca.crt") in error.value.message
