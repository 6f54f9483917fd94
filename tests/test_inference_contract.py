"""What every engine fulfils, and what every engine is to people: one contract, the same tests for all of them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from inference.answering import Answering
from inference.engine import Engine, Request, Written
from inference.generator import BASE, Wish
from tests.engines import ENGINES, FAMILY, Places, publish
from twin.errors import AdapterError
from twin.messages import Conversation, Turn
from twin.prompt import PromptSpec
from twin.registry import Registry
from twin.sections import Base, Reply
from twin.settings import Settings
from twin.store import Store

GREEDY = Reply(temperature=0, max_tokens=16)
WILD = Reply(temperature=1.2, max_tokens=16)
PROMPTS = [(1, 40, 41, 50, 60, 70), (1, 80, 81), (1, 40, 41, 50, 60, 71, 72, 73)]
CHATS, PROMOTIONS = 8, 20
SWAPPED = ["local", "llamacpp", pytest.param("remote", marks=pytest.mark.slow)]


@dataclass
class Desk:
    """An engine, and what it needs around it."""

    engine: Engine
    registry: Registry
    settings: Settings
    store: Store
    base: Path

    def publish(self, seed: int) -> str:
        return publish(self.registry, self.engine.identity, self.base, seed)

    def put_on(self, version: str) -> None:
        self.engine.prepare(version, self.registry.path(version), self.registry.verify(version))
        self.engine.use(version)

    def answering(self, how: Reply) -> Answering:
        return Answering(self.engine, self.registry, how, PromptSpec(context_tokens=256))


@pytest.fixture(params=ENGINES)
def desk(
    request: pytest.FixtureRequest,
    home: Settings,
    tiny_base: Callable[[str], Path],
    tmp_path: Path,
) -> Iterator[Desk]:
    base = tiny_base(FAMILY)
    settings = home.model_copy(update={"base": Base(model=str(base))})
    with ExitStack() as stack:
        engine = stack.enter_context(ENGINES[request.param](settings, Places(base, tmp_path / "beside")))
        store = stack.enter_context(Store.of(settings, any_thread=True))
        yield Desk(engine, Registry(settings.adapters, store.db), settings, store, base)
        engine.close()


def texts(written: list[Written]) -> list[str]:
    return [one.text for one in written]


def test_greedy_texts_repeat_and_do_not_depend_on_what_is_written_beside_them(desk: Desk) -> None:
    requests = [Request(prompt, GREEDY) for prompt in PROMPTS]
    together = texts(desk.engine.write(requests))
    assert texts(desk.engine.write(requests)) == together
    assert [desk.engine.write([request])[0].text for request in requests] == together
    assert len(set(together)) > 1


def test_a_seed_repeats_a_sampled_text_and_another_one_gives_another(desk: Desk) -> None:
    first = desk.engine.write([Request(PROMPTS[0], WILD, seed=7)])[0]
    assert desk.engine.write([Request(PROMPTS[0], WILD, seed=7)])[0].text == first.text
    others = {desk.engine.write([Request(PROMPTS[0], WILD, seed=seed)])[0].text for seed in range(4)}
    assert len(others) > 1


def test_what_is_told_while_writing_is_what_was_written(desk: Desk) -> None:
    pieces: dict[int, list[str]] = {0: [], 1: [], 2: []}
    written = desk.engine.write(
        [Request(prompt, WILD, seed=3) for prompt in PROMPTS], lambda place, text: pieces[place].append(text)
    )
    for place, one in enumerate(written):
        told = "".join(pieces[place])
        assert one.text.startswith(told) and len(one.text) - len(told) <= 1, "but for half a character"
        assert sum(map(bool, pieces[place])) > 1


def test_a_text_ends_where_it_is_complete_or_where_there_is_no_more_room(desk: Desk) -> None:
    whole = desk.engine.write([Request(PROMPTS[0], GREEDY)])[0]
    assert whole.ended == "length" and whole.count == GREEDY.max_tokens
    half = len(whole.text) // 2
    early = Request(PROMPTS[0], GREEDY, is_complete=lambda text: len(text) >= half)
    stopped = desk.engine.write([early])[0]
    assert stopped.ended == "turn" and half <= len(stopped.text) < len(whole.text)
    assert whole.text.startswith(stopped.text)


def test_one_thread_may_stop_its_text_and_the_others_go_on(desk: Desk) -> None:
    patient = Reply(temperature=0, max_tokens=100)
    expected = desk.engine.write([Request(PROMPTS[1], patient)])[0]
    said: list[str] = []
    with ThreadPoolExecutor(2) as threads:
        short = threads.submit(
            desk.engine.write,
            [Request(PROMPTS[0], patient)],
            lambda _, text: said.append(text),
            lambda: len(said) >= 3,
        )
        whole = threads.submit(desk.engine.write, [Request(PROMPTS[1], patient)])
        (stopped,) = short.result()
        assert stopped.ended == "cancelled" and stopped.count < 100
        assert whole.result()[0].text == expected.text


def test_many_threads_get_each_their_own_text(desk: Desk) -> None:
    requests = [Request((1, 40 + n, 41, 50), GREEDY) for n in range(12)]
    expected = [desk.engine.write([request])[0].text for request in requests]
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda request: desk.engine.write([request])[0].text, requests))
    assert found == expected


def test_a_listener_that_fails_ends_its_own_text_alone(desk: Desk) -> None:
    def fail(_: int, __: str) -> None:
        raise LookupError("a listener's own fault")

    with ThreadPoolExecutor(2) as threads:
        whole = threads.submit(desk.engine.write, [Request(PROMPTS[1], GREEDY)])
        with pytest.raises(LookupError):
            desk.engine.write([Request(PROMPTS[0], GREEDY)], fail)
        assert whole.result()[0].count == GREEDY.max_tokens
    desk.put_on(desk.publish(1))
    several = [Request(prompt, GREEDY) for prompt in PROMPTS]
    assert [one.count for one in desk.engine.write(several)] == [GREEDY.max_tokens] * 3, "nothing of it is left"


def test_an_adapter_changes_what_is_computed_and_none_brings_the_base_back(desk: Desk) -> None:
    first, second = desk.publish(1), desk.publish(2)
    bare, bare_text = desk.engine.probe(), desk.engine.write([Request(PROMPTS[0], GREEDY)])[0].text
    desk.put_on(first)
    of_first = desk.engine.probe()
    text = desk.engine.write([Request(PROMPTS[0], GREEDY)])[0].text
    desk.put_on(second)
    desk.engine.drop(first)
    of_second = desk.engine.probe()
    assert len({tuple(sorted(found.items())) for found in (bare, of_first, of_second)}) == 3
    assert all(map(math.isfinite, [*bare.values(), *of_first.values(), *of_second.values()]))
    desk.put_on(first)
    assert desk.engine.write([Request(PROMPTS[0], GREEDY)])[0].text == text
    desk.engine.use(None)
    assert desk.engine.probe() == pytest.approx(bare, abs=1e-3)
    assert desk.engine.write([Request(PROMPTS[0], GREEDY)])[0].text == bare_text


def test_an_adapter_that_cannot_be_loaded_leaves_what_serves_in_place(desk: Desk) -> None:
    good, bad = desk.publish(1), desk.publish(2)
    desk.put_on(good)
    before = desk.engine.probe()
    manifest = desk.registry.verify(bad)
    (desk.registry.path(bad) / "adapter_model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(AdapterError, match=bad):
        desk.engine.prepare(bad, desk.registry.path(bad), manifest)
        desk.engine.use(bad)
    assert desk.engine.probe() == pytest.approx(before, abs=1e-5)


def test_what_was_released_comes_back_and_says_the_same(desk: Desk) -> None:
    version = desk.publish(1)
    desk.registry.promote(version, "test", time.time())
    generator = desk.answering(GREEDY)
    asked = Conversation((Turn.of("other", ["are you coming tonight?"]),))
    before = generator.reply(asked)
    generator.release()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(generator.reply, asked)
        assert not waiting.done()
        generator.resume()
        assert waiting.result() == before and before.adapter == version
    generator.release()
    generator.release()
    generator.close()


def test_bubbles_that_are_told_one_by_one_are_the_reply(desk: Desk) -> None:
    generator = desk.answering(Reply(temperature=1.5, max_tokens=40))
    for seed in range(6):
        told: list[str] = []
        asked = Conversation((Turn.of("other", [f"hey {seed}"]),))
        reply = generator.reply(asked, Wish(seed=seed, on_bubble=told.append))
        assert tuple(told) == reply.bubbles == generator.reply(asked, Wish(seed=seed)).bubbles
        assert reply.tokens > 0 and reply.prompt_tokens > 0


def test_the_askers_own_stops_end_a_reply_before_them(desk: Desk) -> None:
    generator = desk.answering(GREEDY)
    asked = Conversation((Turn.of("other", ["hey"]),))
    whole = "\n".join(generator.reply(asked, Wish(how=Reply(temperature=0, max_tokens=30))).bubbles)
    stop = whole[len(whole) // 2 :][:3]
    cut = generator.reply(asked, Wish(how=Reply(temperature=0, max_tokens=30), stops=(stop,)))
    assert "\n".join(cut.bubbles) == whole[: whole.index(stop)].strip() and cut.ended == "stopped"


@pytest.mark.parametrize("desk", SWAPPED, indirect=True)
def test_eight_chats_talk_while_twenty_adapters_are_promoted_one_after_another(desk: Desk) -> None:
    """No request is lost, each says which version made it, and says what exactly that version says."""
    versions = [desk.publish(seed) for seed in range(1, PROMOTIONS + 1)]
    generator = desk.answering(GREEDY)
    asked = [Conversation((Turn.of("other", [f"question {n}"]),)) for n in range(CHATS)]
    expected = {
        version: [reply.bubbles for reply in generator.replies(asked, Wish(version=version))] for version in versions
    }
    assert len({tuple(said) for said in expected.values()}) == PROMOTIONS
    desk.registry.promote(versions[0], "test", time.time())
    over = threading.Event()
    counts = [0] * CHATS
    said_by: set[str | None] = set()

    def chat(number: int) -> list[tuple[str | None, tuple[str, ...]]]:
        found = []
        while not over.is_set():
            reply = generator.reply(asked[number])
            found.append((reply.adapter, reply.bubbles))
            said_by.add(reply.adapter)
            counts[number] += 1
        return found

    with ThreadPoolExecutor(CHATS) as threads:
        chats = [threads.submit(chat, number) for number in range(CHATS)]
        try:
            for version in versions[1:]:
                target = sum(counts) + 4
                wait_until(lambda target=target: sum(counts) >= target or any(one.done() for one in chats))
                with generator.registry() as registry:
                    registry.promote(version, "test", time.time())
            wait_until(lambda: versions[-1] in said_by or any(one.done() for one in chats))
        finally:
            over.set()
        said = [one.result() for one in chats]
    assert sum(map(len, said)) == sum(counts)
    for number, replies in enumerate(said):
        assert replies
        order = [versions.index(str(version)) for version, _ in replies]
        assert order == sorted(order), "never back to an older version"
        for version, bubbles in replies:
            assert bubbles == expected[str(version)][number]
    assert generator.swaps >= PROMOTIONS and generator.refused is None
    assert generator.reply(asked[0], Wish(version=BASE)).adapter is None


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)
