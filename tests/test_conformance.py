"""vidcap's own plugins pass the tests that every plugin has to pass, and the tests find what is wrong."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pytest

from vidcap_core import (
    Answer,
    Captioner,
    Claim,
    FixedIntervalSampler,
    LocalSource,
    Media,
    Offline,
    OpenAICompatible,
    Pick,
    Request,
    Sampler,
    Segment,
    Source,
    SourceError,
    UniformSampler,
    Video,
    Want,
)
from vidcap_core.testing import (
    CaptionerTests,
    Endpoint,
    Fault,
    PaintedVideo,
    SamplerTests,
    SourceTests,
    deviates,
)
from vidcap_core.testing.conformance import Conformance


class TestLocal(SourceTests):
    source = LocalSource()
    foreign = ("https://example.com/talk.mp4", "zip://clips.zip!one.mp4", "youtube:dQw4w9WgXcQ")
    expanded = 4

    @pytest.fixture(autouse=True)
    def files(self, clip: PaintedVideo, clips: Path) -> None:
        self.uri, self.missing, self.many = str(clip.path), str(clips / "none.mp4"), str(clips)


class TestFixedInterval(SamplerTests):
    sampler = FixedIntervalSampler()


class TestUniform(SamplerTests):
    sampler = UniformSampler(count=7)


class TestOffline(CaptionerTests):
    captioner = Offline()


class TestOpenAICompatible(CaptionerTests):
    @pytest.fixture(
        autouse=True,
        params=[Fault.status(503), Fault.rate_limited("7"), Fault.hang_up()],
        ids=lambda fault: fault.name,
    )
    def endpoints(self, request: pytest.FixtureRequest) -> Iterator[None]:
        down = Endpoint(faults=itertools.repeat(request.param))
        with Endpoint() as endpoint, down:
            self.captioner = OpenAICompatible(base_url=endpoint.base_url, model="any")
            self.failing = OpenAICompatible(base_url=down.base_url, model="any")
            self.down = down
            yield

    def tried(self) -> int:
        return len(self.down.chats)


def failed(tests: Conformance) -> set[str]:
    """Which tests fail."""
    found = set()
    for name in dir(tests):
        if name.startswith("test_"):
            try:
                getattr(tests, name)()
            except SkipTest:
                pass
            except Exception:  # noqa: BLE001 - a fault may show as anything
                found.add(name.removeprefix("test_"))
    return found


def _videos(path: Path) -> Iterator[Path]:
    yield from sorted(path.iterdir()) if path.is_dir() else [path]


class Copying(Source):
    """Copies a file, as a source that fetches does; what it does wrong is an option."""

    name = "copying"
    fault: str = ""

    def claims(self, uri: str) -> Claim:
        if self.fault == "looks":
            return Claim.YES if Path(uri.removeprefix("copy:")).exists() else Claim.MAYBE
        return Claim.YES if uri.startswith("copy:") or self.fault == "greedy" else Claim.NO

    def expand(self, uri: str) -> Iterator[str]:
        found = (f"copy:{path}" for path in _videos(Path(uri.removeprefix("copy:"))))
        return iter(list(found)) if self.fault == "eager" else found

    @contextmanager
    def open(self, uri: str, want: Want) -> Iterator[Media]:
        path = Path(uri.removeprefix("copy:"))
        if not path.is_file() and self.fault != "untyped":
            raise SourceError("there is no such file")
        folder = Path(tempfile.mkdtemp())
        try:
            copied = folder / "copied.mp4"
            shutil.copy(path, copied)
            try:
                want.on_bytes(copied.stat().st_size, None)
            except Exception as error:
                if self.fault == "deaf":
                    raise SourceError("stopped") from error
                raise
            identity: dict[str, Any] = {"path": copied if self.fault == "unready" else str(path)}
            yield Media(uri=uri, location=copied, identity=identity)
        finally:
            if self.fault != "litters":
                shutil.rmtree(folder)


def source_tests(clip: PaintedVideo, clips: Path, fault: str) -> SourceTests:
    class Tests(SourceTests):
        source = Copying(fault=fault)
        uri, missing, many, expanded = f"copy:{clip.path}", f"copy:{clip.path}.not", f"copy:{clips}", 4

    return Tests()


OPENING = {
    "leaves_nothing_behind",
    "can_be_opened_twice_at_once",
    "can_be_left_on_another_thread",
    "stops_when_told_to",
}


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("", set()),
        ("looks", {"claims_by_looks_alone"}),
        ("greedy", {"leaves_to_others_what_is_theirs"}),
        ("eager", {"expands_lazily"}),
        ("untyped", {"what_is_missing_is_a_source_error"}),
        ("deaf", {"stops_when_told_to"}),
        ("unready", {"tells_what_it_opened"}),
        ("litters", OPENING),
    ],
)
def test_what_a_source_gets_wrong_is_found(
    fault: str, found: set[str], clip: PaintedVideo, clips: Path
) -> None:
    assert failed(source_tests(clip, clips, fault)) == found


class Proposing(Sampler):
    """Proposes what a function makes of the video."""

    name = "proposing"
    proposes: Callable[[Video], Iterable[Segment]]

    def segments(self, video: Video) -> Iterable[Segment]:
        return self.proposes(video)


def whole(video: Video) -> Iterable[Segment]:
    yield Segment(video.start_s, video.end_s, (Pick(video.start_s),))


def from_zero(video: Video) -> Iterable[Segment]:
    yield Segment(0.0, video.end_s, (Pick(0.0),))


def beside(video: Video) -> Iterable[Segment]:
    yield Segment(video.start_s, video.start_s, (Pick(video.end_s),))


def nothing(video: Video) -> Iterable[Segment]:
    return []


def backwards(video: Video) -> Iterable[Segment]:
    middle_s = video.start_s + video.duration_s / 2
    yield Segment(middle_s, video.end_s, (Pick(video.end_s),))
    yield Segment(video.start_s, middle_s, (Pick(video.start_s),))


def endless_worth(video: Video) -> Iterable[Segment]:
    yield Segment(video.start_s, video.end_s, (Pick(video.start_s, worth=float("inf")),))


_COUNT = itertools.count()


def fickle(video: Video) -> Iterable[Segment]:
    yield Segment(video.start_s, video.end_s, (Pick(video.start_s, why=str(next(_COUNT))),))


@pytest.mark.parametrize(
    ("proposes", "found"),
    [
        (whole, set()),
        (from_zero, {"segments_go_forward"}),
        (beside, {"picks_lie_in_their_segments"}),
        (nothing, {"chooses_something_of_every_video"}),
        (backwards, {"segments_go_forward", "picks_go_forward"}),
        (endless_worth, {"picks_are_numbers"}),
        (fickle, {"chooses_the_same_again"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_a_sampler_gets_wrong_is_found(
    proposes: Callable[[Video], Iterable[Segment]], found: set[str]
) -> None:
    class Tests(SamplerTests):
        sampler = Proposing(proposes=proposes)

    missed = found - failed(Tests())
    assert not missed


class Odd(Captioner):
    """Answers in its own way."""

    name = "odd"
    fault: str = ""

    async def answer(self, request: Request) -> Answer:
        if self.fault == "sleepy":
            time.sleep(0.001)  # noqa: ASYNC251 - the fault that is looked for
        if self.fault in ("sleepy", "untyped"):
            raise ValueError("down")
        if self.fault == "leaky":
            _KEPT.append(Path(__file__).open())  # noqa: SIM115, ASYNC230 - the fault that is looked for
        return Answer("Sure!" if self.fault == "prose" else '{"caption": "A video."}', model="odd")


_KEPT: list[Any] = []


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("", set()),
        ("prose", {"answers_what_fits"}),
        ("untyped", {"a_failure_is_a_provider_error"}),
        ("sleepy", {"does_not_try_again_by_itself"}),
        ("leaky", {"leaves_nothing_open"}),
    ],
)
def test_what_a_captioner_gets_wrong_is_found(
    fault: str, found: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidcap_core.testing.captioners._PATIENCE_S", 0.1)

    class Tests(CaptionerTests):
        captioner = Odd(fault=fault)
        failing = Odd(fault=fault) if fault in ("untyped", "sleepy") else None

    missed = found - failed(Tests())
    while _KEPT:
        _KEPT.pop().close()
    assert not missed
    assert fault or not failed(Tests())


def test_a_standard_test_is_not_replaced_in_silence() -> None:
    with pytest.raises(TypeError, match=r"test_can_be_opened_twice_at_once .*@deviates"):

        class _Quiet(SourceTests):
            def test_can_be_opened_twice_at_once(self) -> None: ...

    with pytest.raises(TypeError, match="test_stops_when_told_to"):
        type("_Off", (SourceTests,), {"test_stops_when_told_to": None})

    class Mixin:
        def test_chooses_the_same_again(self) -> None: ...

    with pytest.raises(TypeError, match=r"Mixin\.test_chooses_the_same_again"):
        type("_Mixed", (Mixin, SamplerTests), {})


def test_a_deviation_has_a_reason() -> None:
    class Stream(SourceTests):
        @deviates(reason="a stream can be read once")
        def test_can_be_opened_twice_at_once(self) -> None: ...

        def test_of_its_own(self) -> None: ...

    assert Stream.test_can_be_opened_twice_at_once.__doc__ == "Deviates: a stream can be read once"
    with pytest.raises(ValueError, match="has a reason"):
        deviates(reason=" ")
