"""/versions and /rollback: which versions there are, how good they are, which of them serves, and trying another.

Knows nothing of Telegram's requests: texts and buttons out, the buttons' words in. Versions are looked up by
the registry, which takes no name that could be a path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import InlineKeyboardButtonLimit

from bot import wording
from bot.buttons import Screen
from bot.tries import Tries
from inference.server.records import Records
from twin.errors import AdapterError, TwinError

PREFIX = "version:"
_LIST, _BACK = f"{PREFIX}list", f"{PREFIX}back"
_SHOW, _PROMOTE, _TRY, _STOP = f"{PREFIX}show:", f"{PREFIX}promote:", f"{PREFIX}try:", f"{PREFIX}stop"
_MOST = 12


class Versions:
    """What the owner sees of the versions.

    Args:
        records: asked in threads: it reads files and has connections of its own.
        tries: of a version in the owner's own chat.
    """

    def __init__(self, records: Records, tries: Tries) -> None:
        self._records = records
        self._tries = tries

    async def listing(self) -> Screen:
        """The newest versions, with a button for each."""
        versions = (await asyncio.to_thread(self._records.state, None))["versions"]
        if not versions:
            return wording.NO_VERSION, None
        rows = [
            [_button(f"{'★ ' if version['promoted'] else ''}{version['version']}", _SHOW + version["version"])]
            for version in versions[:_MOST]
        ]
        tried = self._tries.version
        rows.append([_button("Roll back", _BACK), *([_button("Stop trying", _STOP)] if tried else [])])
        facts = [_facts(version, tried) for version in versions[:_MOST]]
        return wording.versions(facts, len(versions)), _keyboard(rows)

    async def rollback(self) -> Screen:
        """Go back to the version that served before; says why if that cannot be."""
        try:
            version = await asyncio.to_thread(self._records.rollback)
        except TwinError as error:
            return str(error), _TO_LIST
        return wording.serves(version), _TO_LIST

    async def pressed(self, data: str) -> Screen:
        """What a button leads to; data that no button of these has is answered with the list."""
        if data == _BACK:
            return await self.rollback()
        if data.startswith(_SHOW):
            return await self._show(data.removeprefix(_SHOW))
        if data.startswith(_PROMOTE):
            return await self._promote(data.removeprefix(_PROMOTE))
        if data.startswith(_TRY):
            return await self._try(data.removeprefix(_TRY))
        if data == _STOP:
            return wording.tries_no_more(self._tries.stop()), _TO_LIST
        return await self.listing()

    async def _show(self, version: str) -> Screen:
        versions = (await asyncio.to_thread(self._records.state, None))["versions"]
        found = next((row for row in versions if row["version"] == version), None)
        if found is None:
            return wording.NO_SUCH_VERSION, _TO_LIST
        tried = self._tries.version
        trying = _button("Stop trying", _STOP) if tried == version else _button("Try", _TRY + version)
        choices = [] if found["promoted"] else [trying, _button("Promote", _PROMOTE + version)]
        text = wording.version(_facts(found, tried), found["metrics"])
        return text, _keyboard([choices, [_button("Versions", _LIST)]])

    async def _try(self, version: str) -> Screen:
        try:
            await self._tries.begin(version)
        except AdapterError as error:
            return wording.cannot_be_tried(version, str(error)), _TO_LIST
        await self._tries.look()  # it may have been promoted meanwhile
        if self._tries.version != version:
            return await self.listing()
        return wording.tries(version), _keyboard([[_button("Stop trying", _STOP)], [_button("Versions", _LIST)]])

    async def _promote(self, version: str) -> Screen:
        try:
            await asyncio.to_thread(self._records.promote, version)
        except TwinError as error:
            return str(error), _TO_LIST
        return wording.serves(version), _TO_LIST


def _facts(row: Mapping[str, Any], tried: str | None) -> dict[str, Any]:
    """What is told of a version: its name and state, and the twin's headline figures of its last report."""
    report = row["fidelity"] or {}
    systems = report.get("systems") or [report | {"name": "twin"}]  # the gate's report tells of the twin alone
    twin: Mapping[str, Any] = next((system for system in systems if system.get("name") == "twin"), {})
    figures = {
        "Fidelity": _value(twin, "separation", "fidelity"),
        "Told from you (AUC)": _value(twin, "separation", "auc"),
        "Context fit": _value(twin, "context_fit", "fit"),
        "Copied beyond your own rate": _value(twin, "copying", "excess"),
    }
    state = "damaged" if row["damaged"] else "stale" if row["stale"] else "serves" if row["promoted"] else ""
    if row["version"] == tried:
        state = "you try it"
    return {
        "name": row["version"],
        "state": state,
        "quizzes": row["quizzes"],
        "kind": report.get("kind"),
        "figures": {name: value for name, value in figures.items() if value is not None},
    }


def _value(system: Mapping[str, Any], part: str, name: str) -> float | None:
    """A figure, which stands alone or with its bounds."""
    found = (system.get(part) or {}).get(name)
    value = found.get("value") if isinstance(found, Mapping) else found
    return float(value) if isinstance(value, int | float) else None


def _button(text: str, data: str) -> InlineKeyboardButton | None:
    """A button; None where its data is longer than Telegram takes, which no version that `twin train` names is."""
    fits = len(data.encode()) <= InlineKeyboardButtonLimit.MAX_CALLBACK_DATA
    return InlineKeyboardButton(text, callback_data=data) if fits else None


def _keyboard(rows: list[list[InlineKeyboardButton | None]]) -> InlineKeyboardMarkup:
    kept = [[button for button in row if button is not None] for row in rows]
    return InlineKeyboardMarkup([row for row in kept if row])


_TO_LIST = _keyboard([[_button("Versions", _LIST)]])
