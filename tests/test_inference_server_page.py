"""The twin's page in a real Chromium, on a server that really runs: what its reader sees and can do."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from inference.guard import KINDS
from inference.server.app import PAGE
from tests.browsing import IN_CHROMIUM, OLD, Desk, Serving, browsing, looking, published
from tests.serving import KEY, Running, running, serve_with, until
from twin.errors import ModelError
from twin.messages import Turn
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store

pytestmark = IN_CHROMIUM
MARKUP = "<img src=x onerror=\"document.title='gone'\"><b>bold</b> & <script>document.title='gone'</script>"


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


def test_messages_in_a_row_are_one_burst_that_is_answered_in_bubbles_with_a_label(
    versions: Registry, twin: Serving, desk: Desk
) -> None:
    desk.freeze()
    expect(desk.status).to_have_text(f"Answers as {OLD}")
    desk.draft.fill("two")
    desk.draft.press("Shift+Enter")
    desk.draft.type("lines")
    desk.draft.press("Enter")
    desk.write("and one")
    expect(desk.mine).to_have_text(["two\nlines", "and one"])
    desk.pass_time(1.3)
    expect(desk.theirs).to_have_text(["hey", "what's up"])
    expect(desk.page.locator(".label")).to_have_text(re.compile(rf"^{OLD} · \d\d:\d\d$"))
    desk.say("fine")
    expect(desk.theirs).to_have_count(4)
    asked = [conversation for conversation, _ in twin.asked]
    assert asked[0].turns[0].bubbles[0].text == "two\nlines"
    said = [(turn.speaker, [bubble.text for bubble in turn.bubbles]) for turn in asked[-1].turns]
    burst, reply = ("other", ["two\nlines", "and one"]), ("owner", ["hey", "what's up"])
    assert said == [burst, reply, ("other", ["fine"])]
    at = asked[-1].at
    assert at is not None and asked[-1].turns[-1].ended_at is not None and asked[-1].turns[-1].ended_at <= at


def test_the_page_keeps_nothing_and_complains_of_nothing(versions: Registry, desk: Desk) -> None:
    desk.say("hello")
    expect(desk.theirs).to_have_count(2)
    desk.open_panel()
    expect(desk.panel.get_by_role("table")).to_be_visible()
    kept = "() => [localStorage.length, sessionStorage.length, document.cookie]"
    assert desk.page.evaluate(kept) == [0, 0, ""]
    assert desk.page.evaluate("async () => (await indexedDB.databases()).length + (await caches.keys()).length") == 0
    assert desk.failed == [] and desk.page.context.cookies() == []
    desk.page.reload()
    expect(desk.page.get_by_text("Say something to your twin.")).to_be_visible()


def test_bubbles_appear_one_by_one_while_the_twin_is_typing(twin: Serving, desk: Desk) -> None:
    twin.hold.clear()
    desk.say("hello")
    expect(desk.theirs).to_have_text(["hey"])
    expect(desk.page.locator("#typing")).to_be_visible()
    expect(desk.page.get_by_text("The twin is typing.")).to_have_count(1)
    twin.hold.set()
    expect(desk.theirs).to_have_text(["hey", "what's up"])
    expect(desk.page.locator("#typing")).to_be_hidden()


def test_stopping_ends_the_work_and_the_reply_can_be_asked_for_again(twin: Serving, desk: Desk) -> None:
    twin.hold.clear()
    desk.say("hello")
    expect(desk.theirs).to_have_text(["hey"])
    desk.button("Stop").click()
    expect(desk.page.get_by_role("alert")).to_contain_text("Stopped.")
    until(lambda: twin.cancelled == 1)
    expect(desk.draft).to_be_focused()
    twin.hold.set()
    desk.button("Try again").click()
    expect(desk.theirs).to_have_text(["hey", "what's up"])
    assert (
        twin.asked[-1][0].turns[0].bubbles == Turn.of("other", ["hello"]).bubbles and len(twin.asked[-1][0].turns) == 1
    )


def test_a_pause_ends_a_burst_and_a_button_does_at_once(twin: Serving, desk: Desk) -> None:
    desk.freeze()
    expect(desk.status).to_have_text("Answers as the bare base model")
    desk.write("one")
    desk.pass_time(1.1)
    desk.write("two")
    desk.pass_time(1.1)
    desk.draft.fill("thr")
    desk.pass_time(1.1)
    expect(desk.button("Answer now")).to_be_visible()
    assert twin.asked == []
    desk.pass_time(0.2)
    expect(desk.theirs).to_have_count(2)
    desk.draft.press("Enter")
    desk.button("Answer now").click()
    expect(desk.theirs).to_have_count(4)
    asked = [[bubble.text for bubble in conversation.turns[-1].bubbles] for conversation, _ in twin.asked]
    assert asked == [["one", "two"], ["thr"]]


def test_what_is_added_meanwhile_interrupts_the_reply(twin: Serving, desk: Desk) -> None:
    twin.hold.clear()
    desk.say("hello")
    expect(desk.theirs).to_have_text(["hey"])
    desk.write("wait")
    until(lambda: twin.cancelled == 1)
    twin.hold.set()
    expect(desk.theirs).to_have_text(["hey", "hey", "what's up"])
    assert [turn.speaker for turn in twin.asked[-1][0].turns] == ["other", "owner", "other"]


def test_markup_is_shown_as_the_text_that_it_is_on_both_sides(twin: Serving, desk: Desk) -> None:
    twin.bubbles = (MARKUP.replace("{", "").replace("}", ""),)
    desk.say(MARKUP)
    expect(desk.mine).to_have_text([MARKUP])
    expect(desk.theirs).to_have_text([MARKUP])
    expect(desk.page.locator("#log img, #log b, #log script")).to_have_count(0)
    assert desk.page.title() == "Twin"


def test_a_label_says_that_something_was_kept_back(twin: Serving, desk: Desk) -> None:
    twin.caught = ("secret", "others", "secret", "new_kind")
    desk.say("hello")
    expect(desk.page.locator(".caught")).to_have_text(
        "something was kept back: secret, somebody else's words, new kind"
    )
    expect(desk.page.locator(".version")).to_have_text("bare base model")


def test_whatever_the_guard_keeps_back_has_words_on_the_page() -> None:
    words = (PAGE / "words.js").read_text()
    assert [kind for kind in KINDS if f"\n  {kind}: " not in words] == []


def test_a_reply_of_nothing_is_told_as_such(twin: Serving, desk: Desk) -> None:
    twin.bubbles = ()
    desk.say("hello")
    expect(desk.page.get_by_text("The twin had nothing to say.")).to_be_visible()


def test_an_error_is_a_sentence_with_a_way_on(twin: Serving, desk: Desk) -> None:
    twin.fails = ModelError("The engine is out of memory", "lower engine.at_once")
    desk.say("hello")
    expect(desk.page.get_by_role("alert")).to_contain_text("The engine is out of memory: lower engine.at_once.")
    twin.fails = None
    desk.button("Try again").click()
    expect(desk.theirs).to_have_text(["hey", "what's up"])
    expect(desk.page.get_by_role("alert")).to_have_count(0)


def test_a_reply_that_breaks_off_gives_its_place_to_the_next(twin: Serving, desk: Desk) -> None:
    twin.breaks = True
    desk.say("hello")
    expect(desk.page.get_by_role("alert")).to_contain_text("The model broke off: try again.")
    expect(desk.theirs).to_have_text(["hey"])
    twin.breaks = False
    desk.button("Try again").click()
    expect(desk.theirs).to_have_text(["hey", "what's up"])


def test_a_server_that_is_gone_is_told_and_found_again(desk: Desk) -> None:
    expect(desk.status).to_have_text("Answers as the bare base model")
    desk.page.context.set_offline(True)
    desk.say("hello")
    gone = "The server does not answer. Is twin serve still running?"
    expect(desk.page.get_by_role("alert")).to_contain_text(gone)
    expect(desk.status).to_have_text("The server does not answer")
    desk.page.context.set_offline(False)
    expect(desk.status).to_have_text("Answers as the bare base model")
    desk.button("Try again").click()
    expect(desk.theirs).to_have_text(["hey", "what's up"])


def test_a_stream_without_an_end_is_no_reply(desk: Desk) -> None:
    cut = 'data: {"choices": [{"delta": {"content": "hey"}}]}\n\ndata: {"choi'
    desk.page.route(
        "**/v1/chat/completions", lambda route: route.fulfill(body=cut, content_type="text/event-stream"), times=1
    )
    desk.say("hello")
    expect(desk.page.get_by_role("alert")).to_contain_text("The connection broke off in the middle of the answer.")
    expect(desk.theirs).to_have_text(["hey"])
    desk.button("Try again").click()
    expect(desk.theirs).to_have_text(["hey", "what's up"])


def test_who_has_scrolled_up_stays_there_and_is_told_of_what_is_new(twin: Serving, desk: Desk) -> None:
    twin.bubbles = [f"line {number}" for number in range(40)]
    desk.say("hello")
    expect(desk.theirs).to_have_count(40)
    twin.hold.clear()
    desk.say("more")
    expect(desk.theirs).to_have_count(41)
    expect(desk.theirs.last).to_be_in_viewport()
    desk.page.locator("#scroll").evaluate("it => (it.scrollTop = 0)")
    twin.hold.set()
    expect(desk.theirs).to_have_count(80)
    expect(desk.mine.first).to_be_in_viewport()
    desk.button("New messages ↓").click()
    expect(desk.theirs.last).to_be_in_viewport()
    expect(desk.button("New messages ↓")).to_be_hidden()


def test_a_long_conversation_is_told_from_its_end(twin: Serving, desk: Desk) -> None:
    expect(desk.status).to_have_text("Answers as the bare base model")
    long = "и" * 15_000
    for said in (1, 2, 3):
        desk.say(long)
        expect(desk.theirs).to_have_count(2 * said)
    told = [[turn.speaker for turn in conversation.turns] for conversation, _ in twin.asked]
    assert told == [["other"], ["other", "owner", "other"], ["owner", "other", "owner", "other"]]
    assert twin.asked[-1][0].turns[-1].bubbles[0].text == long


def test_what_is_said_while_the_model_loads_is_answered_once_it_is_there(
    home: Settings, twin: Serving, browser: Browser
) -> None:
    loaded = threading.Event()

    def build() -> Serving:
        loaded.wait()
        return twin.loaded()

    with running(serve_with(home), build, wait=False) as server:
        try:
            with looking(browser, server) as desk:
                expect(desk.status).to_have_text("The model is loading …")
                desk.say("hello")
                expect(desk.page.locator("#typing")).to_be_visible()
                loaded.set()
                expect(desk.theirs).to_have_text(["hey", "what's up"])
                expect(desk.status).to_have_text("Answers as the bare base model")
        finally:
            loaded.set()


def test_the_key_is_asked_for_once_and_kept_for_this_tab(home: Settings, twin: Serving, browser: Browser) -> None:
    with running(serve_with(home), twin.loaded, KEY) as server, looking(browser, server) as desk:
        dialog = desk.page.get_by_role("dialog", name="This twin asks for its key")
        dialog.get_by_label("Key").fill("a-wrong-key-0123456789")
        dialog.get_by_role("button", name="Continue").click()
        expect(dialog).to_contain_text("That key was not accepted.")
        dialog.get_by_label("Key").fill(KEY)
        dialog.get_by_label("Key").press("Enter")
        expect(dialog).to_be_hidden()
        desk.say("hello")
        expect(desk.theirs).to_have_count(2)
        desk.page.reload()
        desk.say("hello")
        expect(desk.theirs).to_have_count(2)
        expect(dialog).to_be_hidden()
        assert desk.page.evaluate("() => [Object.values(sessionStorage), localStorage.length]") == [[KEY], 0]
        assert not any(KEY in url for url in desk.asked)


def test_without_the_key_nothing_is_asked_again_and_again(home: Settings, twin: Serving, browser: Browser) -> None:
    with running(serve_with(home), twin.loaded, KEY) as server, looking(browser, server) as desk:
        dialog = desk.page.get_by_role("dialog", name="This twin asks for its key")
        dialog.get_by_role("button", name="Cancel").click()
        expect(desk.status).to_have_text("The server wants its key")
        expect(dialog).to_be_hidden()
        desk.say("hello")
        dialog.get_by_label("Key").fill(KEY)
        dialog.get_by_role("button", name="Continue").click()
        expect(desk.theirs).to_have_count(2)
        expect(desk.status).to_have_text("Answers as the bare base model")


def test_text_stands_out_from_its_ground_in_light_and_dark(desk: Desk) -> None:
    desk.say("hello")
    expect(desk.theirs).to_have_count(2)
    light = "(it, part) => getComputedStyle(it)[part].match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0)"
    for scheme in ("light", "dark"):
        desk.page.emulate_media(color_scheme=scheme)
        for shown in (desk.mine.first, desk.theirs.first, desk.draft, desk.page.locator(".top")):
            ink = shown.evaluate(light, "color")
            ground = shown.evaluate(light, "backgroundColor")
            assert (ink < ground) is (scheme == "light") and abs(ink - ground) > 300
