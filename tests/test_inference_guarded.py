"""Guarded answers: the real guard before an engine that is told what to write; what it catches never gets out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inference.answering import Answering
from inference.engine import OnText, Request, Written
from inference.generator import TwinReply, Wish
from inference.guard import Guard
from inference.stock_phrases import PHRASES
from twin.manifest import Manifest
from twin.messages import Conversation, Message, Turn
from twin.overhearing import overhear
from twin.privacy.vault import Vault
from twin.prompt import PromptSpec
from twin.registry import BaseIdentity, Registry
from twin.sections import Reply

PLAN = "we are going to paint the old boat green before anybody wakes up"
START = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = Conversation((Turn.of("other", ["hey", "so what's up?"]),))
PLANTED = {
    "secret": "call me at +44 7700 900123",
    "vault": "velvet harbour morning",
    "others": f"haha {PLAN}",
    "loop": "I like the cat " * 6,
    "role": "Me: what now",
    "empty": "",
}


class Letters:
    """A tokenizer with a token for each character."""

    bos = (0,)
    fingerprint = "letters"

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        return [[ord(sign) for sign in text] for text in texts]

    def own_template(self) -> None:
        return None


class Script:
    """An engine that writes one text after another, a character at a time, and notes what it was asked."""

    tokenizer = Letters()
    identity = BaseIdentity("script", "f", "none")

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.prompts: list[str] = []
        self.written: list[str] = []

    def prepare(self, version: str, folder: Path, manifest: Manifest) -> None:
        raise AssertionError("there are no adapters here")

    def use(self, version: str | None) -> None:
        """The bare model, always."""

    def drop(self, version: str) -> None:
        """Nothing to forget."""

    def probe(self) -> Mapping[int, float]:
        return {1: -1.0}

    def write(
        self,
        requests: Sequence[Request],
        on_text: OnText = lambda _, __: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Written]:
        (request,) = requests
        self.prompts.append("".join(map(chr, request.prompt[1:])))
        text, written, stopped = self.texts.pop(0) + "\n\n", "", False
        for sign in text:
            if stopped := is_cancelled():
                break
            written += sign
            on_text(0, sign)
            if request.is_complete(written):
                break
        self.written.append(written)
        return [Written(tuple(map(ord, written)), written, -1.0, "cancelled" if stopped else "turn", len(written))]

    def release(self) -> None:
        """Nothing to free."""

    resume = close = release


@pytest.fixture
def guard(home, store) -> Guard:
    """With a vault, and a friend's words behind it."""
    store.add_dialog(7, None)
    store.write_messages([Message(7, 1, START + timedelta(minutes=1), 7, False, PLAN)])
    overhear(store.db, home.home)
    with Vault.rebuild(home.home) as vault:
        vault.add("PASSWORD", PLANTED["vault"])
    return Guard.open(home)


def answer(home, store, guard: Guard, script: Script, asked: Conversation = ASKED) -> tuple[TwinReply, list[str]]:
    """The reply and what a reader was told on the way."""
    told: list[str] = []
    registry = Registry(home.adapters, store.db)
    answering = Answering(script, registry, Reply(max_tokens=400), PromptSpec(context_tokens=2048), guard)
    reply = answering.reply(asked, Wish(on_bubble=told.append, seed=1))
    assert tuple(told) == reply.bubbles, "nothing is taken back, and nothing comes later"
    return reply, told


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_caught_is_written_anew_and_never_gets_out(home, store, guard, kind):
    script = Script(PLANTED[kind], "not much, you?\nsame old")
    reply, told = answer(home, store, guard, script)
    assert told == ["not much, you?", "same old"]
    assert reply.caught == (kind,) and guard.counts[kind] == 1
    assert len(script.prompts) == 2 and script.prompts[0] == script.prompts[1]


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_caught_twice_is_a_stock_phrase(home, store, guard, kind):
    reply, told = answer(home, store, guard, Script(PLANTED[kind], PLANTED[kind], "never asked for"))
    assert told[0] in PHRASES["en"] and len(told) == 1
    assert reply.caught == (kind, kind) and guard.counts[kind] == 2


@pytest.mark.parametrize("kind", sorted(PLANTED.keys() - {"empty"}))
def test_what_was_said_before_stays_and_the_rest_is_written_anew_from_there(home, store, guard, kind):
    script = Script(f"not much\n{PLANTED[kind]}\nand more", "you?")
    reply, told = answer(home, store, guard, script)
    assert told == ["not much", "you?"] and reply.caught == (kind,)
    assert script.prompts[1] == f"{script.prompts[0]}not much\n"
    assert "and more" not in script.written[0], "the engine is stopped where it is"


def test_a_reply_that_goes_wrong_twice_half_way_ends_there(home, store, guard):
    reply, told = answer(home, store, guard, Script(f"not much\n{PLANTED['secret']}", PLANTED["vault"]))
    assert told == ["not much"] and reply.caught == ("secret", "vault")


def test_a_secret_spread_over_bubbles_never_gets_out_whole(home, store, guard):
    reply, told = answer(home, store, guard, Script("my number? 07700\n900123\nok?", "another time"))
    assert "900123" not in "".join(told) and told[-1] == "another time"
    reply, told = answer(home, store, guard, Script("velvet\nharbour\nmorning\nok?", "another time"))
    assert told == ["velvet", "harbour", "another time"] and reply.caught == ("vault",)


def test_a_friends_words_spread_over_bubbles_never_get_out_whole(home, store, guard):
    reply, told = answer(home, store, guard, Script(PLAN.replace(" ", "\n"), "dunno"))
    said = re.sub(r"\W+", " ", " ".join(told))
    assert told[-1] == "dunno" and reply.caught == ("others",)
    assert len(said.removesuffix(" dunno")) < 40


def test_an_answer_to_a_question_for_a_secret_is_caught_and_an_echo_is_not(home, store, guard):
    asked = Conversation((Turn.of("other", ["what's the wifi password again?"]),))
    _, told = answer(home, store, guard, Script("sunflower88", "no idea"), asked)
    assert told == ["no idea"]
    asked = Conversation((Turn.of("other", ["my number is 07700 900123"]),))
    _, told = answer(home, store, guard, Script("07700 900123, got it"), asked)
    assert told == ["07700 900123, got it"]


def test_a_guard_that_cannot_look_says_nothing_of_the_models(home, store, guard):
    (home.home / "vault.json").write_text("{")
    reply, told = answer(home, store, guard, Script("not much", "not much"))
    assert told[0] in PHRASES["en"] and reply.caught == ("failed", "failed")
