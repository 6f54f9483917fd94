"""Held-out material made up for tests of fidelity: a few sessions, contexts in them, and a reader of a tiny model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from inference.tokenizer import BaseTokenizer
from training.fidelity.material import Context, Material, Reply, bubbles_of
from training.fidelity.trees import Reader
from twin.messages import Bubble, Conversation, Session, Turn
from twin.prompt import PromptSpec

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
CPU = torch.device("cpu")


def reader_of(folder: Path, spec: PromptSpec = PromptSpec(), dtype: torch.dtype = torch.float32) -> Reader:  # noqa: B008
    """A base model's folder as something to read with."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    model.requires_grad_(False)
    return Reader(model, spec, BaseTokenizer(folder), CPU)


def talk(chat: int, *texts: str, begins: str = "other") -> Session:
    """A session of turns, speakers alternating, bubbles parted by "|"; one that begins with "*" is nobody's words."""
    speakers = ("other", "owner") if begins == "other" else ("owner", "other")
    turns = tuple(
        Turn(
            speakers[place % 2],
            tuple(Bubble(part.lstrip("*"), not part.startswith("*")) for part in text.split("|")),
            NOON + timedelta(minutes=place),
            NOON + timedelta(minutes=place),
        )
        for place, text in enumerate(texts)
    )
    return Session(chat, turns)


def contexts_of(sessions: Sequence[Session]) -> list[Context]:
    """Every moment in which the owner answers."""
    found = []
    for number, session in enumerate(sessions):
        for place, turn in enumerate(session.turns):
            if place and turn.is_supervisable:
                own = next(at for at, bubble in enumerate(turn.bubbles) if bubble.authored)
                begun = (Turn("owner", turn.bubbles[:own], turn.started_at, turn.ended_at),) if own else ()
                before = Session(session.chat_id, (*session.turns[:place], *begun))
                asked = Conversation.of(before, turn.started_at)
                name = f"{session.chat_id}:{number}:{place}"
                found.append(Context(name, asked, session, place, Reply(bubbles_of(turn), session.chat_id)))
    return found


def said(sessions: Sequence[Session], speaker: str) -> tuple[Reply, ...]:
    """What one side said in all of them, a reply a turn."""
    return tuple(
        Reply(bubbles_of(turn), session.chat_id)
        for session in sessions
        for turn in session.turns
        if turn.speaker == speaker and bubbles_of(turn)
    )


def material_of(test: Sequence[Session], train: Sequence[Session] = ()) -> Material:
    """Material without a validation part."""
    return Material(
        tuple(contexts_of(test)),
        owner_train=said(train, "owner"),
        owner_val=(),
        owner_test=said(test, "owner"),
        partner_train=said(train, "other"),
        partner_val=(),
        partner_test=said(test, "other"),
        past=tuple(contexts_of(train)),
    )


def chatter(count: int, turns: int = 12, seed: int = 0) -> list[Session]:
    """Sessions of random words, no two turns alike."""
    draw = torch.Generator().manual_seed(seed)

    def words() -> str:
        length = int(torch.randint(1, 7, (), generator=draw))
        return " ".join(
            "".join(chr(97 + int(letter)) for letter in torch.randint(0, 26, (3,), generator=draw))
            for _ in range(length)
        )

    return [talk(10 + number, *(f"{words()}|{words()}" for _ in range(turns))) for number in range(count)]
