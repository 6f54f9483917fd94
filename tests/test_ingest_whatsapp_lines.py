"""Where an entry begins and when it was: the styles of phones in many languages, and the order of day and month."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.whatsapp_lines import ORDERS, Entry, Style, clean, entries

LRM, NARROW = "\u200e", "\u202f"


def style_of(text: str) -> Style:
    style = Style()
    for line in text.split("\n"):
        if (head := style.head(line)) is not None:
            style.learn(head)
    return style


def read(text: str) -> list[Entry | None]:
    style = style_of(text)
    assert style.order is not None
    return list(entries(io.BytesIO(text.encode()), Style(style.shape), style.order))


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("[05/03/2025, 22:14:33] Anna: hi", "2025-03-05 22:14:33"),
        (f"{LRM}[05.03.25, 22:14:33] {LRM}Anna: hi", "2025-03-05 22:14:33"),
        (f"[05/03/2025, 10:14:33{NARROW}PM] Anna: hi", "2025-03-05 22:14:33"),
        ("[5/3/25 12:14:33 a. m.] Anna: hi", "2025-03-05 00:14:33"),
        ("[2025-03-05, 22.14.33] Anna: hi", "2025-03-05 22:14:33"),
        ("[2025/3/5 下午10:14:33] Anna: hi", "2025-03-05 22:14:33"),
        ("[2025/3/5 上午12:14:33] Anna: hi", "2025-03-05 00:14:33"),
        ("[2025/3/5 中午12:14:33] Anna: hi", "2025-03-05 12:14:33"),
        ("05.03.25, 22:14 - Anna: hi", "2025-03-05 22:14:00"),
        ("05.03.2025, 22:14 – Anna: hi", "2025-03-05 22:14:00"),
        (f"05/03/2025, 10:14{NARROW}pm - Anna: hi", "2025-03-05 22:14:00"),
        ("05/03/2025 10:14 p.\xa0m. - Anna: hi", "2025-03-05 22:14:00"),
        ("05/03/2025 à 22:14 - Anna: hi", "2025-03-05 22:14:00"),
        ("05-03-2025 kl. 22.14 - Anna: hi", "2025-03-05 22:14:00"),
        ("2025. 3. 5. 오후 10:14, Anna : hi", "2025-03-05 22:14:00"),
        ("2025년 3월 5일 오후 10:14, Anna : hi", "2025-03-05 22:14:00"),
        ("2025年3月5日 22:14 - Anna: hi", "2025-03-05 22:14:00"),
        ("2025/03/05 22:14 - Anna: hi", "2025-03-05 22:14:00"),
        ("٠٥/٠٣/٢٠٢٥، ١٠:١٤ م - Anna: hi", "2025-03-05 22:14:00"),
        ("5/3/2568 22:14 - Anna: hi", "2025-03-05 22:14:00"),
    ],
)
def test_the_styles_of_phones_in_many_languages_are_read(line: str, moment: str) -> None:
    assert read(line) == [Entry(datetime.fromisoformat(moment), "Anna", "hi")]


def test_a_message_of_many_lines_stays_one_message() -> None:
    found = read("[05/03/2025, 22:14:33] Anna: one\n\n two \n[no date] x\n[05/03/2025, 22:14:34] Max: three")
    assert [entry.text for entry in found if entry] == ["one\n\n two \n[no date] x", "three"]


def test_a_pasted_chat_in_another_style_is_part_of_the_message() -> None:
    text = "[05/03/2025, 22:14:33] Anna: look\n05.03.25, 22:10 - Boris: hi\n[05.03.2025, 22:10:11] Boris: hi"
    assert [entry.text for entry in read(text) if entry] == [text.partition("Anna: ")[2]]


def test_lines_of_whatsapp_itself_have_no_speaker() -> None:
    found = read("5/3/25, 22:14 - Messages are encrypted.\n5/3/25, 22:15 - Anna: a: b")
    assert [(entry.name, entry.text) for entry in found if entry] == [
        (None, "Messages are encrypted."),
        ("Anna", "a: b"),
    ]


def test_an_entry_whose_time_is_none_is_told_apart() -> None:
    assert read("5/3/25, 22:14 - Anna: a\n5/3/25, 25:14 - Anna: b")[1] is None


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_end_in_either_way_and_nowhere_else(end: str) -> None:
    found = read(f"[05/03/2025, 22:14:33] Anna: a\u2028b\x0bc\rd{end}e{end}")
    assert [entry.text for entry in found if entry] == ["a\u2028b\x0bc\rd\ne"]


@pytest.mark.parametrize(
    ("dates", "order", "is_certain"),
    [
        (["13/02/2025", "01/03/2025"], "day/month/year", True),
        (["02/13/2025", "03/01/2025"], "month/day/year", True),
        (["2025/02/03", "2025/02/04"], "year/month/day", True),
        (["24/1/5", "24/1/6", "24/2/7"], "year/month/day", True),
        (["03/04/2025", "04/04/2025", "05/04/2025"], "day/month/year", True),
        (["04/03/2025", "04/04/2025", "04/05/2025"], "month/day/year", True),
        (["04/11/2025", "04/12/2025", "05/01/2025"], "month/day/year", True),
        (["05/05/2025"], "day/month/year", True),
        (["03/04/2025"], "day/month/year", False),
    ],
)
def test_the_order_of_day_and_month_is_inferred_over_the_whole_file(
    dates: list[str], order: str, is_certain: bool
) -> None:
    style = style_of("\n".join(f"{date}, 10:14 - Anna: hi" for date in dates))
    assert (style.order, style.is_certain) == (order, is_certain)


def test_what_can_be_either_is_taken_as_people_write_who_have_such_clocks() -> None:
    assert style_of("3/4/25, 10:14 PM - Anna: hi").order == "month/day/year"
    for text in ("3.4.25, 10:14 - Anna: hi", "03/04/25, 10:14 pm - Anna: hi", "[03/04/25, 10:14:33 PM] Anna: hi"):
        assert style_of(text).order == "day/month/year"


def test_dates_of_a_calendar_that_is_not_known_have_no_order() -> None:
    assert style_of("1403/12/15, 22:14 - Anna: hi").order is None


@given(
    st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),
    st.lists(st.integers(0, 40_000), min_size=30, max_size=60),
    st.sampled_from(["%d/%m/%Y, %H:%M", "%m/%d/%y, %I:%M %p", "%Y-%m-%d %H:%M", "%d.%m.%y, %H:%M"]),
)
def test_a_long_chat_is_read_at_its_own_times_whatever_the_style(
    start: datetime, minutes: list[int], written: str
) -> None:
    moments = [start.replace(second=0, microsecond=0)]
    for minute in minutes:
        moments.append(moments[-1] + timedelta(minutes=minute))
    text = "\n".join(f"{moment.strftime(written)} - Anna: hi" for moment in moments)
    style = style_of(text)
    if any(moment.day > 12 for moment in moments):
        assert [entry.moment for entry in read(text) if entry] == moments
    assert style.order in ORDERS


def test_names_lose_marks_and_tildes_and_nothing_else() -> None:
    assert clean(f"{LRM}~\u202fAnna  🍋 D'Arc") == "Anna 🍋 D'Arc"


def test_an_endless_line_is_refused() -> None:
    with pytest.raises(OverflowError):
        list(entries(io.BytesIO(b"[05/03/2025, 22:14:33] Anna: " + b"x" * (2 << 20)), Style(), "day/month/year"))
