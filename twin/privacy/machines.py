"""Addresses of machines: IPv4, IPv6, MAC.

Knows nothing of what a machine serves.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import cyrillic, latin, one_of, word_set
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit

_hit = partial(Hit, label="IP")

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(
    rf"(?<![0-9a-z])(?<![0-9a-z][.\-_/])(?<![.$€£#]){_OCTET}(?:\.{_OCTET}){{3}}(?![0-9]|[a-z_]|\.[0-9]|-[0-9a-z])"
)
_VERSIONED = "|".join(
    (
        r"(?<![a-z])(?:"
        + one_of(
            "v ver version release firmware fw build updated? upgraded? chrome chromium firefox safari edge ios",
            "android windows macos driver bios patch agent api sdk app section sec chapter clause paragraph para",
            "article art figure fig table rule step oid isbn doi protocol bluetooth kernel python node nginx postgres",
            "mysql redis torch cuda nvidia office outlook unity unreal blender telegram",
        )
        + ")",
        r"(?<![а-я])(?:"
        + one_of(
            r"верси\w+ прошивк\w+ релиз\w* сборк\w+ обнов\w+ апдейт\w* патч\w* драйвер\w* пункт\w* п пп раздел\w*",
            r"глав\w+ стать\w+ ст",
        )
        + ")",
        one_of("§ 版本号? 固件 升级 更新 章 节 条 系统"),
    )
)
_VERSION = re.compile(rf"(?:{_VERSIONED})[\s:./№#\-]{{0,3}}(?:(?:to|до|на|с|from|is|到|v|no|номер)[\s.]{{1,2}})?$")
_HOST = re.compile(
    "|".join(
        (
            latin(
                "ip ipv4 server host ssh ping router gateway dns vps node proxy port addr http https root nas lan",
                "subnet machine box",
            ),
            "@|//",
            one_of("айпи адрес серв хост роутер порт шлюз впс прокси подкл пинг служебн"),
            one_of("服务器 内网 公网 外网 地址 端口 主机 路由 网关 ip"),
        )
    )
)
# Resolvers that everybody uses, and the address of every manual.
_PUBLIC = word_set(
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 77.88.8.8 77.88.8.1",
    "114.114.114.114 223.5.5.5 1.2.3.4",
)
_IPV6 = re.compile(r"(?<![0-9a-z:.])(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{1,4}|:)?(?:%[a-z0-9]{1,15})?(?![0-9a-z:])")
_MACS = (
    re.compile(
        r"(?<![0-9a-z:\-])(?P<mac>[0-9a-f]{2}(?P<sep>[:\-])(?:[0-9a-f]{2}(?P=sep)){4}[0-9a-f]{2})(?![0-9a-z]"
        r"|[:\-][0-9a-f])"
    ),
    re.compile(r"(?<![0-9a-z.])(?P<mac>[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})(?![0-9a-z.])"),
    re.compile(
        rf"(?:{latin('mac')}|{cyrillic('мак')})(?:[- ]?(?:address"
        rf"|адрес\w?))?\W{{1,3}}(?P<mac>[0-9a-f]{{12}})(?![0-9a-z])"
    ),
)


def find_machines(folded: Folded) -> Iterator[Hit]:
    """IP and MAC addresses that say something about somebody: no versions, loopbacks, masks, public resolvers."""
    low = folded.low
    if folded.digits >= 4 and "." in low:
        for match in _IPV4.finditer(low):
            if _is_somebodys(folded, match):
                yield _hit(*match.span(), rank=65)
    if low.count(":") >= 2:
        for match in _IPV6.finditer(low):
            if _is_ipv6(match[0]):
                yield _hit(*match.span(), rank=65)
    for pattern in _MACS:
        for match in pattern.finditer(low):
            if any(map(str.isdecimal, match["mac"])) and len(set(match["mac"])) > 3:
                yield _hit(*match.span("mac"), rank=66)


def _is_somebodys(folded: Folded, match: re.Match[str]) -> bool:
    octets = [int(part) for part in match[0].split(".")]
    before, after = folded.before(match.start(), 32), folded.after(match.end(), 16)
    if match[0] in _PUBLIC or octets[0] in (0, 127) or octets[0] >= 224 or match[0].endswith(".0.0.0"):
        return False
    if _VERSION.search(before):
        return False
    if any(octet >= 32 for octet in octets) or octets[0] == 10:
        return True  # else as likely a version, or a clause of a contract
    return bool(_HOST.search(before[-24:]) or _HOST.search(after)) or after.startswith(":")


def _is_ipv6(written: str) -> bool:
    address = written.partition("%")[0]
    groups = [group for group in address.split(":") if group]
    if (
        (len(groups) < 3 and not address.startswith("fe80::"))
        or not any(map(str.isdecimal, address))
        or ("::" not in address and len(groups) < 8)
    ):
        return False
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return not (parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast)
