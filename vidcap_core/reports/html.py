"""HTML for people: the one place where markup is made, and where foreign text is made harmless.

    element("p", "A title: ", element("b", title), class_="said")

Text is escaped wherever it stands; only what `element` has made is markup. Pages hold no script and
load nothing: a policy in their head says so to the browser too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TypeAlias

from ..text import for_terminal
from ..version import __version__

_NAME = re.compile(r"[a-z][a-z0-9-]*|viewBox")
_ADDRESS = re.compile(r"#|data:image/")
"""Of a place in the page, or of a picture that stands in it; any other one loads or runs something."""
_VOID = frozenset({"br", "img", "meta"})
_GENERATOR = '<meta name="generator" content="vidcap '
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_HEAD_BYTES = 1000


class Html(str):
    """Markup: what a browser may read as it is."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[Child] | None"
Attribute: TypeAlias = str | float | bool | None


def element(name: str, *children: Child, **attributes: Attribute) -> Html:
    """An element. `class_` is the attribute class, `aria_label` aria-label; True has no value, None is none.

    Children are text, elements, or iterables of them. Raises ValueError for a name that is none, for
    one of an attribute that runs a script, and for a `href` or `src` that leads out of the page.
    """
    _check(name)
    head = name + "".join(_attribute(key.rstrip("_").replace("_", "-"), v) for key, v in attributes.items())
    if name in _VOID:
        return Html(f"<{head}>")
    return Html(f"<{head}>{together(*children)}</{name}>")


def together(*children: Child) -> Html:
    """Children beside one another, text among them escaped."""
    return Html("".join(map(_markup, children)))


def page(title: str, *body: Child) -> str:
    """A whole page in one piece, in the look that all of vidcap's reports have."""
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    head = (
        f'<meta charset="utf-8">{policy}{_GENERATOR}{__version__}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{element('title', title)}<style>{style}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{together(*body)}</body></html>\n'


def is_own_page(start: bytes) -> bool:
    """Whether a file that begins so is a page that vidcap has written, and may write again."""
    return _GENERATOR.encode() in start[:_HEAD_BYTES]


def framed(whole_page: str, title: str, *, height_px: int) -> Html:
    """A page inside another one, a notebook's: neither's style reaches the other."""
    look = f"width:100%;height:{height_px}px;border:0;border-radius:8px"
    return element("iframe", srcdoc=Html(whole_page), sandbox="", title=title, style=look)


def _markup(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    return escape(for_terminal(child)) if isinstance(child, str) else together(*child)


def _attribute(name: str, value: Attribute) -> str:
    _check(name)
    if name.startswith("on"):
        raise ValueError(f"the attribute {name!r} runs a script")
    if value is None or value is False:
        return ""
    # A whole page is an attribute's value too: its own control characters are gone already.
    text = value if isinstance(value, Html) else for_terminal(str(value))
    if name in ("href", "src") and not _ADDRESS.match(text):
        raise ValueError(f"the attribute {name!r} leads out of the page: {text[:40]!r}")
    return f" {name}" if value is True else f' {name}="{escape(text)}"'


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"no name of an element or attribute: {name!r}")
