"""Made-up histories for tests: short, regular, and nobody's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twin.messages import Message
from twin.store import Store

START = datetime(2024, 1, 1, tzinfo=UTC)
ANSWERS = ("yeah ok", "no idea lol", "haha see you there", "coming")
QUESTIONS = ("are you coming tonight?", "what do you think", "hey", "when?")


def fill(store: Store, days: int = 30, chat: int = 7, a_day: int = 8, first_day: int = 0) -> None:
    """Every day one conversation of questions and the owner's answers, which depend on the question alone."""
    store.add_dialog(chat, "Somebody")
    store.write_messages(
        [
            Message(
                chat_id=chat,
                message_id=day * a_day + n + 1,
                sent_at=START + timedelta(days=day, minutes=n),
                sender_id=1 if n % 2 else chat,
                is_owner=bool(n % 2),
                text=(ANSWERS if n % 2 else QUESTIONS)[(day + n // 2) % 4],
            )
            for day in range(first_day, first_day + days)
            for n in range(a_day)
        ]
    )
