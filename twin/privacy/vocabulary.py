"""The words around passwords in English, Russian, Chinese and the larger European languages.

Knows nothing of sentences; it only says which words tie to a value, and which cannot be one.
"""

from __future__ import annotations

import re

from twin.privacy.clues import word_set

IS = word_set(
    "is was are = - это эта этот такой такая таков вот теперь стоит стал стала будет есть был была c'est est",
    "ist lautet es è é e' jest now its it's thats that's called оставил поставил поставила сделал сделала",
    "набирай набери введи вводи вбей жми нажми нажимай dial enter press type punch английскими латиницей",
    "по-английски буквами русскими транслитом капсом маленькими большими är er",
)

CHANGED = re.compile(
    r"(?:помен|смен|измен|замен|постав|передел|сдела|перебил|обнов)\w*|chang|\bset\b|reset|switch|updat"
    r"|rotated|made it|改|换|geändert|cambi|chang"
)
CONNECTED = re.compile(r"^(?:or|или|либо|and|и|,|/|oder|ou|o|和|或|或者|还是|не|not|now|а|but)$|,$")

FILLERS = word_set(
    "btw lol haha hahaha ok okay pls plz please thx thanks ty if but and or so in with without w all lower",
    "lowercase uppercase caps capital no one together just let lmk dont don't cuz bc because i you u its it's",
    "try now then from for has that only exactly но если пожалуйста плиз плз маленькими большими с без и а или",
    "только всё все если запиши если кому никому не вот спасибо слитно латиницей английскими капсом когда там",
    "потом если-что если-чё кстати bitte danke merci gracias ну ты я ага ок да угу короче понял поняла ладно",
    "короч типа хз так ведь же",
)

SERVICES = word_set(
    "wifi wi-fi netflix gmail google facebook fb insta instagram telegram tg whatsapp vk steam spotify youtube",
    "icloud apple apple-id id windows discord twitter tiktok zoom slack github gitlab jira outlook hotmail",
    "yahoo amazon ebay paypal bank vpn ssh ftp router laptop phone ipad iphone macbook mac pc computer server",
    "account admin root login email mail e-mail site website app dropbox onedrive linkedin reddit twitch epic",
    "epicgames origin xbox playstation psn nintendo bitwarden lastpass keepass 1password office365 office",
    "windows10 windows11 mail.ru ok.ru avito ozon wildberries sber sberbank tinkoff alipay wechat qq taobao",
    "weibo netflixa нетфликс стим инста вк телега телеграм госуслуги почта почты вайфай wpa2 2fa ssid user",
    "username log-in sudo password passwort pass token key code pin hulu hbo disney prime uber airbnb wordpress",
    "mysql postgres",
)

RESERVED_USERS = word_set(
    "admin administrator root user guest test sa postgres pi ubuntu oracle mysql ftp demo support админ manager",
    "operator service sysadmin superuser super teacher student owner adm",
)

NO_VALUE = word_set(
    # English: what people say of a password instead of telling it
    "wrong right correct incorrect same different changed expired required invalid weak strong secure safe easy",
    "hard simple long short stupid ridiculous missing gone lost forgotten saved stored written hidden there",
    "here below above attached inside under behind somewhere still always never not none nothing unknown empty",
    "blank what whatever which where when how why who that this these those then than some something someone",
    "anything everything literally really very super just like probably maybe also now too so your yours mine",
    "ours theirs please help thanks send sent tell ask check look see need needs want forgot remember know",
    "don't dont doesn't doesnt can't cant won't isn't isnt yes yeah yep nope okay lol lmao haha hahaha sorry",
    "with without from into onto about manager reset hint field policy protected because since until after",
    "before again already being been have does must should could would will with mandatory optional",
    "case-sensitive sensitive supposed working broken good fine great cool funny weird dumb obvious private",
    "secret shared taped stuck printed posted pinned back front fridge router desk card paper note later soon",
    "tomorrow today tonight tba tbd n/a null none undefined true false string number username email name",
    "birthday pet default only mom dad kids everyone nobody anyone most best worst next last first second other",
    "another both each every the and but for its it's i'll i'm you're they gonna going trying looking asking",
    "typing",
    # Russian
    "правильный неправильный неверный верный старый новый прежний другой такой тот этот этом свой твой мой наш",
    "ваш простой сложный длинный короткий слабый надежный обычный стандартный один тоже также нужен надо можно",
    "нельзя забыл забыла помню знаю какой который если скину скинь скажу спроси кинь дай дам пришлю напишу",
    "потом вечером завтра сегодня сейчас опять снова всегда никогда никому нигде нету есть будет было была были",
    "подходит работает меняй меняли поменяй смени введи вводи напиши запиши сохранен сброшен утерян истек",
    "слетел пустой прошлый вчера где как что кто когда почему зачем чтобы потому только просто вообще типа",
    "короче блин пожалуйста плиз спасибо помоги без от для при под над там тут здесь туда сюда дома лежит",
    "написан приклеен висит внизу сверху слева справа снизу выше ниже такая таким самый самом тем том всё все",
    "всем всех него него ней",
    # German, French, Spanish
    "falsch richtig vergessen gleich immer noch nicht kein geändert abgelaufen weiß oublié faux changé toujours",
    "même incorrect incorrecta olvidé cambiada misma siempre",
)

_DESCRIBES = re.compile(
    r".*(?:ing|ed|ly|ful|less|able|ible|ous|tion|ment|ness|est|ive|n't|ish|ный|ная|ное|ной|ном|ого|ему|ться"
    r"|тся|ать|ить|еть|ешь|ишь|ает|ует)$"
)


def is_description(word: str) -> bool:
    """Whether a word (lower case) tells something about a password rather than being one."""
    return word in NO_VALUE or bool(_DESCRIBES.match(word))


NO_ANSWER = (
    NO_VALUE
    | FILLERS
    | SERVICES
    | word_set(
        # What people say instead of an answer.
        "idk dunno nope yep yeah yup sure wait waiting second moment later soon sorry nothing none hmm hmmm ummm",
        "lolol kidding seriously really maybe probably obviously exactly anyway whatever never forgot texted",
        "sending coming checking looking calling wtf omg damn shit fuck fine great cool nice good perfect awesome",
        "done same guess hold hello hahah hahahaha lmfao ofc btw honestly literally незнаю хз без понятия понятно",
        "ясно ладно сек секунду секундочку минуту минутку подожди погоди щас сейчас скину скинула скинул спасибо",
        "спс пожалуйста привет конечно давай хорошо окей норм нормально понял поняла забудь блин блять черт ахах",
        "ахаха хаха хахаха лол угу ага наверное может вроде точно никакой какой напишу отправила отправил прислал",
        "прислала лови держи смотри вечером утром днем",
    )
)
