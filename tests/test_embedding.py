"""docs/embedding.md, for real: a kernel runs its notebook cell, FastAPI its service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from vidcap_core import Evidence, Image, Item, Result, Vidcap
from vidcap_core.testing.videos import PaintedVideo
from vidcap_core.types import Coverage, Timings, Usage

ROOT = Path(__file__).parents[1]


def example(kind: str) -> str:
    page = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```python {kind}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_notebook_cell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(example("notebook"))])  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(ROOT)}})
    client.execute()
    (shown,) = [output for output in notebook.cells[0].outputs if output.output_type == "execute_result"]
    assert shown.data["text/html"].count('src="data:image/jpeg;base64,') == 5
    assert "Seen without a model" in shown.data["text/html"]


def test_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastapi.testclient import TestClient

    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {"__name__": "service"}
    exec(compile(example("fastapi"), "service", "exec", dont_inherit=True), names)
    with TestClient(names["app"]) as client:
        assert client.get("/captions/nothing").status_code == 404
        reply = client.get("/captions/sample").json()
    assert reply["items"][0]["value"]["caption"].startswith("Seen without a model: 12 seconds")


def test_a_result_as_html_shows_its_frames(clip: PaintedVideo) -> None:
    with Vidcap(captioner="offline") as vidcap:
        result = vidcap.caption(clip.path)
        (streamed,) = vidcap.run(clip.path)
        (kept,) = vidcap.run(clip.path, keep_images=True)
    html = result._repr_html_()
    assert html.count("<img ") == len(result.images) == 5
    for image in result.images:
        assert image.data_uri() in html
    assert isinstance(streamed, Result)
    assert isinstance(kept, Result)
    assert streamed.images == ()
    assert "<img " not in streamed._repr_html_()
    assert kept.images == result.images
    assert "images" not in result.to_dict()
    assert "data" not in result.to_dict()["items"][0]["evidence"][0]


def test_nothing_foreign_is_markup() -> None:
    bad = '<img src=x onerror="alert(1)">\x1b[2J'
    image = Image(0.0, 0.0, b"\xff\xd8", 1, 1, why=bad)
    item = Item(0.0, 1.0, {"text": bad}, None, (Evidence(0.0, 0.0, bad, image.sha256),))
    result = Result(
        uri=bad,
        title=bad,
        duration_s=1.0,
        task=bad,
        items=(item, item),
        coverage=Coverage(0.0, 1.0, 1.0, 1, 1),
        usage=Usage(),
        requests=1,
        timings=Timings(),
        made_by={},
        notices=(bad,),
        images=(image,),
    )
    html = result._repr_html_()
    assert set(re.findall(r"<(\w+)", html)) == {"div", "b", "p", "small", "figure", "img"}
    assert "\x1b" not in html
    assert 'onerror="' not in html


def test_equal_pictures_stay_with_their_own_item() -> None:
    def one(start_s: float) -> tuple[Item, Image]:
        image = Image(start_s, start_s, b"the same", 1, 1)
        return Item(
            start_s, start_s + 1, {"text": "x"}, None, (Evidence(start_s, start_s, "", image.sha256),)
        ), image

    (first, black), (second, still_black) = one(1.0), one(2.0)
    result = Result(
        uri="x",
        title=None,
        duration_s=2.0,
        task="t",
        items=(first, second),
        coverage=Coverage(0.0, 2.0, 1.0, 2, 2),
        usage=Usage(),
        requests=2,
        timings=Timings(),
        made_by={},
        images=(black, still_black),
    )
    assert result._repr_html_().count("<img ") == 2
