"""What Telegram's updates hint at: that something is new, changed or gone in a private dialog.

Knows nothing of networks, and trusts no update with more than the hint: what a message says now is asked for, so that
nothing depends on the order or the completeness of updates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Hint:
    """Something happened.

    Attributes:
        chat_id: in the dialog with this user; None when the update does not tell.
        new: id of a message that is new, 0 for none.
        changed: ids of messages that were edited or reacted to.
        gone: ids of messages that were deleted.
        missed: the connection was lost for a while; what happened meanwhile can be asked for.
        lost: too much happened for Telegram to tell; everything has to be looked at.
    """

    chat_id: int | None = None
    new: int = 0
    changed: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    missed: bool = False
    lost: bool = False


def read_update(update: Any) -> Hint | None:
    """What a Telegram update says of private dialogs; None for everything else."""
    match type(update).__name__:
        case "UpdateNewMessage":
            chat_id = _private(update.message)
            return None if chat_id is None else Hint(chat_id, new=update.message.id)
        case "UpdateShortMessage":
            return Hint(update.user_id, new=update.id)
        case "UpdateEditMessage":
            chat_id = _private(update.message)
            return None if chat_id is None else Hint(chat_id, changed=(update.message.id,))
        case "UpdateMessageReactions":
            chat_id = _user(update.peer)
            return None if chat_id is None else Hint(chat_id, changed=(update.msg_id,))
        case "UpdateDeleteMessages" if update.messages:
            return Hint(gone=tuple(update.messages))
    return None


def _private(message: Any) -> int | None:
    return _user(getattr(message, "peer_id", None))


def _user(peer: Any) -> int | None:
    return getattr(peer, "user_id", None)
