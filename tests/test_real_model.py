"""True inference: a small vision model with real weights, served by Hugging Face transformers.

Runs where the command `transformers` (or what TRANSFORMERS_COMMAND names) and the model's folder
(TOY_LLAVA, or the one beside the checkout) are there. The model names the colours of its images.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidcap_core import OpenAICompatible, Result, UniformSampler, Vidcap
from vidcap_core.tasks import TASKS
from vidcap_core.testing import colour_video

COMMAND = shutil.which(os.environ.get("TRANSFORMERS_COMMAND", "transformers"))
MODEL = Path(os.environ.get("TOY_LLAVA", Path(__file__).parents[2] / "shared" / "models" / "toy-llava"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(COMMAND is None, reason="the command `transformers` is not installed"),
    pytest.mark.skipif(not MODEL.is_dir(), reason="the model is not there"),
]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("hf")
    (home / "hub").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(COMMAND),
        "serve",
        str(MODEL),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(f"http://127.0.0.1:{port}/v1/models", server)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(180):
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(1)
        else:
            return
    pytest.fail("the server did not start")


@pytest.mark.parametrize(
    "colours", [("red", "blue"), ("green", "white", "red"), ("black", "green", "blue", "red")]
)
def test_names_the_colours_of_the_scenes_in_their_order(
    endpoint: str, tmp_path: Path, colours: tuple[str, ...]
) -> None:
    path = tmp_path / "colours.mp4"
    colour_video(path, colours, seconds_each=2.0)
    captioner = OpenAICompatible(
        base_url=endpoint,
        model=str(MODEL),
        # It ignores response_format: nobody enforces a schema, so none is counted on.
        limits={"rungs": ["prompt"], "side_px": 64},
    )
    # It was trained on pictures side by side with a few words: with more of them it loses count.
    task = dataclasses.replace(
        TASKS["caption"], instructions="Caption the video.", label="", question="Caption?"
    )
    with Vidcap(captioner=captioner, sampler=UniformSampler(count=len(colours))) as vidcap:
        (result,) = vidcap.run([str(path)], task)

    assert isinstance(result, Result), result
    named = [word for word in result.text.split() if word in {"red", "green", "blue", "white", "black"}]
    assert named == list(colours)
    assert result.made_by["rung"] == "prompt"
    assert result.coverage.sent == len(colours)
