"""A dialog on its way into training: its messages in runs, and what becomes of each message.

Knows nothing of how secrets are found; verdicts come in.

What is left out stays in its run as a blank that shows nothing: sessions begin and end where they did, whatever is
taken out of them, as they will in a live chat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from training.cuts import Cuts, Split
from training.scrubbing import Verdict
from twin.conversations import fate, sessions_of
from twin.messages import NOBODY, Message, Peer, Session

JOINED = "joined with the one before"
NOT_OWN = "not own words"


@dataclass(slots=True)
class Run:
    """Messages without a long silence between them, oldest first: what becomes a session.

    Attributes:
        raw: as they were written.
        shown: the same messages as they are shown; blanks for what is left out.
        gone: by place, why a message is left out.
        withheld: by place, why the owner must not be taught the turn in which a message stands.
    """

    raw: list[Message]
    shown: list[Message]
    gone: dict[int, str] = field(default_factory=dict)
    withheld: dict[int, str] = field(default_factory=dict)

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

        return Run(self.raw[start:end], self.shown[start:end], part(self.gone), part(self.withheld))


@dataclass(slots=True)
class History:
    """One dialog of the owner.

    Attributes:
        name: of the other person, for reports to the owner only.
        peer: what prompts may tell of them.
        runs: oldest first; deleted messages are in none.
    """

    chat_id: int
    runs: list[Run]
    name: str | None = None
    peer: Peer = NOBODY

    @property
    def messages(self) -> list[Message]:
        """What was written, oldest first."""
        return [message for run in self.runs for message in run.raw]

    @classmethod
    def of(cls, chat_id: int, runs: Sequence[list[Message]], name: str | None = None, peer: Peer = NOBODY) -> History:
        """A dialog of which nothing is judged yet."""
        return cls(chat_id, [Run(run, list(run)) for run in runs], name, peer)

    def sessions(self, language: str, runs: Sequence[Run] | None = None) -> Iterator[tuple[Run, Session | None]]:
        """Its sessions with the runs they are made of; None for a run that shows nothing.

        Args:
            runs: instead of its own, the same cut smaller.
        """
        runs = self.runs if runs is None else runs
        found = sessions_of([run.shown for run in runs], language, self.peer)
        for run in runs:
            shows = any(fate(message) == "shown" for message in run.shown)
            yield run, run.with_reasons(next(found)) if shows else None

    def parts(
        self, cuts: Cuts, language: str, found: Sequence[tuple[Run, Session | None]]
    ) -> Iterator[tuple[Split, Run, Session | None]]:
        """The same by part, a session across a cut being two.

        Args:
            found: what `sessions` returned, to be used again where no session lies across a cut.
        """
        cut = [(split, part) for run in self.runs for split, part in run.parts(cuts)]
        if len(cut) > len(self.runs):
            found = list(self.sessions(language, [run for _, run in cut]))
        for (split, _), (run, session) in zip(cut, found, strict=True):
            yield split, run, session
