"""Which training goes on: the same one, on the messages that it began with, unless one of them is not to be learned."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from peft import PeftModel

from tests.chats import START, fill
from tests.runs import QUICK
from tests.test_training_checkpoint import files_up_to
from training.checkpoint import NAME, open_run
from training.dataset import build
from training.identity import begun_with, note
from training.run import train
from twin.errors import TrainingError
from twin.forget import forget
from twin.registry import Registry
from twin.sections import Base, DatasetSettings, Train

NOW = 1_800_000_000.0


@pytest.fixture
def settings(home, store, tiny_base):
    """Of a home with 240 messages, in which short replies may repeat."""
    fill(store)
    update = {
        "base": Base(model=str(tiny_base("llama")), quantization="none"),
        "train": Train(**(QUICK | {"learning_rate": 1e-2, "batch_tokens": 256})),
        "dataset": DatasetSettings(max_repeats=0),
    }
    return home.model_copy(update=update)


@pytest.fixture
def broken_off(settings, store):
    """The snapshot of a training that left a checkpoint."""
    snapshot = build(store, settings)
    with open_run(settings.runs, "abc") as folder:
        (folder / NAME).write_bytes(b"x")
        note(folder, settings, snapshot, NOW)
    return snapshot


def test_newer_messages_do_not_keep_a_training_from_going_on(settings, store, broken_off):
    assert begun_with(settings, broken_off, NOW + 60) == broken_off
    fill(store, days=5, first_day=30)
    newest = build(store, settings)
    assert newest.fingerprint != broken_off.fingerprint
    assert begun_with(settings, newest, NOW + 60).fingerprint == broken_off.fingerprint


def test_a_message_that_is_gone_or_changed_makes_the_training_begin_anew(settings, store, broken_off):
    store.db.execute("update messages set text = 'something else' where message_id = 2")
    newest = build(store, settings)
    assert begun_with(settings, newest, NOW + 60) == newest
    store.db.execute("delete from messages where message_id < 9")
    newest = build(store, settings)
    assert begun_with(settings, newest, NOW + 60) == newest


def test_other_settings_three_days_or_no_checkpoint_make_it_begin_anew(settings, store, broken_off):
    fill(store, days=5, first_day=30)
    newest = build(store, settings)
    for other in ({"train": Train(rank=2)}, {"dataset": DatasetSettings(max_repeats=0, gaps=True)}):
        assert begun_with(settings.model_copy(update=other), newest, NOW + 60) == newest
    assert begun_with(settings, newest, NOW + 4 * 86400) == newest
    (settings.runs / "abc" / NAME).unlink()
    assert begun_with(settings, newest, NOW + 60) == newest


def test_a_note_that_is_damaged_or_a_snapshot_that_is_gone_is_no_reason_to_fail(settings, store, broken_off):
    fill(store, days=5, first_day=30)
    newest = build(store, settings)
    note_path = settings.runs / "abc" / "run.json"
    whole = note_path.read_text()
    for damaged in ("", "[1]", '{"dataset": "0123456789abcdef"}', whole.replace(broken_off.fingerprint, "f" * 16)):
        note_path.write_text(damaged)
        assert begun_with(settings, newest, NOW + 60) == newest


def test_forgetting_leaves_no_checkpoint_that_learned_from_it(settings, store, broken_off):
    forget(store, settings, 7, START + timedelta(days=9), datetime.now(UTC))
    assert not list(settings.runs.glob(f"*/{NAME}"))


def test_a_full_disk_at_publishing_is_a_sentence_and_the_next_run_publishes_without_training(
    settings, store, monkeypatch
):
    real, said, steps = PeftModel.save_pretrained, [], []
    snapshot, registry = build(store, settings), Registry(settings.adapters, store.db)

    def once_more():
        said.clear()
        steps.clear()
        return train(settings, snapshot, registry, say=said.append, on_progress=steps.append, stop=threading.Event())

    def full(self, folder, **more):
        with files_up_to(1000):
            real(self, folder, **more)

    monkeypatch.setattr(PeftModel, "save_pretrained", full)
    with pytest.raises(TrainingError, match=r"cannot be written .* then publishes it without training again"):
        once_more()
    assert steps and not list(settings.adapters.iterdir())
    monkeypatch.setattr(PeftModel, "save_pretrained", real)
    done = once_more()
    assert "Everything is learned already" in said and not steps
    registry.verify(done.manifest.version)
    assert done.manifest.metrics["val_bits_per_character"] < done.manifest.metrics["val_base_bits_per_character"]
    assert not list(settings.runs.glob(f"*/{NAME}"))


def test_a_checkpoint_that_does_not_fit_is_said_and_goes_and_one_that_is_not_wanted_too(settings, store):
    snapshot, registry, said = build(store, settings), Registry(settings.adapters, store.db), []

    def stopped_at(step, fresh=False, **how):
        chosen = settings.model_copy(update={"train": settings.train.model_copy(update=how)})
        stop = threading.Event()
        said.clear()
        with pytest.raises(TrainingError, match=f"stopped after {step} steps: start it again: it goes on from there"):
            train(
                chosen,
                snapshot,
                registry,
                say=said.append,
                on_progress=lambda at: stop.set() if at.step == step else None,
                stop=stop,
                keep_interrupted=False,
                fresh=fresh,
            )
        return next((text for text in said if "Going on" in text), None)

    assert stopped_at(2) is None
    assert str(stopped_at(3)).startswith("Going on at step 2 of ")
    assert stopped_at(2, fresh=True) is None
    assert str(stopped_at(3, checkpoint_minutes=7)).startswith("Going on at step 2 of "), "which changes nothing"
    assert stopped_at(2, seed=1) is None
    assert any("does not fit this one" in text for text in said)
    assert len(list(settings.runs.glob(f"*/{NAME}"))) == 1
