"""The interviewer: writes the question to which a passage of the owner's is the answer.

Knows nothing of books. A teacher is asked as a chat; the base model, which is none, completes a list of examples.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Protocol

from training.recipes.answers import Answer
from training.recipes.leaving import Scrub
from training.recipes.teacher import Teacher

SHOWN = 600  # characters of a passage that the base model reads
_SHORTEST, _LONGEST = 6, 300
_ALIKE = 0.7
_LONG_WORDS = re.compile(r"[^\W\d_\u3040-\u9fff]{5,}")
_CHINESE_PAIRS = re.compile(r"(?=([\u3400-\u9fff]{2}))")
_LABEL = re.compile(
    r"^(?:\W*(?:question|interviewer|вопрос|интервьюер|问题|问|采访者|q)\s*[:：.]|\s*\d+[.)])\s*", re.IGNORECASE
)
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)
_INSTRUCTION = (
    "You are interviewing the author of the passage. Write the one question to which the passage is the author's"
    " spoken answer: short, as people talk, addressed to the author as “you”, in the language of the passage. Do not"
    " give the answer away. Write the question and nothing else."
)
_EXAMPLES = {
    "en": (
        ("We had no money for a boat, so my brother built one from doors. It carried us across the lake eleven times"
         " before it sank, and I have never felt as rich as in that summer.",
         "How did your brother get you across the lake without a boat?"),
        ("People think that a baker's day is hard because it begins at two in the morning. It is not. At that hour the"
         " street is yours, and nobody wants anything from you but bread.",
         "Isn't it hard for a baker to get up at two in the morning?"),
        ("I left the company in March. There was no quarrel. One day I noticed that I had stopped asking why we did"
         " things, and for an engineer that is the end.",
         "You left the company without a quarrel, so what happened?"),
    ),
    "ru": (
        ("На лодку денег не было, и брат сколотил её из старых дверей. Она одиннадцать раз перевезла нас через озеро,"
         " а потом утонула. Богаче, чем в то лето, я себя больше не чувствовал.",
         "Как же вы с братом переправились через озеро без лодки?"),
        ("Все думают, что пекарю тяжело, потому что день начинается в два часа ночи. Нет. В это время улица твоя, и"
         " никому от тебя ничего не нужно, кроме хлеба.",
         "Разве пекарю не тяжело вставать в два часа ночи?"),
        ("Я ушёл из компании в марте, без ссоры. Просто однажды заметил, что больше не спрашиваю, зачем мы это делаем,"
         " а для инженера это конец.",
         "Ссоры не было, так почему вы ушли из компании?"),
    ),
    "zh": (
        ("我们没有钱买船，哥哥就用旧门板做了一条。它载着我们过了十一次湖，后来沉了。那个夏天，我觉得自己比谁都富有。",
         "没有钱买船，你和哥哥是怎么过湖的？"),
        ("大家都觉得面包师辛苦，因为凌晨两点就要起床。其实不辛苦。那个时候整条街都是你的，别人除了面包什么也不跟你要。",
         "面包师凌晨两点就要起床，不辛苦吗？"),
        ("我是三月份离开公司的，没有吵架。只是有一天我发现，自己已经不再问为什么要这样做了，对工程师来说，那就是结束。",
         "没有吵架，你为什么还是离开了公司？"),
    ),
}  # fmt: skip
_WORDS = {
    "en": ("Passage", "Interviewer's question"),
    "ru": ("Отрывок", "Вопрос интервьюера"),
    "zh": ("段落", "采访者的问题"),
}


class Interviewer(Protocol):
    """Somebody who asks."""

    @property
    def model(self) -> str:
        """What decides the questions, for the cache; the same questions come from the same name."""

    def ask(self, passage: str) -> Answer:
        """The raw words in which the question is (see `question_in`)."""


def question_in(text: str) -> str | None:
    """The question that somebody wrote, without labels, quotes and what follows; None when there is none."""
    text = _THOUGHTS.sub("", text).strip()
    line = next((line for line in text.split("\n") if line.strip()), "")
    line = _LABEL.sub("", line.strip("*_ ")).strip(" \"'“”«»„「」『』*_")
    end = max(line.rfind("?"), line.rfind("？"))
    question = " ".join(line[: end + 1].split())
    return question if end > 0 and _SHORTEST <= len(question) <= _LONGEST else None


class TeacherInterviewer:
    """Fulfils `Interviewer` with a chat model behind an address."""

    def __init__(self, teacher: Teacher, scrub: Scrub) -> None:
        self._teacher = teacher
        self._scrub = scrub

    @property
    def model(self) -> str:
        """See Interviewer."""
        return self._teacher.model

    def ask(self, passage: str) -> Answer:
        """See Interviewer.

        Raises:
            Refused, TeacherError: see `Teacher.ask`.
            CannotScrub: it must not be sent.
        """
        (shown,) = self._scrub([passage])
        return self._teacher.ask(
            [{"role": "system", "content": _INSTRUCTION}, {"role": "user", "content": shown}],
        )


def examples(language: str) -> str:
    """What stands before every passage that the base model reads: three of them with their questions."""
    label, asked = _WORDS[language]
    return "".join(f"{label}: {text}\n{asked}: {question}\n\n" for text, question in _EXAMPLES[language])


def prompt(passage: str, language: str) -> str:
    """What comes after the examples: a passage, cut to SHOWN characters, and the words that ask for its question."""
    label, asked = _WORDS[language]
    text = " ".join(passage.split())
    return f"{label}: {text if len(text) <= SHOWN else end_at_a_word(text, SHOWN)}\n{asked}:"


def end_at_a_word(text: str, longest: int) -> str:
    """Its beginning, up to a whole word where words are parted by spaces."""
    return (text[:longest].rsplit(" ", 1)[0] if " " in text[longest // 2 : longest] else text[:longest]) + " …"


def is_copied(question: str, language: str) -> bool:
    """Whether a question is, but for some words, that of an example."""
    known = (example for _, example in _EXAMPLES[language])
    return any(SequenceMatcher(None, question.casefold(), text.casefold()).ratio() > _ALIKE for text in known)


def is_about(question: str, passage: str) -> bool:
    """Whether a question takes up a longer word of the passage's beginning, or two Chinese characters."""
    shown, asked = passage[:SHOWN].casefold(), question.casefold()
    return any(word[:5] in shown for word in [*_LONG_WORDS.findall(asked), *_CHINESE_PAIRS.findall(asked)])


def language_of(language: str | None) -> str:
    """The language of the examples for a text of this one."""
    return language if language in _EXAMPLES else "en"
