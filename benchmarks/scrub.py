"""Messages a second through the detectors, against phonenumbers' own matcher, which looks for telephone numbers alone.

    .venv/bin/python benchmarks/scrub.py [--messages 20000] [--json]

The input is made here: ordinary small talk in English, Russian and Chinese, in lengths as in chats, and two in a
hundred messages with one of eight secrets. `find` reads them one by one, `find_window` in sessions of 50. The baseline
is one pass of `phonenumbers.PhoneNumberMatcher` (region US), which knows one label of our fourteen, over the same
messages in the same process. Each side runs three times in turn; the fastest run counts, in processor seconds, so that
a busy machine does not matter.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from typing import Any

import phonenumbers

from twin.privacy import find, find_window

SESSION = 50
SECRET_SHARE = 0.02
ROUNDS = 3

TALK = {
    "en": (
        "haha yeah|no way|that's so funny|i know right|what are you up to|just got home, so tired|"
        "did you see the game last night?|i was thinking about going for a walk later, want to come?|"
        "my sister is visiting this weekend|lol|ok|sounds good to me|"
        "i don't think so, but let me check with my mom first|we should do that again some time|"
        "the food was amazing, you have to try it|i have a test tomorrow and i haven't studied at all|"
        "see you at 5|it cost like 20 bucks|are you still at work? traffic is terrible today|"
        "i've been listening to that album all week and i can't stop"
    ),
    "ru": (
        "ахаха да|ну такое|ты дома?|я уже еду, минут 20|что делаешь вечером|пойдём гулять?|не знаю, посмотрим|ок|"
        "давай завтра|слушай, а ты не помнишь, как звали того парня с дня рождения?|"
        "купи хлеба и молока пожалуйста|сегодня было так холодно, что я решила остаться дома и ничего не делать|"
        "спасибо большое|в 7 у метро?|не успеваю, перенесём на субботу?"
    ),
    "zh": (
        "哈哈哈|好的|你在干嘛|今天好累啊，什么都不想做|晚上一起吃饭吗|我刚下班，地铁上人太多了|没事|"
        "周末去看电影怎么样？|等我10分钟|这家店的面真的很好吃，下次带你去|我也这么觉得|明天再说吧|早点睡"
    ),
}
SECRETS = (
    "wifi pw is {word}{two} btw",
    "пароль от вайфая {word}{two}",
    "密码是{word}{two}",
    "call me +1 202 555 01{two}",
    "мой номер 8 999 000 {two} {two}",
    "write me at {word}{two}@example.com",
    "Your verification code is {two}{two}{two}",
    "адрес ул. Ленина, д. {two}, кв. {two}",
)


def make_messages(count: int, seed: int = 7) -> list[str]:
    """Small talk and a few secrets; the same every time."""
    chance = random.Random(seed)
    lines = {language: talk.split("|") for language, talk in TALK.items()}
    messages = []
    for _ in range(count):
        if chance.random() < SECRET_SHARE:
            word = "".join(chance.choice("abcdefghkmnpqrstuvwxyz") for _ in range(8))
            messages.append(chance.choice(SECRETS).format(word=word, two=chance.randrange(10, 100)))
            continue
        language = chance.choices(list(lines), weights=(5, 3, 2))[0]
        messages.append(" ".join(chance.choices(lines[language], k=chance.choice((1, 1, 1, 2, 3)))))
    return messages


def one_by_one(messages: list[str]) -> int:
    return sum(bool(find(message)) for message in messages)


def in_windows(messages: list[str]) -> int:
    sessions = [messages[start : start + SESSION] for start in range(0, len(messages), SESSION)]
    return sum(bool(spans) for session in sessions for spans in find_window(session))


def baseline(messages: list[str]) -> int:
    return sum(phonenumbers.PhoneNumberMatcher(message, "US").has_next() for message in messages)


def fastest(sides: dict[str, Callable[[list[str]], int]], messages: list[str]) -> dict[str, dict[str, Any]]:
    """Each side's best of ROUNDS runs, in turn: processor seconds and messages in which something was found."""
    results: dict[str, dict[str, Any]] = {}
    for side in sides.values():
        side(messages[:1000])  # tables and caches
    for _ in range(ROUNDS):
        for name, side in sides.items():
            begun = time.process_time()
            found = side(messages)
            seconds = time.process_time() - begun
            if name not in results or seconds < results[name]["seconds"]:
                results[name] = {"seconds": seconds, "found": found, "messages_per_second": len(messages) / seconds}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    messages = make_messages(arguments.messages)
    sides = {"find": one_by_one, f"find_window, {SESSION} a session": in_windows, "PhoneNumberMatcher": baseline}
    results = fastest(sides, messages)
    unit = results["PhoneNumberMatcher"]["messages_per_second"]
    for row in results.values():
        row["ratio"] = row["messages_per_second"] / unit
    if arguments.json:
        print(json.dumps({"messages": len(messages), "characters": sum(map(len, messages)), "sides": results}))
        return
    print(f"{len(messages):,} messages, {sum(map(len, messages)) / len(messages):.0f} characters each, one core")
    print("| | messages/s | against the baseline | messages with a hit |")
    print("|---|---:|---:|---:|")
    for name, row in results.items():
        print(f"| {name} | {row['messages_per_second']:,.0f} | {row['ratio']:.1f} | {row['found']:,} |")


if __name__ == "__main__":
    main()
