"""Shout does what every captioner has to do."""

from shout import Shout

from vidcap_core.testing import CaptionerTests


class TestShout(CaptionerTests):
    """It has no endpoint that could fail."""

    captioner = Shout(marks=3)
