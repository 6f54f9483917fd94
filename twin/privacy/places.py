"""Postal addresses as they are written in English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Czech.

Knows nothing of Russian and Chinese addresses, which are built the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import word_set
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit

_hit = partial(Hit, label="ADDRESS")

_NUMBER = r"(?:(?:no\.?\s?)?[0-9]{1,5}[a-z]?(?:\s?[\-/]\s?[0-9]{1,4}[a-z]?)?(?:\s1/2)?|one|two|three|five|ten)"
_CERTAIN = (
    "street|str|st|road|rd|avenue|ave|av|lane|ln|boulevard|blvd|terrace|crescent|cres|parkway|pkwy|highway|hw"
    "y|turnpike|expressway|freeway|broadway|strasse"
)
_PERHAPS = (
    "drive|dr|court|ct|place|pl|way|close|gardens?|gdns|grove|hill|park|row|square|sq|walk|circle|cir|trail|t"
    "rl|loop|alley|quay|green|rise|view|mews|wharf"
    "|parade|plaza|pike|path|cove|point|pt|ridge|crossing|bend|heights|manor|meadows?|mall|ter|esplanade|prom"
    "enade|yard|fields?|vale|bank|bridge|gate|end|house|villas?|estate|ring|arcade"
)
# Further suffixes of the USPS list, for capitalised names where a town or the sentence says that it is an address.
_RARE = (
    "annex|bayou|beach|bluffs?|bottom|branch|brooks?|burg|bypass|camp|canyon|cape|causeway|center|centre|clif"
    "fs?|club|common|corners?|course|creek|crest|curve|dale|dam"
    "|divide|falls?|ferry|flats?|fords?|forest|forges?|forks?|fort|glens?|harbors?|haven|hills|hollow|inlet|i"
    "slands?|isle|junctions?|keys?|knolls?|lakes?|land|landing|lodge|mills?|mission"
    "|motorway|mount|mountains?|neck|orchard|oval|overpass|parks|pass|passage|pines?|plains?|ports?|prairie|r"
    "adial|ramp|ranch|rapids?|rest|river|roads|route|rue|run|shoals?|shores?|skyway|springs?"
    "|spurs?|squares|station|stravenue|stream|streets|summit|throughway|trace|track|trafficway|tunnel|underpa"
    "ss|unions?|valleys?|via|viaduct|views|villages?|ville|vista|walks|wall|ways|wells?|extensions?|estates|c"
    "ircles|coves|courts|greens|groves|lights?|locks?|loaf|meadow|points|crescents"
)
_NAME = r"(?:[0-9]{1,3}(?:st|nd|rd|th)|[a-zà-ÿ][a-zà-ÿ'.\-]{0,20})"
_STREET = re.compile(
    rf"(?<![0-9a-z$€£#@])(?<![0-9][.,:/\-])(?P<number>{_NUMBER}),?\s(?P<name>(?:{_NAME}\s){{0,3}}?{_NAME})\s(?P"
    rf"<type>{_CERTAIN}|{_PERHAPS}|{_RARE})(?![a-z0-9\-])\.?(?:\s(?P<side>n|s|e|w|ne|nw|se|sw|north|south|east"
    r"|west)\b\.?)?"
)
_LONE = re.compile(
    r"(?<![0-9a-z$€£#@])(?P<number>[0-9]{1,5})\s(?P<name>broadway|piccadilly|strand|(?:the\s)?embankment"
    r"|cheapside)(?![a-z])"
)
_COMMON = frozenset(
    [*_CERTAIN.split("|"), *_PERHAPS.replace("s?", "").split("|"), "gardens", "meadows", "malls", "fields", "villas"]
)
_TOWN_BEHIND = re.compile(
    r"[^,\n]{0,14}[,\n]\s?[A-Z][\w .\-]{2,30}[,\n ]{1,2}\s?(?:[A-Z]{2}\s[0-9]{5}"
    r"|[A-Z]{1,2}[0-9][0-9A-Z]?\s?[0-9][A-Z]{2})"
)
_NOT_IN_NAME = word_set(
    "min mins minute minutes hour hours hr hrs sec seconds day days week weeks month months year years more "
    "people persons times things of the to in a an is was are for and or but "
    "blocks block miles mile km kms meters metres m feet ft dollars bucks percent way am pm at on by with "
    "from my your his her our their this that it i you we they he she not "
    "new old big nice long short good bad best first second third last next other same different ways lane "
    "lanes court courts drive drives stop stops exit exits star stars bed beds "
    "bedroom bath room rooms floor level points votes seats players guys girls kids friends cars car dogs "
    "cats cases wins games goals steps hits "
    "mph kmh kph if when then than so just only about down up off out over under into onto take turn left "
    "right per each every some any no"
)
_CONTEXT = re.compile(
    r"(?:address|addr|adres\w*|live|living|lives|moved|moving|come|coming|ship|send|sent|deliver\w*|mail"
    r"|mailing|located|at|to|from|uber|lyft|taxi|cab|meet|party|drop|pick\s?up|stay\w*|house|flat|apartment"
    r"|place|home|office|visit|near|find)(?:\s(?:is|it|me|us|them|over|by|out|up|in|on|the|keys|this|my|place"
    r"|home|off|to|at|for|from|now))*[\s:,\-]{0,3}$"
)
_UNIT_WORDS = (
    r"(?:appartamento|app|piano|interno|int|puerta|piso|planta|escalera|esc|bajo|scala|lok|byt|wohnung|whg"
    r"|appartement|appt|bât|étage|apartamento|andar|apartment|apt|flat|unit|suite|ste|room|rm|floor|fl|bldg"
    r"|building|block|blk|tower|lot|space|trlr|penthouse|ph|#)"
)
_UNIT = (
    rf"(?:{_UNIT_WORDS}\.?\s?#?\s?(?=[a-z0-9\-]*[0-9]|[a-z](?![a-z]))[a-z0-9\-]{{1,6}}|#\s?[a-z0-9\-]{{1,6}}"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)\sfl(?:oor)?|(?:ground|top|first|second|third)\sfloor|basement)"
)
_STATES = sorted(
    word_set(
        "al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd "
        "oh ok or pa ri sc sd tn tx ut vt va wa wv wi wy dc on qc bc ab mb sk ns nb nl pe nsw vic qld act tas"
    )
)
_UK = r"(?:gir\s?0aa|[a-z]{1,2}[0-9][0-9a-z]?\s?[0-9][abd-hjlnp-uw-z]{2})"
_CODE = (
    rf"(?:{_UK}|[a-z][0-9][a-z]\s?[0-9][a-z][0-9]|[0-9]{{4}}\s?[a-z]{{2}}(?![a-z])|[0-9]{{2}}-[0-9]{{3}}"
    rf"|[0-9]{{4}}-[0-9]{{3}}|(?:d|f|a|ch|i|e|pl|nl|b|l)-[0-9]{{4,5}}|[0-9]{{3}}\s[0-9]{{2}}(?![0-9])"
    rf"|[0-9]{{4,5}}(?:-[0-9]{{4}})?)(?![a-z0-9])"
)
_COUNTRY = (
    r"(?:usa|u\.s\.a\.?|united states|uk|u\.k\.|united kingdom|england|scotland|wales|ireland|canada"
    r"|australia|germany|deutschland|france|spain|españa|italy|italia|portugal|poland|polska|netherlands"
    r"|nederland|austria|österreich|switzerland|schweiz|belgium|singapore|china)"
)
_CAP = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽ"
_CITY = (
    rf"(?:[{_CAP}][\w'’.\-]{{1,20}}(?:[ \-](?:de|la|del|di|am|an der|upon|on|sur|the|of|der|den|im|ob|pod|nad"
    rf"|v|do|da)(?=[ \-]))*(?:[ \-][{_CAP}][\w'’.\-]{{1,20}}){{0,3}})"
)
_GAP = r"(?:\s?,\s?|\s?\n\s?|\s?[-;]\s|\s)"
_MORE = re.compile(
    rf"{_GAP}(?:(?P<unit>{_UNIT})|(?P<code>(?:{'|'.join(_STATES)}),?\s{_CODE}|{_CODE})"
    rf"|(?P<state>(?:{'|'.join(_STATES)}))(?![a-z0-9'])|(?P<country>{_COUNTRY})(?![a-z]))"
)
_MORE_CITY = re.compile(rf"(?P<gap>{_GAP})(?P<city>{_CITY})")
_LOW_CITY = re.compile(
    rf"\s?,?\s(?P<city>[a-zà-ÿ][a-zà-ÿ'\-]{{2,20}}(?:\s[a-zà-ÿ'\-]{{3,20}}){{0,2}})(?=,?\s(?:(?"
    rf":{'|'.join(_STATES)})\s)?{_CODE})"
)
_LAST_CITY = re.compile(r",\s(?P<city>[a-zà-ÿ][a-zà-ÿ'\-]{3,20}(?:\s[a-zà-ÿ'\-]{3,20})?)(?=\s*(?:$|[.!\n]))")
_NO_CITY = word_set(
    "i i'm im ok okay thanks thx see come call text ask bring please pls lol btw and but or if when around "
    "about tomorrow today tonight now ring not the its it's just you we they he she there here then so bye "
    "cheers ty my his her mine no yes let what how why where who cash only code also hey hi hello sorry"
)
_HEAD = re.compile(rf"(?:{_UNIT}\s?,?\s|(?:room|rm|building|bldg|block|tower|flat|apt)\s?[a-z0-9\-]{{1,6}},\s)+$")


def find_western_addresses(folded: Folded) -> Iterator[Hit]:
    """Street and number with what belongs to them: flat, town, postcode, state, country."""
    low = folded.low
    if not folded.digits:
        return
    for match in _STREET.finditer(low):
        if _is_street(folded, match):
            yield _hit(_head(low, match.start()), _tail(folded, match.end()), rank=68)
    for match in _LONE.finditer(low):
        yield _hit(_head(low, match.start()), _tail(folded, match.end()), rank=66)
    for pattern in _EUROPEAN:
        for match in pattern.finditer(folded.text):
            if _is_european(folded, match):
                yield _hit(_head(low, match.start()), _tail(folded, match.end()), rank=67)
    for match in _ANCHORED.finditer(folded.text):
        yield _hit(_head(low, match.start()), _tail(folded, match.end()), rank=62)
    for match in _BOX.finditer(low):
        yield _hit(match.start(), _tail(folded, match.end()), rank=66)
    for match in _TOWN.finditer(folded.text):
        yield _hit(*match.span(), rank=60)
    for match in _POSTCODE.finditer(low):
        yield _hit(*match.span("code"), rank=60)
    yield from _introduced(folded)


def _is_street(folded: Folded, match: re.Match[str]) -> bool:
    words = match["name"].replace(".", "").split()
    if words == ["the"]:
        return folded.text.startswith("The", match.start("name")) and folded.text[match.start("type")].isupper()
    if _NOT_IN_NAME & set(words[:-1]) or (
        words[-1] in _NOT_IN_NAME
        and words[-1] not in {"first", "second", "third", "court", "lane", "new", "old", "long"}
    ):
        return False
    rare = match["type"] not in _COMMON
    if rare and not (folded.text[match.start("type")].isupper() and folded.text[match.start("name")].isupper()):
        return False
    if rare and not _CONTEXT.search(folded.before(match.start(), 40)):
        return bool(_TOWN_BEHIND.match(folded.text, match.end()))
    if match["number"] in ("one", "two", "three", "five", "ten") or match["type"] not in _CERTAIN.split("|"):
        capital = folded.text[match.start("name")].isupper() or match["name"][0].isdecimal()
        return capital or bool(_CONTEXT.search(folded.before(match.start(), 40)))
    if match["type"] in ("st", "av", "str") and not (
        folded.text[match.start("name")].isupper() or match["name"][0].isdecimal()
    ):
        return len(match["name"]) > 2
    return True


def _head(low: str, start: int) -> int:
    """Where an address begins that names the flat or the building first."""
    head = _HEAD.search(low, max(0, start - 40), start)
    return head.start() if head else start


def _tail(folded: Folded, end: int) -> int:
    """How far an address goes on: flat, town, postcode, state and country in any order."""
    low, text = folded.low, folded.text
    towns = 0
    for _ in range(8):
        more = _MORE.match(low, end)
        if more and not (
            more["state"]
            and not (
                text[more.start("state") : more.end()].isupper() and "," in text[end - 1 : more.start("state") + 1]
            )
        ):
            end = more.end()
            continue
        town = _MORE_CITY.match(text, end) or _LOW_CITY.match(low, end) or _LAST_CITY.match(low, end)
        if town is None or towns >= 2 or town["city"].lower().split()[0].strip("'.") in _NO_CITY:
            break
        end, towns = town.end("city"), towns + 1
    while end and text[end - 1] in " ,.\n" and not text[:end].endswith(("St.", "Rd.", "Ave.", "str.")):
        end -= 1
    return end


_HOUSE = r"[0-9]{1,4}\s?[a-zA-Z]?(?![A-Za-z0-9])(?:\s?[-/]\s?[0-9]{1,4}[a-zA-Z]?(?![A-Za-z0-9]))?"
_WORD = r"[\wÀ-ÿ'’.\-]{1,22}"
_EUROPEAN = (
    # German, Dutch, Swedish, Danish: Lindenstraße 14, Keizersgracht 120, Storgatan 5
    re.compile(
        rf"(?<!\w)(?:(?i:[a-zà-ÿ\-]{{2,30}}(?:straße|strasse|str\.?|gasse|allee|platz|weg|damm|ufer|chaussee"
        r"|straat|laan|gracht|plein|kade|dreef|singel|steeg|gatan|vägen|stigen|torget|gränd|gränden|backen|allén"
        rf"|gade|vej|veien|katu))|[{_CAP}][\w\-]{{2,20}}(?:[ \-][{_CAP}][\w\-]{{2,20}})?[ \-](?i:straße|strasse"
        r"|str\.|platz|allee|weg|ring|damm|ufer|markt)|(?:Unter den|An der|An den|Auf der|Auf dem|Am|Im|Zum|Zur"
        rf"|In der|Hinter der) [{_CAP}][\w\-]{{3,20}})\s(?P<house>{_HOUSE})"
    ),
    # French: 27 bis avenue Victor Hugo
    re.compile(
        rf"(?<![\w.,/:\-])(?P<house>[0-9]{{1,4}}\s?(?:bis|ter|[a-zA-Z](?![a-zA-Z]))?),?\s(?:(?i:rue|boulevard|bd"
        r"|bld|chemin|impasse|quai|faubourg|calle)\s(?:(?:de la|de l['’]|du|des|de|d['’]|la|le|les)\s?)?"
        r"|(?i:avenue|av\.|place|allée|allee|route|cours|square|passage|rua|avenida)\s(?:(?:de la|de l['’]|du|des"
        rf"|de|d['’]|da|do|dos)\s?|(?=[{_CAP}]))){_WORD}(?:[ \-](?:de|du|la|des|le|d['’]\w+"
        rf"|[{_CAP}]{_WORD})){{0,4}}"
    ),
    # Spanish, Italian, Portuguese, Polish, Czech, Romanian: Calle Mayor 15, Via Garibaldi 22, ul. Marszałkowska 12/5
    re.compile(
        r"(?<![\w/])(?:(?i:calle|c/|c\.|avenida|avda\.?|paseo|plaza|pza\.?|camino|ronda|carrer|carretera|pasaje"
        r"|pasadizo|glorieta|urbanización|cuesta|callejón|rambla|cañada|acceso|contrada|canale|borgo|rotonda"
        r"|piazzetta|incrocio|stretto|viale?|piazza|corso|vicolo|largo|strada|piazzale|lungomare|rua|travessa"
        r"|praça|alameda|estrada|ulica|ul\.|al\.|os\.|pl\.|aleja|aleje|plac|ulice|nám\.|třída|bulevardul|bd\."
        r"|str\.|calea|șoseaua|avenue|rue|av|r\.|tv\.?))\s?(?:(?:de la|de los|de las|del|de|della|delle|dei|degli"
        r"|di|d['’]|da|do|dos|das|la|el|los|las|św\.|gen\.|ks\.|al\.|prof\."
        rf"|dr)\s?){{0,2}}[{_CAP}0-9]{_WORD}(?:\s(?:de|del|la|e|y|i|[{_CAP}]{_WORD})){{0,3}},?\s(?:n[.º°]?\s?"
        rf"|nr\.?\s?|nº\s?)?(?P<house>{_HOUSE})(?:,?\s(?:[0-9]{{1,2}}\s?[ºª°](?:\s?[A-Za-z](?![a-z]))?"
        rf"|piso\s[0-9]+\w?|m\.?\s?[0-9]+|int\.?\s?[0-9]+|app?\.?\s?[0-9]+|scala\s\w|puerta\s\w+|dcha|izq)){{0,3}}"
    ),
)
_ANCHORED = re.compile(
    rf"(?<![\w/])[{_CAP}][\w'’.\-]{{2,30}}(?:\s(?:[{_CAP}]|de |di |da |van |von |der |na |nad |pod |u "
    rf"|\d)[\w'’.\-]{{0,25}}){{0,4}},?\s{_HOUSE}\s?(?:,|\n|\s)\s?(?:[A-Z]{{1,2}}-)?(?:[0-9]{{5}}|(?!19"
    rf"|20)[0-9]{{4}}(?:\s[A-Z]{{2}})?|[0-9]{{3}}\s[0-9]{{2}}|[0-9]{{2}}-[0-9]{{3}}"
    rf"|[0-9]{{4}}-[0-9]{{3}}),?\s[{_CAP}][\w'’.\-]{{2,25}}"
)
_MEANS_SOMETHING_ELSE = re.compile(
    r"\s(?:min|minuten|uhr|stunden|euro|€|km|m\b|meter|minutes?|jahre|hours?|nights?|days?|people|times|ore"
    r"|minuti|minutos|h\b)"
)
_BOX = re.compile(
    r"(?<![a-z])(?:p\.?\s?o\.?\s?box|postfach|apartado(?: de correos)?|bo[iî]te postale|bp"
    r"|casella postale)\s(?:no\.?\s|#\s?)?[0-9]{2,7}(?![0-9])"
)
_US = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH"
    "|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC"
)
_TOWN = re.compile(
    rf"(?<!\w)[A-Z][a-z]{{2,15}}(?:\s[A-Z][a-z]{{2,15}}){{0,2}},\s(?:{_US})\s[0-9]{{5}}(?:-[0-9]{{4}})?(?![0-9]"
    r")"
)
_POSTCODE = re.compile(
    rf"(?:post\s?code|postal code|zip(?: code)?|plz|code postal)(?:'s|\sis|:|\s)\s?(?P<code>{_UK})(?![a-z0-9])"
)
_INTRODUCED = re.compile(
    r"(?:\bvivo en|\bmoro na|\bmoro em|\babito in|\bmieszkam(?: na| przy)?|\bbor på|\bwoon (?:op|aan|in)"
    r"|\bwohne (?:in|am|an)|\bbydlím|\badresa(?::| je)|\blaklakom|\bcím(?:em)?:|\baddress(?:'s|\sis|:|\s-)"
    r"|\baddy(?:'s|\sis|:)|\badresse(?:\sist|\sest|:|\sc'est)|\bdirecci[oó]n(?:\ses|:)|\badresa|\badres"
    r"|\bindirizzo(?::|\sè)|\bmorada:|\badres:|ship(?: it)? to:?|deliver(?: it)? to:?|i live at"
    r"|we live at)\s{1,2}(?P<place>[^\n!?;]{6,120})"
)


def _is_european(folded: Folded, match: re.Match[str]) -> bool:
    if _MEANS_SOMETHING_ELSE.match(folded.low, match.end()):
        return False
    low = match[0].lower()
    if low.startswith(
        (
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
            "os. ",
            "c. ",
        )
    ):
        rest = folded.low[match.end() : match.end() + 2]
        return (
            match.end() == len(folded.low)
            or not rest[0].isspace()
            or not rest[1:].isalpha()
            or folded.text[match.end() + 1].isupper()
        )
    if low.endswith(" weg") or "weg" in low.split()[0]:
        return folded.text[match.start()].isupper()
    return True


def _introduced(folded: Folded) -> Iterator[Hit]:
    """What somebody says to be an address, when it has a number and a capital letter: shapes no rule foresees."""
    for match in _INTRODUCED.finditer(folded.low):
        start, end = match.span("place")
        stop = re.search(
            r"\.\s|\s(?:and|but|so|ok|btw|pls|please|come|call|see|und|et)\s|[а-я\u4e00-\u9fff@]|://|\.(?:com|org|net"
            r"|ru)\b",
            folded.low[start:end],
        )
        end = start + stop.start() if stop else end
        place = folded.text[start:end].rstrip(" .,")
        words = place.split()
        if (
            2 <= len(words) <= 14
            and (words[0][0].isdecimal() or words[0][0].isupper())
            and re.search(r"(?<![0-9.])[0-9]{1,5}[a-z]?(?![0-9.:])", place.lower())
            and len(re.findall(r"[^\W\d_]{3,}", place)) >= 1
            and re.search(r"[A-ZÀ-ÞČŠŽŘŁŚŻ][^\W\d_]{2,}", place)
        ):
            yield _hit(start, start + len(place), rank=50)
