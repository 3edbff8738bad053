"""The training report says what the corpus and the tokenizer say, and is a page to look at."""

from __future__ import annotations

import json
import math
import re
import tracemalloc
import xml.etree.ElementTree as ElementTree
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytepair import Counts, SourceFigures, Tokenizer, _report, _svg
from bytepair.cli import main
from common import builtin, stdlib_texts
from test_training import END, TIES, small_corpora, train


@given(documents=small_corpora, n_merges=st.integers(0, 40), max_token_length=st.none() | st.integers(1, 5))
@pytest.mark.parametrize("tie", TIES)
def test_token_counts_are_those_of_the_encoded_corpus(tie, documents, n_merges, max_token_length):
    tokenizer = train(documents, n_merges, tie=tie, special_tokens=[END], max_token_length=max_token_length)
    report = tokenizer.training_report
    counts = Counter(token_id for text in documents for token_id in tokenizer.encode(text))
    assert report.token_counts == tuple(counts[token_id] for token_id in range(tokenizer.n_vocab))
    assert sum(report.token_counts) == report.n_tokens[-1]
    special = tokenizer.special_tokens[END]
    assert report.tokens == tuple(None if token_id == special else token for token_id, token in tokenizer.vocab.items())
    seen = set("".join(documents).encode())
    assert report.unseen_bytes == bytes(byte for byte in range(256) if byte not in seen)


def test_the_lists_of_tokens_are_those_of_plain_sorting():
    report = train(stdlib_texts()[:20], 500, special_tokens=[END]).training_report
    counted = [(token, count) for token, count in zip(report.tokens, report.token_counts, strict=True) if token]
    assert report.longest(7) == sorted((token for token, _ in counted), key=lambda token: (-len(token), token))[:7]
    assert report.most_common(9) == sorted(counted, key=lambda entry: -entry[1])[:9]
    made = [(count, -index, token) for index, (token, count) in enumerate(counted) if len(token) > 1]
    assert report.rarest(9) == [(token, count) for count, _, token in sorted(made)[:9]]
    assert len(report.rarest(10_000)) == 500
    assert report.longest(0) == []
    assert "500 merges; stopped because the vocabulary has the size asked for>" in repr(report)


def test_fertility_counts_words_and_tokens_of_each_source(tmp_path):
    gpt2 = builtin("gpt2")
    (tmp_path / "a.txt").write_bytes("хліб і\u3000мед".encode() + b" \xff")
    sources = {"file": tmp_path / "a.txt", "texts": ["one two", b"three"], "none": [], "special": f"x{END}"}
    assert gpt2.fertility(sources) == [
        SourceFigures("file", 22, 4, gpt2.count("хліб і\u3000мед".encode() + b" \xff")),
        SourceFigures("texts", 12, 3, 3),
        SourceFigures("none", 0, 0, 0),
        SourceFigures("special", 14, 1, 2),
    ]
    empty = gpt2.fertility({"none": []})[0]
    assert (empty.fertility, empty.bytes_per_token) == (None, None)


def test_a_null_of_arrow_has_no_fertility():
    pa = pytest.importorskip("pyarrow")
    gpt2 = builtin("gpt2")
    for array in (pa.array(["a", "b", None]), pa.chunked_array([["a"], ["b", None]])):
        with pytest.raises(TypeError, match="not the null at index 2 of an Arrow array"):
            gpt2.fertility({"rows": array})


@given(
    document=st.text(st.sampled_from("ab \n\u00e9\u3000\u2028\x85\x1c\U0001f600"), max_size=40)
    | st.text(max_size=40).filter(lambda text: text.isprintable())
    | st.lists(st.sampled_from([b"a", b" ", b"\xff", "\u3000".encode(), b"\xe3", b"\x80", b"\n"])).map(b"".join),
    block=st.integers(1, 9),
)
def test_words_are_those_of_splitting_the_whole(document, block):
    text = document if isinstance(document, str) else document.decode(errors="replace")
    n_bytes = len(text.encode()) if isinstance(document, str) else len(document)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_report, "BLOCK", block)
        assert _report.size_of(document) == (n_bytes, len(text.split()))


@pytest.mark.parametrize("text", ["ab cd " * 2**19, b"ab cd " * 2**19, "aб" * 2**19], ids=["str", "bytes", "one word"])
def test_counting_words_makes_no_list_of_them(text):
    tracemalloc.start()
    try:
        n_bytes, n_words = _report.size_of(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n_bytes >= 2**20
    assert n_words in (1, 2**20)
    # 2**20 words would be 50 bytes each, and as much again as bytes of the text.
    assert peak < 8 * 2**20


def test_a_report_is_saved_as_json(tmp_path):
    tokenizer = train(stdlib_texts()[:5], 100, special_tokens=[END])
    report = tokenizer.training_report
    sources = tokenizer.fertility({"all": stdlib_texts()[:5]})
    report.save(tmp_path / "report.json", sources=sources)
    read = json.loads((tmp_path / "report.json").read_text())
    assert read == report.to_dict(sources=sources)
    assert read["n_tokens"] == list(report.n_tokens)
    assert read["bytes_per_token"] == report.bytes_per_token(100)
    assert read["sources"][0]["n_tokens"] == report.n_tokens[-1]
    assert bytes(read["tokens"][300]) == report.tokens[300]


@pytest.mark.parametrize("weight", [3, 0.5, 0.375, 0.15625])
def test_weighed_counts_are_reported_in_whole_ones(weight, tmp_path):
    counts, bits = Counts(), Counts()
    for each in (counts, bits):
        each.update(["low low lower lowest", "new newer newest"] * 8)
    bits.scale(weight)
    plain, weighed = (Tokenizer.train(each, 270).training_report for each in (counts, bits))
    assert weighed.fraction_bits == bits.fraction_bits
    expected, found = plain.to_dict(), weighed.to_dict()
    for name in ("n_bytes", "n_pretokens"):
        assert found[name] == weight * expected[name]
    for name in ("n_tokens", "token_counts"):
        assert found[name] == [weight * count for count in expected[name]]
    assert [row["count"] for row in found["rarest"]] == [weight * row["count"] for row in expected["rarest"]]
    for name in ("n_documents", "n_distinct_pretokens", "bytes_per_token", "longest"):
        assert found[name] == expected[name]
    n_bytes, n_tokens = (int(n) if n == int(n) else n for n in (weight * plain.n_bytes, weight * plain.n_tokens[-1]))
    assert f"of {n_bytes:,} bytes: " in repr(weighed)
    weighed.save(tmp_path / "report.html")
    text = "".join(parsed((tmp_path / "report.html").read_text()).itertext())
    assert f"{n_bytes:,} bytesin 16 documents" in text
    assert f"{n_tokens:,}tokens of text" in text
    numbers = re.findall(
        r"-?\d+\.\d+|nan|inf", " ".join(re.findall(r' d="([^"]*)"', (tmp_path / "report.html").read_text()))
    )
    assert all(math.isfinite(float(number)) and -1 <= float(number) <= 721 for number in numbers)


def test_why_a_training_on_weighed_counts_stopped_is_in_whole_ones(tmp_path, capsys):
    counts = Counts()
    counts.update(["low low lower"] * 3)
    counts.scale(0.25)
    reason = "the most frequent pair left occurs 2.25 times, less than the 9 asked for"
    assert Tokenizer.train(counts, 270, min_frequency=9).training_report.stop_reason == reason
    counts.save(tmp_path / "c.bpc")
    options = ["--counts", str(tmp_path / "c.bpc"), "-o", str(tmp_path / "t.json"), "--min-frequency", "9", "--json"]
    assert main(["train", *options, "--checkpoint", str(tmp_path / "c")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["stop_reason"], answer["bytes"], answer["pretokens"]) == (reason, 9.75, 2.25)


def parsed(page: str) -> ElementTree.Element:
    """The page as XML: every element is closed, and nothing is left unescaped."""
    body = re.sub(r"<(meta [^>]*)>", r"<\1/>", page.removeprefix("<!DOCTYPE html>"))
    return ElementTree.fromstring(body)


CORPORA = {
    "sources": (stdlib_texts()[:20], 800),
    "nothing to merge": (["abc"], 0),
    "one token": (["aaaaaaaa"], 9),
    "one byte": (["a"], 9),
    "markup": (["<script>&amp;</script> <b>\"'</b> " * 9, b"\x00\x01\xff\xfe \xe2\x80\xa8" * 9, "]]>"], 90),
    "all bytes": ([bytes(range(256)) * 3], 5),
}


@pytest.mark.parametrize("name", CORPORA)
def test_a_report_is_saved_as_one_page(name, tmp_path):
    corpus, n_merges = CORPORA[name]
    tokenizer = train(corpus, n_merges)
    sources = tokenizer.fertility({"<all> & more": corpus, "none": []})
    tokenizer.training_report.save(tmp_path / "report.html", sources=sources)
    page = (tmp_path / "report.html").read_text()
    root = parsed(page)
    text = "".join(root.itertext())
    assert f"{256 + len(tokenizer.merges):,}tokens" in text
    assert "<all> & more" in text
    # Nothing of it comes from elsewhere, and nothing runs.
    assert not re.search(r"https?://|src=|url\(|@import|<script", page)
    numbers = re.findall(r"-?\d+\.\d+|nan|inf", " ".join(re.findall(r' d="([^"]*)"', page)))
    assert all(math.isfinite(float(number)) and -1 <= float(number) <= 721 for number in numbers)


def test_an_extension_has_a_report_too(tmp_path):
    more = builtin("gpt2").extend(stdlib_texts()[:2], 50_300)
    more.training_report.save(tmp_path / "report.html")
    assert parsed((tmp_path / "report.html").read_text()) is not None


def test_another_suffix_is_refused_and_nothing_written(tmp_path):
    report = train(["low low"], 2).training_report
    with pytest.raises(ValueError, match=r"end '.*report.pdf' in .html or .json"):
        report.save(tmp_path / "report.pdf")
    with pytest.raises(FileNotFoundError):
        report.save(tmp_path / "none" / "report.html")
    assert list(tmp_path.iterdir()) == []


@given(low=st.floats(0.001, 1e9), ratio=st.floats(1.001, 1e9), is_log=st.booleans())
def test_ticks_are_few_and_within(low, ratio, is_log):
    axis = _svg.Axis("x", low, low * ratio, is_log)
    ticks = list(axis.ticks())
    assert len(ticks) <= 12
    assert all(low * (1 - 1e-6) <= tick <= low * ratio * (1 + 1e-6) for tick in ticks)


def test_the_verb_writes_a_report(tmp_path, capsys):
    for name in ("en", "uk"):
        (tmp_path / f"{name}.txt").write_text({"en": "bread and honey ", "uk": "хліб і мед "}[name] * 50)
    arguments = ["train", str(tmp_path / "*.txt"), "-o", str(tmp_path / "t.json"), "-v", "300"]
    for suffix in ("html", "json"):
        assert main([*arguments, "--report", str(tmp_path / f"report.{suffix}")]) == 0
    assert f"report in {tmp_path / 'report.json'}" in capsys.readouterr().out
    sources = json.loads((tmp_path / "report.json").read_text())["sources"]
    assert [source["label"] for source in sources] == [str(tmp_path / "en.txt"), str(tmp_path / "uk.txt")]
    tokenizer = Tokenizer.load(tmp_path / "t.json")
    assert sources[1]["n_tokens"] == tokenizer.count("хліб і мед " * 50)
    assert "en.txt" in (tmp_path / "report.html").read_text()
    # What is wrong is told before the training.
    assert main([*arguments, "--report", str(tmp_path / "report.pdf")]) == 1
    assert main([*arguments, "--report", str(tmp_path / "none" / "report.html")]) == 1
