import keras
import numpy as np
import pytest
from strategies import make_models, random_ids

from kseq2seq import build_generator
from kseq2seq.search import GreedySearch, SamplingSearch, SearchOptions
from kseq2seq.search.sampling import drawn
from kseq2seq.vocabulary import END, PAD, START

PROBS = np.array([0.0, 0.05, 0.0, 0.15, 0.5, 0.3])
"""What may come after START and after any other token."""
ROWS = 4000


def array(value):
    return keras.ops.convert_to_numpy(value)


def table_decoder():
    """Return a decoder that says the same at every step."""
    ids = keras.Input((1,), name="decoder_input_ids", dtype="int32")
    state = keras.Input((1,), name="state_h_1")
    logits = np.log(np.maximum(PROBS, 1e-4)).astype("float32")
    logits = keras.ops.add(0 * keras.ops.expand_dims(state, 1), logits)
    return keras.Model([ids, state], [logits, state + 1])


DECODER = table_decoder()


def sample(rows=ROWS, max_length=2, kind=SamplingSearch, **options):
    if kind is SamplingSearch:
        options = {"temperature": 1.0} | options
    search = kind(DECODER, 1, max_length, SearchOptions(**options))
    answers = search([keras.ops.zeros((rows, 1))])
    return {name: array(value) for name, value in answers.items()}


def frequencies(ids):
    return np.bincount(ids, minlength=len(PROBS)) / len(ids)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, PROBS),
        ({"temperature": 0.5}, PROBS**2),
        ({"temperature": 2.0}, PROBS**0.5),
        ({"top_k": 2}, PROBS * [0, 0, 0, 0, 1, 1]),
        ({"top_p": 0.9}, PROBS * [0, 0, 0, 1, 1, 1]),
        ({"top_k": 3, "top_p": 0.6}, PROBS * [0, 0, 0, 0, 1, 1]),
        ({"min_length": 1, "forbidden_ids": [0, 2, 5]}, PROBS * [0, 1, 0, 0, 1, 0]),
    ],
    ids=str,
)
def test_ids_are_drawn_as_often_as_they_are_probable(options, expected):
    answers = sample(seed=1, **options)
    first, second = answers["ids"].T
    given = frequencies(first)
    np.testing.assert_allclose(given, expected / expected.sum(), atol=0.04)
    assert not given[expected == 0].any()
    went_on = second[first != END]  # the next draw knows nothing of the first
    expected = np.where(np.arange(6) == END, PROBS[END], expected)
    if (
        "min_length" not in options
        and "top_k" not in options
        and "top_p" not in options
    ):
        exponent = 1 / options.get("temperature", 1.0)
        expected = PROBS**exponent / (PROBS**exponent).sum()
        np.testing.assert_allclose(frequencies(went_on), expected, atol=0.05)
    assert (second[first == END] == PAD).all()


def test_scores_are_the_models_own_log_probabilities():
    answers = sample(50, 3, seed=2, temperature=3.0, top_k=3)
    log_probs = np.log(np.maximum(PROBS, 1e-4) / np.maximum(PROBS, 1e-4).sum())
    expected = np.where(answers["ids"] == PAD, 0.0, log_probs[answers["ids"]])
    np.testing.assert_allclose(answers["scores"], expected.sum(axis=1), rtol=1e-4)


@pytest.mark.parametrize(
    "options", [{"temperature": 1e-4}, {"top_k": 1}, {"top_p": 0.1}]
)
def test_drawing_among_one_id_is_greedy_search(options):
    drawn, greedy = sample(5, 3, seed=0, **options), sample(5, 3, GreedySearch)
    np.testing.assert_array_equal(drawn["ids"], greedy["ids"])
    np.testing.assert_allclose(drawn["scores"], greedy["scores"], rtol=1e-6)


def test_rows_and_calls_are_drawn_anew_and_a_reset_repeats_them():
    search = SamplingSearch(DECODER, 1, 5, SearchOptions(temperature=1.0, seed=3))
    memory = [keras.ops.zeros((40, 1))]
    first, second = (array(search(memory)["ids"]) for _ in range(2))
    assert len(np.unique(first, axis=0)) > 20 and (first != second).any()
    search.reset()
    np.testing.assert_array_equal(array(search(memory)["ids"]), first)
    np.testing.assert_array_equal(array(search(memory)["ids"]), second)
    np.testing.assert_array_equal(sample(40, 5, seed=3)["ids"], first)
    assert (sample(40, 5, seed=4)["ids"] != first).any()
    assert (sample(40, 5)["ids"] != sample(40, 5)["ids"]).any()


@pytest.mark.parametrize("draw", [0.0, 1 - 2**-23])
def test_what_cannot_be_chosen_is_not_drawn_at_either_end(draw):
    log_probs = np.full((1, 9), -np.inf, "float32")
    log_probs[0, [2, 5]] = np.log([1e-3, 0.3])
    ids = drawn(log_probs, np.array([[draw]], "float32"))
    assert array(ids).tolist() == [[2 if draw == 0 else 5]]


def test_a_generator_that_samples_repeats_compiles_and_is_saved(tmp_path):
    models = make_models(seed=3, scale=0.8)
    options = {"temperature": 0.7, "top_k": 5, "top_p": 0.95, "seed": 7}
    rules = {"min_length": 2, "no_repeat_ngram_size": 1}
    generator = build_generator(models, 6, **options, **rules)
    generator.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    config = loaded.get_layer("sampling_search").get_config()
    assert {name: config[name] for name in options | rules} == options | rules
    sources = random_ids(np.random.default_rng(0), [6, 1, 3, 4] * 4, 12)
    plain = generator.predict(sources, verbose=0)
    again = generator.predict(sources, verbose=0)
    assert (plain["ids"] != again["ids"]).any()
    assert not np.isin(plain["ids"], [START]).any() and plain["ids"][:, :2].all()
    np.testing.assert_array_equal(
        loaded.predict(sources, verbose=0)["ids"], plain["ids"]
    )
    search = generator.get_layer("sampling_search")
    search.reset()
    np.testing.assert_array_equal(
        generator.predict(sources, verbose=0)["ids"], plain["ids"]
    )
    generator.compile(jit_compile=True)  # XLA makes other numbers of the same seed
    search.reset()
    compiled = generator.predict(sources, verbose=0)["ids"]
    search.reset()
    again = generator.predict(sources, verbose=0)["ids"]
    np.testing.assert_array_equal(compiled, again)
    assert not np.isin(compiled, [START]).any() and compiled[:, :2].all()
