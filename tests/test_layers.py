"""The recurrent layers beside Keras's own, their plain twins."""

import keras
import numpy as np
import pytest
from keras import ops

from kseq2seq import build_seq2seq
from kseq2seq.layers import GRU, LSTM, Embedding, OneHot, WordDropout, recurrent
from kseq2seq.vocabulary import UNK

UNITS, WIDTH, LENGTH, ROWS = 6, 5, 4, 3
TWINS = pytest.mark.parametrize(
    ("layer", "twin", "num_states"),
    [(LSTM, keras.layers.LSTM, 2), (GRU, keras.layers.GRU, 1)],
)
MASK = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def set_weights(model):
    """Give every weight a value of its own, the same for models of one shape."""
    for i, weight in enumerate(model.weights):
        if str(weight.dtype) == "float32":
            weight.assign(values(*weight.shape, seed=i))


def make_model(layer, num_states, *, masked=False, with_states=True):
    """Build a model in which gradients reach all that goes into the layer."""
    sequences = keras.Input((LENGTH, WIDTH))
    projected = keras.layers.Dense(WIDTH)(sequences)
    states = [keras.layers.Dense(UNITS)(sequences[:, i]) for i in range(num_states)]
    mask = keras.Input((LENGTH,), dtype="bool")
    outputs = layer(
        projected,
        initial_state=states if with_states else None,
        mask=mask if masked else None,
    )
    model = keras.Model([sequences, mask][: 1 + masked], list(outputs))
    set_weights(model)
    return model


def weigh(y_true, y_pred):
    """Return a loss that weighs each output by a value of its own."""
    return ops.sum(y_true * y_pred)


def learned(model):
    """Return what a model gives, and its weights after a step along the gradient."""
    inputs = [values(ROWS, LENGTH, WIDTH, seed=8), MASK][: len(model.inputs)]
    outputs = [np.asarray(output) for output in model(inputs)]
    targets = [values(*output.shape, seed=9) for output in outputs]
    model.compile(keras.optimizers.SGD(0.1), loss=[weigh] * len(outputs))
    model.train_on_batch(inputs, targets)
    return outputs + model.get_weights()


def assert_same(one, other):
    for mine, kerass in zip(learned(one), learned(other), strict=True):
        np.testing.assert_allclose(mine, kerass, rtol=1e-4, atol=1e-5)


@TWINS
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_values_and_gradients_are_those_of_kerass(
    layer, twin, num_states, masked, go_backwards
):
    options = {"return_sequences": True, "return_state": True}
    wiring = {"masked": masked, "with_states": not go_backwards}
    ours, kerass = (
        make_model(
            one(UNITS, go_backwards=go_backwards, **options), num_states, **wiring
        )
        for one in (layer, twin)
    )
    assert_same(ours, kerass)


@TWINS
@pytest.mark.parametrize(
    "options",
    [{"recurrent_dropout": 0.5}, {"activation": "relu"}, {"use_bias": False}],
)
def test_other_cells_are_left_to_keras(layer, twin, num_states, options):
    options = {"return_state": True, "seed": 3, **options}
    assert_same(
        make_model(layer(UNITS, **options), num_states),
        make_model(twin(UNITS, **options), num_states),
    )


@pytest.mark.backends("jax")
def test_lstms_do_without_cudnn_on_jax_where_keras_turns_its_outputs_around():
    both = keras.layers.Bidirectional(LSTM(3))
    layers = LSTM(3), both.forward_layer, both.backward_layer
    assert [layer.use_cudnn for layer in layers] == [False, False, False]


def test_a_gru_that_resets_before_its_product_is_left_to_keras():
    options = {"return_state": True, "reset_after": False}
    assert_same(
        make_model(GRU(UNITS, **options), 1),
        make_model(keras.layers.GRU(UNITS, **options), 1),
    )


@TWINS
def test_a_single_step_is_a_step_of_kerass(layer, twin, num_states):
    results = []
    for one in (layer(UNITS, return_state=True), twin(UNITS, return_state=True)):
        sequences = values(ROWS, 1, WIDTH)
        states = [values(ROWS, UNITS, seed=i) for i in range(num_states)]
        one.build(sequences.shape)
        set_weights(one)
        results.append(one(sequences, initial_state=list(map(ops.array, states))))
    for ours, kerass in zip(*results, strict=True):
        np.testing.assert_allclose(ours, kerass, rtol=1e-5, atol=1e-6)


@pytest.fixture
def projected(monkeypatch):
    """Return a list that gets the shape of whatever our layers multiply by a kernel."""
    shapes = []
    matmul = ops.matmul

    def noting(inputs, kernel):
        shapes.append(tuple(inputs.shape))
        return matmul(inputs, kernel)

    monkeypatch.setattr(recurrent.ops, "matmul", noting)
    monkeypatch.setattr(recurrent._tensorflow, "is_alone_on_cpu", lambda: True)
    return shapes


@TWINS
@pytest.mark.parametrize(
    ("vocabulary_size", "multiplied"),
    [(7, (7, WIDTH)), (12, (12, WIDTH)), (13, (ROWS, LENGTH, WIDTH))],
)
def test_a_table_of_no_more_rows_than_tokens_is_projected_in_place_of_embeddings(
    layer, twin, num_states, vocabulary_size, multiplied, projected
):
    """The batch has 12 tokens; what is learned is the same either way."""
    ids = np.random.default_rng(5).integers(0, vocabulary_size, (ROWS, LENGTH))
    results = []
    for embedding, one in ((Embedding, layer), (keras.layers.Embedding, twin)):
        source = keras.Input(batch_shape=ids.shape, dtype="int32")
        outputs = one(UNITS)(embedding(vocabulary_size, WIDTH)(source))
        model = keras.Model(source, outputs)
        set_weights(model)
        model.compile(keras.optimizers.SGD(0.1), loss=weigh)
        model.train_on_batch(ids, values(ROWS, UNITS))
        results.append(model.get_weights())
    assert set(projected) == {multiplied}
    for ours, kerass in zip(*results, strict=True):
        np.testing.assert_allclose(ours, kerass, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "options"), [("Adam", {}), ("SGD", {"global_clipnorm": 0.1})]
)
def test_optimizers_get_the_sum_of_the_gradients_of_equal_ids(optimizer, options):
    """A lookup learns what the product of one-hot vectors and the table learns."""
    as_product = [OneHot(4), keras.layers.Dense(WIDTH, use_bias=False)]
    tables = []
    for layers in ([Embedding(4, WIDTH)], as_product):
        model = keras.Sequential([keras.Input((3,), dtype="int32"), *layers])
        set_weights(model)
        kind = getattr(keras.optimizers, optimizer)
        model.compile(kind(0.1, **options), loss="mse")
        for ids in ([[1, 1, 2]], [[2, 2, 3]]):
            model.train_on_batch(np.array(ids), np.ones((1, 3, WIDTH)))
        tables.append(model.get_weights()[0])
    np.testing.assert_allclose(*tables, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(
    ("options", "training", "drops_embeddings"),
    [
        ({}, True, False),
        ({"bidirectional": True}, True, False),
        ({"word_dropout": 0.5}, True, False),
        ({"dropout": 0.5}, False, False),
        ({"dropout": 0.5}, True, True),
    ],
)
def test_built_models_project_tables_unless_training_drops_embeddings(
    cell, options, training, drops_embeddings, projected
):
    models = build_seq2seq(7, 8, UNITS, cell=cell, embedding_dim=WIDTH, **options)
    ids = np.random.default_rng(5).integers(4, 7, (ROWS, LENGTH))
    projected.clear()
    models.training([ids, ids], training=training)
    tables, embeddings = {(7, WIDTH), (8, WIDTH)}, {(ROWS, LENGTH, WIDTH)}
    assert set(projected) == (embeddings if drops_embeddings else tables)


def test_dropped_words_are_unk_in_training_and_special_ids_stay():
    ids = np.tile(np.array([[2, 3, 0, 1, 4, 5, 6, 7]], dtype="int32"), (500, 1))
    layer = WordDropout(0.25, seed=0)
    np.testing.assert_array_equal(layer(ids), ids)
    dropped = np.asarray(layer(ids, training=True))
    np.testing.assert_array_equal(dropped[:, :4], ids[:, :4])
    changed = dropped[:, 4:] != ids[:, 4:]
    assert (dropped[:, 4:][changed] == UNK).all()
    assert abs(changed.mean() - 0.25) < 0.05
    again = np.asarray(layer(ids, training=True))
    assert (again != dropped).any()
