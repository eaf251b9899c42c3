"""Every part computes in mixed and in double precision what it does in single."""

import keras
import numpy as np
import pytest

from kseq2seq import (
    Seq2SeqEstimator,
    SequenceClassifier,
    build_attention_seq2seq,
    build_generator,
    build_seq2seq,
    build_sequence_classifier,
)
from kseq2seq.batching import close_and_pad, shift, shift_values
from kseq2seq.builders import ATTENTIONS, CELLS
from kseq2seq.training import MaskedCrossentropy, with_teacher_forcing

POLICIES = {"mixed_float16": 0.01, "mixed_bfloat16": 0.05, "float64": 1e-5}
"""How far logits may lie from those in single precision, under each policy."""
IDS = close_and_pad([[4, 5, 6], [5], [7, 4]])
WORDS = ["ab", "ba", "abb", "bba"] * 4
QUICK = {"units": 4, "embedding_dim": 4, "epochs": 1, "random_state": 0}
SEARCHES = [
    {"no_repeat_ngram_size": 2, "min_length": 1, "forced_prefix": [4]},
    {"beam_size": 3},
    {"beam_size": 3, "n_best": 2, "length_penalty": 0.6, "no_repeat_ngram_size": 1},
    {"temperature": 0.8, "top_k": 3, "top_p": 0.9, "seed": 0},
]


def set_precision(policy):
    keras.config.set_floatx("float64" if policy == "float64" else "float32")
    keras.config.set_dtype_policy(policy)


@pytest.fixture(params=POLICIES)
def policy(request):
    set_precision(request.param)
    yield request.param
    set_precision("float32")


def in_both(policy, build, *inputs):
    """Return what is built under the policy, and check it beside single precision."""
    set_precision("float32")
    single = build()
    set_precision(policy)
    models = build()
    one, other = (getattr(m, "training", m) for m in (single, models))
    other.set_weights(one.get_weights())
    assert other.compute_dtype == policy.removeprefix("mixed_")
    expected, found = (np.asarray(m(inputs), "float64") for m in (one, other))
    np.testing.assert_allclose(found, expected, atol=POLICIES[policy])
    return models


def train(model, inputs, targets, loss):
    """Take one step, and check that it moved the weights, to numbers."""
    before = [np.array(weight) for weight in model.trainable_variables]
    model.compile("sgd", loss=loss, run_eagerly=True)
    assert np.isfinite(model.train_on_batch(inputs, targets))
    moved = zip(before, model.trainable_variables, strict=True)
    assert any(np.any(old != np.array(new)) for old, new in moved)
    assert all(np.isfinite(weight).all() for weight in model.trainable_variables)


COPY_TABLE = np.array([0, 0, 0, 0, 4, 5, 0, 7, 4])


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("attention", [None, *ATTENTIONS])
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_and_attention(policy, cell, attention):
    shapes = {"units": 4, "cell": cell, "random_state": 0}

    def build():
        if attention is None:
            return build_seq2seq(9, 8, decoder="repeat", **shapes)
        copies = False if cell == "lstm" else COPY_TABLE
        feeds = cell == "gru" and attention != "monotonic"
        return build_attention_seq2seq(
            9,
            8,
            attention=attention,
            input_feeding=feeds,
            copy=copies,
            **shapes,
        )

    models = in_both(policy, build, IDS, shift(IDS))
    sampling = with_teacher_forcing(models, 0.5, random_state=0)
    train(sampling, [IDS, shift(IDS)], IDS, MaskedCrossentropy())
    answers = build_generator(models, max_length=3)(IDS)
    assert answers["scores"].dtype == "float32" and np.isfinite(answers["scores"]).all()


@pytest.mark.parametrize("options", SEARCHES)
def test_every_search(policy, options):
    def build():
        return build_attention_seq2seq(9, 8, units=4, random_state=0)

    models = in_both(policy, build, IDS, shift(IDS))
    plain = build_seq2seq(9, 8, units=4, cell="gru", random_state=1)
    set_precision("float32")  # what searches takes its type from the models
    for ensemble in (models, [models, plain]):
        generator = build_generator(ensemble, max_length=4, **options)
        answers = generator(IDS)
        best = answers["scores"][:, 0] if "n_best" in options else answers["scores"]
        assert np.isfinite(best).all() and np.all(np.array(best) < 0)
        assert answers["attention_weights"].dtype == "float32"


def test_a_coverage_penalty_and_weights_of_an_attention_of_ones_own(policy):
    models = build_attention_seq2seq(9, 8, units=4, attention=Even, random_state=0)
    options = {"beam_size": 2, "coverage_penalty": 0.2, "length_penalty": 1.0}
    for search in (options, {}):
        answers = build_generator(models, max_length=3, **search)(IDS)
        np.testing.assert_allclose(answers["attention_weights"][:, 0], 0.25, atol=1e-3)


@keras.saving.register_keras_serializable()
class Even(keras.layers.Layer):
    """Weights that are the same for all four tokens, of the type of the outputs."""

    def call(self, queries, encoder_outputs, source_mask):
        scores = keras.ops.einsum("bqu,bsu->bqs", queries * 0, encoder_outputs * 0)
        weights = keras.ops.softmax(scores, axis=-1)
        return keras.ops.matmul(weights, encoder_outputs), weights


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("attention", ["dot", "additive"])
@pytest.mark.parametrize("cell", CELLS)
def test_real_values(policy, cell, attention):
    rng = np.random.default_rng(0)
    past, future = rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 3, 2))
    inputs = [past, shift_values(future)]

    def build():
        return build_attention_seq2seq(
            source_features=2,
            target_features=2,
            units=4,
            cell=cell,
            attention=attention,
            random_state=0,
        )

    models = in_both(policy, build, *inputs)
    train(with_teacher_forcing(models, 0.5, random_state=0), inputs, future, "mse")
    generator = build_generator(models, max_length=3)
    assert np.isfinite(np.array(generator(past)["values"])).all()


@pytest.mark.backends("tensorflow")
def test_an_estimator_fits_answers_resumes_and_leaves(policy, tmp_path):
    """With all that training may do."""
    import onnxruntime

    settings = {
        **QUICK,
        "dropout": 0.1,
        "recurrent_dropout": 0.1,
        "word_dropout": 0.1,
        "attention_dropout": 0.1,
        "teacher_forcing": 0.5,
        "ema_momentum": 0.9,
        "validation_fraction": 0.25,
        "early_stopping_metric": "exact_match",
    }
    path = tmp_path / "c.kseq2seq"
    estimator = Seq2SeqEstimator(**settings).fit(WORDS, WORDS, checkpoint=path)
    again = Seq2SeqEstimator(**settings).fit(WORDS, WORDS, checkpoint=path)
    assert again.history_ == estimator.history_
    assert np.isfinite(estimator.history_["val_loss"]).all()
    assert len(estimator.predict_n_best(WORDS[:2], 2)[0]) == 2
    folder = estimator.set_params(beam_size=2).export(tmp_path / "onnx", "onnx")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    source_ids = np.array([[4, 5, 3]], dtype="int32")
    ids, *_ = session.run(["ids"], {"source_ids": source_ids})
    assert ids.shape == (1, estimator.max_length_)
    set_precision("float32")
    with pytest.raises(ValueError, match=f"policy '{policy}', and the policy is 'flo"):
        Seq2SeqEstimator(**settings).fit(WORDS, WORDS, checkpoint=path)


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("cell", CELLS)
def test_a_classifier(policy, cell):
    def build():
        shapes = {"units": 4, "cell": cell, "bidirectional": True, "random_state": 0}
        return build_sequence_classifier(9, 2, recurrent_dropout=0.1, **shapes)

    model = in_both(policy, build, IDS)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train(model, [IDS], np.array([0, 1, 0]), loss)


@pytest.mark.backends("tensorflow")
def test_a_classifier_that_is_fitted_is_exported_in_single_precision(policy, tmp_path):
    from ai_edge_litert import interpreter

    labels = [word[0] for word in WORDS]
    classifier = SequenceClassifier(**QUICK, recurrent_dropout=0.1).fit(WORDS, labels)
    expected = classifier.predict_proba(["ab"])
    folder = classifier.export(tmp_path / "l", "litert", max_source_length=4)
    run = interpreter.Interpreter(str(folder / "model.tflite")).get_signature_runner()
    ids = close_and_pad(classifier._source.encode(["ab"]), 4)
    found = run(source_ids=ids)["probabilities"]
    np.testing.assert_allclose(found, expected, atol=POLICIES[policy])
