"""Versions, fidelity and training on the twin's page, in a real Chromium: what their owner sees and can change."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browsing import IN_CHROMIUM, NEW, OLD, Desk, Serving, browsing, looking, published
from tests.serving import Running, running, serve_with, until
from twin.jobs import RETRAIN, JobQueue
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store

pytestmark = IN_CHROMIUM
LEFT = "document.dispatchEvent(new Event('visibilitychange')); }"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as opened:
        yield opened


@pytest.fixture
def twin(home: Settings) -> Serving:
    return Serving(settings=home, adapter=None)


@pytest.fixture
def server(home: Settings, twin: Serving) -> Iterator[Running]:
    with running(serve_with(home), twin.loaded) as server:
        yield server


@pytest.fixture
def desk(browser: Browser, server: Running) -> Iterator[Desk]:
    with looking(browser, server) as opened:
        yield opened


@pytest.fixture
def versions(home: Settings, store: Store) -> Registry:
    return published(home, store)


def test_a_promoted_version_that_cannot_serve_is_told_with_the_reason(
    versions: Registry, twin: Serving, desk: Desk
) -> None:
    expect(desk.status).to_have_text(f"Answers as {OLD}")
    why = "It belongs to another base model: promote another one."
    twin.refuse(why)
    desk.open_panel()
    expect(desk.page.locator("#notice")).to_have_text(why)
    expect(desk.status).to_have_text(f"Cannot answer as {OLD}")
    desk.say("hello")
    expect(desk.page.get_by_role("alert")).to_contain_text("It belongs to another base model")
    desk.choose().select_option(NEW)
    desk.button("Try again").click()
    expect(desk.page.locator(".label .version")).to_have_text([NEW])


def test_without_any_version_the_page_says_to_train_first(desk: Desk) -> None:
    expect(desk.page.locator("#notice")).to_contain_text("There is no trained version yet: the bare base model answers")
    desk.open_panel()
    expect(desk.panel).to_contain_text("There is none yet: twin train makes the first.")
    expect(desk.panel).to_contain_text("Nothing was measured yet")
    expect(desk.panel).to_contain_text("None runs.")


def test_another_version_is_tried_in_this_conversation_only(versions: Registry, twin: Serving, desk: Desk) -> None:
    expect(desk.choose().locator("option")).to_have_text([f"{OLD} (serves)", NEW, "the bare base model"])
    desk.choose().select_option(NEW)
    expect(desk.page.get_by_text(f"Only this conversation is answered by {NEW}.")).to_be_visible()
    desk.say("hello")
    expect(desk.page.locator(".label .version")).to_have_text([NEW])
    assert versions.current() == OLD and twin.asked[-1][1].version == NEW
    desk.button("New conversation").click()
    expect(desk.mine).to_have_count(0)
    desk.say("hello")
    expect(desk.page.locator(".label .version")).to_have_text([OLD])
    assert len(twin.asked[-1][0].turns) == 1 and twin.asked[-1][1].version is None


def test_a_version_is_promoted_after_a_question_and_rolled_back(versions: Registry, desk: Desk) -> None:
    desk.open_panel()
    ask = desk.page.get_by_role("dialog", name="Promote this version?")
    desk.button(f"Promote: {NEW}").click()
    expect(ask).to_contain_text(NEW)
    ask.get_by_role("button", name="Cancel").click()
    expect(ask).to_be_hidden()
    assert versions.current() == OLD
    desk.button(f"Promote: {NEW}").click()
    ask.get_by_role("button", name="Promote").click()
    expect(desk.panel.locator("li", has_text=NEW)).to_contain_text("serves")
    expect(desk.status).to_have_text(f"Answers as {NEW}")
    assert versions.current() == NEW
    desk.button("Roll back to the one before").click()
    desk.page.get_by_role("dialog", name="Roll back?").get_by_role("button", name="Roll back").click()
    expect(desk.status).to_have_text(f"Answers as {OLD}")
    assert versions.current() == OLD


def test_a_version_that_cannot_be_promoted_is_told_with_a_reason(versions: Registry, desk: Desk) -> None:
    desk.open_panel()
    expect(desk.button(f"Promote: {NEW}")).to_be_visible()
    (versions.folder / NEW / "adapter_model.safetensors").write_bytes(b"other")
    desk.button(f"Promote: {NEW}").click()
    desk.page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(desk.panel.locator(".said.wrong")).to_contain_text(NEW)
    assert versions.current() == OLD


def test_the_fidelity_of_each_version_stands_in_a_table(versions: Registry, desk: Desk) -> None:
    desk.open_panel()
    row = desk.panel.locator("tbody tr")
    expect(row).to_have_count(6)
    cells = [[cell.inner_text() for cell in it.locator("td").all()] for it in row.all()]
    assert cells == [
        ["1.02\n0.90 to 1.10", "–"],
        ["0.583\n0.550 to 0.610", "–"],
        ["–\nthere is no sentence encoder", "–"],
        ["−4.0\n−6.0 to −2.0", "–"],
        ["0 %", "–"],
        ["1.270\n(1.367)", "1.190\n(1.367)"],
    ]
    heads = desk.panel.locator("thead th")
    expect(heads).to_have_text([re.compile("Measure"), re.compile(f"{OLD} serves full report"), re.compile(NEW)])
    expect(desk.panel).to_contain_text(f"twin eval {NEW} does it.")


def test_a_training_is_followed_only_while_somebody_can_see_it(store: Store, desk: Desk) -> None:
    queue = JobQueue(store.db)
    queue.enqueue(RETRAIN, "owner", time.time())
    desk.freeze()
    expect(desk.status).to_have_text("Answers as the bare base model")
    desk.open_panel()
    expect(desk.panel).to_contain_text("One waits in the queue")
    job = queue.claim("worker", time.time())
    assert job is not None
    for step, loss in ((10, 2.5), (20, 2.25), (30, 2.125)):
        queue.report(job.id, {"step": step, "steps": 1200, "loss": loss, "seconds_left": 5400})
        until(lambda words=f"{step} of 1,200": desk.pass_time(4) or words in desk.panel.inner_text())
        expect(desk.panel.locator(".facts")).to_contain_text(f"{loss:.3f} nats a token")
    expect(desk.panel.locator(".facts")).to_contain_text("about 1 h 30 min")
    expect(desk.panel.get_by_role("img")).to_have_attribute("aria-label", re.compile("from 2.500 to 2.125"))
    hide = "(it) => { Object.defineProperty(document, 'hidden', { value: it, configurable: true });"
    for leave, come_back in (
        (lambda: desk.button("Close").click(), desk.open_panel),
        (lambda: desk.page.evaluate(hide + LEFT, True), lambda: desk.page.evaluate(hide + LEFT, False)),
    ):
        leave()
        before = desk.looks
        desk.pass_time(60)
        assert desk.looks == before
        come_back()
        until(lambda before=before: desk.pass_time(4) or desk.looks > before + 1)


def test_on_a_phone_the_panel_covers_the_chat_and_nothing_sticks_out(
    versions: Registry, browser: Browser, server: Running
) -> None:
    with looking(browser, server, viewport={"width": 390, "height": 780}) as desk:
        desk.say("w" * 300)
        expect(desk.theirs).to_have_count(2)
        sticks_out = "() => document.documentElement.scrollWidth > innerWidth"
        assert not desk.page.evaluate(sticks_out)
        desk.open_panel()
        expect(desk.page.locator("#panel-title")).to_be_focused()
        assert desk.page.evaluate("() => document.querySelector('.chat').inert") is True
        assert not desk.page.evaluate(sticks_out)
        desk.page.keyboard.press("Escape")
        expect(desk.panel).to_be_hidden()
        expect(desk.button("Versions, fidelity and training")).to_be_focused()
        assert desk.page.evaluate("() => document.querySelector('.chat').inert") is False
        desk.open_panel()
        desk.button(f"Talk to it: {NEW}").click()
        expect(desk.panel).to_be_hidden()
        expect(desk.draft).to_be_focused()
        expect(desk.status).to_have_text(f"Answers as {NEW}")
