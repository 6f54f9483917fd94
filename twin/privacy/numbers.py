"""Numbers that are nobody's secret: of orders, parcels, tickets, chats.

Knows nothing of what the number would be otherwise.
"""

from __future__ import annotations

import re

from twin.privacy.clues import one_of

_ENGLISH = one_of(
    "order invoice inv tracking track parcel shipment ticket case ref reference booking confirmation receipt issue pr",
    "serial sn s/n model sku upc ean isbn issn doi imei part item product flight train bus chat user message msg group",
    "channel customer member membership transaction txn trx commit build version article game steam employee student",
    "uid pid arxiv lot quote policy contract timestamp unix epoch views? subs population page max int zip job request",
    "session log row record seed",
)
_RUSSIAN = one_of(
    r"заказ\w* трек\w* посылк\w* накладн\w+ договор\w* чек\w? квитанц\w+ брон\w+ билет\w* рейс\w* поезд\w* артикул\w*",
    r"айди(?:\s\w+)? id(?:\s\w+)? чат\w* заявк\w* тикет\w* инвойс\w* модел\w+ сери[ий]н\w+ версия отправлен\w+ шк",
    r"штрихкод\w* обращени\w+ кодом [а-я]{3,12}-номер",
    r"номер\s(?:заказ|трек|договор|рейс|брон|билет|заявк|поезд|дела|чек|накладн|отправлен|посылк)\w*",
)
_CHINESE = one_of(
    "订单编?号? 單號 单号 快递单?号? 运单号? 编号 流水号? 学号 工号 群号? qq群? 编码 条码 货号 型号 序列号 票号",
    "车次 房间号? 时间戳 取件码 案号 合同号?",
)
_REFERENCE = re.compile(
    rf"(?:(?<![a-z])(?:(?:{_ENGLISH})(?:\s?(?:id|no|nr|num|number|code|is|#))*|id|uid)|{_RUSSIAN}|{_CHINESE})"
    r"[\s:：#№.\-(是为\"']{0,5}(?:is\s|на\s)?[#№]?$"
)


def is_reference(before: str) -> bool:
    """Whether the words right before a number (lower case) make it that of an order, a parcel, a chat and the like."""
    return bool(_REFERENCE.search(before))
