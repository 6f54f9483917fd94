"""How long the twin lets a bubble wait: drawn from the owner's own pace, or always the same.

Knows nothing of Telegram, or of what is said beyond its length.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from twin.errors import TwinError
from twin.manifest import Manifest
from twin.marks import zone
from twin.sections import Telegram
from twin.session_lines import newest_folder
from twin.settings import Settings
from twin.timing import Timing

_TIMING = "timing.json"
_log = logging.getLogger(__name__)


class Pauses:
    """Draws pauses, in seconds.

    Args:
        random: where chance comes from.
        pacing: what `telegram.pacing` is just now; default: as the settings say.

    Attributes:
        paces: what they are drawn from.
    """

    def __init__(self, settings: Settings, random: Random, pacing: Callable[[], str] | None = None) -> None:
        self._telegram: Telegram = settings.telegram
        self.paces = Paces(settings.adapters, settings.datasets)
        self._random = random
        self._pacing = pacing or (lambda: settings.telegram.pacing)

    def before_first(self, adapter: str | None, asked_at: float) -> float:
        """From the last message of a burst to the first bubble of its answer.

        Args:
            adapter: the version that answers; its owner's pace is that of the dialogs it learned from.
            asked_at: when that message came, UTC epoch seconds.
        """
        pace = self._pace(adapter)
        if pace is None:
            return 0.0
        hour = datetime.fromtimestamp(asked_at, UTC).astimezone(zone(pace.timezone)).hour
        return self._bounded(pace.sample_latency(self._random, hour))

    def before(self, adapter: str | None, text: str) -> float:
        """From one bubble to the next, which says this."""
        pace = self._pace(adapter)
        if pace is None:
            return self._telegram.bubble_pause_seconds
        return self._bounded(pace.sample_gap(self._random, len(text)))

    def _pace(self, adapter: str | None) -> Timing | None:
        return self.paces.of(adapter) if self._pacing() == "owner" else None

    def _bounded(self, seconds: float) -> float:
        return min(seconds, self._telegram.longest_pause_seconds)


class Paces:
    """The fitted paces in a home, each read once.

    Args:
        adapters, datasets: folders of the home.
    """

    def __init__(self, adapters: Path, datasets: Path) -> None:
        self._adapters, self._datasets = adapters, datasets
        self._known: dict[str | None, Timing | None] = {}

    def of(self, adapter: str | None) -> Timing | None:
        """The pace in the training set of a version, else in the newest one; None where nothing was fitted."""
        if adapter not in self._known:
            self._known[adapter] = self._read(adapter)
        return self._known[adapter]

    def _read(self, adapter: str | None) -> Timing | None:
        for folder in self._folders(adapter):
            path = folder / _TIMING
            try:
                pace = Timing.from_dict(json.loads(path.read_text(encoding="utf-8")))
                zone(pace.timezone)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, TypeError, TwinError) as error:
                _log.warning("The pace in %s cannot be read (%s)", path.parent.name, type(error).__name__)
                continue
            return pace
        return None

    def _folders(self, adapter: str | None) -> list[Path]:
        folders = []
        if adapter is not None:
            with suppress(TwinError):  # deleted meanwhile, or no adapter at all
                folders.append(self._datasets / Manifest.read(self._adapters / adapter).dataset)
        with suppress(TwinError, OSError):
            folders.append(newest_folder(self._datasets))
        return folders
