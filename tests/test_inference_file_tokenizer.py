"""A tokenizer out of its files alone: the same ids, frames and fingerprints as through transformers, sooner."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.file_tokenizer import FileTokenizer
from inference.tokenizer import BaseTokenizer
from tests.chat_templates import CHATS, chat_tokenizer
from twin.errors import ModelError, SettingsError
from twin.templates import Template

SAID = ["hey, you there?", "Привет, как дела? 😀", "<|im_end|> <eos> <|eot_id|>", "\n\n", ""]


def frame(tokenizer: FileTokenizer | BaseTokenizer) -> Template | str | None:
    """The frame of its chat template, or why there is none."""
    try:
        return tokenizer.own_template()
    except SettingsError as error:
        return str(error)


@pytest.mark.parametrize("name", CHATS)
def test_of_every_familys_chat_tokenizer_it_makes_what_transformers_makes(tmp_path: Path, name: str) -> None:
    folder = chat_tokenizer(tmp_path, name)
    ours, theirs = FileTokenizer(folder), BaseTokenizer(folder)
    assert ours.fingerprint == theirs.fingerprint
    assert (ours.bos, ours.eos, ours.ends, ours.pad) == (theirs.bos, theirs.eos, theirs.ends, theirs.pad)
    for special in (True, False):
        assert ours.encode(SAID, special=special) == theirs.encode(SAID, special=special)
    ids = [token for text in ours.encode(SAID, special=True) for token in text]
    assert ours.decode(ids) == theirs.decode(ids)
    assert frame(ours) == frame(theirs)
    assert frame(ours) is not None


def test_a_template_in_a_file_of_its_own_or_under_a_name_is_found(tmp_path: Path) -> None:
    folder = chat_tokenizer(tmp_path, "llama-3.1")
    expected = frame(BaseTokenizer(folder))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    template = CHATS["llama-3.1"].template
    (folder / "chat_template.jinja").write_text(template)
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert frame(FileTokenizer(folder)) == expected
    (folder / "chat_template.jinja").unlink()
    assert FileTokenizer(folder).own_template() is None
    several = [{"name": "tool_use", "template": "{{ 1 }}"}, {"name": "default", "template": template}]
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": several}))
    assert frame(FileTokenizer(folder)) == expected


@given(said=st.lists(st.text(), max_size=4), special=st.booleans())
def test_any_text_has_the_same_ids(tiny_base: Callable[[str], Path], said: list[str], special: bool) -> None:
    folder = tiny_base("llama")
    ours, theirs = both(folder)
    assert ours.encode(said, special=special) == theirs.encode(said, special=special)


def both(folder: Path, made: dict[Path, tuple[FileTokenizer, BaseTokenizer]] = {}) -> tuple:  # noqa: B006 - read once
    if folder not in made:
        made[folder] = (FileTokenizer(folder), BaseTokenizer(folder))
    return made[folder]


def test_a_fingerprint_is_remembered_for_these_files_only(tmp_path: Path, tiny_base: Callable[[str], Path]) -> None:
    cache = tmp_path / "cache" / "tokenizers.json"
    expected = BaseTokenizer(tiny_base("llama")).fingerprint
    assert FileTokenizer(tiny_base("llama"), cache).fingerprint == expected
    remembered = json.loads(cache.read_text())
    assert list(remembered.values()) == [expected]
    cache.write_text(json.dumps(dict.fromkeys(remembered, "from the file")))
    assert FileTokenizer(tiny_base("llama"), cache).fingerprint == "from the file"
    other = chat_tokenizer(tmp_path / "other", "llama-3.1")
    assert FileTokenizer(other, cache).fingerprint == BaseTokenizer(other).fingerprint
    cache.write_text("[no such")
    assert FileTokenizer(tiny_base("llama"), cache).fingerprint == expected


def test_a_folder_without_a_readable_tokenizer_is_named(tmp_path: Path, tiny_base: Callable[[str], Path]) -> None:
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        FileTokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be read"):
        FileTokenizer(tmp_path)


def test_it_needs_neither_torch_nor_transformers(tiny_base: Callable[[str], Path]) -> None:
    code = (
        "import sys; from pathlib import Path; from inference.file_tokenizer import FileTokenizer;"
        "FileTokenizer(Path(sys.argv[1])).encode(['hey'], special=False);"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tiny_base("llama"))], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("set()\n", "")
