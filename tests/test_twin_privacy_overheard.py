"""Overheard: what only somebody else wrote is known again, and what anybody may say is not."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import StoreError
from twin.overhearing import COMMON, OWNER, listen
from twin.privacy.overheard import FALSE_POSITIVES, OVERHEARD_FILE, WINDOW, Digests, Overheard, plain, windows

DIGESTS = Digests(b"k" * 32)
ANNA, BORIS, CLARA = 1, 2, 3
SECRET_PLAN = "we are going to paint the old boat green before anybody wakes up"
WORDS = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=9)
TEXTS = st.lists(st.one_of(WORDS, st.text(max_size=12)), max_size=30).map(" ".join)


def heard(*said: tuple[int, str]) -> Overheard:
    return listen(said, DIGESTS)


@pytest.mark.parametrize(
    "said",
    [
        SECRET_PLAN,
        "yeah so " + SECRET_PLAN + " haha",
        SECRET_PLAN.upper(),
        SECRET_PLAN.replace(" ", "\n"),
        SECRET_PLAN.replace(" ", "... "),
        SECRET_PLAN.replace(" ", " 😂 "),
        "ｗｅ　ａｒｅ　ｇｏｉｎｇ　ｔｏ　ｐａｉｎｔ　ｔｈｅ　ｏｌｄ　ｂｏａｔ　ｇｒｅｅｎ",
        "paint the old boat green before anybody wakes",
    ],
)
def test_what_somebody_wrote_is_known_again_however_it_is_spelled(said):
    assert heard((ANNA, SECRET_PLAN)).found_in(plain(said))


@pytest.mark.parametrize(
    "said", ["", "paint the boat", "the old boat is green", "anybody wakes up before you are going"]
)
def test_what_merely_sounds_alike_is_not(said):
    assert not heard((ANNA, SECRET_PLAN)).found_in(plain(said))


@pytest.mark.parametrize(("length", "is_known"), [(39, False), (40, True), (41, True)])
def test_an_overlap_counts_from_forty_characters_on(length, is_known):
    overheard = heard((ANNA, SECRET_PLAN))
    assert SECRET_PLAN[:40].endswith("boat green")
    assert bool(overheard.found_in(plain(SECRET_PLAN[:length]))) is is_known
    assert bool(overheard.found_in(plain(f"so {SECRET_PLAN[:length]}zz top"))) is is_known
    assert bool(heard((ANNA, "x" * length)).found_in("x" * length)) is is_known


@pytest.mark.parametrize(
    "text",
    [
        "我们打算在大家醒来之前把那条旧船漆成绿色然后去海边",
        "みんなが起きる前に古い船を緑に塗るつもりだよ本当に内緒",
        "เราจะทาสีเรือเก่าเป็นสีเขียวก่อนที่ใครจะตื่นขึ้นมา",
        "우리는 모두가 일어나기 전에 낡은 배를 초록색으로 칠하고 바다로 나갈 거야 진짜로",
        "мы собираемся покрасить старую лодку в зелёный цвет, пока все спят",
        "हम सबके जागने से पहले पुरानी नाव को हरा रंगने जा रहे हैं और फिर समुद्र",
        "سنقوم بطلاء القارب القديم باللون الأخضر قبل أن يستيقظ أي شخص",
    ],
)
def test_every_script_is_known_again_and_from_within(text):
    overheard = heard((ANNA, text))
    assert overheard.found_in(plain(text))
    assert overheard.found_in(plain(f"…{text}!"))
    assert not heard((BORIS, "something else entirely, and nothing of that sort")).found_in(plain(text))


def test_twenty_one_ideographs_are_as_long_as_forty_letters():
    text = "我们打算在大家醒来之前把那条旧船漆成绿色吧"
    assert len(text) == 21
    assert heard((ANNA, text)).found_in(plain(text)) and not heard((ANNA, text)).found_in(plain(text[1:]))


def test_what_the_owner_wrote_too_may_be_said():
    overheard = heard((ANNA, SECRET_PLAN), (OWNER, f"you said: {SECRET_PLAN[:45]}"))
    assert not overheard.found_in(plain(SECRET_PLAN[:45]))
    assert overheard.found_in(plain(SECRET_PLAN)), "the rest of it is still only hers"


def test_what_three_people_wrote_belongs_to_nobody():
    song = "row row row your boat gently down the stream merrily"
    assert COMMON == 3
    assert heard((ANNA, song), (BORIS, song)).found_in(plain(song))
    assert not heard((ANNA, song), (BORIS, song), (CLARA, song)).found_in(plain(song))
    assert heard((ANNA, song), (ANNA, song), (ANNA, song)).found_in(plain(song)), "one person who says it often"


@given(st.lists(TEXTS, max_size=6), st.lists(TEXTS, min_size=1, max_size=4))
def test_nothing_of_what_the_owner_wrote_is_ever_caught(others, own):
    said = [(ANNA, text) for text in [*others, *own]] + [(OWNER, text) for text in own]
    overheard = listen(said, DIGESTS)
    assert [overheard.found_in(plain(text)) for text in own] == [[]] * len(own)


@given(
    st.lists(WORDS, min_size=41, max_size=60),
    st.integers(0, 20),
    st.sampled_from((" ", "\n", "  ", ", ", " - ", "\u3000", " 🙂 ")),
    st.sampled_from((str, str.upper, str.lower, str.swapcase)),
    st.lists(TEXTS, max_size=4),
)
def test_a_stretch_of_forty_that_starts_with_a_word_is_caught_whatever_its_case_and_spaces(
    words, start, space, case, more
):
    """Words are taken that read the same in every case: "ß" in capitals does not."""
    words = [word for word in words if plain(case(word)) == plain(word)]
    text = " ".join(words)
    overheard = listen([(ANNA, text), *((BORIS, other) for other in more)], DIGESTS)
    stretch = case(space.join(words[min(start, len(words)) :]))
    if len(plain(stretch)) >= WINDOW:
        assert overheard.found_in(plain(stretch))


@given(TEXTS, st.integers(0, 200))
def test_windows_are_forty_long_begin_with_words_and_can_be_narrowed(text, since):
    words = plain(text)
    found = list(windows(words))
    assert all(len(window) == WINDOW and not window.startswith(" ") for window in found)
    starts = [0, *(place + 1 for place, sign in enumerate(words) if sign == " ")]
    assert found == [words[start : start + WINDOW] for start in starts if start + WINDOW <= len(words)]
    assert list(windows(words, since)) == [
        words[start : start + WINDOW] for start in starts if since < start + WINDOW <= len(words)
    ]


def test_fewer_than_one_in_a_hundred_thousand_others_are_taken_for_known():
    overheard = heard(*((ANNA, f"message number {n} about {n * 7919} things and what came of it") for n in range(3000)))
    assert overheard.count > 5000 and FALSE_POSITIVES <= 1e-6
    tries = 200_000
    assert sum(DIGESTS(f"never said {n}") in overheard.bloom for n in range(tries)) <= 2
    assert len(overheard.bloom.save_bytes()) < 4.2 * overheard.count + 64, "29 bits a window"


def test_what_is_saved_is_read_again_and_holds_no_word(tmp_path):
    from twin.privacy.home_key import read_key

    made = listen([(ANNA, SECRET_PLAN)], Digests(read_key(tmp_path, may_make=True)))
    made.save(tmp_path)
    again = Overheard.open(tmp_path)
    assert again is not None and again.count == made.count and again.found_in(plain(SECRET_PLAN))
    file = tmp_path / OVERHEARD_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(word.encode() in file.read_bytes() for word in SECRET_PLAN.split() if len(word) > 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [OVERHEARD_FILE, "vault.key"]
    assert "boat" not in repr(made) and "digests" not in repr(made)


def test_under_another_key_other_bits_are_set():
    one, other = listen([(ANNA, SECRET_PLAN)], DIGESTS), listen([(ANNA, SECRET_PLAN)], Digests(b"o" * 32))
    assert one.bloom.save_bytes() != other.bloom.save_bytes()
    assert DIGESTS("a window") != Digests(b"o" * 32)("a window")


def test_what_was_saved_under_another_key_counts_as_missing(tmp_path):
    listen([(ANNA, SECRET_PLAN)], DIGESTS).save(tmp_path)
    assert Overheard.open(tmp_path) is None
    assert Overheard.open(tmp_path / "nothing") is None


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"no json", b'{"version": 99}\nxx'])
def test_a_damaged_file_is_told_and_never_half_believed(tmp_path, damage):
    (tmp_path / OVERHEARD_FILE).write_bytes(damage)
    (tmp_path / OVERHEARD_FILE).chmod(0o600)
    with pytest.raises(StoreError, match="damaged"):
        Overheard.open(tmp_path)


def test_a_file_with_one_bit_turned_or_its_end_missing_is_damaged(tmp_path):
    from twin.privacy.home_key import read_key

    listen([(ANNA, SECRET_PLAN)], Digests(read_key(tmp_path, may_make=True))).save(tmp_path)
    file = tmp_path / OVERHEARD_FILE
    whole = file.read_bytes()
    for broken in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), whole + b"x"):
        file.write_bytes(broken)
        with pytest.raises(StoreError, match="damaged"):
            Overheard.open(tmp_path)


def test_a_file_that_others_can_read_is_refused(tmp_path):
    listen([], DIGESTS).save(tmp_path)
    (tmp_path / OVERHEARD_FILE).chmod(0o644)
    with pytest.raises(StoreError, match="Others can read"):
        Overheard.open(tmp_path)


def test_nothing_said_gives_a_filter_that_knows_nothing():
    assert listen([], DIGESTS).count == 0
    assert not listen([(ANNA, "ok"), (OWNER, SECRET_PLAN)], DIGESTS).found_in(plain(SECRET_PLAN))
