"""What is left of a message, which messages services wrote, and previews that give nothing away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.privacy import LABELS, Span, find, is_only_secret, is_service_text, masked, replace

ONLY = [
    "hunter22!Xy",
    "password: hunter2",
    "wifi pw is sunflower88 btw",
    "логин anna, пасс Gjhjkm33!",
    "密码是 abc12345",
    "+1 415 555 0171 😀",
    "мой номер 8 999 000 45 67",
    "我的手机号13800001234",
]
MORE = [
    "the password for netflix is Blue-Tiger-42! don't change it pls",
    "позвони маме 89990004567",
    "住在深圳南山科技园南路8号 5单元601 晚上来吃饭",
    "I forgot my password again lol",
    "",
]


@pytest.mark.parametrize("text", ONLY)
def test_a_secret_and_its_introduction_are_nothing_worth_keeping(text: str) -> None:
    spans = find(text) or [Span(0, len(text), "PASSWORD")]
    assert is_only_secret(text, spans)


@pytest.mark.parametrize("text", MORE)
def test_words_beside_a_secret_or_no_secret_at_all_are_worth_keeping(text: str) -> None:
    assert not is_only_secret(text, find(text))


SERVICE = [
    "Your verification code is 482913. Do not share it with anyone.",
    "482019 is your Uber code. Don't share it.",
    "Amazon: Your OTP is 771203. It is valid for 10 minutes.",
    "Login code: 54321. Do not give this code to anyone, even if they say they are from Telegram!",
    "Your card ending 1234 was charged $25.00. Available balance: $1,200.00",
    "Код подтверждения: 4821. Никому не сообщайте",
    "VISA1234 Покупка 1250р MAGNIT Баланс: 12345.00р",
    "Зачисление 5 000 ₽ на счёт *4455. Доступно: 7 300 ₽",
    "【支付宝】验证码839201，5分钟内有效",
    "您尾号1234的储蓄卡支出500.00元，余额1000.00元",
    "Ihr Bestätigungscode lautet 77310. Geben Sie ihn nicht weiter.",
]
PERSON = [
    "смс пришла, код 739104",
    "code? 8841",
    "my balance is 5",
    "купил кофе за 250 руб",
    "don't tell anyone, the code is 4821",
    "验证码收不到",
    "баланс 0, займи 500",
    "meet me in 10 minutes",
    "",
]


@pytest.mark.parametrize("text", SERVICE)
def test_what_a_bank_or_a_service_writes_is_known_as_theirs(text: str) -> None:
    assert is_service_text(text)


@pytest.mark.parametrize("text", PERSON)
def test_what_people_write_themselves_stays_theirs(text: str) -> None:
    assert not is_service_text(text)


@pytest.mark.parametrize(
    ("value", "preview"),
    [
        ("sunflower88", "s********8"),
        ("密码密码密码密码", "密********码"),
        ("4471", "********"),
        ("", "********"),
        ("\nabcdefgh\n", "a********h"),
    ],
)
def test_a_preview_shows_two_characters_of_a_long_value_and_none_of_a_short_one(value: str, preview: str) -> None:
    assert masked(value) == preview


@given(st.text(max_size=40))
def test_no_preview_tells_how_long_a_value_is(value: str) -> None:
    assert len(masked(value)) in (8, 10)
    assert masked(value).count("*") >= 8
    assert masked(value).isprintable()


def test_every_label_has_a_placeholder_of_its_own() -> None:
    assert len({replace("secret", [Span(0, 6, label)]) for label in LABELS}) == len(LABELS)
    assert replace("a secret b", [Span(2, 8, "SEED")]) == "a [seed phrase] b"
    assert replace("nothing", []) == "nothing"
