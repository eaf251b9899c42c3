"""How an estimator trains: seeds, stopping, teacher forcing, callbacks, refits."""

import copy
import pickle

import keras
import numpy as np
import pytest
from strategies import X, Y, assert_same_weights, small_estimator, weights_of

import kseq2seq
from kseq2seq.datasets import make_echo
from kseq2seq.training import (
    AnswerTrainingSettings,
    FreeRunningValidation,
    Trainer,
    TrainingSettings,
    forcing_probability,
)


def test_the_same_seed_gives_the_same_weights_bit_for_bit():
    keras.utils.set_random_seed(1)
    first = small_estimator(epochs=2, recurrent_dropout=0.2).fit(X, Y)
    keras.utils.set_random_seed(2)
    state = np.random.get_state()[1].copy()
    second = small_estimator(epochs=2, recurrent_dropout=0.2).fit(X, Y)
    assert (np.random.get_state()[1] == state).all()
    assert_same_weights(first, second)
    third = small_estimator(epochs=2, random_state=1).fit(X, Y)
    assert first.history_["loss"] != third.history_["loss"]


@pytest.mark.slow
def test_a_refit_forgets_the_past():
    estimator = small_estimator().fit(["zz", "z"] * 8, ["q", "r"] * 8)
    assert_same_weights(estimator.fit(X, Y), small_estimator().fit(X, Y))
    assert "z" not in estimator.source_vocabulary_


@pytest.mark.slow
def test_early_stopping_watches_the_held_back_part():
    estimator = small_estimator(
        epochs=300,
        patience=2,
        validation_fraction=0.25,
        dropout=0.9,
        learning_rate=0.1,
    )
    estimator.fit(X, ["x", "y", "xy", ""] * 4)
    losses = estimator.history_["val_loss"]
    assert len(losses) < 300
    assert min(losses) not in losses[-2:]


def test_without_patience_every_epoch_is_trained():
    held_back = {"validation_fraction": 0.25, "learning_rate": 0.3}
    estimator = small_estimator(epochs=15, **held_back).fit(X, Y)
    assert len(estimator.history_["val_loss"]) == 15
    assert estimator.patience is None


@pytest.mark.slow
def test_a_metric_of_answers_brings_back_the_best_weights_without_patience():
    class Answers(keras.callbacks.Callback):
        """A figure that is best after the second epoch."""

        def on_epoch_end(self, epoch, logs=None):
            logs["val_exact_match"] = [0.0, 1.0, 0.5][epoch]
            if epoch == 1:
                self.best = self.model.get_weights()

    estimator = small_estimator(
        epochs=3,
        early_stopping_metric="exact_match",
        validation_fraction=0.25,
        callbacks=[Answers()],
    ).fit(X, Y)
    assert len(estimator.history_["loss"]) == 3
    for kept, best in zip(
        weights_of(estimator), estimator.callbacks_[-1].best, strict=True
    ):
        np.testing.assert_array_equal(kept, best)


@pytest.mark.parametrize(
    ("num_pairs", "expected"),
    [(1, 16), (1999, 16), (2000, 32), (7999, 32), (8000, 64), (10**6, 64), (None, 64)],
)
def test_batches_suit_the_size_of_the_data(num_pairs, expected):
    assert small_estimator(batch_size=None).pairs_a_batch(num_pairs) == expected
    assert small_estimator(batch_size=7).pairs_a_batch(num_pairs) == 7


@pytest.mark.parametrize(
    ("num_pairs", "expected"),
    [(1, 0.5), (19_999, 0.5), (20_000, 0.1), (10**6, 0.1), (None, 0.1)],
)
def test_dropout_suits_the_size_of_the_data(num_pairs, expected):
    assert small_estimator().share_dropped(num_pairs) == expected
    assert small_estimator(dropout=0.0).share_dropped(num_pairs) == 0.0


@pytest.mark.parametrize(
    ("updates_per_epoch", "answers", "labels"),
    [(1, 200, 100), (19, 200, 100), (50, 80, 80), (125, 80, 32), (157, 76, 25)]
    + [(469, 25, 10), (1563, 10, 10)],
)
def test_epochs_suit_the_size_of_the_data(updates_per_epoch, answers, labels):
    of_answers, of_labels = AnswerTrainingSettings(), TrainingSettings()
    assert Trainer(of_answers).num_epochs(updates_per_epoch) == answers
    assert Trainer(of_labels).num_epochs(updates_per_epoch) == labels


def test_validation_data_may_be_given():
    estimator = small_estimator(epochs=2).fit(X, Y, validation_data=(["ab"], ["x"]))
    assert len(estimator.history_["val_loss"]) == 2


@pytest.mark.slow
def test_a_function_makes_callbacks_for_each_fit():
    estimator = small_estimator(
        callbacks=[lambda: FreeRunningValidation(["exact_match"])]
    )
    estimator.set_params(validation_fraction=0.25, epochs=2)
    first = estimator.fit(X, Y).callbacks_[0]
    assert len(estimator.history_["val_exact_match"]) == 2
    assert estimator.fit(X, Y).callbacks_[0] is not first


def test_callbacks_are_copied_for_each_fit_and_can_be_read():
    class Counting(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    callback = Counting()
    estimator = small_estimator(epochs=3, callbacks=[callback]).fit(X, Y)
    assert callback.epochs == 0 and estimator.callbacks_[0].epochs == 3


def test_a_fit_that_fails_while_it_trains_keeps_the_fitted_model():
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("disk full")

    estimator = small_estimator().fit(X, Y)
    before = estimator.predict(X)
    estimator.set_params(callbacks=[Failing()])
    with pytest.raises(RuntimeError, match="disk full"):
        estimator.fit(["q", "r"], ["s", "t"])
    assert estimator.predict(X) == before


def test_a_refused_refit_keeps_the_fitted_model(fitted):
    estimator = copy.deepcopy(fitted)
    before = estimator.predict(X)
    with pytest.raises(ValueError):
        estimator.fit(["a"], ["b", "c"])
    with pytest.raises(ValueError):
        estimator.set_params(cell="lsmt").fit(["other", "tokens"], ["1", "2"])
    assert estimator.set_params(cell="lstm").predict(X) == before


def test_a_decoder_that_repeats_learns_to_echo(tmp_path):
    X, y = make_echo(300, n_in=4, n_out=2, n_values=5, random_state=0)
    estimator = small_estimator(
        decoder="repeat",
        attention_kind=None,
        units=48,
        dropout=0.0,
        learning_rate=0.02,
        epochs=25,
        label_smoothing=0.0,
    )
    estimator.fit(X, y)
    new_X, new_y = make_echo(100, n_in=4, n_out=2, n_values=5, random_state=1)
    assert estimator.score(new_X, new_y) > 0.8  # chance is 1 in 25
    assert not any(
        "target_embedding" in w.path for w in estimator.models_.decoder.weights
    )
    again = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq"))
    np.testing.assert_array_equal(again.predict(new_X), estimator.predict(new_X))


def test_training_stops_at_a_loss_that_is_low_enough():
    settings = {"learning_rate": 0.03, "dropout": 0.0, "label_smoothing": 0.0}
    estimator = small_estimator(epochs=300, tol=0.1, **settings).fit(X, Y)
    losses = estimator.history_["loss"]
    assert losses[-1] <= 0.1 < min(losses[:-1])


@pytest.mark.parametrize("schedule", ["constant", "linear"])
def test_it_learns_with_less_teacher_forcing(schedule):
    estimator = small_estimator(
        units=24,
        epochs=40,
        learning_rate=0.02,
        dropout=0.0,
        teacher_forcing=0.5,
        teacher_forcing_schedule=schedule,
        label_smoothing=0.0,
    )
    estimator.fit(X, Y)
    assert estimator.predict(X[:4]) == Y[:4]
    assert estimator.history_["teacher_forcing"] == pytest.approx(
        [forcing_probability(i, 40, start=0.5, schedule=schedule) for i in range(40)]
    )


@pytest.mark.slow
def test_teacher_forcing_is_the_same_for_the_same_seed_and_can_be_kept(tmp_path):
    first, second, plain = (
        small_estimator(epochs=2, teacher_forcing=probability).fit(X, Y)
        for probability in (0.3, 0.3, 1.0)
    )
    assert_same_weights(first, second)
    assert first.history_["loss"] != plain.history_["loss"]
    assert "teacher_forcing" not in plain.history_
    again = kseq2seq.load(first.save(tmp_path / "m.kseq2seq"))
    assert again.teacher_forcing == 0.3 and again.predict(X) == first.predict(X)
    assert pickle.loads(pickle.dumps(first)).predict(X) == first.predict(X)


def test_training_may_stop_by_decoded_answers():
    """While the loss falls on, answers that no longer change end the fit."""
    estimator = small_estimator(
        early_stopping_metric="edit_distance", patience=1, epochs=30, learning_rate=1e-5
    )
    with pytest.raises(ValueError, match="'edit_distance' needs validation pairs"):
        estimator.fit(X, Y)
    history = estimator.fit(X, Y, validation_data=(X[:4], Y[:4])).history_
    assert len(history["val_edit_distance"]) == 2
    assert history["val_edit_distance"][0] == history["val_edit_distance"][1]
    assert history["val_loss"][0] > history["val_loss"][1]


@pytest.mark.parametrize("seed", [None, 0])
def test_global_seeds_have_no_say(seed):
    fitted, answers = [], []
    for global_seed in (1, 1, 2):
        keras.utils.set_random_seed(global_seed)  # Python's, NumPy's and TensorFlow's
        before = np.random.get_state()[1:3]
        estimator = small_estimator(
            random_state=seed, dropout=0.2, validation_fraction=0.25, temperature=9.0
        )
        fitted.append(weights_of(estimator.fit(X, Y)))
        answers.append(list(estimator.predict(X)))
        np.testing.assert_equal(np.random.get_state()[1:3], before)
    for i, j in ((0, 1), (1, 2)):
        same = all((a == b).all() for a, b in zip(fitted[i], fitted[j], strict=True))
        assert same == (answers[i] == answers[j]) == (seed is not None)
