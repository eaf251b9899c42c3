import copy
import json
import pickle
import zipfile

import keras
import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.multioutput import MultiOutputClassifier
from sklearn.preprocessing import MultiLabelBinarizer
from strategies import small_classifier

import kseq2seq
from kseq2seq import SequenceClassifier
from kseq2seq.datasets import make_add_two_digits
from kseq2seq.training import FreeRunningValidation

X, Y = ["ab", "ba", "abb", "b"] * 4, ["first", "second", "first", "second"] * 4


def weights(classifier):
    return [np.asarray(weight) for weight in classifier.model_.weights]


def words(n, seed):
    """Return words of 1 to 6 letters, and of each the name of its first letter."""
    rng = np.random.default_rng(seed)
    words = [
        "".join(rng.choice(list("abc"), size=rng.integers(1, 7))) for _ in range(n)
    ]
    return words, [{"a": "alpha", "b": "beta", "c": "gamma"}[w[0]] for w in words]


@pytest.fixture(scope="module")
def classifier():
    """A classifier that has learned how words begin; tests must not change it."""
    classifier = small_classifier(
        units=24,
        bidirectional=True,
        epochs=20,
        batch_size=8,
        learning_rate=0.02,
        dropout=0.1,
    )
    return classifier.fit(*words(160, 0), validation_data=words(20, 2))


def test_it_learns_how_words_begin(classifier):
    assert is_classifier(classifier)
    assert classifier.score(*words(100, 1)) > 0.9  # chance is a third
    assert classifier.predict(["abbb", "caab"]).tolist() == ["alpha", "gamma"]
    assert classifier.classes_.tolist() == ["alpha", "beta", "gamma"]


def test_every_epoch_is_measured(classifier):
    history = classifier.history_
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    best = np.argmin(history["val_loss"])  # whose weights have returned
    assert classifier.score(*words(20, 2)) == pytest.approx(
        history["val_accuracy"][best]
    )


def test_probabilities_sum_to_1_and_the_most_probable_class_is_predicted(classifier):
    sources, _ = words(50, 3)
    probabilities = classifier.predict_proba(sources)
    assert probabilities.shape == (50, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    best = classifier.classes_[probabilities.argmax(axis=1)]
    assert (classifier.predict(sources) == best).all()


def test_probabilities_are_the_softmax_of_the_models_logits(classifier):
    ids = np.array([[*classifier.source_vocabulary_.encode("cab"), 3]])
    logits = classifier.model_.predict({"source_ids": ids}, verbose=0)
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(classifier.predict_proba(["cab"]), expected, atol=1e-5)


def test_order_and_batch_mates_change_no_probability(classifier):
    sources = ["abcabc", "a", "", "cbacbacbacba", "xyz"]
    together = classifier.predict_proba(sources)
    np.testing.assert_allclose(
        classifier.predict_proba(sources[::-1])[::-1], together, atol=1e-5
    )
    for source, row in zip(sources, together, strict=True):
        np.testing.assert_allclose(
            classifier.predict_proba([source])[0], row, atol=1e-5
        )


def test_score_weighs_sources(classifier):
    sources, labels = ["ab", "ab"], ["alpha", "beta"]
    assert classifier.score(sources, labels) == 0.5
    assert classifier.score(sources, labels, sample_weight=[3, 1]) == 0.75


@pytest.mark.slow
def test_it_learns_to_add_two_digits():
    X, y = make_add_two_digits(6000, 5, random_state=0)
    classifier = SequenceClassifier(
        units=96, dropout=0.0, learning_rate=0.01, epochs=40, random_state=0
    )
    classifier.fit(X[:5000], y[:5000])
    assert classifier.classes_.tolist() == list(range(19))
    assert classifier.score(X[5000:], y[5000:]) > 0.9  # the commonest sum: a tenth


@pytest.mark.parametrize(
    "labels",
    [
        ["no", "yes"],
        [True, False],
        np.array(["b", "a"], dtype=object),
        np.array([7, -7], dtype="int8"),
    ],
    ids=["str", "bool", "object", "int8"],
)
def test_labels_come_back_in_their_kind(labels, tmp_path):
    y = np.array(list(labels) * 8, dtype=np.asarray(labels).dtype)
    kind = np.asarray(list(labels)).dtype  # of objects, what they are
    classifier = small_classifier().fit(["a", "b"] * 8, y)
    assert classifier.classes_.tolist() == sorted(labels)
    assert classifier.classes_.dtype == kind
    assert set(classifier.predict(X)) <= set(labels)
    again = kseq2seq.load(classifier.save(tmp_path / "m.kseq2seq"))
    assert again.classes_.dtype == kind
    assert again.predict(X).tolist() == classifier.predict(X).tolist()


@pytest.mark.parametrize(
    "sources",
    [
        np.array([[1, 2, 3], [3, 2, 1]] * 4),
        [["one", "two"], ["two"]] * 4,
        [[1, 2], [3]] * 4,
    ],
    ids=["rows", "tokens", "ragged"],
)
def test_sources_of_every_kind_are_read(sources):
    classifier = small_classifier(epochs=30, learning_rate=0.05, dropout=0.0)
    classifier.fit(sources, [0, 1] * 4)
    assert classifier.score(sources, [0, 1] * 4) == 1.0


def test_zero_weight_sources_teach_nothing():
    classifier = small_classifier(epochs=20, learning_rate=0.03, dropout=0.0)
    X, y = ["a", "a", "b"] * 8, ["x", "y", "y"] * 8
    classifier.fit(X, y, sample_weight=[1.0, 0.0, 1.0] * 8)
    assert classifier.predict_proba(["a"])[0, 0] > 0.9


def test_training_stops_at_a_loss_that_is_low_enough():
    classifier = small_classifier(epochs=300, learning_rate=0.05, dropout=0.0, tol=0.05)
    losses = classifier.fit(X, Y).history_["loss"]
    assert losses[-1] <= 0.05 < min(losses[:-1])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_bit_for_bit():
    keras.utils.set_random_seed(1)
    first = small_classifier(epochs=2, validation_fraction=0.2).fit(X, Y)
    keras.utils.set_random_seed(2)
    second = small_classifier(epochs=2, validation_fraction=0.2).fit(X, Y)
    for one, other in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.history_ == second.history_
    third = small_classifier(epochs=2, validation_fraction=0.2, random_state=1).fit(
        X, Y
    )
    assert third.history_ != first.history_


@pytest.mark.slow
def test_a_refit_forgets_the_past():
    classifier = small_classifier().fit(["zz", "z"] * 8, [1, 2] * 8)
    again = weights(classifier.fit(X, Y))
    for one, other in zip(again, weights(small_classifier().fit(X, Y)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert "z" not in classifier.source_vocabulary_
    assert classifier.classes_.tolist() == ["first", "second"]


def test_a_refused_refit_keeps_the_fitted_model():
    classifier = small_classifier().fit(X, Y)
    before = classifier.predict_proba(X)
    for labels in (["only"] * 16, ["one", "two"]):
        with pytest.raises(ValueError):
            classifier.fit(X, labels)
    with pytest.raises(ValueError):
        classifier.set_params(cell="lsmt").fit(["other", "tokens"], ["1", "2"])
    np.testing.assert_array_equal(classifier.predict_proba(X), before)


def test_init_only_assigns_and_clone_keeps_every_parameter(classifier):
    values = {
        name: f"value of {name}" for name in SequenceClassifier().get_params(deep=False)
    }
    given = SequenceClassifier(**values)
    assert given.get_params(deep=False) == values
    assert clone(given).get_params(deep=False) == values
    with pytest.raises(NotFittedError):
        clone(classifier).predict(["a"])


@pytest.mark.slow
@pytest.mark.parametrize("path", ["save", "pickle", "copy"])
def test_what_was_kept_answers_the_same(classifier, tmp_path, path):
    if path == "save":
        again = kseq2seq.load(classifier.save(tmp_path / "m.kseq2seq"))
    elif path == "pickle":
        again = pickle.loads(pickle.dumps(classifier))
    else:
        again = copy.deepcopy(classifier)
    sources = ["abcc", "", "ccc", "xyz"]
    assert type(again) is SequenceClassifier
    np.testing.assert_array_equal(
        again.predict_proba(sources), classifier.predict_proba(sources)
    )
    assert again.predict(sources).tolist() == classifier.predict(sources).tolist()
    assert str(again.get_params()) == str(classifier.get_params())
    assert again.history_ == classifier.history_


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        {"cell": "gru", "num_layers": 2, "bidirectional": True, "units": 5},
        {"source_embedding": np.ones((6, 2)), "freeze_embeddings": True},
        {"source_vocabulary": ["b", "a"], "optimizer": keras.optimizers.SGD(0.1)},
    ],
    ids=["gru", "embedding", "vocabulary"],
)
def test_every_setting_survives_the_model_file(parameters, tmp_path):
    classifier = small_classifier(**parameters).fit(X, Y)
    again = kseq2seq.load(classifier.save(tmp_path / "m.kseq2seq"))
    for one, other in zip(weights(again), weights(classifier), strict=True):
        np.testing.assert_array_equal(one, other)
    again.fit(X, Y)


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["a", "b"]},
        {"classes_dtype": "complicated"},
        {"source": {}},
        {"estimator": "Seq2SeqEstimator"},
    ],
    ids=str,
)
def test_a_damaged_file_is_refused(classifier, tmp_path, changes):
    path = classifier.save(tmp_path / "m.kseq2seq")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    description = {**json.loads(members["model.json"]), **changes}
    members["model.json"] = json.dumps(description).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="is damaged"):
        kseq2seq.load(path)


def test_before_fit_everything_says_so(tmp_path):
    for use in (
        lambda c: c.predict(["a"]),
        lambda c: c.predict_proba(["a"]),
        lambda c: c.score(["a"], ["b"]),
        lambda c: c.save(tmp_path / "m"),
    ):
        with pytest.raises(NotFittedError, match=r"SequenceClassifier is not fitted"):
            use(SequenceClassifier())


def test_an_unknown_token_raises_when_asked():
    classifier = small_classifier(unknown="error").fit(X, Y)
    with pytest.raises(ValueError, match=r"X\[1\]: the token 'q'"):
        classifier.predict(["ab", "aq"])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cell": "lsmt"}, "Did you mean 'lstm'"),
        ({"source_tokenizer": "chars"}, "source_tokenizer .*Did you mean 'char'"),
        ({"unknown": "no"}, "unknown must be 'unk' or 'error'"),
        ({"units": 0}, "units must be"),
        ({"epochs": 0}, "epochs must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"tol": -1}, "tol must be a number of at least 0; got -1"),
        ({"tol": 0.1, "label_smoothing": 0.3}, "tol=0.1 can never be reached: with"),
        (
            {"source_vocabulary": "bc", "unknown": "error"},
            r"X\[0\]: the token 'a' at position 0 is not",
        ),
        ({"optimizer": "adma"}, "Did you mean 'adam'"),
        ({"callbacks": [print]}, "print> returned None"),
        ({"verbose": 5}, "verbose must be"),
        ({"random_state": -1}, "random_state must be"),
        ({"dropout": 1.0}, "dropout must be"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused_before_a_model_is_built(
    parameters, message, monkeypatch
):
    monkeypatch.setattr(keras, "Model", None)
    with pytest.raises((ValueError, TypeError), match=message):
        small_classifier(**parameters).fit(X, Y)


@pytest.mark.parametrize(
    ("X", "y", "more", "message"),
    [
        ([], [], {}, "X is empty"),
        (["a", "b"], ["c"], {}, "got 2 in X and 1 in y|at least"),
        (["a", "b", "c"], [1, 2], {}, "got 3 in X and 2 in y"),
        (["a", None], [1, 2], {}, r"X\[1\] is None"),
        (["a", "b"], ["c", "c"], {}, "y must hold two classes at least; got only 'c'"),
        (["a", "b"], [0.5, 1.5], {}, "continuous"),
        (
            ["a", "b"],
            [[1, 0], [0, 1]],
            {},
            r"one label for each sequence; y\[0\] is \[1, 0\]",
        ),
        (["a", "b"], [1, 2], {"sample_weight": [1]}, r"shape \(2,\).*got \(1,\)"),
        (
            ["a", "b"],
            [1, 2],
            {"validation_data": 3},
            "must be a pair",
        ),
        (
            ["a", "b"],
            [1, 2],
            {"validation_data": (["a"], [3])},
            r"has the label 3 at y\[0\], which",
        ),
        (["a", "b"], [1, 2], {"validation_data": (["a"], [1, 2])}, "1 in X and 2 in y"),
    ],
)
def test_bad_data_is_refused_before_a_model_is_built(X, y, more, message, monkeypatch):
    monkeypatch.setattr(keras, "Model", None)
    with pytest.raises((ValueError, TypeError), match=message):
        small_classifier().fit(X, y, **more)


def test_callbacks_are_copied_for_each_fit_and_can_be_read():
    class Counting(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    callback = Counting()
    classifier = small_classifier(epochs=3, callbacks=[callback]).fit(X, Y)
    assert callback.epochs == 0 and classifier.callbacks_[0].epochs == 3


def test_callbacks_that_look_at_sequences_are_refused():
    classifier = small_classifier(callbacks=[FreeRunningValidation()])
    with pytest.raises(
        TypeError, match="FreeRunningValidation .* watch 'val_accuracy'"
    ):
        classifier.fit(X, Y)


def test_several_labels_a_sequence_are_a_classifier_each():
    X = ["a", "b", "ab", "c"] * 8
    labels = MultiLabelBinarizer()
    Y = labels.fit_transform([set(text) & set("ab") for text in X])
    small = small_classifier(
        epochs=40, learning_rate=0.05, dropout=0, validation_fraction=0
    )
    several = MultiOutputClassifier(small).fit(X, Y)
    found = labels.inverse_transform(several.predict(["ab", "a", "c"]))
    assert found == [("a", "b"), ("a",), ()]
    assert [p.shape for p in several.predict_proba(["ab", "c"])] == [(2, 2), (2, 2)]
    assert [one.classes_.tolist() for one in several.estimators_] == [[0, 1], [0, 1]]
