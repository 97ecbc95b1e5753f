from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vidcap_core.fit import coverage, thin
from vidcap_core.types import Coverage, Pick

Proposal = tuple[list[Pick], float, float]
MOST = st.integers(1, 40)


@st.composite
def proposals(draw: st.DrawFn, worths: tuple[float, ...] = (0.0, 0.5, 1.0)) -> Proposal:
    """Ascending picks in a span, which may be empty, crowded, or hold the same moment many times."""
    start_s = draw(st.sampled_from([0.0, -3.5, 1e6, 1e30]))
    length_s = draw(st.one_of(st.sampled_from([0.0, 1e-9, 1e30]), st.floats(0.01, 1e6)))
    places = draw(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0])), max_size=60))
    end_s = start_s + length_s
    times_s = sorted(min(start_s + length_s * place, end_s) for place in places)
    return [Pick(time_s, worth=draw(st.sampled_from(worths))) for time_s in times_s], start_s, end_s


def even(count: int, start_s: float, end_s: float) -> list[Pick]:
    step_s = (end_s - start_s) / count
    return [Pick(start_s + (index + 0.5) * step_s) for index in range(count)]


def gap_s(picks: list[Pick] | tuple[Pick, ...], start_s: float, end_s: float) -> float:
    return coverage([pick.time_s for pick in picks], start_s, end_s, 0).largest_gap_s


def slack_s(start_s: float, end_s: float) -> float:
    return 1e-12 * max(abs(start_s), abs(end_s))


@given(proposals(), MOST)
def test_as_many_as_fit_in_order_and_none_twice(proposal: Proposal, most: int) -> None:
    picks, start_s, end_s = proposal
    marked = [Pick(p.time_s, worth=p.worth, why=str(n)) for n, p in enumerate(picks)]
    kept = thin(marked, most, start_s, end_s)
    places = [int(pick.why) for pick in kept]
    assert len(kept) == min(most, len(picks))
    assert places == sorted(set(places))
    assert [marked[place] for place in places] == list(kept)


@given(proposals(), MOST)
def test_the_largest_gap_grows_by_two_bins_at_most(proposal: Proposal, most: int) -> None:
    picks, start_s, end_s = proposal
    before_s, after_s = (gap_s(some, start_s, end_s) for some in (picks, thin(picks, most, start_s, end_s)))
    assert after_s <= before_s + 2 * (end_s - start_s) / most + slack_s(start_s, end_s)


@given(st.integers(1, 400), MOST, st.floats(-1e5, 1e6), st.floats(0.04, 1e6))
@example(count=7, most=6, start_s=0.0, length_s=0.1)
@example(count=32, most=16, start_s=0.1, length_s=0.7)
def test_an_even_grid_stays_even_enough(count: int, most: int, start_s: float, length_s: float) -> None:
    end_s = start_s + length_s
    kept = thin(even(count, start_s, end_s), most, start_s, end_s)
    assert gap_s(kept, start_s, end_s) <= 2 * length_s / len(kept) + slack_s(start_s, end_s)


@given(proposals(worths=(0.0, 0.25, 0.5, 0.75, 1.0)), MOST)
def test_the_worthier_half_of_the_budget_is_always_sent(proposal: Proposal, most: int) -> None:
    picks, start_s, end_s = proposal
    worths = sorted((pick.worth for pick in picks), reverse=True)
    kept = sorted((pick.worth for pick in thin(picks, most, start_s, end_s)), reverse=True)
    half = (most + 1) // 2
    assert kept[:half] == worths[:half]


def test_an_event_keeps_its_frames_where_the_rest_of_the_video_is_covered() -> None:
    grid = [Pick(float(n), worth=0.1) for n in range(0, 600, 10)]
    event = [Pick(300.0 + n / 10, worth=1 - n / 100) for n in range(1, 9)]
    picks = sorted([*grid, *event], key=lambda pick: pick.time_s)
    kept = thin(picks, 16, 0.0, 600.0)
    assert [pick for pick in kept if pick.worth > 0.5] == event
    assert gap_s(kept, 0.0, 600.0) <= 10 + 2 * 600 / 16


@given(proposals())
def test_places_left_over_go_to_what_is_worth_most(proposal: Proposal) -> None:
    picks, start_s, end_s = proposal
    crowd = [Pick(start_s, worth=pick.worth, why=str(n)) for n, pick in enumerate(picks)]
    kept = thin(crowd, 5, start_s, end_s)
    assert sorted(pick.worth for pick in kept) == sorted(pick.worth for pick in crowd)[-5:]


def test_places_left_over_go_where_nothing_is_near() -> None:
    crowd = [Pick(float(n)) for n in range(65)]
    kept = thin([*crowd, Pick(1000.0)], 5, 0.0, 1000.0)
    assert [pick.time_s for pick in kept] == [0.0, 16.0, 32.0, 64.0, 1000.0]


@given(proposals(worths=(1.0,)), MOST)
def test_no_moment_is_kept_twice_while_another_is_left_out(proposal: Proposal, most: int) -> None:
    picks, start_s, end_s = proposal
    kept = thin(picks, most, start_s, end_s)
    if len({pick.time_s for pick in kept}) < len(kept):
        assert {pick.time_s for pick in picks} <= {pick.time_s for pick in kept}


def test_one_place_takes_the_middle() -> None:
    assert thin(even(9, 0.0, 90.0), 1, 0.0, 90.0) == (Pick(45.0),)


def test_one_place_takes_the_worthiest() -> None:
    assert thin([Pick(1.0), Pick(5.0), Pick(8.0, worth=2.0)], 1, 0.0, 10.0) == (Pick(8.0, worth=2.0),)


def test_no_place_keeps_nothing() -> None:
    assert thin([Pick(1.0)], 0, 0.0, 10.0) == ()


def test_the_tail_is_not_cut_off() -> None:
    kept = thin(even(1000, 0.0, 1000.0), 10, 0.0, 1000.0)
    assert [pick.time_s for pick in kept] == pytest.approx([50 + 100 * n for n in range(10)], abs=0.5)


def test_moments_that_are_all_the_same() -> None:
    assert thin([Pick(3.0)] * 9, 4, 3.0, 3.0) == (Pick(3.0),) * 4


@pytest.mark.timeout(20)  # with the square of the picks it would be minutes
@pytest.mark.parametrize("kind", ["even", "crowded", "same", "worths"])
def test_many_picks_take_no_time(kind: str) -> None:
    draw = random.Random(kind)
    picks = {
        "even": lambda: even(50_000, 0.0, 1e4),
        "crowded": lambda: [Pick(n / 1e6) for n in range(50_000)],
        "same": lambda: [Pick(0.0)] * 25_000 + [Pick(1e4)] * 25_000,
        "worths": lambda: [Pick(n / 1e6, worth=draw.random()) for n in range(50_000)],
    }[kind]()
    assert len(thin(picks, 2000, 0.0, 1e4)) == 2000


@given(proposals())
def test_coverage_is_the_largest_gap_edges_included(proposal: Proposal) -> None:
    picks, start_s, end_s = proposal
    times_s = [pick.time_s for pick in picks]
    found = coverage(times_s, start_s, end_s, asked=99)
    assert (found.start_s, found.end_s, found.asked, found.sent) == (start_s, end_s, 99, len(picks))
    assert found.largest_gap_s == max(b - a for a, b in pairwise([start_s, *times_s, end_s]))


@pytest.mark.parametrize(
    ("times_s", "expected_s"),
    [
        ([], 10.0),
        ([5.0], 5.0),
        ([9.0, 1.0], 8.0),
        ([0.0, 10.0], 10.0),
        ([-5.0, 4.0], 6.0),
        ([4.0, 15.0], 6.0),
    ],
)
def test_coverage(times_s: list[float], expected_s: float) -> None:
    assert coverage(times_s, 0.0, 10.0, 3) == Coverage(0.0, 10.0, expected_s, 3, len(times_s))
