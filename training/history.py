"""A dialog on its way into training: its messages in runs, and what becomes of each message.

Knows nothing of how secrets are found; verdicts come in.

What is left out stays in its run as a blank that shows nothing: sessions begin and end where they did, whatever is
taken out of them, as they will in a live chat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from training.cuts import Cuts, Split
from training.kept import Kept
from training.reasons import JOINED
from training.scrubbing import Verdict
from twin.conversations import fate, sessions_of
from twin.messages import NOBODY, Message, Peer, Session
from twin.privacy.vault import Entry


@dataclass(slots=True)
class Run:
    """Messages without a long silence between them, oldest first: what becomes a session.

    Attributes:
        raw: as they were written.
        shown: the same messages as they are shown; blanks for what is left out.
        gone: by place, why a message is left out.
        withheld: by place, why the owner must not be taught the turn in which a message stands.
        before: the texts of the messages just before it: its first ones may answer a question asked there.
        is_context: whether it is read only for what later runs quote of it and how long ago it was.
        key: of its findings, where those are kept.
        lost: turns of the owner that are no turns any more, by reason, once its session is known.
        found: secrets by label; `vault` what the vault keeps of them, a label with its entries each.
    """

    raw: list[Message]
    shown: list[Message]
    gone: dict[int, str] = field(default_factory=dict)
    withheld: dict[int, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    is_context: bool = False
    key: bytes = b""
    lost: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    vault: list[tuple[str, list[Entry]]] = field(default_factory=list)

    @classmethod
    def of(cls, messages: list[Message], before: Iterable[str] = (), *, is_context: bool = False) -> Run:
        """A run of which nothing is judged yet."""
        return cls(messages, list(messages), before=tuple(before), is_context=is_context)

    @property
    def first(self) -> int:
        """When it begins, UTC epoch seconds."""
        return int(self.raw[0].sent_at.timestamp())

    @property
    def last(self) -> int:
        """When its last message was sent."""
        return int(self.raw[-1].sent_at.timestamp())

    @property
    def empty(self) -> int:
        """How many of its messages have nothing to show."""
        return sum(fate(message) == "empty" for message in self.raw)

    def judge(self, verdicts: Sequence[Verdict]) -> None:
        """Take over what becomes of each message."""
        for place, verdict in enumerate(verdicts):
            message = self.raw[place]
            if verdict.text is None:
                self.shown[place] = replace(message, text="", media=None, media_note=None)
                self.gone[place] = verdict.gone or ""
            elif verdict.text is not message.text:
                self.shown[place] = replace(message, text=verdict.text)
            if verdict.withheld is not None and message.is_owner:
                self.withheld[place] = verdict.withheld

    def parts(self, cuts: Cuts) -> Iterator[tuple[Split, Run]]:
        """Itself, or, when it stretches over a cut, a run for each part."""
        if cuts.split_of(self.raw[0].sent_at) == (last := cuts.split_of(self.raw[-1].sent_at)):
            yield last, self
            return
        start = 0
        for split, group in groupby(self.raw, key=lambda message: cuts.split_of(message.sent_at)):
            end = start + len(list(group))
            yield split, self._slice(start, end)
            start = end

    def with_reasons(self, session: Session) -> Session:
        """The session of this run, with the owner's turns withheld that must not be taught."""
        if not self.withheld:
            return session
        reasons = dict(self._withheld_turns())
        turns = tuple(
            replace(turn, withheld=reasons[place]) if place in reasons else turn
            for place, turn in enumerate(session.turns)
        )
        return replace(session, turns=turns)

    def lost_turns(self, session: Session | None) -> Counter[str]:
        """What became of the owner's turns that were said here but are no turns of the session, by reason."""
        lost: Counter[str] = Counter()
        if not self.gone:
            return lost
        said = [(place, message) for place, message in enumerate(self.raw) if fate(message) == "shown"]
        for is_owner, group in groupby(said, key=lambda pair: pair[1].is_owner):
            places = [place for place, _ in group]
            if is_owner and all(place in self.gone for place in places):
                lost[self.gone[places[0]]] += 1
            elif is_owner:
                lost[JOINED] += 1  # but for those that are turns still
        lost[JOINED] -= sum(turn.speaker == "owner" for turn in session.turns) if session else 0
        return +lost

    def _withheld_turns(self) -> Iterator[tuple[int, str]]:
        """Turns by number, as they are grouped in `twin.conversations`, with the first reason found in each."""
        number, speaker, pending = -1, None, None
        reasons: dict[int, str] = {}
        for place, message in enumerate(self.shown):
            reason = self.withheld.get(place)
            if fate(message) != "shown":
                if reason and speaker == "owner":
                    reasons.setdefault(number, reason)
                elif reason:
                    pending = reason  # for the rest of that turn, if any is to come
                continue
            now = "owner" if message.is_owner else "other"
            if now != speaker:
                number, speaker = number + 1, now
            if message.is_owner and (reason := reason or pending):
                reasons.setdefault(number, reason)
            pending = None
        yield from reasons.items()

    def _slice(self, start: int, end: int) -> Run:
        def part(reasons: dict[int, str]) -> dict[int, str]:
            return {place - start: reason for place, reason in reasons.items() if start <= place < end}

        return Run(
            self.raw[start:end], self.shown[start:end], part(self.gone), part(self.withheld), is_context=self.is_context
        )


@dataclass(slots=True)
class History:
    """One dialog of the owner.

    Attributes:
        runs: oldest first; deleted messages are in none, and finished ones only where they are context.
        name: of the other person, for reports to the owner only.
        peer: what prompts may tell of them.
        kept: its finished runs; None when all are read.
    """

    chat_id: int
    runs: list[Run]
    name: str | None = None
    peer: Peer = NOBODY
    kept: Kept | None = None

    @property
    def own_runs(self) -> list[Run]:
        """Its runs but for mere context."""
        return [run for run in self.runs if not run.is_context]

    def sessions(self, language: str, runs: Sequence[Run] | None = None) -> list[tuple[Run, Session | None]]:
        """The sessions of its own runs, with the runs they are made of; None for a run that shows nothing.

        Args:
            runs: instead of all of its runs, the same cut smaller.
        """
        runs = self.runs if runs is None else runs
        found = sessions_of([run.shown for run in runs], language, self.peer)
        sessions = []
        for run in runs:
            session = next(found) if any(fate(message) == "shown" for message in run.shown) else None
            if not run.is_context:
                sessions.append((run, session and run.with_reasons(session)))
        return sessions

    def parts(
        self, cuts: Cuts, language: str, found: Sequence[tuple[Run, Session | None]]
    ) -> Iterator[tuple[Split, Run, Session | None]]:
        """The same by part, a session across a cut being two.

        Args:
            found: what `sessions` returned, to be used again where no session lies across a cut.
        """
        cut = [part for run in self.runs for _, part in run.parts(cuts)]
        if len(cut) > len(self.runs):
            found = self.sessions(language, cut)
        for run, session in found:
            yield cuts.split_of(run.raw[0].sent_at), run, session
