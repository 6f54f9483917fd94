"""/deny ends at once what is under way for somebody, drops what waits of theirs, and keeps none of its words."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bot_api import FRIEND, OWNER, Parrot
from tests.stages import Scene, stage
from twin.store import Store


async def deny(scene: Scene, user: int = FRIEND) -> None:
    await scene.settled(await scene.say(f"/deny {user}", OWNER))


def kept_words(scene: Scene) -> str:
    """Whatever the bot keeps of anybody's words."""
    with Store.open(scene.home / "twin.db") as store:
        inbox = [row[0] for row in store.db.execute("select payload from bot_inbox")]
        said = [row[0] for row in store.db.execute("select text from bot_messages")]
    return " ".join(inbox + said)


def test_a_reply_under_way_ends_between_two_bubbles(tmp_path: Path) -> None:
    async def play() -> None:
        parrot = Parrot(lambda _: ["a", "b"])
        async with stage(tmp_path, parrot, bubble_pause_seconds=60) as scene:
            update = await scene.say("a secret plan")
            await scene.api.until(lambda: scene.done() == ["a"] and scene.clock.sleepers)
            await deny(scene)
            await scene.settled(update)
            assert "secret" not in kept_words(scene) and scene.rows() == [("owner", "a")]
            scene.clock.advance(120)
            await scene.say("are you there", OWNER)
            await scene.api.until(lambda: scene.done(OWNER)[1:] == ["a"])
            assert scene.done() == ["a"]

    asyncio.run(play())


def test_what_is_being_thought_about_and_what_waits_is_dropped(tmp_path: Path) -> None:
    asked, free = threading.Event(), threading.Event()

    def slow(heard: Sequence[str]) -> list[str]:
        asked.set()
        assert free.wait(60)
        return [f"you said {heard[-1]}"]

    async def play() -> None:
        async with stage(tmp_path, Parrot(slow)) as scene:
            updates = [await scene.say(f"secret {number}") for number in range(4)]
            await scene.api.until(asked.is_set)
            await scene.taken_in(*updates)
            await deny(scene)
            free.set()
            await scene.settled(*updates)
            await scene.settled(await scene.say("are you there", OWNER))
            assert scene.done() == [] and "secret" not in kept_words(scene)
            assert scene.done(OWNER)[1:] == ["you said are you there"]

    asyncio.run(play())


def test_who_is_let_in_again_is_answered_again_to_what_they_write_then(tmp_path: Path) -> None:
    async def play() -> None:
        parrot = Parrot()
        async with stage(tmp_path, parrot, debounce_seconds=5) as scene:
            dropped = await scene.say("before")
            await scene.taken_in(dropped)
            await deny(scene)
            await scene.settled(dropped, await scene.say(f"/allow {FRIEND}", OWNER))
            new = await scene.say("after")
            await scene.taken_in(new)
            await scene.pass_time(5)
            await scene.settled(new)
            assert scene.done() == ["you said after"] and parrot.asked == [[("other", ["after"])]]

    asyncio.run(play())


def test_in_a_group_the_others_are_answered_all_the_same(tmp_path: Path) -> None:
    other, group = 4004, -100_500
    chat = {"id": group, "type": "supergroup", "title": "Friends"}
    name = "@emulated_twin_bot"
    call: dict[str, Any] = {"chat": chat, "entities": [{"type": "mention", "offset": 0, "length": len(name)}]}

    async def play() -> None:
        parrot = Parrot(lambda heard: [" + ".join(heard)])
        async with stage(tmp_path, parrot, debounce_seconds=5, allowed_ids=[FRIEND, other, group]) as scene:
            updates = [await scene.say(f"{name} {text}", user, **call) for user, text in ((FRIEND, "x"), (other, "y"))]
            await scene.taken_in(*updates)
            await deny(scene)
            await scene.pass_time(5)
            await scene.settled(*updates)
            assert scene.done(group) == ["y"]
            alone = await scene.say(f"{name} z", other, **call)
            await scene.taken_in(alone)
            await deny(scene, other)
            await scene.settled(alone)
            assert scene.done(group) == ["y"]

    asyncio.run(play())
