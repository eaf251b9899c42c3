"""Beam search against enumeration and against a beam in plain Python."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import label, make_models, random_ids

from kseq2seq import build_generator
from kseq2seq.search import BeamSearch, GreedySearch, SearchOptions
from kseq2seq.vocabulary import END, PAD, START

SIZE, WIDTH, STEPS = 6, 3, 4
TABLES = np.random.default_rng(5)
BIGRAMS = TABLES.normal(0, 1.5, (SIZE, SIZE, SIZE)).astype("float32")
KEYED = TABLES.normal(0, 1.5, (SIZE, SIZE)).astype("float32")
TILT = TABLES.normal(0, 0.3, (SIZE, SIZE)).astype("float32")
LOOKS = TABLES.dirichlet(np.full(WIDTH, 0.5), SIZE).astype("float32")
KEYS = np.linspace(-2, 2, 7, dtype="float32")
"""One for each row of a batch, so that no two rows have the same answers."""


def array(value):
    return keras.ops.convert_to_numpy(value)


def table_decoder(bigrams=BIGRAMS, keyed=KEYED, looks=LOOKS, tilt=TILT):
    """Return a decoder of tables: what comes depends on the last two ids and a key.

    The id before the last, the key and the step are its state; it attends as `looks`
    says of its last id. By the step no two answers are equally probable.
    """
    ids = keras.Input((1,), name="decoder_input_ids", dtype="int32")
    state = keras.Input((3,), name="state_h_1")
    encoder_outputs = keras.Input((None, 1), name="encoder_outputs")
    mask = keras.Input((None,), name="source_mask", dtype="bool")
    before = keras.ops.cast(state[:, 0], "int32")
    size = len(keyed)
    flat = keras.ops.reshape(bigrams, (size * size, size))
    logits = keras.ops.take(flat, before * size + ids[:, 0], axis=0)
    logits = logits + state[:, 1:2] * keras.ops.take(keyed, ids[:, 0], axis=0)
    logits = logits + state[:, 2:] * keras.ops.take(tilt, ids[:, 0], axis=0)
    weights = keras.ops.take(looks, ids, axis=0)  # (rows, 1, width)
    last = keras.ops.cast(ids, "float32")
    states = keras.ops.concatenate([last, state[:, 1:2], state[:, 2:] + 1], axis=1)
    outputs = [keras.ops.expand_dims(logits, 1), states, weights]
    return keras.Model([ids, state, encoder_outputs, mask], outputs)


DECODER = table_decoder()


def memory_of(keys, width=WIDTH):
    keys = np.asarray(keys, "float32")
    state = np.stack([np.zeros_like(keys), keys, np.zeros_like(keys)], axis=1)
    values = np.zeros((len(keys), width, 1), "float32")
    memory = [state, values, np.ones((len(keys), width), bool)]
    return [keras.ops.convert_to_tensor(value) for value in memory]


def search(kind, keys=KEYS, decoder=DECODER, max_length=STEPS, **options):
    answers = kind(decoder, 1, max_length, SearchOptions(**options))(memory_of(keys))
    return {name: array(value) for name, value in answers.items()}


def log_probs_of(ids, key, bigrams=BIGRAMS, keyed=KEYED, tilt=TILT):
    """Return the log-probabilities of what may follow the ids, in float64."""
    before, last = [PAD, START, *ids][-2:]
    logits = bigrams[before, last].astype("float64") + key * keyed[last]
    logits += len(ids) * tilt[last]
    return logits - np.log(np.exp(logits).sum())


def attended(ids, looks=LOOKS):
    """Return the weights at each step of an answer: ``(len(ids), width)``."""
    return looks[[START, *ids[:-1]]].astype("float64")


def ranked(ids, score, alpha, beta, looks=LOOKS):
    """Return equation 14 of Wu et al., 2016."""
    length_penalty = ((5 + len(ids)) / 6) ** alpha
    coverage = np.log(np.minimum(attended(ids, looks).sum(axis=0), 1.0)).sum()
    return score / length_penalty + beta * coverage


def enumerated(key, alpha, beta):
    """Return every answer that can be given, best first, as (rank, ids)."""
    found, usable = [], [1, 4, 5]
    for length in range(STEPS + 1):
        for ids in itertools.product(usable, repeat=length):
            ids = [*ids, END] if length < STEPS else list(ids)
            steps = range(len(ids))
            score = sum(log_probs_of(ids[:i], key)[ids[i]] for i in steps)
            found.append((ranked(ids, score, alpha, beta), ids))
    return sorted(found, reverse=True)


def beam_by_hand(key, beam_size, alpha=0.0, beta=0.0, max_length=STEPS, allowed=None):
    """Return the hypotheses that a beam ends with, best first, as (rank, ids)."""
    beam = [([], 0.0)]
    for step in range(max_length):
        grown = []
        for slot, (ids, score) in enumerate(beam):
            if ids and ids[-1] == END:
                grown.append((slot == 0, ids, score))
                continue
            log_probs = log_probs_of(ids, key)
            usable = allowed(ids, step) if allowed else [1, END, 4, 5]
            best = max(usable, key=lambda i: log_probs[i])
            for i in usable:
                first = slot == 0 and i == best
                grown.append((first, [*ids, i], score + log_probs[i]))
        grown.sort(key=lambda g: (g[0], ranked(*g[1:], alpha, beta)), reverse=True)
        beam = [(ids, score) for _, ids, score in grown[:beam_size]]
    return sorted(((ranked(*h, alpha, beta), h[0]) for h in beam), reverse=True)


def assert_answers(answers, row, expected):
    """Check the n-best answers of a row against (rank, ids), best first."""
    for slot, (rank, ids) in enumerate(expected[: answers["ids"].shape[1]]):
        padded = ids + [PAD] * (answers["ids"].shape[2] - len(ids))
        assert answers["ids"][row, slot].tolist() == padded
        assert answers["scores"][row, slot] == pytest.approx(rank, rel=1e-4)
        weights = answers["attention_weights"][row, slot]
        np.testing.assert_allclose(weights[: len(ids)], attended(ids), atol=1e-6)
        assert not weights[len(ids) :].any()


PENALTIES = [
    {},
    {"length_penalty": 1.0},
    {"coverage_penalty": 0.5},
    {"length_penalty": 0.6, "coverage_penalty": 0.2},
]


def alpha_beta(penalties):
    names = ("length_penalty", "coverage_penalty")
    return [penalties.get(name, 0.0) for name in names]


@pytest.mark.parametrize("penalties", PENALTIES, ids=label)
def test_a_beam_that_holds_every_hypothesis_finds_the_true_best(penalties):
    answers = search(BeamSearch, beam_size=121, n_best=10, **penalties)
    for row, key in enumerate(KEYS):
        assert_answers(answers, row, enumerated(key, *alpha_beta(penalties)))


@pytest.mark.parametrize("penalties", PENALTIES, ids=label)
@pytest.mark.parametrize("beam_size", [2, 3])
def test_a_narrow_beam_is_the_beam_by_hand(beam_size, penalties):
    answers = search(
        BeamSearch, max_length=7, beam_size=beam_size, n_best=beam_size, **penalties
    )
    for row, key in enumerate(KEYS):
        expected = beam_by_hand(key, beam_size, *alpha_beta(penalties), max_length=7)
        assert_answers(answers, row, expected)


def test_rules_hold_in_every_hypothesis():
    """The beam by hand again, among what the rules leave at each step."""

    def allowed(ids, step):
        if step < 2:
            return [[4], [5]][step]
        usable = [1, END, 4, 5] if step >= 4 else [1, 4, 5]
        repeats = {b for a, b in itertools.pairwise(ids) if a == ids[-1]}
        return [i for i in usable if i not in repeats] or usable

    rules = {"min_length": 4, "forced_prefix": [4, 5], "no_repeat_ngram_size": 2}
    answers = search(BeamSearch, max_length=7, beam_size=3, n_best=3, **rules)
    for row, key in enumerate(KEYS):
        expected = beam_by_hand(key, 3, max_length=7, allowed=allowed)
        assert_answers(answers, row, expected)


def test_stopping_early_loses_no_answer():
    """A row is done before its worst hypotheses end; its best are the same."""
    every = search(BeamSearch, max_length=9, beam_size=4, n_best=4)
    for n_best in (1, 2):
        best = search(BeamSearch, max_length=9, beam_size=4, n_best=n_best)
        for name, value in best.items():
            np.testing.assert_array_equal(value, every[name][:, :n_best])


def plain_tables(bigrams):
    """Return a decoder of bigrams alone."""
    return table_decoder(bigrams, 0 * KEYED, tilt=0 * TILT)


def test_greedys_answer_stays_where_a_plain_beam_loses_it():
    """After 5 come two good ids, which then lead nowhere; greedy's 4, 4, END is better.

    After two ids, those of 5 have 0.175 each and 4, 4 has 0.104; what follows the
    former has a quarter of that at the most.
    """
    bigrams = np.full_like(BIGRAMS, -30)
    bigrams[PAD, START, [1, 4, 5]] = np.log([0.25, 0.4, 0.35])
    bigrams[START, 4, [1, END, 4, 5]] = np.log([0.24, 0.25, 0.26, 0.25])
    bigrams[4, 4, END] = 0
    bigrams[START, 5, [1, 5]] = np.log([0.5, 0.5])
    bigrams[5, [1, 5]] = np.log(0.25)
    options = {"decoder": plain_tables(bigrams), "max_length": 3}
    greedy = search(GreedySearch, [0], **options)
    beam = search(BeamSearch, [0], beam_size=2, **options)
    assert greedy["ids"].tolist() == beam["ids"].tolist() == [[4, 4, END]]
    np.testing.assert_array_equal(greedy["scores"], beam["scores"])
    plain = np.log([0.35 * 0.5 * 0.25])
    assert beam["scores"] > plain + 0.5


@pytest.fixture(scope="module")
def models():
    models = make_models(seed=3, scale=1.5, bidirectional=True)
    logits = models.training.get_layer("logits")  # few answers shall end at once
    logits.bias.assign(array(logits.bias) - np.isin(range(9), [END]))
    return models


@pytest.fixture(scope="module")
def beam_of_three(models):
    return build_generator(models, 7, beam_size=3, n_best=2)


SOURCES = random_ids(np.random.default_rng(0), [6, 1, 3, 4, 2, 5, 5, 2], 12)


def test_wider_beams_never_score_below_greedy(models, beam_of_three):
    keys = np.linspace(-4, 4, 80)
    greedy = search(GreedySearch, keys, max_length=8)["scores"]
    for beam_size in (2, 4):
        beam = search(BeamSearch, keys, max_length=8, beam_size=beam_size)["scores"]
        assert (beam >= greedy - 1e-5).all() and (beam > greedy + 1e-3).any()
    greedy = build_generator(models, 7).predict(SOURCES, verbose=0)["scores"]
    beam = beam_of_three.predict(SOURCES, verbose=0)["scores"][:, 0]
    assert (beam >= greedy - 1e-5).all() and (beam > greedy + 1e-3).any()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_length": 3, "forced_prefix": [4], "no_repeat_ngram_size": 1},
        {"attention_weights": False, "forbidden_ids": ()},
    ],
    ids=label,
)
def test_a_beam_of_one_is_greedy_search(options):
    options["max_length"] = 6
    greedy = search(GreedySearch, **options)
    beam = search(BeamSearch, beam_size=1, **options)
    assert greedy.keys() == beam.keys()
    for name, value in greedy.items():
        np.testing.assert_array_equal(beam[name], value)


def test_equal_hypotheses_come_in_the_order_of_their_ids():
    flat = plain_tables(0 * BIGRAMS)
    answers = search(BeamSearch, [0], flat, 1, beam_size=3, n_best=3)
    assert answers["ids"][0, :, 0].tolist() == [1, END, 4]


@settings(max_examples=8)
@given(st.lists(st.lists(st.integers(4, 11), max_size=6), min_size=2, max_size=4))
def test_answers_depend_on_no_padding_and_no_batch_mate(beam_of_three, sources):
    ids = np.zeros((4, 7), "int32")
    ids[:, 0] = END
    for row, source in zip(ids, sources, strict=False):
        row[: len(source) + 1] = [*source, END]
    together = beam_of_three.predict(ids, verbose=0)
    source = np.zeros((1, 9), "int32")
    source[:, :7] = ids[:1]
    alone = beam_of_three.predict(source, verbose=0)
    np.testing.assert_array_equal(together["ids"][0], alone["ids"][0])
    for name in ("scores", "attention_weights"):
        wide = alone[name][0][..., :7]
        np.testing.assert_allclose(together[name][0], wide, rtol=1e-4, atol=1e-5)


def test_what_has_ended_is_frozen_and_scored_once(models, beam_of_three):
    """PAD alone after END; the score is that of the gold path through the answer."""
    answers = beam_of_three.predict(SOURCES, verbose=0)
    lengths = set()
    for n in range(2):
        ids = answers["ids"][:, n]
        fed = np.concatenate([np.full((len(ids), 1), START), ids[:, :-1]], axis=1)
        logits = models.training.predict([SOURCES, fed.astype("int32")], verbose=0)
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        gained = np.take_along_axis(log_probs, ids[..., None], axis=-1)[..., 0]
        scores = np.where(ids == PAD, 0.0, gained).sum(axis=-1)
        np.testing.assert_allclose(answers["scores"][:, n], scores, rtol=1e-3)
        for row in ids.tolist():
            length = row.index(END) + 1 if END in row else len(row)
            lengths.add(length)
            assert not any(row[length:]) and all(row[:length])
    assert len(lengths) > 1
    assert (np.diff(answers["scores"], axis=1) <= 0).all()


def test_answers_that_do_not_exist_are_empty():
    """A prefix as long as the answer leaves a single hypothesis."""
    prefix = [4, 5, 1, 4]
    answers = search(BeamSearch, beam_size=3, n_best=3, forced_prefix=prefix)
    assert (answers["ids"][:, 0] == prefix).all()
    assert np.isfinite(answers["scores"][:, 0]).all()
    assert (answers["scores"][:, 1:] == -np.inf).all()
    assert not answers["ids"][:, 1:].any()
    assert not answers["attention_weights"][:, 1:].any()


def two_ways(last_chance):
    """Return bigrams of two answers: END at once, or 4, 5 and END, less probable."""
    bigrams = np.full_like(BIGRAMS, -30)
    bigrams[:, START, END], bigrams[:, START, 4] = np.log([0.55, 0.45])
    bigrams[:, 4, 5] = 0
    bigrams[:, 5, END], bigrams[:, 5, 1] = np.log([last_chance, 1 - last_chance])
    return bigrams


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, [END]), (2.0, [4, 5, END])])
def test_a_length_penalty_prefers_the_longer_answer(alpha, expected):
    decoder = plain_tables(two_ways(0.95))
    answers = search(BeamSearch, [0], decoder, beam_size=2, length_penalty=alpha)
    assert answers["ids"][0].tolist() == expected + [PAD] * (STEPS - len(expected))
    score = np.log(0.55) if alpha == 0 else np.log(0.45 * 0.95) / (8 / 6) ** 2
    assert answers["scores"][0] == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize(("beta", "expected"), [(0.0, [END]), (0.5, [4, 5, END])])
def test_a_coverage_penalty_prefers_the_answer_that_saw_the_source(beta, expected):
    looks = np.full((SIZE, WIDTH), 1e-4, "float32")
    looks[[START, 4, 5], [0, 1, 2]] = 1.0
    decoder = table_decoder(two_ways(0.95), 0 * KEYED, looks, 0 * TILT)
    answers = search(BeamSearch, [0], decoder, beam_size=2, coverage_penalty=beta)
    assert answers["ids"][0].tolist() == expected + [PAD] * (STEPS - len(expected))
    score = np.log(0.55) if beta == 0 else np.log(0.45 * 0.95)
    assert answers["scores"][0] == pytest.approx(score, abs=1e-4)


def test_no_attention_at_all_costs_a_finite_penalty():
    looks = np.eye(WIDTH, dtype="float32")[np.zeros(SIZE, int)]
    decoder = table_decoder(looks=looks)
    answers = search(BeamSearch, decoder=decoder, coverage_penalty=0.1)
    assert np.isfinite(answers["scores"]).all() and answers["ids"][:, 0].all()


def test_the_loop_stops_as_soon_as_no_row_can_do_better():
    """Hypotheses that ramble on below a sure answer are not waited for."""
    bigrams = BIGRAMS.copy()
    bigrams[:, START, END] = 20.0
    decoder, calls = table_decoder(bigrams), []

    class Counting(keras.Model):
        outputs = decoder.outputs

        def call(self, inputs):
            calls.append(1)
            return decoder(inputs)

    beam = BeamSearch(Counting(), 1, 1000, SearchOptions(beam_size=3))
    beam(memory_of(KEYS))
    calls.clear()
    ids = array(beam(memory_of(KEYS))["ids"])
    if keras.backend.backend() == "tensorflow":  # the others trace the loop's body
        assert len(calls) == 1
    assert (ids[:, 0] == END).all() and not ids[:, 1:].any()


def test_a_compiled_beam_answers_as_a_plain_one_and_as_a_saved_one(models, tmp_path):
    options = {
        "beam_size": 3,
        "n_best": 2,
        "length_penalty": 0.6,
        "coverage_penalty": 0.1,
        "min_length": 2,
        "no_repeat_ngram_size": 2,
        "forced_prefix": [4],
    }
    generator = build_generator(models, 6, **options)
    plain = generator.predict(SOURCES, verbose=0)
    generator.save(tmp_path / "generator.keras")
    generator.compile(jit_compile=True)
    compiled = generator.predict(SOURCES, verbose=0)
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    for other in (compiled, loaded.predict(SOURCES, verbose=0)):
        np.testing.assert_array_equal(other["ids"], plain["ids"])
        for name in ("scores", "attention_weights"):
            np.testing.assert_allclose(other[name], plain[name], rtol=1e-4, atol=1e-5)
    config = loaded.get_layer("beam_search").get_config()
    assert {name: config[name] for name in options} == options


def test_weights_may_be_left_out(models):
    generator = build_generator(models, 4, beam_size=2, attention_weights=False)
    assert set(generator.predict(SOURCES, verbose=0)) == {"ids", "scores"}
    assert set(generator.output) == {"ids", "scores"}
