"""Postal addresses as they are written in English: number, name of the street, kind of street.

Knows nothing of the addresses of other languages, which name the street first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy import place_tails
from twin.privacy.clues import one_of, word_set
from twin.privacy.folding import Folded
from twin.privacy.place_tails import UK_POSTCODE
from twin.privacy.spans import Hit

_hit = partial(Hit, label="ADDRESS")

_NUMBER = r"(?:(?:no\.?\s?)?[0-9]{1,5}[a-z]?(?:\s?[\-/]\s?[0-9]{1,4}[a-z]?)?(?:\s1/2)?|one|two|three|five|ten)"
_NUMBER_WORDS = frozenset({"one", "two", "three", "five", "ten"})
# Kinds of streets that are nothing else ...
_CERTAIN = one_of(
    "street str st road rd avenue ave av lane ln boulevard blvd terrace crescent cres parkway pkwy highway hwy",
    "turnpike expressway freeway broadway strasse",
)
# ... that are if their name is capitalised or the sentence speaks of an address ...
_PERHAPS = one_of(
    "drive dr court ct place pl way close garden gardens gdns grove hill park row square sq walk circle cir",
    "trail trl loop alley quay green rise view mews wharf parade plaza pike path cove point pt ridge crossing",
    "bend heights manor meadow meadows mall ter esplanade promenade yard field fields vale bank bridge gate end",
    "house villa villas estate ring arcade",
)
# ... and, from the list of the United States Postal Service, that are only where a town or the sentence says so.
_RARE = one_of(
    "annex bayou beach bluffs? bottom branch brooks? burgs? bypass camp canyon cape causeway centers? centre",
    "cliffs? club common corners? course creek crest curve dale dam divide falls? ferry flats? fords? forest",
    "forges? forks? fort glens? harbors? haven hills hollow inlet islands? isle junctions? keys? knolls? lakes?",
    "land landing lodge mills? mission motorway mount mountains? neck orchard oval overpass parks pass passage",
    "pines? plains? ports? prairie radial ramp ranch rapids? rest river roads route rue run shoals? shores?",
    "skyway springs? spurs? squares station stravenue stream streets summit throughway trace track trafficway",
    "tunnel underpass unions? valleys? via viaduct views villages? ville vista walks wall ways wells?",
    "extensions? estates circles coves courts greens groves lights? locks? loaf points crescents drives ridges",
    "manors parkways",
)
_NAME = r"(?:[0-9]{1,3}(?:st|nd|rd|th)|[a-zà-ÿ][a-zà-ÿ'.\-]{0,20})"
_STREET = re.compile(
    rf"(?<![0-9a-z$€£#@])(?<![0-9][.,:/\-])(?P<number>{_NUMBER}),?\s(?P<name>(?:{_NAME}\s){{0,3}}?{_NAME})\s"
    rf"(?P<type>(?P<certain>{_CERTAIN})|(?P<perhaps>{_PERHAPS})|{_RARE})(?![a-z0-9\-])\.?"
    r"(?:\s(?:n|s|e|w|ne|nw|se|sw|north|south|east|west)\b\.?)?"
)
_LONE = re.compile(
    r"(?<![0-9a-z$€£#@])[0-9]{1,5}\s(?:broadway|piccadilly|strand|(?:the\s)?embankment|cheapside)(?![a-z])"
)
_TOWN_BEHIND = re.compile(
    r"[^,\n]{0,14}[,\n]\s?[A-Z][\w .\-]{2,30}[,\n ]{1,2}\s?(?:[A-Z]{2}\s[0-9]{5}"
    r"|[A-Z]{1,2}[0-9][0-9A-Z]?\s?[0-9][A-Z]{2})"
)
# "20 mins down the road", "2 way street", "3 place finish": no names of streets, unless written with a capital.
_NOT_IN_NAME = word_set(
    "min mins minute minutes hour hours hr hrs sec seconds day days week weeks month months year years more",
    "people persons times things of the to in a an is was are for and or but blocks block miles mile km kms",
    "meters metres m feet ft dollars bucks percent way am pm at on by with from my your his her our their this",
    "that it i you we they he she not big nice short good bad best next last other same different ways lanes",
    "courts drive drives stop stops exit exits star stars bed beds bedroom bath room rooms floor level points",
    "votes seats players guys girls kids friends cars car dogs cats cases wins games goals steps hits mph kmh",
    "kph if when then than so just only about down up off out over under into onto take turn left right per",
    "each every some any no",
)
_CONTEXT = re.compile(
    r"(?:address|addr|adres\w*|live|living|lives|moved|moving|come|coming|ship|send|sent|deliver\w*|mail"
    r"|mailing|located|at"
    r"|to|from|uber|lyft|taxi|cab|meet|party|drop|pick\s?up|stay\w*|house|flat|apartment|place|home|office"
    r"|visit|near|find)"
    r"(?:\s(?:is|it|me|us|them|over|by|out|up|in|on|the|keys|this|my|place|home|off|to|at|for|from|now))*[\s:,\-]{0,3}$"
)
_BOX = re.compile(r"(?<![a-z])p\.?\s?o\.?\s?box\s(?:no\.?\s|#\s?)?[0-9]{2,7}(?![0-9])")
_STATES = one_of(
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH",
    "OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC",
)
_TOWN = re.compile(
    rf"(?<!\w)[A-Z][a-z]{{2,15}}(?:\s[A-Z][a-z]{{2,15}}){{0,2}},\s(?:{_STATES})\s[0-9]{{5}}(?:-[0-9]{{4}})?(?![0-9])"
)
_POSTCODE = re.compile(
    rf"(?:post\s?code|postal code|zip(?: code)?|plz|code postal)(?:'s|\sis|:|\s)\s?(?P<code>{UK_POSTCODE})(?![a-z0-9])"
)


def find_english_addresses(folded: Folded) -> Iterator[Hit]:
    """Number and street with what belongs to them: flat, town, postcode, state, country."""
    low = folded.low
    if not folded.digits:
        return
    for match in _STREET.finditer(low):
        if _is_street(folded, match):
            yield _hit(place_tails.begin(low, match.start()), place_tails.end(folded, match.end()), rank=68)
    for pattern in (_LONE, _BOX):
        for match in pattern.finditer(low):
            yield _hit(place_tails.begin(low, match.start()), place_tails.end(folded, match.end()), rank=66)
    for match in _TOWN.finditer(folded.text):
        yield _hit(*match.span(), rank=60)
    for match in _POSTCODE.finditer(low):
        yield _hit(*match.span("code"), rank=60)


def _is_street(folded: Folded, match: re.Match[str]) -> bool:
    """Whether number, name and kind make an address: by capitals, and by what the sentence is about."""
    named, typed = folded.text[match.start("name")].isupper(), folded.text[match.start("type")].isupper()
    if match["name"] == "the":
        return named and typed
    written = folded.text[slice(*match.span("name"))].replace(".", "").split()
    if _NOT_IN_NAME & set(written):  # in small letters
        return False
    asked = bool(_CONTEXT.search(folded.before(match.start(), 40)))
    if not match["certain"] and not match["perhaps"]:
        return named and typed and (asked or bool(_TOWN_BEHIND.match(folded.text, match.end())))
    capital = named or match["name"][0].isdecimal()
    if match["number"] in _NUMBER_WORDS or match["perhaps"]:
        return capital or asked
    return capital or match["type"] not in ("st", "av", "str") or len(match["name"]) > 2
