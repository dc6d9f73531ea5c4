"""One run over a registry API: from the first page to the last, over failures and interruptions.

In the flow: what `registry` and a discovered `url` do once they know where the API is. A run is full, or asks for
what was updated since the last one; which it is, is decided before its first request (`plans`). Each page carries
what is needed to go on behind it, so that a run of thousands of pages survives the end of the process.

The official API flips "latest" without touching `updatedAt`. So an increment never asks for latest versions only,
and reads all versions of a name again when one of them was deleted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from thv.domain.errors import ThvError
from thv.sources.base import Known, Page, Pages, Unchanged
from thv.sources.envelope import Envelope, name_if_deleted
from thv.sources.paging import Answer, CrawlSettings, Endpoint, Pager, Trail

_NOT_UNDERSTOOD = (400, 410, 422)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run asks for."""

    parameters: tuple[tuple[str, str], ...]
    watermark: str = ""
    """`""`: the run is full."""
    cursor: str = ""
    """Where an earlier run stopped."""
    began: str = ""
    etag: str = ""
    """Of the first page when it was last read by the same URL."""

    @property
    def full(self) -> bool:
        return not self.watermark


def plans(
    known: Known, endpoint: Endpoint, versions: str, settings: CrawlSettings, now: datetime
) -> Iterator[Plan]:
    """What to ask for: the first plan whose first page the other side understands is the run."""
    limit = ("limit", str(settings.page_size))
    own = () if endpoint.official else (("format", "upstream"), ("version", "all"))
    latest = (("version", "latest"),) if endpoint.official and versions == "latest" else ()
    full = Plan(parameters=(limit, *own, *latest), etag="" if endpoint.official else known.etag)
    plan = full
    if endpoint.official and known.watermark and not _full_due(known, settings, now):
        plan = Plan(
            parameters=(limit, ("updated_since", known.watermark)),
            watermark=known.watermark,
            etag=known.etag,
        )
    if known.cursor and known.began and plan.watermark == known.watermark:
        yield msgspec.structs.replace(plan, cursor=known.cursor, began=known.began, etag="")
    yield plan
    if not plan.full:
        yield full
    if latest:
        yield Plan(parameters=(limit,))


def _full_due(known: Known, settings: CrawlSettings, now: datetime) -> bool:
    completed = parse_time(known.completed)
    return completed is None or (now - completed).total_seconds() >= settings.full_every


async def crawl(pager: Pager, known: Known, *, origin: str, versions: str) -> Pages | Unchanged:
    """What is new; the first page is read at once, so that a wrong place and "nothing" show here."""
    refusal: ThvError | None = None
    for plan in plans(known, pager.endpoint, versions, pager.settings, pager.now()):
        try:
            first = await pager.page(plan.parameters, plan.cursor, etag=plan.etag)
        except ThvError as e:
            if e.details.get("status") not in _NOT_UNDERSTOOD:
                raise
            refusal = e
            continue
        if _says_nothing(plan, first):
            etag = first.etag or plan.etag
            return Unchanged(msgspec.structs.replace(known, etag=etag, cursor="", began=""))
        run = _Run(pager, _begun(plan, first, pager.now()), known, origin)
        return Pages(run.pages(first), complete=plan.full, resumed=bool(plan.cursor))
    assert refusal is not None, "there is always a plan"  # noqa: S101
    raise refusal


def _says_nothing(plan: Plan, first: Answer) -> bool:
    found = first.envelope
    if found is None:
        return True
    return not (plan.full or plan.cursor or found.items or found.cursor)


def _begun(plan: Plan, first: Answer, now: datetime) -> Plan:
    """Begun at the earlier of both clocks: what is updated from then on is asked for next time."""
    if plan.cursor:
        return plan
    began = min(now, first.date) if first.date else now
    return msgspec.structs.replace(plan, began=render_time(began))


class _Run:
    """The pages of one plan behind its first answer."""

    def __init__(self, pager: Pager, plan: Plan, known: Known, origin: str) -> None:
        self._pager = pager
        self._plan = plan
        self._known = msgspec.structs.replace(
            known, origin=origin, resolved_url=pager.resolved, etag=""
        )
        self._sound = True
        """False: something was missed that only reading everything brings."""
        self._refetched: set[str] = set()

    async def pages(self, first: Answer) -> AsyncIterator[Page]:
        """Every page; a cursor that expired on the way starts the run once again."""
        try:
            async for page in self._walk(first):
                yield page
        except ThvError as e:
            if e.details.get("status") != 410:
                raise
            # The earlier pages of a full run may list what is gone by now.
            self._sound = self._sound and not self._plan.full
            self._plan = msgspec.structs.replace(self._plan, cursor="")
            again = await self._pager.page(self._plan.parameters)
            async for page in self._walk(again):
                yield page

    async def _walk(self, answer: Answer) -> AsyncIterator[Page]:
        trail = Trail(self._pager.endpoint, self._pager.settings)
        before, etag, total = self._known, answer.etag, None
        while (envelope := answer.envelope) is not None:
            trail.step(envelope, answer.size)
            total = total if envelope.total is None else envelope.total
            names = self._names_to_refetch(envelope)
            behind = self._between(envelope.cursor) if envelope.cursor else self._after(etag)
            yield Page(envelope.items, before if names else behind, total)
            for name in names:
                items = await self._pager.versions_of(name)
                yield Page(items, behind if name == names[-1] else before, total)
            if not envelope.cursor:
                return
            before = behind
            answer = await self._pager.page(
                self._plan.parameters, envelope.cursor, number=trail.page + 1
            )

    def _names_to_refetch(self, envelope: Envelope) -> list[str]:
        """Names of which an increment lists a deleted version, each once, as many as the settings allow."""
        if self._plan.full:
            return []
        names = {name_if_deleted(item) for item in envelope.items} - {""} - self._refetched
        room = self._pager.settings.refetches - len(self._refetched)
        self._sound = self._sound and len(names) <= room
        chosen = sorted(names)[:room]
        self._refetched.update(chosen)
        return chosen

    def _between(self, cursor: str) -> Known:
        """To go on at `cursor` later; to begin everything again when the run is not sound."""
        resumable = self._sound
        return msgspec.structs.replace(
            self._known,
            watermark=self._plan.watermark if resumable else "",
            completed="" if self._plan.full or not resumable else self._known.completed,
            cursor=cursor if resumable else "",
            began=self._plan.began if resumable else "",
        )

    def _after(self, etag: str) -> Known:
        """To ask for an increment later; for everything when the run was not sound."""
        now, overlap = self._pager.now(), timedelta(seconds=self._pager.settings.overlap)
        began = parse_time(self._plan.began) or now
        completed = render_time(now) if self._plan.full else self._known.completed
        return Known(
            origin=self._known.origin,
            resolved_url=self._known.resolved_url,
            revision=render_time(began),
            etag=etag if self._sound and not self._pager.endpoint.official else "",
            watermark=render_time(began - overlap),
            completed=completed if self._sound else "",
        )


def parse_time(text: str) -> datetime | None:
    """The moment of an RFC 3339 text, None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def render_time(moment: datetime) -> str:
    """RFC 3339 in UTC, cut to seconds."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
