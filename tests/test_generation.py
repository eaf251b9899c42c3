import functools
import gc
import weakref

import keras
import numpy as np
import pytest
from strategies import label, make_models, random_ids

from kseq2seq import build_generator, build_seq2seq
from kseq2seq.answering import generate
from kseq2seq.builders import build_ensemble
from kseq2seq.search import GreedySearch
from kseq2seq.vocabulary import END, PAD, START, UNK

MAX_LENGTH = 7
SOURCES = random_ids(np.random.default_rng(0), [6, 1, 3, 4, 2, 5, 5, 2], 12)
CASES = [
    {"attention": True, "bidirectional": True},
    {"attention": True, "cell": "gru", "num_layers": 2},
    {"attention": False, "cell": "lstm"},
    {"attention": False, "cell": "rnn"},
    {"attention": True, "decoder": "repeat", "num_layers": 2, "seed": 1},
]
DOT = {"attention": "dot", "bidirectional": True, "seed": 6}
PLAIN = {"attention": False, "cell": "gru", "num_layers": 2, "units": 5, "seed": 3}
ADDITIVE = {"attention": "additive", "cell": "rnn", "units": 4, "seed": 3}
REPEAT = {"attention": False, "decoder": "repeat", "units": 3, "seed": 1}
ONE_HOT = {"source_embedding": "one_hot", "attention": False, "cell": "rnn", "seed": 6}
ENSEMBLES = [
    [DOT, ADDITIVE],
    [DOT, PLAIN, REPEAT],  # encoder outputs and their mask must still come last
    [PLAIN, ONE_HOT],
    [DOT, DOT, PLAIN],  # a member that counts twice
]


@functools.cache
def cached_models(**sizes):
    return make_models(**sizes)


def make_members(*settings):
    """Build members that answer at some length, each of its own mind."""
    return [cached_models(scale=1.5, **own) for own in settings]


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def as_list(outputs):
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def step_by_hand(models, inputs, memory):
    """Return what the decoder puts out, its next memory and the weights, if any."""
    outputs, *others = as_list(models.decoder([inputs, *memory]))
    memory = [*others[: models.num_states], *memory[models.num_states :]]
    weights = [np.asarray(others[-1])[0, 0]] if models.has_attention else []
    return np.asarray(outputs, dtype="float64")[0, 0], memory, weights


def greedy_by_hand(members, source_ids, min_length=0):
    """Return the ids, score and weights of one source, stepping in plain NumPy.

    Of several members the probabilities are averaged, and what weights they have.
    """
    memories = [as_list(models.encoder(source_ids[None])) for models in members]
    ids, score, weights, last = [], 0.0, [], START
    while len(ids) < MAX_LENGTH and last != END:
        inputs = keras.ops.array([[last]], dtype="int32")
        steps = map(step_by_hand, members, [inputs] * len(members), memories)
        logits, memories, looks = zip(*steps, strict=True)
        log_probs = np.log(np.mean([softmax(own) for own in logits], axis=0))
        allowed = log_probs.copy()
        allowed[[PAD, START]] = -np.inf
        if len(ids) < min_length:
            allowed[END] = -np.inf
        last = int(allowed.argmax())
        ids.append(last)
        score += log_probs[last]
        if any(looks):
            weights.append(np.mean(sum(looks, []), axis=0))
    return ids, score, np.array(weights)


def check_greedy_by_hand(generator, members, min_length=0, sources=SOURCES):
    """Check every answer of a generator; return how long they are."""
    answers = generator.predict(sources, verbose=0)
    assert ("attention_weights" in answers) == any(m.has_attention for m in members)
    lengths = set()
    for row, source in enumerate(sources):
        source = source[source != PAD]
        ids, score, weights = greedy_by_hand(members, source, min_length)
        lengths.add(len(ids))
        assert answers["ids"][row].tolist() == ids + [PAD] * (MAX_LENGTH - len(ids))
        np.testing.assert_allclose(answers["scores"][row], score, rtol=1e-4)
        if len(weights):
            given = answers["attention_weights"][row]
            np.testing.assert_allclose(
                given[: len(ids), : len(source)], weights, atol=1e-5
            )
            assert not given[len(ids) :].any() and not given[:, len(source) :].any()
    return lengths


@pytest.mark.parametrize("settings", CASES, ids=label)
@pytest.mark.parametrize("min_length", [0, 4])
def test_the_search_is_greedy_decoding_by_hand(settings, min_length):
    models = make_models(**{"seed": 3, **settings}, scale=1.5)
    generator = build_generator(models, MAX_LENGTH, min_length=min_length)
    lengths = check_greedy_by_hand(generator, [models], min_length)
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


@pytest.mark.parametrize("settings", ENSEMBLES)
def test_an_ensemble_averages_probabilities_by_hand(settings):
    members = make_members(*settings)
    generator = build_generator(members, MAX_LENGTH)
    lengths = check_greedy_by_hand(generator, members, sources=SOURCES[:4])
    assert len(lengths) > 1


OPTIONS = [
    {},
    {"temperature": 1.0, "seed": 0},
    {"beam_size": 3, "n_best": 2, "length_penalty": 0.6, "coverage_penalty": 0.2}
    | {"min_length": 2, "no_repeat_ngram_size": 2},
]


def assert_same_answers(one, other, **options):
    answers, others = (
        build_generator(models, MAX_LENGTH, **options).predict(SOURCES, verbose=0)
        for models in (one, other)
    )
    assert answers.keys() == others.keys()
    np.testing.assert_array_equal(answers["ids"], others["ids"])
    for name, value in answers.items():
        np.testing.assert_allclose(value, others[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS, ids=label)
def test_an_ensemble_of_the_same_model_answers_as_the_model(options):
    [models] = make_members(DOT)
    assert_same_answers(models, [models, models], **options)


def test_an_ensemble_of_one_is_the_model():
    [models] = make_members(DOT)
    assert build_ensemble([models]) is models


def test_the_order_of_members_changes_nothing():
    members = make_members(DOT, PLAIN, ADDITIVE)
    assert_same_answers(members, tuple(members[::-1]), **OPTIONS[-1])


def test_a_beam_of_an_ensemble_scores_averaged_probabilities():
    """The score is that of the gold path, as the members' training models see it."""
    members = make_members(DOT, PLAIN, ADDITIVE)
    answers = build_generator(members, MAX_LENGTH, beam_size=4).predict(
        SOURCES, verbose=0
    )
    ids = answers["ids"]
    fed = np.concatenate([np.full((len(ids), 1), START), ids[:, :-1]], axis=1)
    inputs = [SOURCES, fed.astype("int32")]
    probabilities = np.mean(
        [softmax(own.training.predict(inputs, verbose=0)) for own in members], axis=0
    )
    chosen = np.take_along_axis(probabilities, ids[..., None], axis=-1)[..., 0]
    scores = np.where(ids == PAD, 0.0, np.log(chosen)).sum(axis=-1)
    np.testing.assert_allclose(answers["scores"], scores, rtol=1e-4)
    sums = answers["attention_weights"].sum(axis=-1)
    np.testing.assert_allclose(sums, ids != PAD, atol=1e-5)
    greedy = build_generator(members, MAX_LENGTH).predict(SOURCES, verbose=0)["scores"]
    assert (answers["scores"] >= greedy - 1e-5).all()
    assert (answers["scores"] > greedy + 1e-3).any()


def test_an_ensemble_of_real_values_is_fed_their_average():
    members = [
        make_models(target_features=2, attention=attention, seed=seed)
        for seed, attention in enumerate((True, False))
    ]
    answers = build_generator(members, 4).predict(SOURCES[:1], verbose=0)
    memories = [as_list(models.encoder(SOURCES[:1])) for models in members]
    values = np.zeros(2)
    for step in range(4):
        inputs = keras.ops.array(values[None, None], dtype="float32")
        steps = map(step_by_hand, members, [inputs] * 2, memories)
        outputs, memories, looks = zip(*steps, strict=True)
        values = np.mean(outputs, axis=0)
        np.testing.assert_allclose(answers["values"][0, step], values, rtol=1e-4)
        np.testing.assert_allclose(
            answers["attention_weights"][0, step], looks[0][0], atol=1e-5
        )


def test_an_ensemble_saved_by_keras_answers_the_same(tmp_path):
    generator = build_generator(make_members(DOT, PLAIN, PLAIN), MAX_LENGTH)
    generator.save(tmp_path / "generator.keras")
    again = keras.models.load_model(tmp_path / "generator.keras")
    answers = generator.predict(SOURCES, verbose=0)
    for name, value in again.predict(SOURCES, verbose=0).items():
        np.testing.assert_array_equal(answers[name], value)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([], "models must hold at least one Seq2SeqModels; got none"),
        ([{}, "a"], r"models\[1\] must be the Seq2SeqModels .* got str"),
        (
            [{}, {"target_vocabulary_size": 10}],
            r"share one target: models\[0\] has 9 ids, and models\[1\] has 10 ids",
        ),
        (
            [{}, {"source_vocabulary_size": 13, "source_embedding": "one_hot"}],
            r"share one source: models\[0\] has 12 ids, and models\[1\] has 13 ids",
        ),
        (
            [{"target_features": 9}, {}],
            r"models\[0\] has real values, 9 a frame, and models\[1\] has 9 ids",
        ),
        (
            [{"source_features": 2}, {"source_features": 3}],
            r"share one source: .* 2 a frame, and models\[1\] has real values, 3",
        ),
    ],
)
def test_what_cannot_be_an_ensemble_is_refused(others, message):
    members = [cached_models(**own) if isinstance(own, dict) else own for own in others]
    with pytest.raises((ValueError, TypeError), match=message):
        build_generator(members, 3)


def count_graphs():
    """Return how many of TensorFlow's graphs live, once what nobody needs has gone."""
    gc.collect()
    return sum(type(one).__name__.endswith("FuncGraph") for one in gc.get_objects())


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_generator_that_nobody_needs_leaves_nothing_behind(cell):
    models = make_models(cell=cell)
    generate(build_generator(models, MAX_LENGTH), SOURCES)
    left = count_graphs()
    for beam_size in (1, 2):
        generator = build_generator(models, MAX_LENGTH, beam_size=beam_size)
        generate(generator, SOURCES)
        gone = weakref.ref(generator)
        del generator
        assert count_graphs() <= left and gone() is None
