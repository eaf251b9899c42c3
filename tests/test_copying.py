"""Copying tokens of the source: the pointer-generator, its laws and its estimator."""

import pickle

import keras
import numpy as np
import pytest
from strategies import COPY_TABLE, label, make_models, small_estimator
from test_builders import as_arrays, example, step_through

from kseq2seq import (
    Seq2SeqEstimator,
    build_attention_seq2seq,
    build_generator,
    build_seq2seq,
    load,
)
from kseq2seq.batching import shift
from kseq2seq.builders import ATTENTIONS, build_ensemble
from kseq2seq.estimators.copying import copy_table
from kseq2seq.layers import CopyIds, PointerGenerator
from kseq2seq.training import MaskedCrossentropy, with_teacher_forcing

BESIDE = [[4, 5, 9, 3], [11, 9, 3, 0], [10, 4, 4, 3]]
"""Sources of which the second holds nothing that can be copied."""


def mixed(logits, weights, switch, copy_ids):
    """Return what the layer makes of arrays."""
    shapes = np.shape(logits), np.shape(weights), np.shape(switch)
    given = [np.asarray(one, "float32") for one in (logits, weights, switch)]
    layer = PointerGenerator()
    inputs = [keras.Input(shape[1:]) for shape in shapes]
    ids = keras.Input((shapes[1][-1],), dtype="int32")
    model = keras.Model([*inputs, ids], layer(*inputs, ids))
    return np.asarray(model([*given, np.asarray(copy_ids, "int32")]))


def test_a_step_mixes_vocabulary_and_source_by_hand():
    logits = np.log([[[0.1, 0.1, 0.2, 0.2, 0.3, 0.1]]])
    weights = [[[0.1, 0.3, 0.2, 0.4]]]
    switch = [[[np.log(3.0)]]]  # p_gen is 3/4
    found = np.exp(mixed(logits, weights, switch, [[4, 5, 4, 0]]))[0, 0]
    expected = 0.75 * np.array([0.1, 0.1, 0.2, 0.2, 0.3, 0.1])
    expected[4] += 0.25 * 0.5  # of 0.6 that can be copied, 0.1 and 0.2
    expected[5] += 0.25 * 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_where_nothing_can_be_copied_the_vocabulary_has_all():
    logits = np.random.default_rng(0).normal(size=(2, 3, 6))
    weights = np.full((2, 3, 4), [0.0, 0.0, 0.5, 0.5])
    for switch in (-5.0, 5.0):
        for copy_ids in ([[0, 0, 0, 0]] * 2, [[4, 5, 0, 0]] * 2):
            switches = np.full((2, 3, 1), switch)
            found = mixed(logits, weights, switches, copy_ids)
            expected = np.asarray(keras.ops.log_softmax(logits))
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("switch", [-1000.0, -90.0, 0.0, 90.0, 1000.0])
@pytest.mark.parametrize("score", [0.0, 30.0, 100.0, 1000.0])
def test_extreme_values_give_numbers_that_sum_to_one(switch, score):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1, 2, 7)) * score
    scores = rng.normal(size=(1, 2, 5)) * score
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    found = mixed(logits, weights, np.full((1, 2, 1), switch), [[4, 4, 5, 0, 6]])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.exp(found).sum(axis=-1), 1, rtol=1e-5)


class Mixing(keras.layers.Layer):
    """Logits, scores and switch of one row as weights, to learn them."""

    def __init__(self, logits, scores, switch):
        super().__init__()
        self.mix, self.given = PointerGenerator(), []
        for values in (logits, scores, switch):
            weight = self.add_weight(shape=np.shape(values))
            weight.assign(values)
            self.given.append(weight)

    def call(self, copy_ids):
        logits, scores, switch = self.given
        weights = keras.ops.softmax(scores)
        return self.mix(logits, weights, switch, copy_ids)


@pytest.mark.parametrize("switch", [-1000.0, 0.0, 1000.0])
@pytest.mark.parametrize("attended", [0, 1, 3])
@pytest.mark.parametrize("copies", [[4, 4, 5, 0], [0, 0, 0, 0]])
def test_extreme_values_have_finite_gradients(switch, attended, copies):
    scores = np.full((1, 4, 4), -1000.0)
    scores[..., attended] = 0  # 3 is what cannot be copied
    logits = np.random.default_rng(0).normal(size=(1, 4, 7)) * 100
    copy_ids = keras.Input((4,), dtype="int32")
    mixing = Mixing(logits, scores, np.full((1, 4, 1), switch))
    model = keras.Model(copy_ids, mixing(copy_ids))
    model.compile(
        keras.optimizers.SGD(1.0), loss=MaskedCrossentropy(), run_eagerly=True
    )
    assert np.isfinite(
        model.train_on_batch(np.array([copies]), np.array([[3, 4, 5, 6]]))
    )
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_ids_of_the_source_become_those_that_copying_writes():
    ids = np.array([[2, 4, 11, 3, 0], [1, 9, 10, 5, 3]])
    found = as_arrays(CopyIds(COPY_TABLE)(ids))[0]
    np.testing.assert_array_equal(found, [[0, 4, 0, 0, 0], [0, 0, 4, 5, 0]])
    found = as_arrays(CopyIds()(ids))[0]
    np.testing.assert_array_equal(found, [[0, 4, 11, 0, 0], [0, 9, 10, 5, 0]])


@pytest.mark.parametrize(
    ("attention", "feeds"),
    [(kind, False) for kind in ATTENTIONS]
    + [(kind, True) for kind in ATTENTIONS if kind != "monotonic"],
)
def test_each_row_sums_to_one_and_stepping_gives_the_same(attention, feeds):
    models = make_models(attention=attention, copy=COPY_TABLE, input_feeding=feeds)
    source, decoder_inputs = np.array(BESIDE), example()[1]
    log_probs = as_arrays(models.training([source, decoder_inputs]))[0]
    assert log_probs.dtype == "float32"
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=-1), 1, rtol=1e-5)
    stepped = step_through(models, source, decoder_inputs)
    np.testing.assert_allclose(stepped, log_probs, atol=1e-5)


def test_the_decoders_log_probabilities_are_mixed_by_hand():
    models = make_models(copy=COPY_TABLE)
    memory = models.encoder(np.array(BESIDE))
    inputs = [keras.ops.array([[2], [2], [2]]), *memory]
    copy_ids = as_arrays(memory)[models.num_states]
    np.testing.assert_array_equal(copy_ids, COPY_TABLE[BESIDE])
    names = "logits", "attention", "attention_concatenate"
    parts = [models.decoder.get_layer(name).output for name in names]
    logits, (_, weights), seen = keras.Model(models.decoder.inputs, parts)(inputs)
    logits, weights, seen = as_arrays([logits, weights, seen])
    switch = models.decoder.get_layer("copy_switch")
    kernel, bias = as_arrays(switch.weights)
    p_gen = 1 / (1 + np.exp(-(seen @ kernel + bias)))
    p_gen[1] = 1
    copied = np.zeros_like(logits)
    for row, column in np.argwhere(copy_ids):
        share = weights[row, 0, column] / weights[row, 0][copy_ids[row] > 0].sum()
        copied[row, 0, copy_ids[row, column]] += share
    vocabulary = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = np.log(p_gen * vocabulary + (1 - p_gen) * copied)
    found, *_ = models.decoder(inputs)
    np.testing.assert_allclose(as_arrays(found)[0], expected, atol=1e-5)


@keras.saving.register_keras_serializable()
class Even(keras.layers.Layer):
    """The same weight for each token, in any precision."""

    def call(self, queries, encoder_outputs, source_mask):
        mask = keras.ops.cast(keras.ops.expand_dims(source_mask, 1), queries.dtype)
        weights = mask / keras.ops.sum(mask, axis=-1, keepdims=True)
        weights = weights + keras.ops.zeros_like(queries[..., :1])
        return keras.ops.matmul(weights, encoder_outputs), weights


@pytest.mark.parametrize("feeds", [False, True])
def test_an_attention_of_ones_own_is_copied_with(feeds):
    models = build_attention_seq2seq(
        12, 12, units=4, attention=Even, input_feeding=feeds, copy=True, random_state=0
    )
    switch = models.decoder.get_layer("copy_switch")
    switch.set_weights([np.zeros((8, 1)), np.array([-50.0])])  # copies always
    inputs = np.array([[4, 5, 5, 11, 3]]), np.array([[2, 7, 8]])
    probabilities = np.exp(as_arrays(models.training(list(inputs)))[0])
    expected = np.zeros(12)
    expected[[4, 5, 11]] = 0.25, 0.5, 0.25
    for step in range(3):
        np.testing.assert_allclose(probabilities[0, step], expected, atol=1e-5)


@pytest.mark.parametrize("feeds", [False, True])
def test_a_gradient_is_that_of_finite_differences(feeds):
    models = make_models(
        copy=COPY_TABLE, units=3, input_feeding=feeds, attention="general", scale=0.4
    )
    source, decoder_inputs = example()
    targets = np.roll(decoder_inputs, -1, axis=1)
    model = models.training
    rate = 1e-3
    model.compile(keras.optimizers.SGD(rate), loss=MaskedCrossentropy())
    weights = model.get_weights()
    model.train_on_batch([source, decoder_inputs], targets)
    gradients = [
        (old - new) / rate
        for old, new in zip(weights, model.get_weights(), strict=True)
    ]
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    rng = np.random.default_rng(0)
    directions = [rng.normal(size=w.shape).astype("float32") for w in weights]
    losses = []
    for step in (1e-2, -1e-2):
        moved = [w + step * d for w, d in zip(weights, directions, strict=True)]
        model.set_weights(moved)
        losses.append(model.test_on_batch([source, decoder_inputs], targets))
    slope = (losses[0] - losses[1]) / 2e-2
    along = sum(
        float((g * d).sum()) for g, d in zip(gradients, directions, strict=True)
    )
    assert slope == pytest.approx(along, rel=2e-2)


def test_an_ensemble_of_members_with_and_without_copying_answers():
    members = [
        make_models(copy=COPY_TABLE, seed=1, input_feeding=True),
        make_models(attention=False, seed=2),
        make_models(attention="additive", seed=3, copy=COPY_TABLE),
    ]
    source, decoder_inputs = example()
    models = build_ensemble(members)
    log_probs = as_arrays(models.training([source, decoder_inputs]))[0]
    probabilities = [
        np.asarray(keras.ops.softmax(member.training([source, decoder_inputs])))
        for member in members
    ]
    np.testing.assert_allclose(
        np.exp(log_probs), np.mean(probabilities, axis=0), atol=1e-5
    )
    stepped = step_through(models, source, decoder_inputs)
    np.testing.assert_allclose(stepped, log_probs, atol=1e-5)
    for options in ({"beam_size": 3, "coverage_penalty": 0.2}, {"temperature": 1.0}):
        answers = build_generator(members, 4, **options)(source)
        answers = {name: as_arrays(given)[0] for name, given in answers.items()}
        assert answers["ids"].shape == (3, 4) and np.isfinite(answers["scores"]).all()
        assert answers["attention_weights"].shape == (3, 4, 5)


@pytest.mark.parametrize("feeds", [False, True])
def test_a_beam_of_one_is_greedy_and_scores_are_the_trained_ones(feeds):
    models = make_models(copy=COPY_TABLE, input_feeding=feeds, seed=4)
    source = np.array(BESIDE)
    greedy = build_generator(models, 5).predict(source, verbose=0)
    one, three = (
        build_generator(models, 5, beam_size=size, n_best=1).predict(source, verbose=0)
        for size in (1, 3)
    )
    np.testing.assert_array_equal(one["ids"][:, 0], greedy["ids"])
    np.testing.assert_allclose(one["scores"][:, 0], greedy["scores"], atol=1e-5)
    assert (three["scores"][:, 0] >= greedy["scores"] - 1e-5).all()
    ids = three["ids"][:, 0]
    log_probs = as_arrays(models.training([source, shift(ids)]))[0]
    taken = np.take_along_axis(log_probs, ids[..., None], axis=-1)[..., 0]
    taken = np.where(ids > 0, taken, 0).sum(axis=1)
    np.testing.assert_allclose(three["scores"][:, 0], taken, atol=1e-4)


def test_scheduled_sampling_trains_what_copies():
    models = make_models(copy=COPY_TABLE, scale=0.2)
    model = with_teacher_forcing(models, 0.5, random_state=0)
    source, decoder_inputs = example()
    model.compile("adam", loss=MaskedCrossentropy(), run_eagerly=True)
    targets = np.roll(decoder_inputs, -1, axis=1)
    losses = [model.train_on_batch([source, decoder_inputs], targets) for _ in "ab"]
    assert np.isfinite(losses).all()
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"copy": 1}, "copy must be True, False or an integer array .* got int"),
        ({"copy": [0] * 12}, "copy must be .* got list"),
        ({"copy": np.zeros(12)}, "copy must be .* got an array of float64"),
        ({"copy": COPY_TABLE > 0}, "copy must be .* got an array of bool"),
        ({"copy": COPY_TABLE[None]}, r"copy must be .* got shape \(1, 12\)"),
        ({"copy": COPY_TABLE[:11]}, "entry for each of the 12 source ids; got 11"),
        ({"copy": COPY_TABLE + 9 * (COPY_TABLE == 8)}, r"below 9; copy\[8\] is 17"),
        ({"copy": np.r_[COPY_TABLE[:11], -4]}, r"from 4 on, or 0; copy\[11\] is -4"),
        ({"copy": np.r_[COPY_TABLE[:11], 3]}, r"from 4 on, or 0; copy\[11\] is 3"),
        ({"copy": np.r_[0, 0, 0, 4, COPY_TABLE[4:]]}, r"copy\[3\] must be 0: ids 0"),
        ({"copy": np.zeros(12, int)}, "so nothing can be copied"),
        (
            {"copy": np.ma.masked_array(COPY_TABLE, COPY_TABLE == 5)},
            r"copy\[5\] is masked",
        ),
        ({"copy": True}, "source_vocabulary_size is 12 and target_vocabulary_size 9"),
        ({"copy": COPY_TABLE, "decoder": "repeat"}, "leave it out .*decoder='repeat'"),
        (
            {
                "copy": True,
                "target_vocabulary_size": None,
                "target_features": 2,
            },
            "copy is for ids on both sides",
        ),
        (
            {
                "copy": True,
                "source_vocabulary_size": None,
                "source_features": 2,
            },
            "copy is for ids on both sides",
        ),
    ],
    ids=label,
)
def test_bad_arguments_are_refused(arguments, message):
    sizes = {"source_vocabulary_size": 12, "target_vocabulary_size": 9, "units": 4}
    with pytest.raises((ValueError, TypeError), match=message):
        build_attention_seq2seq(**{**sizes, **arguments})


def test_models_without_attention_cannot_copy():
    with pytest.raises(TypeError, match="copy"):
        build_seq2seq(12, 12, copy=True)


RNG = np.random.default_rng(0)
WORDS = [
    "".join(RNG.choice(list("abcdefghijklmnop"), size=RNG.integers(3, 7)))
    for _ in range(160)
]
QUOTED = [f"({word})".replace("p", "P") for word in WORDS]
"""Answers with tokens of their own, and without one that only sources have."""
COPIER = {
    "units": 24,
    "dropout": 0.0,
    "learning_rate": 0.01,
    "epochs": 12,
    "batch_size": 16,
    "validation_fraction": 0.0,
    "random_state": 0,
    "copy": True,
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tmp_path_factory.mktemp("copying") / "checkpoint.kseq2seq"


@pytest.fixture(scope="module")
def copier(checkpoint):
    """An estimator that has learned to copy; tests must not change it."""
    estimator = Seq2SeqEstimator(**COPIER)
    return estimator.fit(WORDS[:120], QUOTED[:120], checkpoint=checkpoint)


def test_copying_learns_from_few_pairs_what_is_not_learned_without(copier):
    plain = Seq2SeqEstimator(**{**COPIER, "copy": False})
    plain.fit(WORDS[:120], QUOTED[:120])
    unseen = WORDS[120:], QUOTED[120:]
    assert copier.score(*unseen) > 0.8 > 0.4 > plain.score(*unseen)


def test_the_table_is_of_the_tokens_that_both_sides_have(copier):
    source, target = copier.source_vocabulary_, copier.target_vocabulary_
    table = copy_table(copier._source, copier._target)
    assert len(table) == len(source) and not table[:4].any()
    for i, token in enumerate(source.tokens, 4):
        assert table[i] == (target.encode([token])[0] if token in target else 0)
    assert "p" in source and "p" not in target


def test_what_is_kept_answers_the_same(copier, checkpoint, tmp_path):
    words = [*WORDS[:4], "ppp", "zz", ""]  # unknown tokens, and nothing to copy
    answers = copier.predict_n_best(words, 1)
    path = copier.save(tmp_path / "m.kseq2seq")
    for again in (load(path), load(checkpoint), pickle.loads(pickle.dumps(copier))):
        assert again.get_params()["copy"] is True
        assert again.predict_n_best(words, 1) == answers
    with pytest.raises(ValueError, match="copy was True and is False"):
        again.set_params(copy=False, warm_start=True).fit(WORDS[:4], QUOTED[:4])


def test_new_tokens_find_their_places_in_the_table():
    estimator = small_estimator(copy=True, extend_vocabulary=True)
    estimator.partial_fit(["abc", "cab"], ["abc", "cab"])
    estimator.partial_fit(["dab", "xay"], ["yad", "bde"])
    found = copy_table(estimator._source, estimator._target)
    layer = estimator.models_.encoder.get_layer("copy_ids")
    np.testing.assert_array_equal(layer.table, found)
    source, target = estimator.source_vocabulary_, estimator.target_vocabulary_
    copied = {
        source.tokens[i - 4]: target.tokens[k - 4] for i, k in enumerate(found) if k
    }
    assert copied == {token: token for token in "abcdy"}


def test_features_are_never_copied_and_sources_may_be_read_backwards():
    X = [("abc", ["b", "PL"]), ("cab", ["c"])]
    settings = {"shared_vocabulary": True, "reverse_source": True, "beam_size": 2}
    estimator = small_estimator(copy=True, **settings).fit(X, ["abX", "caL"])
    table = copy_table(estimator._source, estimator._target)
    assert len(table) == estimator._source.num_ids > estimator._target.num_ids
    for name, i in estimator._source.feature_ids.items():
        assert table[i] == 0, name
    assert np.count_nonzero(table) == len("abcXL")
    assert len(estimator.predict(X)) == 2


@pytest.mark.parametrize(
    "settings, y",
    [({"target_tokenizer": "whitespace"}, ["a b tʃ"]), ({}, [["a", "b", "tʃ"]])],
    ids=["texts", "token lists"],
)
def test_letters_are_copied_among_sounds_however_these_are_separated(settings, y):
    estimator = small_estimator(copy=True, **settings).fit(["abc"], y)
    table = copy_table(estimator._source, estimator._target)
    target = estimator.target_vocabulary_
    copied = [target.tokens[i - 4] if i else None for i in table[4:]]
    of_source = dict(zip(estimator.source_vocabulary_.tokens, copied, strict=True))
    assert of_source == {"a": "a", "b": "b", "c": None}
    assert len(estimator.predict(["cab"])) == 1


@pytest.mark.parametrize(
    "settings, pairs, message",
    [
        ({"attention_kind": None}, (["ab"], ["ab"]), "attention_kind=None has none"),
        ({"decoder": "repeat"}, (["ab"], ["ab"]), "leave it out .*decoder='repeat'"),
        ({"copy": np.zeros(6, int)}, (["ab"], ["ab"]), "copy must be True or False"),
        ({}, (["ab"], ["xy"]), "none of the 2 tokens of X is one of y"),
        ({}, ([[1, 2]], ["12"]), "none of the 2 tokens of X is one of y"),
        ({"target_tokenizer": "word"}, (["ab"], ["ab"]), "none of the 2 tokens of X"),
    ],
    ids=label,
)
def test_what_cannot_be_copied_is_refused(settings, pairs, message, monkeypatch):
    estimator = small_estimator(**{"copy": True, **settings})
    monkeypatch.setattr(estimator, "_build", None)  # before a model is built
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(*pairs)
