import functools

import keras
import numpy as np
import pytest
from strategies import label, make_models, random_ids

from kseq2seq import build_generator, build_seq2seq
from kseq2seq.search import GreedySearch
from kseq2seq.vocabulary import END, PAD, START, UNK

MAX_LENGTH = 7
CASES = [
    {"attention": True, "bidirectional": True},
    {"attention": True, "cell": "gru", "num_layers": 2},
    {"attention": False, "cell": "lstm"},
    {"attention": False, "cell": "rnn"},
    {"attention": True, "decoder": "repeat", "num_layers": 2, "seed": 1},
]


@functools.cache
def cached_models(**sizes):
    return make_models(**sizes)


def log_softmax(logits):
    logits = logits - logits.max()
    return logits - np.log(np.exp(logits).sum())


def greedy_by_hand(models, source_ids, min_length=0):
    """Return the ids, score and weights of one source, stepping in plain NumPy."""
    memory = models.encoder(source_ids[None])
    memory = memory if isinstance(memory, list) else [memory]
    states, constants = memory[: models.num_states], memory[models.num_states :]
    ids, score, weights, last = [], 0.0, [], START
    while len(ids) < MAX_LENGTH and last != END:
        inputs = [keras.ops.array([[last]], dtype="int32"), *states, *constants]
        logits, *outputs = models.decoder(inputs)
        states = outputs[: models.num_states]
        log_probs = log_softmax(np.asarray(logits, dtype="float64")[0, 0])
        allowed = log_probs.copy()
        allowed[[PAD, START]] = -np.inf
        if len(ids) < min_length:
            allowed[END] = -np.inf
        last = int(allowed.argmax())
        ids.append(last)
        score += log_probs[last]
        if constants:
            weights.append(np.asarray(outputs[-1])[0, 0])
    return ids, score, np.array(weights)


@pytest.mark.parametrize("settings", CASES, ids=label)
@pytest.mark.parametrize("min_length", [0, 4])
def test_the_search_is_greedy_decoding_by_hand(settings, min_length):
    models = make_models(**{"seed": 3, **settings}, scale=1.5)
    source_ids = random_ids(np.random.default_rng(0), [6, 1, 3, 4, 2, 5, 5, 2], 12)
    generator = build_generator(models, MAX_LENGTH, min_length=min_length)
    answers = generator.predict(source_ids, verbose=0)
    lengths = set()
    for row, source in enumerate(source_ids):
        source = source[source != PAD]
        ids, score, weights = greedy_by_hand(models, source, min_length)
        lengths.add(len(ids))
        assert answers["ids"][row].tolist() == ids + [PAD] * (MAX_LENGTH - len(ids))
        np.testing.assert_allclose(answers["scores"][row], score, rtol=1e-4)
        if len(weights):
            given = answers["attention_weights"][row]
            np.testing.assert_allclose(
                given[: len(ids), : len(source)], weights, atol=1e-5
            )
            assert not given[len(ids) :].any() and not given[:, len(source) :].any()
    if not min_length:
        assert len(lengths) > 1  # rows that end at different steps


def test_min_length_and_forbidden_ids_are_kept():
    models = make_models(seed=1)
    source_ids = random_ids(np.random.default_rng(1), [5] * 20, 12)
    generator = build_generator(
        models, MAX_LENGTH, min_length=MAX_LENGTH, forbidden_ids=[PAD, START, UNK, 5]
    )
    ids = generator.predict(source_ids, verbose=0)["ids"]
    assert not np.isin(ids, [PAD, START, UNK, 5, END]).any()


def test_a_compiled_search_answers_as_a_plain_one():
    generator = build_generator(make_models(seed=2), MAX_LENGTH)
    source_ids = random_ids(np.random.default_rng(2), [5, 3, 1, 2], 12)
    plain = generator.predict(source_ids, verbose=0)
    generator.compile(jit_compile=True)
    compiled = generator.predict(source_ids, verbose=0)
    np.testing.assert_array_equal(plain["ids"], compiled["ids"])
    np.testing.assert_allclose(plain["scores"], compiled["scores"], rtol=1e-5)


def test_the_loop_stops_when_all_have_ended():
    """A step that always ends at once makes the loop run once, however long it may."""
    models = make_models(seed=0)
    bias = np.zeros(9)
    bias[END] = 100.0
    models.training.get_layer("logits").bias.assign(bias)
    calls = []
    decoder = models.decoder

    class Counting(keras.Model):
        outputs = decoder.outputs

        def call(self, inputs):
            calls.append(1)
            return decoder(inputs)

    search = GreedySearch(Counting(), models.num_states, 1000)
    memory = models.encoder(random_ids(np.random.default_rng(1), [3, 2], 12))
    search(memory)
    calls.clear()
    ids = np.asarray(search(memory)["ids"])
    if keras.backend.backend() == "tensorflow":  # the others trace the loop's body
        assert len(calls) == 1
    assert (ids[:, 0] == END).all() and not ids[:, 1:].any()


def test_a_generator_saved_by_keras_answers_the_same(tmp_path):
    models = build_seq2seq(12, 9, 4, random_state=0)
    generator = build_generator(models, MAX_LENGTH)
    generator.save(tmp_path / "generator.keras")
    again = keras.models.load_model(tmp_path / "generator.keras")
    source_ids = random_ids(np.random.default_rng(2), [5, 3], 12)
    np.testing.assert_array_equal(
        generator.predict(source_ids, verbose=0)["ids"],
        again.predict(source_ids, verbose=0)["ids"],
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_length": 0}, "max_length must be a whole number from 1 .* got 0"),
        ({"max_length": 2**31}, "max_length must be"),
        ({"max_length": 3, "forbidden_ids": range(9)}, "must leave an id to choose"),
        (
            {"max_length": 3, "min_length": 4},
            "min_length must be .* from 0 to 3; got 4",
        ),
        ({"max_length": 3, "forbidden_ids": [9]}, "forbidden_ids must be .* got 9"),
        ({"models": "a", "max_length": 3}, "models must be the Seq2SeqModels"),
        ({"max_length": 3, "forbidden_ids": 5}, "forbidden_ids must be a list of ids"),
        (
            {"max_length": 3, "forbidden_ids": [0, 1, 2, 4, 5, 6, 7, 8]}
            | {"min_length": 1},
            "forbidden_ids must leave an id to choose before END",
        ),
        ({"max_length": 3, "beam_size": 0}, "beam_size must be .* at least 1; got 0"),
        ({"max_length": 3, "beam_size": 8}, "beam_size must be at most 7, .* got 8"),
        ({"max_length": 3, "beam_size": 2.0}, r"beam_size must be .* 2.0 \(float\)"),
        ({"max_length": 3, "n_best": 2}, "n_best must be at most beam_size, 1; got 2"),
        ({"max_length": 3, "n_best": 0}, "n_best must be .* at least 1; got 0"),
        ({"max_length": 3, "length_penalty": -1}, "length_penalty must be .* got -1"),
        ({"max_length": 3, "length_penalty": np.nan}, "length_penalty must be .* nan"),
        ({"max_length": 3, "coverage_penalty": np.inf}, "coverage_penalty must be"),
        (
            {"max_length": 3, "coverage_penalty": 1, "attention": False},
            "coverage_penalty needs a model with attention; got 1",
        ),
        (
            {"max_length": 3, "temperature": 0},
            "temperature must be .* above 0 .*; got 0",
        ),
        ({"max_length": 3, "temperature": np.nan}, "temperature must be .* got nan"),
        ({"max_length": 3, "temperature": "hot"}, "temperature must be .* got 'hot'"),
        ({"max_length": 3, "temperature": 1, "top_k": 0}, "top_k must be .* got 0"),
        ({"max_length": 3, "temperature": 1, "top_p": 0}, "top_p must be .* got 0"),
        ({"max_length": 3, "temperature": 1, "top_p": 1.1}, "top_p must be .* 1.1"),
        ({"max_length": 3, "temperature": 1, "seed": -1}, "seed must be .* got -1"),
        ({"max_length": 3, "top_k": 2}, "top_k means nothing without a temperature"),
        ({"max_length": 3, "top_p": 0.5}, "top_p means nothing without a temperature"),
        ({"max_length": 3, "seed": 0}, "seed means nothing without a temperature"),
        (
            {"max_length": 3, "temperature": 1, "beam_size": 2},
            r"beam_size means nothing with a temperature.* got 2 \(int\). Leave out",
        ),
        ({"max_length": 3, "temperature": 1, "n_best": 1}, "n_best means nothing with"),
        ({"max_length": 3, "forced_prefix": [9]}, "forced_prefix must be .* got 9"),
        ({"max_length": 3, "forced_prefix": 4}, "forced_prefix must be a list of ids"),
        ({"max_length": 3, "forced_prefix": [4, 2]}, "no forbidden id; got 2. Take it"),
        ({"max_length": 3, "forced_prefix": [4, END]}, "neither PAD nor END.* got 3"),
        ({"max_length": 3, "forced_prefix": [4] * 4}, "at most max_length=3 .* got 4"),
        ({"max_length": 3, "no_repeat_ngram_size": -1}, "no_repeat_ngram_size must be"),
        ({"max_length": 3, "attention_weights": 1}, "attention_weights must be True"),
        (
            {"max_length": 3, "target_features": 2, "beam_size": 2},
            "beam_size means nothing where the targets are real values; got 2",
        ),
        (
            {"max_length": 3, "target_features": 2, "forbidden_ids": [4]},
            "forbidden_ids means nothing where the targets are real values",
        ),
    ],
    ids=label,
)
def test_bad_arguments_are_refused(arguments, message):
    arguments = dict(arguments)
    sizes = {
        name: arguments.pop(name)
        for name in ("attention", "target_features")
        if name in arguments
    }
    arguments = {"models": cached_models(**sizes), **arguments}
    with pytest.raises((ValueError, TypeError), match=message):
        build_generator(**arguments)


def test_options_that_are_the_defaults_are_no_error_for_real_values():
    options = {"forbidden_ids": [PAD, START], "forced_prefix": np.array([], "int32")}
    models = cached_models(target_features=2)
    generator = build_generator(models, 3, attention_weights=False, **options)
    source_ids = random_ids(np.random.default_rng(2), [5, 3], 12)
    assert set(generator.predict(source_ids, verbose=0)) == {"values"}
