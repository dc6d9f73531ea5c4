"""When a sync is due, and what happens after a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.builders import registry
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry
from thv.domain.registry_status import RegistryStatus, SyncStatus, Trigger
from thv.domain.times import parse_time, render_time
from thv.sync.due import Due, Later, after_failure, look_again, next_interval, requested, sync_due

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def stored(
    *, due: datetime | None = None, seen: int = 1, handled: str = "", attempts: int = 0, **spec: Any
) -> Registry:
    """A registry that was reconciled before."""
    sync = SyncStatus(next_sync_time=render_time(due) if due else "", attempt_count=attempts)
    status = RegistryStatus(
        observed_generation=seen, sync_status=sync, last_handled_sync_request=handled
    )
    return msgspec.structs.replace(registry(**spec), status=status)


def annotated(subject: Registry, **annotations: str) -> Registry:
    prefix = "toolhive.stacklok.io/"
    return msgspec.structs.replace(
        subject,
        annotations={prefix + key.replace("_", "-"): value for key, value in annotations.items()},
    )


LATER = NOW + timedelta(minutes=5)
OFF: dict[str, Any] = {"syncPolicy": {"enabled": False}}


@pytest.mark.requirement("REG-07", "REG-08")
@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(registry(), Trigger.SPEC_CHANGED, id="a new registry"),
        pytest.param(stored(due=LATER), LATER, id="not due yet"),
        pytest.param(stored(due=NOW), Trigger.INTERVAL, id="the interval is over"),
        pytest.param(stored(due=LATER, seen=0), Trigger.SPEC_CHANGED, id="the spec changed"),
        pytest.param(
            annotated(stored(due=LATER), sync_requested_at="a"), Trigger.MANUAL, id="somebody asks"
        ),
        pytest.param(
            annotated(stored(due=LATER, handled="a"), sync_requested_at="a"),
            LATER,
            id="asked and answered",
        ),
        pytest.param(
            annotated(stored(due=LATER, handled="a"), sync_requested_at="b"),
            Trigger.MANUAL,
            id="asks again",
        ),
        pytest.param(
            annotated(stored(due=LATER), manual_sync="x"), Trigger.MANUAL, id="an older spelling"
        ),
        pytest.param(stored(due=NOW, **OFF), None, id="suspended"),
        pytest.param(stored(seen=0, **OFF), None, id="suspended from the start"),
        pytest.param(
            annotated(stored(**OFF), sync_requested_at="a"),
            Trigger.MANUAL,
            id="suspended, somebody asks",
        ),
    ],
)
def test_a_sync_is_due(subject: Registry, expected: Trigger | datetime | None) -> None:
    match sync_due(subject, NOW):
        case Due(trigger=trigger):
            assert trigger == expected
        case Later(at=at):
            assert at == expected


def test_a_changed_source_is_read_at_once_but_not_while_suspended() -> None:
    assert isinstance(sync_due(stored(due=LATER), NOW, source_changed=True), Due)
    assert sync_due(stored(due=LATER, **OFF), NOW, source_changed=True) == Later(None)


def test_a_request_needs_a_fetch_made_after_it() -> None:
    due = sync_due(annotated(stored(due=LATER), sync_requested_at="a"), NOW)
    assert isinstance(due, Due)
    assert due.not_before == NOW


def test_registries_of_one_source_share_a_fetch_of_a_tenth_of_the_interval() -> None:
    due = sync_due(stored(due=NOW, syncPolicy={"interval": "1h"}), NOW)
    assert isinstance(due, Due)
    assert due.not_before == NOW - timedelta(minutes=6)


def test_the_old_prefix_of_the_annotation_is_read_too() -> None:
    subject = msgspec.structs.replace(
        registry(), annotations={"toolhive.stacklok.dev/sync-trigger": "now"}
    )
    assert requested(subject) == "now"


@pytest.mark.requirement("SYN-01")
def test_the_next_sync_lies_within_five_percent_of_the_interval() -> None:
    waits = [next_interval(registry(name=f"r{n}"), NOW) - NOW for n in range(50)]
    assert all(timedelta(minutes=57) <= wait <= timedelta(minutes=63) for wait in waits)
    assert len(set(waits)) > 40


def failing(code: Code, retry_after: float | None = None) -> ThvError:
    return ThvError(code, "it failed", retry_after=retry_after)


@pytest.mark.requirement("SYN-01", "REG-07")
def test_backoff_doubles_until_the_retries_are_used_up() -> None:
    waits = []
    for attempts in range(4):
        retry = after_failure(
            stored(attempts=attempts), failing(Code.SOURCE_UNREACHABLE), NOW, gained=False
        )
        waits.append((round((retry.at - NOW).total_seconds() / 30), retry.exhausted))
    assert waits[:3] == [(1, False), (2, False), (4, False)]
    assert waits[3][1]


def test_an_error_that_a_person_must_mend_waits_for_the_interval() -> None:
    retry = after_failure(stored(), failing(Code.FORMAT_INVALID), NOW, gained=False)
    assert retry.exhausted
    assert retry.at - NOW > timedelta(minutes=50)


def test_the_other_side_says_how_long_to_wait() -> None:
    retry = after_failure(stored(), failing(Code.RATE_LIMITED, retry_after=7), NOW, gained=False)
    assert retry.at == NOW + timedelta(seconds=7)


def test_a_gained_page_renews_the_budget_of_retries() -> None:
    retry = after_failure(stored(attempts=3), failing(Code.SOURCE_TIMEOUT), NOW, gained=True)
    assert (retry.attempts, retry.exhausted) == (1, False)


def test_backoff_ends_at_a_quarter_of_an_hour() -> None:
    slow: dict[str, Any] = {"syncPolicy": {"retry": {"maxRetries": 10, "backoffInterval": "1h"}}}
    retry = after_failure(stored(**slow), failing(Code.SOURCE_TIMEOUT), NOW, gained=False)
    assert retry.at - NOW <= timedelta(minutes=16)


@pytest.mark.parametrize("code", [Code.STORE_UNAVAILABLE, Code.CONFLICT])
def test_trouble_of_our_own_store_uses_no_retries_up(code: Code) -> None:
    waits = []
    for attempts in (0, 1, 2, 3, 50):
        retry = after_failure(stored(attempts=attempts), failing(code), NOW, gained=False)
        assert not retry.exhausted
        waits.append(round((retry.at - NOW).total_seconds()))
    assert waits == [2, 4, 8, 8, 8]


@pytest.mark.requirement("OPS-07")
@pytest.mark.parametrize(
    ("code", "interval", "seconds"),
    [
        (Code.SECRET_NOT_FOUND, "24h", 60),
        (Code.SECRET_FORBIDDEN, "24h", 60),
        (Code.AUTHENTICATION_FAILED, "24h", 300),
        (Code.TLS_VERIFICATION_FAILED, "24h", 300),
        (Code.AUTHENTICATION_FAILED, "1m", 60),
    ],
)
def test_a_secret_that_is_put_right_is_noticed_soon(
    code: Code, interval: str, seconds: float
) -> None:
    for attempts in (0, 50):
        found = stored(attempts=attempts, syncPolicy={"interval": interval})
        retry = after_failure(found, failing(code), NOW, gained=False)
        assert retry.exhausted
        assert (retry.at - NOW).total_seconds() == pytest.approx(seconds, rel=0.06)


def test_an_edit_of_the_source_beside_one_of_the_spec_is_fetched() -> None:
    due = sync_due(stored(seen=0), NOW, source_changed=True)
    assert due == Due(trigger=Trigger.SPEC_CHANGED, not_before=NOW)


@pytest.mark.parametrize("seen", [0, 1])
def test_no_fetch_from_before_a_failed_attempt_is_fresh(seen: int) -> None:
    """The attempt was made since the source changed; it is fetched anew, not taken from the last good fetch."""
    tried = NOW - timedelta(seconds=10)
    subject = stored(due=NOW, seen=seen, attempts=1)
    sync = msgspec.structs.replace(subject.status.sync_status, last_attempt=render_time(tried))
    status = msgspec.structs.replace(subject.status, sync_status=sync)
    due = sync_due(msgspec.structs.replace(subject, status=status), NOW)
    assert isinstance(due, Due)
    assert due.not_before > tried


def test_only_a_file_is_looked_at_every_second() -> None:
    file = registry(source={"type": "file", "file": {"path": "/srv/registry.json"}})
    assert look_again(file, NOW) == NOW + timedelta(seconds=1)
    assert look_again(registry(), NOW) is None


@pytest.mark.parametrize(
    "text", ["2026-11-21T12:00:00Z", "2026-11-21T12:00:00.123456789Z", "2026-11-21T13:00:00+01:00"]
)
def test_times_of_any_precision_are_read(text: str) -> None:
    moment = parse_time(text)
    assert moment is not None
    assert moment.replace(microsecond=0) == NOW


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-21", "2026-11-21T12:00:00"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_time(text) is None


@pytest.mark.requirement("REG-08")
@pytest.mark.parametrize(("forced", "expected"), [("a", True), ("older", False)])
def test_a_request_is_forced_by_the_annotation_of_the_same_value(
    forced: str, expected: bool
) -> None:
    subject = annotated(stored(due=LATER), sync_requested_at="a", sync_forced_at=forced)
    due = sync_due(subject, NOW)
    assert isinstance(due, Due)
    assert (due.trigger, due.force) == (Trigger.MANUAL, expected)
