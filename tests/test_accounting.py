"""Formulas against figures worked out elsewhere, and against what the model executes and holds."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

import bytepair.accounting as accounting
from bytepair.accounting.breakdown import decimal_and_binary
from bytepair.accounting.flops import pairs
from bytepair.accounting.report import Report
from bytepair.transformer import COMPONENTS, Config

SIZES = ("small", "medium", "large", "xl")
NOTES = Config.preset("gpt2-xl-notes")
GB = 10**9


# By preset: the parameters of the embedding (and of the head), of attention, of the FFN, of norms, untied, tied.
PARAMETERS = {
    "small": (38_597_376, 28_311_552, 84_934_656, 19_200, 190_460_160, 151_862_784),
    "medium": (51_463_168, 100_663_296, 301_989_888, 50_176, 505_629_696, 454_166_528),
    "large": (64_328_960, 235_929_600, 707_788_800, 93_440, 1_072_469_760, 1_008_140_800),
    "xl": (80_411_200, 491_520_000, 1_474_560_000, 155_200, 2_127_057_600, 2_046_646_400),
    "small-8/3": (38_597_376, 28_311_552, 56_623_104, 19_200, 162_148_608, 123_551_232),
    "medium-8/3": (51_463_168, 100_663_296, 202_899_456, 50_176, 406_539_264, 355_076_096),
    "large-8/3": (64_328_960, 235_929_600, 468_910_080, 93_440, 833_591_040, 769_262_080),
    "xl-8/3": (80_411_200, 491_520_000, 987_955_200, 155_200, 1_640_452_800, 1_560_041_600),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_by_component(name: str):
    embedding, attention, ffn, norms, untied, tied = PARAMETERS[name]
    config = Config.preset(name)
    found = accounting.parameters(config)
    assert found.components["embedding"] == found.components["head"] == embedding
    assert found.components["qkv"] + found.components["output"] == attention
    assert found.components["ffn"] == ffn
    assert found.components["norms"] == norms
    assert found.total == untied
    assert accounting.parameters(replace(config, tie_embeddings=True)).total == tied


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("gpt2-xl-notes", 2_127_057_600),
        # As published: without the buffers that are saved beside them.
        ("gpt2-small", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
        ("smollm2-135m", 134_515_008),
        ("tinystories", 22_696_448),
    ],
)
def test_parameters_of_models(name: str, total: int):
    assert accounting.parameters(Config.preset(name)).total == total


def test_parameters_of_the_course():
    """CS336 calls the TinyStories model one of 17 million parameters without the embedding: the head is among them."""
    found = accounting.parameters(Config.preset("tinystories"))
    assert found.total - found.components["embedding"] == 17_576_448
    assert sum(found.components[name] for name in ("qkv", "output", "ffn", "norms")) == 12_456_448


def test_a_ffn_without_gate_has_two_matrices():
    assert accounting.parameters(replace(NOTES, activation="gelu")).total == 1_635_537_600


# By preset: FLOPs of a forward pass of 1,024 tokens, and the shares of the components in hundredths.
FLOPS = {
    "small": (349_630_365_696, 12.44, 5.53, 5.53, 4.15, 49.75, 22.61),
    "medium": (1_033_109_504_000, 14.97, 4.99, 4.99, 4.99, 59.87, 10.20),
    "large": (2_257_754_521_600, 16.05, 4.28, 4.28, 5.35, 64.20, 5.84),
    "xl": (4_513_336_524_800, 16.73, 3.57, 3.57, 5.58, 66.91, 3.65),
    "small-8/3": (291_648_307_200, 14.91, 6.63, 6.63, 4.97, 39.76, 27.10),
    "medium-8/3": (830_172_299_264, 18.62, 6.21, 6.21, 6.21, 50.05, 12.70),
    "large-8/3": (1_768_530_903_040, 20.49, 5.46, 5.46, 6.83, 54.30, 7.45),
    "xl-8/3": (3_516_769_894_400, 21.47, 4.58, 4.58, 7.16, 57.53, 4.68),
}


@pytest.mark.parametrize("name", FLOPS)
def test_flops_and_shares(name: str):
    total, *shares = FLOPS[name]
    found = accounting.forward_flops(Config.preset(name), 1024)
    assert found.total == total
    assert tuple(found.components) == COMPONENTS
    assert [round(100 * found.share(component), 2) for component in COMPONENTS] == shares


def test_flops_of_components():
    assert accounting.forward_flops(NOTES, 1024).components == {
        "qkv": 754_974_720_000,
        "scores": 161_061_273_600,
        "values": 161_061_273_600,
        "output": 251_658_240_000,
        "ffn": 3_019_898_880_000,
        "head": 164_682_137_600,
    }


@pytest.mark.parametrize(
    ("name", "seq_len", "full", "exact"),
    [
        ("xl", 16_384, 149_522_795_724_800, 108_293_626_265_600),
        ("xl-8/3", 16_384, 133_577_729_638_400, 92_348_560_179_200),
    ],
)
def test_flops_of_long_inputs(name: str, seq_len: int, full: int, exact: int):
    config = Config.preset(name)
    assert accounting.forward_flops(config, seq_len).total == full
    assert accounting.forward_flops(config, seq_len, causal="exact").total == exact


@pytest.mark.parametrize(("name", "times"), [("xl", 33.13), ("xl-8/3", 37.98)])
def test_sixteen_times_the_tokens(name: str, times: float):
    config = Config.preset(name)
    long, short = (accounting.forward_flops(config, seq_len).total for seq_len in (16_384, 1024))
    assert round(long / short, 2) == times


def test_rules_of_thumb():
    """Two FLOPs for each parameter and token is a little less than the sum; without the embedding, less still."""
    found = accounting.parameters(NOTES)
    total = accounting.forward_flops(NOTES, 1024).total
    assert round(100 * 2 * 1024 * found.total / total, 1) == 96.5
    assert round(100 * 2 * 1024 * (found.total - found.components["embedding"]) / total, 1) == 92.9


def test_shares_of_long_inputs():
    found = accounting.forward_flops(NOTES, 16_384)
    assert [round(100 * found.share(name), 2) for name in COMPONENTS] == [8.08, 27.58, 27.58, 2.69, 32.32, 1.76]


def test_logits_of_the_last_position_alone():
    assert accounting.forward_flops(NOTES, 1024, last_only=True).total == 4_348_815_209_600


def test_batches_share_nothing_but_weights():
    one = accounting.forward_flops(NOTES, 100, past=20, causal="executed")
    five = accounting.forward_flops(NOTES, 100, 5, past=20, causal="executed")
    assert five.components == {name: 5 * flops for name, flops in one.components.items()}


def test_pairs_are_those_of_the_plain_definition():
    for seq_len in range(1, 12):
        for past in range(4):
            mask = [[key <= past + query for key in range(past + seq_len)] for query in range(seq_len)]
            assert pairs(seq_len, past, "exact", 1) == sum(map(sum, mask))
            assert pairs(seq_len, past, "full", 1) == sum(map(len, mask))
            for chunk in range(1, 14):
                ends = [min(start + chunk, seq_len) for start in range(0, seq_len, chunk)]
                sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
                executed = sum(size * (past + end) for size, end in zip(sizes, ends, strict=True))
                assert pairs(seq_len, past, "executed", chunk) == executed


def test_tokens_one_by_one_take_the_exact_pairs():
    steps = [accounting.decode_flops(NOTES, length).components for length in range(50)]
    whole = accounting.forward_flops(NOTES, 50, causal="exact").components
    assert whole == {name: sum(step[name] for step in steps) for name in COMPONENTS}


def test_lengths_at_which_attention_overtakes():
    assert accounting.crossover(NOTES) == 13_324
    assert accounting.crossover(NOTES, causal="exact") == 26_647
    for name in Config.presets():
        config = Config.preset(name)
        for causal in ("full", "exact"):
            for component in ("qkv", "output", "ffn", "head", None):
                others = ["qkv", "output", "ffn", "head"] if component is None else [component]
                length = accounting.crossover(config, others, causal=causal)

                def ahead(seq_len: int, config=config, causal=causal, others=others) -> bool:
                    found = accounting.forward_flops(config, seq_len, causal=causal).components
                    return found["scores"] + found["values"] >= sum(found[name] for name in others)

                assert ahead(length)
                assert length == 1 or not ahead(length - 1)


# By config: gigabytes for weights, gradients and moments; for the activations of a sequence of 1,024 tokens; sequences
# in 80 GB and in 80 GiB.
TRAINING = [
    (NOTES, 34.033, 18.034, 2, 2),
    (replace(NOTES, activation="gelu"), 26.169, 15.518, 3, 3),
    (Config.preset("xl-8/3"), 26.247, 16.373, 3, 3),
]


@pytest.mark.parametrize(("config", "state", "each", "decimal", "binary"), TRAINING)
def test_training_memory(config: Config, state: float, each: float, decimal: int, binary: int):
    one = accounting.training_memory(config, 1)
    kept = one.components["activations"]
    assert kept == accounting.activations(config, 1, 1024).total
    assert one.total - kept == 16 * accounting.parameters(config).total
    assert round((one.total - kept) / GB, 3) == state
    assert round(kept / GB, 3) == each
    assert accounting.max_batch(config) == decimal
    assert accounting.max_batch(config, 80 * 2**30) == binary


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["small", "xl", "smollm2-135m"])
def test_the_largest_batch_fits_and_no_larger_one(name: str, dtype: str):
    config = Config.preset(name)
    most = accounting.max_batch(config, 80 * GB, 512, dtype)
    assert accounting.training_memory(config, most, 512, dtype).total <= 80 * GB
    assert accounting.training_memory(config, most + 1, 512, dtype).total > 80 * GB


def test_the_list_of_2025_with_the_parameters_of_three_matrices():
    state = 16 * accounting.parameters(NOTES).total
    each = accounting.activations(replace(NOTES, activation="gelu"), 1, 1024).total
    assert [(memory - state) // each for memory in (80 * GB, 80 * 2**30)] == [2, 3]


def test_scores_and_logits_of_one_pass():
    for seq_len, scores in ((1024, 104_857_600), (16_384, 26_843_545_600)):
        assert accounting.activations(NOTES, 1, seq_len).components["scores"] == 48 * scores
    assert accounting.activations(NOTES, 1, 1024).components["logits"] == 205_852_672


def test_no_batch_fits_where_the_weights_do_not():
    assert accounting.max_batch(NOTES, 34 * GB) == 0


def test_sixteen_bits_keep_sixteen_bytes_a_parameter():
    one = accounting.training_memory(NOTES, 1, dtype="bfloat16")
    assert one.total - one.components["activations"] == 16 * 2_127_057_600
    assert 2 * one.components["activations"] == accounting.training_memory(NOTES, 1).components["activations"]


def test_activations_are_those_of_the_handout():
    length, d, f, heads, vocab, layers = 1024, 1600, 6400, 25, 50_257, 48
    once = length * d + 2 * length * vocab
    gated = layers * (8 * length * d + 4 * length * f + 2 * heads * length**2) + once
    ungated = layers * (16 * length * d + 2 * heads * length**2) + once
    assert accounting.activations(NOTES, 1, length).total == 4 * gated
    assert accounting.activations(replace(NOTES, activation="gelu"), 1, length).total == 4 * ungated


def test_training_time():
    a100 = accounting.training_time(NOTES, 400_000, 1024, 19.5e12)
    assert round(a100.days) == 6584
    assert round(accounting.training_time(Config.preset("xl-8/3"), 400_000, 1024, 495e12).seconds / 3600) == 4850
    assert round(accounting.training_time(NOTES, 400_000, 1024, 495e12).seconds / 3600) == 6224
    step = accounting.training_flops(NOTES, 1024)
    assert step.components["forward"] == 1024 * 4_513_336_524_800
    assert step.components["backward"] == 2 * step.components["forward"]
    assert step.components["optimizer"] == 14 * 2_127_057_600
    assert a100.flops.total == 400_000 * step.total


def test_bytes():
    sizes = {"float32": 8_508_230_400, "bfloat16": 4_254_115_200, "float16": 4_254_115_200, "int8": 2_127_057_600}
    assert {dtype: accounting.weight_bytes(NOTES, dtype).total for dtype in sizes} == sizes
    tied, narrow = replace(NOTES, tie_embeddings=True), Config.preset("xl-8/3")
    for config, shown in ((tied, (8.187, 4.093, 2.047)), (narrow, (6.562, 3.281, 1.640))):
        found = [accounting.weight_bytes(config, dtype).total / GB for dtype in ("float32", "float16", "int8")]
        assert [round(gigabytes, 3) for gigabytes in found] == list(shown)
    assert decimal_and_binary(8_508_230_400) == "8.508 GB = 7.924 GiB"


@pytest.mark.parametrize(("name", "each"), list(zip(SIZES, (73_728, 196_608, 368_640, 614_400), strict=True)))
def test_cache_bytes_of_a_token(name: str, each: int):
    assert accounting.kv_cache_bytes(Config.preset(name), 1).total == each
    assert accounting.kv_cache_bytes(Config.preset(name), 1, dtype="bfloat16").total == each // 2


def test_cache_bytes():
    assert accounting.kv_cache_bytes(NOTES, 1024).total == 629_145_600
    assert accounting.kv_cache_bytes(NOTES, 16_384, 2).total == 2 * 10_066_329_600
    # Three heads of keys and values for nine of queries.
    assert accounting.kv_cache_bytes(Config.preset("smollm2-135m"), 1).total == 2 * 30 * 3 * 64 * 4


def test_decoding_reads_all_weights_but_rows_of_tables():
    assert accounting.decode_flops(NOTES, 0).total == 4_093_289_600
    assert accounting.decode_bytes(NOTES, 0).components == {"weights": 8_186_585_600, "rows": 6400, "cache": 614_400}
    tied = accounting.decode_bytes(Config.preset("smollm2-135m"), 9).components
    assert tied == {"weights": 4 * 134_515_008, "rows": 0, "cache": 10 * 46_080}
    gpt2 = accounting.decode_bytes(Config.preset("gpt2-small"), 0, 3).components
    assert gpt2["weights"] == 4 * (124_439_808 - 1024 * 768)
    assert gpt2["rows"] == 4 * 3 * 768


def test_arithmetic_intensity():
    # A square product of 1,600 in float32, by rows.
    for rows, ratio, digits in ((1, 0.50, 2), (8, 3.96, 2), (64, 29.6, 1), (512, 156, 0), (1024, 225, 0)):
        found = accounting.arithmetic_intensity(NOTES, rows)
        assert round(found.ratio("output"), digits) == ratio
        assert found.flops == accounting.forward_flops(NOTES, rows)
    # Attention over the cache has as little as the rest, however long it is; in 16 bits, twice as much.
    for past in (0, 1000, 1_000_000):
        assert 0.2 < accounting.arithmetic_intensity(NOTES, 1, past=past).ratio() <= 0.5
    halves, wholes = (accounting.arithmetic_intensity(NOTES, 1, dtype=dtype) for dtype in ("bfloat16", "float32"))
    assert halves.ratio() == 2 * wholes.ratio()


def test_the_roofline_is_the_longer_of_two_times():
    config = Config.preset("smollm2-135m")
    found = accounting.roofline(config, machine=accounting.Machine(17e9, 88e9))
    read, make = found.bounds
    assert (read.by, make.by) == ("arithmetic", "memory")
    assert read.seconds == accounting.forward_flops(config, 512, causal="executed", last_only=True).total / 88e9
    assert make.seconds == accounting.decode_bytes(config, 512).total / 17e9
    assert read.measured is make.measured is None
    slow = accounting.roofline(config, machine=accounting.Machine(1e6, 88e9)).bounds[0]
    assert (slow.by, slow.seconds) == ("memory", accounting.decode_bytes(config, 511).total / 1e6)


def test_scaling_says_what_the_tables_say():
    configs = {name: Config.preset(name) for name in SIZES}
    found = accounting.scaling(configs, (1024, 16_384))
    assert len(found.rows) == 8
    assert found.flops("xl", 16_384).total == 149_522_795_724_800
    by_size, by_length, *overtaken = found.words()
    grow, shrink = (re.search(f"that {verb}, in %: (.*?)\\.(?: |$)", by_size)[1] for verb in ("grow", "shrink"))
    assert grow == "ffn 49.75 to 66.91, qkv 12.44 to 16.73, output 4.15 to 5.58"
    assert shrink == "head 22.61 to 3.65, scores 5.53 to 3.57, values 5.53 to 3.57"
    assert "33.13 times the FLOPs" in by_length
    assert "that grow, in %: scores 3.57 to 27.58, values 3.57 to 27.58." in by_length
    assert "13,324" in overtaken[1]
    assert "26,647" in overtaken[1]
    with pytest.raises(KeyError):
        found.flops("xl", 7)
    assert len(accounting.scaling({"xl": NOTES}, [1024]).words()) == 1


def test_the_notes_lack_the_terms_that_are_named():
    findings = accounting.check_notes()
    assert all(finding.explained for finding in findings)
    by_name = {finding.what: finding for finding in findings}
    total = by_name["Parameters"]
    assert (total.noted, total.ours) == (2_004_177_600, 2_127_057_600)
    assert list(total.missing.values()) == [122_880_000]
    assert by_name["Bytes in float32"].ours == 8_508_230_400
    flops = by_name["FLOPs of a forward pass"]
    assert (flops.noted, flops.ours) == (1_924_479_385_600, 4_513_336_524_800)
    assert list(flops.missing.values()) == [1_924_479_385_600, 503_316_480_000, 161_061_273_600]


def test_the_arithmetic_of_the_notes_is_right():
    """Their own formulas give their own figures."""
    vocab, length, layers, d, heads, f, width = 50_257, 1024, 48, 1600, 25, 6400, 64
    layer = d * heads * 3 * width + 2 * d + 3 * d * f
    flops = (
        heads * length * d * width + heads * length * width * length + length * heads * width * d + 3 * length * d * f
    )
    total = vocab * d + layers * layer + d + d * vocab
    expected = {
        "One layer": layer,
        "All layers": layers * layer,
        "Parameters": total,
        "Bytes in float32": 4 * total,
        "FLOPs of one layer": flops,
        "FLOPs of all layers": layers * flops,
        "FLOPs of a forward pass": layers * flops + length * d * vocab,
    }
    noted = {finding.what: finding.noted for finding in accounting.check_notes()}
    assert noted.items() >= expected.items()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: accounting.forward_flops(NOTES, 0), ValueError, "seq_len must be 1 or more, not 0"),
        (lambda: accounting.forward_flops(NOTES, 1.5), TypeError, "seq_len must be an int, not float"),
        (lambda: accounting.forward_flops(NOTES, True), TypeError, "seq_len must be an int, not bool"),
        (lambda: accounting.forward_flops(NOTES, 1, past=-1), ValueError, "past must be 0 or more, not -1"),
        (lambda: accounting.forward_flops(NOTES, 1, causal="half"), ValueError, "not 'half'"),
        (lambda: accounting.decode_flops(NOTES, -1), ValueError, "cache_length must be 0 or more, not -1"),
        (lambda: accounting.decode_bytes(NOTES, -1), ValueError, "cache_length must be 0 or more, not -1"),
        (lambda: accounting.weight_bytes(NOTES, "int4"), ValueError, "dtype must be one of float32"),
        (lambda: accounting.training_memory(NOTES, 1, dtype="int8"), ValueError, "not 'int8'"),
        (lambda: accounting.max_batch(NOTES, 8e9), TypeError, "memory must be an int, not float"),
        (lambda: accounting.training_time(NOTES, 1, 1, 0), ValueError, "flops_per_second must be above 0"),
        (lambda: accounting.training_time(NOTES, 1, 1, 1e12, 1.5), ValueError, "utilization must be above 0"),
        (lambda: accounting.crossover(NOTES, ["scores"]), ValueError, "not 'scores'"),
        (lambda: accounting.crossover(NOTES, causal="executed"), ValueError, "not 'executed'"),
        (lambda: accounting.scaling({}, [1]), ValueError, "at least one config"),
        (lambda: accounting.forward_flops(NOTES, 1).share("heads"), KeyError, "heads"),
    ],
)
def test_what_cannot_be_counted_is_refused(call, error: type[Exception], message: str):
    with pytest.raises(error, match=re.escape(message)):
        call()


def every_table(config: Config, seq_len: int) -> list[object]:
    return [
        accounting.parameters(config),
        accounting.weight_bytes(config),
        accounting.forward_flops(config, seq_len, causal="exact"),
        accounting.decode_bytes(config, seq_len),
        accounting.kv_cache_bytes(config, seq_len),
        accounting.arithmetic_intensity(config, seq_len),
        accounting.prefill_bytes(config, seq_len, 64, last_only=False),
        accounting.activations(config, 1024, seq_len),
        accounting.training_memory(config, 1024, seq_len),
        accounting.training_time(config, 10**9, 1024, 1e15, seq_len=seq_len).flops,
        accounting.scaling({"a-model-with-a-long-name.json": config}, [1, seq_len]),
        *accounting.check_notes(),
        accounting.roofline(config, seq_len=seq_len, machine=accounting.Machine(3e9, 1e15)),
        Report(
            "a/path/to/a/folder/that/is/deep/inside/of/another/and/so/on/and/so/on/config.json", config, seq_len, {}
        ),
    ]


@pytest.mark.parametrize("name", Config.presets())
@pytest.mark.parametrize("seq_len", [1, 1024, 1_048_576])
def test_tables_have_80_columns(name: str, seq_len: int):
    for table in every_table(Config.preset(name), seq_len):
        lines = str(table).splitlines()
        assert max(map(len, lines)) <= 80, table
        assert lines == [line.rstrip() for line in lines]


def test_shares_of_nothing():
    nothing = accounting.Breakdown("Nothing", "bytes", {"a": 0}, {"a": "0"}, {})
    assert nothing.share("a") == 0.0
    assert "0 B" in str(nothing)


def test_accounting_reads_shapes_and_no_model():
    """Of the transformer it imports the shape alone, so that nothing it counts with is what it counts."""
    for path in (Path(accounting.__file__).parent).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("bytepair.transformer"):
                assert node.module == "bytepair.transformer.config", path
