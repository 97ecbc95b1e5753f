"""Everything vidcap raises on purpose, split by who must act.

    VidcapError
    ├── SettingsError            the user: a setting, an option, a name, a missing key      exit 4
    ├── PluginError              the plugin's author: broken, misspelt, breaks its contract  exit 4
    ├── SourceError              this video: missing, empty, unreachable                    exit 3
    ├── DecodeError              this video: unreadable, no picture, decoder crashed        exit 3
    └── ProviderError            the model's endpoint                                       exit 3
        ├── InvalidAnswerError   ... answered, but not what was asked for                   exit 3
        ├── UnsupportedRung      ... cannot be asked for structured output in this way      exit 3
        └── AccessError          ... refuses every further request: key or quota            exit 5

A message says what happened and what to do next, in one or two lines, and never holds a key.
"""

from __future__ import annotations

from typing import Any, ClassVar


class VidcapError(Exception):
    """Base of every error that vidcap raises on purpose."""

    exit_code: ClassVar[int] = 3
    """The exit code of a command that this error ends."""

    def __reduce__(self) -> Any:
        # Errors cross process borders (Ray, a batch's ledger). Exception's own reduce calls the
        # class with `args`, which fails for classes whose constructor takes keywords.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[VidcapError], args: tuple[Any, ...], state: dict[str, Any]) -> VidcapError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class SettingsError(VidcapError):
    """A setting, an option, a name or a key is wrong or missing: the user can mend it."""

    exit_code: ClassVar[int] = 4


class PluginError(VidcapError):
    """A plugin could not be loaded or broke its contract: its author can mend it."""

    exit_code: ClassVar[int] = 4


class SourceError(VidcapError):
    """A video could not be found or fetched."""


class DecodeError(VidcapError):
    """A video could not be read, holds no picture, or brought its decoder down."""


class ProviderError(VidcapError):
    """The model's endpoint did not give an answer.

    `status` is the HTTP status, None where no response came. `retryable` says whether the same
    request may succeed later, `retry_after_s` how long the endpoint asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class AccessError(ProviderError):
    """The endpoint refuses this key or has no quota left: further requests are pointless."""

    exit_code: ClassVar[int] = 5


class UnsupportedRung(ProviderError):
    """The endpoint cannot be asked for structured output in the way `Request.rung` names."""


class InvalidAnswerError(ProviderError):
    """The model answered, but not with what was asked for; `text` is what it said."""

    def __init__(self, message: str, *, text: str = "", retryable: bool = False) -> None:
        super().__init__(message, retryable=retryable)
        self.text = text
