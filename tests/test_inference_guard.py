"""The guard: planted secrets, other people's words, loops and leaks are kept back; ordinary talk is not."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.guard import KINDS, Guard
from inference.stock_phrases import PHRASES
from inference.watched import Watched
from tests.chatter import LINES
from twin.errors import StoreError
from twin.language import guess
from twin.messages import Conversation, Message, Turn
from twin.overhearing import OWNER, listen, overhear
from twin.placeholders import LANGUAGES
from twin.privacy import LABELS, find
from twin.privacy.home_key import read_key
from twin.privacy.overheard import OVERHEARD_FILE, Digests
from twin.privacy.vault import VAULT_FILE, Vault
from twin.sections import Guard as GuardSettings
from twin.sections import Owner

START = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = Conversation(())
PLAN = "we are going to paint the old boat green before anybody wakes up"
SECRETS = {
    "PASSWORD": "the wifi password is velvet-Harbour77",
    "EMAIL": "write to kim.lee@example.org",
    "PHONE": "call me at +44 7700 900123",
    "CARD": "the card is 4242 4242 4242 4242",
    "IBAN": "send it to DE89370400440532013000",
    "API_KEY": "use sk-proj-Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z",
    "PRIVATE_KEY": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMw",
    "CRYPTO": "send to 0x52908400098527886E0F7030069857D2E4169EE7",
    "SEED": "legal winner thank year wave sausage worth useful legal winner thank yellow",
    "IP": "the box is at 192.168.17.4 if you need it",
    "ADDRESS": "I live at 12 Elm Street, Springfield",
    "ID": "my ssn is 536-22-8145",
    "OTP": "the code is 482913",
    "CRED_URL": "https://kim:s3cr3tpw@example.org/",
}


def guard(settings: GuardSettings | None = None, *public: str) -> Guard:
    """One without files."""
    return Guard(settings or GuardSettings(), public)


def other(*texts: str) -> Conversation:
    return Conversation((Turn.of("other", texts),))


def talk(*turns: list[str]) -> Conversation:
    """Turns by turns, the other one's first."""
    return Conversation(tuple(Turn.of("owner" if n % 2 else "other", texts) for n, texts in enumerate(turns)))


def overhearing(*said: tuple[int, str], public: tuple[str, ...] = ()) -> Guard:
    overheard = listen(said, Digests(b"k" * 32))
    return Guard(GuardSettings(), public, overheard=Watched(Path("nowhere"), lambda last: last, overheard))


def with_vault(home, *secrets: tuple[str, str]) -> Guard:
    with Vault.rebuild(home.home) as vault:
        for label, value in secrets:
            assert vault.add(label, value)
    return Guard.open(home)


@pytest.mark.parametrize("label", LABELS)
def test_a_planted_secret_of_every_kind_is_caught(label):
    assert find(SECRETS[label])[0].label == label
    assert guard().catches(other("hey"), [], SECRETS[label]) == "secret"


@pytest.mark.parametrize("label", LABELS)
def test_a_secret_spread_over_bubbles_never_comes_out_whole(label):
    text = SECRETS[label]
    (span, *_) = find(text)
    for cut in range(span.start + 1, span.end):
        first, second = text[:cut].strip(), text[cut:].strip()
        asked = guard()
        caught = asked.catches(other("hey"), [], first) or asked.catches(other("hey"), [first], second)
        assert caught is not None, (first, second)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (["what's the wifi password?"], "velvet-Harbour77"),
        (["whats the code for the door"], "4711"),
        (["какой пароль от вайфая?"], "sunflower88"),
        (["wifi密码是多少"], "sunflower88"),
    ],
)
def test_the_answer_to_a_question_for_a_secret_is_caught(asked, answer):
    assert guard().catches(other(*asked), [], answer) == "secret"
    assert guard().catches(other(*asked), ["sec"], answer) == "secret"
    assert guard().catches(other("hey"), [], answer) is None


@pytest.mark.parametrize("label", sorted(set(LABELS) - {"SEED", "PRIVATE_KEY"}))
def test_what_the_other_person_just_wrote_may_be_said_back(label):
    assert guard().catches(other("hey", SECRETS[label]), [], SECRETS[label]) is None
    assert guard().catches(talk([SECRETS[label]], ["ok"], ["what did I say?"]), [], f"ok, {SECRETS[label]}") is None


def test_what_the_twin_said_itself_is_no_reason_to_say_it_again():
    assert guard().catches(talk(["hey"], [SECRETS["PHONE"]], ["what?"]), [], SECRETS["PHONE"]) == "secret"


def test_a_value_is_only_free_if_all_of_it_was_written():
    asked = other("is it +44 7700 900124?")
    assert guard().catches(asked, [], "no, +44 7700 900123") == "secret"
    assert guard().catches(asked, [], "yes, 07700 900124") == "secret"
    assert guard().catches(asked, [], "yes, +447700900124") is None


def test_what_the_settings_tell_of_the_owner_is_public(home):
    owner = Owner(place="12 Elm Street, Springfield", about=("Write to me at kim.lee@example.org.",))
    asked = Guard.open(home.model_copy(update={"owner": owner}))
    assert asked.catches(other("where do you live"), [], SECRETS["ADDRESS"]) is None
    assert asked.catches(other("mail?"), [], "kim.lee@example.org") is None
    assert asked.catches(other("mail?"), [], "lee.kim@example.org") == "secret"


@pytest.mark.parametrize(
    ("label", "value", "bubbles"),
    [
        ("PASSWORD", "Tr0ub4dor&3", ["its Tr0ub4dor&3"]),
        ("PASSWORD", "hunter two", ["HUNTER", "two"]),
        ("PASSWORD", "correct horse staple", ["so it was correct", "horse", "staple"]),
        ("PASSWORD", "velvetharbour", ["v e l v e t", "h a r b o u r"]),
        ("PHONE", "+44 7700 900123", ["seven? 7700", "900", "123"]),
        ("ADDRESS", "北京市朝阳区幸福路12号", ["北京市朝阳区", "幸福路12号"]),
        ("OTP", "4711", ["4711 I think"]),
    ],
)
def test_a_secret_of_the_vault_is_caught_however_it_is_spelled_and_spread(home, label, value, bubbles):
    asked = with_vault(home, (label, value))
    *said, last = bubbles
    assert asked.catches(other("hey"), said, last) in ("vault", "secret")
    assert asked.counts["vault"] + asked.counts["secret"] == 1
    assert asked.catches(other(value), said, last) is None, "they wrote it themselves"
    assert Guard.open(home).catches(other("hey"), [], "nothing of that sort") is None


def test_a_secret_of_the_vault_is_caught_when_its_halves_stand_in_two_replies(home):
    asked = with_vault(home, ("PASSWORD", "correct horse staple"))
    asking = talk(["so?"], ["correct horse"], ["and?"])
    assert asked.catches(asking, [], "staple") == "vault"
    assert asked.catches(asking, [], "dunno") is None


def test_the_vault_is_asked_as_it_is_now_and_not_as_it_was_at_the_start(home):
    asked = Guard.open(home)
    assert asked.catches(NOTHING, [], "velvet harbour morning") is None
    with Vault.rebuild(home.home) as vault:
        vault.add("PASSWORD", "velvet harbour morning")
    assert asked.catches(NOTHING, [], "velvet harbour morning") == "vault"
    with Vault.rebuild(home.home):
        pass
    assert asked.catches(NOTHING, [], "velvet harbour morning") is None


def test_a_vault_that_cannot_be_read_lets_nothing_through(home, caplog):
    asked = with_vault(home, ("PASSWORD", "velvet harbour"))
    (home.home / VAULT_FILE).write_text("{")
    with caplog.at_level(logging.DEBUG):
        assert asked.catches(NOTHING, [], "good morning") == "failed"
        assert asked.catches(NOTHING, [], "good morning") == "failed"
    assert "StoreError" in caplog.text and "morning" not in caplog.text
    with pytest.raises(StoreError):
        Guard.open(home)
    with Vault.rebuild(home.home):
        pass
    assert asked.catches(NOTHING, [], "good morning") is None
    assert asked.counts["failed"] == 2


@pytest.mark.parametrize(
    ("said", "bubble"),
    [
        ([], PLAN),
        ([], f"haha {PLAN.upper()}!!"),
        (["we are going to paint the old boat"], "green before anybody wakes up"),
        (["ok so", "we are going to paint", "the old boat"], "green"),
    ],
)
def test_what_only_somebody_else_wrote_is_caught_and_over_bubbles_too(said, bubble):
    asked = overhearing((1, PLAN))
    assert asked.catches(other("hey"), said, bubble) == "others"
    assert asked.catches(other("hey"), said[:-1], said[-1]) is None if said else True
    assert overhearing((1, PLAN), (OWNER, PLAN)).catches(other("hey"), said, bubble) is None
    assert overhearing((1, PLAN), (2, PLAN), (3, PLAN)).catches(other("hey"), said, bubble) is None


def test_a_turn_that_is_gone_on_with_is_joined_with_what_follows():
    asked = overhearing((1, PLAN))
    begun = talk(["so?"], ["we are going to paint the old"])
    assert asked.catches(begun, [], "boat green before") == "others"
    assert asked.catches(talk(["so?"], ["we are going to paint the old"], ["?"]), [], "boat green before") is None


def test_a_quote_of_this_very_conversation_is_let_be():
    asked = overhearing((1, PLAN))
    assert asked.catches(other("hey", PLAN), [], f"what do you mean, {PLAN}?") is None
    assert asked.catches(other(*PLAN.split(" before ")), [], PLAN.split(" before ")[0]) is None
    assert overhearing((1, PLAN), public=(PLAN,)).catches(NOTHING, [], PLAN) is None


def test_a_long_reply_is_compared_with_its_last_words_only_where_they_meet():
    asked = overhearing((1, PLAN))
    counting = " ".join(f"then {n}" for n in range(200))
    assert asked.catches(NOTHING, [counting], "which nobody ever wrote to me at all") is None
    assert asked.catches(NOTHING, [f"{counting} {PLAN[:30]}"], PLAN[30:]) == "others"


@pytest.mark.parametrize(
    ("said", "bubble"),
    [
        ([], "I like the cat I like the cat I like the cat I like the cat"),
        ([], "no " * 12),
        (["so what now", "so what now"], "so what now"),
        ([], "a" * 90),
        ([], "好的我知道了好的我知道了好的我知道了好的我知道了"),
    ],
)
def test_a_loop_is_caught_within_a_bubble_and_over_bubbles(said, bubble):
    assert guard().catches(other("hey"), said, bubble) == "loop"


def test_the_same_sentence_in_a_third_turn_on_end_is_a_loop():
    asked = talk(["hey"], ["yeah I know right"], ["so?"], ["yeah I know right"], ["what?"])
    assert guard().catches(asked, [], "Yeah, I know, right!") == "loop"
    assert guard().catches(asked, [], "yeah ok") is None
    assert guard().catches(talk(["hey"], ["yeah I know right"], ["so?"]), [], "yeah I know right") is None


@pytest.mark.parametrize(
    "bubble",
    ["hahahahahahahaha", "no no no no", "!!!!!!!!!!", "yessssss", "😂😂😂😂😂😂😂😂", "哈哈哈哈哈哈哈", "ok ok ok"],
)
def test_how_people_repeat_themselves_is_let_be(bubble):
    assert guard().catches(other("hey"), [], bubble) is None


@pytest.mark.parametrize("bubble", ["Me:", "Them: hey", "ok<|im_end|>", "<think> hm", "[photo]", "call [phone] later"])
def test_what_only_a_model_is_to_see_is_caught(bubble):
    assert guard().catches(other("hey"), [], bubble) == "role"


@pytest.mark.parametrize(
    "bubble", ["", " ", "\n\t", "\u200b", "\u200d\ufe0f", "\u2800\u3164", "\x00\x07", "\ufeff", "\ue000"]
)
def test_nothing_to_see_is_caught_as_empty(bubble):
    assert guard().catches(other("hey"), [], bubble) == "empty"
    assert guard().catches_nothing([bubble]) == "empty"
    assert guard().catches_nothing([]) == "empty"


@pytest.mark.parametrize("bubble", ["?", "...", "👍", "ok", "。", "❤️", "🫠", "+1"])
def test_little_is_not_nothing(bubble):
    assert guard().catches(other("hey"), [], bubble) is None
    assert guard().catches_nothing(["", bubble]) is None


@pytest.mark.parametrize("language", sorted(LINES))
def test_ordinary_lines_of_every_language_are_let_be(language):
    asked = overhearing((1, PLAN))
    lines = LINES[language]
    caught = [
        line for n, line in enumerate(lines) if asked.catches(other(lines[n - 1]), lines[max(0, n - 2) : n], line)
    ]
    assert caught == []


def test_settings_switch_off_what_they_name_and_nothing_else(home):
    with Vault.rebuild(home.home) as vault:
        vault.add("PASSWORD", "velvet harbour morning")
    (home.home / OVERHEARD_FILE).unlink(missing_ok=True)
    listen([(1, PLAN)], Digests(read_key(home.home, may_make=True))).save(home.home)
    on = Guard.open(home)
    assert [on.catches(NOTHING, [], text) for text in (SECRETS["PHONE"], "velvet harbour morning", PLAN)] == [
        "secret",
        "vault",
        "others",
    ]
    off = Guard.open(home.model_copy(update={"guard": GuardSettings(secrets=False, others=False)}))
    assert [off.catches(NOTHING, [], text) for text in (SECRETS["PHONE"], "velvet harbour morning", PLAN)] == [None] * 3
    assert off.catches(NOTHING, [], "Me:") == "role" and off.catches_nothing([]) == "empty"


def filled(store, *texts: str) -> None:
    store.add_dialog(7, None)
    store.write_messages(
        [Message(7, n, START + timedelta(minutes=n), 7, False, text) for n, text in enumerate(texts, 1)]
    )


def test_what_others_wrote_is_read_from_the_database_if_it_never_was(home, store):
    filled(store, PLAN)
    assert not (home.home / OVERHEARD_FILE).exists()
    assert Guard.open(home).catches(NOTHING, [], PLAN) == "others"
    assert (home.home / OVERHEARD_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["torn", "open", "of another key"])
def test_what_others_wrote_is_read_again_if_its_file_is_no_good(home, store, damage):
    filled(store, PLAN)
    overhear(store.db, home.home)
    file = home.home / OVERHEARD_FILE
    if damage == "torn":
        file.write_bytes(file.read_bytes()[:-3])
    elif damage == "open":
        file.chmod(0o644)
    else:
        (home.home / "vault.key").unlink()
    assert Guard.open(home).catches(NOTHING, [], PLAN) == "others"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_new_reading_counts_at_once_and_a_damaged_one_leaves_the_old(home, store):
    filled(store, "something short")
    asked = Guard.open(home)
    assert asked.catches(NOTHING, [], PLAN) is None
    filled(store, "something short", PLAN)
    overhear(store.db, home.home)
    assert asked.catches(NOTHING, [], PLAN) == "others"
    (home.home / OVERHEARD_FILE).write_bytes(b"torn")
    assert asked.catches(NOTHING, [], PLAN) == "others"
    (home.home / OVERHEARD_FILE).unlink()
    assert asked.catches(NOTHING, [], PLAN) == "others"


def test_a_check_that_breaks_down_lets_nothing_through_and_tells_no_words(monkeypatch, caplog):
    def broken(_: object) -> object:
        raise ValueError("velvet")

    monkeypatch.setattr("inference.guard.find_window", broken)
    asked = guard()
    with caplog.at_level(logging.DEBUG):
        assert asked.catches(other("hey"), [], "good morning") == "failed"
    assert "ValueError" in caplog.text and "velvet" not in caplog.text and "morning" not in caplog.text


def test_nothing_that_is_caught_is_logged_or_kept(caplog):
    asked = overhearing((1, PLAN))
    with caplog.at_level(logging.DEBUG):
        for bubble in (*SECRETS.values(), PLAN, "Me: velvet"):
            assert asked.catches(other("hey"), [], bubble)
    assert "secret" in caplog.text and "others" in caplog.text
    for word in ("velvet", "boat", "7700", "sausage", "kim"):
        assert word not in caplog.text and word not in repr(vars(asked))


@given(
    st.text(max_size=80),
    st.lists(st.text(max_size=40), max_size=3),
    st.lists(st.lists(st.text(max_size=40), min_size=1, max_size=3), max_size=3),
)
def test_no_text_makes_a_check_break_down(bubble, said, turns):
    asked = overhearing((1, PLAN), (1, bubble))
    assert asked.catches(talk(*turns), said, bubble) in (None, *KINDS[:-1])
    assert asked.counts["failed"] == 0 and asked.counts["vault"] == 0


def test_counts_name_every_kind_and_miss_no_thread():
    asked = guard()
    assert asked.counts == dict.fromkeys(KINDS, 0)
    start = threading.Barrier(8)

    def ask(_: int) -> None:
        start.wait()
        for _ in range(50):
            asked.catches(NOTHING, [], "Me:")
            asked.catches_nothing([])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(8)))
    assert asked.counts == dict.fromkeys(KINDS, 0) | {"role": 400, "empty": 400}


def test_every_language_of_placeholders_has_phrases_that_pass_the_guard_themselves():
    assert set(PHRASES) == LANGUAGES
    for language, phrases in PHRASES.items():
        assert len(set(phrases)) == 3
        assert guess(phrases * 3) == language, language
        for n, phrase in enumerate(phrases):
            assert phrase[0] == phrase[0].lower() and not phrase.endswith(".")
            assert guard().stock_phrase(language, (n + 0.5) / 3) == (phrase,)
            assert guard().catches(other("hey"), [], phrase) is None


def test_a_phrase_of_the_owners_own_is_said_instead_and_unknown_languages_get_english():
    mine = GuardSettings(stock_phrases=("brb", " ", "later!"))
    assert [guard(mine).stock_phrase("de", chance) for chance in (0, 0.49, 0.5, 0.999)] == [
        ("brb",),
        ("brb",),
        ("later!",),
        ("later!",),
    ]
    assert guard(GuardSettings(stock_phrases=("  ",))).stock_phrase("xx", 0)[0] in PHRASES["en"]


def test_vault_and_note_are_renewed_under_eight_threads_and_no_answer_is_wrong(home, store):
    filled(store, PLAN)
    asked = with_vault(home, ("PASSWORD", "velvet harbour morning"))
    done = threading.Event()
    expected = {"not much, you?": None, "velvet harbour morning": "vault", PLAN: "others", "Me:": "role"}

    def ask(number: int) -> int:
        rounds = 0
        while rounds < 5 or not done.is_set():
            for text, kind in expected.items():
                assert asked.catches(other(f"hey {number}"), [], text) == kind
            rounds += 1
        return rounds

    with ThreadPoolExecutor(8) as threads:
        asking = [threads.submit(ask, number) for number in range(8)]
        try:
            for _ in range(10):
                with Vault.rebuild(home.home) as vault:
                    vault.add("PASSWORD", "velvet harbour morning")
                overhear(store.db, home.home)
        finally:
            done.set()
        rounds = sum(future.result() for future in asking)
    assert asked.counts == dict.fromkeys(KINDS, 0) | {"vault": rounds, "others": rounds, "role": rounds}
