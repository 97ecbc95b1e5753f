"""What the conformance classes have in common: a standard test is not switched off in silence."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ..plugin import Plugin

Test = TypeVar("Test", bound=Callable[..., Any])


def deviates(*, reason: str) -> Callable[[Test], Test]:
    """Let a test stand in place of an inherited one; the reason becomes its docstring.

        @deviates(reason="a live stream cannot be opened twice")
        def test_can_be_opened_twice_at_once(self) -> None: ...

    Raises ValueError for an empty reason.
    """
    if not reason.strip():
        raise ValueError("a deviation has a reason: say why the standard test does not apply")

    def decorate(test: Test) -> Test:
        test.__doc__ = f"Deviates: {reason.strip()}"
        vars(test)["deviates"] = reason.strip()
        return test

    return decorate


def require(holds: object, otherwise: str) -> None:
    """Fail a test with words for the plugin's author."""
    __tracebackhide__ = True
    if not holds:
        raise AssertionError(otherwise)


class Conformance:
    """Base of the conformance classes: what a plugin of a kind has to do, as tests to inherit.

    A plugin's author inherits from the class of the kind, in a class whose name begins with `Test`,
    and sets its attributes. A standard test can be replaced only by one that `deviates`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in filter(lambda name: name.startswith("test_"), dir(cls)):
            *instead, _ = [base for base in cls.__mro__ if name in vars(base)]
            for base in instead:
                if not hasattr(vars(base)[name], "deviates"):
                    raise TypeError(
                        f"{base.__qualname__}.{name} replaces a standard test:"
                        ' mark it with @deviates(reason="…")'
                    )


class PluginTests(Conformance):
    """What every kind has in common."""

    @property
    def plugin(self) -> Plugin:
        """The plugin under test."""
        raise NotImplementedError

    def test_has_a_name(self) -> None:
        from ..plugin import NAME_PATTERN

        require(NAME_PATTERN.fullmatch(self.plugin.name), f"{self.plugin.name!r} is no name to be chosen by")

    def test_is_frozen(self) -> None:
        config = type(self.plugin).model_config
        require(config.get("frozen"), "a plugin is frozen: what changes belongs to what it opens")
        require(config.get("extra") == "forbid", "an option that does not exist has to be refused")

    def test_survives_pickling(self) -> None:
        again = pickle.loads(pickle.dumps(self.plugin))  # noqa: S301 - our own bytes
        require(again == self.plugin, "it comes back from pickle as another: runs are sent to other machines")

    def test_options_make_the_same_plugin_again(self) -> None:
        plugin = self.plugin
        options = json.loads(json.dumps(plugin.options(), allow_nan=False))
        require(
            type(plugin).model_validate(options) == plugin,
            f"{options} make another plugin than they came from",
        )
        require(plugin.replace() == plugin, "replace() without options makes another plugin")
