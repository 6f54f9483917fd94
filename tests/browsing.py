"""A real Chromium that looks at the twin's page, an eye on all it asks for and complains about, and a twin to show."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from inference.generator import ANYHOW, TwinReply, Wish
from tests.serving import Running, Scripted, until
from tests.test_twin_registry import manifest
from twin.errors import ModelError
from twin.evaluations import Evaluations
from twin.messages import Conversation
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store

PATIENCE_MS = 60_000
OLD, NEW = "20260101-000000-aaaa", "20260108-000000-bbbb"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_COUNTING = """
  window.looks = window.pending = 0;
  const asked = window.fetch;
  window.fetch = async (path, ...how) => {
    looks += path === "api/state";
    pending += path !== "v1/chat/completions";
    try { return await asked(path, ...how); }
    finally { pending -= path !== "v1/chat/completions"; }
  };
"""
_NO_LOAD = "Failed to load resource"
expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str | None:
    """Where one is installed."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


IN_CHROMIUM = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium on this machine: apt install chromium"),
]
"""The marks of a file of tests that look at the page."""


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser without a window, with a profile of its own, while it lasts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), headless=True, args=list(_QUIET), timeout=PATIENCE_MS
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Desk:
    """The page as its reader uses it.

    Attributes:
        asked: the address of every request it made, in their order.
        complaints: errors and warnings of its console, broken rules among them.
        failed: what its console says of answers that were errors, which is no fault of the page.
    """

    page: Page
    address: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("request", self._on_request)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _on_request(self, request: Request) -> None:
        self.asked.append(request.url)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            (self.failed if _NO_LOAD in message.text else self.complaints).append(message.text)

    def open(self) -> Desk:
        self.page.goto(self.address)
        return self

    def say(self, *bubbles: str) -> None:
        """Send messages, each with Enter, and do not wait for the pause after them."""
        self.write(*bubbles)
        self.page.locator("#now").dispatch_event("click")  # which does nothing where a slow machine let the pause pass

    def write(self, *bubbles: str) -> None:
        """Send messages, each with Enter."""
        for bubble in bubbles:
            self.draft.fill(bubble)
            self.draft.press("Enter")

    def freeze(self) -> None:
        """Open it anew, and let time pass only in `pass_time`."""
        self.page.add_init_script(_COUNTING)
        self.page.clock.install(time=0)
        self.open()
        expect(self.status).to_have_attribute("data-tone", "good")
        self._settle()
        self.page.clock.pause_at(24 * 3600)

    def _settle(self) -> None:
        """Wait for answers under way: time that leaps would make them late."""
        until(lambda: self.page.evaluate("pending") == 0)

    def pass_time(self, seconds: float) -> None:
        """Let what the page does in this time be done."""
        self._settle()
        self.page.clock.run_for(int(1000 * seconds))

    @property
    def looks(self) -> int:
        """How often a frozen page asked how things stand."""
        return int(self.page.evaluate("looks"))

    @property
    def draft(self) -> Locator:
        return self.page.get_by_label("Message to your twin")

    @property
    def mine(self) -> Locator:
        return self.page.locator(".mine .bubble")

    @property
    def theirs(self) -> Locator:
        return self.page.locator(".twin .bubble")

    @property
    def status(self) -> Locator:
        return self.page.locator("#status")

    @property
    def panel(self) -> Locator:
        return self.page.locator("#panel")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def choose(self) -> Locator:
        """The menu of versions."""
        return self.page.get_by_label("Version that answers in this conversation")

    def open_panel(self) -> None:
        self.button("Versions, fidelity and training").click()
        expect(self.panel).to_be_visible()


@contextmanager
def looking(browser: Browser, server: Running, **how: object) -> Iterator[Desk]:
    """The page in a browser that knows nothing yet; it may not complain, nor ask anything of anybody else."""
    usual = {"locale": "en-GB", "viewport": {"width": 1180, "height": 800}}
    context = browser.new_context(**(usual | how))  # type: ignore[arg-type]
    desk = Desk(context.new_page(), server.address)
    try:
        yield desk.open()
        assert desk.complaints == []
        assert [url for url in desk.asked if not url.startswith(f"{server.address}/")] == []
    finally:
        context.close()


@dataclass
class Serving(Scripted):
    """A `Scripted` that serves what is promoted, unless it refuses it.

    Attributes:
        breaks: it breaks off after its first bubble.
    """

    settings: Settings | None = None
    breaks: bool = False

    def refuse(self, why: str) -> None:
        self.refused, self.adapter = why, None

    def refresh(self) -> None:
        assert self.settings is not None
        if self.refused is not None:
            return
        with Store.of(self.settings) as store:
            self.adapter = Registry(self.settings.adapters, store.db).current()

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        self.refresh()
        return super().reply(conversation, replace(wish, on_bubble=self._broken(wish)) if self.breaks else wish)

    def loaded(self) -> Serving:
        """Itself, as it is once it was built."""
        self.refresh()
        return self

    def _broken(self, wish: Wish) -> Callable[[str], None]:
        def on_bubble(text: str) -> None:
            wish.on_bubble(text)
            raise ModelError("The model broke off", "try again")

        return on_bubble


MEASURED: dict[str, object] = {
    "separation": {
        "fidelity": {"value": 1.02, "low": 0.9, "high": 1.1},
        "auc": {"value": 0.583, "low": 0.55, "high": 0.61},
        "void": None,
    },
    "context_fit": {"fit": None, "void": "there is no sentence encoder"},
    "copying": {"excess": {"value": -0.04, "low": -0.06, "high": -0.02}, "loops": 0.0},
}


def published(home: Settings, store: Store) -> Registry:
    """Two versions, of which the older one was measured and serves."""
    registry = Registry(home.adapters, store.db)
    for version, bits in ((OLD, 1.27), (NEW, 1.19)):
        with registry.incoming() as folder:
            (folder / "adapter_model.safetensors").write_bytes(version.encode())
            (folder / "adapter_config.json").write_text("{}")
            metrics = {"val_bits_per_character": bits, "val_base_bits_per_character": 1.367}
            registry.publish(folder, replace(manifest(version), metrics=metrics))
    registry.promote(OLD, "better", 1.0)
    Evaluations(store.db).add(OLD, 1_790_000_000.0, "full", {"systems": [MEASURED | {"name": "twin"}]})
    return registry
