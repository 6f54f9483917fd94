"""Canaries: made-up secrets planted in an audit's training, and how far it learned them by heart.

Knows nothing of how training runs or of generation. An audit's adapter is never promoted: it knows what is not true.

A canary is a sentence as people write it in chats with a random number at its end ("the code for the shed is 402913").
Planted ones are hidden once, 4 or 16 times in turns of the owner or of the others. Exposure (Carlini et al. 2019, The
Secret Sharer) is log2(R + 1) - log2(rank), with the rank of a canary's number among R numbers that were never planted,
by likelihood (among the tokens of numbers) after the sentence's beginning at the start of a turn of the owner's: about
1.4 on average for what was never learned, log2(R + 1) for what comes before everything else.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.fidelity.bait import sentences
from training.fidelity.bootstrap import mean, plain
from training.fidelity.material import Measured
from training.fidelity.trees import Branch, Reader, Tree, score
from twin.messages import Bubble, Conversation, Session, Speaker, Turn
from twin.prompt import encode_prompt
from twin.templates import write_bubble
from twin.tokens import Segment, encode

COPIES = (1, 4, 16)
SPEAKERS: tuple[Speaker, Speaker] = ("owner", "other")
_NEVER: tuple[int, Speaker] = (0, "owner")
EACH = 6
REFERENCES = 255
"""Numbers that were never planted, for each sentence: a canary's exposure is 8 at most."""
_DIGITS = 6
_AT_ONCE = 64
_ROOM = 64  # tokens of a sentence
FILE = "canaries.json"


@dataclass(frozen=True, slots=True)
class Canary:
    """A planted secret.

    Attributes:
        beginning: of the sentence, as far as the secret; secret: digits.
        copies: how often it was planted, 0 for a control; speaker: in whose turns.
    """

    beginning: str
    secret: str
    copies: int
    speaker: Speaker

    @property
    def text(self) -> str:
        """The message as it is planted."""
        return f"{self.beginning} {self.secret}"


@dataclass(frozen=True, slots=True)
class Canaries:
    """What one audit plants, and what it compares that with.

    Attributes:
        planted: canaries with copies; controls: canaries of the same make that are not planted.
        references: numbers that are no canary's.
        seed: from which they, and where they stand, are made.
    """

    planted: tuple[Canary, ...]
    controls: tuple[Canary, ...]
    references: tuple[str, ...]
    seed: int

    @classmethod
    def make(cls, language: str = "en", seed: int = 0, each: int = EACH, references: int = REFERENCES) -> Canaries:
        """`each` canaries for every number of copies and side, and as many controls; the same for the same seed.

        Args:
            language: of the sentences, ISO 639-1; English where there are none in it.
        """
        draw = random.Random(f"canaries {seed}")
        cells: list[tuple[int, Speaker]] = [(copies, who) for who in SPEAKERS for copies in COPIES]
        count = each * (len(cells) + 1)
        numbers = [f"{number:0{_DIGITS}d}" for number in draw.sample(range(10**_DIGITS), count + references)]
        beginnings = sentences(language)
        draw.shuffle(beginnings)
        kinds: list[tuple[int, Speaker]] = [*cells * each, *[_NEVER] * each]
        made = [
            Canary(beginnings[place % len(beginnings)], numbers[place], copies, who)
            for place, (copies, who) in enumerate(kinds)
        ]
        return cls(tuple(made[:-each]), tuple(made[-each:]), tuple(numbers[count:]), seed)

    def save(self, folder: Path) -> Path:
        """Write them beside the adapter that learned them, as `canaries.json`."""
        path = folder / FILE
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, folder: Path) -> Canaries:
        """The inverse of `save`."""
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        planted, controls = (tuple(Canary(**one) for one in values[name]) for name in ("planted", "controls"))
        return cls(planted, controls, tuple(values["references"]), values["seed"])


@dataclass(frozen=True, slots=True)
class Exposures:
    """Mean exposure in bits, by how often and in whose turns canaries were planted; `controls`: of those that were not.

    Attributes:
        most: the highest that could be measured.
    """

    planted: dict[tuple[Speaker, int], Measured]
    controls: Measured
    most: float

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {
            **{f"{who}_{copies}": plain(value, 2) for (who, copies), value in self.planted.items()},
            "never": plain(self.controls, 2),
            "most": round(self.most, 2),
        }


def plant(sessions: Iterable[Session], canaries: Canaries) -> list[Session]:
    """Training sessions with every copy of every canary as a message of its own in some turn of its side.

    Turns are drawn at random, each at most once while there are enough; a copy stands after the turn's own messages. In
    turns of the owner only those that teach are drawn. Sessions that get none are returned as they are.
    """
    found = list(sessions)
    draw = random.Random(f"places {canaries.seed}")
    added: dict[tuple[int, int], list[str]] = {}
    for who in SPEAKERS:
        texts = [canary.text for canary in canaries.planted if canary.speaker == who for _ in range(canary.copies)]
        places = [
            (number, place)
            for number, session in enumerate(found)
            for place, turn in enumerate(session.turns)
            if turn.speaker == who and (who == "other" or turn.is_supervisable)
        ]
        draw.shuffle(texts)
        draw.shuffle(places)
        for count, text in enumerate(texts if places else ()):
            added.setdefault(places[count % len(places)], []).append(text)
    return [
        replace(session, turns=tuple(_with(turn, added.get((number, at), ())) for at, turn in enumerate(session.turns)))
        for number, session in enumerate(found)
    ]


def _with(turn: Turn, texts: Sequence[str]) -> Turn:
    return replace(turn, bubbles=(*turn.bubbles, *map(Bubble, texts))) if texts else turn


def exposures(
    reader: Reader, canaries: Canaries, seed: int = 0, on_share: Callable[[float], None] = lambda _: None
) -> Exposures:
    """How far a model knows the canaries; the intervals are over the canaries of a kind.

    `on_share` is told the share that is done.
    """
    every = [*canaries.planted, *canaries.controls]
    found = {
        canary: _exposure(own, others)
        for canary, (own, *others) in zip(
            every, _likelihoods(reader, every, canaries.references, on_share), strict=True
        )
    }

    def of(chosen: Iterable[Canary]) -> Measured:
        return mean(np.array([found[canary] for canary in chosen]), seed)

    kinds = dict.fromkeys((canary.speaker, canary.copies) for canary in canaries.planted)
    return Exposures(
        {kind: of(one for one in canaries.planted if (one.speaker, one.copies) == kind) for kind in kinds},
        of(canaries.controls),
        math.log2(len(canaries.references) + 1),
    )


def _exposure(own: float, others: Sequence[float]) -> float:
    """Bits; a tie counts half."""
    rank = 1 + sum(other > own for other in others) + sum(other == own for other in others) / 2
    return math.log2(len(others) + 1) - math.log2(rank)


def _likelihoods(
    reader: Reader, every: Sequence[Canary], references: Sequence[str], on_share: Callable[[float], None]
) -> list[list[float]]:
    """For each canary the log-likelihood of its number after its beginning, then of every reference there."""
    trees: list[Tree] = []
    of_tree: list[int] = []
    for place, canary in enumerate(every):
        made = _trees(reader, canary, [canary.secret, *references])
        trees += made
        of_tree += [place] * len(made)
    vocabulary = sorted({token for tree in trees for branch in tree.branches for token in branch.ids})
    done = 0

    def on_tree() -> None:
        nonlocal done
        done += 1
        on_share(done / len(trees))

    found: list[list[float]] = [[] for _ in every]
    for place, its in zip(of_tree, score(reader, trees, vocabulary, on_tree), strict=True):
        found[place] += map(sum, its)
    return found


def _trees(reader: Reader, canary: Canary, numbers: Sequence[str]) -> list[Tree]:
    """The canary's sentence with every number at the start of a turn of the owner's; what they share is the trunk."""
    texts = [[Segment(write_bubble(replace(canary, secret=number).text), False, True)] for number in numbers]
    ids = [found.ids for found in encode(reader.tokenizer, texts)]
    shared = next(at for at, tokens in enumerate(zip(*ids, strict=False)) if len(set(tokens)) > 1)
    trunk = (*encode_prompt(reader.spec, reader.tokenizer, Conversation(()), _ROOM), *ids[0][:shared])
    branches = [Branch(len(trunk), its[shared:]) for its in ids]
    return [Tree(trunk, tuple(branches[start : start + _AT_ONCE])) for start in range(0, len(branches), _AT_ONCE)]
