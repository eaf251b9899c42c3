"""Ten thousand calls with something wrong: each is answered, or refused by us."""

import signal
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import kseq2seq
from kseq2seq import (
    Seq2SeqEstimator,
    SequenceClassifier,
    batching,
    datasets,
    metrics,
    plotting,
    tokenizers,
    training,
)
from kseq2seq.answering import source_batches

PACKAGE = Path(kseq2seq.__file__).parent
OURS = (TypeError, ValueError, OSError, FloatingPointError, NotFittedError)
WORDS = ["ab", "ba", "b"]
IDS = [[4, 5], [5, 4], [5]]
BAD = [
    None,
    True,
    -1,
    0,
    2,
    1.5,
    -0.5,
    float("nan"),
    float("inf"),
    10**30,
    1j,
    "",
    "x",
    "a\0b",
    b"ab",
    [],
    [[]],
    [None],
    ["a", 1],
    [["a"], "b"],
    [1, 2, 3],
    [-1.0, 2.0, 0.5],
    [[4, -5], [6], [7]],
    [["a"], ["b"], ["c"]],
    {"a": 1},
    {3},
    object(),
    len,
    Exception,
    range(3),
    np.array(3),
    np.array([]),
    np.zeros((3, 0)),
    np.full((3, 2), np.nan),
    np.full((2, 3, 4), 7),
    np.array(["a", None, 3], dtype=object),
    np.array([10**12, -(10**12), 5]),
    np.array(["2020-01-01"], dtype="datetime64[D]"),
    np.ma.masked_array([1, 2, 3], [0, 1, 0]),
    np.ma.masked_array([[1, 2], [3, 4], [5, 6]], [[0, 0], [0, 1], [0, 0]]),
    [np.ma.masked] * 3,
    np.full((3, 2), 2**63, dtype=np.uint64),
    [[1, 2**63], [3, 4], [5, 6]],
    10**5000,
    [10**5000, 1, 2],
    [[10**5000], [1], [2]],
]


def calls(fitted, classifier, folder):
    """Return functions and arguments that are right."""
    shapes = {"units": 4, "embedding_dim": 4, "dropout": 0.1, "random_state": 0}
    both = {"source_vocabulary_size": 8, "target_vocabulary_size": 8, **shapes}
    attention = {"attention": "dot", "attention_units": 4, "encoder_units": 4}
    answers = {"y_true": WORDS, "y_pred": WORDS}
    few = {"n_samples": 3, "random_state": 0}
    fit = {"X": WORDS, "y": WORDS, "sample_weight": [1, 2, 0.5]}
    lengths = {"min_digits": 1, "max_digits": 2}
    models = fitted.models_

    def fit_with(**parameters):
        """Give an estimator its parameters, and let it learn nothing."""
        Seq2SeqEstimator(**parameters).fit(WORDS, WORDS)

    def classify_with(**parameters):
        SequenceClassifier(**parameters).fit(WORDS, [0, 1, 0])

    def search_with(X, **parameters):
        before = fitted.get_params()
        try:
            return fitted.set_params(**parameters).predict(X)
        finally:
            fitted.set_params(**before)

    saved = folder / "m.kseq2seq"
    fitted.save(saved)
    of_fit = clone(fitted).get_params() | {"units": 4, "epochs": 1}
    of_classify = SequenceClassifier(units=4, epochs=1).get_params()
    search = {
        "beam_size": 2,
        "length_penalty": 1.0,
        "coverage_penalty": 0.0,
        "min_length": 0,
        "no_repeat_ngram_size": 0,
        "forced_prefix": "a",
        "forbidden_tokens": ["a"],
        "temperature": None,
        "top_k": None,
        "top_p": None,
    }
    return [
        (kseq2seq.build_seq2seq, {**both, "cell": "gru", "num_layers": 1}),
        (kseq2seq.build_attention_seq2seq, {**both, **attention}),
        (
            kseq2seq.build_sequence_classifier,
            {"source_vocabulary_size": 8, "num_classes": 2, **shapes},
        ),
        (
            kseq2seq.build_masked_autoencoder,
            {"input_size": (2, 4), "hidden_units": 4, "latent_units": 2},
        ),
        (
            kseq2seq.build_generator,
            {"models": models, "max_length": 4, "beam_size": 2, "seed": 0},
        ),
        (fit_with, of_fit),
        (classify_with, of_classify),
        (search_with, {"X": WORDS, **search}),
        (fitted.predict, {"X": WORDS}),
        (fitted.score, fit),
        (fitted.measure, {**fit, "metrics": ["bleu", "edit_distance"]}),
        (fitted.predict_n_best, {"X": WORDS, "n": 2}),
        (fitted.predict_with_scores, {"X": WORDS}),
        (fitted.judge, {"y": WORDS, "answers": WORDS, "metrics": ["exact_match"]}),
        (fitted.attention, {"X": WORDS}),
        (fitted.save, {"path": saved, "overwrite": True}),
        (classifier.predict, {"X": WORDS}),
        (classifier.predict_proba, {"X": WORDS}),
        (classifier.score, {**fit, "y": [0, 1, 0]}),
        (lambda **given: clone(fitted).fit(**given), fit),
        (lambda **given: clone(classifier).fit(**given), {**fit, "y": [0, 1, 0]}),
        (lambda **given: clone(fitted).partial_fit(**given), fit),
        (kseq2seq.load, {"path": saved}),
        (batching.Batches, {"sources": IDS, "targets": IDS, "batch_size": 2}),
        (
            batching.LabelBatches,
            {"sources": IDS, "labels": [0, 1, 0], "sample_weight": [1.0, 1.0, 1.0]},
        ),
        (batching.close_and_pad, {"sequences": IDS, "width": 5}),
        (batching.shift, {"target_ids": np.array(IDS[:2])}),
        (batching.shift_values, {"target_values": np.zeros((2, 3, 1))}),
        (datasets.make_dates, few),
        (datasets.make_echo, {**few, "n_in": 5, "n_out": 2, "n_values": 9}),
        (datasets.make_add_two_digits, {**few, "length": 4}),
        (datasets.make_arithmetic, {**few, "n_digits": 1, "operators": "+-"}),
        (datasets.make_number_words, {**few, **lengths, "exclude": ["1"]}),
        (lambda **given: next(datasets.stream_number_words(**given)), lengths),
        (datasets.mask_left_half, {"images": np.zeros((2, 4, 4))}),
        (
            datasets.load_pairs,
            {"path": folder / "none.tsv", "target_path": None, "columns": (1, 2)},
        ),
        (metrics.exact_match, {**answers, "sample_weight": [1, 1, 1]}),
        (metrics.token_accuracy, {**answers, "sample_weight": [1, 0, 2]}),
        (metrics.edit_distance, {**answers, "normalize": True}),
        (metrics.accuracy_by_position, answers),
        (metrics.bleu, {**answers, "sample_weight": [1, 0, 1]}),
        (metrics.chrf, answers),
        (plotting.plot_attention, {**ATTENTION}),
        (plotting.plot_history, {"history": {"loss": [1.0, 2.0]}, "metric": "loss"}),
        (plotting.plot_accuracy_by_position, {"accuracies": [0.5, 1.0]}),
        (plotting.plot_images, {"images": np.zeros((2, 2, 4, 4)), "row_labels": None}),
        (tokenizers.get_tokenizer, {"tokenizer": "word"}),
        (tokenizers.train_tokenizer, {"tokenizer": "bpe:300", "texts": WORDS}),
        (training.MaskedCrossentropy, {"label_smoothing": 0.1}),
        (training.FreeRunningValidation, {"metrics": ["exact_match"], "every": 1}),
        (training.SampleAnswers, {"num_answers": 2, "every": 1}),
        (training.StopAtLoss, {"tol": 0.1}),
        (training.TeacherForcing, {"epochs": 3, "start": 1.0, "schedule": "linear"}),
        (
            training.make_optimizer,
            {"optimizer": "adam", "learning_rate": 0.1, "clip_norm": 1.0},
        ),
        (training.with_teacher_forcing, {"models": models, "teacher_forcing": 0.5}),
        (
            source_batches.generate,
            {"generator": fitted.generator_, "sources": IDS, "batch_size": 2},
        ),
    ]


ATTENTION = {
    "weights": np.full((1, 2), 0.5),
    "source_tokens": ["a", "b"],
    "target_tokens": ["c"],
}
LEFT = {"verbose", "callbacks", "random_state"}


@pytest.fixture(scope="module")
def classifier():
    return SequenceClassifier(units=4, epochs=1, random_state=0).fit(WORDS, [0, 1, 0])


def is_ours(error):
    """Whether we raised it, or scikit-learn's own check of data that we asked."""
    deepest = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return PACKAGE in deepest.parents or deepest.parts[-3:-1] == ("sklearn", "utils")


def too_long(signum, frame):
    raise AssertionError("it hangs")


@pytest.mark.parametrize("part", range(10))
def test_a_bad_call_is_answered_or_refused_by_us(
    part, fitted, classifier, tmp_path, monkeypatch
):
    from kseq2seq.training import trainer

    monkeypatch.setattr(trainer, "fit_batches", lambda *_, **__: {"loss": [0.0]})
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(part)
    functions = calls(fitted, classifier, tmp_path)
    signal.signal(signal.SIGALRM, too_long)
    for _ in range(1000):
        function, right = functions[rng.integers(len(functions))]
        names = [name for name in right if name not in LEFT]
        wrong = {
            str(name): BAD[rng.integers(len(BAD))]
            for name in rng.choice(names, size=rng.integers(1, 3))
        }
        signal.alarm(30)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function(**{**right, **wrong})
        except OURS as error:
            assert is_ours(error), (function, wrong, error)
            assert len(str(error)) > 15, (function, wrong, error)
        finally:
            signal.alarm(0)
