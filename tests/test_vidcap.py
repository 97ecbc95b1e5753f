"""vidcap inside other programs: sync and async, in threads and loops, interrupted and dropped."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from vidcap_core import (
    Failure,
    Offline,
    Progress,
    Registry,
    Result,
    Sampler,
    Segment,
    SettingsError,
    SourceError,
    UniformSampler,
    Vidcap,
    Video,
)
from vidcap_core.testing import Endpoint, Fault
from vidcap_core.testing.videos import PaintedVideo

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def vidcap() -> Iterator[Vidcap]:
    with Vidcap(captioner="offline") as vidcap:
        yield vidcap


def script(text: str, *args: object, **environment: str) -> subprocess.Popen[str]:
    """A program of a user's, without a `__main__` guard."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def ended(process: subprocess.Popen[str], timeout_s: float = 20.0) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


def test_a_folder_a_pattern_and_a_path_stand_for_their_videos(vidcap: Vidcap, clips: Path) -> None:
    for uris in (str(clips), clips, f"{clips}/*.mp4", sorted(clips.iterdir())):
        names = [Path(outcome.uri).name for outcome in vidcap.run(uris)]
        assert names == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]


def test_failures_of_many_are_values_and_of_one_an_exception(
    vidcap: Vidcap, clip: PaintedVideo, tmp_path: Path
) -> None:
    outcomes = list(vidcap.run([str(clip.path), "missing.mp4", str(tmp_path)]))
    assert [type(outcome) for outcome in outcomes] == [Result, Failure, Failure]
    with pytest.raises(SourceError, match="there is no such file"):
        vidcap.caption("missing.mp4")


def test_one_caption_of_a_folder_is_a_clear_error(vidcap: Vidcap, clips: Path) -> None:
    with pytest.raises(SettingsError, match=r"is more than one video: use run\(\) for many"):
        vidcap.caption(clips)


def test_a_folder_is_refused_before_anything_is_paid_for(endpoint: Endpoint, clips: Path) -> None:
    with Vidcap(base_url=endpoint.base_url, model="m") as asking, pytest.raises(SettingsError):
        asking.caption(clips)
    assert endpoint.requests == []


def test_a_plugin_without_a_name_is_refused() -> None:
    class Nameless(UniformSampler):
        name = ""

    with pytest.raises(SettingsError, match=r"Nameless has no name: write name = "):
        Vidcap(sampler=Nameless())


def test_a_result_counts_its_requests(clip: PaintedVideo) -> None:
    with (
        Endpoint(faults=[Fault.status(503, retry_after="0"), Fault.prose()]) as endpoint,
        Vidcap(base_url=endpoint.base_url, model="m") as asking,
    ):
        result = asking.caption(clip.path)
    assert result.requests == len(endpoint.requests) == 3


def test_objects_and_settings_give_the_same_result(clip: PaintedVideo) -> None:
    def plain(**choice: Any) -> dict[str, Any]:
        with Vidcap(**choice) as vidcap:
            result = vidcap.caption(clip.path).to_dict()
        del result["timings"]
        return result

    by_name = plain(captioner="offline", sampler="uniform", samplers={"uniform": {"count": 3}})
    assert by_name == plain(captioner=Offline(), sampler=UniformSampler(count=3))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (
            {"sampler": UniformSampler},
            "sampler must be a name or a Sampler object, not the class UniformSampler",
        ),
        ({"captioner": UniformSampler()}, "captioner must be a name or a Captioner object"),
        ({"captioner": Offline(), "model": "gpt"}, "given as an object: give it its model"),
        ({"samplr": "uniform"}, "samplr.*did you mean 'sampler'"),
    ],
)
def test_what_is_no_plugin_is_refused(choice: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Vidcap(**choice)


def test_plugins_are_looked_up_once(clip: PaintedVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[object] = []

    def load(cls: type[Registry], only: Iterable[str] | None = None) -> Registry:
        loaded.append(only)
        return Registry(entry_points(group="vidcap"))

    monkeypatch.setattr(Registry, "load", classmethod(load))
    with Vidcap(max_frames=1) as vidcap, Vidcap.of(vidcap.chosen) as another:
        assert len(loaded) == 1
        vidcap.compare(clip.path, ["uniform", "keyframes"])
        vidcap.scenes(clip.path, "uniform")
        assert len(loaded) == 1
        another.scenes(clip.path, UniformSampler())
        assert len(loaded) == 1
        another.compare(clip.path, ["uniform", "keyframes"])
        another.scenes(clip.path, "uniform")
    assert len(loaded) == 2


def test_frames_need_no_captioner(clip: PaintedVideo) -> None:
    with Vidcap(sampler=UniformSampler(count=3)) as vidcap:
        images = list(vidcap.frames(clip.path))
        assert [image.data[:2] for image in images] == [b"\xff\xd8"] * 3
        assert [i.sha256 for i in images] == [i.sha256 for i in vidcap.prepare(clip.path).requests[0].images]
        with pytest.raises(SettingsError, match="no captioner is chosen"):
            vidcap.caption(clip.path)
        with pytest.raises(SourceError):
            vidcap.frames("missing.mp4")


def test_unknown_tasks_are_told_at_once(vidcap: Vidcap) -> None:
    with pytest.raises(SettingsError, match="no task named 'captoin'; did you mean 'caption'"):
        vidcap.run("a.mp4", "captoin")


def test_closing_twice_and_use_after_close(clip: PaintedVideo) -> None:
    vidcap = Vidcap(captioner="offline")
    started = vidcap.run(clip.path)
    vidcap.close()
    vidcap.close()
    uses: list[Callable[[], object]] = [
        lambda: vidcap.caption(clip.path),
        lambda: vidcap.run(clip.path),
        lambda: vidcap.frames(clip.path),
        lambda: vidcap.prepare(clip.path),
        lambda: asyncio.run(vidcap.acaption(clip.path)),
        lambda: next(started),
        lambda: list(started),
    ]
    for use in uses:
        with pytest.raises(RuntimeError, match="this Vidcap is closed"):
            use()


def test_closing_while_another_thread_works_ends_its_work(clip: PaintedVideo) -> None:
    with Endpoint(faults=[Fault.slow(60.0)]) as endpoint, ThreadPoolExecutor() as threads:
        vidcap = Vidcap(base_url=endpoint.base_url, model="m")
        waiting = threads.submit(vidcap.caption, clip.path)
        while not endpoint.chats:
            time.sleep(0.01)
        vidcap.close()
        with pytest.raises(RuntimeError, match="this Vidcap is closed"):
            waiting.result(10)


def test_inside_a_running_loop(vidcap: Vidcap, clip: PaintedVideo) -> None:
    async def notebook() -> None:
        assert vidcap.caption(clip.path).text == (await vidcap.acaption(clip.path)).text
        assert len(list(vidcap.run([clip.path] * 2))) == 2
        assert len([outcome async for outcome in vidcap.arun([clip.path] * 2)]) == 2
        assert len([image async for image in vidcap.aframes(clip.path)]) == 5

    asyncio.run(notebook())


def test_loops_one_after_the_other(clip: PaintedVideo, endpoint: Endpoint) -> None:
    with Vidcap(base_url=endpoint.base_url, model="m") as vidcap:
        for _ in range(2):
            assert asyncio.run(vidcap.acaption(clip.path)).text == "A video in 5 frames."


def test_threads_and_two_at_once(vidcap: Vidcap, clips: Path) -> None:
    with Vidcap(captioner="offline") as other, ThreadPoolExecutor(4) as threads:
        files = sorted(clips.iterdir()) * 2
        here = threads.map(lambda file: vidcap.caption(file).text, files)
        there = threads.map(lambda file: other.caption(file).text, files)
        assert list(here) == list(there)


def test_one_run_is_shared_by_threads(vidcap: Vidcap, clips: Path) -> None:
    outcomes = vidcap.run([clips] * 3)
    with ThreadPoolExecutor(4) as threads:
        parts = [threads.submit(list, outcomes) for _ in range(4)]
        assert sum(len(part.result()) for part in parts) == 12


def test_an_early_end_stops_the_rest(clips: Path) -> None:
    with Endpoint() as endpoint, Vidcap(base_url=endpoint.base_url, model="m", concurrency=2) as vidcap:
        for _ in vidcap.run([clips] * 50):
            break
        outcomes = vidcap.run([clips] * 50)
        next(outcomes)
        outcomes.close()
        outcomes.close()
        assert list(outcomes) == []
        time.sleep(0.3)
        assert len(endpoint.chats) <= 10


def test_the_iterator_keeps_its_vidcap_alive(clips: Path) -> None:
    outcomes = Vidcap(captioner="offline").run(clips)
    gc.collect()
    assert len(list(outcomes)) == 4


@pytest.mark.parametrize("cycle", [False, True])
def test_a_dropped_vidcap_ends_its_decoder(
    cycle: bool, clips: Path, nothing_left: Callable[[], list[str]]
) -> None:
    vidcap = Vidcap(captioner="offline", processes=1)
    outcomes = vidcap.run([clips] * 10)
    next(outcomes)
    assert any(one.startswith("process") for one in nothing_left())
    if cycle:
        # Garbage is collected in whatever thread: one of vidcap's own, perhaps.
        knot: list[object] = [vidcap, outcomes]
        knot.append(knot)
        del knot
    del vidcap, outcomes
    gc.collect()
    wait_until(lambda: not nothing_left())


class Collecting(Sampler):
    """A sampler in whose thread the garbage is collected."""

    name = "collecting"

    def segments(self, video: Video) -> Iterator[Segment]:
        for _ in range(8):
            gc.collect()
        yield from UniformSampler(count=1).segments(video)


def test_garbage_may_be_collected_in_any_thread(clips: Path, nothing_left: Callable[[], list[str]]) -> None:
    vidcap = Vidcap(captioner="offline", sampler=Collecting(), processes=2)
    outcomes = vidcap.run([clips] * 5)
    next(outcomes)
    knot: list[object] = [vidcap, outcomes]
    knot.append(knot)
    gc.disable()
    try:
        del vidcap, outcomes, knot
        wait_until(lambda: not nothing_left())
    finally:
        gc.enable()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_progress_comes_in_order(clip: PaintedVideo) -> None:
    steps: list[tuple[str, float, float]] = []

    def on_progress(progress: Progress) -> None:
        steps.append((progress.step, progress.done, progress.total))

    with Vidcap(captioner="offline", max_frames=2, on_progress=on_progress) as vidcap:
        vidcap.caption(clip.path)
    assert steps == [("open", 0, 0), ("frames", 1, 2), ("frames", 2, 2), ("ask", 0, 0), ("done", 0, 0)]


def test_a_sync_call_from_vidcaps_own_loop_is_refused(clip: PaintedVideo) -> None:
    def on_progress(progress: Progress) -> None:
        if progress.step == "ask":
            mine.caption(clip.path)

    mine = Vidcap(captioner="offline", on_progress=on_progress)
    with mine, pytest.raises(RuntimeError, match="vidcap's own thread"):
        mine.caption(clip.path)


def test_results_and_failures_can_be_sent_elsewhere(vidcap: Vidcap, clip: PaintedVideo) -> None:
    result, failure = vidcap.run([clip.path, "missing.mp4"])
    assert pickle.loads(pickle.dumps(result)) == result
    again = pickle.loads(pickle.dumps(failure))
    assert (type(again.error), str(again.error)) == (SourceError, str(getattr(failure, "error", None)))


def test_a_script_needs_no_main_guard_and_no_close(clip: PaintedVideo) -> None:
    code, out, err = ended(
        script(
            """
            import sys
            from vidcap_core import Vidcap
            vidcap = Vidcap(captioner="offline")
            outcomes = vidcap.run([sys.argv[1]] * 20)
            print(next(outcomes).text)
            """,
            clip.path,
        )
    )
    assert (code, err) == (0, "")
    assert out.startswith("Seen without a model")


def test_a_fork_is_told_to_make_its_own(clip: PaintedVideo) -> None:
    code, out, err = ended(
        script(
            """
            import os, sys
            from vidcap_core import Vidcap
            vidcap = Vidcap(captioner="offline")
            vidcap.caption(sys.argv[1])
            if os.fork() == 0:
                try:
                    vidcap.caption(sys.argv[1])
                except RuntimeError as error:
                    print(error, flush=True)
                vidcap.close()
                os._exit(0)
            os.wait()
            print(vidcap.caption(sys.argv[1]).coverage.sent)
            """,
            clip.path,
        )
    )
    assert (code, err) == (0, "")
    assert out.splitlines() == ["a Vidcap does not survive a fork: make one in this process", "5"]


INTERRUPTED = """
    import sys, threading, time
    from vidcap_core import Vidcap
    try:
        with Vidcap(base_url=sys.argv[2], model="m") as vidcap:
            print("ready", flush=True)
            if sys.argv[3] == "run":
                for outcome in vidcap.run([sys.argv[1]] * 20):
                    pass
            else:
                vidcap.caption(sys.argv[1])
    except KeyboardInterrupt:
        for _ in range(500):  # a second interrupt may end the waiting for them
            names = [thread.name for thread in threading.enumerate()]
            if names == ["MainThread"]:
                break
            time.sleep(0.01)
        print("clean" if names == ["MainThread"] else names, flush=True)
"""


@pytest.mark.parametrize("call", ["caption", "run"])
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_in_a_sync_call_ends_cleanly(call: str, times: int, clip: PaintedVideo) -> None:
    with Endpoint(faults=[Fault.slow(60.0)] * 40) as endpoint:
        process = script(INTERRUPTED, clip.path, endpoint.base_url, call)
        wait_until(lambda: bool(endpoint.chats))
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.001)
        code, out, err = ended(process)
    assert (code, out, err) == (0, "ready\nclean\n", "")


def test_ctrl_c_while_frames_are_taken(clip: PaintedVideo) -> None:
    process = script(
        """
        import sys, threading
        from vidcap_core import Sampler, Segment, Vidcap

        class Stuck(Sampler):
            name = "stuck"
            def segments(self, video):
                print("ready", flush=True)
                while True:
                    for _ in video.scan():
                        pass
                    yield Segment(0.0, 1.0, ())

        try:
            Vidcap(captioner="offline", sampler=Stuck()).caption(sys.argv[1])
        except KeyboardInterrupt:
            print("clean", flush=True)
        """,
        clip.path,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert ended(process) == (0, "clean\n", "")


def test_the_portal_ends_what_is_under_way_when_it_closes() -> None:
    from vidcap_core.portal import Portal

    async def forever() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ends.append(True)

    ends: list[bool] = []
    portal = Portal()
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(portal.run, forever()) for _ in range(3)]
        wait_until(lambda: sum(future.running() for future in waiting) == 3)
        time.sleep(0.05)
        portal.close()
        for future in waiting:
            with pytest.raises(RuntimeError, match="closed"):
                future.result(5)
    assert ends == [True] * 3
    with pytest.raises(RuntimeError, match="closed"):
        portal.run(forever())
