"""The command line, as people use it: what is printed where, exit codes, signals, odd names."""

from __future__ import annotations

import io
import itertools
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidcap_core.cli.terminal import Display
from vidcap_core.pipeline import Progress
from vidcap_core.testing import Endpoint, Fault, tiny_video
from vidcap_core.testing.videos import PaintedVideo

pytestmark = pytest.mark.usefixtures("nothing_left")

KEY = "sk-canary-0123456789abcdef"
COMMAND = [sys.executable, "-m", "vidcap_core", "caption"]


class Cli:
    """Runs the command in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), **self.environment}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)], text=True, cwd=self.folder, env=environment, **options
        )

    def __call__(self, *arguments: object, code: int = 0, **options: Any) -> tuple[str, str]:
        """What stands on stdout and on stderr; no traceback, no key, and this exit code."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=40)
        assert process.returncode == code, (process.returncode, out, err)
        assert KEY not in (out or "") + err
        if "--debug" not in arguments:
            assert "Traceback" not in err
        return out, err

    def fails(self, *arguments: object, code: int) -> str:
        """The one or two lines that a command says when it fails."""
        out, err = self(*arguments, code=code)
        assert out == ""
        assert 1 <= len(err.splitlines()) <= 2
        assert err.startswith("vidcap: ")
        return err


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    folder = tmp_path / "here"
    folder.mkdir()
    return Cli(folder)


@pytest.fixture
def asks(cli: Cli, endpoint: Endpoint) -> Cli:
    """The default provider, its address turned to this machine."""
    cli.environment = {
        "INFERENCE_API_KEY": KEY,
        "VIDCAP_CAPTIONERS__INFERENCE__BASE_URL": endpoint.base_url,
    }
    return cli


def test_the_key_selects_the_default_provider(asks: Cli, endpoint: Endpoint, clip: PaintedVideo) -> None:
    out, err = asks(clip.path)
    assert out == "A video in 5 frames.\n"
    assert err.startswith("5 frames, google/gemma-3-27b-instruct/bf-16 by inference, ")
    assert endpoint.chats[0].headers["authorization"] == f"Bearer {KEY}"
    assert endpoint.chats[0].body["model"] == "google/gemma-3-27b-instruct/bf-16"
    assert asks(clip.path, "--quiet") == ("A video in 5 frames.\n", "")


def test_without_a_key_one_video_is_told_offline_and_that_is_said(cli: Cli, clip: PaintedVideo) -> None:
    out, err = cli(clip.path)
    assert out.startswith("Seen without a model: 5 seconds of video")
    remedy, last = err.splitlines()
    assert "export INFERENCE_API_KEY=…" in remedy
    assert last.startswith("5 frames, no model, ")


def test_many_videos_without_a_key_ask_for_a_choice(cli: Cli, clip: PaintedVideo, clips: Path) -> None:
    for uris in ([clips], [clip.path, clip.path], [f"{clips}/*.mp4"]):
        assert "no captioner is chosen: export INFERENCE_API_KEY=" in cli.fails(*uris, code=4)


def test_an_endpoint_of_ones_own_needs_address_and_model(
    cli: Cli, endpoint: Endpoint, clip: PaintedVideo
) -> None:
    cli.environment = {"INFERENCE_API_KEY": KEY}
    out, err = cli(clip.path, "--base-url", endpoint.base_url, "--model", "qwen")
    assert out == "A video in 5 frames.\n"
    assert "qwen" in err
    assert "authorization" not in endpoint.chats[0].headers
    assert "--model" in cli.fails(clip.path, "--base-url", endpoint.base_url, code=4)


@pytest.mark.parametrize("output_format", ["json", "jsonl"])
def test_json_of_one_and_of_many(output_format: str, cli: Cli, clip: PaintedVideo) -> None:
    one = ("--captioner", "offline", "--format", output_format, "--frames", 2)
    out, _ = cli(*one, clip.path)
    result = json.loads(out)
    assert result["uri"] == str(clip.path)
    assert len(result["items"][0]["evidence"]) == result["coverage"]["sent"] == 2
    assert len(out.splitlines()) == 1 or output_format == "json"
    out, err = cli(*one, clip.path, "missing.mp4", clip.path, code=3)
    many = json.loads(out) if output_format == "json" else list(map(json.loads, out.splitlines()))
    assert [one["uri"] for one in many] == [str(clip.path), "missing.mp4", str(clip.path)]
    assert many[1]["stage"] == "source"
    assert many[1]["error"]["type"] == "SourceError"
    assert "vidcap: missing.mp4: there is no such file" in err
    assert "3 videos (1 failed), 4 frames, no model" in err


def test_text_of_many_names_each(cli: Cli, clip: PaintedVideo, clips: Path) -> None:
    out, _ = cli("--captioner", "offline", clips)
    assert out.splitlines()[::3] == [f"{clips}/{number}.mp4" for number in range(4)]


def test_out_is_a_file_for_one_and_a_folder_for_many(cli: Cli, clip: PaintedVideo, clips: Path) -> None:
    offline = ("--captioner", "offline", "--quiet")
    assert cli(*offline, clip.path, "--out", "new/caption.txt") == ("", "")
    assert (cli.folder / "new/caption.txt").read_text().startswith("Seen without")
    assert cli(*offline, clips, clips / "0.mp4", "--out", "captions", "--format", "json") == ("", "")
    names = sorted(path.name for path in (cli.folder / "captions").iterdir())
    assert names == ["0-2.json", "0.json", "1.json", "2.json", "3.json"]
    assert json.loads((cli.folder / "captions/2.json").read_text())["uri"] == f"{clips}/2.mp4"
    assert "for many videos name a folder" in cli.fails(*offline, clips, "--out", "new/caption.txt", code=4)


def test_no_video_is_written_over(cli: Cli, clip: PaintedVideo) -> None:
    video = cli.folder / "mine.mp4"
    shutil.copy(clip.path, video)
    said = cli.fails("--captioner", "offline", video, "--out", "mine.mp4", code=4)
    assert "mine.mp4 is the video itself" in said
    assert video.read_bytes() == clip.path.read_bytes()


def test_what_cannot_be_written_is_told_before_anything_is_paid_for(
    asks: Cli, endpoint: Endpoint, clip: PaintedVideo
) -> None:
    assert "cannot write" in asks.fails(clip.path, "--out", "/proc/no/caption.txt", code=7)
    assert endpoint.chats == []


@pytest.mark.parametrize("output_format", ["text", "json"])
def test_a_full_disk(output_format: str, cli: Cli, clip: PaintedVideo) -> None:
    with Path("/dev/full").open("w") as full:
        offline = ("--captioner", "offline", "--format", output_format)
        _, err = cli(*offline, clip.path, clip.path, stdout=full, code=7)
    assert err == "vidcap: cannot write the output: No space left on device; make room and run it again\n"


def test_a_dry_run_sends_nothing(asks: Cli, endpoint: Endpoint, clip: PaintedVideo, clips: Path) -> None:
    out, _ = asks(clip.path, "--dry-run")
    work = json.loads(out)
    parts = work["requests"][0]["parts"]
    assert [part["image"]["time_s"] for part in parts if "image" in part] == [0.5, 1.5, 2.5, 3.5, 4.5]
    out, err = asks(clips, "missing.mp4", "--dry-run", code=3)
    assert len(json.loads(out)) == 4
    assert "vidcap: missing.mp4: " in err
    assert endpoint.requests == []
    asks.environment = {}
    assert json.loads(asks(clip.path, "--dry-run")[0])["made_by"]["captioner"] is None


@pytest.mark.parametrize(
    ("options", "times_s"),
    [
        (("--frames", 2), [1.5, 3.5]),  # of the five that fixed_interval proposes
        (("--frames", 10), [0.5, 1.5, 2.5, 3.5, 4.5]),
        (("--sampler", "uniform", "--frames", 20), [n / 4 + 0.125 for n in range(20)]),
        (("--every", 2.5, "--set", "samplers.fixed_interval.at_least=1"), [1.25, 3.75]),
        (("--sampler", "uniform", "--frames", 1), [2.5]),
        (("--sampler", "uniform", "--set", "samplers.uniform.count=2"), [1.25, 3.75]),
        (("--from", "1", "--to", "0:03", "--frames", "1"), [2.0]),
    ],
)
def test_frames_are_chosen_by_options(
    options: tuple[object, ...], times_s: list[float], cli: Cli, clip: PaintedVideo
) -> None:
    out, _ = cli(clip.path, "--dry-run", *options)
    parts = json.loads(out)["requests"][0]["parts"]
    assert [part["image"]["asked_s"] for part in parts if "image" in part] == pytest.approx(times_s)


ODD_NAMES = [
    "-dash.mp4",
    "new\nline.mp4",
    "ünïcode – 影片.mp4",
    "100% [x] {y}.mp4",
    "no suffix",
    "[bold]a.mp4",
    "a:b.mp4",
]


def test_odd_names(cli: Cli, clip: PaintedVideo) -> None:
    names = [*ODD_NAMES, os.fsdecode(b"not\xff utf.mp4")]
    for name in names:
        (cli.folder / name).symlink_to(clip.path)
    offline = ("--captioner", "offline", "--format", "jsonl", "--quiet")
    out, _ = cli(*offline, "--", *names)
    assert [json.loads(line)["uri"] for line in out.splitlines()] == names
    out, _ = cli("--captioner", "offline", "--quiet", "--", *names)
    assert len(out.splitlines()) == 3 * len(names)
    cli(*offline, "--out", "captions", "--", *names)
    assert len(list((cli.folder / "captions").iterdir())) == len(names)


BAD_INPUTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing.mp4": (lambda path: None, "there is no such file"),
    "empty": (Path.mkdir, "holds no video"),
    "zero.mp4": (Path.touch, "empty"),
    "text.mp4": (lambda path: path.write_text("just some words\n" * 50), ""),
    "list.mp4": (lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), ""),
    "cut.mp4": (
        lambda path: path.write_bytes(tiny_video(path.with_suffix(".tmp.mp4")).path.read_bytes()[:3000]),
        "",
    ),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_inputs_are_told_in_a_line(name: str, cli: Cli) -> None:
    make, words = BAD_INPUTS[name]
    make(cli.folder / name)
    said = cli.fails(name, code=3)
    assert said.startswith(f"vidcap: {name}: ")
    assert words in said


def test_sound_without_a_picture(cli: Cli) -> None:
    import av
    import numpy as np

    with av.open(cli.folder / "sound.mp4", "w") as container:
        stream = container.add_stream("aac", 48_000)
        sound = av.AudioFrame.from_ndarray(np.zeros((2, 48_000), np.float32), "fltp", "stereo")
        sound.sample_rate = 48_000
        container.mux([*stream.encode(sound), *stream.encode(None)])
    assert "picture" in cli.fails("sound.mp4", code=3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--captioner", "opnai"), "did you mean 'openai'"),
        (("--sampler", "unifrom"), "did you mean 'uniform'"),
        (("--decoder", "vlc"), "no decoder named 'vlc'"),
        (("--set", "samplers.uniform.cuont=5"), "did you mean 'count'"),
        (("--set", "samplers.uniform.count=many"), "samplers.uniform.count"),
        (("--set", "nonsense"), "name=value"),
        (("--from", "3", "--to", "2"), "ends (2 s) before it starts (3 s)"),
        (("--captioner", "openai"), "export OPENAI_API_KEY=<your key>"),
        (("--sampler", "uniform", "--every", "2"), "--every is for the sampler fixed_interval"),
        (("--from", "9"), "there is nothing from 0:09 on: the video runs from 0:00 to 0:05"),
    ],
)
def test_wrong_settings_name_the_remedy(
    options: tuple[str, ...], words: str, cli: Cli, clip: PaintedVideo
) -> None:
    assert words in cli.fails(clip.path, *options, code=4)


def test_a_misspelt_variable(cli: Cli, clip: PaintedVideo) -> None:
    cli.environment = {"VIDCAP_SAMPLR": "uniform"}
    assert "VIDCAP_SAMPLR" in (said := cli.fails(clip.path, code=4))
    assert "'sampler'" in said


@pytest.mark.parametrize(
    "arguments", [("--nonsense", "a.mp4"), ("a.mp4", "--from", "soon"), ("--frames", "0", "a"), ()]
)
def test_wrong_usage(arguments: tuple[str, ...], cli: Cli) -> None:
    out, err = cli(*arguments, code=2)
    assert out == ""
    assert "Usage" in err


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault.bad_key(f"Incorrect key: {KEY}"), 5, "Check that the key in INFERENCE_API_KEY is right"),
        (Fault.no_quota(), 5, "quota is used up: add credit"),
        (Fault.model_not_found("gemma"), 3, "Check the model"),
        (Fault.too_large(), 3, "Send fewer or smaller frames"),
        (Fault.prose(), 3, "the answer does not fit the schema"),
        (Fault.refusal(), 3, "the model refused"),
        (Fault.html(), 3, "check base_url"),
    ],
    ids=lambda part: part.name if isinstance(part, Fault) else "",
)
def test_what_the_endpoint_refuses_is_told(
    fault: Fault, code: int, words: str, cli: Cli, clip: PaintedVideo
) -> None:
    with Endpoint(faults=itertools.repeat(fault)) as endpoint:
        cli.environment = {
            "INFERENCE_API_KEY": KEY,
            "VIDCAP_CAPTIONERS__INFERENCE__BASE_URL": endpoint.base_url,
        }
        assert words in cli.fails(clip.path, code=code)


def test_debug_shows_the_origin_and_no_key(cli: Cli, clip: PaintedVideo) -> None:
    with Endpoint(faults=itertools.repeat(Fault.bad_key(f"Incorrect key: {KEY}"))) as endpoint:
        cli.environment = {
            "INFERENCE_API_KEY": KEY,
            "VIDCAP_CAPTIONERS__INFERENCE__BASE_URL": endpoint.base_url,
        }
        _, err = cli(clip.path, "--debug", code=5)
        assert "AccessError" in err.partition("Traceback")[2]
    _, err = cli("missing.mp4", "--debug", code=3)
    assert "SourceError" in err.partition("Traceback")[2]


def test_an_endpoint_that_is_down(cli: Cli, clip: PaintedVideo) -> None:
    down = ("--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--set", "retries=0")
    said = cli.fails(clip.path, *down, code=3)
    assert "nothing answers at http://127.0.0.1:9/v1: is the server running?" in said


def test_a_refused_key_stops_many(clips: Path, cli: Cli) -> None:
    with Endpoint(api_key="another") as endpoint:
        cli.environment = {
            "INFERENCE_API_KEY": KEY,
            "VIDCAP_CAPTIONERS__INFERENCE__BASE_URL": endpoint.base_url,
        }
        cli.fails(clips, "--set", "concurrency=1", code=5)
        assert len(endpoint.chats) == 1


def test_a_bug_asks_for_a_report(cli: Cli, clip: PaintedVideo) -> None:
    broken = "from vidcap_core import cli, pipeline; pipeline.read = None; cli.main()"
    arguments = [sys.executable, "-c", broken, "caption", "--captioner", "offline", str(clip.path)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=40)
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first == "vidcap: a bug in vidcap: TypeError: 'NoneType' object is not callable"
    assert second == "vidcap: please report it, with what --debug prints"


@pytest.mark.parametrize(
    ("number", "code", "output_format"), [(signal.SIGINT, 130, "text"), (signal.SIGTERM, 143, "json")]
)
def test_signals_end_a_run_cleanly(
    number: int, code: int, output_format: str, cli: Cli, clip: PaintedVideo
) -> None:
    with Endpoint(faults=[Fault.slow(60.0)] * 40) as endpoint:
        process = cli.start(
            "--base-url", endpoint.base_url, "--model", "m", "--format", output_format, *[clip.path] * 20
        )
        while not endpoint.chats:
            time.sleep(0.01)
        group = [
            path for path in Path("/proc").glob("[0-9]*/task/*/children") if str(process.pid) in str(path)
        ]
        decoders = " ".join(path.read_text() for path in group).split()
        assert decoders
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (code, "vidcap: stopped\n")
    assert out == ("" if output_format == "text" else "[]\n")
    assert not [pid for pid in decoders if Path(f"/proc/{pid}").exists()]


def test_a_reader_that_leaves(cli: Cli, clip: PaintedVideo) -> None:
    process = cli.start("--captioner", "offline", *[clip.path] * 30)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(20) == 141
    process.stderr.close()


def on_terminal(cli: Cli, *arguments: object, interrupt: bool = False) -> tuple[int, str, str]:
    """Exit code, stdout and what a terminal gets on stderr."""
    ours, theirs = pty.openpty()
    process = cli.start(*arguments, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break  # nobody has the other end open any more
        seen += part
        if interrupt and b"asking" in seen:
            interrupt = False
            process.send_signal(signal.SIGINT)
    os.close(ours)
    out, _ = process.communicate(timeout=20)
    return process.returncode, out, seen.decode()


def test_a_terminal_sees_the_steps_and_is_left_clean(cli: Cli, clip: PaintedVideo) -> None:
    cli.environment = {"TERM": "xterm-256color", "COLUMNS": "100"}
    with Endpoint(faults=[Fault.slow(0.6)]) as endpoint:
        code, out, seen = on_terminal(cli, clip.path, "--base-url", endpoint.base_url, "--model", "m")
    assert (code, out) == (0, "A video in 5 frames.\n")
    assert "clip.mp4: asking the model" in seen
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") > 0
    assert seen.rstrip().splitlines()[-1].endswith(" s")
    with Endpoint(faults=[Fault.slow(60)]) as endpoint:
        where = ("--base-url", endpoint.base_url, "--model", "m")
        code, _, seen = on_terminal(cli, clip.path, *where, interrupt=True)
    assert code == 130
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")
    assert seen.rstrip().endswith("vidcap: stopped")
    _, _, seen = on_terminal(cli, clip.path, "--captioner", "offline", "--quiet")
    assert seen == ""


def test_help_names_every_option(cli: Cli) -> None:
    out, err = cli("--help")
    assert err == ""
    for option in (
        "--frames",
        "--every",
        "--from",
        "--to",
        "--set",
        "--format",
        "--out",
        "--dry-run",
        "--quiet",
    ):
        assert option in out


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


def test_a_bar_moves_while_a_sampler_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    display = Display(quiet=False)
    with display.shown():
        display(Progress("folder/talk.mp4", "look", 540.0, 600.0))
    seen = terminal.getvalue()
    assert "talk.mp4: looking, 9:00 of 10:00" in seen
    # 18 of the bar's 20 places: the colour changes behind them.
    assert "━" * 18 + "\x1b" in seen
