"""A fit that was broken off goes on as if it had not been."""

import shutil
import signal

import keras
import numpy as np
import pytest
from strategies import assert_same_weights

import kseq2seq
from kseq2seq import Seq2SeqEstimator, SequenceClassifier, persistence
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
        "bidirectional": False,
        "dropout": 0.3,
        "batch_size": 4,
        "epochs": 4,
        "validation_fraction": 0.25,
        "random_state": 0,
    }
    return Seq2SeqEstimator(**parameters | changes)


def assert_same(one, other):
    assert_same_weights(one, other)
    assert one.history_ == other.history_


@pytest.fixture(scope="module")
def whole():
    """A fit that nothing broke off; tests must not change it."""
    return make_estimator().fit(X, Y)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The checkpoint of a fit of two epochs that ended; tests work on copies."""
    path = tmp_path_factory.mktemp("kept") / "run.kseq2seq"
    estimator = make_estimator(epochs=2)
    return estimator.fit(X, Y, checkpoint=path, validation_data=(X[:2], Y[:2])), path


@pytest.fixture
def path(kept, tmp_path):
    """A copy of the checkpoint that a test may write to."""
    return shutil.copy(kept[1], tmp_path / "run.kseq2seq")


def plateau():
    """Lower the learning rate after every epoch but the first."""
    return keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=10.0)


@pytest.mark.parametrize(
    ("callback", "changes"),
    [
        pytest.param(
            None,
            {"teacher_forcing": 0.5, "ema_momentum": 0.9, "warmup_steps": 3},
            marks=pytest.mark.slow,
        ),
        (None, {"patience": 1, "learning_rate": 0.5, "bidirectional": True}),
        (
            plateau,
            {
                "optimizer": keras.optimizers.RMSprop(0.01),
                "gradient_accumulation_steps": 2,
            },
        ),
    ],
    ids=["samples and averages", "stops early", "accumulates, callbacks remember"],
)
def test_a_fit_that_was_broken_off_ends_with_the_same_weights(
    tmp_path, callback, changes
):
    def make(*others):
        callbacks = [callback(), *others] if callback else [*others]
        return make_estimator(callbacks=callbacks, **changes)

    path = tmp_path / "run.kseq2seq"
    whole = make().fit(X, Y)
    assert ("learning_rate" in whole.history_) == (callback is plateau)
    broken = make(BreaksOff(2))
    if len(whole.history_["loss"]) > 2:
        with pytest.raises(RuntimeError, match="power"):
            broken.fit(X, Y, checkpoint=path)
    else:
        broken.fit(X, Y, checkpoint=path)
    assert_same(make().fit(X, Y, checkpoint=path), whole)


@pytest.mark.slow
def test_without_a_seed_a_fit_goes_on_with_its_own_random_numbers(tmp_path):
    path = tmp_path / "run.kseq2seq"
    changes = {"random_state": None, "epochs": 3}
    broken = make_estimator(**changes, callbacks=[BreaksOff(1)])
    with pytest.raises(RuntimeError, match="power"):
        broken.fit(X, Y, checkpoint=path)
    other = shutil.copy(path, tmp_path / "other.kseq2seq")
    first, second = (
        make_estimator(**changes).fit(X, Y, checkpoint=copy) for copy in (path, other)
    )
    assert_same(first, second)


class Interrupts(keras.callbacks.Callback):
    """Is a Ctrl-C while an epoch is being validated."""

    def on_test_end(self, logs=None):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_an_interrupt_is_no_end(tmp_path, whole):
    path = tmp_path / "run.kseq2seq"
    with pytest.warns(UserWarning, match="interrupted"):
        make_estimator(callbacks=[Interrupts()]).fit(X, Y, checkpoint=path)
    assert Progress.of(path) == Progress(epochs=1, ended=False)
    resumed = make_estimator().fit(X, Y, checkpoint=path)
    assert_same(resumed, whole)
    assert Progress.of(path) == Progress(epochs=4, ended=True)


@pytest.mark.slow
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


def test_what_training_does_not_depend_on_may_change(kept, path):
    again = make_estimator(epochs=2, verbose=2, beam_size=2, forced_prefix="a")
    data = {"checkpoint": path, "validation_data": (X[:2], Y[:2])}
    assert_same(again.fit(X, Y, **data), kept[0])
    assert again.beam_size == 2


@pytest.mark.parametrize("wrong", [5, True, [], b"x", "", "a\0b", "x" * 300, "x" * 240])
def test_what_is_no_path_is_named(wrong):
    with pytest.raises((TypeError, ValueError), match="^checkpoint "):
        make_estimator().fit(X, Y, checkpoint=wrong)


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


def unfinished(path, name="killed"):
    """Return what a killed write to a path leaves, or what one under way has."""
    left = path.with_name(f".{path.name}.unfinished-{name}")
    left.write_bytes(b"half")
    return left


def in_folder(path):
    return sorted(one.name for one in path.parent.iterdir())


class Intrudes(keras.callbacks.Callback):
    """Opens the checkpoint of the training under way in another fit."""

    def __init__(self, path, **changes):
        super().__init__()
        self.path, self.changes, self.refusals = path, changes, []

    def on_epoch_end(self, epoch, logs=None):
        with pytest.raises(BlockingIOError, match="training that is under way") as one:
            make_estimator(**self.changes).fit(X, Y, checkpoint=self.path)
        self.refusals.append(one.value)


@pytest.mark.parametrize("changes", [{}, {"units": 16}], ids=["same", "other"])
def test_a_checkpoint_has_one_training_at_a_time(tmp_path, changes):
    path = tmp_path / "run.kseq2seq"
    link = tmp_path / "link.kseq2seq"
    link.symlink_to(path)
    intruder = Intrudes(link, **changes)
    make_estimator(callbacks=[lambda: intruder], epochs=2).fit(X, Y, checkpoint=path)
    assert len(intruder.refusals) == 2
    assert Progress.of(path) == Progress(epochs=2, ended=True)
    assert in_folder(path) == ["link.kseq2seq", "run.kseq2seq"]


def test_a_fit_that_fails_lets_go_of_its_checkpoint(tmp_path):
    path = tmp_path / "run.kseq2seq"
    with pytest.raises(RuntimeError, match="power"):
        make_estimator(callbacks=[BreaksOff(0)]).fit(X, Y, checkpoint=path)
    assert in_folder(path) == []
    (tmp_path / ".run.kseq2seq.lock").touch()  # as a killed one leaves it
    make_estimator(epochs=1).fit(X, Y, checkpoint=path)
    assert in_folder(path) == ["run.kseq2seq"]


def test_only_a_fit_that_passes_all_checks_tidies_up(kept, path):
    left = unfinished(path)
    data = {"checkpoint": path, "validation_data": (X[:2], Y[:2])}
    for refused in ({"units": 16}, {"metrics": [keras.metrics.Mean()]}):
        with pytest.raises(ValueError, match="with other|with another"):
            make_estimator(epochs=2, **refused).fit(X, Y, **data)
    with pytest.raises(ValueError, match="on other data"):
        make_estimator(epochs=2).fit(X, Y[::-1], **data)
    assert left.exists()
    make_estimator(epochs=2).fit(X, Y, **data)  # nothing is left to train
    assert in_folder(path) == ["run.kseq2seq"]


def test_an_epoch_that_was_broken_off_is_no_checkpoint(tmp_path):
    path = tmp_path / "run.kseq2seq"
    make_estimator(callbacks=[AsksToStop()]).fit(X, Y, checkpoint=path)
    assert not path.exists()


def test_a_checkpoint_is_a_model_file(kept):
    estimator, path = kept
    assert kseq2seq.load(path).predict(X) == estimator.predict(X)


def test_other_parameters_are_named(path):
    with pytest.raises(
        ValueError, match="dropout was 0.3 and is 0.1; units was 8 and is 16"
    ):
        make_estimator(epochs=2, units=16, dropout=0.1).fit(X, Y, checkpoint=path)


def test_another_embedding_matrix_is_another_parameter(tmp_path):
    path = tmp_path / "run.kseq2seq"
    matrix = np.ones((6, 4), dtype="float32")
    make_estimator(epochs=1, source_embedding=matrix).fit(X, Y, checkpoint=path)
    with pytest.raises(ValueError, match="source_embedding has other values"):
        make_estimator(epochs=1, source_embedding=2 * matrix).fit(X, Y, checkpoint=path)


@pytest.mark.parametrize("changed", ["pairs", "weights", "validation"])
def test_other_data_are_refused(path, changed):
    data = {
        "pairs": (X, [*Y[:-1], "abba"], None, 2),
        "weights": (X, Y, np.arange(1.0, 33), 2),
        "validation": (X, Y, None, 3),
    }
    source, target, weights, k = data[changed]
    with pytest.raises(ValueError, match="on other data"):
        make_estimator(epochs=2).fit(
            source,
            target,
            sample_weight=weights,
            validation_data=(X[:k], Y[:k]),
            checkpoint=path,
        )


def test_a_plain_model_file_is_no_checkpoint_and_stays(whole, tmp_path):
    path = whole.save(tmp_path / "model.kseq2seq")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="no checkpoint to resume from"):
        make_estimator().fit(X, Y, checkpoint=path)
    assert path.read_bytes() == before


def test_a_checkpoint_that_cannot_be_is_refused_before_training(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        make_estimator().fit(X, Y, checkpoint=tmp_path / "no" / "run.kseq2seq")
    with pytest.raises(TypeError, match="a stream cannot be taken up"):
        make_estimator().fit(iter([("a", "b")]), checkpoint=tmp_path / "run.kseq2seq")


@pytest.mark.slow
def test_a_classifier_goes_on_too(tmp_path):
    path, labels = tmp_path / "run.kseq2seq", [text[0] for text in X]
    sizes = {"units": 6, "embedding_dim": 4, "epochs": 3, "batch_size": 4}

    def classifier(**changes):
        return SequenceClassifier(
            **sizes, bidirectional=False, random_state=0, **changes
        )

    whole = classifier().fit(X, labels)
    with pytest.raises(RuntimeError):
        classifier(callbacks=[BreaksOff(1)]).fit(X, labels, checkpoint=path)
    resumed = classifier().fit(X, labels, checkpoint=path)
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    with pytest.raises(ValueError, match="on other data"):
        classifier().fit(X, labels[::-1], checkpoint=path)


class Notes(keras.callbacks.Callback):
    """Notes each epoch's number, rate and teacher forcing."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_begin(self, epoch, logs=None):
        sampling = self.model.get_layer("scheduled_sampling")
        rate = float(self.model.optimizer.learning_rate)
        self.seen.append((epoch, rate, float(sampling.probability)))


@pytest.mark.parametrize(
    "changes", [{}, pytest.param({"warmup_steps": 3}, marks=pytest.mark.slow)]
)
def test_more_epochs_follow_the_schedules_of_all_of_them(tmp_path, changes):
    changes = {"teacher_forcing_schedule": "linear", **changes}
    path = tmp_path / "run.kseq2seq"

    def fit(epochs, **options):
        estimator = make_estimator(epochs=epochs, callbacks=[Notes()], **changes)
        return estimator.fit(X, Y, **options)

    first = fit(2, checkpoint=path)
    more = fit(5, checkpoint=path)
    whole = fit(5)
    np.testing.assert_allclose(
        more.callbacks_[0].seen, whole.callbacks_[0].seen[2:], rtol=1e-5
    )
    assert more.history_["loss"][:2] == first.history_["loss"]
    assert len(more.history_["loss"]) == 5
    assert kseq2seq.load(path).epochs == 5
    assert fit(5, checkpoint=path).callbacks_[0].seen == []


def test_a_checkpoint_gets_more_epochs_and_never_fewer(path):
    data = {"checkpoint": path, "validation_data": (X[:2], Y[:2])}
    with pytest.raises(ValueError, match="epochs was 2 and is 1.*only epochs may grow"):
        make_estimator(epochs=1).fit(X, Y, **data)
    with pytest.raises(ValueError, match="epochs was 2 and is None"):
        make_estimator(epochs=None).fit(X, Y, **data)
    assert Progress.of(path) == Progress(epochs=2, ended=True)
    assert Progress.of(path).is_all_of(2) and not Progress.of(path).is_all_of(3)


def test_what_patience_has_ended_stays_ended(tmp_path):
    path = tmp_path / "run.kseq2seq"
    stops = {"patience": 1, "learning_rate": 0.5, "attention_kind": "dot"}
    done = len(make_estimator(**stops).fit(X, Y, checkpoint=path).history_["loss"])
    assert done < 4 and Progress.of(path).is_all_of(9)
    again = make_estimator(**stops, epochs=9).fit(X, Y, checkpoint=path)
    assert len(again.history_["loss"]) == done


def test_the_first_checkpoints_may_be_extended(path):
    """They do not say of how many epochs they are, nor what the rate's share was."""
    artifact = persistence.read_artifact(path)
    state = artifact.description["training"]["state"]
    del state["of"], state["stopped"], state["callbacks"]["CosineDecay_0"]["share"]
    persistence.write_artifact(path, artifact, overwrite=True)
    data = {"checkpoint": path, "validation_data": (X[:2], Y[:2])}
    assert len(make_estimator(epochs=2).fit(X, Y, **data).history_["loss"]) == 2
    assert len(make_estimator(epochs=3).fit(X, Y, **data).history_["loss"]) == 3
