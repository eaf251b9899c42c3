"""A fit that an interrupt ended is gone on with, in the same process."""

import copy
import signal

import keras
import numpy as np
import pytest
from strategies import LABELS, X, Y, small_classifier, small_estimator

SIZES = {"batch_size": 4, "epochs": 4, "dropout": 0.0, "warm_start": True}
RATES = [0.01 * (0.5 + 0.5 * np.cos(np.pi * epoch / 4)) for epoch in range(4)]


class Interrupts(keras.callbacks.Callback):
    """Is a Ctrl-C in an epoch, after its second batch; notes epochs and rates."""

    def __init__(self, epoch=None):
        super().__init__()
        self.epoch, self.epochs, self.rates = epoch, [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.rates.append(float(self.model.optimizer.learning_rate))

    def on_train_batch_end(self, batch, logs=None):
        if self.epochs[-1] == self.epoch and batch == 1:
            signal.raise_signal(signal.SIGINT)


class InterruptsValidation(keras.callbacks.Callback):
    def on_test_end(self, logs=None):
        signal.raise_signal(signal.SIGINT)


def interrupted(make=small_estimator, y=Y, epoch=2, **changes):
    """Return an estimator that an interrupt has ended in an epoch."""
    estimator = make(
        **{**SIZES, "learning_rate": 0.01, **changes}, callbacks=[Interrupts(epoch)]
    )
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(X, y)
    return estimator.set_params(callbacks=[Interrupts()])


@pytest.fixture(scope="module")
def broken_off():
    """An estimator that was interrupted in its third epoch; tests take copies."""
    return interrupted()


@pytest.mark.parametrize(
    ("make", "y"), [(small_estimator, Y), (small_classifier, LABELS)]
)
def test_going_on_trains_what_is_left_and_keeps_the_history(make, y):
    estimator = interrupted(make, y)
    before = estimator.history_["loss"]
    assert len(before) == 3  # the broken epoch counts as far as it came
    assert estimator.interrupted_
    estimator.fit(X, y)
    assert not estimator.interrupted_
    (seen,) = estimator.callbacks_
    assert seen.epochs == [2, 3]
    np.testing.assert_allclose(seen.rates, RATES[2:], rtol=1e-5)
    assert estimator.history_["loss"][:2] == before[:2]
    assert len(estimator.history_["loss"]) == 4
    updates = estimator._kept_optimizer._last.iterations
    assert int(updates) == 2 * 4 + 2 + 2 * 4  # one optimizer, the broken epoch anew


def test_what_has_ended_is_trained_anew_with_a_history_of_its_own(broken_off):
    estimator = copy.deepcopy(broken_off).fit(X, Y).fit(X, Y)
    assert estimator.callbacks_[0].epochs == [0, 1, 2, 3]
    assert len(estimator.history_["loss"]) == 4


def test_an_interrupted_training_may_get_more_epochs(broken_off):
    estimator = copy.deepcopy(broken_off).set_params(epochs=5).fit(X, Y)
    assert estimator.callbacks_[0].epochs == [2, 3, 4]
    estimator = copy.deepcopy(broken_off).set_params(epochs=2).fit(X, Y)
    assert estimator.callbacks_[0].epochs == [0, 1]  # two were done: a new training


def test_other_data_a_cold_fit_and_a_pass_are_trainings_of_their_own(broken_off):
    other = copy.deepcopy(broken_off).fit(X[:8], Y[:8])
    assert other.callbacks_[0].epochs == [0, 1, 2, 3]
    cold = copy.deepcopy(broken_off).set_params(warm_start=False).fit(X, Y)
    assert cold.callbacks_[0].epochs == [0, 1, 2, 3]
    one_pass = copy.deepcopy(broken_off).partial_fit(X, Y)
    assert len(one_pass.history_["loss"]) == 1
    assert one_pass.fit(X, Y).callbacks_[0].epochs == [0, 1, 2, 3]


def test_a_refused_fit_leaves_the_interrupted_one_to_go_on_with(broken_off):
    estimator = copy.deepcopy(broken_off)
    with pytest.raises(ValueError, match="as long"):
        estimator.fit(X, Y[:3])
    assert estimator.fit(X, Y).callbacks_[0].epochs == [2, 3]


def test_another_interrupt_is_gone_on_with_too(broken_off):
    estimator = copy.deepcopy(broken_off).set_params(callbacks=[Interrupts(3)])
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(X, Y)
    estimator.set_params(callbacks=[Interrupts()]).fit(X, Y)
    assert estimator.callbacks_[0].epochs == [3]
    assert len(estimator.history_["loss"]) == 4


def test_an_epoch_that_was_being_validated_is_whole_and_held_back_stays_held_back():
    changes = {"random_state": None, "validation_fraction": 0.25, "warmup_steps": 2}
    estimator = small_estimator(
        **{**SIZES, **changes}, callbacks=[InterruptsValidation()]
    )
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(X, Y)
    before = estimator.history_["val_loss"]
    estimator.set_params(callbacks=[Interrupts()]).fit(X, Y)
    assert estimator.callbacks_[0].epochs == [1, 2, 3]
    assert estimator.history_["val_loss"][:1] == before
    assert len(estimator.history_["val_loss"]) == 4


def test_a_stream_goes_on_as_well():
    pairs = list(zip(X, Y, strict=True))
    known = {"source_vocabulary": "ab", "target_vocabulary": "xy", "max_length": 4}
    estimator = small_estimator(**{**SIZES, **known}, callbacks=[Interrupts(2)])
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(iter(pairs * 4), steps_per_epoch=4)
    estimator.set_params(callbacks=[Interrupts()])
    estimator.fit(iter(pairs * 2), steps_per_epoch=4)
    assert estimator.callbacks_[0].epochs == [2, 3]
    assert len(estimator.history_["loss"]) == 4


def test_a_checkpoint_of_what_goes_on_has_the_whole_history(broken_off, tmp_path):
    path = tmp_path / "run.kseq2seq"
    estimator = copy.deepcopy(broken_off).fit(X, Y, checkpoint=path)
    again = copy.deepcopy(broken_off).fit(X, Y, checkpoint=path)
    assert again.callbacks_[0].epochs == []
    assert again.history_ == estimator.history_
    assert len(again.history_["loss"]) == 4
