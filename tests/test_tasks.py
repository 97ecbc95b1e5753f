"""Tasks: questions with cited times, users' own prompts and schemas, scopes, typed answers."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from vidcap_core import (
    InvalidAnswerError,
    OpenAICompatible,
    Pick,
    Result,
    Segment,
    Settings,
    SettingsError,
    Task,
    UniformSampler,
    Vidcap,
    asked,
    choose_task,
)
from vidcap_core.scopes import parts
from vidcap_core.tasks import ASK, CAPTION, DESCRIBE, FRAMING, Reply, Text
from vidcap_core.testing import Endpoint, Fault
from vidcap_core.testing.videos import PaintedVideo

MOOD = {
    "type": "object",
    "properties": {"mood": {"type": "string", "enum": ["calm", "tense"]}, "people": {"type": "integer"}},
}


def with_endpoint(endpoint: Endpoint, count: int = 5, **settings: Any) -> Vidcap:
    captioner = OpenAICompatible(base_url=endpoint.base_url, model="m")
    return Vidcap(captioner=captioner, sampler=UniformSampler(count=count), **settings)


def says(value: Any) -> Fault:
    return Fault.says(json.dumps(value))


# Questions and the times that show the answer


def test_a_question_is_answered_with_times_of_frames_that_were_sent(clip: PaintedVideo) -> None:
    with (
        Endpoint(faults=[says({"answer": "A barcode.", "times": ["0:02.5", "0:04.4"]})]) as endpoint,
        with_endpoint(endpoint) as vidcap,
    ):
        result = vidcap.ask(clip.path, "What is seen?")
    sent = [evidence.time_s for evidence in result.items[0].evidence]
    assert result.value == Reply(answer="A barcode.", times_s=(sent[2], sent[4]))
    assert result.task == "ask"
    assert "What is seen?" in endpoint.chats[0].texts[-1]
    assert json.loads(json.dumps(result.to_dict()))["items"][0]["value"]["times_s"] == [sent[2], sent[4]]


def test_times_that_were_not_sent_are_left_out_and_told(clip: PaintedVideo) -> None:
    with (
        Endpoint(faults=[says({"answer": "x", "times": ["0:01.3", "9:59", "0:01"]})]) as endpoint,
        with_endpoint(endpoint, count=3) as vidcap,
    ):
        result = vidcap.ask(clip.path, "When?")
    sent = [evidence.time_s for evidence in result.items[0].evidence]
    assert all(time_s in sent for time_s in result.value.times_s)
    assert len(result.value.times_s) == 1  # both that are near mean one frame
    assert [n for n in result.notices if n.startswith("1 of 3 times that the model names")]


def test_a_time_that_is_none_is_left_out_too(clip: PaintedVideo) -> None:
    faults = [says({"answer": "x", "times": ["later"]})]
    with Endpoint(faults=faults) as endpoint, with_endpoint(endpoint) as vidcap:
        result = vidcap.ask(clip.path, "When?")
    assert len(endpoint.chats) == 1
    assert result.value.times_s == ()
    assert result.notices[0].startswith("1 of 1 times")


def test_the_answer_as_text_names_its_times() -> None:
    assert str(Reply(answer="Yes.", times_s=(4.5, 62.0))) == "Yes. [0:04.5, 1:02]"
    assert str(Reply(answer="No.", times_s=())) == "No."


@pytest.mark.parametrize("question", ["", "  \n"])
def test_a_question_is_needed(clip: PaintedVideo, question: str) -> None:
    with Vidcap(captioner="offline") as vidcap, pytest.raises(SettingsError, match="what is the question"):
        vidcap.ask(clip.path, question)
    with Vidcap(captioner="offline") as vidcap, pytest.raises(SettingsError, match="needs a question"):
        next(vidcap.run(clip.path, "ask"))


class Scene(BaseModel):
    place: str
    people: int


def test_a_model_of_ones_own_comes_back_as_one(clip: PaintedVideo) -> None:
    with (
        Endpoint(faults=[says({"place": "a lab", "people": 0})] * 2) as endpoint,
        with_endpoint(endpoint) as vidcap,
    ):
        scene = vidcap.ask(clip.path, "Where is it?", answer=Scene)
        later = asyncio.run(vidcap.aask(clip.path, "Where is it?", answer=Scene))
    assert scene == later == Scene(place="a lab", people=0)
    assert set(dict(endpoint.chats[0].schema or {})["properties"]) == {"place", "people"}


# Users' own tasks


def test_a_schema_of_ones_own_gives_plain_data(clip: PaintedVideo) -> None:
    task = Task("mood", FRAMING, "Which mood?", MOOD)
    faults = [says({"mood": "loud", "people": 1}), says({"mood": "calm", "people": 1})]
    with Endpoint(faults=faults) as endpoint, with_endpoint(endpoint) as vidcap:
        (result,) = vidcap.run(clip.path, task)
    assert isinstance(result, Result)
    assert result.value == {"mood": "calm", "people": 1}
    assert result.text == "mood: calm\npeople: 1"
    assert "'loud' is not one of" in endpoint.chats[1].texts[-1]
    assert dict(endpoint.chats[0].schema or {})["additionalProperties"] is False


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "objekt"}, "no JSON Schema"),
        ({"type": "array", "items": {}}, "must describe an object"),
        ({"type": "object"}, "must describe an object"),
        ({"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}}, "another document"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/no"}}}, "which is not in it"),
        ("a word", "pydantic model or by a JSON Schema"),
    ],
)
def test_a_schema_that_cannot_be_asked_for(schema: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Task("x", FRAMING, "?", schema)


@pytest.mark.parametrize(
    "text", ["NaN", '{"mood": NaN}', "[" * 100_000, '"calm"', '{"mood": "calm", "people": "1"}']
)
def test_an_answer_that_does_not_fit_a_schema(text: str) -> None:
    with pytest.raises(InvalidAnswerError) as caught:
        Task("mood", FRAMING, "?", MOOD | {"required": ["people"]}).parse(text)
    assert len(str(caught.value)) < 1500


def test_tasks_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mood.json").write_text(json.dumps(MOOD))
    (tmp_path / "prompt.txt").write_text("Which mood is it?\n")
    (tmp_path / "vidcap.toml").write_text(
        '[tasks.mood]\nprompt = "@prompt.txt"\nschema = "mood.json"\nscope = "segment"\nwindow_s = 30\n'
        '[tasks.caption]\nprompt = "As a haiku."\n[tasks.sign]\nprompt = "?"\nschema = {type = "object",'
        ' properties = {sign = {type = "string"}}}\n'
    )
    settings = Settings.load()
    mood = choose_task("mood", settings)
    assert (mood.question, mood.scope, mood.window_s, mood.answer) == (
        "Which mood is it?",
        "segment",
        30,
        MOOD,
    )
    haiku = choose_task("caption", settings)
    assert (haiku.question, haiku.instructions, haiku.answer) == ("As a haiku.", FRAMING, CAPTION.answer)
    assert choose_task("sign", settings).parse('{"sign": "x"}') == {"sign": "x"}
    assert choose_task("describe", settings) is DESCRIBE


def test_a_task_made_on_the_spot(tmp_path: Path) -> None:
    schema = tmp_path / "mood.json"
    schema.write_text(json.dumps(MOOD))
    task = choose_task("mood", Settings.load(), prompt="Which mood?", schema=schema)
    assert (task.name, task.question, task.answer) == ("mood", "Which mood?", MOOD)
    assert choose_task("sum", Settings.load(), prompt="Sum up.").answer is Text
    assert choose_task("ask", Settings.load(), prompt="Why?").instructions == ASK.instructions
    assert asked("Why?").cites == "times_s"


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("captoin", {}, "did you mean 'caption'"),
        ("mood", {}, "needs a prompt"),
        ("ask", {}, "needs a question"),
        ("mood", {"prompt": " "}, "empty"),
        ("mood", {"prompt": "@nowhere.txt"}, "nowhere.txt cannot be read"),
        ("caption", {"schema": Path("nowhere.json")}, "nowhere.json cannot be read"),
        ("caption", {"schema": Path(__file__)}, "is no JSON"),
    ],
)
def test_what_cannot_be_a_task(name: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        choose_task(name, Settings.load(), **arguments)


class Tree(BaseModel):
    leaf: int
    branches: list[Tree] = []


def test_a_model_that_holds_itself() -> None:
    task = asked("?", Tree)
    assert "leaf, branches" in task.system("json_schema")
    assert task.parse('{"leaf": 1, "branches": [{"leaf": 2, "branches": []}]}').branches[0].leaf == 2


@pytest.mark.parametrize("text", ["{}", '{"error": "I cannot see it"}', '{"mood": "calm", "error": "x"}'])
def test_what_was_not_asked_for_is_no_answer_whatever_a_loose_schema_says(text: str) -> None:
    loose = {"type": "object", "properties": {"mood": {"type": "string"}}}
    with pytest.raises(InvalidAnswerError):
        Task("mood", FRAMING, "?", loose).parse(text)


def test_an_answer_nested_too_deep_to_be_written() -> None:
    task = Task("x", FRAMING, "?", {"type": "object", "properties": {"a": {}}})
    with pytest.raises(InvalidAnswerError, match="levels deep"):
        task.parse('{"a": ' + "[" * 200 + "]" * 200 + "}")


def test_only_a_model_can_cite() -> None:
    with pytest.raises(SettingsError, match="no model with a field 'times'"):
        Task("x", FRAMING, "?", MOOD, cites="times")


def test_files_outside_of_the_settings_folder_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("a key")
    (tmp_path / "repository").mkdir()
    monkeypatch.chdir(tmp_path / "repository")
    for name in ("../secret", str(tmp_path / "secret")):
        Path("vidcap.toml").write_text(f'[tasks.caption]\nprompt = "@{name}"')
        with pytest.raises(SettingsError, match="lies outside of"):
            choose_task("caption", Settings.load())


def test_a_misspelt_scope() -> None:
    with pytest.raises(SettingsError, match="scope is one of video, segment, frame"):
        Task("x", FRAMING, "?", Text, scope="frames")  # type: ignore[arg-type]


def test_windows_are_for_segments() -> None:
    with pytest.raises(SettingsError, match="set scope to 'segment'"):
        Task("x", FRAMING, "?", Text, window_s=3.0)


# Scopes


def test_one_request_a_segment_a_window_a_frame(clip: PaintedVideo) -> None:
    counts = {}
    for name, scope, window_s in (("s", "segment", None), ("w", "segment", 2.0), ("f", "frame", None)):
        task = Task(name, FRAMING, "?", Text, scope=scope, window_s=window_s)  # type: ignore[arg-type]
        with Endpoint() as endpoint, with_endpoint(endpoint) as vidcap:
            (result,) = vidcap.run(clip.path, task)
        assert isinstance(result, Result)
        counts[name] = sorted(len(chat.images) for chat in endpoint.chats)  # they come in any order
        spans = [(item.start_s, item.end_s) for item in result.items]
        assert spans[0][0] == 0.0
        assert spans[-1][1] == pytest.approx(5.0)
        assert all(one[1] == other[0] for one, other in itertools.pairwise(spans))
        assert all(e.time_s <= item.end_s for item in result.items for e in item.evidence)
        assert result.text.count("[") == len(spans)
    assert counts == {"s": [1] * 5, "w": [1, 2, 2], "f": [1] * 5}


def test_a_failed_segment_leaves_the_others_standing(clip: PaintedVideo) -> None:
    task = Task("s", FRAMING, "?", Text, scope="segment")
    with (
        Endpoint(faults=[Fault.status(400)]) as endpoint,
        with_endpoint(endpoint, count=3, concurrency=1) as vidcap,
    ):
        (result,) = vidcap.run(clip.path, task)
    assert isinstance(result, Result)
    assert [item.error is None for item in result.items] == [False, True, True]
    assert result.items[0].value is None
    assert result.text.count("\n") == 1
    with pytest.raises(ValueError, match="3 items"):
        _ = result.value


@given(
    lengths_s=st.lists(st.floats(0.01, 100), min_size=1, max_size=30),
    counts=st.lists(st.integers(0, 3), min_size=30, max_size=30),
    kept=st.sets(st.integers(0, 89), min_size=1),
    scope=st.sampled_from(["segment", "frame", "video"]),
    window_s=st.none() | st.floats(0.1, 200),
)
def test_parts_tile_the_span_and_lose_no_pick(
    lengths_s: list[float], counts: list[int], kept: set[int], scope: Any, window_s: float | None
) -> None:
    segments, start_s = [], 5.0
    for length_s, count in zip(lengths_s, counts, strict=False):
        times = [start_s + length_s * (n + 0.5) / count for n in range(count)]
        segments.append(Segment(start_s, start_s + length_s, tuple(map(Pick, times))))
        start_s += length_s
    picks = [pick for segment in segments for pick in segment.picks]
    wanted = [pick for number, pick in enumerate(picks) if number in kept] or picks[:1]
    if not wanted:
        return
    task = Task("x", FRAMING, "?", Text, scope=scope, window_s=window_s if scope == "segment" else None)
    found = parts(segments, wanted, task, 5.0, start_s)
    assert [pick for part in found for pick in part.picks] == wanted
    assert all(part.picks for part in found)
    assert (found[0].start_s, found[-1].end_s) == (5.0, start_s)
    assert all(one.end_s == other.start_s for one, other in itertools.pairwise(found))
    if scope == "frame":
        assert len(found) == len(wanted)
