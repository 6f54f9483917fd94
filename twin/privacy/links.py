"""Secrets inside links: passwords before "@", tokens in queries, codes of invitations and resets.

Knows nothing of where a link leads; it never takes a link whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import one_of
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit
from twin.privacy.vocabulary import RESERVED_USERS

_hit = partial(Hit, label="CRED_URL")

_END = r"\s\"'<>\u3000-\u303f\uff00-\uffef\u4e00-\u9fff"  # what ends a link, for a character class
_HOST_BEHIND = rf"(?=[^{_END}@/?]{{1,255}})"
_USERINFO = re.compile(
    rf"(?<![a-z0-9+])[a-z][a-z0-9+.\-]{{1,20}}://[^{_END}/:@?#]{{0,80}}:(?P<secret>[^{_END}/]{{1,200}})"
    rf"@{_HOST_BEHIND}",
    re.I,
)
_TUNNELS = one_of(r"vless vmess trojan ss ssr hysteria2? hy2 tuic socks5? snell naive\+https juicity anytls")
_USER_ONLY = re.compile(rf"(?:{_TUNNELS})://(?P<secret>[^{_END}/@?#:]{{8,300}})@", re.I)
_SHADOWSOCKS = re.compile(rf"ssr?://(?P<secret>[A-Za-z0-9+/=_\-]{{12,300}})@{_HOST_BEHIND}", re.I)
_TOKEN_USER = re.compile(rf"https?://(?P<secret>[A-Za-z0-9_\-]{{16,200}})(?::x-oauth-basic)?@{_HOST_BEHIND}", re.I)
_NO_SCHEME = re.compile(
    r"(?<![^\s({\[>'\"=\u4e00-\u9fff:：])(?P<user>[a-z][\w.\-]{1,40}):(?P<secret>[^\s:@/]{4,60})@"
    r"(?=(?:[a-z0-9\-]{1,60}\.)+[a-z0-9]{1,20}(?:[:/\s,]|$)|localhost)",
    re.I,
)
_BLOB = re.compile(r"(?:vmess|ss|ssr)://(?P<secret>[A-Za-z0-9+/=_\-]{20,4000})(?![A-Za-z0-9+/=_\-@])", re.I)
_PROXY = re.compile(  # host:port:user:password
    r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}:[0-9]{2,5}:[\w.\-]{2,60}:(?P<secret>[^\s:@]{3,80})(?=\s|$)"
)
_NOTHING = re.compile(
    r"[<\[{(]?(?:password|pass|пароль|密码|pwd|true|false|null|none)[>\]})]?|[<\[{(](?:secret|token)[>\]})]?"
    r"|[x*.]+|<.*|\{.*",
    re.I,
)

_QUERY = re.compile(rf"[?&#;/](?P<name>[a-z][a-z0-9_.\-\[\]]{{0,40}})=(?P<secret>[^{_END}&#;)\]]{{3,4000}})", re.I)
_SURE_NAME = re.compile(
    r"(?:.*[_\-.])?(?:"
    + one_of(
        "pass(?:word|wd|phrase|code)? pwd pw psw secret client_?secret app_?secret token api[_-]?key access_?key",
        "auth_?key private_?key secret_?key jwt session_?id phpsessid jsessionid sessid signature sig otp",
        "accesstoken authtoken refreshtoken resettoken x-amz-signature x-amz-security-token sas ticket 密码",
    )
    + ")",
    re.I,
)
_MAYBE_NAME = re.compile(
    one_of(
        "key code auth hash sid sess session invite invitation confirm confirmation verify verification reset",
        "activation activate magic link t k s state nonce login unsubscribe credential oobcode uid_token h c skey",
        "ak sk",
    ),
    re.I,
)
_PURPOSES = one_of(
    "reset(?:[-_]?password)? password[-_]?reset passwd recovery? confirm(?:ation)? verify verification activate",
    "activation invit(?:e|ation)s? invite[-_]link magic(?:[-_]link)? auth login sign-?in join joinchat token",
    "unlock webhooks? services hooks? subscribe sub",
)
_PATH = re.compile(
    rf"/(?:[a-z]{{1,15}}[-_])?(?:{_PURPOSES})/(?:[0-9]{{6,25}}/)?"
    r"(?P<secret>(?:[A-Za-z0-9_\-]{8,40}/){0,3}[A-Za-z0-9_\-.=%~]{14,600})"
    rf"(?=[/?#{_END}]|$|[.,;!)])",
    re.I,
)
_INVITATION = re.compile(
    r"(?:"
    + one_of(
        r"t\.me/(?:joinchat/|\+) chat\.whatsapp\.com/(?:invite/)? discord\.(?:gg|com/invite)/ signal\.group/#",
        r"line\.me/r/ti/g/ join\.slack\.com/t/[\w-]+/shared_invite/",
        r"steamcommunity\.com/tradeoffer/new/\?partner=[0-9]+&token=",
    )
    + r")(?P<secret>[A-Za-z0-9_\-~.]{6,90})",
    re.I,
)


def find_secrets_in_links(folded: Folded) -> Iterator[Hit]:
    """The secret part of each link: the password before "@", a token, an invitation's code."""
    text = folded.text
    if "@" in text:
        yield from _before_the_host(text)
    for match in _PROXY.finditer(text):
        yield _hit(*match.span("secret"), rank=84)
    for match in _BLOB.finditer(text):
        yield _hit(*match.span("secret"), rank=92)
    for match in _QUERY.finditer(text):
        yield from _in_query(text, match)
    for match in _INVITATION.finditer(text):
        if not (match["secret"].isdecimal() and "+" in match[0]):  # t.me/+7999... is somebody's number
            yield _hit(*_bare(text, *match.span("secret")), rank=90)
    for match in _PATH.finditer(text):
        if _is_drawn(match["secret"]):
            yield _hit(*_bare(text, *match.span("secret")), rank=88)


def _before_the_host(text: str) -> Iterator[Hit]:
    for pattern, rank in ((_USERINFO, 95), (_USER_ONLY, 94), (_SHADOWSOCKS, 94), (_TOKEN_USER, 93), (_NO_SCHEME, 84)):
        for match in pattern.finditer(text):
            is_login = pattern is not _NO_SCHEME or _is_login(text, match)
            if is_login and not _NOTHING.fullmatch(match["secret"]):
                yield _hit(*match.span("secret"), rank=rank)


def _is_login(text: str, match: re.Match[str]) -> bool:
    """Whether "user:secret@host" without a scheme is that, not a word and an e-mail address ("mail:jo@example.com")."""
    host = re.match(r"[\w.\-]+(?P<more>:[0-9]{2,5}|/)?", text[match.end() : match.end() + 260])
    numeric = bool(host and re.match(r"[0-9.]+(?![a-z])", host[0]))
    return match["user"].lower() in RESERVED_USERS or numeric or bool(host and host["more"])


def _in_query(text: str, match: re.Match[str]) -> Iterator[Hit]:
    if not _is_link(text, match.start()):
        return
    start, end = _bare(text, *match.span("secret"))
    value, name = text[start:end], match["name"]
    if _SURE_NAME.fullmatch(name):
        if len(value) >= 3 and not _NOTHING.fullmatch(value):
            yield _hit(start, end, rank=91)
    elif _MAYBE_NAME.fullmatch(name) and len(value) >= 14 and _is_drawn(value):
        yield _hit(start, end, rank=89)


def _is_link(text: str, position: int) -> bool:
    """Whether the word that holds this position is a link."""
    words = text[max(0, position - 400) : position].split()
    head = words[-1] if words else ""
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
    digits = sum(map(str.isdecimal, value))
    if len(longest) < 6 or (len(parts) > 3 and len(longest) < 10 and digits < 6):
        return False
    changes = len(re.findall(r"[a-z][A-Z]|[A-Z][a-z]", longest))
    return any(map(str.isalpha, value)) and (digits >= 3 or (digits >= 1 and changes >= 2) or changes >= 5)
