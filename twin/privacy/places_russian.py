"""Postal addresses as they are written in Russian and Ukrainian: kind of street, name, house, flat.

Knows nothing of maps: a street need not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import one_of, word_set
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit

_hit = partial(Hit, label="ADDRESS")

_B = r"(?<![а-яіїєґa-z0-9])"
# Abbreviations want their dot or a space behind them: "наб. Фонтанки", not "наберите".
_TYPE = (
    r"(?:(?:улиц[аеуы]|проспект\w{0,2}|переул\w{1,4}|бульвар\w{0,2}|набережн\w{1,2}|шосс?е|узвіз|майдан"
    r"|площад[ьи]|проезд\w{0,2}|алле[яеию]|тупик\w{0,2}|микрорайон\w{0,2}"
    r"|квартал\w{0,2}|лини[яиюе]|тракт\w?|просек\w?|вулиц\w{1,2}|провул\w{2,4}|площ[аі]|сквер\w?|парк)\s"
    r"|(?:ул|просп|пр-?к?т|пр-д|пер|пров|бул|б-р|наб|алл|мкрн?|м-н|кв-л|вул)(?:\.\s?|\s)|(?:пр|ш|пл)\.\s?)"
)
_TYPE_FULL = (
    r"(?:(?:улиц[аеуы]|проспект\w{0,2}|переул\w{1,4}|бульвар\w{0,2}|набережн\w{1,2}|шосс?е|узвіз|майдан"
    r"|площад[ьи]|проезд\w{0,2}|алле[яеию]|лини[яиюе]|тракт\w?)(?![а-я])"
    r"|(?:ул|просп|пр-?к?т|пер|б-р|наб)(?:\.|(?![а-я]))|(?:пр|ш)\.)"
)
_WORD = r"[а-яіїєґ][а-яіїєґ'\-]{1,24}"
_NAME = (
    rf"(?:(?:[0-9]{{1,3}}-?(?:я|й|ая|ый|ой|го)?\s)?(?:[а-я]\.\s?){{0,2}}{_WORD}(?:\s(?!д\.|дом|кв|корп|стр|оф"
    rf"|подъезд|этаж){_WORD}){{0,2}}|[0-9]{{1,2}}\s{_WORD}(?:\s{_WORD})?)"
)
_HOUSE = (
    r"(?:(?:д(?:ом)?\.?|буд(?:инок)?\.?|№|вл\.?|владение)\s?)?[0-9]{1,4}(?:\s?[абвгдежик](?![а-я]))?"
    r"(?:\s?[/\-]\s?[0-9]{1,4}[а-г]?(?![а-я0-9]))?"
    r"(?:\s?,?\s?(?:(?:корпус|корп\.?|строение|стр\.?|лит\.?|литера)\s?[0-9а-я]{1,3}|[кс]\.?\s?[0-9]{1,3}[а-я]?)"
    r"(?:/[0-9]{1,2})?(?![а-я0-9])){0,2}"
)
_PART = (
    r"(?:[,;\s]{1,3}|\s?\n\s?)(?:(?:корп(?:ус)?|к|стр(?:оение)?|вл|лит(?:ера?)?|кв(?:артира)?|квартиру|офис"
    r"|оф|пом(?:ещение)?|подъезд|под|пд|парадн\w{1,3}|этаж|эт|домофон|дмф|код(?:\sдомофона)?|ком(?:ната)?"
    r"|комн|секция|вход|апт|апарт\w*|квартиру)\.?\s?[:№]?\s?[0-9]{1,5}[а-яa-z*#]{0,2}[0-9]{0,5}(?![а-я0-9])"
    r"|(?:[0-9]{1,2}(?:-?(?:й|ый|ой|м))?\s(?:этаж\w?|подъезд\w?|эт\.?|под\.))(?![а-я]))"
)
_PARTS = rf"(?:{_PART}){{0,6}}"
_BEHIND = (
    r"(?:,\s(?:(?:г|м|с)\.\s?)?[а-яіїєґ][а-яіїєґ'\-]{3,24}(?=,\s[0-9]{5,6}(?![0-9])))?(?:,?\s[0-9]{5,6}(?!"
    r"[0-9а-я]))?"
)
_CITIES = one_of(
    "москв[аеу] мск зеленоград[е]? санкт-петербург[е]? спб с-пб питер[е]? петербург екатеринбург[е]? екб",
    r"новосибирск[е]? нск казан[ьи] нижн\w{2}\sновгород самар[аеу] омск челябинск ростов-на-дону ростов уф[аеу]",
    "красноярск перм[ьи] воронеж[е]? волгоград краснодар[е]? саратов тюмен[ьи] тольятти ижевск барнаул иркутск",
    "хабаровск ярославль владивосток махачкала томск оренбург кемерово рязан[ьи] астрахан[ьи] пенза киров",
    "липецк тул[аеы] калининград сочи тверь химки мытищи балашиха подольск минск[е]? киев[е]? київ харьков",
    "одесс[аеу] днепр львов алмат[ыа] астан[аеы] нур-султан ташкент бишкек ереван тбилиси баку",
)
_PLACE = (
    rf"(?:[0-9]{{6}}|росси[яи]|рф|украина|беларусь|казахстан|(?:г|гор|город|м|місто|пос|поселок|п|дер|деревня"
    r"|д|с|село|к|клх|рп|пгт|ст|станица|снт|кп|жк|тер)(?:\.\s?"
    rf"|\s)\"?[а-я][а-я0-9\-]{{2,24}}(?:\s[а-я\-]{{3,20}})?\"?|[а-я\-]{{4,24}}\s(?:обл\.?|область|край|р-н"
    rf"|район|респ\.?|округ)|(?:республика|респ\.)\s[а-я]{{4,20}}|{_CITIES})"
)
_BEFORE = re.compile(rf"{_B}(?:{_PLACE}(?:\s?,\s?|\s)){{1,5}}$")

_TYPE_NAME = re.compile(
    rf"{_B}{_TYPE}(?P<name>{_NAME})[,\s]{{1,2}}(?P<house>{_HOUSE})(?![а-я0-9.:]|,[0-9]){_PARTS}{_BEHIND}"
)
_NAME_TYPE = re.compile(
    rf"{_B}(?P<name>(?:[0-9]{{1,3}}-?(?:я|й|ая|ый)\s)?{_WORD}(?:\s{_WORD})?)\s{_TYPE_FULL}[,\s]{{1,2}}(?P<house"
    rf">{_HOUSE})(?![а-я0-9.:]|,[0-9]){_PARTS}{_BEHIND}"
)
_BARE = re.compile(
    rf"{_B}(?P<name>(?:[0-9]{{1,2}}-?(?:я|й|ая|ый|ой)\s)?(?:[а-я][а-я\-]{{3,20}}\s)?[а-я][а-я\-]{{3,24}})"
    rf"[,\s]{{1,2}}(?P<house>{_HOUSE})(?![а-я0-9.:%₽]|[,:][0-9])(?P<parts>{_PARTS})"
)
_FLAT = re.compile(
    rf"{_B}(?:(?:дом|д\.|корпус|корп\.?)\s?[0-9]{{1,4}}[а-г]?(?:/[0-9]{{1,3}})?{_PART}{_PARTS}|(?:подъезд"
    rf"|под\.)\s?[0-9]{{1,2}}{_PART}{_PARTS}|(?:этаж|эт\.)\s?[0-9]{{1,2}}{_PART}{_PARTS}|(?:кв\.?"
    rf"|квартира)\s?[0-9]{{1,4}}(?:[,;\s]{{1,3}})(?:подъезд|этаж|домофон|код|эт|под)\.?\s?[0-9]{{1,5}}{_PARTS})"
)
# A house without a street: деревня Гадюкино, дом 5
_VILLAGE = re.compile(rf"{_B}{_PLACE}(?:\s?,\s?|\s)(?:дом|д\.)\s?[0-9]{{1,4}}[а-г]?(?![а-я0-9]){_PARTS}")
_SINGLE_FLAT = re.compile(rf"{_B}(?:кв\.?|квартира)\s?[0-9]{{1,4}}(?![а-я0-9]|\s(?:м|метр|тыс|руб))")
_MEASURE = re.compile(
    r"\s?(?:минут|мин(?![а-я])|час|лет(?![а-я])|год|раз(?![а-я])|руб|р\.|тыс|к\s|балл|человек|чел|км|метр"
    r"|м(?![а-я])|январ|феврал|март|апрел|ма[йя](?![а-я])|июн|июл|август|сентябр|октябр|ноябр|декабр|секунд"
    r"|дн|недел|месяц|штук|шт|градус|процент|%|₽|\$|€|сери|сезон|глав|страниц|част|утра|вечера|дня|ночи|ноч"
    r"|этаж[еа]?й|долл|евро|грамм|кг|г(?![а-я])|сообщен|баг|класс|курс|школ|групп|вагон|место|мест|на\s[0-9])"
)
_STATION = re.compile(r"(?<![а-я])(?:метро|станци[яи]|ст\.\s?м\.?|электричк\w|остановк\w)(?![а-я])")
_GOING = re.compile(
    r"(?:(?:адрес\w{0,2}(?:\s(?:такой|мой|это|доставки|дома|наш))?|доставк\w+|достав\w+|отправ\w+|жив\w{1,3}"
    r"|живем|жду|ждем|ждём|приезжай\w*|приход\w+|подъезжай\w*|заезжай\w*|едь|еду|едем|поехали|заход\w+"
    r"|забери\w*|забрать|вези|привез\w+|такси|вызови|вызвал\w?|встреч\w+|встрет\w+|мы|я|он|она|они|наход\w+"
    r"|снима\w+|сня\w+|переех\w+|офис|квартир\w|хат\w|дома|прописан\w*|регистраци\w|прописк\w|точка|пвз"
    r"|пункт выдачи|выходи|стою|тусим|тусовка|сидим|была?|тут|там|вот|улица|курьер\w?)(?:\s(?:меня|нас|ко мне"
    r"|к|сейчас|теперь|там|тут|буду|будем|живем|живу|у|дом|заказ|тебя|прямо))?)\s?(?:,\s)?(?:на|по|до|с|со|в"
    r"|во|к|от|у|возле|около|адрес\w?|по адресу)?[\s:\-]{0,3}$"
)
_PREPOSITION = re.compile(r"(?:^|\s)(?:на|по|до|с|к|адрес\w?)[\s:]{0,2}$")
_STREETISH = re.compile(
    r".*(?:ая|ой|ую|ский|ского|ском|ская|ской|скую|ина|ева|ова|ёва|ына|ого|ый|ий|кого|ка|на|ого|ых|их|ам|ца"
    r"|ра|ла|мира|ля|ия|ера|ана|ша)$"
)
_NO_STREET = word_set(
    "квартира этаж подъезд дом корпус комната номер около примерно почти больше меньше максимум минимум вышло",
    "осталось всего стоит через после перед между каждые каждый около целых ровно только еще уже где-то версия",
    "серия сезон глава часть страница уровень автобус трамвай троллейбус маршрутка поезд вагон место рейс заказ",
    "трек код пароль пин размер цена счет счёт игра матч раунд тур курс класс школа школе группа отряд полка",
    "дома года году часов минут градусов рублей тысяч метров человек января февраля марта апреля мая июня июля",
    "августа сентября октября ноября декабря понедельник вторник среду среда четверг пятницу пятница субботу",
    "суббота воскресенье утра вечера ночи дня айфон андроид телефон карта карту карты паспорт снилс инн права",
    "полис стоит купил купила взял заплатил получил потратил набрал сделал прошел пробежал написал прочитал",
    "посмотрел сдал выиграл проиграл забил раза разных новых старых первые последние первых последних следующие",
    "эти этих те тех мои твои наши ваши все всех его ее их было были будет есть нету нас вас меня тебя него нее",
    "себя",
)


def find_russian_addresses(folded: Folded) -> Iterator[Hit]:
    """Street and house with what stands around them: index, town, building, entrance, floor, flat, intercom."""
    if not folded.digits or folded.low.isascii():
        return
    low = folded.low
    found = False
    for pattern, rank in ((_TYPE_NAME, 69), (_NAME_TYPE, 69)):
        for match in pattern.finditer(low):
            if _STATION.search(match["name"]) or _STATION.search(low[max(0, match.start() - 12) : match.start()]):
                continue
            if _MEASURE.match(low, match.end("house")) and not match[0][match.end("house") - match.start() :].strip():
                continue
            start = match.start()
            if pattern is _NAME_TYPE:
                start += _skipped(match["name"])
            found = True
            yield _hit(_begin(low, start), match.end(), rank=rank)
    for match in _BARE.finditer(low):
        street = _bare_start(folded, match)
        if street is not None:
            found = True
            yield _hit(_begin(low, street), match.end(), rank=64)
    for pattern in (_FLAT, _VILLAGE):
        for match in pattern.finditer(low):
            found = True
            yield _hit(_begin(low, match.start()), match.end(), rank=63)
    if found:
        for match in _SINGLE_FLAT.finditer(low):
            yield _hit(*match.span(), rank=40)


_LEADS = word_set(
    "на по до с со в во к от у адрес живу жду мы я едь еду приезжай такси доставка офис дом и а вот мой наш там",
    "тут это забери сейчас теперь",
)


def _skipped(name: str) -> int:
    """How many characters at the beginning of a name are no part of it: "на Невском" begins at "Невском"."""
    skipped = 0
    words = name.split(" ")
    for word in words[:-1]:
        if word not in _LEADS:
            break
        skipped += len(word) + 1
    return skipped


def _begin(low: str, start: int) -> int:
    """Where the address begins that names index, country, region or town first."""
    before = _BEFORE.search(low, max(0, start - 110), start)
    return before.start() if before else start


def _bare_start(folded: Folded, match: re.Match[str]) -> int | None:
    """Where a street without the word for one begins ("на Тверской 18к1"); None when it is no street."""
    low = folded.low
    start = match.start() + _skipped(match["name"])
    words = low[start : match.end("name")].split()
    if any(word in _NO_STREET for word in words) or (_MEASURE.match(low, match.end("house")) and not match["parts"]):
        return None
    capital = folded.text[start].isupper() or (
        folded.text[start].isdecimal() and any(map(str.isupper, folded.text[start : match.end("name")]))
    )
    if len(words) == 2 and not capital and folded.text[match.end("name") - len(words[1])].isupper():
        start, words, capital = match.end("name") - len(words[1]), words[1:], True
    complex_house = bool(
        re.search(r"[0-9]\s?(?:к|с|корп\w*|стр\w*)\.?\s?[0-9]|/[0-9]|[0-9][а-г](?![а-я])", match["house"])
    )
    going = bool(_GOING.search(low[max(0, start - 45) : start]))
    streetish = bool(_STREETISH.match(words[-1]))
    flat = bool(re.search(r"кв|оф|подъезд|этаж|домофон|парадн|корп", match["parts"]))
    score = (
        2 * flat
        + going
        + capital
        + streetish
        + complex_house
        + 2 * bool(re.match(r"[0-9]{1,2}-?(?:я|й|ая)\s", low[start:]))
        + bool(_PREPOSITION.search(low[max(0, start - 12) : start]))
    )
    score += bool(re.search(r"адрес:\s$", low[max(0, start - 8) : start]))
    if not (capital or flat or (going and streetish)):
        return None
    if "-" in match["house"] and re.fullmatch(r"(?:19|20)?[0-9]{1,2}\s?-\s?[0-9]{1,2}", match["house"]) and not going:
        return None
    return start if score >= (3 if capital or flat else 4) or (capital and streetish and going) else None
