"""What yt-dlp says when it cannot fetch a video, and what its user can do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vidcap_core import SourceError

_JAVASCRIPT = (
    "YouTube needs a JavaScript runtime, and none was found:"
    ' pip install "vidcap-youtube[js]", or install deno or node 22'
)
_COOKIES = "give the cookies of a browser that may see it as cookies_file"

# The first that matches says it: the narrower ones stand above.
_REFUSALS = tuple(
    (re.compile(pattern, re.I), words)
    for pattern, words in (
        (r"^it is a list$", "it stands for several videos: use run(), or the address of one of them"),
        (
            r"not a bot|your IP is likely being blocked|unusual traffic|captcha",
            "the site takes this for a bot: give the cookies of a browser as cookies_file, or wait",
        ),
        (
            r"confirm your age|age.?restricted|age.?(verification|check)|inappropriate for some",
            f"it is for adults only, and the site wants to know who asks: {_COOKIES}",
        ),
        (
            r"members.only|channel.s members|join this channel|requires payment|premium|subscribers? only",
            f"it is for members or those who paid: {_COOKIES}",
        ),
        (
            r"\bDRM\b",
            "it is protected by DRM, which vidcap does not break: use another copy of it",
        ),
        (
            r"not available (from|in) your (location|country|region)|in your country"
            r"|geo.?restrict|geo.?block",
            "it is not shown in this country: set proxy to one in a country where it is",
        ),
        (
            r"live event will begin|premieres? in|will begin in|is upcoming|currently live|not live"
            r"|livestream|live stream",
            "it is live or still to come: try again when it has ended",
        ),
        (
            r"private|sign in if you've been granted",
            f"it is private: {_COOKIES}",
        ),
        (
            r"removed|no longer available|terminated|deleted|does not exist|video unavailable|has been closed"
            r"|isn't available|is not available\b(?!.*format)|this video is unavailable",
            "it is not there any more, or never was: look at the address in a browser",
        ),
        (
            r"registered users|log.?in (is )?(required|needed)|login details|sign in|authentication"
            r"|use --cookies|account credentials",
            f"the site wants a login: {_COOKIES}",
        ),
        (
            r"HTTP Error 404|HTTP Error 410",
            "there is nothing at this address (HTTP 404): look at it in a browser",
        ),
        (
            r"HTTP Error 429|too many requests|rate.?limit",
            "the site was asked too often (HTTP 429): wait, or ask for fewer at a time",
        ),
        (
            r"HTTP Error 40[13]",
            f"the site refuses (HTTP 403): {_COOKIES}, or upgrade yt-dlp (pip install -U yt-dlp)",
        ),
        (r"HTTP Error 5\d\d", "the site is out of order (HTTP 5xx): try again later"),
        (
            r"Unsupported URL|is not a valid URL|no video (in|could be found)|no media found",
            "there is no video on this page that yt-dlp could find: give the address of the video itself",
        ),
        (
            r"File too large|larger than",
            "it is larger than max_file_bytes: raise that, or choose smaller images",
        ),
        (
            r"No space left|Disk quota",
            "the disk for temporary files is full: set TMPDIR to a folder with more room",
        ),
        (r"proxy", "the proxy cannot be used: check proxy"),
        (
            r"timed out|timeout|Failed to resolve|Name or service not known|getaddrinfo|name resolution"
            r"|Connection (refused|reset|aborted)|unreachable|TransportError|RemoteDisconnected|SSL"
            r"|bytes read|IncompleteRead|Did not get any data|bytes, expected|Got error",
            "the site cannot be reached, or the connection broke: check the network and try again",
        ),
        (
            r"please report this issue|Unable to extract|Failed to extract|Unable to recognize"
            r"|No video formats found|formats? (is|are) not available|not find (any )?formats",
            "yt-dlp does not understand the site's page any more: upgrade it (pip install -U yt-dlp)",
        ),
    )
)
_NO_FORMATS = re.compile(r"No video formats found|formats? (is|are) not available|challenge solv", re.I)
_NO_RUNTIME = re.compile(r"No supported JavaScript runtime|supported JavaScript runtime and", re.I)
_ORNAMENT = re.compile(r"^(\x1b\[[0-9;]*m)*ERROR:(\x1b\[[0-9;]*m)* |\x1b\[[0-9;]*m")
_REPORT = re.compile(r"; please report this issue on .*", re.S)
_VIDEO = re.compile(r"^\[[^\]]*\] \S+: |https?://\S+")
_USERINFO = re.compile(r"//[^/\s@]+@")


def refused(message: str, warnings: Sequence[str] = ()) -> SourceError:
    """Tell an error of yt-dlp in words that name the remedy. `warnings` are what it said before."""
    if _NO_FORMATS.search(message) and any(map(_NO_RUNTIME.search, warnings)):
        return SourceError(_JAVASCRIPT)
    reason = _reason(message)
    for pattern, words in _REFUSALS:
        if pattern.search(reason):
            return SourceError(words)
    return SourceError(f"yt-dlp cannot fetch it: {_said(message)}")


def _reason(message: str) -> str:
    """What is said, without the video's id and address: they may hold any word."""
    return _VIDEO.sub("", _ORNAMENT.sub("", message))


def _said(message: str) -> str:
    words = " ".join(_USERINFO.sub("//", _REPORT.sub("", _ORNAMENT.sub("", message))).split())
    return "".join(letter for letter in words if letter.isprintable())[:200] or "it does not say why"
