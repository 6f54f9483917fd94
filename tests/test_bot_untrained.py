"""While no trained version serves, nobody is sent the bare base model's words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.phrases import phrase
from tests.bot_api import FRIEND, OWNER, Parrot, bot_api, bot_settings, running_bot
from twin.store import Store

REFUSAL = "The adapter v2 is truncated: promote another version."


def _answers(home: Path, build: Callable[[], Parrot], *users: int) -> list[str]:
    """What a message of each of these users is answered with."""

    async def scene() -> list[str]:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), build):
            for number, user in enumerate(users, start=1):
                await api.write(user, "hi")
                await api.until(lambda n=number: sum(call.method == "sendMessage" for call in api.calls) == n)
            return [call.text or "" for call in api.calls if call.method == "sendMessage"]

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("refused", "for_owner"), [(None, "send /retrain"), (REFUSAL, REFUSAL)], ids=["nothing trained", "all refused"]
)
def test_everybody_gets_a_stock_line_that_is_not_the_twins_and_the_owner_the_reason(
    tmp_path: Path, refused: str | None, for_owner: str
) -> None:
    parrot = Parrot(adapter=None, refused=refused)
    to_friend, to_owner = _answers(tmp_path, lambda: parrot, FRIEND, OWNER)
    assert to_friend == phrase("en", "untrained")
    assert "retrain" not in to_friend and "adapter" not in to_friend
    assert for_owner in to_owner
    assert parrot.asked == []
    with Store.open(tmp_path / "twin.db") as store:
        assert {row[0] for row in store.db.execute("select speaker from bot_messages")} == {"other", "line"}
        assert not list(store.db.execute("select * from bot_inbox where answered_at is null"))


def test_the_first_trained_version_answers_from_the_next_message_on(tmp_path: Path) -> None:
    class Learning(Parrot):
        looks = 0

        def refresh(self) -> None:
            self.looks += 1
            self.adapter = "v1" if self.looks > 1 else None

    parrot = Learning()
    stock, reply = _answers(tmp_path, lambda: parrot, FRIEND, FRIEND)
    assert stock == phrase("en", "untrained") and reply == "you said hi"
    assert parrot.asked == [[("other", ["hi", "hi"])]]
