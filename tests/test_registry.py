"""The registry finds what is installed, and what is broken harms only who chooses it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from distributions import install, write_project

from vidcap_core.errors import PluginError, SettingsError
from vidcap_core.registry import KINDS, Registry, near_misses

HEAD = "from vidcap_core import Captioner, Pick, Sampler, Segment, hookimpl\n"
SAMPLER = (
    HEAD
    + """
class One(Sampler):
    name = {name!r}
    def segments(self, video):
        return []

@hookimpl
def vidcap_samplers():
    return [One]
"""
)
BUILT_IN = {
    "sources": {"local"},
    "decoders": {"pyav"},
    "samplers": {"fixed_interval", "uniform", "keyframes", "scene_change", "adaptive"},
    "captioners": {"openai_compatible", "offline"},
}

Load = Callable[..., Registry]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """A function that installs modules, given as keywords, and loads them with vidcap's own."""
    known = set(sys.modules)
    site = tmp_path / "site"

    def loaded(**modules: str) -> Registry:
        for name, code in modules.items():
            install(write_project(tmp_path / "projects", name, code), site)
        monkeypatch.syspath_prepend(str(site))
        return Registry.load()

    yield loaded
    for name in set(sys.modules) - known:
        if not name.startswith("vidcap_core"):
            del sys.modules[name]


def names(registry: Registry, kind: str) -> set[str]:
    return set(registry.kind(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_built_ins_come_through_entry_points(kind: str) -> None:
    registry = Registry.load()
    assert registry.broken == {}
    assert names(registry, kind) >= BUILT_IN[kind]
    for name in BUILT_IN[kind]:
        plugin = registry.find(kind, name)
        assert issubclass(plugin, KINDS[kind])
        assert plugin.name == name
        assert registry.kind(kind)[name][0].origin.startswith("builtin (vidcap ")


def test_nothing_is_there_that_has_no_entry_point() -> None:
    assert Registry([]).kind("samplers") == {}
    with pytest.raises(SettingsError, match="no sampler named 'uniform'; there is none"):
        Registry([]).find("samplers", "uniform")


def test_a_plugin_from_outside(load: Load) -> None:
    registry = load(good=SAMPLER.format(name="good"))
    assert registry.broken == {}
    assert registry.find("samplers", "good").name == "good"
    assert registry.kind("samplers")["good"][0].origin == "good (vidcap-good 1.0)"


BROKEN = {
    "needs": (
        "import there_is_no_such_module",
        "ModuleNotFoundError: No module named 'there_is_no_such_module'",
    ),
    "syntax": ("def (", "SyntaxError: invalid syntax"),
    "leaves": ("import sys\nsys.exit('no licence')", "SystemExit: no licence"),
    "raises": (
        HEAD + "@hookimpl\ndef vidcap_samplers():\n    raise RuntimeError('over\\n  two lines')",
        "RuntimeError: over two lines",
    ),
    "exits": (HEAD + "@hookimpl\ndef vidcap_samplers():\n    raise SystemExit(2)", "SystemExit: 2"),
    "misspelt": (
        HEAD + "@hookimpl\ndef vidcap_sampler():\n    return []",
        "'vidcap_sampler'; did you mean 'vidcap_samplers'?",
    ),
    "misspelt_2": (
        HEAD + "@hookimpl\ndef vidcap_capshuners():\n    x = 1",
        "did you mean 'vidcap_captioners'",
    ),
    "unmarked": ("def vidcap_samplers():\n    return []", "vidcap_samplers lacks @hookimpl"),
    "empty": ("x = 1", "it has no hook: there is vidcap_sources, vidcap_decoders,"),
    "takes": (HEAD + "@hookimpl\ndef vidcap_samplers(config):\n    return []", "PluginValidationError"),
    "nothing": (HEAD + "@hookimpl\ndef vidcap_samplers():\n    pass", "TypeError"),
    "text": (
        HEAD + "@hookimpl\ndef vidcap_samplers():\n    return ['one']",
        "'one', which is no subclass of Sampler",
    ),
    "wrong_kind": (
        SAMPLER.format(name="x").replace("def vidcap_samplers", "def vidcap_captioners"),
        "which is no subclass of Captioner",
    ),
    "built": (SAMPLER.format(name="x").replace("[One]", "[One()]"), "which is no subclass of Sampler"),
    "abstract": (SAMPLER.format(name="x").replace("def segments", "def segment"), "One lacks segments"),
    "base": (HEAD + "@hookimpl\ndef vidcap_samplers():\n    return [Sampler]", "Sampler has no name"),
    "nameless": (SAMPLER.format(name=""), "One has no name"),
    "named_badly": (SAMPLER.format(name="My-Sampler"), "name 'My-Sampler' must be lower-case words"),
    "named_7": (SAMPLER.format(name=7), "TypeError"),
    "named_by_a_field": (
        SAMPLER.replace("name =", "name: str =").format(name="x"),
        "cannot be called 'name'",
    ),
    "reserved": (
        SAMPLER.format(name="x").replace("def segments", "use: str = ''\n    def segments"),
        "an option cannot be called 'use'",
    ),
    "talkative": (f"raise ValueError({'x' * 9999!r})", "ValueError: xxx"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore:Field name:UserWarning")
def test_broken(load: Load, name: str) -> None:
    code, reason = BROKEN[name]
    registry = load(**{name: code, "zz_good": SAMPLER.format(name="good")})
    for kind, built_in in BUILT_IN.items():
        assert names(registry, kind) >= built_in
    assert names(registry, "samplers") - names(Registry.load(only=["scenedetect"]), "samplers") == {"good"}
    assert list(registry.broken) == [f"{name} (vidcap-{name} 1.0)"]
    (said,) = registry.broken.values()
    assert reason in said
    assert "\n" not in said
    assert len(said) <= 500
    # Who looks for something that is not there is told what may have offered it.
    with pytest.raises(SettingsError) as caught:
        registry.find("samplers", "wanted")
    assert f"broken: {name} (vidcap-{name} 1.0): {said}" in str(caught.value)
    assert registry.find("samplers", "good")


def test_a_hook_that_fails_leaves_the_plugins_other_kinds(load: Load) -> None:
    failing = "\n@hookimpl\ndef vidcap_captioners():\n    raise KeyError('x')\n"
    for kinds in (["captioners", "samplers"], ["samplers", "captioners"]):
        registry = load(**{f"half_{kinds[0]}": SAMPLER.format(name="half") + failing})
        found = {kind: names(registry, kind) for kind in kinds}
        assert "half" in found["samplers"]
        assert found["captioners"] == BUILT_IN["captioners"]
        assert registry.broken


@pytest.mark.parametrize(
    "code",
    ["raise KeyboardInterrupt", HEAD + "@hookimpl\ndef vidcap_samplers():\n    raise KeyboardInterrupt"],
)
def test_ctrl_c_is_no_fault_of_the_plugin(load: Load, code: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(slow=code).kind("samplers")


def test_two_of_a_name(load: Load) -> None:
    twins = {"one": SAMPLER.format(name="twin"), "other": SAMPLER.format(name="twin")}
    registry = load(**twins)
    assert registry.broken == {}
    assert registry.find("samplers", "uniform")
    with pytest.raises(PluginError) as caught:
        registry.find("samplers", "twin")
    said = "two samplers are named 'twin': one (vidcap-one 1.0) and other (vidcap-other 1.0)"
    assert said in str(caught.value)


def test_nobody_replaces_a_built_in_silently(load: Load) -> None:
    registry = load(bold=SAMPLER.format(name="uniform"))
    with pytest.raises(PluginError, match=r"bold \(vidcap-bold 1\.0\) and builtin \(vidcap "):
        registry.find("samplers", "uniform")


def test_only_some(load: Load) -> None:
    load(one=SAMPLER.format(name="one"), other=SAMPLER.format(name="other"), bad="import no_such_thing")
    registry = Registry.load(only=["one"])
    assert names(registry, "samplers") == BUILT_IN["samplers"] | {"one"}
    assert registry.broken == {}
    with pytest.raises(SettingsError, match=r"left out by the setting 'plugins': .*other \(vidcap-other 1"):
        registry.find("samplers", "other")
    for nothing in ([], ["builtin"]):
        assert names(Registry.load(only=nothing), "samplers") == BUILT_IN["samplers"]
    with pytest.raises(SettingsError, match=r"no entry point named 'othre' .*did you mean 'other'"):
        Registry.load(only=["one", "othre"])
    with pytest.raises(SettingsError, match="no entry point named 'zzz' is installed; there is bad, builtin"):
        Registry.load(only=["zzz"])


def test_what_is_broken_may_be_left_out_unread(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    load(loud="print('read')")
    capsys.readouterr()
    Registry.load(only=())
    assert capsys.readouterr().out == ""


def test_unknown_names() -> None:
    registry = Registry.load()
    with pytest.raises(SettingsError, match="no sampler named 'unifrom'; did you mean 'uniform'\\?"):
        registry.find("samplers", "unifrom")
    with pytest.raises(
        SettingsError, match=r"no captioner named 'zzz'; there is .*offline, openai_compatible"
    ):
        registry.find("captioners", "zzz")
    with pytest.raises(SettingsError, match="did you mean 'together'\\?"):
        registry.find("captioners", "togehter", nicknames=["together"])


def test_near_misses() -> None:
    assert near_misses("unifrom", ["uniform", "x"]) == "; did you mean 'uniform'?"
    assert near_misses("zzz", ["uniform"]) == ""
    assert near_misses("a", ()) == ""


def test_an_entry_point_without_a_distribution() -> None:
    registry = Registry([EntryPoint("mine", "no_such_module_here", "vidcap")])
    assert list(registry.broken) == ["mine"]


def test_a_class_of_hooks_is_a_plugin_too(load: Load) -> None:
    code = SAMPLER.format(name="inside").replace("@hookimpl\ndef vidcap_samplers():\n    return [One]", "")
    code += (
        "class Hooks:\n    @hookimpl\n    def vidcap_samplers(self):\n        return [One]\nhooks = Hooks()\n"
    )
    registry = load(inside=code)
    point = EntryPoint("inside", "inside:hooks", "vidcap")
    assert "inside" in Registry([point]).kind("samplers")
    assert "it has no hook" in next(iter(registry.broken.values()))


def test_in_a_fresh_interpreter(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name, code in {"good": SAMPLER.format(name="good"), "bad": "raise SystemExit(7)"}.items():
        install(write_project(tmp_path, name, code), site)
    code = """
from vidcap_core import Registry
registry = Registry.load()
print(*registry.kind("samplers"), registry.broken)
"""
    done: subprocess.CompletedProcess[Any] = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "good" in done.stdout.split()
    assert "{'bad (vidcap-bad 1.0)': 'SystemExit: 7'}" in done.stdout
