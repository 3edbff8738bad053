"""Tokenizers of the Hugging Face hub: from a cache laid out as its client lays it out, without a network."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

import bytepair
from bytepair import FormatError, Tokenizer, VocabularyError
from common import trained

COMMITS = ["0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"]


def put(cache: Path, repository: str, files: dict[str, str], commit: str = COMMITS[0], branch: str = "main") -> Path:
    """Add a revision to a cache: blobs by hash, a snapshot of links to them, a branch that names its commit."""
    root = cache / f"models--{repository.replace('/', '--')}"
    for name, text in files.items():
        blob = root / "blobs" / hashlib.sha1(text.encode()).hexdigest()
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_text(text)
        link = root / "snapshots" / commit / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs" / branch).write_text(commit)
    return root / "snapshots" / commit


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def files_of(tokenizer: Tokenizer, folder: Path, format: str) -> dict[str, str]:
    """The files that a tokenizer is saved as, by name."""
    target = folder / f"{format} of {tokenizer.vocab_size}"
    target.mkdir()
    tokenizer.save(target if format == "gpt2" else target / format, format)
    return {path.name: path.read_text() for path in target.iterdir()}


def other() -> Tokenizer:
    return Tokenizer.train(["another one"], 258, special_tokens=())


def test_tokenizer_json_is_preferred(cache, tmp_path):
    files = files_of(other(), tmp_path, "gpt2") | files_of(trained(), tmp_path, "tokenizer.json")
    snapshot = put(cache, "owner/name", files)
    assert Tokenizer.from_pretrained("owner/name") == trained()
    assert Tokenizer.from_pretrained("owner/name", local_files_only=True) == trained()
    assert Tokenizer.load(snapshot) == trained()


def test_vocab_json_and_merges_txt_will_do(cache, tmp_path):
    files = files_of(trained(), tmp_path, "gpt2") | {"tokenizer_config.json": '{"tokenizer_class": "GPT2Tokenizer"}'}
    snapshot = put(cache, "owner/name", files)
    assert Tokenizer.from_pretrained("owner/name") == trained()
    assert Tokenizer.load(snapshot) == trained()
    put(cache, "owner/plain", files_of(other(), tmp_path, "gpt2"))
    assert Tokenizer.from_pretrained("owner/plain") == other()


def test_files_of_another_reader_are_refused(cache, tmp_path):
    files = files_of(trained(), tmp_path, "gpt2")
    for place, value in {"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": True}.items():
        name = f"owner/{place}"
        put(cache, name, files | {"tokenizer_config.json": json.dumps({place: value})})
        with pytest.raises(FormatError, match=rf"\$\.{place}") as info:
            Tokenizer.from_pretrained(name)
        assert info.value.path is not None
        assert info.value.path.endswith("tokenizer_config.json")
    for text in ["[", "[1]", "[" * 100_000]:
        name = f"owner/broken{len(text)}"
        put(cache, name, files | {"tokenizer_config.json": text})
        with pytest.raises(FormatError, match=r"tokenizer_config\.json"):
            Tokenizer.from_pretrained(name)


def test_revisions(cache, tmp_path):
    put(cache, "owner/name", files_of(trained(), tmp_path, "tokenizer.json"), COMMITS[0])
    put(cache, "owner/name", files_of(other(), tmp_path, "tokenizer.json"), COMMITS[1], "v2")
    assert Tokenizer.from_pretrained("owner/name") == trained()
    assert Tokenizer.from_pretrained("owner/name", revision="main") == trained()
    assert Tokenizer.from_pretrained("owner/name", revision="v2") == other()
    assert Tokenizer.from_pretrained("owner/name", revision=COMMITS[1]) == other()
    with pytest.raises(FileNotFoundError, match="is not in the cache"):
        Tokenizer.from_pretrained("owner/name", revision="v3")


def test_what_is_not_there_says_so(cache):
    with pytest.raises(FileNotFoundError, match=r"'owner/none' is not in the cache .* one of tokenizer.json"):
        Tokenizer.from_pretrained("owner/none")
    put(cache, "owner/empty", {"config.json": "{}"})
    with pytest.raises(FileNotFoundError, match="'owner/empty' is not in the cache"):
        Tokenizer.from_pretrained("owner/empty", local_files_only=True)
    with pytest.raises(ValueError, match="owner/a/b"):
        Tokenizer.from_pretrained("owner/a/b")
    with pytest.raises(VocabularyError, match=r"did you mean 'gpt2'\? .* named with its owner, as in 'owner/name'"):
        Tokenizer.from_pretrained("gpt3")
    with pytest.raises(ValueError, match="has no revisions"):
        Tokenizer.from_pretrained("gpt2", revision="main")


def test_what_the_cache_holds_is_not_trusted(cache):
    put(cache, "owner/name", {"tokenizer.json": '{"version": "1.0", "model": 5}'})
    with pytest.raises(FormatError) as info:
        Tokenizer.from_pretrained("owner/name")
    assert info.value.path is not None
    assert "models--owner--name" in info.value.path


def test_the_settings_of_the_client_hold(tmp_path):
    put(tmp_path / "hub", "owner/name", files_of(trained(), tmp_path, "tokenizer.json"))
    code = "import bytepair; print(bytepair.Tokenizer.from_pretrained('owner/name').fingerprint)"
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == trained().fingerprint


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "bytepair._hub", raising=False)
    monkeypatch.delattr(bytepair, "_hub", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'bytepair\[hub\]'"):
        Tokenizer.from_pretrained("owner/name")
    assert Tokenizer.from_pretrained("gpt2").vocab_size == 50_257
