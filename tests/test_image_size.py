from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidcap_core.image_size import fitted, image_tokens, side_px
from vidcap_core.types import Limits

SIDE = st.integers(1, 10_000)


@pytest.mark.parametrize(
    ("limits", "size", "tokens"),
    [
        # The rules as their publishers give them, with their own examples.
        (Limits(fit="squash", side_px=896, tokens_per_image=256), (1593, 896), 256),
        (Limits(tokens_per_image=85, tokens_per_tile=170, tile_px=512), (768, 768), 765),
        (Limits(tokens_per_tile=1, tile_px=32, max_tiles=1536), (1024, 1024), 1024),
        (Limits(tokens_per_tile=1.62, tile_px=32, max_tiles=1536), (2400, 1800), 2489),
        (Limits(), (640, 360), None),
    ],
)
def test_image_tokens(limits: Limits, size: tuple[int, int], tokens: int | None) -> None:
    assert image_tokens(limits, *size) == tokens


@given(SIDE, SIDE, st.integers(1, 4096))
def test_an_image_is_never_enlarged_and_keeps_its_shape(width_px: int, height_px: int, most_px: int) -> None:
    fitted_px = fitted(width_px, height_px, most_px)
    assert max(fitted_px) == min(most_px, max(width_px, height_px))
    for side, full in zip(fitted_px, (width_px, height_px), strict=True):
        assert 1 <= side <= full
        assert side == pytest.approx(full * max(fitted_px) / max(width_px, height_px), abs=1)


@given(SIDE, SIDE)
def test_a_square_that_all_is_squashed_to_gets_its_lines(width_px: int, height_px: int) -> None:
    longer_px = side_px(Limits(fit="squash", side_px=896), width_px, height_px)
    shape = max(width_px, height_px) / min(width_px, height_px)
    assert longer_px == round(896 * min(shape, 4))


@pytest.mark.parametrize(
    "wrong",
    [
        {"tokens_per_image": 0},
        {"tokens_per_tile": 0.0},
        {"tokens_per_tile": math.nan},
        {"tokens_per_tile": math.inf},
        {"tile_px": 0},
        {"max_tiles": 0},
        {"max_image_tokens": 5},
    ],
)
def test_rules_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|needs"):
        Limits(**wrong)  # type: ignore[arg-type]
