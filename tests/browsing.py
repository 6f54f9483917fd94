"""A real Chromium that looks at the twin's page, and an eye on all it asks for and complains about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

PATIENCE_MS = 60_000
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
_NO_LOAD = "Failed to load resource"
expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str | None:
    """Where one is installed."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


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
        self.button("Answer now").click()

    def write(self, *bubbles: str) -> None:
        """Send messages, each with Enter."""
        for bubble in bubbles:
            self.draft.fill(bubble)
            self.draft.press("Enter")

    def count(self, path: str) -> int:
        """How many requests there were for a path."""
        return sum(url == self.address + path for url in self.asked)

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
