"""Settings: what goes before what, where each value came from, and what is said of wrong ones."""

from __future__ import annotations

import os
import pickle
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, field_validator

import vidcap_core
from vidcap_core import layers
from vidcap_core.captioners.openai_compatible import OpenAICompatible
from vidcap_core.chosen import Chosen, Given, choose
from vidcap_core.errors import PluginError, SettingsError, SourceError
from vidcap_core.layers import Layer, Text, laid, merge, nested, parse_assignment
from vidcap_core.plugin import Claim, Plugin, Sampler, Source
from vidcap_core.registry import Installed, Registry
from vidcap_core.samplers.even import UniformSampler
from vidcap_core.settings import Settings
from vidcap_core.sources.local import LocalSource
from vidcap_core.vidcap import load_settings

SECRET = "sk-live-2f9c71d0e4b84bb6"
PROVIDERS = tomllib.loads(Path(vidcap_core.__file__).with_name("providers.toml").read_text("utf-8"))

TABLES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_size=3,
)

Write = Callable[[str], None]


class Several(Plugin):
    """Options of many types."""

    name = "several"
    text: str = "a"
    words: tuple[str, ...] = ()
    number: int | None = None
    share: float = 0.5
    flag: bool = False
    either: int | list[int] = 0
    table: dict[str, int] = Field(default_factory=dict)

    @field_validator("share")
    @classmethod
    def _check_share(cls, share: float) -> float:
        if share > 1:
            raise ValueError("is a share: at most 1")
        return share


class Needy(Source):
    """A source that has to be told something."""

    name = "needy"
    bucket: str

    def claims(self, uri: str) -> Claim:
        return Claim.YES if uri.startswith("needy:") else Claim.NO

    def open(self, uri: str, want: object) -> Any:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Write:
    """A function that writes vidcap.toml."""

    def write(text: str) -> None:
        (tmp_path / "vidcap.toml").write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A function that writes the user's own file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def write(text: str) -> None:
        path = layers.user_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that sets variables."""

    def set_all(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_all


def refusal(arguments: dict[str, Any] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        choose(Settings.load(arguments), Registry.load(), asks=False)
    return str(caught.value)


def leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def several(**options: Any) -> Several | None:
    return Settings.load({"samplers": {"several": options}}).build("samplers", "several", Several)


# What goes before what


def test_defaults() -> None:
    settings = Settings.load()
    assert (settings.decoder, settings.sampler, settings.captioner) == ("pyav", "fixed_interval", None)
    assert settings.max_frames == 16
    assert settings.origin("max_frames") == "default"
    assert settings.origin("samplers", "uniform", "count") == "default"
    assert settings.origin("captioners", "openai", "base_url") == "providers.toml"


@pytest.mark.parametrize(
    ("layers", "value", "origin"),
    [
        ("argument variable file", 1, "an argument"),
        ("variable file", 2, "VIDCAP_MAX_FRAMES"),
        ("file", 3, "vidcap.toml"),
        ("", 16, "default"),
    ],
)
def test_precedence(layers: str, value: int, origin: str, file: Write, env: Callable[..., None]) -> None:
    if "variable" in layers:
        env(VIDCAP_MAX_FRAMES="2")
    if "file" in layers:
        file("max_frames = 3")
    settings = Settings.load({"max_frames": 1} if "argument" in layers else None)
    assert settings.max_frames == value
    assert settings.origin("max_frames") == origin


def test_a_file_goes_before_the_providers(file: Write) -> None:
    file('[captioners.openai]\nmodel = "mine"\n[captioners.openai.limits]\nmax_images = 7')
    settings = Settings.load()
    table = settings.options("captioners", "openai")
    assert table["model"] == "mine"
    assert table["use"] == "openai_compatible"
    # Table by table, however deep: what the file does not say stays.
    assert table["limits"]["max_images"] == 7
    assert table["limits"]["side_px"] == PROVIDERS["captioners"]["openai"]["limits"]["side_px"]
    assert settings.origin("captioners", "openai", "limits", "max_images") == "vidcap.toml"
    assert settings.origin("captioners", "openai", "limits", "side_px") == "providers.toml"


def test_tables_are_merged_across_all_layers(file: Write, env: Callable[..., None]) -> None:
    file("[samplers.fixed_interval]\nevery_s = 3.0\nat_least = 3")
    env(VIDCAP_SAMPLERS__FIXED_INTERVAL__AT_LEAST="2", VIDCAP_SAMPLERS__UNIFORM__COUNT="2")
    settings = Settings.load({"samplers": {"uniform": {"count": 1}}})
    assert settings.options("samplers", "uniform") == {"count": 1}
    assert settings.options("samplers", "fixed_interval") == {"every_s": 3.0, "at_least": "2"}
    origin = "VIDCAP_SAMPLERS__FIXED_INTERVAL__AT_LEAST"
    assert settings.origin("samplers", "fixed_interval", "at_least") == origin
    assert settings.origin("samplers", "fixed_interval", "every_s") == "vidcap.toml"
    assert settings.origin("samplers", "uniform", "count") == "an argument"


@given(st.lists(TABLES, min_size=1, max_size=4))
def test_the_origin_of_a_value_is_the_layer_that_it_stands_in(tables: list[dict[str, Any]]) -> None:
    layers = [Layer(str(number), table) for number, table in enumerate(tables)]
    for path, value in leaves(laid(layers)):
        origin = next(layer for layer in layers if layer.holds(path))
        assert (path, value) in list(leaves(origin.values))


def test_arguments_are_left_as_they_are(env: Callable[..., None]) -> None:
    env(VIDCAP_SAMPLERS__UNIFORM__COUNT="2")
    arguments: dict[str, Any] = {"samplers": {"fixed_interval": {"every_s": 3}}}
    Settings.load(arguments)
    load_settings(arguments, model="m", base_url="http://localhost/v1")
    assert arguments == {"samplers": {"fixed_interval": {"every_s": 3}}}


def test_only_what_is_ours_is_read(tmp_path: Path, env: Callable[..., None]) -> None:
    (tmp_path / ".env").write_text("VIDCAP_SAMPLER=uniform\nVIDCAP_NONSENSE=1\n", encoding="utf-8")
    env(OPENAI_BASE_URL="http://elsewhere", OPENAI_MODEL="x", SAMPLER="uniform", MAX_FRAMES="1", VIDCAPX="1")
    settings = Settings.load()
    assert settings == Settings.load()
    assert (settings.sampler, settings.max_frames) == ("fixed_interval", 16)
    assert settings.options("captioners", "openai") == PROVIDERS["captioners"]["openai"]


def test_without_files_it_is_a_plain_model(env: Callable[..., None], file: Write) -> None:
    env(VIDCAP_MAX_FRAMES="2")
    file("max_frames = 3")
    assert Settings(max_frames=5).max_frames == 5
    assert Settings().max_frames == 16
    with pytest.raises(ValidationError):
        Settings(max_frame=5)  # type: ignore[call-arg]


# Text


@pytest.mark.parametrize("variable", ["VIDCAP_MAX_FRAMES", "vidcap_max_frames", "Vidcap_Max_Frames"])
def test_variables_in_any_case(variable: str, env: Callable[..., None]) -> None:
    env(**{variable: "5"})
    settings = Settings.load()
    assert settings.max_frames == 5
    assert settings.origin("max_frames") == variable


def test_an_empty_variable_is_as_if_unset(env: Callable[..., None], file: Write) -> None:
    file('sampler = "uniform"')
    env(VIDCAP_SAMPLER="", VIDCAP_MAX_FRAMES="", VIDCAP_NONSENSE="")
    assert Settings.load().sampler == "uniform"
    assert Settings.load(parse_assignment("max_frames=")).max_frames == 16


@pytest.mark.parametrize(
    "text", ['{"uniform": {"count": 3}}', "{uniform = {count = 3}}", "{uniform.count = 3}"]
)
def test_a_table_in_one_variable(text: str, env: Callable[..., None], file: Write) -> None:
    env(VIDCAP_SAMPLERS=text)
    for other in ("", "[samplers.uniform]\ncount = 9\n[samplers.fixed_interval]\nevery_s = 1"):
        file(other)
        settings = Settings.load()
        assert settings.options("samplers", "uniform") == {"count": 3}
        assert settings.options("samplers", "fixed_interval") == ({"every_s": 1} if other else {})
        assert settings.origin("samplers", "uniform", "count") == "VIDCAP_SAMPLERS"


def test_of_two_variables_the_more_precise_one(env: Callable[..., None]) -> None:
    env(
        VIDCAP_CAPTIONERS__X__LIMITS__SIDE_PX="3",
        VIDCAP_CAPTIONERS__X__LIMITS='{"side_px": 2, "max_images": 2}',
        VIDCAP_CAPTIONERS='{"x": {"limits": {"side_px": 1, "max_images": 1, "fit": "squash"}}}',
    )
    settings = Settings.load()
    limits = settings.options("captioners", "x")["limits"]
    assert limits == {"side_px": "3", "max_images": 2, "fit": "squash"}
    origins = [settings.origin("captioners", "x", "limits", name) for name in limits]
    assert sorted(origins) == [
        "VIDCAP_CAPTIONERS",
        "VIDCAP_CAPTIONERS__X__LIMITS",
        "VIDCAP_CAPTIONERS__X__LIMITS__SIDE_PX",
    ]


def test_nested_options(env: Callable[..., None]) -> None:
    env(
        VIDCAP_CAPTIONERS__OPENAI__LIMITS__MAX_IMAGES="4",
        VIDCAP_CAPTIONERS__OPENAI__LIMITS__RUNGS='["prompt"]',
    )
    settings = Settings.load()
    captioner = settings.build("captioners", "openai", OpenAICompatible)
    assert captioner is not None
    assert (captioner.limits.max_images, captioner.limits.rungs) == (4, ("prompt",))
    assert asdict(captioner.limits)["side_px"] == PROVIDERS["captioners"]["openai"]["limits"]["side_px"]


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("text", "5", "5"),
        ("text", '"quoted"', '"quoted"'),
        ("text", "null", "null"),
        ("text", '{"a": 1}', '{"a": 1}'),
        ("text", "a=b", "a=b"),
        ("text", " ", " "),
        ("number", "5", 5),
        ("number", "null", None),
        ("share", "1e-1", 0.1),
        ("flag", "yes", True),
        ("flag", "0", False),
        ("words", '["a", "b"]', ("a", "b")),
        ("words", "['a', 'b']", ("a", "b")),
        ("words", "[]", ()),
        ("either", "7", 7),
        ("either", "[7, 8]", [7, 8]),
        ("table", '{"a": 1}', {"a": 1}),
        ("table", "{a = 1}", {"a": 1}),
    ],
)
def test_text_is_text_then_json_then_toml(option: str, text: str, value: Any) -> None:
    built = Settings.load(parse_assignment(f"samplers.several.{option}={text}")).build(
        "samplers", "several", Several
    )
    assert getattr(built, option) == value
    assert several(**{option: value}) == built


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "NaN", "Infinity"])
def test_no_number_without_end(text: str) -> None:
    for setting in ("decoder_timeout_s", "start_s"):
        with pytest.raises(SettingsError, match=f"setting '{setting}'"):
            Settings.load(parse_assignment(f"{setting}={text}"))


@pytest.mark.parametrize("text", ["9" * 9999, "[" * 99999, "1\nx = 2", "{", "\x00", "\udcff", "value"])
def test_odd_text_is_refused_as_the_wrong_type(text: str) -> None:
    with pytest.raises(SettingsError, match=r"setting 'max_frames' .*: (Input should|Unable to parse)"):
        Settings.load({"max_frames": Text(text)})


def test_assignments() -> None:
    assert parse_assignment("samplers.uniform.count=5") == {"samplers": {"uniform": {"count": "5"}}}
    assert parse_assignment(" sampler =a=b") == {"sampler": "a=b"}
    assert parse_assignment("sampler=") == {}
    for text in ("sampler", "=5", ".a=5", "a.=5", "a..b=5", "", "="):
        with pytest.raises(SettingsError, match="--set takes name=value"):
            parse_assignment(text)


def test_nested_and_merge() -> None:
    assert nested(["a", "b"], 5) == {"a": {"b": 5}}
    above = {"a": {"x": 1}, "b": {"y": {"z": 1}}}
    into: dict[str, Any] = {"a": Text('{"w": 0, "x": 0}'), "b": 5}
    assert merge(into, above) is into
    assert into == {"a": {"w": 0, "x": 1}, "b": {"y": {"z": 1}}}
    merge(into, {"b": {"y": {"z": 2}}})
    assert above == {"a": {"x": 1}, "b": {"y": {"z": 1}}}
    # Text that is no table is laid over one as anything else would be.
    assert merge({"a": {"x": 1}}, {"a": Text("off")}) == {"a": "off"}
    assert merge({"a": {"x": 1}}, {"a": 5}) == {"a": 5}


def test_assignments_of_a_table_and_of_a_value_in_it() -> None:
    arguments = parse_assignment('samplers={"uniform": {"count": 2}}')
    merge(arguments, parse_assignment("samplers.fixed_interval.every_s=2"))
    settings = load_settings(arguments, model=None, base_url=None)
    assert settings.samplers == {"uniform": {"count": 2}, "fixed_interval": {"every_s": "2"}}


# What is wrong


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        (
            "VIDCAP_SAMPLR",
            "unknown setting 'samplr' (from VIDCAP_SAMPLR); did you mean 'sampler' or 'samplers'?",
        ),
        ("VIDCAP_ZZZ", "unknown setting 'zzz' (from VIDCAP_ZZZ); known: source, decoder, sampler,"),
        ("VIDCAP_", "unknown setting '' (from VIDCAP_); known: source,"),
        (
            "VIDCAP_SAMPLERS__UNIFORM__CUONT",
            "unknown option 'samplers.uniform.cuont' (from VIDCAP_SAMPLERS__UNIFORM__CUONT);"
            " did you mean 'count'?",
        ),
        ("VIDCAP_SAMPLERS__UNIFORM___COUNT", "unknown option 'samplers.uniform._count'"),
        (
            "VIDCAP_CAPTIONERS__OPENAI__LIMITS__SIDEPX",
            "unknown option 'captioners.openai.limits.sidepx' (from VIDCAP_CAPTIONERS__OPENAI__LIMITS__SIDEPX"
            "); did you mean 'side_px' or 'tile_px'?",
        ),
        ("VIDCAP_SAMPLERS__UNIFORM", "setting 'samplers.uniform' (from VIDCAP_SAMPLERS__UNIFORM): "),
        ("VIDCAP_SAMPLERS", "setting 'samplers' (from VIDCAP_SAMPLERS): Input should be a valid dictionary"),
        (
            "VIDCAP_SAMPLERS__",
            "setting 'samplers.' (from VIDCAP_SAMPLERS__): Input should be a valid dictionary",
        ),
        (
            "VIDCAP_MAX_FRAMES",
            "setting 'max_frames' (from VIDCAP_MAX_FRAMES): Input should be a valid integer",
        ),
        (
            "VIDCAP_ISOLATION",
            "setting 'isolation' (from VIDCAP_ISOLATION): Input should be 'process' or 'none'",
        ),
        ("VIDCAP_CAPTIONERS__OPENAI__API_KEY", "did you mean 'api_key_env'?"),
        (
            "VIDCAP_CAPTIONERS__OPENAI__API_KEY_ENV",
            "option 'captioners.openai.api_key_env' (from VIDCAP_CAPTIONERS__OPENAI__API_KEY_ENV)"
            ": is not the name",
        ),
        ("VIDCAP_CAPTIONERS__OPENAI__BASE_URL", "option 'captioners.openai.base_url'"),
        ("VIDCAP_CAPTIONERS__OPENAI__TIMEOUT_S", "option 'captioners.openai.timeout_s'"),
        (
            "VIDCAP_CAPTIONERS__OPENAI__LIMITS",
            "option 'captioners.openai.limits' (from VIDCAP_CAPTIONERS__OPENAI",
        ),
    ],
)
def test_a_wrong_variable(variable: str, message: str, env: Callable[..., None]) -> None:
    env(**{variable: SECRET})
    said = refusal()
    assert message in said
    assert SECRET not in said
    assert all(f"from {variable})" in line for line in said.splitlines())


def test_no_error_repeats_a_value(file: Write) -> None:
    for text in (f"max_frames = '{SECRET}'", f"key = '{SECRET}'", f"[captioners.openai]\nkey = '{SECRET}'"):
        file(text)
        assert SECRET not in refusal()
    file("")
    for assignment in (SECRET, f"{SECRET}.", f"..={SECRET}"):
        with pytest.raises(SettingsError) as caught:
            parse_assignment(assignment)
        assert SECRET not in str(caught.value)
    with pytest.raises(ValidationError) as invalid:
        Settings(max_frames=SECRET)
    assert SECRET not in str(invalid.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("samplr = 'uniform'", "unknown setting 'samplr' (from vidcap.toml); did you mean 'sampler'"),
        (
            "[samplers.uniform]\ncoumt = 5",
            "unknown option 'samplers.uniform.coumt' (from vidcap.toml); did you",
        ),
        (
            "[samplers.uniform]\ncount = 0",
            "option 'samplers.uniform.count' (from vidcap.toml): Input should be gr",
        ),
        (
            "[samplers]\nuniform = 5",
            "setting 'samplers.uniform' (from vidcap.toml): Input should be a valid dict",
        ),
        (
            "[sampler.uniform]\ncount = 5",
            "setting 'sampler' (from vidcap.toml): Input should be a valid string",
        ),
        ("max_frames = 'many'", "setting 'max_frames' (from vidcap.toml): Input should be a valid integer"),
        ("max_frames = 2.5", "setting 'max_frames' (from vidcap.toml): Input should be a valid integer"),
        (
            "[captioners.GPT-4]",
            "setting 'captioners.GPT-4' (from vidcap.toml): is no name: write lower-case words",
        ),
        ("start_s = 3.0\nend_s = 2.0", "the part to look at ends (2 s) before it starts (3 s)"),
        ("a = 1\nb = = 2", "vidcap.toml is no TOML that can be read: Invalid value (at line 2, column 5)"),
        ("a = 1\na = 2\nb = 3", "(at line 2, column 6)"),
        ("a = " + "[" * 9999, "vidcap.toml is no TOML that can be read"),
        ("a = " + "9" * 9999, "vidcap.toml is no TOML that can be read"),
    ],
)
def test_a_wrong_file(text: str, message: str, file: Write) -> None:
    file(text)
    assert message in refusal()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "vidcap.toml"
    path.write_bytes(b"sampler = '\xff'")
    assert "vidcap.toml is no TOML that can be read: 'utf-8' codec" in refusal()
    path.unlink()
    path.mkdir()
    assert refusal() == "vidcap.toml cannot be read: Is a directory"


@pytest.mark.skipif(os.name == "nt", reason="needs the rights of POSIX")
def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **options: object) -> str:
        if path.name == "vidcap.toml":
            raise PermissionError(13, "Permission denied", str(path))
        return ""

    monkeypatch.setattr(Path, "read_text", refuse)  # root may read whatever it likes
    assert refusal() == "vidcap.toml cannot be read: Permission denied"


def test_a_file_that_an_editor_has_marked(tmp_path: Path) -> None:
    (tmp_path / "vidcap.toml").write_text("sampler = 'uniform'", encoding="utf-8-sig")
    assert Settings.load().sampler == "uniform"


def test_every_fault_is_told(file: Write, env: Callable[..., None]) -> None:
    file("max_frames = 0\nretries = -1")
    env(VIDCAP_SAMPLR="x")
    lines = refusal().splitlines()
    assert len(lines) == 3
    assert sum("from vidcap.toml" in line for line in lines) == 2


def test_what_is_missing(file: Write) -> None:
    file('captioner = "mine"\n[captioners.mine]\nuse = "openai_compatible"\nmodel = "m"')
    assert refusal() == (
        "option 'captioners.mine.base_url' must be set: in vidcap.toml, with --set"
        " captioners.mine.base_url=… or VIDCAP_CAPTIONERS__MINE__BASE_URL=…"
    )


def test_a_plugins_own_words() -> None:
    with pytest.raises(SettingsError) as caught:
        several(share=2)
    assert str(caught.value) == "option 'samplers.several.share' (from an argument): is a share: at most 1"
    with pytest.raises(SettingsError, match=r"'samplers\.several\.words\.1' \(from an argument\)"):
        several(words=["a", 5])
    with pytest.raises(SettingsError, match=r"'samplers\.several\.either\.int' \(from an argument\)"):
        several(either="x")


# Profiles


DRAFT = (
    "[profiles.draft]\nsampler = 'uniform'\nmax_frames = 4\n[profiles.draft.samplers.uniform]\ncount = 4\n"
)


def test_a_profile_stands_between_variables_and_files(file: Write, env: Callable[..., None]) -> None:
    file("max_frames = 9\nretries = 1\n" + DRAFT)
    assert Settings.load().max_frames == 9
    settings = Settings.load({"profile": "draft"})
    assert (settings.sampler, settings.max_frames, settings.retries) == ("uniform", 4, 1)
    assert settings.origin("max_frames") == "profile draft (vidcap.toml)"
    assert settings.origin("samplers", "uniform", "count") == "profile draft (vidcap.toml)"
    assert settings.file("sampler") == settings.file("retries") == Path("vidcap.toml")
    assert settings.file("profile") is settings.file("decoder") is None
    env(VIDCAP_MAX_FRAMES="2")
    assert Settings.load({"profile": "draft"}).max_frames == 2


def test_who_chooses_a_profile(file: Write, env: Callable[..., None]) -> None:
    file("profile = 'draft'\n" + DRAFT + "[profiles.fine]\nmax_frames = 64")
    assert Settings.load().max_frames == 4
    assert Settings.load({"profile": None}).max_frames == 16
    env(VIDCAP_PROFILE="fine")
    assert Settings.load().max_frames == 64
    assert Settings.load({"profile": "draft"}).max_frames == 4


def test_a_profile_of_many_files(file: Write, user_file: Write, env: Callable[..., None]) -> None:
    file("[profiles.draft]\nmax_frames = 4")
    user_file("profile = 'draft'\n[profiles.draft]\nmax_frames = 5\nretries = 0\n[profiles.other]")
    env(VIDCAP_PROFILES__DRAFT__CONCURRENCY="3", VIDCAP_PROFILES__DRAFT__SAMPLERS='{"uniform": {"count": 2}}')
    settings = choose(Settings.load(), Registry.load(), asks=False).settings
    assert (settings.max_frames, settings.retries, settings.concurrency) == (4, 0, 3)
    assert settings.origin("concurrency") == "profile draft (VIDCAP_PROFILES__DRAFT__CONCURRENCY)"
    assert settings.options("samplers", "uniform") == {"count": 2}
    # As wide where it is not chosen, text included.
    assert choose(Settings.load({"profile": "other"}), Registry.load(), asks=False).settings.max_frames == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profile = 'drfat'\n", "no profile named 'drfat' (from vidcap.toml); did you mean 'draft'?"),
        ("profile = 'zzz'\n", "no profile named 'zzz' (from vidcap.toml); there is draft"),
        ("profile = 5\n", "setting 'profile' (from vidcap.toml): Input should be a valid string"),
        ("profiles.a = 5\n", "setting 'profiles.a' (from vidcap.toml): Input should be a valid dict"),
        ("profiles.A = {}\n", "setting 'profiles.A' (from vidcap.toml): is no name"),
        ("profiles.a.profile = 'draft'\n", "profile a (vidcap.toml): a profile cannot hold 'profile'"),
        ("profiles.a.profiles = {}\n", "profile a (vidcap.toml): a profile cannot hold 'profiles'"),
        ("profiles.a.samplr = 'x'\n", "unknown setting 'profiles.a.samplr' (from vidcap.toml); did you mean"),
        ("profiles.a.retries = -1\n", "setting 'profiles.a.retries' (from vidcap.toml): Input should be"),
        (
            "profiles.a.samplers.uniform.cuont = 1\n",
            "unknown option 'samplers.uniform.cuont' (from profile a (vidcap.toml)); did you mean 'count'?",
        ),
        (
            "profile = 'a'\nprofiles.a.samplr = 'x'\n",
            "unknown setting 'samplr' (from profile a (vidcap.toml)); did you mean 'sampler'",
        ),
    ],
)
def test_a_wrong_profile(text: str, message: str, file: Write) -> None:
    file(text + DRAFT)
    assert message in refusal()


def test_a_table_of_a_profile_for_what_is_not_there_is_noted(file: Write) -> None:
    file("[profiles.a.samplers.unifrom]\ncount = 3")
    words = "the table samplers.unifrom is for no installed sampler; did you mean 'uniform'?"
    for arguments in (None, {"profile": "a"}):
        assert choose(Settings.load(arguments), Registry.load(), asks=False).notices == (words,)
    given = {"profiles": {"a": {"samplers": {"unifrum": {"count": 3}}}}}
    assert "(from profile a (an argument))" in refusal(given)


def test_an_unchosen_profile_need_not_go_with_the_rest(file: Write) -> None:
    file("[profiles.a]\nend_s = 3")
    assert Settings.load({"start_s": 5.0}).start_s == 5
    with pytest.raises(SettingsError, match=r"ends .* before it starts"):
        Settings.load({"start_s": 5.0, "profile": "a"})


def test_a_profile_keeps_its_secrets(file: Write) -> None:
    file(f"[profiles.a]\nmax_frames = '{SECRET}'\n[profiles.b.captioners.openai]\nkey = '{SECRET}'")
    assert SECRET not in refusal()


# Files


def test_pyproject_where_there_is_no_file_of_our_own(tmp_path: Path, file: Write) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text("[tool.vidcap]\nmax_frames = 3\n[tool.vidcap.profiles.a]\nretries = 0\n")
    settings = Settings.load({"profile": "a"})
    assert (settings.max_frames, settings.origin("max_frames")) == (3, "pyproject.toml")
    assert settings.origin("retries") == "profile a (pyproject.toml)"
    file("")  # one file or the other, never both
    assert Settings.load().max_frames == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("= broken", None),
        ("[tool.other]\nx = ", None),
        ("tool = 5", None),
        ("", None),
        ("[tool.vidcap]\nmax_frames = ", "pyproject.toml is no TOML that can be read"),
        ("[tool . 'vidcap']\n= ", "pyproject.toml is no TOML that can be read"),
        ("[tool]\nvidcap = 5", "tool.vidcap in pyproject.toml is no table"),
        ("[tool.vidcap]\nsamplr = 5", "unknown setting 'samplr' (from pyproject.toml); did you mean"),
    ],
)
def test_a_broken_pyproject(text: str, message: str | None, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    if message is None:
        assert Settings.load().max_frames == 16
    else:
        assert message in refusal()


def test_the_users_own_file(user_file: Write, file: Write, env: Callable[..., None]) -> None:
    user_file("max_frames = 5\nretries = 5\n[captioners.openai]\nmodel = 'mine'")
    file("retries = 6")
    settings = Settings.load()
    assert (settings.max_frames, settings.retries) == (5, 6)
    assert settings.origin("max_frames") == str(settings.file("max_frames")) == str(layers.user_file())
    assert settings.options("captioners", "openai")["model"] == "mine"
    user_file("[samplers.unifrom]")
    assert choose(Settings.load(), Registry.load(), asks=False).notices
    user_file("samplr = 5")
    assert f"unknown setting 'samplr' (from {layers.user_file()})" in refusal()
    env(XDG_CONFIG_HOME=os.devnull)  # a service's home may be no folder at all
    assert Settings.load().max_frames == 16


# Words and times


@pytest.mark.parametrize("text", ["a,b", "a, b,", '["a", "b"]', "['a', 'b']"])
def test_words(text: str, env: Callable[..., None]) -> None:
    env(VIDCAP_PLUGINS=text, VIDCAP_LANGUAGES=text)
    settings = Settings.load()
    assert settings.plugins == settings.languages == ("a", "b")
    assert Settings.load({"plugins": ["a", "b"]}).plugins == ("a", "b")


@pytest.mark.parametrize(
    ("text", "time_s"), [("0:05", 5), ("1:30", 90), ("1:02:03.5", 3723.5), ("90", 90), ("5.5", 5.5)]
)
def test_times(text: str, time_s: float, file: Write, env: Callable[..., None]) -> None:
    file(f"start_s = '{text}'")
    assert Settings.load().start_s == time_s
    file("")
    env(VIDCAP_START_S=text)
    assert Settings.load(parse_assignment(f"end_s=99{text}")).start_s == time_s


@pytest.mark.parametrize("text", ["0:5:", "1:60", "1:2:3:4", ":5", "-0:05", "1:nan", "1:٣", "a:b"])
def test_what_is_no_time(text: str, file: Write) -> None:
    file(f"end_s = '{text}'")
    assert refusal() == "setting 'end_s' (from vidcap.toml): is no time: write 90, 1:30 or 1:02:03.5"


# Frozen, and sent to other machines


def test_frozen() -> None:
    settings = Settings.load()
    with pytest.raises(ValidationError):
        settings.max_frames = 5  # type: ignore[misc]
    settings.options("captioners", "openai")["model"] = "other"
    assert settings.options("captioners", "openai")["model"] == PROVIDERS["captioners"]["openai"]["model"]


def test_settings_travel(env: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    env(VIDCAP_SAMPLERS__UNIFORM__COUNT="3", VIDCAP_SAMPLER="uniform")
    settings = Settings.load({"max_frames": 2})
    sent = pickle.dumps(settings)
    monkeypatch.delenv("VIDCAP_SAMPLER")
    there = pickle.loads(sent)
    assert there == settings
    assert there.origin("sampler") == "VIDCAP_SAMPLER"
    built = there.build("samplers", "uniform", UniformSampler)
    assert built.count == 3


def test_chosen_travels() -> None:
    chosen = choose(Settings.load({"captioner": "offline", "sampler": "uniform"}), Registry.load())
    there: Chosen = pickle.loads(pickle.dumps(chosen))
    assert there == chosen
    assert there.source("clip.mp4").name == "local"


# Nicknames


def test_a_nickname(file: Write) -> None:
    file('sampler = "few"\n[samplers.few]\nuse = "uniform"\ncount = 2\n[samplers.uniform]\ncount = 9')
    chosen = choose(Settings.load(), Registry.load(), asks=False)
    assert chosen.sampler == UniformSampler(count=2)
    assert chosen.settings.plugin_name("samplers", "few") == "uniform"
    assert chosen.settings.plugin_name("samplers", "fixed_interval") == "fixed_interval"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("opnai", "no captioner named 'opnai'; did you mean 'openai'"),
        ("zzz", "no captioner named 'zzz'; there is inference, offline, openai, openai_compatible"),
    ],
)
def test_a_misspelt_nickname(name: str, message: str) -> None:
    assert message in refusal({"captioner": name})


def test_a_nickname_of_what_is_not_there(file: Write) -> None:
    file('[captioners.mine]\nuse = "openai_compatibel"')
    assert refusal({"captioner": "mine"}) == (
        "captioners.mine.use (from vidcap.toml): no captioner named 'openai_compatibel';"
        " did you mean 'openai_compatible'?"
    )
    # Not chosen, it is only noted: one file serves many machines.
    (notice,) = choose(Settings.load(), Registry.load(), asks=False).notices
    assert notice == (
        "the table captioners.mine is for no installed captioner; did you mean 'openai_compatible'?"
    )


def test_tables_for_what_is_not_there(file: Write) -> None:
    file("[samplers.unifrom]\ncount = 3\n[captioners.opneai]\nmodel = 'm'\n[samplers.by_the_moon]\nphase = 3")
    notices = choose(Settings.load(), Registry.load(), asks=False).notices
    assert notices == (
        "the table samplers.unifrom is for no installed sampler; did you mean 'uniform'?",
        "the table captioners.opneai is for no installed captioner; did you mean 'openai'?",
    )
    assert "no sampler named 'by_the_moon' is installed, and the table" in refusal({"sampler": "by_the_moon"})


# What is chosen


class Odd(Source):
    """A source that claims as it is told."""

    name = "odd"
    claim: Any = Claim.NO

    def claims(self, uri: str) -> Claim:
        if isinstance(self.claim, str):
            raise KeyError(self.claim)
        claim: Claim = self.claim
        return claim

    def open(self, uri: str, want: object) -> Any:
        raise NotImplementedError


def chosen_of(*sources: Source) -> Chosen:
    base = choose(Settings.load(), Registry.load(), asks=False)
    return Chosen(base.settings, sources, base.decoder, base.sampler, None)


def test_the_strongest_claim() -> None:
    odd = chosen_of(LocalSource(), Odd(claim=Claim.MAYBE), Odd(claim=Claim.YES))
    assert odd.source("zz://y") == Odd(claim=Claim.YES)
    with pytest.raises(SettingsError, match=r"local .* and odd .* both claim this URI: .* --source"):
        odd.source("clip.mp4")
    with pytest.raises(SourceError, match="no installed source reads such a URI; installed: local"):
        chosen_of(LocalSource()).source("zz://y")


@pytest.mark.parametrize("claim", ["text", None, 3, True])
def test_a_source_that_breaks_its_word_harms_only_what_nobody_else_claims(claim: Any) -> None:
    odd = chosen_of(Odd(claim=claim), LocalSource())
    assert odd.source("clip.mp4").name == "local"
    with pytest.raises(PluginError, match=r"'odd' (failed: KeyError|claims .*, which is no Claim)"):
        odd.source("zz://y")


@pytest.mark.parametrize("uri", ["https://example.org/v", "HTTP://example.org"])
def test_a_web_address_without_a_source_for_it(uri: str) -> None:
    chosen = choose(Settings.load(), Registry.load(only=()), asks=False)
    with pytest.raises(SettingsError, match=r'pip install "vidcap\[youtube\]"'):
        chosen.source(uri)
    with pytest.raises(SourceError, match=r"installed: local$"):
        replace(chosen, of_no_use="").source("gopher://example.org")


@pytest.mark.parametrize(("kind", "name"), [("sources", "youtube"), ("decoders", "decord")])
def test_what_an_extra_brings(kind: str, name: str) -> None:
    registry = Registry.load(only=())
    for table in ({}, {kind: {name: {"x": 1}}}):
        settings = Settings.load({kind[:-1]: name, **table})
        with pytest.raises(SettingsError, match=rf'is not installed: pip install "vidcap\[{name}\]"'):
            choose(settings, registry, asks=False)
    nickname = Settings.load({kind[:-1]: "mine", kind: {"mine": {"use": name}}})
    with pytest.raises(SettingsError, match=rf"{kind}\.mine\.use .*vidcap\[{name}\]"):
        choose(nickname, registry, asks=False)


def test_a_source_that_is_named_is_not_asked() -> None:
    by_name = choose(Settings.load({"source": "local"}), Registry.load(), asks=False)
    assert by_name.source("zz://y").name == "local"
    by_object = choose(Settings.load(), Registry.load(), Given(source=Odd()), asks=False)
    assert by_object.source("zz://y") == Odd()


def test_an_option_that_an_unchosen_plugin_still_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry.load(only=())
    registry.kind("sources")["needy"] = [Installed(Needy, "test")]
    chosen = choose(Settings.load(), registry, asks=False)
    assert [source.name for source in chosen.sources] == ["local"]
    with pytest.raises(SourceError, match="needs options first: needy"):
        chosen.source("needy://x")
    with pytest.raises(SettingsError, match=r"'sources\.needy\.bucket' must be set"):
        choose(Settings.load({"source": "needy"}), registry, asks=False)
    with pytest.raises(SettingsError, match=r"unknown option 'sources\.needy\.buckt'"):
        choose(Settings.load({"sources": {"needy": {"buckt": "b"}}}), registry, asks=False)


def test_a_plugin_that_fails_at_its_own_options() -> None:
    class Clumsy(Sampler):
        name = "clumsy"
        size: int = 1

        @field_validator("size")
        @classmethod
        def _fail(cls, size: int) -> int:
            raise RuntimeError("oh")

        def segments(self, video: object) -> Any:
            return []

    registry = Registry.load()
    registry.kind("samplers")["clumsy"] = [Installed(Clumsy, "test")]
    assert choose(Settings.load(), registry, asks=False)
    with pytest.raises(PluginError, match="'clumsy' failed: RuntimeError: oh"):
        choose(Settings.load({"sampler": "clumsy"}), registry, asks=False)


def test_a_source_that_cannot_be_built_harms_only_who_chooses_it() -> None:
    class Fragile(Odd):
        name = "fragile"
        size: int = 1

        @field_validator("size")
        @classmethod
        def _fail(cls, size: int) -> int:
            raise RuntimeError("oh")

    registry = Registry.load(only=())
    registry.kind("sources")["fragile"] = [Installed(Fragile, "test")]
    for tables in ({}, {"sources": {"fragile": {"size": 2}}}):
        assert choose(Settings.load(tables), registry, asks=False).source("clip.mp4").name == "local"
        with pytest.raises(PluginError, match="'fragile' failed: RuntimeError: oh"):
            choose(Settings.load({"source": "fragile", **tables}), registry, asks=False)


def test_two_plugins_of_a_name_harm_only_who_chooses_them() -> None:
    registry = Registry.load(only=())
    registry.kind("samplers")["twin"] = [Installed(UniformSampler, "one"), Installed(UniformSampler, "other")]
    tables = {"samplers": {"twin": {"an_option_of_the_other": 1}}}
    assert choose(Settings.load(tables), registry, asks=False).sampler.name == "fixed_interval"
    with pytest.raises(PluginError, match="two samplers are named 'twin': one and other"):
        choose(Settings.load({"sampler": "twin", **tables}), registry, asks=False)
    with pytest.raises(SettingsError, match=r"local .* and local .* both claim .*: uninstall one of them"):
        chosen_of(LocalSource(), LocalSource()).source("clip.mp4")


# Which captioner


def test_no_captioner_is_chosen_unasked(env: Callable[..., None]) -> None:
    settings, registry = Settings.load(), Registry.load()
    env(OPENAI_API_KEY=SECRET)
    assert choose(settings, registry, asks=False).captioner is None
    with pytest.raises(SettingsError, match="no captioner is chosen: export INFERENCE_API_KEY"):
        choose(settings, registry)
    assert choose(settings, registry, offline_will_do=True).captioner_name == "offline"
    env(INFERENCE_API_KEY=SECRET)
    assert choose(settings, registry, offline_will_do=True).captioner_name == "inference"


def test_who_names_a_model_does_not_get_none() -> None:
    settings = load_settings({}, model="some-model", base_url=None)
    with pytest.raises(SettingsError, match="no captioner is chosen"):
        choose(settings, Registry.load(), offline_will_do=True)


@pytest.mark.parametrize("where", ["file", "variable"])
def test_an_address_alone_gets_nobodys_key(where: str, file: Write, env: Callable[..., None]) -> None:
    env(OPENAI_API_KEY=SECRET, INFERENCE_API_KEY=SECRET)
    if where == "file":
        file('captioner = "openai"')
    else:
        env(VIDCAP_CAPTIONER="openai")
    settings = load_settings({}, model="m", base_url="http://localhost:8000/v1")
    chosen = choose(settings, Registry.load())
    assert chosen.captioner == OpenAICompatible(base_url="http://localhost:8000/v1", model="m")
    assert chosen.captioner.api_key_env is None
    assert settings.options("captioners", "openai") == PROVIDERS["captioners"]["openai"]


def test_an_address_for_a_captioner_that_is_named() -> None:
    for arguments in ({"captioner": "openai"}, parse_assignment("captioner=openai")):
        settings = load_settings(arguments, model=None, base_url="http://localhost:8000/v1")
        table = settings.options("captioners", "openai")
        assert settings.captioner == "openai"
        assert table["base_url"] == "http://localhost:8000/v1"
        assert table["api_key_env"] == "OPENAI_API_KEY"


def test_an_address_without_a_model(file: Write) -> None:
    with pytest.raises(SettingsError, match="which model of http://localhost/v1"):
        load_settings({}, model=None, base_url="http://localhost/v1")
    file('[captioners.openai_compatible]\nmodel = "m"')
    settings = load_settings({}, model=None, base_url="http://localhost/v1")
    assert settings.options("captioners", "openai_compatible")["model"] == "m"


def test_a_model_alone_is_the_chosen_captioners(file: Write) -> None:
    assert load_settings({}, model="m", base_url=None).options("captioners", "inference")["model"] == "m"
    file('captioner = "openai"\n[captioners.openai]\nmodel = "other"')
    settings = load_settings({}, model="m", base_url=None)
    assert settings.captioner == "openai"
    assert settings.options("captioners", "openai")["model"] == "m"
    assert settings.origin("captioners", "openai", "model") == "an argument"
    assert settings.origin("captioner") == "vidcap.toml"


# providers.toml


@pytest.mark.parametrize("name", PROVIDERS["captioners"])
def test_a_provider(name: str) -> None:
    table = PROVIDERS["captioners"][name]
    settings = Settings.load()
    plugin = Registry.load().find("captioners", settings.plugin_name("captioners", name))
    built = settings.build("captioners", name, plugin)
    assert isinstance(built, OpenAICompatible)
    assert built.base_url.startswith("https://")
    assert built.api_key_env
    assert re.fullmatch(r"[A-Z][A-Z0-9_]*_API_KEY", built.api_key_env)
    figures = table.get("limits", {}).keys() - {"source", "checked"}
    assert not figures or table["limits"]["source"]
    assert not figures or re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", table["limits"]["checked"])


def test_providers_chooses_nothing() -> None:
    assert PROVIDERS.keys() == {"captioners"}


@pytest.mark.parametrize("limits", [{"side_px": 0}, {"max_images": 0}, {"max_body_bytes": -1}, {"rungs": []}])
def test_limits_that_nothing_fits_are_refused(limits: dict[str, Any]) -> None:
    said = refusal({"captioner": "inference", "captioners": {"inference": {"limits": limits}}})
    assert "captioners.inference.limits" in said


@pytest.mark.parametrize("name", ["_env_file", "_cli_parse_args", "_secrets_dir"])
def test_no_file_reaches_behind_the_settings(name: str, file: Write) -> None:
    file(f"{name} = true")
    assert f"unknown setting {name!r}" in refusal()


def test_what_kubernetes_sets_beside_a_service_is_no_setting(env: Callable[..., None]) -> None:
    address = "tcp://10.0.0.1:80"
    env(VIDCAP_PORT=address, VIDCAP_SERVICE_HOST="10.0.0.1", VIDCAP_PORT_80_TCP_ADDR="10.0.0.1")
    assert Settings.load().max_frames == 16


def test_a_nickname_without_use_is_told_what_it_lacks(file: Write) -> None:
    file("captioner = 'lab'\n[captioners.lab]\nmodel = 'm'")
    assert "the table captioners.lab has no `use`" in refusal()


def test_a_misspelt_table_is_an_error_where_no_file_says_so(env: Callable[..., None]) -> None:
    words = "the table samplers.unifrom is for no installed sampler; did you mean 'uniform'?"
    assert refusal({"samplers": {"unifrom": {"count": 3}}}) == f"{words} (from an argument)"
    env(VIDCAP_SAMPLERS__UNIFROM__COUNT="3")
    assert refusal() == f"{words} (from VIDCAP_SAMPLERS__UNIFROM__COUNT)"
