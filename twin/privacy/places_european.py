"""Postal addresses of the continent: German, Dutch, Scandinavian, French, Spanish, Italian, Portuguese, Polish, Czech.

Knows nothing of English, Russian and Chinese addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy import place_tails
from twin.privacy.clues import one_of
from twin.privacy.folding import Folded
from twin.privacy.place_tails import CAPITAL
from twin.privacy.spans import Hit

_hit = partial(Hit, label="ADDRESS")

_HOUSE = r"[0-9]{1,4}\s?[a-zA-Z]?(?!\w)(?:\s?[-/]\s?[0-9]{1,4}[a-zA-Z]?(?!\w))?"
_WORD = r"[\wÀ-ÿ'’.\-]{1,22}"
# At the end of a street's name: Lindenstraße, Keizersgracht, Storgatan.
_ENDINGS = one_of(
    r"straße strasse str\.? gasse allee platz weg damm ufer chaussee straat laan gracht plein kade dreef singel steeg",
    r"gatan vägen stigen torget gränd gränden backen allén gade vej veien katu",
)
_GERMAN = re.compile(
    rf"(?<!\w)(?:(?i:[a-zà-ÿ\-]{{2,30}}(?:{_ENDINGS}))"
    rf"|[{CAPITAL}][\w\-]{{2,20}}(?:[ \-][{CAPITAL}][\w\-]{{2,20}})?[ \-]"
    r"(?i:straße|strasse|str\.|platz|allee|weg|ring|damm|ufer|markt)"
    r"|(?:Unter den|An der|An den|Auf der|Auf dem|Am|Im|Zum|Zur|In der"
    rf"|Hinter der) [{CAPITAL}][\w\-]{{3,20}})\s{_HOUSE}"
)
# 27 bis avenue Victor Hugo
_FRENCH = re.compile(
    r"(?<![\w.,/:\-])[0-9]{1,4}\s?(?:bis|ter|[a-zA-Z](?![a-zA-Z]))?,?\s"
    r"(?:(?i:rue|boulevard|bd|bld|chemin|impasse|quai|faubourg|calle)\s(?:(?:de la|de l['’]|du|des|de|d['’]"
    r"|la|le|les)\s?)?"
    r"|(?i:avenue|av\.|place|allée|allee|route|cours|square|passage|rua|avenida)\s"
    rf"(?:(?:de la|de l['’]|du|des|de|d['’]|da|do|dos)\s?|(?=[{CAPITAL}]))){_WORD}"
    rf"(?:[ \-](?:de|du|la|des|le|d['’]\w+|[{CAPITAL}]{_WORD})){{0,4}}"
)
# Before a street's name: Calle Mayor 15, Via Garibaldi 22, ul. Marszałkowska 12/5.
_KINDS = one_of(
    r"calle c/ c\. avenida avda\.? paseo plaza pza\.? camino ronda carrer carretera pasaje pasadizo glorieta",
    "urbanización cuesta callejón rambla cañada acceso contrada canale borgo rotonda piazzetta incrocio stretto",
    r"via viale piazza corso vicolo largo strada piazzale lungomare rua travessa praça alameda estrada ulica ul\.",
    r"al\. os\. pl\. aleja aleje plac ulice nám\. třída bulevardul bd\. str\. calea șoseaua avenue rue av r\.",
    r"tv\.?",
)
_OF = one_of(
    r"de\sla de\slos de\slas del de della delle dei degli di d['’] da do dos das la el los las św\. gen\. ks\.",
    r"al\. prof\. dr",
)
_FLAT = (
    r"(?:,?\s(?:[0-9]{1,2}\s?[ºª°](?:\s?[A-Za-z](?![a-z]))?|piso\s[0-9]+\w?|m\.?\s?[0-9]+|int\.?\s?[0-9]+"
    r"|app?\.?\s?[0-9]+"
    r"|scala\s\w|puerta\s\w+|dcha|izq)){0,3}"
)
_ROMANCE = re.compile(
    rf"(?<![\w/])(?i:{_KINDS})\s?(?:(?:{_OF})\s?){{0,2}}[{CAPITAL}0-9]{_WORD}"
    rf"(?:\s(?:de|del|la|e|y|i|[{CAPITAL}]{_WORD})){{0,3}},?\s(?:n[.º°]?\s?|nr\.?\s?|nº\s?)?{_HOUSE}{_FLAT}"
)
# Any capitalised name with a number, then postcode and town: Pařížská 643, 352 06 Vrbno
_ANCHORED = re.compile(
    rf"(?<![\w/])[{CAPITAL}][\w'’.\-]{{2,30}}"
    rf"(?:\s(?:[{CAPITAL}]|de |di |da |van |von |der |na |nad |pod |u "
    rf"|\d)[\w'’.\-]{{0,25}}){{0,4}},?\s{_HOUSE}\s?[,\n\s]\s?"
    r"(?:[A-Z]{1,2}-)?(?:[0-9]{5}|(?!19|20)[0-9]{4}(?:\s[A-Z]{2})?|[0-9]{3}\s[0-9]{2}|[0-9]{2}-[0-9]{3}"
    r"|[0-9]{4}-[0-9]{3})"
    rf",?\s[{CAPITAL}][\w'’.\-]{{2,25}}"
)
_BOX = re.compile(
    r"(?<![a-z])(?:postfach|apartado(?: de correos)?|bo[iî]te postale|bp|casella postale)\s[0-9]{2,7}(?![0-9])"
)
_AMOUNT = re.compile(
    r"\s(?:min|minuten|uhr|stunden|euro|€|km|m\b|meter|minutes?|jahre|hours?|nights?|days?|people|times|ore"
    r"|minuti|minutos|h\b)"
)
# "via", "place", "am" and the like begin ordinary sentences too.
_ORDINARY = (
    "am ",
    "im ",
    "via ",
    "place ",
    "largo ",
    "corso ",
    "in der ",
    "zum ",
    "zur ",
    "av. ",
    "al. ",
    "pl. ",
    "c. ",
)


def find_european_addresses(folded: Folded) -> Iterator[Hit]:
    """Street and number in either order, with flat, postcode and town; and whatever somebody says to be an address."""
    low, text = folded.low, folded.text
    if not folded.digits:
        return
    for pattern in (_GERMAN, _FRENCH, _ROMANCE):
        for match in pattern.finditer(text):
            if _is_address(folded, match):
                yield _hit(place_tails.begin(low, match.start()), place_tails.end(folded, match.end()), rank=67)
    for match in _ANCHORED.finditer(text):
        yield _hit(place_tails.begin(low, match.start()), place_tails.end(folded, match.end()), rank=62)
    for match in _BOX.finditer(low):
        yield _hit(match.start(), place_tails.end(folded, match.end()), rank=66)
    yield from _introduced(folded)


def _is_address(folded: Folded, match: re.Match[str]) -> bool:
    if _AMOUNT.match(folded.low, match.end()):
        return False
    low = folded.low[slice(*match.span())]
    if low.startswith(_ORDINARY):
        rest = folded.text[match.end() : match.end() + 2]
        return len(rest) < 2 or not rest[0].isspace() or not rest[1].isalpha() or rest[1].isupper()
    return folded.text[match.start()].isupper() or "weg" not in low


_INTRODUCED = re.compile(
    r"(?:\baddress(?:'s|\sis|:|\s-)|\baddy(?:'s|\sis|:)|ship(?: it)? to:?|deliver(?: it)? to:?|\b(?:i|we) live at"
    r"|\badresse(?:\sist|\sest|:|\sc'est)|\bwohne (?:in|am|an)|\bwoon (?:op|aan|in)|\bbor på|\badres:?"
    r"|\badresa(?::| je)?"
    r"|\bbydlím|\bmieszkam(?: na| przy)?|\bcím(?:em)?:|\bvivo en|\bdirecci[oó]n(?:\ses|:)|\bmoro n[ao]"
    r"|\bmoro em|\bmorada:"
    r"|\babito in|\bindirizzo(?::|\sè))\s{1,2}(?P<place>[^\n!?;]{6,120})"
)
_OVER = re.compile(
    r"\.\s|\s(?:and|but|so|ok|btw|pls|please|come|call|see|und|et)\s|[а-я\u4e00-\u9fff@]|://|\.(?:com|org|net|ru)\b"
)


def _introduced(folded: Folded) -> Iterator[Hit]:
    """What somebody says to be an address, when it has a number and a capital letter: shapes that no rule foresees."""
    for match in _INTRODUCED.finditer(folded.low):
        start, stop = match.span("place")
        over = _OVER.search(folded.low, start, stop)
        place = folded.text[start : over.start() if over else stop].rstrip(" .,")
        words = place.split()
        if (
            2 <= len(words) <= 14
            and (words[0][0].isdecimal() or words[0][0].isupper())
            and re.search(r"(?<![0-9.])[0-9]{1,5}[a-z]?(?![0-9.:])", place.lower())
            and re.search(rf"[{CAPITAL}][^\W\d_]{{2,}}", place)
        ):
            yield _hit(start, start + len(place), rank=50)
