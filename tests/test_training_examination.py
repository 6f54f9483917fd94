"""Looking for secrets in processes of their own, and never twice; a rule that fails lets nothing pass."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import scrubbing
from training.examination import examine_all
from training.processes import cores, spread
from training.reasons import FAILED
from training.reuse import Derived, key_of, version_of
from training.scrubbing import CLEAN, Finding, Verdict, examine, read_findings, verdict, write_findings
from twin.privacy.blocklist import Blocklist

NOBODY = Blocklist.of([], [])
WINDOWS = [["whats the wifi password?", "Tr0ub4dor&3"], ["hi", "write to kim@example.org ok"], ["nothing here"]]


def double(number: int) -> int:
    return 2 * number


def die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def whose(_: int) -> int:
    return os.getpid()


def test_results_come_in_the_order_of_the_chunks_from_other_processes():
    assert list(spread(double, range(20), 3)) == [2 * number for number in range(20)]
    assert os.getpid() not in set(spread(whose, range(8), 2))
    assert set(spread(whose, range(8), 1)) == {os.getpid()} and cores() >= 1


def test_a_worker_that_dies_is_an_error_not_a_silence():
    with pytest.raises(ChildProcessError):
        list(spread(die, range(6), 2))


def test_many_texts_are_examined_in_processes_and_few_in_this_one(store):
    many = [[f"message {number}", *window] for number in range(1500) for window in WINDOWS]
    found = [its for _, its in examine_all(many, Derived(store.db, "scrub"), workers=2)]
    expected = [examine(window) for window in WINDOWS]
    assert [[finding.spans for finding in its[1:]] for its in found[:2]] == [
        [finding.spans for finding in its] for its in expected[:2]
    ]
    assert found[2] == []


def test_what_was_examined_is_not_examined_again(store, monkeypatch):
    kept = Derived(store.db, "scrub")
    first = examine_all(WINDOWS, kept)
    monkeypatch.setattr("training.examination.examine", lambda texts: pytest.fail("again"))
    assert examine_all(WINDOWS[:2], kept) == first[:2]
    assert kept.keys() == {key for key, _ in first[:2]}, "what is not needed any more goes"
    assert examine_all(WINDOWS[1:2], kept, also_used={first[0][0]}) == first[1:2]
    assert kept.keys() == {key for key, _ in first[:2]}
    assert not any(b"Tr0ub4dor" in value or b"kim" in value for value in kept.all().values())


def test_a_failing_rule_takes_out_the_text_it_fails_on_and_no_other(monkeypatch):
    found = scrubbing.find_window

    def fails(texts):
        if "boom" in texts:
            raise ValueError
        return found(texts)

    monkeypatch.setattr(scrubbing, "find_window", fails)
    findings = examine(["whats the wifi password?", "boom", "Tr0ub4dor&3", "hello"])
    assert [finding.gone for finding in findings] == [None, FAILED, "only a secret", None]
    assert verdict("boom", findings[1], NOBODY) == Verdict(None, FAILED, FAILED)


def test_texts_that_fail_only_together_are_all_left_out(monkeypatch):
    def fails(texts):
        if len(texts) > 1:
            raise RecursionError
        return [[] for _ in texts]

    monkeypatch.setattr(scrubbing, "find_window", fails)
    assert [finding.gone for finding in examine(["one", "", "two"])] == [FAILED, None, FAILED]


def test_what_failed_is_not_kept(store, monkeypatch):
    kept = Derived(store.db, "scrub")
    with monkeypatch.context() as patch:
        patch.setattr(scrubbing, "find_window", lambda texts: [][0])
        ((_, (finding,)),) = examine_all([["hello"]], kept)
    assert finding.gone == FAILED and kept.keys() == set()
    assert [its for _, its in examine_all([["hello"]], kept)] == [[]]


def test_verdicts_follow_what_was_found_and_what_the_owner_listed():
    listed = Blocklist.of(["film"], ["Kim"])
    (found,) = examine(["write to kim@example.org ok"])
    assert verdict("write to kim@example.org ok", found, NOBODY) == Verdict("write to [email] ok", None, "secret")
    assert verdict("write to kim@example.org ok", found, NOBODY, scrub=False).text == "write to kim@example.org ok"
    assert verdict("hi", CLEAN, NOBODY) == Verdict("hi")
    for said in ("a film?", "ask KIM"):
        assert verdict(said, CLEAN, listed) == verdict(said, CLEAN, listed, scrub=False)
        assert verdict(said, CLEAN, listed) == Verdict(None, "blocked", "blocked")


@given(st.lists(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 9)), max_size=3), max_size=6))
def test_findings_read_back_as_they_were_written(spans):
    findings = [
        Finding(tuple(scrubbing.Span(start, start + length, "EMAIL") for start, length in its), FAILED if its else None)
        for its in spans
    ]
    assert read_findings(write_findings(findings), len(findings)) == findings


def test_a_key_tells_lists_of_texts_and_versions_apart():
    keys = [
        key_of("1", ["ab", "c"]),
        key_of("1", ["a", "bc"]),
        key_of("1", ["abc"]),
        key_of("2", ["abc"]),
        key_of("1", []),
    ]
    assert len(set(keys)) == 5 and key_of("1", ["\ud800"]) != key_of("1", ["?"])
    assert version_of("twin.words") != version_of("twin.messages")
    assert version_of("twin.words", libraries=["click"]) != version_of("twin.words", libraries=["no-such-library"])
