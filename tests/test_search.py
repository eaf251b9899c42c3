import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from strategies import label, make_models, random_ids

from kseq2seq import build_generator
from kseq2seq.batching import shift, shift_values
from kseq2seq.search import GreedySearch, Rollout, ScheduledSampling, SearchOptions
from kseq2seq.training import MaskedCrossentropy, with_teacher_forcing
from kseq2seq.vocabulary import END, PAD, START

STEPS = 6
CASES = [
    {"attention": True, "bidirectional": True},
    {"attention": True, "cell": "gru", "num_layers": 2},
    {"attention": False, "cell": "lstm"},
    {"attention": False, "cell": "rnn", "decoder": "repeat"},
    {"attention": True, "cell": "gru", "source_features": 2},
]


def array(value):
    return keras.ops.convert_to_numpy(value)


def sources(rows=4, source_features=None, **_):
    rng = np.random.default_rng(3)
    if source_features:
        return rng.normal(size=(rows, 5, source_features)).astype("float32")
    return random_ids(rng, rng.integers(1, 6, size=rows), 12)


def remembered(models, source):
    """Return what the encoder gives, always as a list."""
    memory = models.encoder(source)
    return memory if isinstance(memory, list) else [memory]


def counting_decoder(size=60):
    """Return a decoder whose best token is the last one and one more, and a state
    that counts its steps."""
    ids = keras.Input((1,), name="decoder_input_ids", dtype="int32")
    state = keras.Input((1,), name="state_h_1")
    logits = 9.0 * keras.ops.one_hot(ids + 1, size)
    return keras.Model([ids, state], [logits, state + 1.0])


def adding_decoder():
    """Return a decoder whose value is the last one and the number of its step."""
    values = keras.Input((1, 1), name="decoder_input_values")
    state = keras.Input((1,), name="state_h_1")
    new = state + 1.0
    return keras.Model([values, state], [values + keras.ops.expand_dims(new, 1), new])


def start(rows):
    return [keras.ops.zeros((rows, 1))]


def test_greedy_search_feeds_the_best_token_until_end():
    """From START, 2, a decoder that counts says END, 3, and is not asked again."""
    answers = GreedySearch(counting_decoder(), 1, max_length=4)(start(2))
    assert array(answers["ids"]).tolist() == [[END, PAD, PAD, PAD]] * 2
    later = GreedySearch(
        counting_decoder(), 1, max_length=4, options=SearchOptions(forbidden_ids=[END])
    )
    ids = array(later(start(1))["ids"])[0]
    assert ids[0] == 0  # all the others are as good; the first wins


def test_rollout_feeds_values_to_the_next_step():
    """0, then 0 + 1, 1 + 2, 3 + 3 ..."""
    answers = Rollout(adding_decoder(), 1, max_length=5)(start(2))
    assert array(answers["values"])[..., 0].tolist() == [[1, 3, 6, 10, 15]] * 2
    assert "attention_weights" not in answers


@pytest.mark.parametrize("settings", CASES, ids=label)
def test_rollout_is_stepping_the_decoder_on_its_own_values(settings):
    models = make_models(**settings, target_features=3)
    source = sources(**settings)
    memory = remembered(models, source)
    states, constants = memory[: models.num_states], memory[models.num_states :]
    frame, values, weights = np.zeros((4, 1, 3), "float32"), [], []
    for _ in range(STEPS):
        inputs = [keras.ops.array(frame), *states, *constants]
        frame, *outputs = models.decoder(inputs)
        values.append(array(frame))
        states = outputs[: models.num_states]
        weights += [array(w) for w in outputs[models.num_states :]]
    answers = build_generator(models, STEPS).predict(source, verbose=0)
    by_hand = np.concatenate(values, axis=1)
    assert answers["values"].shape == (4, STEPS, 3)
    np.testing.assert_allclose(answers["values"], by_hand, atol=1e-5)
    assert ("attention_weights" in answers) == settings["attention"]
    if weights:
        np.testing.assert_allclose(
            answers["attention_weights"], np.concatenate(weights, axis=1), atol=1e-5
        )


def test_a_compiled_rollout_gives_the_plain_ones_values():
    models = make_models(source_features=2, target_features=2)
    generator, source = build_generator(models, STEPS), sources(source_features=2)
    plain = generator.predict(source, verbose=0)["values"]
    generator.compile(jit_compile=True)
    compiled = generator.predict(source, verbose=0)["values"]
    np.testing.assert_allclose(compiled, plain, atol=1e-5)


def sample(models, probability, gold, source, *, seed=0, training=True):
    sampling = ScheduledSampling(
        models.decoder, models.num_states, probability, seed=seed
    )
    return array(sampling(gold, remembered(models, source), training=training))


def gold_ids(rows=4):
    rng = np.random.default_rng(1)
    return shift(random_ids(rng, [STEPS] * rows, 9))


def gold_values(rows=4, features=3):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(rows, STEPS, features)).astype("float32")
    return shift_values(values)


@pytest.mark.parametrize("probability", [1.0, 0.0])
@pytest.mark.parametrize("training", [True, False])
def test_gold_passes_unchanged_at_probability_1_and_outside_training(
    probability, training
):
    for models, gold in (
        (make_models(), gold_ids()),
        (make_models(target_features=3), gold_values()),
    ):
        fed = sample(models, probability, gold, sources(), training=training)
        same = probability == 1 or not training
        assert (fed == gold).all() == same
        assert fed.dtype == gold.dtype and fed.shape == gold.shape


@pytest.mark.parametrize("settings", CASES, ids=label)
def test_at_probability_0_the_decoder_is_fed_what_greedy_decoding_answers(settings):
    models = make_models(**settings, seed=4, scale=1.5)
    logits = models.training.get_layer("logits")  # few answers shall end at once
    logits.bias.assign(array(logits.bias) - 3 * np.isin(range(9), [PAD, END]))
    source = sources(8, **settings)
    generator = build_generator(models, STEPS, forbidden_ids=())
    ids = generator.predict(source, verbose=0)["ids"]
    fed = sample(models, 0.0, gold_ids(8), source)
    assert (fed[:, 0] == START).all()
    lengths = set()
    for row, answer in zip(fed, ids, strict=True):
        ended = np.flatnonzero(np.isin(answer, [END, PAD]))
        length = min(ended[0] + 1 if len(ended) else STEPS, STEPS - 1)
        assert row[1 : length + 1].tolist() == answer[:length].tolist()
        lengths.add(length)
    assert max(lengths) > 2


@pytest.mark.parametrize("settings", CASES, ids=label)
def test_at_probability_0_a_decoder_of_values_is_fed_its_own(settings):
    models = make_models(**settings, target_features=3)
    source = sources(**settings)
    fed = sample(models, 0.0, gold_values(), source)
    values = build_generator(models, STEPS).predict(source, verbose=0)["values"]
    np.testing.assert_allclose(fed, shift_values(values), atol=1e-5)
    assert not fed[:, 0].any()


def sample_counting(probability, *, seed, rows=50, steps=40):
    """Return what is fed where gold is 50 and the decoder counts on from its input."""
    gold = np.full((rows, steps), 50, "int32")
    gold[:, 0] = START
    sampling = ScheduledSampling(counting_decoder(100), 1, probability, seed=seed)
    return array(sampling(gold, start(rows), training=True)), sampling


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_gold_is_fed_in_as_many_places_as_the_probability_says(probability):
    fed, _ = sample_counting(probability, seed=0)
    is_gold, counts_on = fed[:, 1:] == 50, fed[:, 1:] == fed[:, :-1] + 1
    assert (is_gold | counts_on).all() and (fed[:, 0] == START).all()
    assert is_gold.mean() == pytest.approx(probability, abs=0.05)
    if 0 < probability < 1:  # each row and each step has a chance of its own
        assert len(np.unique(is_gold, axis=0)) > 25
        assert len(np.unique(is_gold, axis=1).T) > 25


def test_the_same_seed_feeds_the_same_and_each_call_anew():
    fed, sampling = sample_counting(0.5, seed=7)
    np.testing.assert_array_equal(fed, sample_counting(0.5, seed=7)[0])
    assert (fed != sample_counting(0.5, seed=8)[0]).any()
    gold = np.full((50, 40), 50, "int32")
    assert (array(sampling(gold, start(50), training=True)) != fed).any()


def test_the_probability_is_a_weight_that_may_be_set():
    _, sampling = sample_counting(1.0, seed=0)
    sampling.probability.assign(0.0)
    gold = np.full((2, 5), 50, "int32")
    fed = array(sampling(gold, start(2), training=True))
    assert fed.tolist() == [[50, 51, 52, 53, 54]] * 2


def learn(model, inputs, target_ids, loss=None):
    """Take one plain step; return the loss and the weights after it, by name."""
    model.compile(keras.optimizers.SGD(0.5), loss=loss or MaskedCrossentropy())
    value = float(model.train_on_batch(inputs, target_ids))
    return value, [array(weight) for weight in model.trainable_weights]


def pairs(settings):
    target_ids = random_ids(np.random.default_rng(2), [STEPS, 2, 4, 3], 9)
    return sources(**settings), target_ids


def weights_by_path(models):
    return {w.path: array(w) for w in models.training.weights}


@pytest.mark.parametrize("settings", CASES[:3], ids=label)
def test_full_teacher_forcing_takes_the_step_of_the_training_model(settings):
    source, target_ids = pairs(settings)
    inputs = [source, shift(target_ids)]
    plain, forced = make_models(**settings), make_models(**settings)
    before = weights_by_path(plain)
    loss, _ = learn(plain.training, inputs, target_ids)
    model = with_teacher_forcing(forced, 1.0, random_state=0)
    again, _ = learn(model, inputs, target_ids)
    assert again == pytest.approx(loss, rel=1e-5)
    expected, given = weights_by_path(plain), weights_by_path(forced)
    for path, weight in expected.items():
        np.testing.assert_allclose(given[path], weight, atol=1e-5)
        assert np.abs(weight - before[path]).max() > 1e-6  # encoder and decoder


@pytest.mark.parametrize("settings", CASES[:3], ids=label)
def test_a_step_without_teacher_forcing_is_the_training_models_on_what_was_fed(
    settings,
):
    """No gradient flows through what is fed, and none is lost elsewhere."""
    source, target_ids = pairs(settings)
    gold = shift(target_ids)
    plain, free = make_models(**settings), make_models(**settings)
    fed = sample(plain, 0.0, gold, source)
    assert (fed != gold).any()
    loss, _ = learn(plain.training, [source, fed], target_ids)
    model = with_teacher_forcing(free, 0.0, random_state=0)
    again, _ = learn(model, [source, gold], target_ids)
    assert again == pytest.approx(loss, rel=1e-5)
    given = weights_by_path(free)
    for path, weight in weights_by_path(plain).items():
        np.testing.assert_allclose(given[path], weight, atol=1e-5)


def test_values_are_learned_without_teacher_forcing_too():
    sides = {"source_features": 2, "target_features": 3}
    source, gold = sources(**sides), gold_values()
    plain, free = make_models(**sides), make_models(**sides)
    fed = sample(plain, 0.0, gold, source)
    targets = np.roll(gold, -1, axis=1)
    loss, _ = learn(plain.training, [source, fed], targets, loss="mse")
    model = with_teacher_forcing(free, 0.0, random_state=0)
    again, _ = learn(model, [source, gold], targets, loss="mse")
    assert again == pytest.approx(loss, rel=1e-4)
    given = weights_by_path(free)
    for path, weight in weights_by_path(plain).items():
        np.testing.assert_allclose(given[path], weight, atol=1e-5)


def test_evaluation_feeds_gold_whatever_the_probability():
    models, (source, target_ids) = make_models(), pairs({})
    inputs = [source, shift(target_ids)]
    free = with_teacher_forcing(models, 0.0, random_state=0)
    np.testing.assert_allclose(
        free.predict(inputs, verbose=0),
        models.training.predict(inputs, verbose=0),
        atol=1e-5,
    )


def test_dropout_is_off_where_the_decoder_finds_its_own_tokens():
    models = make_models(dropout=0.9)
    first = sample(models, 0.0, gold_ids(), sources(), seed=0)
    for seed in range(1, 4):
        again = sample(models, 0.0, gold_ids(), sources(), seed=seed)
        np.testing.assert_array_equal(again, first)


def test_weights_kept_during_teacher_forcing_return(tmp_path):
    model = with_teacher_forcing(make_models(), 0.25, random_state=0)
    model.save_weights(tmp_path / "model.weights.h5")
    other = make_models(seed=1)
    again = with_teacher_forcing(other, 1.0, random_state=1)
    again.load_weights(tmp_path / "model.weights.h5")
    assert float(array(again.get_layer("scheduled_sampling").probability)) == 0.25
    for path, weight in weights_by_path(make_models()).items():
        np.testing.assert_array_equal(weights_by_path(other)[path], weight)


@pytest.mark.parametrize(
    ("probability", "message"),
    [
        (1.5, "teacher_forcing must be a number of at least 0 and at most 1; got 1.5"),
        (-0.1, "teacher_forcing must be"),
        (float("nan"), "teacher_forcing must be"),
        ("half", "teacher_forcing must be .* got 'half'"),
    ],
)
def test_what_is_no_probability_is_refused(probability, message):
    with pytest.raises((ValueError, TypeError), match=message):
        with_teacher_forcing(make_models(), probability)


def test_a_search_of_version_0_1_is_made_from_its_config():
    search = GreedySearch(counting_decoder(), 1, 4, SearchOptions(min_length=2))
    config = search.get_config()
    kept = ("min_length", "forbidden_ids", "forced_prefix", "no_repeat_ngram_size")
    first = [*("name", "trainable", "dtype", "decoder", "num_states", "max_length")]
    old = {name: config[name] for name in (*first, *kept)}
    again = GreedySearch.from_config({**old, "return_attention": False})
    assert again.options.min_length == 2 and not again.options.attention_weights
    assert again.max_length == 4 and again.num_states == 1


@pytest.mark.backends("jax")
def test_generators_that_share_weights_predict_in_turn_on_jax(monkeypatch):
    models = make_models(**CASES[0])
    generators = [build_generator(models, max_length=n) for n in (2, 3)]
    source, both = sources(), threading.Barrier(2)
    predict = keras.Model.predict_on_batch

    def met(*args, **kwargs):
        try:
            both.wait(timeout=1)
        except threading.BrokenBarrierError:
            return predict(*args, **kwargs)
        raise AssertionError("two models predict at a time")

    monkeypatch.setattr(keras.Model, "predict_on_batch", met)
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda one: one.predict_on_batch(source), generators)
        assert [answer["ids"].shape[1] for answer in found] == [2, 3]
