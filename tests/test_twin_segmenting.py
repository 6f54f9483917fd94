"""Cutting texts for the search index: every writing system, and the same cuts in Python and in SQLite."""

from __future__ import annotations

import sqlite3
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.segmenting import segment, tokens

ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.text(
    st.sampled_from("aZ1 é\u0301ßİς'\"*-_+.،学校がｶﾞ한ที่हिन्दीيأَשָׁ👍🏽👨‍👩‍👧❤️1️⃣🇩🇪\n\x00\u200d\u202e\ufe0f"), max_size=20
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, WORLD! don't", "hello world don t"),
        ("Straße, CAFÉ, cafe\u0301, Ａｂｃ１２", "strasse cafe cafe abc12"),
        ("Ёлка, йогурт", "елка иогурт"),
        ("我在学校。iPhone手机", "我 在 学 校 iphone 手 机"),
        ("ｶﾞ ガ が", "ガ ガ が"),
        ("학교에서 ㅋㅋㅠ", "학 교 에 서 ᄏ ᄏ ᅲ"),
        ("㍿ ½ ﬁ", "株 式 会 社 1 ⁄ 2 fi"),
        ("สวัสดี", "ส ว ั ส ด ี"),
        ("हिन्दी में", "हिन्दी में"),
        ("السَّلامُ أحمد", "السلام احمد"),
        ("שָׁלוֹם", "שלום"),
        ("ok😂😂 👍🏽 ❤️", "ok 😂 😂 👍 ❤"),
        ("snake_case a+b=c 5€", "snake case a b c 5 €"),
        ("a\x00b\u202ec\x1b", "a b c"),
        (" \n…!?", ""),
    ],
)
def test_texts_are_cut_into_what_people_search_for(text: str, expected: str) -> None:
    assert segment(text).split() == expected.split()
    assert [token.text for token in tokens(text)] == expected.split()


@given(ANY_TEXT)
@settings(max_examples=300, deadline=None)
def test_every_token_stands_in_the_text_where_it_says_and_in_its_order(text: str) -> None:
    found = tokens(text)
    assert [token.text for token in found] == segment(text).split()
    assert all(0 <= token.start < token.end <= len(text) for token in found)
    assert all(a.start <= b.start and a.end <= b.end for a, b in pairwise(found))
    assert all(token.text and token.text == segment(token.text).strip() for token in found)


@given(ANY_TEXT)
@settings(max_examples=150, deadline=None)
def test_sqlite_cuts_exactly_where_the_tokens_are_cut(text: str) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("create virtual table words using fts5(text, tokenize = 'ascii')")
    db.execute("create virtual table seen using fts5vocab(words, instance)")
    db.execute("insert into words values (?)", [segment(text)])
    assert [row[0] for row in db.execute("select term from seen order by offset")] == segment(text).split()
    db.close()
