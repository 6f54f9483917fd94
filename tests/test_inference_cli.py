"""The verbs `reply`, `chat` and `doctor` as their users type them."""

from __future__ import annotations

import io
import json

import pytest
import torch

from tests.chats import fill
from twin.prompt import encode_prompt, render_prompt


@pytest.fixture
def settled(home, store, tiny_base, monkeypatch):
    """A home whose base model is a tiny one and which holds some messages."""
    monkeypatch.setenv("TWIN_BASE__MODEL", str(tiny_base()))
    monkeypatch.setenv("TWIN_REPLY__MAX_TOKENS", "16")
    fill(store)
    return home


def say(monkeypatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(line + "\n" for line in lines)))


def test_reply_answers_every_line_in_order(settled, run_twin, monkeypatch):
    asked = [[{"role": "user", "content": text}] for text in ("hey", "are you there?", "when?")]
    say(monkeypatch, *(json.dumps({"messages": messages}) for messages in asked))
    ran = run_twin("reply", "--seed", "1")
    assert ran.code == 0
    answers = [json.loads(line) for line in ran.out.splitlines()]
    assert len(answers) == 3
    assert all(set(a) == {"bubbles", "adapter"} and a["adapter"] is None for a in answers)


def test_reply_names_the_adapter_that_answered(settled, run_twin, monkeypatch):
    monkeypatch.setenv("TWIN_TRAIN__LEARNING_RATE", "0.02")
    trained = run_twin("train", "--json")
    assert trained.code == 0
    version = json.loads(trained.out)["version"]
    assert (settled.home / "overheard").exists(), "what only others wrote is noted before it can be said"
    question = json.dumps({"messages": [{"role": "user", "content": "hey"}]})
    say(monkeypatch, question)
    assert json.loads(run_twin("reply").out)["adapter"] == version
    say(monkeypatch, question)
    assert json.loads(run_twin("reply", "--base").out)["adapter"] is None


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "{}",
        "[" * 100_000,
        '{"messages": 3}',
        '{"messages": []}',
        '{"messages": [{"role": "system", "content": "x"}]}',
        '{"messages": [{"role": "user", "content": null}]}',
        '{"messages": [{"role": "user", "content": " "}]}',
        '{"messages": [{"role": "user", "content": "\\ud800"}]}',
        '{"messages": [{"role": "user", "content": "x", "at": "noon"}]}',
        '{"messages": [{"role": "user", "content": "x"}], "at": "2024-05-01T12:00:00"}',
        '{"messages": [{"role": "user", "content": "x"}], "at": "0001-01-01T00:00:00+09:00"}',
        '{"messages": [{"role": "user", "content": "x"}], "peer": 7}',
        '{"messages": [{"role": "user", "content": "x"}], "chat_id": "7"}',
    ],
)
def test_a_line_that_is_no_context_is_named_by_its_number_not_by_its_text(settled, run_twin, monkeypatch, line):
    say(monkeypatch, '{"messages": [{"role": "user", "content": "hey"}]}', line)
    ran = run_twin("reply")
    assert ran.code == 2 and ran.out == ""
    assert ran.err.startswith("twin: Line 2 is not a context: write") and len(ran.err.splitlines()) == 1


@pytest.fixture
def prompts(monkeypatch):
    """The prompts that the engine is given from here on, as the texts they were made of."""
    seen = []

    def encode(spec, tokenizer, conversation, reply_tokens):
        seen.append("".join(part.text for group in render_prompt(spec, conversation) for part in group))
        return encode_prompt(spec, tokenizer, conversation, reply_tokens)

    monkeypatch.setattr("inference.writing.encode_prompt", encode)
    return seen


def test_a_line_may_tell_who_is_spoken_to_and_when(settled, run_twin, monkeypatch, prompts):
    for name, value in (("PEER", "name"), ("RELATION", "true"), ("TIME_OF_DAY", "true"), ("GAPS", "true")):
        monkeypatch.setenv(f"TWIN_DATASET__{name}", value)
    monkeypatch.setenv("TWIN_OWNER__TIMEZONE", "Asia/Tokyo")
    messages = [
        {"role": "user", "content": "hey", "at": "2024-05-01T11:58:00Z"},
        {"role": "user", "content": "there?", "at": "2024-05-01T12:00:00Z"},
    ]
    told = {"peer": "Anna", "relation": "friend", "at": "2024-05-01T17:00:00+02:00"}
    say(monkeypatch, json.dumps({"messages": messages} | told), json.dumps({"messages": messages[:1]}))
    assert run_twin("reply").code == 0
    assert {
        "(with Anna, friend)\n\nThem (20h):\nhey\nthere?\n\nMe (0h, after hours):\n",
        "Them (20h):\nhey\n\nMe:\n",
    } <= set(prompts)


def test_a_pseudonym_is_that_of_the_chat(settled, run_twin, monkeypatch, prompts):
    monkeypatch.setenv("TWIN_DATASET__PEER", "pseudonym")
    say(monkeypatch, json.dumps({"messages": [{"role": "user", "content": "hey"}], "peer": "Anna", "chat_id": 71}))
    assert run_twin("reply").code == 0
    assert prompts[0] == "(with Andie L)\n\nThem:\nhey\n\nMe:\n"


def test_a_context_that_ends_with_the_owners_turn_is_gone_on_with(settled, run_twin, monkeypatch, prompts):
    said = [{"role": "user", "content": "hey"}, {"role": "assistant", "content": "yo"}]
    say(monkeypatch, json.dumps({"messages": said}))
    assert run_twin("reply").code == 0
    assert prompts[0] == "Them:\nhey\n\nMe:\nyo\n"


def test_one_may_chat_as_somebody_the_owner_knows(settled, store, run_twin, monkeypatch, prompts):
    store.dialog_table.tag(7, "friend")
    say(monkeypatch, "hey", "are you there?")
    untaught = run_twin("chat", "--as", "Somebody")
    assert untaught.code == 0 and "It was not taught whom it talks to" in untaught.out.replace("\n", " ")
    monkeypatch.setenv("TWIN_DATASET__PEER", "name")
    monkeypatch.setenv("TWIN_DATASET__RELATION", "true")
    say(monkeypatch, "hey", "are you there?")
    taught = run_twin("chat", "--as", "somebody")
    assert taught.code == 0 and "You are Somebody, friend." in taught.out
    assert prompts[-1].startswith("(with Somebody, friend)\n\nThem:\nhey\n")
    nobody = run_twin("chat", "--as", "Nobody")
    assert nobody.code == 2 and "There is no such dialog" in nobody.err


def test_chat_answers_until_the_input_ends(settled, run_twin, monkeypatch):
    say(monkeypatch, "hey", "/reset", "and now?")
    ran = run_twin("chat")
    assert ran.code == 0
    assert ran.out.count("twin ") >= 2 and "A new conversation." in ran.out
    assert "the bare base model: run `twin train` first" in ran.out


def test_an_adapter_that_cannot_serve_ends_reply_and_chat_instead_of_the_base_speaking(settled, run_twin, monkeypatch):
    monkeypatch.setenv("TWIN_TRAIN__LEARNING_RATE", "0.02")
    version = json.loads(run_twin("train", "--json").out)["version"]
    weights = settled.adapters / version / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    for verb in ("reply", "chat"):
        say(monkeypatch, '{"messages": [{"role": "user", "content": "hey"}]}')
        ran = run_twin(verb)
        assert ran.code == 2 and ran.out == ""
        assert f"Nothing that was promoted can serve: The adapter {version} is truncated" in ran.err


def test_memory_that_something_else_holds_is_worth_another_try(settled, run_twin, monkeypatch):
    def no_room(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("inference.base_model.AutoModelForCausalLM.from_pretrained", no_room)
    ran = run_twin("chat")
    assert ran.code == 1, "2 would end `twin up`, 1 makes it try again"
    assert "not enough free GPU memory" in ran.err and "CUDA out of memory" not in ran.err


def test_doctor_says_per_line_what_is_well_and_what_to_do(settled, run_twin):
    ran = run_twin("doctor", "--json")
    report = json.loads(ran.out)
    by_check = {finding["check"]: finding for finding in report["findings"]}
    assert ran.code == 0 and report["ok"], "without a bot there is nothing left to do"
    assert by_check["database"]["seen"].startswith("schema m0")
    assert by_check["base model"]["ok"] and by_check["bitsandbytes"]["ok"] and by_check["one copy of twin"]["ok"]
    assert not by_check["bot token"]["ok"] and "@BotFather" in by_check["bot token"]["remedy"]


def test_doctor_never_prints_the_token_and_notices_open_permissions(settled, run_twin, monkeypatch):
    token = "123456789:" + "A" * 35
    monkeypatch.setenv("TWIN_BOT_TOKEN", token)
    monkeypatch.setenv("TWIN_OWNER__ID", "1")
    settled.home.chmod(0o755)
    ran = run_twin("doctor", "--quick")
    assert token not in ran.out + ran.err
    assert "others can open" in ran.out and "chmod -R go-rwx" in ran.out
    settled.home.chmod(0o700)
    assert run_twin("doctor", "--quick").code == 0


def test_doctor_tells_a_friends_machine_what_is_missing(run_twin):
    ran = run_twin("doctor", "--quick")
    assert ran.code == 1 and "run `twin init`" in ran.out.replace("\n", " ")


def test_doctor_goes_on_after_a_broken_part(settled, store, run_twin):
    store.close()
    settled.database.write_bytes(b"this is no database, but it is long enough to be read as one" * 100)
    ran = run_twin("doctor", "--quick", "--json")
    checks = {finding["check"]: finding["ok"] for finding in json.loads(ran.out)["findings"]}
    assert checks["database"] is False and checks["bitsandbytes"] is True
