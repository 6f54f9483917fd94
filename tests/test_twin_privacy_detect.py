"""What is secret and what is not, label by label, in English, Russian, Chinese and mixed; «» around each secret."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mnemonic import Mnemonic

from tests.marked import unmark
from twin.privacy import LABELS, Label, Span, find, replace

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7inventedinventedinvented\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.YSSoF0j8kPtlDAVaS3dBzwqHVVX363HcCF78Y97o_Uj"
WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"

FOUND: dict[Label, list[str]] = {
    "PASSWORD": [
        "wifi pw is «sunflower88» btw",
        "the password for netflix is «Blue-Tiger-42!» don't change it",
        "password: «correct horse battery staple»",
        "login/pass: mark / «Qwerty1»",
        "admin / «admin2024!»",
        "«hunter22» is the password",
        "try this one -> «Tr0ub4dor&3»",
        "PIN for the alarm is «4471», thanks",
        "gate code «2580#»",
        "enter «1397» at the gate",
        "the passowrd is «tangerine77»",
        "пароль от вайфая «Zaq12wsx»",
        "пароль поменяла на «Masha!ivanova90», запиши",
        "логин anna, пасс «Gjhjkm33!»",
        "код от домофона «38В2451»",
        "кодовое слово «черепаха»",
        "пин от карты «7731» сними 5к",
        "密码是«abc12345»",
        "支付密码«902817»，别告诉别人",
        "我的账号是xiaoming99 密码«Xm990817!» 你登一下",
        "门禁密码 «5820#» 直接进来就行",
        "скинь password от vpn плиз. а, вот: «vpnUser!77»",
        "le mot de passe du wifi c'est «croissant2020»",
        "Passwort: «Birne_44» bitte nicht weitergeben",
    ],
    "EMAIL": [
        "write me at «jane.doe+spam@example.com» ok?",
        "its «john (at) example (dot) com» no spaces",
        "«amy dot wong at gmail dot com»",
        "кинь на «иван@почта.рф»",
        "моя почта«masha_90@mail.ru»",
        "моя почта «semyon собака яндекс точка ру»",
        "发到我邮箱«wangwei1988@163.com»谢谢",
        "send to «li.na@example.com»或者«lina@example.edu.cn»",
    ],
    "PHONE": [
        "call me «+1 (415) 555-0171»",
        "my number is «07700 900461» txt me",
        "«2025550198» thats my cell",
        "мой номер «8 (999) 000-45-67»",
        "тел «999 000 45 67»",
        "переведи по номеру «9990004567» Анна К",
        "我手机号«13800001234»",
        "座机是«010-00005678»",
        "同手机«１３７００００５６７８»",
        "电话«幺三八 0000 1234»",
        "Handynummer «0171 3920045»",
        "мой номер 1️⃣: «8️⃣9️⃣9️⃣9️⃣0️⃣0️⃣0️⃣1️⃣2️⃣3️⃣4️⃣»",
    ],
    "CARD": [
        "card number «4111 1111 1111 1111» exp 09/27 cvv «123»",
        "«5555617541243407»",
        "amex «3782 822463 10005»",
        "скинь на карту «2200 9657 4507 8269»",
        "卡号 «6217 0363 3288 2448»",
        "安全码«556»",
    ],
    "IBAN": [
        "IBAN «DE89 3704 0044 0532 0130 00»",
        "acc «31926819» sort code «60-16-13»",
        "р/с «40817810099910004312» бик 044525225",
        "счёт «PL61109010140000071219812874» польский",
        "对公账号«110902345610402» 招行",
        "我的IBAN是«FR1420041010050500013M02606»",
    ],
    "API_KEY": [
        "OPENAI_API_KEY=«sk-Fx0pOGHg9TBsg3uhZQzsWPdwIaqZsFpJEmNwzsXFL41EwCl5»",
        "aws «AKIAYE4NJA5JGZDUL6VW» / «Ezi1JGLEXa0sO40x9ehcZGvQfZnHg5wplQ70Mxrb»",
        f"Authorization: Bearer «{JWT}»",
        "api key: «f4e2359ffb74e8d88e0e927f7ff16909»",
        "токен бота «6123456789:AA8QotcpFNC0wBe-TgZLmc7VMPENbYFZSbW»",
        "ключ от апи «819ba8bef839f922e66046cbadfa9dda161513ea» не свети его",
        "key给你：«sk-870061c59b0bc2d3c92b12758a755082»",
    ],
    "PRIVATE_KEY": [
        f"ssh key:\n«{PEM}»\nsave it",
        f"обрезалось, вот начало:\n«{PEM[:70]}»",
        "pk «0xce2e44e7f39416d14ee5cb1fa63906d812f705a112f3e048f7d14d85e584432c»",
        "私钥：«b75e33132a68c8586203ce1d11937d7fc6c8b33eb8a4c276179854087702e0da»",
        "PrivateKey = «Dytb+xWsLpi1tvDya3ucDcdwOOR1dwoNnFZkVT1O3DY=»",
    ],
    "CRYPTO": [
        "btc «bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq»",
        "send eth to «0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe» pls",
        "кошелек usdt trc20 «TUeCnwG5oGNDofRVAth6NrSaH2mE41C4Hn»",
        "钱包地址«TKPzzR6jC8ZpuZWo3gvAn1NmpSrbSoJpkk»",
        "sol: «C6tqnygqC8zAmNVKy4YxL5sR1BceLmEqQ4rnvwCbeUkT»",
    ],
    "SEED": [
        f"seed phrase: «{WORDS}»",
        f"сид фраза «{WORDS}» сохрани",
        "backup\n«" + "\n".join(f"{n}. {word}" for n, word in enumerate(WORDS.split(), 1)) + "»",
        "助记词：«阴 易 兴 朵 不 闭 息 深 既 鲁 旨 灾»",
        f"мнемоника «{' '.join(Mnemonic('russian').wordlist[100:112])}»",
    ],
    "IP": [
        "ssh root@«203.0.113.45»",
        "server is at «198.51.100.23»:8443",
        "ipv6 «2001:db8:85a3::8a2e:370:7334»",
        "mac «3c:22:fb:9a:01:7e»",
        "мой роутер «10.20.30.40»",
        "服务器ip是«47.98.123.45»",
    ],
    "ADDRESS": [
        "come to «221B Baker Street, London NW1 6XE»",
        "ship it to «1600 Amphitheatre Pkwy, Apt 5, Mountain View, CA 94043»",
        "meine Adresse: «Lindenstraße 14, 10969 Berlin»",
        "j'habite «27 bis avenue Victor Hugo, 69003 Lyon»",
        "vivo en «Calle Mayor 15, 3º B, 28013 Madrid»",
        "адрес «ул. Ленина, д. 5, кв. 12»",
        "жду на «Тверской 18к1 подъезд 2»",
        "доставка: «г. Москва, пр-т Мира 101, кв 45, домофон 45К»",
        "我家地址：«上海市浦东新区世纪大道100号3栋1202室»",
        "住在«深圳南山科技园南路8号 5单元601»",
    ],
    "ID": [
        "ssn «219-09-9999»",
        "NI number «QQ123456C»",
        "паспорт «45 08 123456» выдан овд",
        "снилс «197-500-192 82»",
        "身份证号«110101199003078398»",
        "护照号 «E12345678»",
        "codice fiscale «RSSMRA85T10A562S»",
        "PESEL mamy: «90021532305»",
    ],
    "OTP": [
        "Your verification code is «482913»",
        "G-«551902» is your Google verification code.",
        "code? «8841»",
        "just got the sms, its «330 719»",
        "Код подтверждения: «4821». Никому не сообщайте",
        "«6620» - код для входа в Госуслуги",
        "【支付宝】验证码«839201»，5分钟内有效",
        "Ihr Bestätigungscode lautet «77310»",
    ],
    "CRED_URL": [
        "db is postgres://admin:«s3cr3tPw»@db.example.com:5432/prod",
        "reset link https://example.com/reset?token=«fimvGOvBSLs11FeZ7V1mW04g4RQQO7wP»",
        "https://example.com/reset-password/«fimvGOvBSLs11FeZ7V1mW04g4RQQO7wP»",
        "вот впн vless://«b831381d-6324-4d53-ad4f-8cda48b30811»@vpn.example.net:443?security=reality#my",
        "数据库连接 mysql://root:«Root!2024»@db.example.com:3306/app",
        "https://api.example.com/v2/me?api_key=«0f1e2d3c4b5a69788796a5b4c3d2e1f0»",
    ],
}

NOT_FOUND: dict[Label, list[str]] = {
    "PASSWORD": [
        "I forgot my password again lol",
        "the password is the same as always",
        "the new password rules are insane",
        "password manager recommendations? i use bitwarden",
        "pass me the salt",
        "pin the message please",
        "password: [password]",
        "пароль правильный, но не пускает",
        "код 500 строк написал",
        "ключ под ковриком",
        "密码忘了怎么办",
        "密码要8位以上",
    ],
    "EMAIL": [
        "ping me @john_doe tomorrow",
        "I'm at work. It's okay",
        "git@github.com:someone/repo",
        "собака съела 2 котлеты",
    ],
    "PHONE": [
        "order #4839201938 shipped",
        "tracking 1Z999AA10123456784",
        "population 1 412 000 000",
        "1234567890",
        "chat id is -1001234567890",
        "номер заказа 83920193845",
        "订单号202611210012345678",
        "1700000000 is a unix timestamp",
    ],
    "CARD": ["order number 112-7654321-0000017", "карта мира висит на стене 3 на 4 метра", "银行卡丢了"],
    "IBAN": ["my account got banned", "счёт 3:1 в нашу пользу", "bank transfer takes 2-3 days"],
    "API_KEY": [
        "commit 3f786850e387550fdab836ed7e6dc881de23001b broke it",
        "uuid 123e4567-e89b-12d3-a456-426614174000",
        "token embeddings are 768 dim",
        "токены кончились, 4096 лимит",
    ],
    "PRIVATE_KEY": ["-----BEGIN CERTIFICATE-----\nMIIBinvented\n-----END CERTIFICATE-----", "0x1234 is hex"],
    "CRYPTO": ["eth is at 2300 btc 43k", "比特币跌到4万", "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"],
    "SEED": ["abandon all ability to love about above", "love hope dream story music river moon", "planted 24 seeds"],
    "IP": [
        "firmware 10.15.7.1 is out",
        "v1.2.3.4 fixes it",
        "localhost 127.0.0.1:8000 works",
        "section 4.2.1.3 of the contract",
        "версия 12.4.1.2 вышла",
        "at 12:30:45 exactly",
    ],
    "ADDRESS": [
        "20 mins down the road",
        "it's a 2 way street",
        "my address book is a mess",
        "живу на третьем этаже",
        "до метро 10 минут",
        "第100号选手",
        "我在10号线",
    ],
    "ID": [
        "got my passport renewed",
        "паспорт готов будет через 10 дней",
        "身份证过期了",
        "flight BA2490 gate B42 seat 23A",
    ],
    "OTP": [
        "the code is 200 lines, not that bad",
        "error code 404 again",
        "zip code 90210 lol",
        "код товара 1234567",
        "验证码收不到",
        "code review at 3",
    ],
    "CRED_URL": [
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://github.com/org/repo/commit/3f786850e387550fdab836ed7e6dc881de23001b",
        "https://example.com/article?id=123456&utm_source=newsletter_2023",
        "смотри t.me/durov/123",
    ],
}


def table(rows: dict[Label, list[str]]) -> list[Any]:
    return [pytest.param(label, text, id=f"{label}: {text[:50]}") for label, texts in rows.items() for text in texts]


@pytest.mark.parametrize(("label", "marked"), table(FOUND))
def test_exactly_the_value_is_found_under_its_label(label: Label, marked: str) -> None:
    text, secrets = unmark(marked)
    assert [(text[s.start : s.end], s.label) for s in find(text)] == [(secret, label) for secret in secrets]


@pytest.mark.parametrize(("label", "text"), table(NOT_FOUND))
def test_what_only_looks_like_a_secret_is_left_alone(label: Label, text: str) -> None:
    assert find(text) == []


def test_the_tables_speak_of_every_label() -> None:
    assert set(FOUND) == set(NOT_FOUND) == set(LABELS)


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\u200b", "ok", "😀", "a" * 100_000, "1" * 100_000, "\ud800", "密" * 50_000]
)
def test_odd_messages_hold_no_secret(text: str) -> None:
    assert find(text) == []


def test_a_secret_in_a_message_of_a_hundred_kilobytes_is_found_where_it_stands() -> None:
    filler = "we walked along the river and talked about nothing much at all. " * 800
    text = f"{filler}the wifi password is sunflower88\n{filler}"
    assert [text[s.start : s.end] for s in find(text)] == ["sunflower88"]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("pass\u200bword: hunt\u200ber22", "hunt\u200ber22"),
        ("\u202eпароль\u202c: qwerty77", "qwerty77"),
        ("ｐａｓｓｗｏｒｄ：ｈｕｎｔｅｒ２２", "ｈｕｎｔｅｒ２２"),
        ("номер ٨٩٩٩٠٠٠٤٥٦٧ мой", "٨٩٩٩٠٠٠٤٥٦٧"),
        ("mail «jane@example.com»", "jane@example.com"),
    ],
)
def test_typographic_disguises_are_seen_through_and_offsets_stay_those_of_the_message(text: str, secret: str) -> None:
    assert [text[s.start : s.end] for s in find(text)] == [secret]


def test_a_value_that_stands_twice_is_found_twice() -> None:
    text = "пароль Zaq12wsx, ещё раз: Zaq12wsx"
    assert replace(text, find(text)) == "пароль [password], ещё раз: [password]"


def test_what_was_scrubbed_once_has_nothing_to_scrub() -> None:
    scrubbed = [replace(text, find(text)) for rows in FOUND.values() for text in (unmark(row)[0] for row in rows)]
    assert [text for text in scrubbed if find(text)] == []


FRAGMENTS = st.sampled_from(
    [unmark(row)[0] for rows in FOUND.values() for row in rows]
    + [text for rows in NOT_FOUND.values() for text in rows]
    + ["password ", "пароль: ", "密码", "code ", "@", "://", "-----BEGIN", "0x", "路1号", "ул. ", "1.", "\u200b", "é"]
)
MESSAGES = st.one_of(
    st.text(max_size=200), st.lists(st.one_of(FRAGMENTS, st.text(max_size=12)), max_size=6).map("".join)
)


def shown(text: str, spans: list[Span]) -> str:
    """What a reader is left with, told apart from how `replace` does it."""
    hidden = {place for span in spans for place in range(span.start, span.end)}
    return "".join(char for place, char in enumerate(text) if place not in hidden)


@given(MESSAGES)
@settings(max_examples=300, deadline=None)
def test_spans_are_ordered_apart_within_the_text_and_the_same_every_time(text: str) -> None:
    spans = find(text)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all(span.start < span.end <= len(text) and span.label in LABELS for span in spans)
    assert find(text) == spans


@given(MESSAGES)
@settings(max_examples=300, deadline=None)
def test_replacing_takes_out_the_spans_and_nothing_else(text: str) -> None:
    spans = find(text)
    scrubbed = replace(text, spans)
    at = 0
    for before, span in zip([0, *(s.end for s in spans)], spans, strict=False):
        kept = text[before : span.start]
        assert scrubbed.startswith(kept + "[", at)
        at = scrubbed.index("]", at + len(kept)) + 1
    assert scrubbed[at:] == text[spans[-1].end if spans else 0 :]
    assert len(shown(text, spans)) == len(text) - sum(s.end - s.start for s in spans)


HOSTILE = [
    "a", "1", "1 ", "a1", "password ", "password: ", "пароль от ", "密码", "密码是", "路", "街1号", "12 oak ",
    "ул ленина ", "кв 1 ", "@", "a@b.", "a at b dot ", "собака ", "a://b:c@", "?a=b&", "/reset/", "api key ", "eyJ",
    "sk-", "-----BEGIN PRIVATE KEY-----\n", "-----", ":", "1.", "ff:", "abandon ", "1. abandon\n", "code? ", "код ",
    "验证码", "паспорт серия ", "de89 ", "4111 ", "+7916", "(", "\"a ", "\u200b", "e\u0301", "三", "one two ",
    "восемь девятьсот ", "login/pass: a / ", "12 rue ", "Aa 5, 10115 B", "дом 5 кв 5 ", "PuTTY-User-Key-File-2:",
    "https://a.b/c?x=", "住", "北京市", "1栋", "单元1",
]  # fmt: skip


def calls_for(text: str) -> int:
    """How many functions, ours and built-in ones, are called to read a text."""
    count = 0

    def counting(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    find("warm the caches up 1 路 код @")
    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        find(text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_twice_the_text_is_at_most_twice_the_work(piece: str) -> None:
    once = calls_for((piece * 4000)[:4000])
    twice = calls_for((piece * 8000)[:8000])
    assert twice <= 2.4 * once + 500
