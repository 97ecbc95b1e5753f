"""The line as a whole: order, several at once, early ends, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from vidcap_core import (
    AccessError,
    Answer,
    Captioner,
    Chosen,
    Claim,
    Failure,
    Media,
    Pick,
    PluginError,
    Progress,
    Request,
    Result,
    Sampler,
    Segment,
    Session,
    SettingsError,
    Source,
    Video,
    Want,
)
from vidcap_core.chosen import Given
from vidcap_core.pipeline import Pipeline
from vidcap_core.tasks import CAPTION
from vidcap_core.testing.videos import PaintedVideo

Outcome = Result | Failure
pytestmark = pytest.mark.usefixtures("nothing_left")

LOG: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _fresh_log() -> None:
    LOG.clear()


class Shelf(Source):
    """A source that notes what is opened and closed; `n:many` stands for n videos."""

    name = "shelf"
    path: Path
    opening_s: float = 0.0

    def claims(self, uri: str) -> Claim:
        return Claim.YES

    def expand(self, uri: str) -> Iterator[str]:
        if uri == "broken:many":
            yield "one"
            raise KeyError("no second page")
        count, _, many = uri.partition(":")
        for number in range(int(count) if many else 1):
            LOG["expanded"] += 1
            yield f"{number}" if many else uri

    @contextmanager
    def open(self, uri: str, want: Want) -> Iterator[Media]:
        time.sleep(self.opening_s)
        if uri == "unopened":
            raise KeyError("gone")
        LOG["opened"] += 1
        LOG["most open"] = max(LOG["most open"], LOG["opened"] - LOG["closed"])
        try:
            yield Media(uri, Path("/nowhere.mp4") if uri.startswith("missing") else self.path)
        finally:
            LOG["closed"] += 1


class Told(Captioner):
    """A captioner that says which video it was asked about, after a while."""

    name = "told"
    wait_s: float = 0.0
    refuses_from: int = 10**9

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        LOG["sessions"] += 1
        try:
            yield self
        finally:
            LOG["sessions ended"] += 1

    async def answer(self, request: Request) -> Answer:
        LOG["asked"] += 1
        assert LOG["opened"] > LOG["closed"]
        if LOG["asked"] > self.refuses_from:
            raise AccessError("no more")
        await asyncio.sleep(self.wait_s)
        return Answer('{"caption": "Seen."}', "told")


class Stuck(Sampler):
    """A sampler that looks for ever, in the decoder or in Python."""

    name = "stuck"
    in_python: bool = False

    def segments(self, video: Video) -> Iterator[Segment]:
        LOG["stuck"] += 1
        while True:
            if self.in_python:
                time.sleep(0.005)
            else:
                for _ in video.scan():
                    pass
            yield Segment(video.end_s, video.end_s, ())


Make = Callable[..., Pipeline]


@pytest.fixture
def pipeline(clip: PaintedVideo, chosen_with: Callable[..., Chosen]) -> Iterator[Make]:
    made: list[Pipeline] = []

    def make(
        on_progress: Callable[[Progress], None] = lambda progress: None,
        sampler: Sampler | None = None,
        source: Source | None = None,
        captioner: Captioner | None = None,
        **settings: Any,
    ) -> Pipeline:
        source, captioner = source or Shelf(path=clip.path), captioner or Told()
        given = Given(source=source, captioner=captioner, sampler=sampler)
        made.append(Pipeline(chosen_with(given, max_frames=1, **settings), on_progress))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert LOG["opened"] == LOG["closed"]
    assert LOG["sessions"] == LOG["sessions ended"]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - threads set it
        await asyncio.sleep(0.01)


def collected(pipeline: Pipeline, uris: Iterable[str]) -> list[Outcome]:
    async def collect() -> list[Outcome]:
        outcomes = [outcome async for outcome in pipeline.run(uris, CAPTION)]
        assert len(asyncio.all_tasks()) == 1
        return outcomes

    return asyncio.run(collect())


def test_outcomes_come_in_order_and_failures_are_values(pipeline: Make) -> None:
    uris = ["a", "missing", "b", "unopened", "c"]
    outcomes = collected(pipeline(), uris)
    assert [outcome.uri for outcome in outcomes] == uris
    stages = [outcome.stage if isinstance(outcome, Failure) else "ok" for outcome in outcomes]
    assert stages == ["ok", "source", "ok", "source", "ok"]
    assert LOG["opened"] == 4
    assert "'shelf' failed: KeyError: 'gone'" in str(getattr(outcomes[3], "error", ""))


def test_many_are_under_way_at_once(pipeline: Make) -> None:
    outcomes = collected(pipeline(captioner=Told(wait_s=0.3), concurrency=8), ["8:many"])
    assert len(outcomes) == 8
    assert 2 < LOG["most open"] <= 8


def test_a_sequence_is_expanded_no_further_ahead_than_needed(pipeline: Make) -> None:
    async def first() -> Outcome:
        async with aclosing(line.run(["1000:many"], CAPTION)) as outcomes:
            return await anext(outcomes)

    line = pipeline(concurrency=3)
    assert isinstance(asyncio.run(first()), Result)
    assert LOG["expanded"] <= 3 * 4 + 1


def test_the_first_outcome_waits_for_no_later_uri(pipeline: Make) -> None:
    seen = threading.Event()

    def uris() -> Iterator[str]:
        yield "a"
        assert seen.wait(10)
        yield "b"

    async def run() -> list[str]:
        names = []
        async for outcome in line.run(uris(), CAPTION):
            names.append(outcome.uri)
            seen.set()
        return names

    line = pipeline(concurrency=8)
    assert asyncio.run(run()) == ["a", "b"]


def test_a_slow_consumer_is_not_run_away_from(pipeline: Make) -> None:
    async def run() -> None:
        async for _ in line.run(["40:many"], CAPTION):
            LOG["consumed"] += 1
            await asyncio.sleep(0.02)
            # Two under way; what overtook a slower one waits for its turn, up to a bound.
            assert LOG["opened"] <= LOG["consumed"] + 2 * 4

    line = pipeline(concurrency=2)
    asyncio.run(run())
    assert LOG["most open"] <= 2


def test_a_list_that_breaks_is_a_failure_after_what_it_gave(pipeline: Make) -> None:
    outcomes = collected(pipeline(), ["broken:many", "after"])
    assert [type(outcome) for outcome in outcomes] == [Result, Failure, Result]
    failure = outcomes[1]
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, PluginError)
    assert (failure.uri, failure.stage) == ("broken:many", "source")


def test_what_the_callers_own_iterable_raises_is_the_callers(pipeline: Make) -> None:
    def uris() -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        collected(pipeline(), uris())


def test_no_access_stops_the_run_after_what_went_before(pipeline: Make) -> None:
    async def run() -> None:
        async for outcome in line.run(["50:many"], CAPTION):
            got.append(outcome)  # noqa: PERF401 - what came before the error counts

    got: list[Outcome] = []
    line = pipeline(captioner=Told(refuses_from=3), concurrency=1)
    with pytest.raises(AccessError):
        asyncio.run(run())
    assert [type(outcome) for outcome in got] == [Result] * 3
    assert LOG["asked"] == 4


class RefusesTheFirst(Captioner):
    """An endpoint whose quota is used up by one request while others are being answered."""

    name = "refuses_the_first"

    async def answer(self, request: Request) -> Answer:
        LOG["asked"] += 1
        if LOG["asked"] > 1:
            return Answer('{"caption": "Seen."}', "told")
        await until(lambda: LOG["asked"] == 3)
        raise AccessError("no more")


def test_what_was_answered_is_given_out_before_the_run_stops(pipeline: Make) -> None:
    async def run() -> None:
        async for outcome in line.run(["3:many"], CAPTION):
            got.append(outcome)  # noqa: PERF401 - what came before the error counts

    got: list[Outcome] = []
    line = pipeline(captioner=RefusesTheFirst(), concurrency=3)
    with pytest.raises(AccessError):
        asyncio.run(run())
    assert [type(outcome) for outcome in got] == [Result] * 2


def test_what_stands_for_no_video_is_a_failure(pipeline: Make) -> None:
    (outcome,) = collected(pipeline(captioner=Told()), ["0:many"])
    assert isinstance(outcome, Failure)
    assert str(outcome.error) == "it stands for no video at all"


def test_without_a_captioner_nothing_is_opened(
    clip: PaintedVideo, chosen_with: Callable[..., Chosen]
) -> None:
    line = Pipeline(chosen_with(Given(source=Shelf(path=clip.path))))
    with pytest.raises(SettingsError, match="no captioner is chosen"):
        collected(line, ["a"])
    line.close()
    assert LOG["opened"] == 0


@pytest.mark.parametrize("place", ["open", "decoder", "python", "ask"])
@pytest.mark.parametrize("way", ["close", "cancel", "cancel twice"])
def test_an_early_end_leaves_nothing(place: str, way: str, pipeline: Make, clip: PaintedVideo) -> None:
    source = Shelf(path=clip.path, opening_s=0.15 if place == "open" else 0.0)
    captioner = Told(wait_s=60.0 if place == "ask" else 0.0)
    sampler = Stuck(in_python=place == "python") if place in ("decoder", "python") else None
    line = pipeline(source=source, captioner=captioner, sampler=sampler, processes=2)
    sign = {"open": "expanded", "ask": "asked"}.get(place, "stuck")

    async def consume() -> None:
        async with aclosing(line.run(["20:many"], CAPTION)) as outcomes:
            async for _ in outcomes:
                if place == "open":
                    break

    async def run() -> None:
        consumer = asyncio.create_task(consume())
        await until(lambda: LOG[sign] > 0)
        for _ in range({"close": 0, "cancel": 1, "cancel twice": 2}[way] or (place != "open")):
            consumer.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.wait([consumer])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        # When it is over it is over: no thread goes on behind.
        assert LOG["opened"] == LOG["closed"]

    asyncio.run(run())


def test_after_an_early_end_the_line_can_be_used_again(pipeline: Make) -> None:
    line = pipeline(sampler=Stuck())

    async def interrupted(times: int) -> None:
        preparing = asyncio.create_task(line.prepare("a", CAPTION))
        await until(lambda: LOG["stuck"] == times)
        preparing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await preparing

    for times in (1, 2):
        asyncio.run(interrupted(times))
    assert LOG["closed"] == 2


def test_a_generator_that_is_dropped_is_closed_by_the_loop(pipeline: Make) -> None:
    async def run() -> None:
        outcomes = line.run(["20:many"], CAPTION)
        await anext(outcomes)
        del outcomes
        gc.collect()
        await until(lambda: len(asyncio.all_tasks()) == 1)

    line = pipeline()
    asyncio.run(run())


def test_one_line_serves_one_loop_after_the_other(pipeline: Make) -> None:
    line = pipeline()
    for _ in range(2):
        assert [type(outcome) for outcome in collected(line, ["a", "b"])] == [Result, Result]


def test_progress_is_told_step_by_step(pipeline: Make) -> None:
    told: list[Progress] = []
    line = pipeline(on_progress=told.append)
    collected(line, ["a", "missing"])
    steps = [(one.step, one.done, one.total) for one in told if one.uri == "a"]
    assert steps == [("open", 0, 0), ("frames", 1, 1), ("ask", 0, 0), ("done", 0, 0)]
    assert [one.step for one in told if one.uri == "missing"] == ["open", "done"]


class Looking(Sampler):
    """Looks, and may go on whatever happens meanwhile."""

    name = "looking"
    swallows: bool = False

    def segments(self, video: Video) -> Iterator[Segment]:
        with suppress(*[Exception] * self.swallows):
            for _ in video.scan():
                pass
        yield Segment(video.start_s, video.end_s, (Pick(1.0),))


@pytest.mark.parametrize("swallows", [True, False])
@pytest.mark.parametrize("step", ["look", "frames"])
def test_what_a_callback_raises_is_not_hidden(step: str, swallows: bool, pipeline: Make) -> None:
    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            raise ZeroDivisionError("the caller's own")

    with pytest.raises(ZeroDivisionError, match="the caller's own"):
        collected(pipeline(on_progress=on_progress, sampler=Looking(swallows=swallows)), ["a"])


class Failing(Told):
    name = "failing"

    async def answer(self, request: Request) -> Answer:
        raise KeyError("lost")


class Unstartable(Told):
    name = "unstartable"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        raise KeyError("no pool")
        yield self


class Blind(Sampler):
    name = "blind"

    def segments(self, video: Video) -> list[Segment]:
        return [Segment(0.0, 1.0, (Pick(99.0),))]


def test_failures_tell_their_stage(pipeline: Make) -> None:
    (asked,) = collected(pipeline(captioner=Failing()), ["a"])
    assert isinstance(asked, Failure)
    assert asked.stage == "ask"
    assert isinstance(asked.error, PluginError)
    (sampled,) = collected(pipeline(sampler=Blind()), ["a"])
    assert isinstance(sampled, Failure)
    assert sampled.stage == "sample"
    with pytest.raises(PluginError, match="'unstartable' failed: KeyError"):
        collected(pipeline(captioner=Unstartable()), ["a"])
