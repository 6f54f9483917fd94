"""What the owner is told of their own chats: cards, the connection, the list of chats.

Knows nothing of Telegram or the database: facts in, words out.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.business.connections import Connection
from bot.business.drafts import Draft
from bot.business.modes import Mode, Seen

_HEARD, _SAID = 300, 700  # characters of what somebody wrote, and of what is suggested or was said: all of it fits

NOT_CONNECTED = "Nothing can be sent: the bot is not connected to your account any more."
NO_RIGHT = (
    "Nothing can be sent: the bot lacks the right to reply to messages. Give it in Telegram under Settings → Business →"
    " Chatbots."
)
TOO_LATE = "Too late: a bot may write only within 24 hours of the other's last message. Nothing was sent."
ASK = "Answer this message with what to say; each line becomes a message of its own."
ONLY_WORDS = "Only words can be sent for you: answer the card with text."
EDIT_FIRST = "Nothing was sent. Press Edit on that card first: then what you answer it with is sent."
DONE_ALREADY = "Nothing was sent: that card is done with."
DELETED = "They deleted what this answers."
EDITED = "They edited what this answers: another suggestion follows."
IN_PART = "What came before it was sent."
SWITCHED_OFF = "You switched this chat off."
KEPT_OUT = "You keep them out: see /deny."
PAUSED = "Not sent: the pause was too long."
USAGE = "Press a name to change what I do there: off → draft → auto."
NOBODY = "Nothing was said in any of your chats since I am connected."
_REFUSALS = {"BUSINESS_PEER_USAGE_MISSING": TOO_LATE, "BUSINESS_CONNECTION_INVALID": NOT_CONNECTED}

_ENDS = {
    "sent": "Sent.",
    "edited": "You said instead:",
    "skipped": "Skipped.",
    "answered": "You answered yourself.",
    "stale": "They wrote again: what to say to all of it follows.",
    "late": TOO_LATE,
}


def card(draft: Draft, name: str, heard: Sequence[str]) -> str:
    """A draft as the owner sees it."""
    parts = []
    if heard:
        parts.append(f"{name} wrote:\n{_short(heard, _HEARD)}")
    else:
        parts.append(name)
    if draft.bubbles:
        parts.append(f"I would say:\n{_short(draft.bubbles, _SAID)}")
    if draft.outcome != "open" and draft.outcome in _ENDS and draft.note is None:
        said = f"\n{_short(draft.said, _SAID)}" if draft.said else ""
        parts.append(_ENDS[draft.outcome] + said)
    if draft.note is not None:
        parts.append(draft.note)
    if draft.outcome == "open" and draft.is_asked:
        parts.append(ASK)
    return "\n\n".join(parts)


def refusal(reason: str) -> str:
    """What a refusal of Telegram's means."""
    for code, sentence in _REFUSALS.items():
        if code in reason.upper().replace(" ", "_"):
            return sentence
    return f"Telegram refused to send it: {' '.join(reason.split())[:200]}."


def over(limit: str, most: int) -> str:
    """Somebody wrote more than is answered."""
    period = "a minute" if limit == "minute" else "24 hours"
    return f"Not answered: that is more than {most} messages in {period}. This is told once in that time."


def connection(found: Connection | None) -> str:
    """How the connection stands."""
    if found is None:
        return "I am not connected to your account. In Telegram: Settings → Business → Chatbots, and my @username."
    if not found.is_enabled:
        return "I am not connected to your account any more: nothing is suggested or sent in your chats."
    if not found.can_reply:
        return (
            "I am connected to your account, but may not reply to messages: I can suggest, and nothing is sent."
            " The right is given in Telegram under Settings → Business → Chatbots."
        )
    return "I am connected to your account, and may reply to messages."


def default(mode: Mode) -> str:
    """What is done in chats of which the owner said nothing."""
    return f"Unless you say otherwise, a chat is: {mode}."


def overview(found: Connection | None, mode: Mode, seen: Sequence[Seen]) -> str:
    """The answer to /business."""
    return "\n".join([connection(found), default(mode), USAGE if seen else NOBODY])


def button(seen: Seen) -> str:
    """Somebody in the list."""
    return f"{seen.name}: {seen.mode}"


def _short(texts: Sequence[str], most: int) -> str:
    """Texts a line each, not more than so many characters of them."""
    text = "\n".join(" ".join(text.split()) for text in texts if text.strip())
    return text if len(text) <= most else f"{text[:most]}…"
