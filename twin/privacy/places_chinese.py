"""Postal addresses as they are written in Chinese: from the province down to the room.

Knows nothing of maps: a road need not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import one_of
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit

_hit = partial(Hit, label="ADDRESS")

_H = r"[\u4e00-\u9fff]"
_N = r"(?:[0-9]{1,5}[a-z]?(?:-[0-9]{1,4})?|[一二三四五六七八九十百零〇两]{1,5})"
_LETTER = r"(?:[a-z](?=[座栋区幢楼]))"
_ROADS = r"(?:大街|大道|公路|环路|路|街|道|巷|弄|胡同|里|條|条|坊|径|徑)"
_AREAS = (
    r"(?:小区|社区|花园|花苑|公寓|家园|家苑|佳苑|新村|新城|大厦|大廈|广场|廣場|名苑|雅苑|豪庭|华庭|府|湾|城"
    r"|苑|园|庭|公馆|宿舍|中心|科技园|产业园|软件园|工业园|别墅|山庄|国际"
    r"|世纪城|嘉园|西园|东园|南园|北园|里|村|院|寓|邸|轩|阁|都|校区|大学)"
)
_DETAIL = (
    rf"[\s,，、\-]{{0,2}}(?:{_N}|{_LETTER}|[东西南北中甲乙丙丁])\s?(?:号楼|號樓|号院|单元|單元|号|號|栋|棟|幢"
    r"|座|室|楼|樓|层|層|门|户|戶|房|弄|期|区"
    rf"|梯|f(?![a-z]))(?:之[0-9一二三四五六七八九]{{1,2}})?"
)
_LAST = r"(?:[\s,，\-]{0,2}[0-9]{3,4}(?![0-9年月日元块个人位米岁次点分]))?"
_POST = r"(?:[\s,，]{1,2}(?:邮编)?[:： ]?[0-9]{6}(?![0-9]))?"
_SHOP = rf"(?:{_H}{{2,8}}{_AREAS})?"
_ROAD = re.compile(
    rf"(?P<lead>{_H}(?:{_H}|[0-9]{{1,2}}(?=[路街环])){{0,26}}?{_ROADS}(?:[东西南北中][一二三四五六七八九十]?段?"
    rf"|[一二三四五六七八九十0-9]{{1,2}}段)?)\s?(?P<number>{_N}\s?(?:号|號|弄)(?:之[0-9]{{1,2}})?(?!线|線|口"
    r"|选手|车|球|台|机|码|碼|店|前"
    rf"|之前|左右|晚|下午|上午|早|开始|到))(?P<rest>(?:院|楼|樓)?(?:{_DETAIL}"
    rf"|[\s,，]?{_SHOP}{_DETAIL}){{0,6}}{_LAST}){_POST}"
)
_ROAD_BUILDING = re.compile(
    rf"(?P<lead>{_H}(?:{_H}){{1,26}}?(?:大街|大道|路|街|道|巷))(?P<rest>(?:{_N}|[a-z])\s?(?:号楼|号院|栋|棟|幢"
    rf"|座)(?:{_DETAIL}){{0,5}}{_LAST}){_POST}"
)
_AREA = re.compile(rf"(?P<lead>{_H}{{2,30}}?{_AREAS})\s?(?P<rest>{_DETAIL}(?:{_DETAIL}){{0,5}}{_LAST})")
_DETAILS = re.compile(
    rf"(?<![0-9a-z])(?:(?P<lead>{_H}{{2,8}}[a-z]{{2,10}})\s?)?{_N}\s?(?:号楼|號樓|栋|棟|幢|座"
    rf"|单元)(?:{_DETAIL}){{0,4}}(?:{_DETAIL}|[\s\-]?[0-9]{{3,4}}(?![0-9年月日元块个人位米]))"
)
_RUN = re.compile(rf"(?:{_H}|[0-9a-z\-])+$")
_PROVINCES = one_of(
    "北京 上海 天津 重庆 重慶 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东",
    "廣東 海南 四川 贵州 云南 陕西 甘肃 青海 台湾 台灣 内蒙古 广西 西藏 宁夏 新疆 香港 澳门 澳門 深圳 广州",
    "成都 杭州 武汉 西安 苏州 南京 长沙 郑州 东莞 青岛 沈阳 宁波 昆明 大连 厦门 合肥 佛山 福州 哈尔滨 济南",
    "温州 南宁 长春 泉州 石家庄 贵阳 南昌 金华 常州 无锡 嘉兴 太原 徐州 珠海 中山 惠州 烟台 兰州 绍兴 海口",
    "台州 扬州 临沂 洛阳 唐山 三亚 台北 高雄 台中 新北 桃园 台南 新竹",
)
_TOWN = re.compile(rf"(?:中国)?(?:{_PROVINCES})(?!(?:[东西南北中][一二三]?)?(?:路|街|大道|大街))")
_LEAD_WORDS = re.compile(
    r"(?:地址(?:就?是|在|为|写|填)?|住址(?:是)?|住在|住到|家住|我住|他住|她住|住|位于|坐落(?:在|于)|寄到|寄去"
    r"|寄给我?|寄|送到|送去|送|搬到|搬去|发到|发货到|邮寄到"
    r"|快递到|跑到|来到|回到|走到|开到|导航到?|打车(?:到|去)|过来|就?在|来|到|去|家是|公司是|我家|你家|他家"
    r"|公司|家里|单位|门牌|收货|定位|见面|集合|约|是|的|了|吧|哦|啊|给"
    r"|我|你|他|她|新家|租了?|买了?|填|写|放)"
)
_NUMBERS_ONLY = re.compile(r"^[0-9一二三四五六七八九十百]+$")


def find_chinese_addresses(folded: Folded) -> Iterator[Hit]:
    """Road and number or estate and building, with the places before them and the rooms behind them."""
    low = folded.low
    if low.isascii() or not re.search(r"[路街道巷弄同里号號栋棟幢座室楼樓单]", low):
        return
    for match in _ROAD.finditer(low):
        start = _begin(low, match.start(), match.end("lead"))
        if match.end("lead") - start >= 3 or _TOWN.match(low, start):
            postcode = re.search(r"(?<![0-9])[0-9]{3,6}\s?$", low[max(0, start - 8) : start])
            start -= len(postcode[0]) if postcode else 0
            yield _hit(start, _trimmed(low, match.end()), rank=69)
    for match in _ROAD_BUILDING.finditer(low):
        yield _hit(_begin(low, match.start(), match.end("lead")), _trimmed(low, match.end()), rank=66)
    for match in _AREA.finditer(low):
        start = _begin(low, match.start(), match.end("lead"))
        if match.end("lead") - start >= 3 and _is_building(match["rest"]):
            yield _hit(start, _trimmed(low, match.end()), rank=67)
    for match in _DETAILS.finditer(low):
        if re.search(r"[室户房]|[0-9]{3,4}$|单元", match[0]) and not re.match(
            r"[0-9一二三四五六七八九十]+(?:座|单元)$", match[0]
        ):
            start = _begin(low, match.start(), match.end("lead")) if match["lead"] else match.start()
            yield _hit(start, _trimmed(low, match.end()), rank=61)


def _is_building(rest: str) -> bool:
    """Whether what follows an estate's name is part of an address: a building, or at least two smaller things."""
    details = re.findall(r"号楼|號樓|号院|单元|單元|栋|棟|幢|座|室|层|楼|号|期|房", rest)
    return (
        len(details) >= 2
        or bool(re.search(r"(?:号楼|號樓|栋|棟|幢|座|室|房)", rest))
        or bool(re.search(r"楼[0-9]{3,4}", rest))
    )


def _begin(low: str, start: int, end: int) -> int:
    """Where the place names begin: at a province or town if there is one, else after the words that lead to it."""
    towns = [match.start() for match in _TOWN.finditer(low, start, end)]
    leads = list(_LEAD_WORDS.finditer(low, start, end))
    if towns:
        return towns[0]
    begin = start
    for lead in leads:
        if lead.end() <= end - 3 and lead.start() - begin <= 6:
            if lead[0] in ("到", "来", "去", "在", "是", "的", "了", "给", "我", "你") and lead.start() > begin + 3:
                continue
            begin = lead.end()
    return begin


def _trimmed(low: str, end: int) -> int:
    while end and low[end - 1] in " ,，、-":
        end -= 1
    return end
