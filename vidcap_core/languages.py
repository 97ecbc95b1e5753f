"""Languages: the tags of files and containers as BCP 47, and which of some suits best."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TAG = re.compile(r"[a-zA-Z]{2,3}(?:-[a-zA-Z0-9]{2,8}){0,3}")
_UNKNOWN = frozenset({"und", "zxx", "mis", "mul"})
"""Codes of ISO 639-2 that name no language."""

# ISO 639-2, with both codes where there are two, and the two letters that BCP 47 has for it.
_CODES = """
    afr:af alb:sq sqi:sq amh:am ara:ar arm:hy hye:hy asm:as aze:az baq:eu eus:eu bel:be ben:bn bos:bs
    bre:br bul:bg bur:my mya:my cat:ca chi:zh zho:zh cos:co cze:cs ces:cs dan:da dut:nl nld:nl eng:en
    epo:eo est:et fao:fo fin:fi fre:fr fra:fr fry:fy geo:ka kat:ka ger:de deu:de gla:gd gle:ga glg:gl
    gre:el ell:el guj:gu hat:ht hau:ha heb:he hin:hi hrv:hr hun:hu ibo:ig ice:is isl:is ind:id ita:it
    jav:jv jpn:ja kan:kn kaz:kk khm:km kin:rw kir:ky kor:ko kur:ku lao:lo lat:la lav:lv lit:lt ltz:lb
    mac:mk mkd:mk mal:ml mao:mi mri:mi mar:mr may:ms msa:ms mlg:mg mlt:mt mon:mn nep:ne nno:nn nob:nb
    nor:no ori:or pan:pa per:fa fas:fa pol:pl por:pt pus:ps roh:rm rum:ro ron:ro run:rn rus:ru san:sa
    sin:si slo:sk slk:sk slv:sl smo:sm sna:sn snd:sd som:so sot:st spa:es srp:sr sun:su swa:sw swe:sv
    tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tib:bo bod:bo tir:ti tsn:tn tso:ts tuk:tk tur:tr uig:ug
    ukr:uk urd:ur uzb:uz vie:vi wel:cy cym:cy wol:wo xho:xh yid:yi yor:yo zul:zu
"""
_TWO_LETTERS = dict(pair.split(":") for pair in _CODES.split())
_KNOWN = frozenset(_TWO_LETTERS.values()) | {"ceb", "cmn", "fil", "gsw", "haw", "nan", "yue"}


def tag(text: str | None) -> str | None:
    """A language as BCP 47 writes it: `en` for eng, `pt-BR` for pt_br; None where it is none."""
    text = (text or "").strip().replace("_", "-")
    if not _TAG.fullmatch(text):
        return None
    primary, *others = text.split("-")
    primary = primary.lower()
    if primary in _UNKNOWN:
        return None
    return "-".join((_TWO_LETTERS.get(primary, primary), *map(_subtag, others)))


def _subtag(text: str) -> str:
    if len(text) == 2:
        return text.upper()
    return text.title() if len(text) == 4 and text.isalpha() else text.lower()


def tag_in_name(text: str) -> str | None:
    """The same for a part of a file's name, where `hd` or `new` is more likely a word of it."""
    found = tag(text)
    return found if found and found.split("-")[0] in _KNOWN else None


def best(offered: Sequence[str | None], wanted: Sequence[str]) -> int | None:
    """Which of some languages suits best, as its place; None where none does.

    The first that is wanted decides. `en` takes en-GB where there is no en, `pt-BR` takes pt.
    """
    known = [(place, tag(language)) for place, language in enumerate(offered)]
    for language in filter(None, map(tag, wanted)):
        ranked = [(rank, place) for place, it in known if it and (rank := _suits(it, language))]
        if ranked:
            return max(ranked, key=lambda found: (found[0], -found[1]))[1]
    return None


def _suits(offered: str, wanted: str) -> int:
    """How well, 3 at best; 0: not at all."""
    if offered == wanted:
        return 3
    if offered.startswith(f"{wanted}-"):
        return 2
    return int(wanted.startswith(f"{offered}-"))
