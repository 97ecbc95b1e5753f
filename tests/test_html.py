"""The HTML writer: whatever text says, it stays text."""

from __future__ import annotations

from html.parser import HTMLParser
from importlib.resources import files
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidcap_core.reports.html import Html, element, framed, is_own_page, page, together
from vidcap_core.text import for_terminal

ATTACKS = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</style></title>",
    "&amp;",
    "\u202eabc",
)
HOSTILE = st.text() | st.sampled_from(ATTACKS)


class Reader(HTMLParser):
    """Reads a page as a browser does: its elements with their attributes, and its text."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def names(self) -> list[str]:
        return [name for name, _ in self.elements]


@given(HOSTILE, HOSTILE)
def test_text_and_attributes_come_out_as_they_went_in(text: str, value: str) -> None:
    read = Reader(element("p", text, element("b", "bold"), title=value))
    assert read.elements == [("p", {"title": for_terminal(value)}), ("b", {})]
    assert read.text == for_terminal(text) + "bold"


@given(HOSTILE)
def test_text_that_was_added_to_markup_is_text_again(text: str) -> None:
    assert Reader(element("p", element("b") + text)).names() == ["p"]
    assert Reader(together(element("b"), text)).names() == ["b"]


def test_attributes() -> None:
    one = element("details", class_="a", aria_label="b c", data_n=1.5, open=True, hidden=False, title=None)
    assert one == '<details class="a" aria-label="b c" data-n="1.5" open></details>'
    assert element("img", alt="") == '<img alt="">'


@pytest.mark.parametrize("name", ["on_click", "onload", "a b", 'a"', "", "A"])
def test_no_attribute_runs_a_script_or_is_another_one(name: str) -> None:
    with pytest.raises(ValueError, match="attribute"):
        element("p", **{name: "alert(1)"})


@pytest.mark.parametrize("name", ["href", "src"])
@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", " #a", "https://there.example/#", "//there.example", "data:text/html,<b>", ""],
)
def test_nothing_leads_out_of_the_page(name: str, address: str) -> None:
    with pytest.raises(ValueError, match="leads out of the page"):
        element("a", **{name: address})
    assert element("a", href="#f0") == '<a href="#f0"></a>'
    assert element("img", src="data:image/png;base64,AA==") == '<img src="data:image/png;base64,AA==">'


def test_the_style_closes_what_it_opens_and_nothing_else() -> None:
    style = files("vidcap_core.reports").joinpath("report.css").read_text(encoding="utf-8")
    depths = list(accumulate({"{": 1, "}": -1}.get(letter, 0) for letter in style))
    assert min(depths) >= 0
    assert depths[-1] == 0


def test_an_element_has_a_name() -> None:
    with pytest.raises(ValueError, match="no name"):
        element("p onclick=alert(1)")


@given(HOSTILE)
def test_a_page_forbids_scripts_and_loads_nothing(title: str) -> None:
    whole = page(title, element("p", title))
    read = Reader(whole)
    assert read.names() == ["html", "head", *["meta"] * 4, "title", "style", "body", "p"]
    policy = next(a["content"] for _, a in read.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert is_own_page(whole.encode())
    assert read.text.count(for_terminal(title)) >= 2


def test_what_others_wrote_is_not_ours() -> None:
    assert not is_own_page(b"<!doctype html><html><title>mine</title>")
    assert not is_own_page(b"")


def test_a_page_stands_whole_inside_another_one() -> None:
    inner = page('a "title"', element("p", "<b>&amp;</b>"))
    read = Reader(element("div", framed(inner, "A <b>", height_px=10)))
    assert read.names() == ["div", "iframe"]
    frame = read.elements[1][1]
    assert frame["srcdoc"] == inner
    assert frame["sandbox"] == ""
    assert isinstance(framed(inner, "x", height_px=1), Html)
