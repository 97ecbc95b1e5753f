"""The offline captioner says what is true of the frames, whatever they are."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from vidcap_core.captioners.offline import REMEDY, Offline, describe
from vidcap_core.errors import SettingsError
from vidcap_core.types import Image, Request, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SCHEMA = {"type": "object", "properties": {"caption": {"type": "string"}}, "required": ["caption"]}
SWATCHES = {
    "white": [(255, 255, 255), (245, 245, 245)],
    "black": [(0, 0, 0), (16, 16, 16)],
    "grey": [(128, 128, 128), (64, 64, 64), (200, 200, 200)],
    "red": [(255, 0, 0), (220, 20, 60), (139, 0, 0), (178, 34, 34)],
    "green": [(0, 128, 0), (0, 255, 0), (0, 100, 0), (144, 238, 144), (127, 255, 0)],
    "blue": [(0, 0, 255), (0, 0, 128), (65, 105, 225), (135, 206, 235)],
    "yellow": [(255, 255, 0), (255, 215, 0), (255, 255, 150)],
    "orange": [(255, 165, 0), (255, 140, 0), (255, 120, 0)],
    "brown": [(139, 69, 19), (150, 75, 0), (101, 67, 33), (160, 82, 45)],
    "purple": [(128, 0, 128), (75, 0, 130), (138, 43, 226), (147, 112, 219)],
    "pink": [(255, 192, 203), (255, 105, 180), (250, 128, 114)],
    "turquoise": [(64, 224, 208), (0, 206, 209), (0, 128, 128), (0, 255, 255)],
}
RED, GREEN, BLUE, BLACK, WHITE = (220, 20, 20), (20, 160, 40), (20, 40, 220), (0, 0, 0), (255, 255, 255)

Colour = tuple[int, int, int]


def encoded(pixels: NDArray[np.uint8], time_s: float = 0.0) -> Image:
    height_px, width_px = pixels.shape[:2]
    return Image(time_s, time_s, simplejpeg.encode_jpeg(pixels, quality=92), width_px, height_px)


def flat(colour: Colour, time_s: float = 0.0, size_px: tuple[int, int] = (96, 64)) -> Image:
    return encoded(np.full((size_px[1], size_px[0], 3), colour, np.uint8), time_s)


def request(
    images: Sequence[Image], facts: Mapping[str, Any] | None = None, schema: Mapping[str, Any] = SCHEMA
) -> Request:
    parts = [part for image in images for part in (f"Frame at {image.time_s} s:", image)]
    return Request("id", "system", tuple(parts), facts or {}, schema)


def said(colours: Sequence[Colour], every_s: float = 2.0, **facts: Any) -> str:
    return describe(request([flat(colour, number * every_s) for number, colour in enumerate(colours)], facts))


def test_the_answer_is_json_for_the_one_text_field() -> None:
    answer = asyncio.run(Offline().answer(request([flat(RED)])))
    assert json.loads(answer.text) == {"caption": describe(request([flat(RED)]))}
    assert (answer.model, answer.finish) == ("offline", "stop")
    assert answer.usage == Usage(0, 0, Decimal(0))


@pytest.mark.parametrize("name", ["caption", "summary", "what_is_seen"])
def test_the_field_may_have_any_name(name: str) -> None:
    field = {"type": "string", "title": "A title", "description": "What to say."}
    schema = {"type": "object", "properties": {name: field}, "additionalProperties": False}
    answer = asyncio.run(Offline().answer(request([flat(RED)], schema=schema)))
    assert json.loads(answer.text).keys() == {name}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"type": "integer"}}},
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}},
        {"type": "object", "properties": {"a": {"type": "string", "enum": ["yes", "no"]}}},
        {"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}},
        {"type": "object", "properties": {"a": True}},
    ],
)
def test_other_answers_are_refused_with_the_remedy(schema: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"one text field.*INFERENCE_API_KEY.*--captioner") as refusal:
        asyncio.run(Offline().answer(request([flat(RED)], schema=schema)))
    assert refusal.value.exit_code == 4


def test_the_remedy_is_one_line() -> None:
    assert "INFERENCE_API_KEY" in REMEDY
    assert "\n" not in REMEDY


@pytest.mark.parametrize(("name", "colour"), [(name, one) for name, all_ in SWATCHES.items() for one in all_])
def test_swatches_are_named_as_people_name_them(name: str, colour: Colour) -> None:
    sentence = said([colour]).split(". ")[1]
    assert re.fullmatch(rf"The only frame seen is (dark |pale |bright )?{name}\.", sentence)


@pytest.mark.parametrize(
    ("colour", "words"),
    [
        ((0, 0, 128), "dark blue"),
        ((173, 216, 230), "pale blue"),
        ((255, 0, 0), "bright red"),
        ((64, 64, 64), "dark grey"),
        ((0, 100, 0), "dark green"),
        ((210, 180, 140), "pale brown"),
    ],
)
def test_shades_are_told(colour: Colour, words: str) -> None:
    assert f"is {words}." in said([colour])


def test_facts_are_told_in_words() -> None:
    text = said([RED], duration_s=12.0, width_px=640, height_px=360, has_audio=False)
    start = "Seen without a model: 12 seconds of video, landscape (640 by 360 pixels), without sound. "
    assert text.startswith(start)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "a video of unknown length."),
        ({"duration_s": None}, "unknown length"),
        ({"duration_s": float("nan")}, "unknown length"),
        ({"duration_s": float("inf")}, "unknown length"),
        ({"duration_s": -1.0}, "unknown length"),
        ({"duration_s": 0.0}, "an instant of video"),
        ({"duration_s": 0.4}, "0.4 seconds of video"),
        ({"duration_s": 1}, "1 second of video"),
        ({"duration_s": 9.97}, "10 seconds of video"),
        ({"duration_s": 59.6}, "1 minute of video"),
        ({"duration_s": 3599.9}, "1 hour of video"),
        ({"duration_s": 3723.0}, "1 hour 2 minutes of video"),
        ({"duration_s": 90_000.0}, "1 day 1 hour of video"),
        ({"duration_s": 1e9}, "11574 days 1 hour of video"),
        ({"width_px": 360, "height_px": 640}, "portrait (360 by 640 pixels)"),
        ({"width_px": 360, "height_px": 360}, "square (360 by 360 pixels)"),
        ({"has_audio": True}, "with sound."),
    ],
)
def test_each_fact(facts: dict[str, Any], words: str) -> None:
    assert words in said([RED], **facts).split(". ")[0] + "."


def test_one_frame_has_no_changes() -> None:
    assert said([BLACK]).endswith("The only frame seen is black.")


def test_black_stays_black() -> None:
    assert said([BLACK] * 4).endswith("It is black throughout. Little changes from frame to frame.")


def test_two_colours_are_told_in_order() -> None:
    text = said([RED, RED, BLUE], every_s=2.0)
    assert "It begins bright red and is blue by 4 s." in text
    assert "The picture changes most between 2 s and 4 s" in text


def test_three_colours_are_told_in_order() -> None:
    text = said([RED, GREEN, BLUE], every_s=30.0)
    assert "It begins bright red, is bright green by 0:30 and blue by 1:00." in text
    assert "keeps changing throughout" in text


def test_many_colours_are_counted() -> None:
    text = said([RED, BLUE] * 4, every_s=5.0)
    assert "It begins bright red, changes its colours 7 times and is blue from 0:35 on." in text


def test_hours_are_told_as_a_clock() -> None:
    assert "is white by 1:02:05." in said([BLACK, WHITE], every_s=3725.4)


def test_brightening_and_darkening_are_told() -> None:
    assert said([BLACK, WHITE]).endswith("and it ends brighter than it began.")
    assert said([WHITE, BLACK]).endswith("and it ends darker than it began.")
    assert "than it began" not in said([BLACK, WHITE, BLACK])


def test_a_slow_fade_is_told() -> None:
    text = said([(level, level, level) for level in range(0, 256, 8)])
    assert "begins black" in text
    assert "white from" in text
    assert text.endswith("brighter than it began.")


def test_two_colours_in_one_picture_are_both_named() -> None:
    pixels = np.full((90, 120, 3), RED, np.uint8)
    pixels[60:] = WHITE
    assert describe(request([encoded(pixels)])).endswith("is bright red with white.")


def test_a_moving_thing_is_a_change_but_no_new_colour() -> None:
    images = []
    for number in range(5):
        pixels = np.full((90, 120, 3), BLACK, np.uint8)
        pixels[:, number * 20 : number * 20 + 36] = WHITE
        images.append(encoded(pixels, float(number)))
    text = describe(request(images))
    assert "It is black with white throughout. The picture keeps changing throughout." in text


def test_frames_are_put_in_order_of_time() -> None:
    assert "begins black and is white by 3 s" in describe(request([flat(WHITE, 3.0), flat(BLACK, 0.0)]))


def test_sizes_may_differ() -> None:
    images = [flat(RED, 0.0), flat(RED, 1.0, (31, 200)), flat(RED, 2.0, (1, 1))]
    assert describe(request(images)).endswith("throughout. Little changes from frame to frame.")


def test_grey_jpegs_are_read() -> None:
    data = simplejpeg.encode_jpeg(np.full((40, 40, 1), 200, np.uint8), colorspace="GRAY")
    assert "is pale grey." in describe(request([Image(0.0, 0.0, data, 40, 40)]))


def test_what_could_not_be_seen_is_said() -> None:
    broken = Image(0.0, 0.0, b"no jpeg", 1, 1)
    assert describe(request([])).endswith("No frame of it was seen.")
    assert describe(request([broken])).endswith("None of its frames could be read.")
    assert describe(request([broken, flat(RED, 1.0)])).endswith("Of 2 frames 1 could not be read.")


def test_the_same_request_has_the_same_answer() -> None:
    assert said([RED, GREEN, BLUE]) == said([RED, GREEN, BLUE])


colours = st.tuples(*[st.integers(0, 255)] * 3)
moments = st.lists(st.tuples(st.floats(0, 1e5), colours), max_size=7)
facts = st.fixed_dictionaries(
    {},
    optional={
        "duration_s": st.none() | st.floats() | st.integers(0, 10**12),
        "width_px": st.none() | st.integers(1, 8192),
        "height_px": st.none() | st.integers(1, 8192),
        "has_audio": st.none() | st.booleans(),
    },
)


def named_times(text: str) -> list[float]:
    """Every time that a text names, in seconds."""
    times = [float(found) for found in re.findall(r"(\d+(?:\.\d+)?) s\b", text)]
    for clock in re.findall(r"\b\d+(?::\d\d)+\b", text):
        seconds = 0
        for part in clock.split(":"):
            seconds = seconds * 60 + int(part)
        times.append(seconds)
    return times


@settings(max_examples=150, deadline=None)
@given(moments, facts)
def test_anything_gives_sentences_with_times_in_the_span(
    frames: list[tuple[float, Colour]], known: dict[str, Any]
) -> None:
    text = describe(request([flat(colour, time_s, (16, 16)) for time_s, colour in frames], known))
    assert re.fullmatch(r"Seen without a model: [a-z0-9][^.]*(\.\d[^.]*)*\.( [A-Z].*\.)?", text)
    assert len(re.findall(r"\. [A-Z]", text)) <= 3
    assert not re.search(r"  |\.\.|nan|inf\b|None[^ ]", text)
    for time_s in named_times(text):
        # A clock is cut to whole seconds, a time in seconds is rounded to a tenth.
        assert min(frames)[0] - 1 <= time_s <= max(frames)[0] + 0.05


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 600))
def test_damaged_images_do_not_bring_it_down(data: bytes, cut: int) -> None:
    whole = flat(RED, 1.0).data
    images = [Image(0.0, 0.0, data, 1, 1), Image(1.0, 1.0, whole[:cut] + data + whole[cut:], 96, 64)]
    assert describe(request(images)).endswith(".")
