"""The day-0 twin: answers with what the owner really answered in the most similar moment; no model, no training.

Knows nothing of models, adapters or the stored messages: it reads the newest snapshot, which holds no secrets, and
says only what may be learned.

Moments are compared by the cosine of the tf-idf of their words and pairs of words: of the last turn and, with a third
of the weight, of the two before it. scikit-learn computes it: with SQLite's FTS5, which ranks every row that shares any
word with the question, an answer took 50 ms at 4,000 replies, and ever longer with more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from inference.generator import ANYHOW, DAY0, TwinReply, Wish
from twin.errors import DatasetError
from twin.messages import Conversation, Session, Turn
from twin.prompt import PromptSpec
from twin.segmenting import segment
from twin.session_lines import newest_folder, read_session
from twin.settings import Settings

_EARLIER = 2  # turns before the last one
_EARLIER_WEIGHT = 0.33
_CANDIDATES = 20

Bubbles = tuple[str, ...]


class PastReplies:
    """The owner's past replies, found by what they answered.

    Args:
        found: for each reply what was said before it (only the last turns count) and its authored bubbles; oldest
            first. Of two that fit equally well the later one answers.

    Raises:
        DatasetError: there is none.
    """

    def __init__(self, found: Iterable[tuple[Sequence[Turn], Bubbles]]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        pairs = list(found)
        if not pairs:
            raise DatasetError("There is no past reply of yours to answer with", "ingest dialogs that you answered in")
        self._replies = [reply for _, reply in pairs]
        self._asked = [_text(turns[-1:]) for turns, _ in pairs]
        self._usual = Counter(self._replies).most_common(1)[0][0]
        texts = [_last_and_earlier(turns) for turns, _ in pairs]
        self._vectorizer = TfidfVectorizer(analyzer=_words, sublinear_tf=True, dtype=np.float32)
        every = [*(text for part in zip(*texts, strict=True) for text in part), "any word"]  # it refuses to have none
        found_words = self._vectorizer.fit_transform(every)
        self._moments = (found_words[: len(pairs)], found_words[len(pairs) : 2 * len(pairs)])

    @classmethod
    def of(cls, sessions: Iterable[Session]) -> PastReplies:
        """Every reply in these sessions that the twin may learn."""
        return cls(
            (session.turns[max(0, place - 1 - _EARLIER) : place], _said(turn))
            for session in sessions
            for place, turn in enumerate(session.turns)
            if turn.is_supervisable and session.chat_id
        )

    def __len__(self) -> int:
        return len(self._replies)

    def nearest(self, turns: Sequence[Turn]) -> Bubbles:
        """The reply to the most similar past moment; the owner's commonest one where no word was ever said before.

        What the owner said in this conversation already is not said again, if there is anything else.
        """
        said = {_said(turn) for turn in turns if turn.speaker == "owner"}
        candidates = [self._replies[row] for row in self._rows(turns)] or [self._usual]
        return next((reply for reply in candidates if reply not in said), candidates[0])

    def moments(self, turns: Sequence[Turn], most: int) -> list[tuple[str, Bubbles]]:
        """The most similar past moments, nearest first: what was said last, and the reply to it."""
        return [(self._asked[row], self._replies[row]) for row in self._rows(turns)[:most]]

    def _rows(self, turns: Sequence[Turn]) -> list[int]:
        asked = self._vectorizer.transform(_last_and_earlier(turns))
        scores = np.zeros(len(self._replies), np.float32)
        for moments, question, weight in zip(self._moments, asked, (1.0, _EARLIER_WEIGHT), strict=True):
            scores += weight * (moments @ question.T).toarray()[:, 0]
        most = min(_CANDIDATES, len(scores))
        best = np.argpartition(-scores, most - 1)[:most]
        ordered = best[np.lexsort((-best, -scores[best]))]
        return [int(row) for row in ordered if scores[row] > 0]


class Day0Generator:
    """Fulfils `Generator` without a model: see the module."""

    def __init__(self, past: PastReplies, prompt: PromptSpec) -> None:
        self._past = past
        self.prompt = prompt

    @classmethod
    def open(cls, settings: Settings) -> Day0Generator:
        """Read the snapshot that was built last.

        Raises:
            DatasetError: none was built yet, it is damaged, or it holds no reply of the owner.
        """
        folder = newest_folder(settings.datasets)
        try:
            past = PastReplies.of(_sessions(folder))
        except (OSError, ValueError, KeyError, TypeError) as error:
            rebuild = "delete its folder and run `twin dataset build`"
            raise DatasetError(f"The dataset {folder.name} is damaged", rebuild) from error
        return cls(past, PromptSpec.of(settings, settings.owner.language or "en"))

    @property
    def adapter(self) -> str | None:
        """What `TwinReply.adapter` says of its replies."""
        return DAY0

    @property
    def refused(self) -> str | None:
        """Nothing is ever refused: no adapter serves here."""
        return None

    def refresh(self) -> None:
        """Nothing is ever swapped."""

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        """See Generator. Of the wish only the listener counts: the past is as it was."""
        bubbles = self._past.nearest(conversation.turns)
        wish.on_begin(DAY0)
        for bubble in bubbles:
            wish.on_bubble(bubble)
        return TwinReply(bubbles, DAY0)

    def replies(self, conversations: Sequence[Conversation], wish: Wish = ANYHOW) -> list[TwinReply]:
        """See Generator."""
        return [self.reply(conversation, wish) for conversation in conversations]

    def release(self) -> None:
        """See Generator. There is no model to free."""

    def resume(self) -> None:
        """See Generator."""

    def close(self) -> None:
        """See Generator. There is no model to free."""


def learned_moments(folder: Path) -> PastReplies:
    """What a version that learned from this snapshot learned.

    Raises:
        DatasetError: the snapshot is damaged, or holds no reply of the owner.
    """
    try:
        return PastReplies.of(_sessions(folder, ("train",)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"The dataset {folder.name} is damaged", "run `twin dataset build`") from error


def _sessions(folder: Path, splits: Sequence[str] = ("train", "val", "test")) -> Iterator[Session]:
    for split in splits:
        with (folder / f"{split}.jsonl").open(encoding="utf-8", newline="\n") as lines:
            yield from map(read_session, lines)


def _said(turn: Turn) -> Bubbles:
    return tuple(bubble.text for bubble in turn.bubbles if bubble.authored)


def _last_and_earlier(turns: Sequence[Turn]) -> tuple[str, str]:
    return _text(turns[-1:]), _text(turns[-1 - _EARLIER : -1])


def _text(turns: Sequence[Turn]) -> str:
    return "\n".join(bubble.text for turn in turns for bubble in turn.bubbles)


def _words(text: str) -> list[str]:
    """Words as `twin search` cuts them, in every writing system, and pairs of neighbours."""
    words = segment(text).split()
    return [*words, *map(" ".join, pairwise(words))]
