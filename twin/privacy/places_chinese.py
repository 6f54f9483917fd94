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
_N = "(?:[0-9]{1,5}[a-z]?(?:-[0-9]{1,4})?|[一二三四五六七八九十百零〇两]{1,5})"
_PART = one_of("号楼 號樓 号院 单元 單元 号 號 栋 棟 幢 座 室 楼 樓 层 層 门 户 戶 房 弄 期 区 梯 f(?![a-z])")
_DETAIL = (
    rf"[\s,，、\-]{{0,2}}(?:{_N}|[a-z](?=[座栋区幢楼])|[东西南北中甲乙丙丁])\s?(?:{_PART})(?:之"
    rf"[0-9一二三四五六七八九]{{1,2}})?"
)
_ROOM = r"(?:[\s,，\-]{0,2}[0-9]{3,4}(?![0-9年月日元块个人位米岁次点分]))?"  # 5单元601
_POSTCODE = r"(?:[\s,，]{1,2}(?:邮编)?[:： ]?[0-9]{6}(?![0-9]))?"
_AREAS = one_of(
    "小区 社区 花园 花苑 公寓 家园 家苑 佳苑 新村 新城 大厦 大廈 广场 廣場 名苑 雅苑 豪庭 华庭 府 湾 城 苑 园",
    "庭 公馆 宿舍 中心 科技园 产业园 软件园 工业园 别墅 山庄 国际 世纪城 嘉园 西园 东园 南园 北园 里 村 院 寓",
    "邸 轩 阁 都 校区 大学",
)
_LANDMARK = rf"(?:{_H}{{2,8}}(?:{_AREAS})|{_H}{{0,6}}[a-z]{{2,10}}\s?)"
_PLACE = rf"(?:{_H}{{2,8}}(?:大厦|大廈|广场|廣場|中心|大楼|公寓|商场|花园|小区|酒店))?"
# "10号线", "2号口", "第100号选手": numbers that are no houses
_NO_HOUSE = one_of("线 線 口 选手 车 球 台 机 码 碼 店 前 之前 左右 晚 下午 上午 早 开始 到")
_ROADS = one_of("大街 大道 公路 环路 路 街 道 巷 弄 胡同 里 條 条 坊 径 徑")
_ROAD = re.compile(
    rf"(?P<lead>{_H}(?:{_H}|[0-9]{{1,2}}(?=[路街环])){{0,26}}?(?:{_ROADS})"
    r"(?:[东西南北中][一二三四五六七八九十]?段?|[一二三四五六七八九十0-9]{1,2}段)?)\s?"
    rf"{_N}\s?(?:号|號|弄)(?:之[0-9]{{1,2}})?(?!{_NO_HOUSE})"
    rf"(?:院|楼|樓)?(?:(?:{_DETAIL}|[\s,，]?{_LANDMARK}{_DETAIL}){{1,6}}{_ROOM}|{_PLACE}{_ROOM}){_POSTCODE}"
)
_ROAD_BUILDING = re.compile(
    rf"(?P<lead>{_H}{{2,27}}?(?:大街|大道|路|街|道|巷))(?:{_N}|[a-z])\s?(?:号楼|号院|栋|棟|幢"
    rf"|座)(?:{_DETAIL}){{0,5}}{_ROOM}{_POSTCODE}"
)
_AREA = re.compile(rf"(?P<lead>{_H}{{2,30}}?(?:{_AREAS}))\s?(?P<rest>{_DETAIL}(?:{_DETAIL}){{0,5}}{_ROOM})")
_DETAILS = re.compile(
    rf"(?<![0-9a-z])(?:(?P<lead>{_H}{{2,8}}[a-z]{{2,10}})\s?)?{_N}\s?(?:号楼|號樓|栋|棟|幢|座|单元)(?:{_DETAIL}){{0,4}}"
    rf"(?:{_DETAIL}|[\s\-]?[0-9]{{3,4}}(?![0-9年月日元块个人位米]))"
)
_PROVINCES = one_of(
    "北京 上海 天津 重庆 重慶 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 廣東",
    "海南 四川 贵州 云南 陕西 甘肃 青海 台湾 台灣 内蒙古 广西 西藏 宁夏 新疆 香港 澳门 澳門 深圳 广州 成都 杭州",
    "武汉 西安 苏州 南京 长沙 郑州 东莞 青岛 沈阳 宁波 昆明 大连 厦门 合肥 佛山 福州 哈尔滨 济南 温州 南宁 长春",
    "泉州 石家庄 贵阳 南昌 金华 常州 无锡 嘉兴 太原 徐州 珠海 中山 惠州 烟台 兰州 绍兴 海口 台州 扬州 临沂 洛阳",
    "唐山 三亚 台北 高雄 台中 新北 桃园 台南 新竹",
)
# A province or town, but not in the name of a road: 中山路
_TOWN = re.compile(rf"(?:中国)?(?:{_PROVINCES})(?!(?:[东西南北中][一二三]?)?(?:路|街|大道|大街))")
_LEAD_WORDS = re.compile(
    one_of(
        "地址(?:就?是|在|为|写|填)? 住址(?:是)? 住在 住到 家住 我住 他住 她住 住 位于 坐落(?:在|于) 寄到 寄去",
        "寄给我? 寄 送到 送去 送 搬到 搬去 发到 发货到 邮寄到 快递到 跑到 来到 回到 走到 开到 导航到? 打车(?:到|去)",
        "过来 就?在 来 到 去 家是 公司是 我家 你家 他家 公司 家里 单位 门牌 收货 定位 见面 集合 约 是 的 了 吧 哦",
        "啊 给 我 你 他 她 新家 租了? 买了? 填 写 放",
    )
)
_SHORT_LEADS = frozenset("到来去在是的了给我你")  # in the middle of a name they may belong to it
_BUILDING = re.compile(r"号楼|號樓|栋|棟|幢|座|室|房|楼[0-9]{3,4}")


def find_chinese_addresses(folded: Folded) -> Iterator[Hit]:
    """Road and number or estate and building, with the places before them and the rooms behind them."""
    low = folded.low
    if low.isascii() or not re.search(r"[路街道巷弄同里号號栋棟幢座室楼樓单]", low):
        return
    for match in _ROAD.finditer(low):
        start = _begin(low, match.start(), match.end("lead"))
        if match.end("lead") - start >= 3 or _TOWN.match(low, start):
            yield _hit(start - _postcode_before(low, start), _end(low, match.end()), rank=69)
    for match in _ROAD_BUILDING.finditer(low):
        yield _hit(_begin(low, match.start(), match.end("lead")), _end(low, match.end()), rank=66)
    for match in _AREA.finditer(low):
        start = _begin(low, match.start(), match.end("lead"))
        details = re.findall(_PART, match["rest"])
        if match.end("lead") - start >= 3 and (len(details) >= 2 or _BUILDING.search(match["rest"])):
            yield _hit(start, _end(low, match.end()), rank=67)
    for match in _DETAILS.finditer(low):
        if re.search(r"[室户房]|[0-9]{3,4}$|单元", match[0]):
            start = _begin(low, match.start(), match.end("lead")) if match["lead"] else match.start()
            yield _hit(start, _end(low, match.end()), rank=61)


def _begin(low: str, start: int, end: int) -> int:
    """Where the place names begin: at a province or town if there is one, else after the words that lead to it."""
    town = _TOWN.search(low, start, end)
    if town:
        return town.start()
    begin = start
    for lead in _LEAD_WORDS.finditer(low, start, end):
        inside = lead[0] in _SHORT_LEADS and lead.start() > begin + 3
        if not inside and lead.end() <= end - 3 and lead.start() - begin <= 6:
            begin = lead.end()
    return begin


def _postcode_before(low: str, start: int) -> int:
    """How many characters before an address are its postcode: "20461 中和市..."."""
    postcode = re.search(r"(?<![0-9])[0-9]{3,6}\s?$", low[max(0, start - 8) : start])
    return len(postcode[0]) if postcode else 0


def _end(low: str, end: int) -> int:
    while end and low[end - 1] in " ,，、-":
        end -= 1
    return end
