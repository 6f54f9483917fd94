"""E-mail addresses, as machines write them and as people spell them out.

Knows nothing of who owns an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import one_of, word_set
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit
from twin.privacy.values import CJK

_hit = partial(Hit, label="EMAIL")

_TLD = one_of(
    "com net org edu gov io me co info biz dev app xyz online site tech email cloud eu uk us ca au nz ie de at",
    "ch fr be nl lu es pt it pl cz sk hu ro bg gr se no dk fi ee lv lt ru su ua by kz uz ge am az md rs hr si",
    "tr il ae in cn hk tw jp kr sg my th vn id br mx ar cl za",
)
_PROVIDERS = one_of(
    "gmail googlemail hotmail outlook yahoo icloud proton protonmail gmx web yandex ya mail bk list inbox",
    "rambler qq 163 126 sina foxmail aol live msn me fastmail tutanota orange free wanadoo libero wp onet",
    "interia seznam ukr",
)
# An ASCII address ends where Chinese or Cyrillic letters begin; without word boundaries, as those are letters too.
_ASCII = re.compile(
    r"(?<![a-z0-9._%+\-])(?P<local>[a-z0-9][a-z0-9._%+\-]{0,63})@(?P<domain>(?:[a-z0-9](?:[a-z0-9\-]{0,62}"
    r"[a-z0-9])?\.){1,8}(?:[a-z]{2,24}|xn--[a-z0-9\-]{2,40}))(?![a-z0-9\-]|\.[a-z0-9])"
)
_UNICODE = re.compile(
    r"(?<![^\W_])(?P<local>[^\W_][\w.+\-]{0,63})@(?P<domain>(?:[\w\-]{1,63}\.){1,8}(?:рф|рус|москва|дети"
    r"|онлайн|сайт|укр|бел|қаз|срб|ею|中国|中國|公司|网络|在线|商城|de|at|ch|fr|eu|com|net|org|pl|cz|se|no|dk|fi"
    r"|es))(?![\w\-])"
)
_NO_TLD = re.compile(
    rf"(?<![a-z0-9._%+\-])[a-z0-9][a-z0-9._%+\-]{{1,63}}@(?:{_PROVIDERS})(?:,(?:{_TLD})|(?=$|[\s,;!?)]"
    rf"|[{CJK}а-я]))(?![a-z0-9])"
)
_HASHED = re.compile(
    r"(?<![a-z0-9._%+\-])[a-z0-9][a-z0-9._%+\-]{2,63}#(?:qq|163|126|gmail|outlook|hotmail|foxmail"
    r"|sina)\.(?:com|cn)(?![a-z0-9])"
)

_AT = (
    r"(?:\s*(?:\(\s*(?:at|собак\w|dog|а|艾特|arroba|chiocciola)\s*\)|\[\s*(?:at|собак\w|@|艾特)\s*\]|\{\s*at\s*\}"
    r"|<\s*at\s*>|\(\s*@\s*\)|艾特|小老鼠|圈a|#at#|_at_|-at-)\s*|\s+(?:собак[аи]|собачк[аи]|гав|песик|эт|at|arroba"
    r"|chiocciola|@)\s+|\s+@|@\s+)"
)
_DOT = (
    r"(?:\s*(?:\(\s*(?:dot|точка|\.|点|punto|punkt)\s*\)|\[\s*(?:dot|точка|\.|点)\s*\]|\{\s*dot\s*\}|点)\s*"
    r"|\s+(?:dot|точка|тчк|punto|punkt|点|\.)\s+|\.(?=\S))"
)
_RU_HOSTS = one_of(
    "яндекс янд?екс ya джимейл гмейл гмаил жмейл мейл мэйл маил майл мыло рамблер бк лист инбокс хотмейл аутлук",
    "айклауд протон яху яхо вп",
)
_LOCAL = rf"[a-zа-я0-9][\w.+\-]{{0,40}}(?:{_DOT}[a-zа-я0-9][\w+\-]{{0,30}}){{0,2}}"
_SPELLED = re.compile(
    rf"(?<![a-z0-9_.@а-я])(?P<local>{_LOCAL}){_AT}(?P<host>(?:[a-z0-9][a-z0-9\-]{{0,40}}|{_RU_HOSTS}"
    rf"|[а-я]{{2,20}}))(?P<tail>(?:{_DOT}(?:[a-z][a-z0-9\-]{{1,20}}|ру|ком|рф|нет|орг|юа|кз|бай)){{1,3}}"
    r"|(?<=[а-я])\s(?:ру|ком|рф|орг))(?![\w])"
)
_SPELLED_PROVIDER = re.compile(
    rf"(?<![\w@])(?P<local>[a-z][a-z0-9_.\-]{{3,40}})\s+(?:at|собака"
    rf"|\(at\))\s+(?:{_PROVIDERS}|{_RU_HOSTS})(?![\w.])"
)
_LAST = re.compile(rf"(?:{_TLD}|ру|ком|рф|нет|орг|юа|кз|бай)$")
_SENTENCE = word_set(
    "work works working look looking me am is are be i we us him them it was here there stay live meet see",
    "start arrive back home only not just good bad best worst better interested try sign met saw bought found",
    "sold big the new people guys this that",
)


def find_emails(folded: Folded) -> Iterator[Hit]:
    """Every address, in ASCII, Cyrillic or Chinese letters, or spelled out with its "at" and "dot"."""
    low = folded.low
    if "@" in low:
        for match in _ASCII.finditer(low):
            if not _is_remote(low, match.start(), match.end()):
                yield _hit(*match.span(), rank=80)
        if not low.isascii():
            for match in _UNICODE.finditer(low):
                if not match[0].isascii() and not _is_remote(low, match.start(), match.end()):
                    yield _hit(_own_script(match["local"]) + match.start(), match.end(), rank=79)
        for match in _NO_TLD.finditer(low):
            yield _hit(*match.span(), rank=78)
    if "#" in low:
        for match in _HASHED.finditer(low):
            yield _hit(*match.span(), rank=78)
    yield from _spelled(low)


def _is_remote(low: str, start: int, end: int) -> bool:
    """Not an address but the end of a URL's credentials, or a git remote ("git@host:path")."""
    head = low[max(0, start - 80) : start]
    scheme = head.rfind("://")
    inside = scheme >= 0 and not re.search(r"[\s/?]", head[scheme + 3 :])
    return inside or (low.startswith("git@", start) and low[end : end + 1] in (":", "/"))


def _own_script(local: str) -> int:
    """Where the part before "@" really begins, when a word of another script is written right before it."""
    if not local[-1].isascii():
        return 0
    ascii_tail = re.search(r"[a-z0-9._%+\-]+$", local)
    return ascii_tail.start() if ascii_tail else 0


_PLAIN_AT = re.compile(r"\sat\s")
_TOLD = re.compile(r"dot|точка|点|\s\.\s")
_MAIL_WORD = re.compile(r"mail|почт|мыл|邮|reach|write|contact|adres|address")


def _looks_like_name(local: str, before: str) -> bool:
    """Whether the word before a plain "at" is a name: "john.doe at example.org", not "met at example.org"."""
    return bool(re.search(r"[0-9._+\-]", local) or _MAIL_WORD.search(before))


def _spelled(low: str) -> Iterator[Hit]:
    for match in _SPELLED.finditer(low):
        local = match["local"].split()[-1] if " " not in match["local"] else match["local"]
        if "@" in low[match.end("local") : match.start("host")] and " " not in match[0]:
            continue
        if _LAST.search(match["tail"]) is None or local in _SENTENCE:
            continue
        if _PLAIN_AT.search(match[0]) and not (
            _TOLD.search(match["tail"]) or _looks_like_name(local, low[max(0, match.start() - 30) : match.start()])
        ):
            continue
        yield _hit(*match.span(), rank=77)
    for match in _SPELLED_PROVIDER.finditer(low):
        local = match["local"]
        if local not in _SENTENCE and (re.search(r"[\d._\-]", local) or "собака" in match[0]):
            yield _hit(*match.span(), rank=76)
