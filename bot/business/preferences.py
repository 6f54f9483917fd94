"""What the owner made of suggested replies, as rows to learn preferences from.

Knows nothing of files or Telegram. Rows are conversational preferences as TRL reads them
(https://huggingface.co/docs/trl/dataset_formats): a skipped suggestion has only what was rejected. Nothing is passed
over without a reason, and nothing leaves that could not be examined for secrets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import takewhile
from typing import Any

from bot.business.drafts import Draft, Drafts
from bot.history import History
from twin.conversations import bubble, latest_session
from twin.language import of_owner
from twin.messages import Message
from twin.places import chat_at
from twin.privacy import Span, find_window, replace
from twin.privacy.blocklist import Blocklist
from twin.settings import Settings
from twin.store import Store
from twin.templates import write_bubble

Bubbles = tuple[str, ...]
_ROLES = {"other": "user", "owner": "assistant"}
_NOT_SAID = {
    "open": "not decided",
    "sent": "sent as suggested",
    "stale": "overtaken",
    "late": "too late to send",
    "refused": "refused by Telegram",
    "none": "nothing was suggested",
}
NO_CONTEXT, NO_WORDS, SAME = "what was said before is gone", "no words of yours", "the same as suggested"
SECRET, UNEXAMINED, BLOCKED, EXCLUDED = (
    "a secret in a reply",
    "could not be examined",
    "blocked words",
    "excluded dialog",
)


class _LeftOut(Exception):
    """A draft makes no row, for this reason."""


@dataclass(slots=True)
class Preferences:
    """Rows, and what was left out.

    Attributes:
        rows: {"prompt": messages, "rejected": [message], "adapter": version}, and unless it was skipped "chosen".
        kept: how many rows there are, by what the owner did.
        left_out: how many drafts made none, by reason.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


def preferences(store: Store, settings: Settings) -> Preferences:
    """All that can be learned from, oldest first."""
    found, reading = Preferences(), _Reading(store, settings)
    for draft in Drafts(store.db, lambda: 0.0).all():
        try:
            row = reading.row(draft)
        except _LeftOut as reason:
            found.left_out[str(reason)] += 1
        else:
            found.rows.append(row)
            found.kept[draft.outcome] += 1
    return found


class _Reading:
    """What it takes to make rows of drafts."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._history = History(store.db)
        self._excluded = store.dialog_table.excluded()
        self._language = of_owner(store.db, settings)
        self._blocklist = Blocklist.of(settings.privacy.words, settings.privacy.people)
        self._gap = timedelta(minutes=settings.dataset.session_gap_minutes)
        self._most = settings.telegram.history_messages

    def row(self, draft: Draft) -> dict[str, Any]:
        """A draft's row.

        Raises:
            _LeftOut: it makes none.
        """
        if draft.outcome in _NOT_SAID:
            raise _LeftOut(_NOT_SAID[draft.outcome])
        if chat_at(draft.place) in self._excluded:
            raise _LeftOut(EXCLUDED)
        prompt = self._prompt(draft)
        replies = {"rejected": draft.bubbles}
        if draft.outcome != "skipped":
            replies["chosen"] = draft.said if draft.outcome == "edited" else self._answered(draft)
            if not replies["chosen"]:
                raise _LeftOut(NO_WORDS)
            if replies["chosen"] == draft.bubbles:
                raise _LeftOut(SAME)
        clean = self._examined(prompt, replies)
        told = {name: [_message("assistant", bubbles)] for name, bubbles in replies.items()}
        return {"prompt": clean, **told, "adapter": draft.adapter}

    def _prompt(self, draft: Draft) -> list[tuple[str, Bubbles]]:
        """Turns up to what was to be answered, as (role, bubbles)."""
        messages = self._history.messages(draft.place, self._most, until=draft.until_id)
        session = latest_session(messages, self._gap, self._language)
        turns = session.turns if session is not None else ()
        if not turns or turns[-1].speaker != "other":
            raise _LeftOut(NO_CONTEXT)
        return [(_ROLES[turn.speaker], tuple(bubble.text for bubble in turn.bubbles)) for turn in turns]

    def _answered(self, draft: Draft) -> Bubbles:
        """What the owner wrote themselves, until somebody else did or a conversation was over; only their own words."""
        said: list[Message] = []
        for message in takewhile(lambda message: message.is_owner, self._history.after(draft.place, draft.until_id)):
            if said and message.sent_at - said[-1].sent_at > self._gap:
                break
            said.append(message)
        shown = [bubble(message, self._language) for message in said]
        return tuple(one.text for one in shown if one is not None and one.authored)

    def _examined(self, prompt: list[tuple[str, Bubbles]], replies: dict[str, Bubbles]) -> list[dict[str, str]]:
        """The prompt with placeholders for secrets; a reply that holds one teaches nothing, as in training."""
        before = [text for _, bubbles in prompt for text in bubbles]
        said = [text for bubbles in replies.values() for text in bubbles]
        if any(self._blocklist.mentions(text) for text in (*before, *said)):
            raise _LeftOut(BLOCKED)
        for bubbles in replies.values():
            if any(_spans([*before, *bubbles])[len(before) :]):
                raise _LeftOut(SECRET)
        spans = iter(_spans(before))
        return [
            _message(role, [replace(text, found) if (found := next(spans)) else text for text in bubbles])
            for role, bubbles in prompt
        ]


def _spans(texts: Sequence[str]) -> list[list[Span]]:
    """What is secret in each of consecutive messages.

    Raises:
        _LeftOut: that could not be found out.
    """
    try:
        return find_window(texts)
    except Exception as error:
        raise _LeftOut(UNEXAMINED) from error


def _message(role: str, bubbles: Sequence[str]) -> dict[str, str]:
    """A turn: a bubble a line, line breaks within one as in the text that the model reads."""
    return {"role": role, "content": "\n".join(map(write_bubble, bubbles))}
