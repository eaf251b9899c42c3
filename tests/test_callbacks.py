import keras
import numpy as np
import pytest
from strategies import small_estimator
from test_features import Table

from kseq2seq.metrics import measure
from kseq2seq.training import FreeRunningValidation, SampleAnswers

X, Y = ["ab", "ba", "abb", "a"] * 6, ["x", "y", "xy", "yx"] * 6
VALIDATION = ["ab", "ba", "abb", "a", "bbb"], ["x", "y", "xy", "yx", "xxxx"]


def small(**parameters):
    defaults = {"units": 16, "dropout": 0.0, "learning_rate": 0.01, "batch_size": 8}
    return small_estimator(**{**defaults, "patience": None, **parameters})


class Seeing(keras.callbacks.Callback):
    """Keeps a figure of each epoch, as a callback that writes figures does."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(logs["val_token_accuracy"])


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A fit whose callbacks watch answers and come in the list before what measures."""
    folder = tmp_path_factory.mktemp("watched")
    best = folder / "best.weights.h5"
    callbacks = [
        keras.callbacks.EarlyStopping("val_exact_match", mode="max", patience=15),
        keras.callbacks.ModelCheckpoint(
            best,
            "val_exact_match",
            mode="max",
            save_best_only=True,
            save_weights_only=True,
        ),
        keras.callbacks.CSVLogger(folder / "log.csv"),
        Seeing(),
        FreeRunningValidation(),
    ]
    estimator = small(
        units=24, learning_rate=0.03, epochs=200, callbacks=callbacks, batch_size=4
    )
    return estimator.fit(X, Y, validation_data=VALIDATION), folder


def test_the_last_epochs_figures_are_those_of_the_estimators_answers(watched):
    estimator, _ = watched
    history = estimator.history_
    assert history["val_exact_match"][-1] == estimator.score(*VALIDATION)
    answers = estimator.predict(VALIDATION[0])
    for name, value in measure(VALIDATION[1], answers).items():
        assert history[f"val_{name}"][-1] == pytest.approx(value)
    assert history["val_exact_match"][0] < history["val_exact_match"][-1] == 0.8
    assert len(history["val_edit_distance"]) == len(history["loss"])


def test_early_stopping_stops_by_exact_match(watched):
    matches = watched[0].history_["val_exact_match"]
    assert len(matches) == int(np.argmax(matches)) + 1 + 15 < 200


def test_checkpoints_keep_the_weights_of_the_best_answers(watched):
    estimator, folder = watched
    matches = estimator.history_["val_exact_match"]
    assert matches[-1] == max(matches)
    last = estimator.models_.training.get_weights()
    estimator.models_.training.load_weights(folder / "best.weights.h5")
    try:
        assert estimator.score(*VALIDATION) == max(matches)
        loaded = estimator.models_.training.get_weights()
        assert any((a != b).any() for a, b in zip(loaded, last, strict=True))
    finally:
        estimator.models_.training.set_weights(last)


def test_the_log_file_has_the_figures(watched):
    estimator, folder = watched
    header, *lines = (folder / "log.csv").read_text().splitlines()
    column = header.split(",").index("val_exact_match")
    logged = [float(line.split(",")[column]) for line in lines]
    assert logged == pytest.approx(estimator.history_["val_exact_match"])


def test_every_callback_before_it_in_the_list_sees_the_figures(watched):
    seen = watched[0].callbacks_[-1].seen
    assert seen == watched[0].history_["val_token_accuracy"]


class Answering:
    """Answers each source with itself, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, X):
        self.asked.append(list(X))
        return list(X)


def run(callback, epochs):
    """Return the logs of so many epochs."""
    callback.on_train_begin()
    logs = [{"loss": 1.0} for _ in range(epochs)]
    for epoch in range(epochs):
        callback.on_epoch_end(epoch, logs[epoch])
    return logs


def test_between_two_measurements_the_last_one_stands():
    answers = iter([["a", "x"], ["a", "b"]])
    callback = FreeRunningValidation(every=2)
    callback.attach(lambda X: next(answers), ["a", "b"], ["a", "b"])
    logs = run(callback, 4)
    assert [log["val_exact_match"] for log in logs] == [0.5, 0.5, 1.0, 1.0]
    assert [log["val_edit_distance"] for log in logs] == [0.5, 0.5, 0.0, 0.0]


def test_no_more_pairs_are_measured_than_allowed():
    predict = Answering()
    callback = FreeRunningValidation(["exact_match"], max_pairs=2)
    callback.attach(predict, ["a", "b", "c"], ["a", "x", "x"])
    assert run(callback, 1) == [{"loss": 1.0, "val_exact_match": 0.5}]
    assert predict.asked == [["a", "b"]]


def test_metrics_of_tokens_count_them():
    callback = FreeRunningValidation(["token_accuracy", "token_error_rate", "bleu"])
    callback.attach(
        Answering(),
        ["one two three four", "one"],
        ["one two six four", "one"],
        tokens=lambda texts: [text.split() for text in texts],
    )
    (log,) = run(callback, 1)
    assert log["val_token_accuracy"] == pytest.approx(4 / 5)
    assert log["val_token_error_rate"] == pytest.approx(1 / 5)
    assert 0 < log["val_bleu"] < 100


def test_answers_are_printed_with_what_was_right(capsys):
    predict = Answering()
    callback = SampleAnswers(2, every=2)
    callback.attach(predict, ["a", "b", "c"], ["a", "x", "c"])
    run(callback, 3)
    shown = capsys.readouterr().out
    sample = "  a -> a  (right)\n  b -> b  (expected x)\n"
    assert shown == f"epoch 1\n{sample}epoch 3\n{sample}"
    assert predict.asked == [["a", "b"]] * 2


@pytest.mark.parametrize(
    "X",
    [[("a", ["V", "PST"])], Table(lemma=["a"], tags=[["V", "PST"]])],
    ids=["pairs", "table"],
)
def test_features_are_printed_in_brackets_behind_their_source(X, capsys):
    callback = SampleAnswers(1)
    callback.attach(lambda X: ["b"], X, ["b"])
    run(callback, 1)
    assert capsys.readouterr().out == "epoch 1\n  a [V] [PST] -> b  (right)\n"


def test_a_fit_prints_answers_of_its_own(capsys):
    estimator = small(epochs=3, callbacks=[SampleAnswers(1, every=2)])
    estimator.fit(X, Y, validation_data=VALIDATION)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("epoch")] == [
        "epoch 1",
        "epoch 3",
    ]
    answer = estimator.predict(["ab"])[0] or "(nothing)"
    assert lines[-1].startswith(f"  ab -> {answer}  (")


@pytest.mark.parametrize("kind", [FreeRunningValidation, SampleAnswers])
def test_without_validation_pairs_a_fit_is_refused_and_the_last_one_stays(kind):
    estimator = small().fit(X, Y)
    before = estimator.predict(X)
    estimator.set_params(callbacks=[kind()])
    message = f"{kind.__name__} has no pairs to validate on: pass fit validation_data"
    with pytest.raises(ValueError, match=message):
        estimator.fit(["q", "r"], ["s", "t"])
    assert estimator.predict(X) == before
    with pytest.raises(ValueError, match=r"call attach\(predict, X, y\)"):
        kind().on_train_begin()


class Keeping(FreeRunningValidation):
    """Keeps the pairs that it measures on."""

    def attach(self, predict, X, y, **more):
        self.pairs = X, y
        super().attach(predict, X, y, **more)


def check_figures(estimator):
    """Hold that the only epoch's figures are those of the pairs; return these."""
    pairs = estimator.callbacks_[0].pairs
    expected = measure(pairs[1], estimator.predict(pairs[0]))
    for name, value in expected.items():
        assert estimator.history_[f"val_{name}"] == pytest.approx([value])
    return pairs


def test_the_held_back_part_is_validated_on():
    estimator = small(validation_fraction=0.25, callbacks=[Keeping()]).fit(X, Y)
    pairs = list(zip(*check_figures(estimator), strict=True))
    assert len(pairs) == 6 and set(pairs) <= set(zip(X, Y, strict=True))


def test_rows_of_integers_are_validated_on():
    rows = np.random.default_rng(0).integers(0, 3, size=(16, 3))
    estimator = small(validation_fraction=0.25, callbacks=[Keeping()])
    held_back, targets = check_figures(estimator.fit(rows, rows[:, :2]))
    np.testing.assert_array_equal(np.asarray(held_back)[:, :2], targets)
    assert len(targets) == 4 and 0 < estimator.history_["val_token_accuracy"][0] < 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: FreeRunningValidation(["exact_mach"]),
            "metrics must be .* got 'exact_mach'. Did you mean 'exact_match'",
        ),
        (lambda: FreeRunningValidation("bleu"), "metrics must be a list of .*'bleu'"),
        (lambda: FreeRunningValidation([]), r"metrics must be a list of .* got \[\]"),
        (lambda: FreeRunningValidation(every=0), "every must be .* at least 1; got 0"),
        (lambda: FreeRunningValidation(max_pairs=0), "max_pairs must be"),
        (lambda: SampleAnswers(0), "num_answers must be"),
        (lambda: SampleAnswers(every=1.5), "every must be a whole number"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
