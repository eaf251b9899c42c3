"""A fit that was broken off goes on as if it had not been."""

import signal

import keras
import numpy as np
import pytest

import kseq2seq
from kseq2seq import Seq2SeqEstimator, SequenceClassifier
from kseq2seq.estimators.checkpoint_file import Progress
from kseq2seq.training import FreeRunningValidation

X = ["ab", "ba", "aab", "bba", "abab", "b", "a", "bb"] * 4
Y = [text[::-1] for text in X]


class BreaksOff(keras.callbacks.Callback):
    """Fails in the middle of an epoch, once."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise RuntimeError("the power went out")


class AsksToStop(keras.callbacks.Callback):
    """Stops in the middle of the epoch with the number."""

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = batch == 2


def make_estimator(**changes):
    parameters = {
        "units": 8,
        "embedding_dim": 4,
        "dropout": 0.3,
        "batch_size": 4,
        "epochs": 4,
        "validation_fraction": 0.25,
        "random_state": 0,
    }
    return Seq2SeqEstimator(**parameters | changes)


def weights_of(estimator):
    return estimator.models_.training.get_weights()


def assert_same(one, other):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.history_ == other.history_


@pytest.mark.parametrize(
    "changes",
    [
        {"teacher_forcing": 0.5, "ema_momentum": 0.9, "warmup_steps": 3},
        {"patience": 1, "learning_rate": 0.5},
        {"optimizer": keras.optimizers.RMSprop(0.01), "gradient_accumulation_steps": 2},
    ],
    ids=["samples and averages", "stops early", "accumulates"],
)
def test_a_fit_that_was_broken_off_ends_with_the_same_weights(tmp_path, changes):
    changes = {"callbacks": [], **changes}
    path = tmp_path / "run.kseq2seq"
    whole = make_estimator(**changes).fit(X, Y)
    broken = make_estimator(**changes | {"callbacks": [BreaksOff(2)]})
    if len(whole.history_["loss"]) > 2:
        with pytest.raises(RuntimeError, match="power"):
            broken.fit(X, Y, checkpoint=path)
    else:
        broken.fit(X, Y, checkpoint=path)
    resumed = make_estimator(**changes).fit(X, Y, checkpoint=path)
    assert_same(resumed, whole)


def test_without_a_seed_a_fit_goes_on_with_its_own_random_numbers(tmp_path):
    path = tmp_path / "run.kseq2seq"
    make_estimator(random_state=None).fit(X, Y, checkpoint=path)
    first = kseq2seq.load(path)
    assert_same(make_estimator(random_state=None).fit(X, Y, checkpoint=path), first)


def test_callbacks_get_back_what_they_remember(tmp_path):
    path = tmp_path / "run.kseq2seq"

    def plateau():
        return keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=10.0)

    whole = make_estimator(callbacks=[plateau()]).fit(X, Y)
    broken = make_estimator(callbacks=[plateau(), BreaksOff(3)])
    with pytest.raises(RuntimeError):
        broken.fit(X, Y, checkpoint=path)
    resumed = make_estimator(callbacks=[plateau()]).fit(X, Y, checkpoint=path)
    assert_same(resumed, whole)


class Interrupts(keras.callbacks.Callback):
    """Is a Ctrl-C while an epoch is being validated."""

    def on_test_end(self, logs=None):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_is_no_end(tmp_path):
    path = tmp_path / "run.kseq2seq"
    whole = make_estimator().fit(X, Y)
    with pytest.warns(UserWarning, match="interrupted"):
        make_estimator(callbacks=[Interrupts()]).fit(X, Y, checkpoint=path)
    assert Progress.of(path) == Progress(epochs=1, ended=False)
    resumed = make_estimator().fit(X, Y, checkpoint=path)
    assert_same(resumed, whole)
    assert Progress.of(path) == Progress(epochs=4, ended=True)


def test_what_was_measured_every_other_epoch_still_stands(tmp_path):
    path = tmp_path / "run.kseq2seq"
    changes = {"early_stopping_metric": "exact_match", "patience": 3}

    def measuring(*others):
        callbacks = [FreeRunningValidation(["exact_match"], every=2), *others]
        return make_estimator(callbacks=callbacks, **changes)

    whole = measuring().fit(X, Y)
    with pytest.raises(RuntimeError):
        measuring(BreaksOff(3)).fit(X, Y, checkpoint=path)
    assert_same(measuring().fit(X, Y, checkpoint=path), whole)


def test_what_training_does_not_depend_on_may_change(tmp_path):
    path = tmp_path / "run.kseq2seq"
    make_estimator(epochs=1).fit(X, Y, checkpoint=path)
    again = make_estimator(epochs=1, verbose=2, beam_size=2, forced_prefix="a")
    assert again.fit(X, Y, checkpoint=path).beam_size == 2


@pytest.mark.parametrize("path", [5, True, [], b"x", "", "a\0b", "x" * 300])
def test_what_is_no_path_is_named(path):
    with pytest.raises((TypeError, ValueError), match="^checkpoint "):
        make_estimator().fit(X, Y, checkpoint=path)


def test_a_finished_fit_called_again_trains_no_more(tmp_path):
    path = tmp_path / "run.kseq2seq"
    first, again = (  # Keras names the second optimizer "adam_1"
        make_estimator(patience=2, optimizer=keras.optimizers.Adam(0.1))
        for _ in range(2)
    )
    first.fit(X, Y, checkpoint=path)
    before = path.read_bytes()
    again.fit(X, Y, checkpoint=path)
    assert_same(again, first)
    assert path.read_bytes() == before


def test_an_epoch_that_was_broken_off_is_no_checkpoint(tmp_path):
    path = tmp_path / "run.kseq2seq"
    make_estimator(callbacks=[AsksToStop()]).fit(X, Y, checkpoint=path)
    assert not path.exists()


def test_a_checkpoint_is_a_model_file(tmp_path):
    path = tmp_path / "run.kseq2seq"
    estimator = make_estimator(patience=None).fit(X, Y, checkpoint=path)
    assert kseq2seq.load(path).predict(X) == estimator.predict(X)


def test_other_parameters_are_named(tmp_path):
    path = tmp_path / "run.kseq2seq"
    make_estimator().fit(X, Y, checkpoint=path)
    with pytest.raises(
        ValueError, match="dropout was 0.3 and is 0.1; units was 8 and is 16"
    ):
        make_estimator(units=16, dropout=0.1).fit(X, Y, checkpoint=path)


def test_another_embedding_matrix_is_another_parameter(tmp_path):
    path = tmp_path / "run.kseq2seq"
    matrix = np.ones((6, 4), dtype="float32")
    make_estimator(source_embedding=matrix).fit(X, Y, checkpoint=path)
    with pytest.raises(ValueError, match="source_embedding has other values"):
        make_estimator(source_embedding=2 * matrix).fit(X, Y, checkpoint=path)


@pytest.mark.parametrize("changed", ["pairs", "weights", "validation"])
def test_other_data_are_refused(tmp_path, changed):
    path = tmp_path / "run.kseq2seq"
    make_estimator().fit(X, Y, checkpoint=path, validation_data=(X[:2], Y[:2]))
    data = {
        "pairs": (X, [*Y[:-1], "abba"], None, 2),
        "weights": (X, Y, np.arange(1.0, 33), 2),
        "validation": (X, Y, None, 3),
    }
    source, target, weights, k = data[changed]
    with pytest.raises(ValueError, match="on other data"):
        make_estimator().fit(
            source,
            target,
            sample_weight=weights,
            validation_data=(X[:k], Y[:k]),
            checkpoint=path,
        )


def test_a_plain_model_file_is_no_checkpoint_and_stays(tmp_path):
    path = tmp_path / "model.kseq2seq"
    make_estimator(epochs=1).fit(X, Y).save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="no checkpoint to resume from"):
        make_estimator().fit(X, Y, checkpoint=path)
    assert path.read_bytes() == before


def test_a_checkpoint_that_cannot_be_is_refused_before_training(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        make_estimator().fit(X, Y, checkpoint=tmp_path / "no" / "run.kseq2seq")
    with pytest.raises(TypeError, match="a stream cannot be taken up"):
        make_estimator().fit(iter([("a", "b")]), checkpoint=tmp_path / "run.kseq2seq")


def test_a_classifier_goes_on_too(tmp_path):
    path, labels = tmp_path / "run.kseq2seq", [text[0] for text in X]
    sizes = {"units": 6, "embedding_dim": 4, "epochs": 3, "batch_size": 4}

    def classifier(**changes):
        return SequenceClassifier(**sizes, random_state=0, **changes)

    whole = classifier().fit(X, labels)
    with pytest.raises(RuntimeError):
        classifier(callbacks=[BreaksOff(1)]).fit(X, labels, checkpoint=path)
    resumed = classifier().fit(X, labels, checkpoint=path)
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    with pytest.raises(ValueError, match="on other data"):
        classifier().fit(X, labels[::-1], checkpoint=path)
