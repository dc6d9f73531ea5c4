from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import pytest

from thv.clients.git.errors import GitError, TimedOutError, TooLargeError
from thv.clients.git.limits import Limits
from thv.clients.git.process import Command, Conversation, disk_usage, run

pytestmark = pytest.mark.flows


def shell(script: str, folder: Path, *, seconds: float = 20.0, **limits: int) -> Command:
    deadline = asyncio.get_running_loop().time() + seconds
    environment = {"PATH": os.defpath}
    return Command(
        ("/bin/sh", "-c", script), environment, folder, "test", deadline, Limits(**limits)
    )


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def gone(*pids: int) -> bool:
    """Waits for the kernel, which takes a moment for a killed process."""
    ends = time.monotonic() + 5
    while any(is_alive(pid) for pid in pids) and time.monotonic() < ends:  # noqa: ASYNC110
        await asyncio.sleep(0)
    return not any(is_alive(pid) for pid in pids)


async def outcome(script: str, folder: Path, **limits: float) -> bytes | Exception:
    try:
        return await run(shell(script, folder, **limits))  # type: ignore[arg-type]
    except GitError as error:
        return error


def test_output_of_a_success_is_given_back(tmp_path: Path) -> None:
    async def echoed() -> bytes:
        return await run(shell("cat", tmp_path), stdin=b"x" * 300_000)

    assert asyncio.run(echoed()) == b"x" * 300_000


def test_input_that_nobody_reads_is_no_error(tmp_path: Path) -> None:
    async def ignored() -> bytes:
        return await run(shell("echo done", tmp_path), stdin=b"x" * 3_000_000)

    assert asyncio.run(ignored()) == b"done\n"


def test_a_process_out_of_time_takes_its_children_along(tmp_path: Path) -> None:
    async def late() -> bool:
        script = "sleep 100 & echo $! > child; sh -c 'sleep 100' & echo $! >> child; wait"
        error = await outcome(script, tmp_path, seconds=0.3)
        assert isinstance(error, TimedOutError)
        return await gone(*map(int, (tmp_path / "child").read_text().split()))

    assert asyncio.run(late())


def test_a_child_that_outlives_its_parent_is_ended_too(tmp_path: Path) -> None:
    async def orphaned() -> bool:
        error = await outcome("sleep 100 & echo $! > child; exit 3", tmp_path, seconds=0.3)
        assert isinstance(error, TimedOutError)
        return await gone(int((tmp_path / "child").read_text()))

    assert asyncio.run(orphaned())


def test_output_disk_files_and_memory_are_bounded(tmp_path: Path) -> None:
    async def all_bounds() -> list[bytes | Exception]:
        many = "n=0; while :; do n=$((n+1)); head -c 100000 /dev/zero > f$n; done"
        return [
            await outcome("yes", tmp_path, listing=1000),
            await outcome("head -c 9000000 /dev/zero > big", tmp_path, disk=1_000_000),
            await outcome(many, tmp_path, disk=3_000_000),
        ]

    kinds = [type(each) for each in asyncio.run(all_bounds())]
    assert kinds[0] is kinds[2] is TooLargeError
    assert kinds[1] in (TooLargeError, GitError)
    assert (tmp_path / "big").stat().st_size <= 1_000_512


def test_messages_without_end_do_not_stop_a_process(tmp_path: Path) -> None:
    script = "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo done"
    assert asyncio.run(outcome(script, tmp_path)) == b"done\n"


def test_a_conversation_skips_what_nobody_read(tmp_path: Path) -> None:
    async def talked() -> tuple[str, bytes]:
        script = 'while read n; do echo $n; head -c "$n" /dev/zero; echo; done'
        talk = await Conversation.start(shell(script, tmp_path))
        try:
            await talk.ask("300000")
            async for _ in talk.body(300_000):
                break
            answer = await talk.ask("3")
            return answer, b"".join([chunk async for chunk in talk.body(3)])
        finally:
            await talk.close()

    assert asyncio.run(talked()) == ("3", b"\0\0\0")


def test_a_conversation_that_ends_early_is_an_error(tmp_path: Path) -> None:
    async def cut_off() -> None:
        talk = await Conversation.start(shell("read n; printf 'no line end'", tmp_path))
        try:
            with pytest.raises(GitError, match="in the middle of an answer"):
                await talk.ask("x")
            with pytest.raises(GitError, match="in the middle of an answer"):
                await talk.ask("x")
        finally:
            await talk.close()

    asyncio.run(cut_off())


def test_disk_usage_counts_every_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"12345")
    (tmp_path / "c").write_bytes(b"1")
    (tmp_path / "link").symlink_to("/nowhere")
    assert disk_usage(tmp_path) == 6 + len("/nowhere")
