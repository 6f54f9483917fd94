"""The blocklist: words and names of any script, matched as their owner means them."""

from __future__ import annotations

import pytest

from twin.privacy.blocklist import Blocklist


@pytest.mark.parametrize(
    ("entry", "said", "mentions"),
    [
        ("anna", "I saw Anna today", True),
        ("anna", "ANNA!", True),
        ("anna", "the annals of it", False),
        ("ann*", "the annals of it", True),
        ("Anna Smith", "it was anna   smith's", True),
        ("Anna Smith", "anna and smith", False),
        ("Анна", "это АННА", True),
        ("Анна", "с Анной", False),
        ("Анн*", "с Анной", True),
        ("Алёна", "алена пришла", True),
        ("小明", "昨天小明来了", True),
        ("ａｎｎａ", "anna", True),
        ("project x", "about Project X?", True),
        ("@kim", "ask @kim", True),
        ("c++", "we do c++ here", True),
        ("", "anything", False),
        ("*", "anything", False),
    ],
)
def test_an_entry_is_matched_word_by_word_where_words_are_parted(entry, said, mentions):
    assert Blocklist.of([entry], []).mentions(said) is mentions
    assert Blocklist.of([], [entry]).mentions(said) is mentions


def test_only_people_leave_out_their_dialogs():
    listed = Blocklist.of(["work"], ["Anna", "@kim_lee"])
    assert listed.is_person("Anna Smith", None) and listed.is_person(None, "kim_lee")
    assert (
        not listed.is_person("Work", None) and not listed.is_person("Annabel", "annabel") and not listed.is_person(None)
    )


def test_a_list_without_entries_matches_nothing():
    listed = Blocklist.of([], [" ", "**"])
    assert not listed.has_entries and not listed.mentions("anything") and not listed.is_person("anybody")
