"""Training models say what is wrong with arrays, losses and metrics."""

import warnings

import keras
import numpy as np
import pytest

from kseq2seq import (
    build_attention_seq2seq,
    build_generator,
    build_masked_autoencoder,
    build_seq2seq,
    build_sequence_classifier,
)
from kseq2seq.batching import shift, shift_values
from kseq2seq.training import Crossentropy, MaskedCrossentropy, TeacherForcedAccuracy

rng = np.random.default_rng(0)
PAST, FUTURE = rng.normal(size=(6, 5, 1)), rng.normal(size=(6, 3, 1))
SHIFTED = shift_values(FUTURE)
IDS = np.array([[4, 5, 3], [5, 3, 0]])


def broken(array, value, place=(2, 1, 0)):
    array = array.copy()
    array[place] = value
    return array


@pytest.fixture(scope="module")
def forecaster():
    models = build_seq2seq(source_features=1, target_features=1, units=2)
    models.training.compile("sgd", loss="mse")
    return models.training


@pytest.fixture(scope="module")
def id_models():
    models = build_seq2seq(8, 7, units=2, random_state=0)
    models.training.compile("sgd", loss=MaskedCrossentropy())
    return models


@pytest.mark.parametrize(
    ("past", "inputs", "future", "message"),
    [
        (
            PAST.repeat(2, -1),
            SHIFTED,
            FUTURE,
            r"source_values must be .* \(batch, sourc",
        ),
        (PAST.repeat(2, -1), SHIFTED, FUTURE, "models with source_features=2"),
        (PAST[..., None], SHIFTED, FUTURE, r"source_len, 1\), .* got \(6, 5, 1, 1\)"),
        (PAST[..., 0], SHIFTED, FUTURE, r"last axis: source_values\[..., None\]"),
        (
            PAST,
            SHIFTED[..., 0],
            FUTURE,
            r"_len, 1\), .*decoder_input_values\[..., None",
        ),
        (PAST, SHIFTED, FUTURE[..., 0], r"got \(6, 3\). .* last axis: y\[..., None\]"),
        (PAST[:, :0], SHIFTED, FUTURE, r"none of them 0; got \(6, 0, 1\)"),
        (PAST, SHIFTED.repeat(3, -1), FUTURE, "models with target_features=3"),
        (PAST, SHIFTED, FUTURE[:, :2], r"y must be of shape \(6, 3, 1\).*\(6, 2, 1\)"),
        (PAST, SHIFTED, FUTURE[:, :1], r"a target for each decoder input; got \(6, 1"),
        (PAST, SHIFTED, FUTURE[:4], r"y must be of shape \(6, 3, 1\)"),
        (PAST, SHIFTED, FUTURE.repeat(2, -1), r"y must be of shape \(6, 3, 1\)"),
        (PAST, SHIFTED, None, r"y is missing: pass fit\(x, y\)"),
        (
            broken(PAST, np.nan),
            SHIFTED,
            FUTURE,
            r"finite; source_values\[2, 1, 0\] is n",
        ),
        (PAST, broken(SHIFTED, np.inf), FUTURE, r"_values\[2, 1, 0\] is inf"),
        (
            PAST,
            SHIFTED,
            broken(FUTURE, -np.inf),
            r"y must be finite; y\[2, 1, 0\] is -i",
        ),
        (PAST.astype(str), SHIFTED, FUTURE, "source_values must hold numbers; got"),
        (PAST.astype(object), SHIFTED, FUTURE, "source_values must hold numbers; got"),
        (
            np.ma.masked_array(PAST, broken(np.zeros(PAST.shape), 1)),
            SHIFTED,
            FUTURE,
            r"source_values\[2, 1, 0\] is masked",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused_before_anything_is_traced(
    forecaster, past, inputs, future, message
):
    with pytest.raises((ValueError, TypeError), match=message):
        forecaster.fit([past, inputs], future, verbose=0)
    for measure in (forecaster.evaluate, forecaster.train_on_batch):
        with pytest.raises((ValueError, TypeError), match=message):
            measure([past, inputs], future)
    if future is not None:
        with pytest.raises((ValueError, TypeError), match=message):
            forecaster.fit(
                [PAST, SHIFTED], FUTURE, validation_data=([past, inputs], future)
            )


def test_arrays_that_fit_come_as_a_list_or_by_name_of_any_type(forecaster):
    named = {"source_values": PAST, "decoder_input_values": SHIFTED}
    pair = keras.ops.convert_to_tensor(PAST.astype("float32")), SHIFTED
    losses = [
        forecaster.evaluate(x, FUTURE, verbose=0)
        for x in ([PAST, SHIFTED], named, pair)
    ]
    assert losses == pytest.approx([losses[0]] * 3)


def test_a_loss_of_ones_own_may_compare_other_targets():
    models = build_seq2seq(source_features=1, target_features=2, units=2)

    def likelihood(y, outputs):
        mean, log_scale = outputs[..., :1], outputs[..., 1:]
        return keras.ops.mean(log_scale + ((y - mean) / keras.ops.exp(log_scale)) ** 2)

    models.training.compile("sgd", loss=likelihood)
    loss = models.training.evaluate([PAST, SHIFTED.repeat(2, -1)], FUTURE, verbose=0)
    assert np.isfinite(loss)


def test_targets_of_ids_are_as_many_as_decoder_inputs():
    training = build_seq2seq(8, 8, units=2).training
    training.compile("sgd", loss=MaskedCrossentropy())
    with pytest.raises(ValueError, match=r"y must be of shape \(2, 3\), a target for"):
        training.fit([IDS, shift(IDS)], IDS[:, :2], verbose=0)
    with pytest.raises(
        ValueError, match=r"source_ids must be of shape \(batch, source"
    ):
        training.fit([IDS[..., None], shift(IDS)], IDS, verbose=0)


def test_an_autoencoders_images_are_finite():
    training = build_masked_autoencoder(4, 4, latent_units=2).training
    training.compile("sgd", loss="mse")
    images, wrong = np.zeros((2, 4)), broken(np.zeros((2, 4)), np.nan, (1, 2))
    with pytest.raises(
        ValueError, match=r"images must be finite; images\[1, 2\] is nan"
    ):
        training.fit(wrong, images, verbose=0)
    with pytest.raises(ValueError, match=r"y must be finite; y\[1, 2\] is nan"):
        training.fit(images, wrong, verbose=0)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            [IDS.tolist(), shift(IDS)],
            IDS,
            r"source_ids must be an array of shape \(bat",
        ),
        ([IDS, shift(IDS).tolist()], IDS, "decoder_input_ids must be an array of"),
        ([IDS, list(shift(IDS))], IDS, r"got a list. Pass numpy.array\(decoder_inpu"),
        ([IDS, shift(IDS)], IDS.tolist(), "y must be an array; got a list"),
        ({"source_ids": [[4], [5, 3]]}, IDS, r"batching.close_and_pad\(rows\) makes"),
        ([IDS + 4, shift(IDS)], IDS, r"from 0 to 7; source_ids\[0, 0\] is 8. Build"),
        ([IDS - 1, shift(IDS)], IDS, r"source_ids\[1, 2\] is -1"),
        ([IDS + 0.5, shift(IDS)], IDS, r"source_ids\[0, 0\] is 4.5"),
        ([IDS, shift(IDS) + 2], IDS, r"from 0 to 6; decoder_input_ids\[0, 2\] is 7"),
        ([IDS, shift(IDS)], IDS + 2, r"y must be .*6; y\[0, 1\] is 7"),
    ],
)
def test_lists_and_ids_out_of_range_are_refused(id_models, x, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        id_models.training.fit(x, y, verbose=0)
    with pytest.raises((ValueError, TypeError), match=message):
        id_models.training.train_on_batch(x, y)


def test_lists_are_refused_as_weights_by_classifiers_and_by_generators(id_models):
    arrays = ([IDS, shift(IDS)], IDS)
    with pytest.raises(TypeError, match="sample_weight must be an array; got a list"):
        id_models.training.fit(*arrays, sample_weight=[1.0, 2.0], verbose=0)
    classifier = build_sequence_classifier(8, 2, source_embedding="one_hot", units=2)
    classifier.compile("sgd", loss=Crossentropy())
    for x, y, message in [
        (IDS.tolist(), np.array([0, 1]), "source_ids must be an array of shape"),
        (IDS, [0, 1], "y must be an array; got a list"),
        (IDS, np.array([0, 2]), r"0 to 1; y\[1\] is 2. Raise num_classes"),
        (IDS + 3, np.array([0, 1]), r"0 to 7; source_ids\[0, 1\] is 8"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            classifier.fit(x, y, verbose=0)
    classifier.fit([IDS], [np.array([0, 1])], verbose=0)  # as Keras has it
    with pytest.raises(TypeError, match="source_ids must be an array; got a list"):
        build_generator(id_models, 3).predict(IDS.tolist(), verbose=0)


def test_a_class_that_a_loss_ignores_may_be_any_number(id_models):
    training = keras.models.clone_model(id_models.training)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    training.compile("sgd", loss=loss)
    targets = np.where(IDS == 0, -1, IDS)
    assert np.isfinite(training.evaluate([IDS, shift(IDS)], targets, verbose=0))
    with pytest.raises(ValueError, match=r"y\[0, 0\] is -2"):
        training.evaluate([IDS, shift(IDS)], targets - 6, verbose=0)


def test_a_decoder_that_is_fed_what_it_is_to_predict_is_told(id_models):
    with pytest.warns(UserWarning, match=r"decoder_input_ids are y itself.*shift\(y\)"):
        id_models.training.fit([IDS, IDS], IDS, verbose=0)
    repeating = build_seq2seq(8, 7, units=2, decoder="repeat").training
    repeating.compile("sgd", loss=MaskedCrossentropy())
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        repeating.fit([IDS, IDS], IDS, verbose=0)  # which counts its length alone
        id_models.training.fit([IDS, shift(IDS)], IDS, verbose=0)


OF_PROBABILITIES = [
    "sparse_categorical_crossentropy",
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.SparseCategoricalCrossentropy(),
]


@pytest.mark.parametrize("loss", OF_PROBABILITIES, ids=["name", "function", "object"])
def test_a_loss_that_takes_logits_for_probabilities_is_told(loss):
    for model, ours in (
        (build_attention_seq2seq(8, 8, units=2).training, "MaskedCrossentropy"),
        (build_sequence_classifier(8, 2, units=2), "Crossentropy"),
    ):
        match = rf"logits for probabilities. Pass loss=kseq2seq.training.{ours}\(\)"
        with pytest.warns(UserWarning, match=match):
            model.compile("sgd", loss=loss)


@pytest.mark.parametrize(
    "metric", ["accuracy", keras.metrics.SparseCategoricalAccuracy()], ids=str
)
def test_a_metric_that_counts_padding_is_told(metric):
    training = build_seq2seq(8, 8, units=2).training
    with pytest.warns(
        UserWarning, match="counts padding, too. Pass metrics=.*TeacherF"
    ):
        training.compile("sgd", loss=MaskedCrossentropy(), metrics=[metric])


def test_a_loss_that_counts_padding_is_told_where_there_is_padding():
    training = build_seq2seq(8, 8, units=2).training
    padded, whole = ([IDS, shift(IDS)], IDS), ([IDS[:1], shift(IDS[:1])], IDS[:1])
    of_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile("sgd", loss=of_logits)
    with pytest.warns(UserWarning, match="counts padding, the zeros in y, .*Masked"):
        training.fit(*padded, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        training.fit(*padded, sample_weight=(IDS != 0).astype("float32"), verbose=0)
        training.fit(*whole, verbose=0)
        training.compile(
            "sgd",
            loss=keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, ignore_class=0
            ),
        )
        training.fit(*padded, verbose=0)


def test_what_is_right_is_compiled_in_silence():
    of_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training = build_seq2seq(8, 8, units=2).training
        training.compile(
            "sgd", loss=MaskedCrossentropy(), metrics=[TeacherForcedAccuracy()]
        )
        training.compile("sgd", loss=of_logits, weighted_metrics=["accuracy"])
        classifier = build_sequence_classifier(8, 2, units=2)
        classifier.compile("sgd", loss=of_logits, metrics=["accuracy"])
        values = build_seq2seq(source_features=1, target_features=1, units=2).training
        values.compile("sgd", loss="mse", metrics=["mae"])


def test_a_training_model_is_saved_and_loaded_with_its_compilation(tmp_path):
    training = build_seq2seq(8, 8, units=2, random_state=0).training
    training.compile(keras.optimizers.Adam(0.5), loss=MaskedCrossentropy())
    training.fit([IDS, shift(IDS)], IDS, verbose=0)
    training.save(tmp_path / "training.keras")
    loaded = keras.models.load_model(tmp_path / "training.keras")
    assert type(loaded) is type(training)
    assert isinstance(loaded.loss, MaskedCrossentropy)
    for model in (training, loaded):
        model.fit([IDS, shift(IDS)], IDS, verbose=0, shuffle=False)
    for ours, theirs in zip(training.weights, loaded.weights, strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-6)
