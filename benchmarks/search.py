"""How long `twin search` takes on a million messages, against a table scan with LIKE in the same run.

    .venv/bin/python benchmarks/search.py                    (two or three minutes, 600 MB of disk)
    .venv/bin/python benchmarks/search.py --messages 100000 --json

Makes its own messages: 60 dialogs of very different length in English, Russian, German, Chinese and Japanese, plus
emoji. Words follow Zipf's law: real common words of each language first (the commonest English one is in about every
fourth message of the whole), then made-up rare ones. They are stored and indexed by the product's own code.

Timed is what happens between the words a person typed and the hits, in one process with a database that is open, as
the median and the maximum over all queries of a kind; each query runs `--repeat` times, the first one with whatever the
page cache holds by then. LIKE gets the same word, the same order and the same limit.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from twin import search_index
from twin.messages import Message
from twin.search import Narrowing, Query, search
from twin.store import Store

START = datetime(2015, 1, 1, tzinfo=UTC)
SECONDS_BETWEEN = 300
DIALOGS = 60
RARE_WORDS = 30_000
LIMIT = 20
COMMON = {
    "english": "i you the to a it and that is of in me my for on so not be have just but what do know was like"
    " this with at are get if can your all up out go no how good time think see they there want really now then or",
    "russian": "я не и в что ты на это а как с да у то меня но мне все так по он за нет если же только ещё бы уже когда"
    " вот до надо есть если очень там где кто тебя тебе сегодня завтра давай можно хорошо ладно",
    "german": "ich und das ist du die nicht es der ja zu was ein in auch mit so mir aber wir auf dann hab noch schon"
    " wie den mal dir für nur wenn bei mich morgen heute gut danke über später",
    "chinese": "的我是不了你一在有这个好人他们来就到说都去没什么吗吧啊会要想看知道时候今天明天吃饭学校工作",
    "japanese": "のはにをたがでてとしれさあるいもすないこまよねかだそうですけどんじゃきょうあしべる学校仕事今日明日",
}
SHARES = {"english": 0.45, "russian": 0.25, "german": 0.12, "chinese": 0.12, "japanese": 0.06}
LETTERS = {
    "english": "etaoinshrdlucmfwypvbgk",
    "russian": "оеаинтсрвлкмдпуяыьгзбч",
    "german": "enisratdhulcgmobwfkzäöü",
    "chinese": "".join(chr(0x4E00 + number * 7) for number in range(2500)),
    "japanese": "".join(chr(0x5000 + number * 9) for number in range(1500)),
}
UNSPACED = ("chinese", "japanese")
BEGINNINGS = {
    1: ("e", "a", "t", "i", "s", "o", "w", "d", "п", "н", "с", "в", "т"),
    2: ("th", "wh", "no", "be", "ge", "пр", "не", "по", "на", "sc"),
    3: ("the", "tha", "wha", "jus", "при", "что", "сег", "auc", "nic"),
}
EMOJI = "😂❤🙂👍😊🙈🎉🔥😭🙏"


class Language:
    """Words by Zipf's law: the real common ones, then made-up rare ones."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name = name
        self.is_spaced = name not in UNSPACED
        common = COMMON[name].split() if self.is_spaced else list(COMMON[name])
        lengths = range(3, 10) if self.is_spaced else range(1, 2)
        count = RARE_WORDS if self.is_spaced else len(LETTERS[name])
        rare = ["".join(chance.choices(LETTERS[name], k=chance.choice(lengths))) for _ in range(count)]
        self.words = list(dict.fromkeys([*common, *rare]))
        self.weights = list(accumulate(1 / (rank + 2) for rank in range(len(self.words))))

    def text(self, chance: random.Random) -> str:
        """A message of a few words, as chats have them."""
        length = min(60, 1 + int(chance.lognormvariate(1.7, 0.8))) * (1 if self.is_spaced else 2)
        words = (" " if self.is_spaced else "").join(chance.choices(self.words, cum_weights=self.weights, k=length))
        return f"{words} {chance.choice(EMOJI)}" if chance.random() < 0.1 else words


def messages(count: int, languages: list[Language], chance: random.Random) -> Iterator[Message]:
    """Messages in the order of time; dialog 1 has the most, each next one fewer, and a language of its own."""
    shares = list(accumulate(1 / (number + 1) for number in range(DIALOGS)))
    spoken = chance.choices(languages, weights=[SHARES[language.name] for language in languages], k=DIALOGS)
    for number in range(count):
        (chat,) = chance.choices(range(DIALOGS), cum_weights=shares)
        language = spoken[chat] if chance.random() < 0.8 else chance.choice(languages)
        at = START + timedelta(seconds=number * SECONDS_BETWEEN)
        yield Message(chat + 1, number + 1, at, None, chance.random() < 0.5, language.text(chance))


def fill(store: Store, count: int, languages: list[Language], chance: random.Random) -> None:
    """Store the messages as an ingest does."""
    for chat in range(DIALOGS):
        store.add_dialog(chat + 1, f"Friend {chat + 1}")
    said = messages(count, languages, chance)
    with store.staging():
        while batch := list(islice(said, 10_000)):
            store.stage(batch)
        store.write_staged()


def queries(languages: list[Language]) -> dict[str, list[tuple[str, Narrowing]]]:
    """By kind: what is typed, and where it is looked for."""
    everywhere = Narrowing()
    top = {language.name: language.words for language in languages}
    spaced = [language.words for language in languages if language.is_spaced]
    signs = [language.words for language in languages if not language.is_spaced]
    year = Narrowing(since=START + timedelta(days=400), until=START + timedelta(days=800))
    return {
        "the commonest word of a language": [(words[0], everywhere) for words in top.values()],
        "common words": [(word, everywhere) for words in top.values() for word in words[1:31]],
        "rare words": [(word, everywhere) for words in top.values() for word in words[-40:]],
        "words that nobody wrote": [(f"zq{n}xj", everywhere) for n in range(20)],
        "two common words": [(f"{a} {b}", everywhere) for w in spaced for a, b in zip(w[:10], w[5:15], strict=True)],
        "two words of different languages": [
            (f"{a[0]} {b[0]}", everywhere) for a in top.values() for b in top.values()
        ],
        "three common words": [(" ".join(words[n : n + 3]), everywhere) for words in spaced for n in range(10)],
        "a phrase of two common words": [(f'"{w[n]} {w[n + 1]}"', everywhere) for w in spaced for n in range(15)],
        "a phrase of CJK signs": [
            ("".join(w[n : n + k]), everywhere) for w in signs for n in range(15) for k in (2, 4)
        ],
        "a prefix of one letter": [(f"{letter}*", everywhere) for letter in BEGINNINGS[1]],
        "a prefix of two letters": [(f"{start}*", everywhere) for start in BEGINNINGS[2]],
        "a prefix of three letters": [(f"{start}*", everywhere) for start in BEGINNINGS[3]],
        "an emoji": [(sign, everywhere) for sign in EMOJI],
        "a common word in the longest dialog": [(words[0], Narrowing((1,))) for words in top.values()],
        "a common word in the shortest dialog": [(words[0], Narrowing((DIALOGS,))) for words in top.values()],
        "a common word, the owner's": [(words[0], Narrowing(is_owner=True)) for words in top.values()],
        "a common word of a year": [(words[0], year) for words in top.values()],
    }


def timed(action: Callable[[], Any], repeat: int) -> list[float]:
    """Milliseconds of each of `repeat` runs."""
    found = []
    for _ in range(repeat):
        started = time.perf_counter()
        action()
        found.append((time.perf_counter() - started) * 1000)
    return found


def by_scan(store: Store, word: str) -> list[Any]:
    """What one would do without an index."""
    return store.db.execute(
        "select id from messages where text like ? order by sent_at desc limit ?", [f"%{word}%", LIMIT]
    ).fetchall()


def measure(store: Store, languages: list[Language], repeat: int) -> dict[str, Any]:
    """Each kind of query, then the scan for words of the first three kinds."""
    kinds = queries(languages)
    rows = []
    for kind, asked in kinds.items():
        runs = [ms for words, where in asked for ms in timed(lambda: ask(store, words, where), repeat)]  # noqa: B023
        rows.append({"kind": kind, "queries": len(asked), "median_ms": statistics.median(runs), "max_ms": max(runs)})
        sys.stderr.write(f"{kind}: median {rows[-1]['median_ms']:.2f} ms, max {rows[-1]['max_ms']:.2f} ms\n")
    words = [word for kind in list(kinds)[:3] for word, _ in kinds[kind][:5]]
    indexed = statistics.median(ms for word in words for ms in timed(lambda: ask(store, word, Narrowing()), repeat))  # noqa: B023
    scanned = statistics.median(ms for word in words for ms in timed(lambda: by_scan(store, word), repeat))  # noqa: B023
    return {
        "kinds": rows,
        "worst_ms": max(row["max_ms"] for row in rows),
        "same_words": {"queries": len(words), "search_ms": indexed, "like_ms": scanned, "ratio": scanned / indexed},
    }


def ask(store: Store, words: str, where: Narrowing) -> list[Any]:
    """What `twin search` does between the words and the hits."""
    assert search_index.pending(store) == 0
    return list(search(store, Query.parse(words), where, LIMIT + 1))


def main() -> None:
    """Make, index, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each query")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    languages = [Language(name, chance) for name in COMMON]
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "twin.db") as store:
        fill(store, options.messages, languages, chance)
        started = time.perf_counter()
        search_index.update(store)
        seconds = time.perf_counter() - started
        found = measure(store, languages, options.repeat)
        size = (Path(folder) / "twin.db").stat().st_size
    told = {"messages": options.messages, "index_seconds": seconds, "database_bytes": size, **found}
    print(json.dumps(told, ensure_ascii=False) if options.json else table(told))


def table(told: dict[str, Any]) -> str:
    """The measurements as Markdown."""
    same = told["same_words"]
    lines = [
        f"{told['messages']:,} messages, indexed in {told['index_seconds']:.1f} s;"
        f" the database has {told['database_bytes'] / 1e6:,.0f} MB.",
        "",
        "| query | queries | median ms | max ms |",
        "|---|---:|---:|---:|",
        *(f"| {r['kind']} | {r['queries']} | {r['median_ms']:.2f} | {r['max_ms']:.2f} |" for r in told["kinds"]),
        "",
        f"Single words, same order and limit: search {same['search_ms']:.2f} ms, LIKE {same['like_ms']:.0f} ms,"
        f" ratio {same['ratio']:.0f}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
