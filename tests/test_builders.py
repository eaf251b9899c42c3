import itertools

import keras
import numpy as np
import pytest
from strategies import COPY_TABLE, label, make_models, random_ids, scatter_weights

from kseq2seq import (
    build_attention_seq2seq,
    build_generator,
    build_seq2seq,
    build_sequence_classifier,
)
from kseq2seq.batching import shift, shift_values
from kseq2seq.builders import build_ensemble
from kseq2seq.builders.architecture import Architecture, EncoderArchitecture
from kseq2seq.builders.weight_shapes import classifier_shapes, seq2seq_shapes

SOURCE_LENGTHS, TARGET_LENGTHS = [5, 1, 3], [4, 2, 6]
TWO_SOURCES = np.array([[4, 5, 6, 3], [7, 3, 0, 0]])


def example(source_features=None, target_features=None, **_):
    """Return a source and decoder inputs, ids or real values as the settings say."""
    rng = np.random.default_rng(7)
    source = random_ids(rng, SOURCE_LENGTHS, 12)
    decoder_inputs = shift(random_ids(rng, TARGET_LENGTHS, 9))
    if source_features:
        source = rng.normal(size=(3, 5, source_features)).astype("float32")
    if target_features:
        values = rng.normal(size=(3, 6, target_features)).astype("float32")
        decoder_inputs = shift_values(values)
    return source, decoder_inputs


def as_arrays(outputs):
    outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
    return [np.asarray(output) for output in outputs]


def step_through(models, source, decoder_inputs):
    """Return logits ``(batch, target_len, vocabulary)`` from single steps."""
    memory = as_arrays(models.encoder(source))
    states, constants = memory[: models.num_states], memory[models.num_states :]
    logits = []
    for t in range(decoder_inputs.shape[1]):
        inputs = [decoder_inputs[:, t : t + 1], *states, *constants]
        step, *outputs = as_arrays(models.decoder(list(map(keras.ops.array, inputs))))
        logits.append(step)
        states = outputs[: models.num_states]
    return np.concatenate(logits, axis=1)


GRID = [
    {"cell": c, "num_layers": n, "bidirectional": b, "attention": a}
    for c, n, b, a in itertools.product(
        ("rnn", "gru", "lstm"), (1, 2), (False, True), (False, True)
    )
]
OTHERS = [
    {"dropout": 0.5, "recurrent_dropout": 0.5},
    {"encoder_units": 4, "bidirectional": True, "num_layers": 2},
    {"encoder_units": 4, "attention": False, "cell": "gru"},
    {"source_embedding": "one_hot", "target_embedding": "one_hot"},
    {"source_embedding": np.ones((12, 3)), "embedding_dim": 2},
    {"units": 5, "bidirectional": True, "num_layers": 4},
    {"attention_units": 3},
    {"num_layers": 3, "residual": True, "bidirectional": True, "dropout": 0.5},
    {"num_layers": 2, "residual": True, "layer_normalization": True, "cell": "gru"},
    {"layer_normalization": True, "attention": False, "num_layers": 2},
    {"word_dropout": 0.5, "bridge": True, "attention": False},
    {"word_dropout": 0.5, "bridge": True, "attention_dropout": 0.5, "num_layers": 2},
    {"input_feeding": True, "dropout": 0.5},
    {
        "input_feeding": True,
        "attention": "additive",
        "attention_units": 5,
        "num_layers": 2,
        "layer_normalization": True,
    },
    {"tied_embeddings": True, "embedding_dim": 6},
    {"tied_embeddings": True, "attention_units": 4, "embedding_dim": 4},
    {"tied_embeddings": True, "target_embedding": np.ones((9, 6)), "attention": False},
    *(
        {"attention": kind, "bidirectional": True, "encoder_units": units}
        for kind in ("scaled_dot", "general", "additive")
        for units in (None, 6)
    ),
    {"copy": COPY_TABLE, "dropout": 0.5, "word_dropout": 0.5},
    {"copy": COPY_TABLE, "attention": "general", "encoder_units": 4, "cell": "gru"},
    {"copy": COPY_TABLE, "attention": "additive", "bidirectional": True},
    {"copy": COPY_TABLE, "input_feeding": True, "num_layers": 2, "dropout": 0.5},
    {
        "copy": COPY_TABLE,
        "input_feeding": True,
        "attention": "additive",
        "tied_embeddings": True,
        "embedding_dim": 6,
    },
    {"attention": "monotonic", "dropout": 0.5, "word_dropout": 0.5},
    {"attention": "monotonic", "encoder_units": 4, "cell": "gru", "num_layers": 2},
    {
        "attention": "monotonic",
        "attention_units": 5,
        "tied_embeddings": True,
        "embedding_dim": 5,
        "bidirectional": True,
    },
    {"attention": "monotonic", "copy": COPY_TABLE, "attention_units": 5},
]


REPEATED = [
    {"decoder": "repeat", "cell": "rnn", "num_layers": 2, "bidirectional": True},
    {"decoder": "repeat", "cell": "rnn", "attention": False},
    {"decoder": "repeat", "cell": "gru"},
    {"decoder": "repeat", "cell": "gru", "num_layers": 2, "attention": False},
    {"decoder": "repeat", "num_layers": 2, "encoder_units": 4, "dropout": 0.5},
    {"decoder": "repeat", "bidirectional": True, "attention": False},
]
REAL = [
    {**sides, **sizes, "attention": a}
    for (sides, sizes), a in itertools.product(
        (
            ({"source_features": 2}, {"cell": "gru", "bidirectional": True}),
            ({"target_features": 3}, {"cell": "rnn", "num_layers": 2}),
            (
                {"source_features": 2, "target_features": 3},
                {"num_layers": 2, "bidirectional": True},
            ),
            ({"source_features": 1, "target_features": 1}, {"dropout": 0.5}),
            (
                {"source_features": 2, "target_features": 1},
                {"decoder": "repeat", "cell": "gru", "num_layers": 2},
            ),
        ),
        (False, True),
    )
]


@pytest.mark.parametrize("settings", GRID + OTHERS + REPEATED + REAL, ids=label)
def test_stepping_the_decoder_gives_the_training_outputs(settings):
    models = make_models(**settings)
    inputs = example(**settings)
    outputs = as_arrays(models.training(list(inputs)))[0]
    stepped = step_through(models, *inputs)
    np.testing.assert_allclose(stepped, outputs, rtol=1e-5, atol=1e-5)
    assert np.ptp(outputs, axis=(0, 1)).min() > 1e-2  # nothing is constant


@pytest.mark.parametrize("target_features", [None, 3])
def test_stepping_an_ensembles_decoder_gives_its_training_outputs(target_features):
    target = {} if target_features is None else {"target_features": target_features}
    models = build_ensemble(
        [
            make_models(**target, attention="additive", num_layers=2, seed=1),
            make_models(**target, attention=False, decoder="repeat", seed=2),
            make_models(**target, cell="gru", units=4, seed=3),
        ]
    )
    inputs = example(**target)
    outputs = as_arrays(models.training(list(inputs)))[0]
    stepped = step_through(models, *inputs)
    np.testing.assert_allclose(stepped, outputs, rtol=1e-5, atol=1e-5)
    assert np.ptp(outputs, axis=(0, 1)).min() > 1e-2


LOOKING = [
    settings
    for settings in OTHERS
    if "copy" in settings or settings.get("attention") == "monotonic"
]


@pytest.mark.parametrize("settings", GRID[::3] + REPEATED + LOOKING, ids=label)
def test_padding_and_batch_mates_change_no_logits(settings):
    models = make_models(**settings)
    source_ids, decoder_input_ids = example()
    logits = as_arrays(models.training([source_ids, decoder_input_ids]))[0]
    for row, (s, t) in enumerate(zip(SOURCE_LENGTHS, TARGET_LENGTHS, strict=True)):
        alone = models.training(
            [source_ids[row : row + 1, :s], decoder_input_ids[row : row + 1, :t]]
        )
        np.testing.assert_allclose(as_arrays(alone)[0][0], logits[row, :t], atol=1e-5)
        wider = np.pad(source_ids[row : row + 1], ((0, 0), (0, 4)))
        padded = models.training([wider, decoder_input_ids[row : row + 1]])
        np.testing.assert_allclose(as_arrays(padded)[0][0], logits[row], atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [s for s in REPEATED + REAL if s.get("decoder") == "repeat"],
    ids=label,
)
def test_a_decoder_that_repeats_reads_nothing_but_how_many_steps_to_take(settings):
    models = make_models(**settings)
    source, decoder_inputs = example(**settings)
    outputs = as_arrays(models.training([source, decoder_inputs]))[0]
    others = (decoder_inputs + 1).astype(decoder_inputs.dtype)
    again = as_arrays(models.training([source, others]))[0]
    np.testing.assert_array_equal(again, outputs)
    shorter = as_arrays(models.training([source, others[:, :2]]))[0]
    np.testing.assert_allclose(shorter, outputs[:, :2], atol=1e-6)


def test_a_decoder_that_repeats_is_fed_the_encoders_last_state_by_hand():
    """h' = tanh(s W + h U + b), s the state that the encoder's last layer gave."""
    models = make_models(
        decoder="repeat", cell="rnn", num_layers=2, attention=False, units=4
    )
    source_ids, decoder_input_ids = example()
    *states, repeated = as_arrays(models.encoder(source_ids))
    np.testing.assert_array_equal(repeated, states[-1])
    weights = [
        as_arrays(models.decoder.get_layer(f"decoder_rnn_{i}").get_weights())
        for i in (1, 2)
    ]
    kernel, bias = as_arrays(models.decoder.get_layer("logits").get_weights())
    by_hand = []
    for _ in range(decoder_input_ids.shape[1]):
        inputs = repeated
        for i, (W, U, b) in enumerate(weights):
            inputs = states[i] = np.tanh(inputs @ W + states[i] @ U + b)
        by_hand.append(inputs @ kernel + bias)
    outputs = as_arrays(models.training([source_ids, decoder_input_ids]))[0]
    np.testing.assert_allclose(outputs, np.stack(by_hand, axis=1), atol=1e-5)


def score_by_hand(models, kind, queries, outputs):
    """Return scores ``(batch, target_len, source_len)`` from the papers' equations."""

    def weights(name):
        return as_arrays(models.training.get_layer(name).get_weights())

    if kind == "additive":
        (scale,), (key_kernel,) = weights("attention"), weights("attention_keys")
        kernel, bias = weights("attention_query")
        queries, keys = queries @ kernel + bias, outputs @ key_kernel
        return (np.tanh(queries[:, :, None] + keys[:, None]) @ scale)[..., 0]
    if kind == "general":
        queries = queries @ weights("attention_query")[0]
    scores = np.einsum("bqd,bkd->bqk", queries, outputs)
    return scores / 2 if kind == "scaled_dot" else scores  # the square root of 4 units


@pytest.mark.parametrize("kind", ["dot", "scaled_dot", "general", "additive"])
def test_attention_is_the_softmax_of_scores_over_the_source(kind):
    models = make_models(units=4, attention=kind)
    source_ids, decoder_input_ids = example()
    memory = as_arrays(models.encoder(source_ids))
    states, outputs, mask = memory[:2], memory[-2], memory[-1]
    ids = decoder_input_ids[:, :1]
    inputs = list(map(keras.ops.array, [ids, *memory]))
    logits, *_, weights = as_arrays(models.decoder(inputs))

    decoder_outputs = as_arrays(
        models.decoder.get_layer("decoder_lstm_1")(
            models.decoder.get_layer("target_embedding")(ids),
            initial_state=list(map(keras.ops.array, states)),
        )
    )[0]
    scores = score_by_hand(models, kind, decoder_outputs, outputs)
    exponentials = np.exp(scores) * (source_ids != 0)[:, None]
    expected = exponentials / exponentials.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(weights, expected, atol=1e-5)
    np.testing.assert_array_equal(mask, source_ids != 0)

    context = np.einsum("bqk,bkd->bqd", expected, outputs)
    vector = models.decoder.get_layer("attention_vector")
    joined = np.concatenate([context, decoder_outputs], axis=-1)
    tanh = np.tanh(joined @ as_arrays(vector.kernel)[0] + as_arrays(vector.bias)[0])
    last = models.decoder.get_layer("logits")
    by_hand = tanh @ as_arrays(last.kernel)[0] + as_arrays(last.bias)[0]
    np.testing.assert_allclose(logits, by_hand, atol=1e-5)


def test_tied_logits_are_products_with_the_target_embeddings():
    models = make_models(units=4, attention=False, tied_embeddings=True)
    source_ids, decoder_input_ids = example()
    inputs = [decoder_input_ids[:, :1], *as_arrays(models.encoder(source_ids))]
    step = models.decoder(list(map(keras.ops.array, inputs)))
    logits, state_h = as_arrays(step)[:2]
    (table,) = as_arrays(models.decoder.get_layer("target_embedding").get_weights())
    np.testing.assert_allclose(logits[:, 0], state_h @ table.T, atol=1e-5)
    assert "logits" not in [layer.name for layer in models.training.layers]


def test_residual_layers_add_their_inputs_and_are_normalized_over_the_width():
    models = make_models(
        units=4,
        num_layers=2,
        attention=False,
        residual=True,
        layer_normalization=True,
    )
    source_ids, decoder_input_ids = example()
    inputs = [decoder_input_ids[:, :1], *as_arrays(models.encoder(source_ids))]
    step = models.decoder(list(map(keras.ops.array, inputs)))
    logits, h_1, _, h_2, _ = as_arrays(step)

    def normalized(values, i):
        layer = models.decoder.get_layer(f"decoder_norm_{i}")
        scale, shift = as_arrays(layer.get_weights())
        values = values - values.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((values**2).mean(axis=-1, keepdims=True) + layer.epsilon)
        return values / deviation * scale + shift

    outputs = normalized(normalized(h_1, 1) + h_2, 2)
    kernel, bias = as_arrays(models.decoder.get_layer("logits").get_weights())
    np.testing.assert_allclose(logits[:, 0], outputs @ kernel + bias, atol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"embedding_dim": 3}, r"got 3 and 4. Set embedding_dim=4, or units=3"),
        ({"target_embedding": np.ones((9, 5))}, "got 5 and 4"),
        ({"target_embedding": "one_hot"}, "one-hot ids"),
        ({"decoder": "repeat"}, "decoder='repeat'"),
        ({"tied_embeddings": 1}, "tied_embeddings must be True or False"),
    ],
)
def test_embeddings_that_cannot_be_tied_are_refused(wrong, message):
    with pytest.raises((ValueError, TypeError), match=message):
        build_seq2seq(12, 9, 4, **{"tied_embeddings": True, **wrong})


def test_one_hot_is_an_embedding_with_the_identity():
    settings = {"attention": False, "bidirectional": True}
    one_hot = make_models(
        **settings, source_embedding="one_hot", target_embedding="one_hot"
    )
    matrix = make_models(
        **settings, source_embedding=np.eye(12), target_embedding=np.eye(9)
    )
    embeddings = {"source_embedding": np.eye(12), "target_embedding": np.eye(9)}
    for weight in matrix.training.weights:
        name = weight.path.split("/")[0]
        weight.assign(
            embeddings[name]
            if name in embeddings
            else next(w for w in one_hot.training.weights if w.path == weight.path)
        )
    np.testing.assert_allclose(
        as_arrays(one_hot.training(list(example())))[0],
        as_arrays(matrix.training(list(example())))[0],
        atol=1e-6,
    )


@pytest.mark.parametrize("freeze", [True, False])
def test_a_given_embedding_is_used_and_frozen_when_asked(freeze):
    matrix = np.arange(36.0).reshape(12, 3)
    models = build_seq2seq(
        12, 9, 4, source_embedding=matrix, freeze_embeddings=freeze, random_state=0
    )
    layer = models.training.get_layer("source_embedding")
    np.testing.assert_array_equal(as_arrays(layer.embeddings)[0], matrix)
    assert layer.trainable is not freeze


def test_the_three_models_share_their_layers():
    models = build_attention_seq2seq(12, 9, 4, random_state=0)
    own = {weight.path for weight in models.training.weights}
    parts = models.encoder.weights + models.decoder.weights
    assert {weight.path for weight in parts} == own
    assert len(parts) == len(own)
    assert all(any(w is v for v in models.training.weights) for w in parts)


def shapes_of(model):
    return {weight.path: tuple(weight.shape) for weight in model.weights}


@pytest.mark.parametrize("settings", GRID[::5] + OTHERS + REPEATED[::2], ids=label)
def test_the_shapes_of_weights_are_known_before_anything_is_built(settings):
    attention = settings.get("attention", True)
    architecture = Architecture(
        **{"source_vocabulary_size": 12, "target_vocabulary_size": 9, "units": 6}
        | settings
        | {"attention": "dot" if attention is True else attention or None}
    )
    models = make_models(**settings)
    assert seq2seq_shapes(architecture) == shapes_of(models.training)


def test_layers_have_the_names_of_the_field():
    models = build_attention_seq2seq(
        12, 9, 4, num_layers=2, cell="gru", bidirectional=True, random_state=0
    )
    names = {layer.name for layer in models.training.layers}
    assert names >= {
        "source_embedding",
        "encoder_gru_1",
        "encoder_gru_2",
        "target_embedding",
        "decoder_gru_2",
        "attention",
        "attention_vector",
        "logits",
    }


def test_a_seed_gives_the_same_weights_and_every_layer_its_own():
    def weights(seed):
        models = build_seq2seq(
            12, 9, 6, bidirectional=True, num_layers=2, random_state=seed
        )
        return [as_arrays(weight)[0] for weight in models.training.weights]

    keras.utils.set_random_seed(1)
    first = weights(3)
    keras.utils.set_random_seed(2)
    for one, other in zip(first, weights(3), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((a != b).any() for a, b in zip(first, weights(4), strict=True))
    drawn = [w for w in first if w.ndim == 2]
    for one, other in itertools.combinations(drawn, 2):
        assert one.shape != other.shape or not np.allclose(one, other)


def test_a_user_sets_a_grus_update_gate_bias():
    def bias(shape, dtype=None):
        values = np.zeros(shape)
        values[:, : shape[1] // 3] = 1.0
        return keras.ops.array(values, dtype=dtype)

    models = build_seq2seq(12, 9, 4, cell="gru", bias_initializer=bias, random_state=0)
    weight = as_arrays(models.training.get_layer("decoder_gru_1").cell.bias)[0]
    assert weight[:, :4].min() == 1 and not weight[:, 4:].any()


@pytest.mark.parametrize(
    "settings",
    [
        {"bidirectional": True, "dropout": 0.2, "source_embedding": "one_hot"},
        {"decoder": "repeat", "dropout": 0.2, "num_layers": 2},
        {"decoder": "repeat", "target_features": 2, "attention": False},
        {"source_features": 2, "target_features": 3, "cell": "gru"},
        {"copy": COPY_TABLE, "attention": "general", "dropout": 0.2},
        {"copy": COPY_TABLE, "input_feeding": True},
        {"copy": COPY_TABLE, "attention": "monotonic", "dropout": 0.2},
    ],
    ids=label,
)
def test_models_saved_by_keras_load_without_custom_objects(settings, tmp_path):
    models = make_models(**settings)
    source, decoder_inputs = example(**settings)
    models.training.save(tmp_path / "training.keras")
    again = keras.models.load_model(tmp_path / "training.keras")
    np.testing.assert_allclose(
        as_arrays(again([source, decoder_inputs]))[0],
        as_arrays(models.training([source, decoder_inputs]))[0],
        atol=1e-6,
    )
    generator = build_generator(models, 4)
    generator.save(tmp_path / "generator.keras")
    again = keras.models.load_model(tmp_path / "generator.keras")
    answers = generator.predict(source, verbose=0)
    for name, given in again.predict(source, verbose=0).items():
        np.testing.assert_allclose(given, answers[name], atol=1e-6)


CLASSIFIERS = [
    {"cell": c, "num_layers": n, "bidirectional": b}
    for c, n, b in itertools.product(("rnn", "gru", "lstm"), (1, 2), (False, True))
]


def class_logits(model, source):
    return as_arrays(model([source]))[0]


def make_classifier(**settings):
    sizes = {} if "source_features" in settings else {"source_vocabulary_size": 12}
    model = build_sequence_classifier(
        **{**sizes, "num_classes": 5, "units": 6, "random_state": 0, **settings}
    )
    scatter_weights(model)
    return model


@pytest.mark.parametrize("settings", CLASSIFIERS, ids=label)
def test_padding_and_batch_mates_change_no_class_logits(settings):
    model, (source_ids, _) = make_classifier(**settings), example()
    logits = class_logits(model, source_ids)
    assert logits.shape == (3, 5) and np.ptp(logits, axis=0).min() > 1e-2
    for row, length in enumerate(SOURCE_LENGTHS):
        alone = source_ids[row : row + 1, :length]
        for width in (length, length + 4):
            padded = np.pad(alone, ((0, 0), (0, width - length)))
            again = class_logits(model, padded)[0]
            np.testing.assert_allclose(again, logits[row], atol=1e-5)


@pytest.mark.parametrize("features", [None, 2])
def test_class_logits_are_read_from_the_last_state_by_hand(features):
    """h' = tanh(x W + h U + b) up to the end, then h K + c."""
    settings = {"source_features": features} if features else {}
    model = make_classifier(cell="rnn", dropout=0.5, **settings)
    source, _ = example(**settings)
    lengths, x = SOURCE_LENGTHS, source
    if features:
        lengths = [5] * 3
    else:
        x = as_arrays(model.get_layer("source_embedding").embeddings)[0][source]
    W, U, b = as_arrays(model.get_layer("encoder_rnn_1").get_weights())
    K, c = as_arrays(model.get_layer("logits").get_weights())
    logits = class_logits(model, source)
    for row, length in enumerate(lengths):
        h = np.zeros(6)
        for t in range(length):
            h = np.tanh(x[row, t] @ W + h @ U + b)
        np.testing.assert_allclose(logits[row], h @ K + c, atol=1e-5)


@pytest.mark.parametrize(
    "settings", [{"dropout": 0.2}, {"source_features": 2}], ids=label
)
def test_a_classifier_saved_by_keras_loads_without_custom_objects(settings, tmp_path):
    model = make_classifier(bidirectional=True, num_layers=2, **settings)
    model.save(tmp_path / "classifier.keras")
    again = keras.models.load_model(tmp_path / "classifier.keras")
    source, _ = example(**settings)
    np.testing.assert_allclose(
        class_logits(again, source), class_logits(model, source), atol=1e-6
    )


@pytest.mark.parametrize(
    "settings", [*CLASSIFIERS[::3], {"source_embedding": "one_hot"}], ids=label
)
def test_the_shapes_of_a_classifiers_weights_are_known_before(settings):
    architecture = EncoderArchitecture(source_vocabulary_size=12, units=6, **settings)
    assert classifier_shapes(architecture, 5) == shapes_of(make_classifier(**settings))


def test_an_odd_width_of_two_directions_is_rounded_up():
    model = make_classifier(units=5, bidirectional=True)
    assert model.get_layer("logits").kernel.shape == (6, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 1}, "num_classes must be .* at least 2; got 1"),
        ({"num_classes": 2.0}, "num_classes must be a whole number"),
        (
            {"source_vocabulary_size": None},
            "either source_vocabulary_size, for ids, or",
        ),
        ({"source_features": 2}, "source_features, for real values; got 12 and 2"),
        ({"cell": "lsmt"}, "Did you mean 'lstm'"),
        ({"units": 0}, "units must be a whole number of at least 1; got 0"),
        ({"dropout": 1}, "dropout must be at least 0 and below 1"),
        ({"num_layers": 5}, "num_layers must be a whole number from 1 to 4"),
        ({"source_embedding": np.ones((3, 2))}, r"shape \(12, width\).*\(3, 2\)"),
    ],
    ids=label,
)
def test_bad_arguments_of_a_classifier_are_refused(arguments, message):
    sizes = {"source_vocabulary_size": 12, "num_classes": 5, **arguments}
    with pytest.raises((ValueError, TypeError), match=message):
        build_sequence_classifier(**sizes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "lsmt"}, r"cell must be .*got 'lsmt'. Did you mean 'lstm'"),
        ({"cell": None}, "cell must be 'rnn', 'gru' or 'lstm'; got None"),
        ({"units": 0}, "units must be a whole number of at least 1; got 0"),
        ({"units": -3}, "units must be"),
        ({"units": 2.5}, r"units must be a whole number .* got 2.5 \(float\)"),
        ({"units": True}, "units must be"),
        ({"num_layers": 5}, "num_layers must be a whole number from 1 to 4; got 5"),
        ({"source_vocabulary_size": 3}, "source_vocabulary_size must be .* at least 4"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
        ({"dropout": float("nan")}, "dropout must be"),
        ({"recurrent_dropout": -0.1}, "recurrent_dropout must be"),
        ({"bidirectional": 1}, "bidirectional must be True or False; got 1"),
        (
            {"bidirectional": True, "encoder_units": 5},
            "encoder_units must be even when bidirectional",
        ),
        ({"source_embedding": "onehot"}, "Did you mean 'one_hot'"),
        ({"source_embedding": np.ones((11, 3))}, r"shape \(12, width\).*\(11, 3\)"),
        ({"target_embedding": np.ones(9)}, r"got shape \(9,\)"),
        (
            {"source_embedding": np.where(np.eye(12) > 0, np.nan, 1)},
            "source_embedding must be finite; row 0 holds NaN",
        ),
        ({"source_embedding": [[1.0]]}, "source_embedding must be .* got list"),
        ({"embedding_dim": 0}, "embedding_dim must be"),
        ({"random_state": "a"}, "random_state must be a whole number"),
        ({"kernel_initializer": "glorot"}, "kernel_initializer must be"),
        (
            {"decoder": "repet"},
            "decoder must be 'autoregressive' or 'repeat'; got 'repet'. Did you mean "
            "'repeat'",
        ),
        (
            {"source_vocabulary_size": None},
            "expected either source_vocabulary_size, for ids, or source_features, for "
            "real values; got None and None",
        ),
        ({"source_features": 2}, "either source_vocabulary_size.* got 12 and 2"),
        ({"target_vocabulary_size": None}, "either target_vocabulary_size.* None and"),
        ({"target_features": 3}, "either target_vocabulary_size.* got 9 and 3"),
        (
            {"source_vocabulary_size": None, "source_features": 0},
            "source_features must be a whole number of at least 1; got 0",
        ),
        (
            {"target_vocabulary_size": None, "target_features": 1.5},
            r"target_features must be a whole number .* got 1.5 \(float\)",
        ),
    ],
    ids=label,
)
def test_bad_arguments_are_refused_with_the_range(arguments, message):
    sizes = {"source_vocabulary_size": 12, "target_vocabulary_size": 9, **arguments}
    with pytest.raises((ValueError, TypeError), match=message):
        build_seq2seq(**sizes)


def test_an_unknown_attention_is_refused():
    with pytest.raises(
        ValueError, match=r"attention must be 'dot', .*; got 'dott'. Did"
    ):
        build_attention_seq2seq(12, 9, attention="dott")


def test_a_full_right_padded_batch_qualifies_for_cudnn():
    """No row is fully masked, activations are the defaults, and nothing is unrolled."""
    models = build_attention_seq2seq(12, 9, 4, bidirectional=True, random_state=0)
    layers = [
        models.training.get_layer("decoder_lstm_1"),
        models.training.get_layer("encoder_lstm_1").forward_layer,
        models.training.get_layer("encoder_lstm_1").backward_layer,
    ]
    for layer in layers:
        assert layer.activation is keras.activations.tanh
        assert layer.recurrent_activation is keras.activations.sigmoid
        assert layer.use_bias and not layer.unroll and not layer.recurrent_dropout
        assert layer.use_cudnn == "auto"


def test_a_bridge_stands_before_every_state_of_the_decoder():
    models = build_seq2seq(12, 9, units=4, num_layers=2, bridge=True)
    bridges = [x.name for x in models.encoder.layers if x.name.startswith("bridge")]
    assert sorted(bridges) == ["bridge_c_1", "bridge_c_2", "bridge_h_1", "bridge_h_2"]
    assert all(np.abs(np.asarray(s)).max() <= 1 for s in models.encoder(TWO_SOURCES))


def test_each_step_is_fed_what_the_step_before_looked_at():
    models = build_attention_seq2seq(12, 9, units=4, input_feeding=True, cell="gru")
    scatter_weights(models.training)
    assert models.num_states == 2
    h, fed, *constants = models.encoder(TWO_SOURCES)
    assert not np.asarray(fed).any()
    ids = np.array([[4], [5]])
    _, *first = models.decoder([keras.ops.array(ids), h, fed, *constants])
    concatenated = models.decoder.get_layer("input_and_attention")
    assert concatenated.output.shape == (None, 1, 4 + 4)
    other = models.decoder([keras.ops.array(ids), h, 1 + fed, *constants])[0]
    plain = models.decoder([keras.ops.array(ids), h, fed, *constants])[0]
    assert np.abs(np.asarray(other) - np.asarray(plain)).max() > 1e-3
    vector = keras.Model(
        models.decoder.inputs, models.decoder.get_layer("attention_vector").output
    )([keras.ops.array(ids), h, fed, *constants])
    np.testing.assert_allclose(np.asarray(first[1]), np.asarray(vector)[:, 0])


@pytest.mark.slow
def test_input_feeding_learns_and_answers():
    models = build_attention_seq2seq(
        8, 8, units=16, input_feeding=True, cell="gru", dropout=0.1, random_state=0
    )
    rng = np.random.default_rng(0)
    source_ids = np.array([[*rng.integers(4, 8, 3), 3] for _ in range(64)])
    models.training.compile(
        keras.optimizers.Adam(0.02),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    models.training.fit(
        [source_ids, shift(source_ids)], source_ids, epochs=40, verbose=0
    )
    answers = build_generator(models, 4, beam_size=2).predict(source_ids, verbose=0)
    assert (answers["ids"] == source_ids).all(axis=1).mean() > 0.9


def test_an_ensemble_of_ensembles_is_refused():
    member = build_seq2seq(12, 9, units=4)
    inner = build_ensemble([member, build_seq2seq(12, 9, units=3)])
    with pytest.raises(ValueError, match=r"models\[1\] is an ensemble itself"):
        build_ensemble([member, inner])


def test_dropped_attention_leaves_weights_and_answers_as_they_are():
    plain, dropping = (
        build_attention_seq2seq(12, 9, units=4, attention_dropout=rate, random_state=0)
        for rate in (0.0, 0.5)
    )
    dropping.training.set_weights(plain.training.get_weights())
    inputs = [TWO_SOURCES, np.array([[2, 4, 5], [2, 6, 7]])]
    told = np.asarray(plain.training(inputs))
    np.testing.assert_allclose(dropping.training(inputs), told, rtol=1e-6)
    trained = np.asarray(dropping.training(inputs, training=True))
    assert np.abs(trained - told).max() > 1e-4


@pytest.mark.parametrize(
    ("name", "kind"), [("luong", "general"), ("bahdanau", "additive")]
)
def test_an_attention_may_be_named_by_its_first_author(name, kind):
    by_name, by_kind = (
        build_attention_seq2seq(12, 9, units=4, attention=attention, random_state=0)
        for attention in (name, kind)
    )
    for one, other in zip(
        by_name.training.weights, by_kind.training.weights, strict=True
    ):
        assert one.path == other.path
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
