"""How far a western address goes before and behind its street: flat, town, postcode, state, country in any order.

Knows nothing of streets.
"""

from __future__ import annotations

import re

from twin.privacy.clues import one_of, word_set
from twin.privacy.folding import Folded

CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽ"
"""Capital letters of the languages of Europe that are written in Latin letters, for a character class."""

_UNIT_WORDS = one_of(
    "apartment apt flat unit suite ste room rm floor fl bldg building block blk tower lot space trlr penthouse",
    "ph wohnung whg appartement appt bât étage appartamento app piano interno int scala apartamento andar",
    "puerta piso planta escalera esc bajo lok byt #",
)
_UNIT = (
    rf"(?:(?:{_UNIT_WORDS})\.?\s?#?\s?(?=[a-z0-9\-]*[0-9]|[a-z](?![a-z]))[a-z0-9\-]{{1,6}}|#\s?[a-z0-9\-]{{1,6}}"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)\sfl(?:oor)?|(?:ground|top|first|second|third)\sfloor|basement)"
)
# States of the US and Australia, provinces of Canada.
_STATES = one_of(
    "al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd oh",
    "ok or pa ri sc sd tn tx ut vt va wa wv wi wy dc on qc bc ab mb sk ns nb nl pe nsw vic qld act tas",
)
UK_POSTCODE = r"(?:gir\s?0aa|[a-z]{1,2}[0-9][0-9a-z]?\s?[0-9][abd-hjlnp-uw-z]{2})"
_POSTCODE = (
    rf"(?:{UK_POSTCODE}|[a-z][0-9][a-z]\s?[0-9][a-z][0-9]|[0-9]{{4}}\s?[a-z]{{2}}(?![a-z])|[0-9]{{2}}-[0-9]{{3}}"
    r"|[0-9]{4}-[0-9]{3}|(?:d|f|a|ch|i|e|pl|nl|b|l)-[0-9]{4,5}|[0-9]{3}\s[0-9]{2}(?![0-9])|[0-9]{4,5}(?:-[0-9]{4})?)"
    r"(?![a-z0-9])"
)
_COUNTRIES = one_of(
    r"usa u\.s\.a\.? united\sstates uk u\.k\. united\skingdom england scotland wales ireland canada australia germany",
    r"deutschland france spain españa italy italia portugal poland polska netherlands nederland austria österreich",
    r"switzerland schweiz belgium singapore china",
)
_CITY_WORD = rf"[{CAPITAL}](?:[^\W\d_]|['’.\-]){{1,20}}(?!\w)"
_CITY = (
    rf"(?:{_CITY_WORD}(?:[ \-](?:de|la|del|di|am|an der|upon|on|sur|the|of|der|den|im|ob|pod|nad|v|do|da)(?=[ \-]))*"
    rf"(?:[ \-]{_CITY_WORD}){{0,3}})"
)
_LOW = r"[a-zà-ÿ][a-zà-ÿ'\-]{2,20}"
_GAP = r"(?:\s?,\s?|\s?\n\s?|\s?[-;]\s|\s)"
_MORE = re.compile(
    rf"{_GAP}(?:(?P<unit>{_UNIT})|(?P<code>(?:(?:{_STATES}),?\s)?{_POSTCODE})|(?P<state>(?:{_STATES}))(?![a-z0-9'])"
    rf"|(?P<country>{_COUNTRIES})(?![a-z]))"
)
_TOWNS = (
    re.compile(rf"{_GAP}(?P<city>{_CITY})"),
    re.compile(
        rf"\s?,?\s(?P<city>{_LOW}(?:\s{_LOW}){{0,2}})(?=,?\s(?:(?:{_STATES})\s)?{_POSTCODE})"
    ),  # before a postcode
    re.compile(rf",\s(?P<city>{_LOW}(?:\s{_LOW})?)(?=\s*(?:$|[.!\n]))"),  # as the last word
)
_NO_CITY = word_set(
    "i i'm im ok okay thanks thx see come call text ask bring please pls lol btw and but or if when around about",
    "tomorrow today tonight now ring not the its it's just you we they he she there here then so bye cheers ty my his",
    "her mine no yes let what how why where who cash only code also hey hi hello sorry",
)
_HEAD = re.compile(rf"(?:{_UNIT}\s?,?\s|(?:room|rm|building|bldg|block|tower|flat|apt)\s?[a-z0-9\-]{{1,6}},\s)+$")
_ABBREVIATED = ("St.", "Rd.", "Ave.", "str.")


def begin(low: str, start: int) -> int:
    """Where an address begins whose street begins at `start`: some name the flat or the building first."""
    head = _HEAD.search(low, max(0, start - 40), start)
    return head.start() if head else start


def end(folded: Folded, stop: int) -> int:
    """Where an address ends whose street and number end at `stop`."""
    low, text = folded.low, folded.text
    towns = 0
    for _ in range(8):
        more = _MORE.match(low, stop)
        if more and (not more["state"] or _is_state(text, more)):
            stop = more.end()
            continue
        town = _TOWNS[0].match(text, stop) or _TOWNS[1].match(low, stop) or _TOWNS[2].match(low, stop)
        if town is None or towns >= 2 or town["city"].lower().split()[0].strip("'.") in _NO_CITY:
            break
        stop, towns = town.end("city"), towns + 1
    while stop and text[stop - 1] in " ,.\n" and not text[:stop].endswith(_ABBREVIATED):
        stop -= 1
    return stop


def _is_state(text: str, more: re.Match[str]) -> bool:
    """Two letters are a state where they are capitals behind a comma."""
    return text[slice(*more.span("state"))].isupper() and "," in text[more.start() : more.start("state")]
