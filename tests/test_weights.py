"""What pairs count: a pair of weight 0 might as well not be there."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from kseq2seq import Seq2SeqEstimator, SequenceClassifier, load
from kseq2seq.batching import Batches
from kseq2seq.training import FreeRunningValidation, MaskedCrossentropy

SMALL = {"units": 4, "embedding_dim": 4, "random_state": 0, "batch_size": 8}
X = ["ab", "ba", "aab", "bba", "aa", "bb"] * 4
Y = ["ba", "ab", "baa", "abb", "aa", "bb"] * 4
LABELS = [text[0] for text in X]
ODD = np.arange(len(X)) % 3 == 1
"""Where the pairs stand that have no weight."""
WEIGHTS = np.where(ODD, 0.0, 1.0)


def spoilt(values, wrong):
    """Return the values with what is wrong where there is no weight."""
    return [wrong if odd else value for value, odd in zip(values, ODD, strict=True)]


def kept(values):
    return [value for value, odd in zip(values, ODD, strict=True) if not odd]


def as_rows(texts):
    return np.array([[ord(c) for c in (text + "zz")[:3]] for text in texts])


def as_dict_values(texts):
    return dict(enumerate(texts)).values()


def check_same(one, other):
    assert one.history_ == other.history_
    weights = one._network.get_weights(), other._network.get_weights()
    assert all(map(np.array_equal, *weights))


@pytest.mark.parametrize(
    ("kind", "fit"), [(as_dict_values, "fit"), (as_rows, "fit"), (list, "partial_fit")]
)
def test_a_pair_of_weight_zero_might_as_well_not_be_there(kind, fit):
    settings = {**SMALL, "epochs": 3, "patience": 1, "validation_fraction": 0.3}
    with_it = Seq2SeqEstimator(**settings)
    sides = kind(spoilt(X, "qqq")), kind(spoilt(Y, "www"))
    getattr(with_it, fit)(*sides, sample_weight=WEIGHTS)
    without = Seq2SeqEstimator(**settings)
    getattr(without, fit)(kind(kept(X)), kind(kept(Y)))
    check_same(with_it, without)
    assert with_it.source_vocabulary_.tokens == without.source_vocabulary_.tokens
    assert with_it.target_vocabulary_.tokens == without.target_vocabulary_.tokens
    assert with_it.max_length_ == without.max_length_


def test_nor_an_example_of_a_classifier():
    settings = {**SMALL, "epochs": 3, "patience": 1, "validation_fraction": 0.3}
    with_it = SequenceClassifier(**settings, class_weight="balanced")
    with_it.fit(spoilt(X, "qqq"), spoilt(LABELS, "q"), sample_weight=WEIGHTS)
    without = SequenceClassifier(**settings, class_weight="balanced")
    without.fit(kept(X), kept(LABELS))
    check_same(with_it, without)
    assert with_it.classes_.tolist() == ["a", "b"]


def test_nor_one_to_validate_on():
    settings = {**SMALL, "epochs": 2, "early_stopping_metric": "token_accuracy"}
    wrong = spoilt(X, "aaaaaa"), spoilt(Y, "bbbbbb"), WEIGHTS
    with_it = Seq2SeqEstimator(**settings).fit(X[:8], Y[:8], validation_data=wrong)
    right = kept(X), kept(Y)
    without = Seq2SeqEstimator(**settings).fit(X[:8], Y[:8], validation_data=right)
    check_same(with_it, without)
    classifiers = [
        SequenceClassifier(**SMALL, epochs=2).fit(X, LABELS, validation_data=data)
        for data in [(wrong[0], spoilt(LABELS, "b"), WEIGHTS), (right[0], kept(LABELS))]
    ]
    check_same(*classifiers)


@pytest.mark.parametrize("given", [True, False])
def test_answers_and_losses_of_validation_are_weighted(given):
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.1, 5, size=len(X))
    settings = {
        **SMALL,
        "learning_rate": 0.05,
        "epochs": 6,
        "patience": None,
        "batch_size": len(X),
        "validation_fraction": 0.5,
        "callbacks": [FreeRunningValidation(["token_accuracy", "chrf"])],
    }
    data = {"validation_data": (X, Y, weights)} if given else {"sample_weight": weights}
    estimator = Seq2SeqEstimator(**settings).fit(X, Y, **data)
    if not given:
        held_back = np.sort(np.random.default_rng(0).permutation(len(X))[: len(X) // 2])
        sides = [[side[i] for i in held_back] for side in (X, Y)]
        X_held, y_held, weights = (*sides, weights[held_back])
    else:
        X_held, y_held = X, Y
    by_weight, by_number = (
        estimator.measure(X_held, y_held, ["token_accuracy"], sample_weight=w)
        for w in (weights, None)
    )
    assert by_weight != by_number
    assert estimator.history_["val_token_accuracy"][-1] == by_weight["token_accuracy"]
    [(inputs, target_ids, weights)] = Batches(
        estimator._source.encode(X_held),
        estimator._target.encode(y_held),
        sample_weight=weights,
        shuffle=False,
        batch_size=len(X_held),
    )
    logits = estimator.models_.training(inputs)
    loss = MaskedCrossentropy(label_smoothing=0.1)(target_ids, logits, weights)
    assert estimator.history_["val_loss"][-1] == pytest.approx(float(loss), rel=1e-5)


def test_the_last_validation_batch_counts_as_the_others():
    settings = {**SMALL, "epochs": 1, "batch_size": 20, "label_smoothing": 0.0}
    estimator = Seq2SeqEstimator(**settings)
    estimator.fit(X, Y, validation_data=(["ab"] * 20 + ["b"], ["ba"] * 20 + ["b"]))
    of_two = estimator.history_["val_loss"][0]
    estimator.fit(X, Y, validation_data=(["ab"] * 21, ["ba"] * 21))
    assert of_two == pytest.approx(estimator.history_["val_loss"][0], rel=0.02)


def test_class_weights_are_weights_of_examples():
    labels = ["a"] * 18 + ["b"] * 6
    weights = compute_sample_weight("balanced", labels)
    settings = {**SMALL, "epochs": 2, "validation_fraction": 0.25}
    by_example = SequenceClassifier(**settings).fit(X, labels, sample_weight=weights)
    balanced = SequenceClassifier(**settings, class_weight="balanced").fit(X, labels)
    np.testing.assert_allclose(
        by_example.history_["val_loss"], balanced.history_["val_loss"], rtol=1e-6
    )
    by_dict = {"a": 24 / 36, np.str_("b"): 2.0}
    named = SequenceClassifier(**settings, class_weight=by_dict).fit(X, labels)
    check_same(named, balanced)


def test_class_weights_in_files_and_passes(tmp_path):
    by_label = {np.int64(3): np.float32(0.5), 7: 2}
    classifier = SequenceClassifier(**SMALL, epochs=1, class_weight=by_label)
    classifier.partial_fit(X, [3, 7] * 12, classes=[3, 7, 8])
    loaded = load(classifier.save(tmp_path / "weighted.kseq2seq"))
    assert loaded.class_weight == {3: 0.5, 7: 2}
    classifier.set_params(class_weight="balanced")
    with pytest.raises(ValueError, match="partial_fit sees some at a time"):
        classifier.partial_fit(X, [3, 7] * 12)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({"c": 1.0}, "class_weight has the label 'c', which is none of the classes"),
        ({"a": 0}, r"class_weight\['a'\] must be a number above 0"),
        ({"a": "b"}, r"class_weight\['a'\] must be a number"),
        ("balance", "unless a dict, must be 'balanced'.*mean 'balanced'"),
        (2.0, "unless a dict, must be 'balanced'"),
    ],
)
def test_bad_class_weights_are_refused(class_weight, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SequenceClassifier(**SMALL, class_weight=class_weight).fit(X, LABELS)


def test_logarithms_of_probabilities():
    classifier = SequenceClassifier(**SMALL, epochs=1).fit(X, LABELS)
    np.testing.assert_array_equal(
        np.exp(classifier.predict_log_proba(X[:3])).round(6),
        classifier.predict_proba(X[:3]).round(6),
    )
    head = classifier.model_.layers[-1]
    head.set_weights([0 * head.kernel.numpy(), np.array([300.0, -300.0])])
    np.testing.assert_array_equal(
        classifier.predict_log_proba(["ab"]), [[0.0, -np.inf]]
    )


@pytest.mark.parametrize("estimator", [Seq2SeqEstimator, SequenceClassifier])
def test_bad_validation_weights_are_refused(estimator):
    y = Y if estimator is Seq2SeqEstimator else LABELS
    fit = estimator(**SMALL, epochs=1).fit
    for weights, message in (
        ([1.0], "shape"),
        ([-1] * 24, "from 0"),
        ("ab", "must be"),
    ):
        with pytest.raises(
            (ValueError, TypeError), match=f"validation_data: .*{message}"
        ):
            fit(X, y, validation_data=(X, y, weights))
    for data in ((X,), (X, y, None, None), {"X": X}):
        with pytest.raises(
            TypeError, match=r"\(X, y\) or, with weights, \(X, y, sample"
        ):
            fit(X, y, validation_data=data)


def test_errors_say_which_pairs_they_count():
    with pytest.raises(TypeError, match=r"X\[1\] is None") as raised:
        Seq2SeqEstimator(**SMALL).fit(
            ["a", "b", None], ["a", "b", "c"], sample_weight=[1, 0, 1]
        )
    assert raised.value.__notes__ == ["Pairs are counted without the 1 of weight 0."]
