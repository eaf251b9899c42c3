"""Monotonic attention: exact marginals over all ways through the source."""

import itertools
import pickle

import keras
import numpy as np
import pytest
from strategies import COPY_TABLE, X, Y, make_models, random_ids, small_estimator

from kseq2seq import Seq2SeqEstimator, build_attention_seq2seq, build_generator, load
from kseq2seq.batching import shift
from kseq2seq.layers import MonotonicAttention
from kseq2seq.search import BeamSearch, GreedySearch, SearchOptions
from kseq2seq.training import MaskedCrossentropy, with_teacher_forcing

STEPS, PLACES, SIZE, WIDTH = 3, 4, 5, 2
LENGTHS = [4, 2]
"""The sources of :func:`example`: one fills its row, one is padded."""
COPIES = np.array([[4, 0, 4, 1], [0, 3, 0, 0]])


def example(*, seed=0, scale=2.0, copies=False):
    """Return what the layer is called with: values in double precision, and ids."""
    rng = np.random.default_rng(seed)
    state = np.full((2, PLACES, SIZE), -1e9)
    state[:, 0] = 0.0
    ids = np.array([[2, 4, 1], [2, 3, 3]])
    mask = np.arange(PLACES) < np.array(LENGTHS)[:, None]
    shapes = (STEPS * PLACES, SIZE), (STEPS, WIDTH), (PLACES, WIDTH)
    logits, queries, outputs = (rng.normal(0, scale, (2, *shape)) for shape in shapes)
    given = [logits, queries, outputs, mask, ids, state]
    if copies:
        given += [rng.normal(0, scale, (2, STEPS * PLACES, 1)), COPIES]
    return given


def called(given, **options):
    given = [np.float32(a) if a.dtype == "float64" else a for a in given]
    layer = MonotonicAttention()
    return [np.asarray(a) for a in layer(*map(keras.ops.array, given), **options)]


def by_enumeration(given, row):
    """Return ``P(y_t = w | y_1 ... y_{t-1})`` and ``P(a_t = j | y_1 ... y_{t-1})``.

    Sums over every way through the places that never moves back, one by one.
    """
    logits, queries, outputs, _, ids, _, *copying = (array[row] for array in given)
    weights = np.exp(queries @ outputs.T)
    says = np.exp(logits.reshape(STEPS, PLACES, SIZE))
    says /= says.sum(axis=-1, keepdims=True)
    if copying:
        switches, copy_ids = copying
        g = 1 / (1 + np.exp(-switches.reshape(STEPS, PLACES, 1)))
        copied = np.eye(SIZE)[copy_ids]
        says = np.where(copy_ids[:, None] > 0, g * says + (1 - g) * copied, says)
    words, places = np.zeros((STEPS, SIZE)), np.zeros((STEPS, PLACES))
    for t in range(STEPS):
        for way in itertools.product(range(LENGTHS[row]), repeat=t + 1):
            if list(way) != sorted(way):
                continue
            p = 1.0
            for s, (i, j) in enumerate(itertools.pairwise([0, *way])):
                p *= weights[s, j] / weights[s, i : LENGTHS[row]].sum()
                p *= says[s, j, ids[s + 1]] if s < t else 1.0
            words[t] += p * says[t, way[-1]]
            places[t, way[-1]] += p
    return tuple(p / p.sum(axis=-1, keepdims=True) for p in (words, places))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("copies", [False, True])
def test_marginals_are_sums_over_all_ways_that_never_move_back(copies, training):
    given = example(copies=copies)
    log_probs, state, weights = called(given, training=training)
    for row in (0, 1):
        words, places = by_enumeration(given, row)
        np.testing.assert_allclose(np.exp(log_probs[row]), words, rtol=1e-4)
        np.testing.assert_allclose(weights[row], places, rtol=1e-4)
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=-1), 1.0, rtol=1e-5)
    joint = np.exp(log_probs[:, -1])  # the last step's, over the places
    np.testing.assert_allclose(np.exp(state).sum(axis=1), joint, rtol=1e-5)
    assert not weights[1, :, 2:].any()


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_steps_one_by_one_give_what_all_at_once_give(scale):
    logits, queries, outputs, mask, ids, state = example(scale=scale)
    together = called([logits, queries, outputs, mask, ids, state], training=True)
    logits = logits.reshape(2, STEPS, PLACES, SIZE)
    for t in range(STEPS):
        one = slice(t, t + 1)
        given = [logits[:, t], queries[:, one], outputs, mask, ids[:, one], state]
        log_probs, state, weights = called(given)
        np.testing.assert_allclose(log_probs[:, 0], together[0][:, t], rtol=1e-4)
        np.testing.assert_allclose(weights[:, 0], together[2][:, t], atol=1e-5)
        assert np.isfinite(log_probs).all()


def gradients(function, arrays):
    """Return the gradients of a function by arrays, as the backend has them."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(function, argnums=tuple(range(len(arrays))))(*arrays)
    import tensorflow as tf

    tensors = list(map(tf.constant, arrays))
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    return tape.gradient(value, tensors)


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("copies", [False, True])
def test_gradients_are_those_of_finite_differences(copies, training):
    given = example(seed=1, scale=1.0, copies=copies)
    where = [0, 1, 2, *([6] if copies else [])]
    rng = np.random.default_rng(2)
    counts, ways = (
        rng.normal(size=(2, STEPS, SIZE)),
        rng.normal(size=(2, STEPS, PLACES)),
    )
    layer = MonotonicAttention(dtype="float64")

    def measured(*arrays):
        call = list(given)
        for place, array in zip(where, arrays, strict=True):
            call[place] = array
        log_probs, _, weights = layer(*call, training=training)
        return keras.ops.sum(log_probs * counts) + keras.ops.sum(weights * ways)

    arrays = [given[place] for place in where]
    for i, gradient in enumerate(gradients(measured, arrays)):
        direction = rng.normal(size=arrays[i].shape)
        ends = []
        for h in (1e-5, -1e-5):
            moved = list(arrays)
            moved[i] = arrays[i] + h * direction
            ends.append(float(measured(*moved)))
        by_hand = (ends[0] - ends[1]) / 2e-5
        found = float(np.sum(np.asarray(gradient) * direction))
        np.testing.assert_allclose(found, by_hand, rtol=1e-6)


@pytest.mark.backends("tensorflow", "jax")
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_gradients_are_finite_and_nothing_on_padding(scale):
    given = [np.float32(a) if a.dtype == "float64" else a for a in example(scale=scale)]
    layer = MonotonicAttention()

    def loss(logits, queries, outputs):
        log_probs, *_ = layer(logits, queries, outputs, *given[3:], training=True)
        return keras.ops.sum(log_probs[:, :, 3])

    by_logits, by_queries, by_outputs = map(np.asarray, gradients(loss, given[:3]))
    for found in (by_logits, by_queries, by_outputs):
        assert np.isfinite(found).all() and found.any()
    assert not by_outputs[1, LENGTHS[1] :].any()
    padded = by_logits.reshape(2, STEPS, PLACES, SIZE)[1, :, LENGTHS[1] :]
    assert not padded.any()


SOURCES = random_ids(np.random.default_rng(5), [6, 2, 4], 12)


def log_probs_of(models, ids):
    """Return the sum of the training model's log-probabilities of each row of ids."""
    log_probs = np.asarray(models.training([SOURCES, shift(ids)]))
    chosen = np.take_along_axis(log_probs, ids[..., None], axis=-1)[..., 0]
    return np.where(ids == 0, 0.0, chosen).sum(axis=-1)


@pytest.mark.parametrize("copy", [False, COPY_TABLE], ids=["plain", "copying"])
def test_every_hypothesis_of_a_beam_has_a_state_of_its_own(copy):
    models = make_models(attention="monotonic", copy=copy, scale=1.0)
    generator = build_generator(models, 5, beam_size=3, n_best=3)
    answers = generator.predict(SOURCES, verbose=0)
    for i in range(3):
        scores = log_probs_of(models, answers["ids"][:, i])
        np.testing.assert_allclose(answers["scores"][:, i], scores, rtol=1e-4)
    assert len({ids.tobytes() for ids in answers["ids"][0]}) == 3


def test_a_beam_of_one_is_greedy_search():
    models = make_models(attention="monotonic", scale=1.0)
    memory = models.encoder(SOURCES)
    one, other = (
        search(models.decoder, models.num_states, 5, SearchOptions())(memory)
        for search in (GreedySearch, BeamSearch)
    )
    np.testing.assert_array_equal(one["ids"], other["ids"])
    np.testing.assert_allclose(one["scores"], other["scores"], rtol=1e-5)
    weights = np.asarray(one["attention_weights"])
    np.testing.assert_allclose(weights, other["attention_weights"], atol=1e-6)


@pytest.mark.backends("tensorflow")
def test_a_search_is_compiled_for_sources_of_one_id():
    import tensorflow as tf

    generator = build_generator(make_models(attention="monotonic"), 3)
    signature = [tf.TensorSpec((1, 1), tf.int32)]
    compiled = tf.function(lambda ids: generator(ids)["ids"], input_signature=signature)
    ids = np.array([[4]], "int32")
    np.testing.assert_array_equal(compiled(ids), generator(ids)["ids"])


def test_one_member_of_an_ensemble_may_be_monotonic():
    members = [make_models(attention=a, seed=1) for a in ("monotonic", "general")]
    generator = build_generator(members, 4)
    answers = generator.predict(SOURCES, verbose=0)
    inputs = [SOURCES, shift(answers["ids"])]
    by_hand = np.log(
        np.mean([keras.ops.softmax(m.training(inputs)) for m in members], axis=0)
    )
    by_hand = np.take_along_axis(by_hand, answers["ids"][..., None], -1)[..., 0]
    by_hand = np.where(answers["ids"] == 0, 0.0, by_hand).sum(axis=-1)
    np.testing.assert_allclose(answers["scores"], by_hand, rtol=1e-4)


def test_a_decoder_may_be_trained_on_its_own_tokens():
    models = build_attention_seq2seq(
        12, 9, 6, attention="monotonic", word_dropout=0.3, dropout=0.3, random_state=0
    )
    training = with_teacher_forcing(models, 0.0, random_state=0)
    training.compile("adam", MaskedCrossentropy())
    targets = random_ids(np.random.default_rng(6), [3, 5, 2], 9)
    losses = [
        training.train_on_batch([SOURCES, shift(targets)], targets) for _ in range(12)
    ]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


@pytest.mark.parametrize("copy", [False, True])
def test_one_pair_may_be_all_there_is(copy):
    """Batches of one have a static shape, which not all of the values know."""
    estimator = Seq2SeqEstimator(
        attention_kind="monotonic", copy=copy, bidirectional=False, units=4, epochs=1
    )
    estimator.fit(["ab"], ["ba"], validation_data=(["ab"], ["ba"]))
    assert np.isfinite(estimator.history_["val_loss"]).all()


WORDS = [
    "".join(np.random.default_rng(i).permutation(list("abcdefgh"))[:5])
    for i in range(300)
]


@pytest.fixture(scope="module")
def copier():
    """An estimator that has learned to say words again."""
    estimator = Seq2SeqEstimator(
        attention_kind="monotonic",
        units=32,
        embedding_dim=16,
        dropout=0.0,
        learning_rate=0.01,
        batch_size=16,
        epochs=8,
        validation_fraction=0.0,
        random_state=0,
    )
    return estimator.fit(WORDS[20:], WORDS[20:])


def moves(estimator, words):
    """Return how far attention moves, of five steps' mean places among the letters."""
    found = []
    for weights, *_ in estimator.attention(words):
        np.testing.assert_allclose(weights.sum(axis=-1), 1.0, rtol=1e-4)
        letters = weights[:5, :-1] / weights[:5, :-1].sum(axis=-1, keepdims=True)
        found.append(np.diff(letters @ np.arange(letters.shape[1])))
    return np.concatenate(found)


def test_attention_learns_to_move_along_with_the_answer(copier):
    assert copier.score(WORDS[:20], WORDS[:20]) > 0.5
    moved = moves(copier, WORDS[:20])
    assert np.mean(moved > -0.05) > 0.95 and 0.5 < moved.mean() < 1.2


def test_a_source_that_is_read_from_its_end_is_moved_through_from_there():
    estimator = small_estimator(
        attention_kind="monotonic", reverse_source=True, min_length=5, max_length=6
    )
    assert np.mean(moves(estimator.fit(X, Y), WORDS[:20]) < 0) > 0.95


def test_a_fitted_model_is_kept_in_files_and_pickles(copier, tmp_path):
    answers = copier.predict_with_scores(WORDS[:20])
    path = copier.save(tmp_path / "m.kseq2seq")
    for again in (load(path), pickle.loads(pickle.dumps(copier))):
        assert again.predict_with_scores(WORDS[:20]) == answers


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"decoder": "repeat"}, "decoder='repeat'"),
        ({"input_feeding": True}, "input_feeding"),
        ({"attention_dropout": 0.1}, "attention_dropout"),
        (
            {"source_vocabulary_size": None, "source_features": 2},
            "real-valued sources",
        ),
        (
            {"target_vocabulary_size": None, "target_features": 2, "decoder": "repeat"},
            "decoder='repeat' and real-valued targets",
        ),
    ],
    ids=["repeat", "input_feeding", "dropout", "source", "target"],
)
def test_what_has_no_places_of_ids_is_refused(arguments, named):
    sizes = {"source_vocabulary_size": 12, "target_vocabulary_size": 9, **arguments}
    with pytest.raises(ValueError, match=f"leave out {named}, or choose another"):
        build_attention_seq2seq(attention="monotonic", **sizes)


def test_an_estimator_refuses_what_does_not_fit():
    estimator = small_estimator(attention_kind="monotonic", input_feeding=True)
    with pytest.raises(ValueError, match="leave out input_feeding"):
        estimator.fit(X, Y)
