"""How long a training set takes: 300,000 messages scrubbed, deduplicated, split and tokenized, and again after 1 %
more.

    .venv/bin/python benchmarks/dataset.py                      (about two minutes on 2 cores)
    .venv/bin/python benchmarks/dataset.py --messages 30000 --json

The input is made here, from a fixed seed: years of everyday chat in English, Russian and Chinese with 48 people,
bursts, links, numbers and emoji, 17 % of the messages being turns of the owner, and a secret of some kind (a password
after a question, a card, a phone number, an address ...) in one message of 300. Every measurement is a process of its
own, so that its peak memory is its own; tokenized is with the tokenizer of Gemma 3 270M where it is installed, else
with a tiny one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from twin.messages import Message  # noqa: E402

DIALOGS = 48
START = datetime(2021, 1, 1, tzinfo=UTC)
OWNER = 1
SECRET_RATE = 1 / 300
SIZES = (30_000, 100_000, 300_000)

WORDS = {
    "en": "i you the to a and it that is in of me my on for so just like not do have what was no be with but this know"
    " at we yeah get if up they can out there when how go one good time think about all he she will from now want going"
    " really see make right some time work home day today tomorrow tonight come back later maybe sure okay still need"
    " people something never always feel dinner movie train ticket weekend school exam project weather coffee music"
    " funny tired happy sorry thanks please wait sleep watch read write call phone house kitchen street city friend"
    " brother sister mother doctor holiday birthday present party game football running garden window morning evening",
    "ru": "я ты не что в и на а это как у меня мне да нет ну он она мы так все но по с же бы еще уже там тут вот если"
    " когда только очень можно надо будет было есть сегодня завтра вчера потом сейчас дома работе хорошо ладно давай"
    " привет пока спасибо конечно наверное думаю знаю хочу могу пойду поеду купить билет поезд кино ужин погода кофе"
    " музыка смешно устал рад прости подожди спать смотреть читать писать звонить улица город друг брат сестра мама"
    " врач отпуск праздник подарок игра футбол сад окно утро вечер выходные экзамен проект школа магазин деньги время",
    "zh": "我 你 的 了 是 不 在 有 他 这 那 好 吗 吧 啊 就 都 也 很 要 去 来 说 想 看 今天 明天 昨天 晚上 早上 现在 等"
    " 一下 可以 没有 知道 觉得 什么 怎么 为什么 时候 回家 上班 吃饭 睡觉 电影 火车 票 周末 学校 考试 天气 咖啡 音乐"
    " 好笑 累 开心 谢谢 朋友 妈妈 爸爸 医生 生日 礼物 游戏 足球 房子 厨房 城市 街 花园 窗户 东西 事情 真的 应该 一起",
}
SHORT = {
    "en": (
        "ok",
        "lol",
        "yeah",
        "haha",
        "no",
        "sure",
        "omw",
        "what",
        "nice",
        "😂",
        "k",
        "thanks",
        "ok!",
        "hahaha",
        "👍",
    ),
    "ru": ("ок", "ага", "да", "нет", "хаха", "ладно", "спс", "ща", "ну ок", "😂", "понял", "ахах", "👍", "норм"),
    "zh": ("好", "好的", "哈哈", "嗯", "不", "行", "谢谢", "😂", "哦", "可以", "哈哈哈", "👍"),
}
EMOJI = ("😂", "❤️", "🙈", "👀", "🎉", "🤷")
# Invented: reserved telephone ranges, example domains, test card numbers.
SECRETS = (
    ("whats the wifi password?", "Tr0ub4dor{n}x"),
    ("drop me your mail", "its kim.{n}@example.org ok?"),
    ("can you call me", "sure, +44 7700 900{m}"),
    ("какой пароль от вайфая?", "gfhjkm{n}Qz"),
    ("скинь номер карты", "4242 4242 4242 4242"),
    ("server?", "ssh admin@192.0.2.{o} and the password is Hunter{n}!"),
    ("密码是多少", "wifi密码 qwe{n}RTY"),
    ("where do you live now?", "{o} Elm Street, Springfield 62704"),
    ("key?", "sk-proj-{h}"),
    ("iban please", "DE89 3704 0044 0532 0130 00"),
)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=SIZES[-1], help="of the largest input")
    parser.add_argument("--workers", type=int, default=None, help="processes that look for secrets; default: cores")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.child, arguments.workers)))
        return
    result = run(arguments.messages, arguments.workers)
    print(json.dumps(result, indent=1) if arguments.json else report(result))


def run(largest: int, workers: int | None) -> dict[str, Any]:
    """Every measurement: three sizes from nothing, then the largest with nothing new, then with 1 % more."""
    result: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "scale": []}
    with tempfile.TemporaryDirectory() as folder:
        for size in [round(largest * share / SIZES[-1]) for share in SIZES]:
            home = Path(folder) / str(size)
            fill(home, chat(size))
            result["scale"].append(in_a_child(home, workers))
        result["again"] = in_a_child(home, workers)
        fill(home, more(size))
        result["more"] = in_a_child(home, workers)
    full, more_seconds = result["scale"][-1]["total"], result["more"]["total"]
    result["linear"] = full / largest / (result["scale"][0]["total"] / round(largest * SIZES[0] / SIZES[-1]))
    result["faster_after_1_percent"] = full / more_seconds
    result["faster_after_nothing"] = full / result["again"]["total"]
    return result


def in_a_child(home: Path, workers: int | None) -> dict[str, Any]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--child", str(home)]
    if workers:
        command += ["--workers", str(workers)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(home: Path, workers: int | None) -> dict[str, Any]:
    """Build and tokenize once: seconds by stage, and the most memory that this process and its workers held."""
    os.environ["TWIN_HOME"] = str(home)
    from training.dataset import build
    from training.windows import windows_of
    from twin.prompt import PromptSpec
    from twin.settings import load_settings
    from twin.store import Store

    settings = load_settings()
    stages: dict[str, float] = {}
    current, since = "Reading messages", time.perf_counter()
    started = since

    def on_progress(what: str, _share: float) -> None:
        nonlocal current, since
        if what != current:
            stages[current] = time.perf_counter() - since
            current, since = what, time.perf_counter()

    with Memory() as memory, Store.of(settings) as store:
        messages = store.message_count()
        snapshot = build(store, settings, on_progress=on_progress, workers=workers)
        on_progress("Loading the tokenizer", 1.0)
        tokenizer, is_real = make_tokenizer(settings, home)
        loaded = time.perf_counter() - since
        on_progress("Tokenizing", 1.0)
        spec = PromptSpec.of(settings).for_tokenizer(tokenizer.fingerprint)
        parts = windows_of(snapshot, ("train", "val", "test"), spec, tokenizer, store.db)
        on_progress("", 1.0)
    del stages["Loading the tokenizer"]
    total = time.perf_counter() - started - loaded
    return {
        "messages": messages,
        "supervised": sum(counts.supervised_turns for counts in snapshot.counts.values()),
        "tokens": sum(len(window.ids) for found in parts.values() for window in found),
        "found": sum(snapshot.account.found.values()),
        "account": snapshot.account.turns["train"],
        "stages": {name: round(seconds, 2) for name, seconds in stages.items()},
        "total": round(total, 2),
        "messages_per_second": round(messages / total),
        "peak_mb": memory.own_peak,
        "peak_mb_with_workers": memory.peak,
        "tokenizer": settings.base.model if is_real else "tiny",
    }


class Memory:
    """The most memory (resident, MB) that this process held, and that it held together with its children at once."""

    own_peak = peak = 0

    def __enter__(self) -> Memory:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            own = resident(os.getpid())
            children = multiprocessing.active_children()
            self.own_peak = max(self.own_peak, own)
            self.peak = max(self.peak, own + sum(resident(child.pid or 0) for child in children))


def resident(pid: int) -> int:
    """Resident memory of a process in MB; 0 where it has ended, or where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return round(pages * resource.getpagesize() / 2**20)


def make_tokenizer(settings: Any, home: Path) -> tuple[Any, bool]:
    """The embedded base model's where its package is installed, else a tiny one; not part of what is timed."""
    from inference.model_folder import locate
    from inference.tokenizer import BaseTokenizer
    from twin.errors import ModelError

    try:
        return BaseTokenizer(locate(settings)), True
    except ModelError:
        from tests.tiny import make_tokenizer as make_tiny

        folder = home / "tiny"
        folder.mkdir(exist_ok=True)
        make_tiny(folder)
        return BaseTokenizer(folder), False


def fill(home: Path, messages: Iterator[Message]) -> None:
    """Put messages into the home's database."""
    from twin.store import Store

    home.mkdir(parents=True, exist_ok=True)
    with Store.open(home / "twin.db") as store:
        by_chat: dict[int, list[Message]] = {}
        for message in messages:
            by_chat.setdefault(message.chat_id, []).append(message)
        for chat_id, its in by_chat.items():
            store.add_dialog(chat_id, f"Person {chat_id}")
            store.write_messages(its)


def chat(count: int, seed: int = 0, start: datetime = START) -> Iterator[Message]:
    """About `count` messages with 48 people, the largest dialog having a fifth of them; secrets as in life."""
    rng = random.Random(seed)
    weights = [1 / (rank + 1) ** 1.1 for rank in range(DIALOGS)]
    for rank, weight in enumerate(weights):
        language = ("en", "en", "ru", "en", "zh")[rank % 5]
        share = round(count * weight / sum(weights))
        yield from dialog(rng, 100 + rank, share, language, start, first_id=seed * 10_000_000)


def more(count: int) -> Iterator[Message]:
    """One percent more, later than everything before."""
    return chat(count // 100, seed=1, start=START + timedelta(days=1700))


def dialog(
    rng: random.Random, chat_id: int, count: int, language: str, start: datetime, first_id: int
) -> Iterator[Message]:
    """One dialog: conversations of a few to a hundred messages, bursts of about three, alternating speakers."""
    now = start + timedelta(hours=rng.random() * 24)
    days = 1500 / max(1, count / 25)
    is_owner, left_in_turn, left_in_session = False, 1, 0
    planned: list[str] = []
    for number in range(count):
        if left_in_session == 0:
            now += timedelta(days=rng.expovariate(1) * days, hours=2)
            left_in_session = 1 + int(rng.expovariate(1 / 25))
        if left_in_turn == 0:
            is_owner, left_in_turn = not is_owner, 1 + int(rng.expovariate(1 / 2.65))
        if planned:
            text = planned.pop(0)
        elif rng.random() < SECRET_RATE:
            text, answer = rng.choice(SECRETS)
            planned = [
                answer.format(
                    n=rng.randrange(1000), m=rng.randrange(100, 999), o=rng.randrange(2, 250), h=rng.randbytes(20).hex()
                )
            ]
            left_in_turn = 1
        else:
            text = line(rng, language)
        now += timedelta(seconds=rng.expovariate(1 / 25) + 1)
        yield Message(
            chat_id=chat_id,
            message_id=first_id + number + 1,
            sent_at=now.replace(microsecond=0),
            sender_id=OWNER if is_owner else chat_id,
            is_owner=is_owner,
            text=text,
        )
        left_in_turn -= 1
        left_in_session -= 1


def line(rng: random.Random, language: str) -> str:
    """One ordinary message: often two or three words, now and then a long one, a link or a number."""
    if rng.random() < 0.18:
        return rng.choice(SHORT[language])
    count = 1 + min(40, int(rng.expovariate(1 / 6.5)))
    said = rng.choices(VOCABULARY[language], cum_weights=WEIGHTS[language], k=count)
    if rng.random() < 0.08:
        said.insert(rng.randrange(len(said) + 1), str(rng.choice((5, 7, 10, 15, 20, 30, 100, 2019, "18:30", "7pm"))))
    text = ("" if language == "zh" else " ").join(said)
    chance = rng.random()
    if chance < 0.015:
        return f"{text} https://example.com/{rng.randbytes(3).hex()}"
    if chance < 0.08:
        return f"{text} {rng.choice(EMOJI)}"
    return text + rng.choice(("", "", "", "?", "!", "...", "."))


def vocabulary(language: str, size: int = 12_000) -> list[str]:
    """The common words above, then made-up ones: as many different words as years of chat hold."""
    rng = random.Random(language)
    words = list(dict.fromkeys(WORDS[language].split()))
    syllables = SYLLABLES[language].split()
    while len(words) < size:
        words.append("".join(rng.choice(syllables) for _ in range(rng.choice((1, 2, 2, 3)))))
    return list(dict.fromkeys(words))


SYLLABLES = {
    "en": "ba con der ing ly tion er pre al ex form per sent ture ment un re ble stan mor gar fin tel ran kit lo vis",
    "ru": "ко ра то ни ла ме ст пре ние ов ать ись про за вы ход лен ный ка дом бо ру те си ва гор мен люб ток уш",
    "zh": "山 水 火 木 金 土 电 脑 手 机 车 站 路 口 红 白 黑 大 小 高 低 快 慢 新 旧 书 笔 字 话 语 海 河 云 雨 雪 风",
}
VOCABULARY = {language: vocabulary(language) for language in WORDS}
# Zipf's law (with Mandelbrot's shift): the word of rank r is said in proportion to 1 / (r + 2.7).
WEIGHTS = {
    language: list(accumulate(1 / (rank + 2.7) for rank in range(len(words)))) for language, words in VOCABULARY.items()
}


def report(result: dict[str, Any]) -> str:
    """The results as tables in Markdown."""
    names = list(result["scale"][-1]["stages"])
    rows = [*result["scale"], result["again"] | {"messages": "nothing new"}, result["more"] | {"messages": "1 % more"}]
    lines = [
        "| messages | supervised | tokens | "
        + " | ".join(names)
        + " | seconds | messages/s | peak MB | with workers |",
        "|---" * (len(names) + 7) + "|",
    ]
    for row in rows:
        size = f"{row['messages']:,}" if isinstance(row["messages"], int) else row["messages"]
        stages = " | ".join(f"{row['stages'].get(name, 0):.1f}" for name in names)
        lines.append(
            f"| {size} | {row['supervised']:,} | {row['tokens']:,} | {stages} | {row['total']:.1f}"
            f" | {row['messages_per_second']:,} | {row['peak_mb']} | {row['peak_mb_with_workers']} |"
        )
    lines += [
        "",
        f"{result['cores']} cores. A message of the largest input takes {result['linear']:.2f} of the smallest's time.",
        f"After 1 % new messages {result['faster_after_1_percent']:.1f} times faster than from nothing,"
        f" after nothing new {result['faster_after_nothing']:.1f} times.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
