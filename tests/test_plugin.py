from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field, PrivateAttr, ValidationError, field_validator

from vidcap_core.captioners.openai_compatible import OpenAICompatible
from vidcap_core.errors import PluginError
from vidcap_core.plugin import Captioner, Claim, Decoder, Plugin, Sampler, Session, Source
from vidcap_core.types import Answer, Limits, Media, Request, Segment, Want
from vidcap_core.video import SeekableFile, Video


class Dreamer(Plugin):
    """Has an option of each kind, and things of its own."""

    name: ClassVar[str] = "dreamer"

    depth: int = Field(default=1, ge=1)
    ratio: float = 0.5
    words: tuple[str, ...] = ("sheep",)
    folder: Path | None = None
    price_usd: Decimal = Decimal("0.10")
    limits: Limits = Limits()

    _memory: list[str] = PrivateAttr(default_factory=list)

    @field_validator("ratio")
    @classmethod
    def _check_ratio(cls, value: float) -> float:
        if value > 1:
            raise ValueError("is a share of one")
        return value

    @cached_property
    def client(self) -> object:
        return object()


class Silent(Captioner):
    name: ClassVar[str] = "silent"

    async def answer(self, request: Request) -> Answer:
        return Answer("", self.name)


def _plugin(**body: Any) -> type[Plugin]:
    """A plugin class whose body is made at run time."""
    return types.new_class("Bad", (Plugin,), exec_body=lambda space: space.update(body))


def _named(name: str) -> type[Plugin]:
    return _plugin(name=name)


def _with_option(option: str) -> type[Plugin]:
    return _plugin(**{"__annotations__": {option: int}, option: 1})


class TestNames:
    @pytest.mark.parametrize("name", ["a", "fixed_interval", "s3", "a1_2b", "x" * 100])
    def test_good(self, name: str) -> None:
        assert _named(name).name == name

    @pytest.mark.parametrize(
        "name", ["A", "aB", "1a", "_a", "a_", "a__b", "a-b", "a.b", "a b", " a", "a\n", "é", "a=", "a/b"]
    )
    def test_bad(self, name: str) -> None:
        with pytest.raises(PluginError, match=r"Bad: name .* must be lower-case words"):
            _named(name)

    def test_a_base_for_other_plugins_needs_none(self) -> None:
        class Base(Sampler):
            depth: int = 1

        assert Base.name == ""


class TestOptionNames:
    @pytest.mark.parametrize("option", ["schema", "json", "copy", "use", "name", "model_path", "model_"])
    # pydantic warns of most of them; that they are refused is what counts.
    @pytest.mark.filterwarnings("ignore:Field name:UserWarning", "ignore:Field .* conflict:UserWarning")
    def test_reserved(self, option: str) -> None:
        with pytest.raises(PluginError, match=f"an option cannot be called '{option}'"):
            _with_option(option)

    @pytest.mark.parametrize("option", ["model", "models", "names", "schemas", "user"])
    def test_others_are_free(self, option: str) -> None:
        assert _with_option(option)().options() == {option: 1}


class TestOptions:
    def test_frozen(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            Dreamer().depth = 2  # type: ignore[misc]  # what mypy forbids as well

    def test_no_other_options(self) -> None:
        with pytest.raises(ValidationError, match="dept"):
            Dreamer(dept=2)  # type: ignore[call-arg]  # likewise

    @pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, "inf", "nan", 1.5])
    def test_refused(self, value: Any) -> None:
        with pytest.raises(ValidationError, match="ratio"):
            Dreamer(ratio=value)

    def test_defaults_are_validated(self) -> None:
        class Wrong(Plugin):
            depth: int = Field(default=0, ge=1)

        with pytest.raises(ValidationError, match="depth"):
            Wrong()

    def test_a_refused_value_is_not_repeated(self) -> None:
        for wrong in ({"depth": "canary"}, {"canary-free": "canary"}, {"limits": {"side_px": "canary"}}):
            with pytest.raises(ValidationError) as caught:
                Dreamer.model_validate(wrong)
            assert "canary" not in str(caught.value).replace("canary-free", "")

    def test_plain_data(self) -> None:
        options = Dreamer(folder=Path("a") / "b").options()
        assert json.loads(json.dumps(options, allow_nan=False)) == options
        assert options == {
            "depth": 1,
            "ratio": 0.5,
            "words": ["sheep"],
            "folder": str(Path("a") / "b"),
            "price_usd": "0.10",
            "limits": options["limits"],
        }
        assert options["limits"]["side_px"] == 1024

    def test_plain_data_makes_the_same_plugin(self) -> None:
        plugin = Dreamer(depth=3, folder=Path("x"), limits=Limits(max_images=7, rungs=("prompt",)))
        assert Dreamer.model_validate(plugin.options()) == plugin
        assert Dreamer.model_validate_json(json.dumps(plugin.options())) == plugin

    def test_equal_options_are_equal_plugins(self) -> None:
        assert Dreamer(depth=2) == Dreamer(depth=2)
        assert hash(Dreamer(depth=2)) == hash(Dreamer(depth=2))
        assert Dreamer(depth=2) != Dreamer()


class TestReplace:
    def test_it_leaves_the_first_alone(self) -> None:
        first = Dreamer(depth=2, words=("a", "b"))
        second = first.replace(depth=3)
        assert type(second) is Dreamer
        assert (first.depth, second.depth, second.words) == (2, 3, ("a", "b"))
        assert first.replace() == first

    @pytest.mark.parametrize("options", [{"depth": 0}, {"ratio": 2}, {"ratio": math.inf}, {"dept": 1}])
    def test_it_validates(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Dreamer().replace(**options)

    def test_it_keeps_nothing_that_the_first_one_cached(self) -> None:
        first = Dreamer()
        first._memory.append("dream")
        client = first.client
        second = first.replace()
        assert second._memory == []
        assert second.client is not client
        assert first.client is client

    def test_what_was_not_set_stays_a_default(self) -> None:
        assert Dreamer(depth=2).replace(ratio=0.1).model_fields_set == {"depth", "ratio"}


class TestKinds:
    @pytest.mark.parametrize("kind", [Source, Sampler, Captioner])
    def test_each_asks_for_its_methods(self, kind: type[Plugin]) -> None:
        with pytest.raises(TypeError, match="abstract"):
            kind()

    def test_claims_are_ordered(self) -> None:
        assert Claim.NO < Claim.MAYBE < Claim.YES
        assert max([Claim.MAYBE, Claim.YES, Claim.NO]) is Claim.YES
        assert not Claim.NO

    def test_a_source_stands_for_one_video_by_itself(self) -> None:
        class One(Source):
            def claims(self, uri: str) -> Claim:
                return Claim.YES

            def open(self, uri: str, want: Want) -> AbstractContextManager[Media]:
                raise NotImplementedError

        assert list(One().expand("a://b")) == ["a://b"]

    def test_a_decoder_opens_by_name_with_its_options(self) -> None:
        class Twice(Decoder):
            opener: ClassVar[str] = f"{__name__}:opener"
            threads: int = 2

        with Twice(threads=3).open("file") as opened:  # type: ignore[arg-type]  # any file will do
            assert opened == ("file", {"threads": 3})  # type: ignore[comparison-overlap]  # what it was given

    def test_a_captioner_is_its_own_session(self) -> None:
        async def held(captioner: Captioner) -> Session:
            async with captioner.session() as session:
                return session

        captioner = Silent()
        assert asyncio.run(held(captioner)) is captioner
        remote = OpenAICompatible(base_url="http://127.0.0.1:1/v1", model="m")
        assert not isinstance(asyncio.run(held(remote)), Plugin)

    def test_importing_the_kinds_imports_nothing_heavy(self) -> None:
        heavy = ("av", "numpy", "openai", "rich", "typer", "pydantic_settings")
        code = f"import sys, vidcap_core.plugin; sys.exit(str([m for m in {heavy} if m in sys.modules] or 0))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stderr.strip() in ("", "0")


@contextmanager
def opener(file: SeekableFile, **options: Any) -> Iterator[Any]:
    yield file, options


def test_a_sampler_may_be_written_in_a_few_lines() -> None:
    class Whole(Sampler):
        name: ClassVar[str] = "whole"

        def segments(self, video: Video) -> Iterator[Segment]:
            yield Segment(0.0, 1.0, ())

    assert Whole().options() == {}
