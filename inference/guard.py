"""The guard: what the twin never says, whatever it learned; asked before every bubble.

Knows nothing of models, or of what becomes of a reply that it stops. What it caught is counted by kind, never kept.

    empty     nothing that anybody could see
    role      what only the model was to see: see twin/backstage.py
    loop      the same over and over: see twin/loops.py
    secret    what looks like a password, number, address ...: see twin/privacy
    vault     a secret that was found in the owner's messages, however it is spelled now
    others    what only somebody else wrote, 40 characters of it word for word: see twin/privacy/overheard.py
    failed    a check broke down: what cannot be checked is not said

A bubble is looked at together with what stands before it: a secret may be spread over bubbles, or answer a question.
What the other person wrote in this very conversation, and what the settings tell of the owner ([owner]), may be said:
it is no secret to them. That the twin said something before is no reason to say it again.
"""

from __future__ import annotations

import logging
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from inference.stock_phrases import stock_phrase
from inference.watched import Watched
from twin.backstage import shows_backstage
from twin.errors import StoreError
from twin.loops import loops, says_again
from twin.messages import Conversation, Turn
from twin.privacy import find, find_window
from twin.privacy.overheard import OVERHEARD_FILE, WINDOW, Overheard, plain
from twin.privacy.vault import VAULT_FILE, Vault, stands_in
from twin.sections import Guard as GuardSettings
from twin.sections import Owner
from twin.settings import Settings
from twin.store import Store

Kind = Literal["empty", "role", "loop", "secret", "vault", "others", "failed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_BEFORE = 6  # bubbles before this one in which a question, or the first half of a secret, is looked for
_FAR = 40  # bubbles over which known words may be spread, a letter or two in each
_LONGEST = 300  # characters of each of them
_PIECES = 3  # bubbles over which a secret is looked for that is spread with a break for every space
_SENTENCE_ENDS = tuple(".,;:!?…)。，！？")  # what ends so is no half of a word
_DIGITS_AND_SIGN = re.compile(r"\d\S$")
_IN_A_ROW = 4  # one time more than what is counted as a loop in measuring: people do say things three times
_NOTHING = frozenset(("Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp"))
# What is drawn as nothing although Unicode counts it among letters, symbols or marks.
_UNSEEN = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | set(map(chr, range(0xFE00, 0xFE10)))
log = logging.getLogger(__name__)


class Guard:
    """Fulfils `inference.writing.Guard`; any thread may ask.

    Args:
        public: what the owner tells of themselves.
        vault, overheard: None for what is not to be looked at.
    """

    def __init__(
        self,
        settings: GuardSettings,
        public: Sequence[str] = (),
        vault: Watched[Vault | None] | None = None,
        overheard: Watched[Overheard] | None = None,
    ) -> None:
        self._settings = settings
        self._public = tuple(public)
        self._vault = vault
        self._overheard = overheard
        self._counts: Counter[Kind] = Counter()
        self._counting = threading.Lock()

    @classmethod
    def open(cls, settings: Settings) -> Guard:
        """As the settings have it. What others wrote is read from the database if that was never done (a few seconds
        for some 100,000 messages), or cannot be read any more.

        Raises:
            StoreError: there is a vault and it cannot be read.
        """
        home, wanted = settings.home, settings.guard
        vault = overheard = None
        if wanted.secrets:
            vault = Watched[Vault | None](home / VAULT_FILE, lambda _: Vault.open(home), None)
            vault.now()
        if wanted.others:
            overheard = Watched(home / OVERHEARD_FILE, lambda last: _read_again(home, last), _opened(settings))
        return cls(wanted, _public(settings.owner), vault, overheard)

    @property
    def counts(self) -> dict[str, int]:
        """How often each kind was caught since the start; all kinds, in the order of KINDS."""
        with self._counting:
            return {kind: self._counts[kind] for kind in KINDS}

    def catches(self, conversation: Conversation, said: Sequence[str], bubble: str) -> Kind | None:
        """See `inference.writing.Guard`. Never raises."""
        try:
            kind = self._kind(conversation, said, bubble)
        except Exception as error:  # noqa: BLE001 - what cannot be checked is not said
            log.error("A bubble could not be checked and is not said (%s)", type(error).__name__)
            kind = "failed"
        return self._counted(kind)

    def catches_nothing(self, said: Sequence[str]) -> Kind | None:
        """See `inference.writing.Guard`: whoever is asked says something."""
        return None if any(map(_is_seen, said)) else self._counted("empty")

    def stock_phrase(self, language: str, chance: float) -> tuple[str, ...]:
        """See `inference.writing.Guard`."""
        return (stock_phrase(language, chance, self._settings.stock_phrases),)

    def _counted(self, kind: Kind | None) -> Kind | None:
        if kind is not None:
            with self._counting:
                self._counts[kind] += 1
            log.debug("A bubble is kept back: %s", kind)
        return kind

    def _kind(self, conversation: Conversation, said: Sequence[str], bubble: str) -> Kind | None:
        if not _is_seen(bubble):
            return "empty"
        if shows_backstage(bubble):
            return "role"
        if loops([*said, bubble], _IN_A_ROW) or says_again(bubble, _own_turns(conversation)):
            return "loop"
        asked = _Asked(conversation, said, bubble, self._public)
        if self._settings.secrets and _tells_secret(asked):
            return "secret"
        if self._vault is not None and (vault := self._vault.now()) is not None and _is_in_vault(asked, vault):
            return "vault"
        if self._overheard is not None and _is_overheard(asked, self._overheard.now()):
            return "others"
        return None


@dataclass(frozen=True)
class _Asked:
    """A bubble, and what it is looked at with.

    Attributes:
        said: bubbles of the same reply before it, oldest first.
        public: what may be said to anybody.
    """

    conversation: Conversation
    said: Sequence[str]
    bubble: str
    public: Sequence[str]

    @cached_property
    def before(self) -> list[str]:
        """What was said last by anybody, oldest first: the reply's own bubbles at the end."""
        return [text[-_LONGEST:] for text in [*_texts(self.conversation.turns[-_BEFORE:]), *self.said][-_BEFORE:]]

    @cached_property
    def own_before(self) -> list[str]:
        """What the twin said last, in this reply and before."""
        own = [turn for turn in self.conversation.turns if turn.speaker == "owner"][-_BEFORE:]
        return [text[-_LONGEST:] for text in [*_texts(own), *self.said][-_FAR:]]

    @cached_property
    def in_one_go(self) -> list[str]:
        """What the twin said last without anybody else in between."""
        turns = self.conversation.turns
        own = turns[-1:] if turns and turns[-1].speaker == "owner" else ()
        return [*_texts(own), *self.said][-_FAR:]

    def is_told(self, value: str) -> bool:
        """Whether a value is known to the other person anyhow: their own words, or public."""
        theirs = (turn for turn in self.conversation.turns if turn.speaker == "other")
        return any(stands_in(value, text) for text in (*self.public, *_texts(theirs)))


def _tells_secret(asked: _Asked) -> bool:
    """Whether a detector sees anything in the bubble, alone or with what stands before it."""
    bubble = asked.bubble
    values = [bubble[span.start : span.end] for span in find_window([*asked.before, bubble])[-1]]
    if asked.in_one_go:
        head = " ".join(asked.in_one_go[-_PIECES:]) + " "
        values += _values(head, bubble)
        torn = asked.in_one_go[-1].rstrip()
        if _is_torn(torn, bubble.lstrip()):
            values += _values(torn, bubble.lstrip())
    return not all(map(asked.is_told, (part for value in values for part in _narrowed(value))))


def _is_torn(head: str, rest: str) -> bool:
    """Whether a value may go on in the next bubble without a space: not where a sentence ended."""
    if not head.endswith(_SENTENCE_ENDS):
        return True
    return "@" in head.split()[-1] or bool(_DIGITS_AND_SIGN.search(head) and rest[:1].isdecimal())


def _narrowed(value: str) -> list[str]:
    """What in an answer is the secret: of "I live at ..." the address."""
    return [value[span.start : span.end] for span in find(value)] or [value]


def _values(head: str, bubble: str) -> list[str]:
    """What is found in a bubble that follows something, or across the border between them."""
    head = head[-_LONGEST:]
    text = head + bubble
    return [text[span.start : span.end] for span in find(text) if span.end > len(head)]


def _is_in_vault(asked: _Asked, vault: Vault) -> bool:
    """Whether a known secret stands in the bubble, or ends in it."""
    head = "\n".join([*asked.own_before, ""])[-_LONGEST:]
    return not all(map(asked.is_told, vault.values_in(asked.bubble, before=head)))


def _is_overheard(asked: _Asked, overheard: Overheard) -> bool:
    """Whether a stretch of what only somebody else wrote stands in the bubble, or ends in it."""
    head = plain("\n".join(asked.in_one_go))
    head = head[max(0, len(head) - 2 * WINDOW) :].partition(" ")[2] if len(head) > 2 * WINDOW else head
    words = f"{head} {plain(asked.bubble)}".strip()
    found = overheard.found_in(words, since=len(head) + 1 if head else 0)
    if not found:
        return False
    there = [f" {plain(text)}" for text in (*asked.public, *_turns(asked.conversation))]
    return not all(any(f" {window}" in text for text in there) for window in found)


def _own_turns(conversation: Conversation) -> list[list[str]]:
    """The twin's latest turns; one that the reply goes on with is none of them."""
    latest = conversation.turns[-_BEFORE:]
    done = latest[:-1] if latest and latest[-1].speaker == "owner" else latest
    return [_texts([turn]) for turn in done if turn.speaker == "owner"]


def _texts(turns: Iterator[Turn] | Sequence[Turn]) -> list[str]:
    return [bubble.text for turn in turns for bubble in turn.bubbles]


def _turns(conversation: Conversation) -> Iterator[str]:
    return ("\n".join(bubble.text for bubble in turn.bubbles) for turn in conversation.turns)


def _is_seen(text: str) -> bool:
    """Whether there is anything in a text to see: no space, no control, no filler."""
    return any(unicodedata.category(char) not in _NOTHING and char not in _UNSEEN for char in text)


def _public(owner: Owner) -> tuple[str, ...]:
    return tuple(fact for fact in (owner.name, owner.place, owner.occupation, *owner.about) if fact.strip())


def _opened(settings: Settings) -> Overheard:
    """What others wrote, from its file or else from the database."""
    with suppress(StoreError):
        if (kept := Overheard.open(settings.home)) is not None:
            return kept
    from twin.overhearing import overhear

    log.info("Reading messages, to know what only others wrote")
    with Store.of(settings) as store:
        return overhear(store.db, settings.home)


def _read_again(home: Path, last: Overheard) -> Overheard:
    """What is in the file now; what was there before, if that cannot be read."""
    try:
        return Overheard.open(home) or last
    except StoreError as error:
        log.warning("%s", error)
        return last
