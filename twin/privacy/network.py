"""Addresses of machines (IPv4, IPv6, MAC) and secrets inside links: credentials, tokens, invitations.

Knows nothing of what a machine serves or where a link leads.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import word_set
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit
from twin.privacy.vocabulary import RESERVED_USERS

_ip = partial(Hit, label="IP")
_url = partial(Hit, label="CRED_URL")

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(
    rf"(?<![0-9a-z])(?<![0-9a-z][.\-_/])(?<![.$€£#]){_OCTET}(?:\.{_OCTET}){{3}}(?![0-9]|[a-z_]|\.[0-9]"
    r"|-[0-9a-z])"
)
_VERSION = re.compile(
    r"""(?x)(?: (?<![a-z])(?:v|ver|version|release|firmware|fw|build|update[d]?|upgrade[d]?|chrome|chromium
    |firefox|safari|edge|ios|android|windows|macos|driver
        |bios|patch|agent|api|sdk|app|section|sec|chapter|clause|paragraph|para|article|art|figure|fig|table
        |rule|step|oid|isbn|doi|protocol|bluetooth|kernel
        |python|node|nginx|postgres|mysql|redis|torch|cuda|nvidia|office|outlook|unity|unreal|blender|telegram)
      | (?<![а-я])(?:верси\w+ | прошивк\w+ | релиз\w* | сборк\w+ | обнов\w+ | апдейт\w* | патч\w* | драйвер\w*
      | пункт\w*
      | п | пп | раздел\w* | глав\w+ | стать\w+ | ст) | §
      | 版本号? | 固件 | 升级 | 更新 | 章 | 节 | 条 | 系统
    )[\s:./№#\-]{0,3}(?:(?:to|до|на|с|from|is|到|v|no|номер)[\s.]{1,2})?$
    """
)
_HOST = re.compile(
    r"(?<![a-z])(?:ip|ipv4|server|host|ssh|ping|router|gateway|dns|vps|node|proxy|port|addr|http|https|root"
    r"|nas|lan|subnet|machine|box)(?![a-z])|@|//|айпи|адрес|серв|хост|роутер|порт|шлюз|впс|прокси|подкл|пинг"
    r"|служебн|服务器|内网|公网|外网|地址|端口|主机|路由|网关|ip"
)
_PUBLIC = word_set(
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 77.88.8.8 "
    "77.88.8.1 114.114.114.114 223.5.5.5 1.2.3.4"
)
_IPV6 = re.compile(r"(?<![0-9a-z:.])(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{1,4}|:)?(?:%[a-z0-9]{1,15})?(?![0-9a-z:])")
_MAC = re.compile(
    r"(?<![0-9a-z:\-])[0-9a-f]{2}(?P<sep>[:\-])(?:[0-9a-f]{2}(?P=sep)){4}[0-9a-f]{2}(?![0-9a-z]"
    r"|[:\-][0-9a-f])|(?<![0-9a-z.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![0-9a-z.])"
)
_MAC_BARE = re.compile(r"(?:\bmac\b|мак)(?:[- ]?(?:address|адрес\w?))?\W{1,3}(?P<mac>[0-9a-f]{12})(?![0-9a-z])")


def find_addresses_of_machines(folded: Folded) -> Iterator[Hit]:
    """IP and MAC addresses that say something about somebody: no versions, loopbacks, masks, public resolvers."""
    low = folded.low
    if folded.digits >= 4 and "." in low:
        for match in _IPV4.finditer(low):
            if _is_somebodys(folded, match):
                yield _ip(*match.span(), rank=65)
    if low.count(":") >= 2:
        for match in _IPV6.finditer(low):
            if _is_ipv6(match[0]):
                yield _ip(*match.span(), rank=65)
    for pattern in (_MAC, _MAC_BARE):
        for match in pattern.finditer(low):
            value = match["mac"] if pattern is _MAC_BARE else match[0]
            if any(map(str.isdecimal, value)) and len(set(value)) > 3:
                yield _ip(*(match.span("mac") if pattern is _MAC_BARE else match.span()), rank=66)


def _is_somebodys(folded: Folded, match: re.Match[str]) -> bool:
    octets = [int(part) for part in match[0].split(".")]
    before = folded.before(match.start(), 32)
    if match[0] in _PUBLIC or octets[0] in (0, 127, 255) or octets[0] >= 224 or match[0].endswith(".0.0.0"):
        return False
    if _VERSION.search(before):
        return False
    named = bool(
        _HOST.search(before[-24:]) or _HOST.search(folded.after(match.end(), 16)) or folded.after(match.end(), 1) == ":"
    )
    if all(octet < 32 for octet in octets) and not named:  # as likely a version or a clause of a contract
        return octets[0] == 10
    return True


def _is_ipv6(written: str) -> bool:
    address = written.partition("%")[0]
    groups = [group for group in address.split(":") if group]
    if len(groups) < 3 or not any(map(str.isdecimal, address)) or ("::" not in address and len(groups) < 8):
        return False
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return not (parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast)


_END = r"\s\"'<>\u3000-\u303f\uff00-\uffef\u4e00-\u9fff"
_SCHEME = r"(?<![a-z0-9+])[a-z][a-z0-9+.\-]{1,20}://"
_USERINFO = re.compile(
    rf"{_SCHEME}(?P<user>[^{_END}/:@?#]{{0,80}}):(?P<secret>[^{_END}/]{{1,200}})@(?=[^{_END}@/?]{{1,255}})", re.I
)
_USER_ONLY = re.compile(
    r"(?:vless|vmess|trojan|ss|ssr|hysteria2?|hy2|tuic|socks5?|snell|naive\+https|juicity"
    rf"|anytls)://(?P<secret>[^{_END}/@?#:]{{8,300}})@",
    re.I,
)
_TOKEN_USER = re.compile(
    rf"https?://(?P<secret>[A-Za-z0-9_\-]{{16,200}})(?::x-oauth-basic)?@(?=[^{_END}@/?]{{1,255}})", re.I
)
_BLOB = re.compile(r"(?:vmess|ss|ssr)://(?P<secret>[A-Za-z0-9+/=_\-]{20,4000})(?![A-Za-z0-9+/=_\-@])", re.I)
_NO_SCHEME = re.compile(
    r"(?<![^\s({\[>'\"=\u4e00-\u9fff:：])(?P<user>[a-z][\w.\-]{1,40}):(?P<secret>[^\s:@/]{4,60})@(?=(?:"
    r"[a-z0-9\-]{1,60}\.)+[a-z0-9]{1,20}(?:[:/\s,]|$)|localhost)",
    re.I,
)
_PROXY = re.compile(
    r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}:[0-9]{2,5}:(?P<user>[\w.\-]{2,60}):(?P<secret>[^\s:@]{3,80})(?="
    r"\s|$)"
)
_QUERY = re.compile(
    rf"[?&#;/](?P<name>[a-z][a-z0-9_.\-\[\]]{{0,40}})=(?P<secret>[^{_END}&#;)\]]{{3,4000}})",
    re.I,
)
_SURE_NAME = re.compile(
    r"(?:.*[_\-.])?(?:pass(?:word|wd|phrase|code)?|pwd|pw|psw|secret|client_?secret|app_?secret|token"
    r"|api_?key|apikey|api-key|access_?key|auth_?key|private_?key|secret_?key"
    r"|jwt|session_?id|phpsessid|jsessionid|sessid|signature|sig|otp|authkey|accesstoken|authtoken"
    r"|refreshtoken|resettoken|x-amz-signature|x-amz-security-token|sas|ticket|密码)",
    re.I,
)
_MAYBE_NAME = re.compile(
    r"(?:key|code|auth|hash|sid|sess|session|invite|invitation|confirm|confirmation|verify|verification|reset"
    r"|activation|activate|magic|link|t|k|s|state|nonce|login|share|unsubscribe|credential|oobcode|uid_token"
    r"|h|c|skey|ak|sk)",
    re.I,
)
_PATH = re.compile(
    rf"/(?:[a-z]{{1,15}}[-_])?(?:reset(?:[-_]?password)?|password[-_]?reset|passwd|recover(?:y)?"
    r"|confirm(?:ation)?|verify|verification|activate|activation|invit(?:e|ation)s?|invite[-_]link"
    r"|magic(?:[-_]link)?|auth|login|signin|sign-in|join|joinchat|token|t|unlock|webhooks?|services|hooks?"
    rf"|subscribe|sub|s|share|bot)/(?:[0-9]{{6,25}}/)?(?P<secret>(?:[A-Za-z0-9_\-]{{8,40}}/){{0,3}}[A-Za-z0-9_\-.=%~]{{14,600}})(?"
    rf"=[/?#{_END}]|$|[.,;!)])",
    re.I,
)
_INVITE = re.compile(
    r"(?:t\.me/(?:joinchat/|\+)|chat\.whatsapp\.com/(?:invite/)?|discord\.(?:gg|com/invite)/|signal\.group/#"
    r"|zoom\.us/[js]/[0-9]+\?pwd=|join\.slack\.com/t/[\w\-]+/shared_invite/|line\.me/r/ti/g/"
    r"|steamcommunity\.com/tradeoffer/new/\?partner=[0-9]+&token=)(?P<secret>[A-Za-z0-9_\-~.]{6,90})",
    re.I,
)


def find_secrets_in_links(folded: Folded) -> Iterator[Hit]:
    """The secret part of a link, never the whole: the password before "@", a token, an invitation's code."""
    text = folded.text
    if "@" in text:
        for pattern, rank in ((_USERINFO, 95), (_USER_ONLY, 94), (_TOKEN_USER, 93), (_NO_SCHEME, 84)):
            for match in pattern.finditer(text):
                if pattern is _NO_SCHEME and not _is_login(text, match):
                    continue
                if match["secret"].strip("*x.") and not re.fullmatch(
                    r"[<\[{(]?(?:password|pass|пароль|密码|pwd|token)[>\]})]?", match["secret"], re.I
                ):
                    yield _url(*match.span("secret"), rank=rank)
    for match in _PROXY.finditer(text):
        yield _url(*match.span("secret"), rank=84)
    if "://" in text or "=" in text or "/" in text:
        for match in _BLOB.finditer(text):
            yield _url(*match.span("secret"), rank=92)
        yield from _query(text)
        for match in _INVITE.finditer(text):
            if not match["secret"].isdecimal() or "+" not in match[0]:
                yield _url(*_bare(text, *match.span("secret")), rank=90)
        for match in _PATH.finditer(text):
            if _is_drawn(match["secret"]):
                yield _url(*_bare(text, *match.span("secret")), rank=88)


def _is_login(text: str, match: re.Match[str]) -> bool:
    """Whether "user:secret@host" without a scheme is that, not a word and an e-mail address ("mail:jo@example.com")."""
    behind = re.match(r"[\w.\-]+(?P<tail>:[0-9]{2,5}|/)?", text[match.end() : match.end() + 260])
    numeric = bool(behind and re.match(r"[0-9.]+(?![a-z])", behind[0]))
    return match["user"].lower() in RESERVED_USERS or numeric or bool(behind and behind["tail"])


def _query(text: str) -> Iterator[Hit]:
    for match in _QUERY.finditer(text):
        if not _is_link(text, match.start()):
            continue
        start, end = _bare(text, *match.span("secret"))
        value, name = text[start:end], match["name"]
        if _SURE_NAME.fullmatch(name):
            if len(value) >= 3 and not re.fullmatch(r"(?:true|false|null|none|x+|\*+|\.+|<.*|\{.*)", value, re.I):
                yield _url(start, end, rank=91)
        elif _MAYBE_NAME.fullmatch(name) and len(value) >= 14 and _is_drawn(value):
            yield _url(start, end, rank=89)


def _is_link(text: str, position: int) -> bool:
    """Whether the word that holds this position is a link."""
    start = position
    while start > 0 and position - start < 400 and not text[start - 1].isspace():
        start -= 1
    head = text[start:position]
    return "://" in head or bool(re.search(r"[a-z0-9\-]\.[a-z]{2,10}/", head, re.I))


def _bare(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the punctuation of the sentence around the link."""
    while end > start and text[end - 1] in ".,;:!?)]}":
        end -= 1
    return start, end


def _is_drawn(value: str) -> bool:
    """Random enough: digits among letters, or capitals among small letters, and no words with dashes between."""
    parts = re.split(r"[-_.%/=~]", value)
    longest = max(parts, key=len)
    if len(longest) < 6 or (len(parts) > 3 and max(map(len, parts)) < 10 and sum(map(str.isdecimal, value)) < 6):
        return False
    digits = sum(map(str.isdecimal, value))
    changes = len(re.findall(r"[a-z][A-Z]|[A-Z][a-z]", longest))
    return any(map(str.isalpha, value)) and (digits >= 3 or (digits >= 1 and changes >= 2) or changes >= 5)
