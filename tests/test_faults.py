"""What goes wrong outside: numbers that run away, odd texts, damaged files, kills."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.base import clone
from strategies import LABELS, X, Y, small_classifier, small_estimator

from kseq2seq import load

SMALL = {"epochs": 3, "batch_size": 8}
ESTIMATORS = pytest.mark.parametrize(
    "estimator, y",
    [(small_estimator(**SMALL), Y), (small_classifier(**SMALL), LABELS)],
    ids=["answering", "classifying"],
)


class RunAway(keras.callbacks.Callback):
    """Make the weights of no use in the second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            for variable in self.model.trainable_variables:
                variable.assign(variable + np.nan)


class ExplodeAtLast(keras.callbacks.Callback):
    """Make the weights of no use in the last update of the second epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 2 * self.params["steps"]:
            for variable in self.model.trainable_variables[-2:]:
                variable.assign(variable * np.inf)


@ESTIMATORS
@pytest.mark.parametrize(
    ("validation_fraction", "message"),
    [
        (0.0, "weights were not finite after epoch 2"),
        (0.5, "validation loss was nan after epoch 2"),
    ],
)
def test_a_last_update_that_explodes_is_not_kept(
    estimator, y, validation_fraction, message, tmp_path
):
    path = tmp_path / "checkpoint.kseq2seq"
    estimator = clone(estimator).set_params(
        epochs=2, validation_fraction=validation_fraction, callbacks=[ExplodeAtLast()]
    )
    with pytest.raises(FloatingPointError, match=message):
        estimator.fit(X, y, checkpoint=path)
    again = estimator.set_params(callbacks=None).fit(X, y, checkpoint=path)
    assert len(again.history_["loss"]) == 2
    assert np.isfinite(
        again.predict_proba(X) if hasattr(again, "classes_") else 0
    ).all()


class SpoilsWeights(keras.callbacks.Callback):
    """Is a callback of a user that leaves weights that are of no use."""

    def __init__(self, when):
        super().__init__()
        setattr(self, when, self.spoil)

    def spoil(self, *_, **__):
        for variable in self.model.trainable_variables[-1:]:
            variable.assign(variable * np.inf)


@pytest.mark.parametrize("when", ["on_epoch_end", "on_train_end"])
def test_what_a_callback_spoils_is_not_kept(when, tmp_path):
    path = tmp_path / "checkpoint.kseq2seq"
    estimator = small_estimator(epochs=1, callbacks=[SpoilsWeights(when)])
    with pytest.raises(FloatingPointError, match="holds NaN or infinity"):
        estimator.fit(X, Y, checkpoint=path)
    assert not estimator._is_fitted
    assert path.exists() == (when == "on_train_end")


@ESTIMATORS
def test_a_loss_that_is_no_number_stops_with_advice(estimator, y, tmp_path):
    path = tmp_path / "checkpoint.kseq2seq"
    estimator = clone(estimator).fit(X, y)
    before = estimator.predict(X)
    estimator.set_params(callbacks=[RunAway()])
    with pytest.raises(FloatingPointError, match="nan after epoch 2: .* Lower learn"):
        estimator.fit(X, y, checkpoint=path)
    assert list(estimator.predict(X)) == list(before)
    again = estimator.set_params(callbacks=None).fit(X, y, checkpoint=path)
    assert len(again.history_["loss"]) == 3
    assert np.isfinite(again.history_["loss"]).all()


ODD = [
    "a" * 100_000,
    "\N{GRINNING FACE}\N{ZERO WIDTH JOINER}\N{HEAVY BLACK HEART}",
    "e\N{COMBINING ACUTE ACCENT}" * 3,
    "\N{HEBREW LETTER ALEF}\N{ARABIC LETTER BEH}\N{RIGHT-TO-LEFT OVERRIDE}ab",
    "a\0b",
    "",
    " \t\r\n\v\f\x85\u2028",
    "\ufeff\uffff\U0010ffff",
    "a\ud800b",  # half a surrogate pair
]


@pytest.mark.parametrize("tokenizer", ["char", "word", "whitespace"])
def test_odd_texts_are_answered(tokenizer, fitted):
    estimator = fitted
    if tokenizer != "char":
        estimator = small_estimator(source_tokenizer=tokenizer).fit(X, Y)
    answers = estimator.predict(["ab", *ODD])
    assert len(answers) == 1 + len(ODD)
    assert all(isinstance(answer, str) for answer in answers)


def test_odd_texts_are_learned_and_come_back_from_a_file_too(tmp_path):
    texts = [text[:6] for text in ODD if text.strip()]
    estimator = small_estimator(
        units=48, epochs=80, learning_rate=0.02, dropout=0.0, bidirectional=True
    )
    estimator.fit(texts, texts[::-1])
    assert estimator.predict(texts) == texts[::-1]
    again = load(estimator.save(tmp_path / "m.kseq2seq"))
    assert again.predict(texts) == texts[::-1]


@pytest.mark.slow
def test_training_goes_on_from_where_it_was_killed_twenty_times(tmp_path):
    script = Path(__file__).with_name("killing.py")
    shown = subprocess.run(
        [sys.executable, str(script), str(tmp_path), "20"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = json.loads(shown.splitlines()[-1])
    assert len(found["killed"]) == 20
    for kill in found["killed"]:
        assert kill["ended"] - 1 <= kill["kept"] <= kill["ended"] + 1
    assert found["same"]
    kinds = ("end", "kseq2seq")
    names = [f"{name}.{kind}" for name in ("killed", "whole") for kind in kinds]
    assert found["files"] == names  # and nothing unfinished


def damaged(content, rng):
    """Return a file's bytes with some flipped, cut out or added."""
    start, end = np.sort(rng.integers(len(content) + 1, size=2))
    end = min(end, start + 64)
    some = rng.bytes(int(rng.integers(1, 64)))
    kind = rng.integers(5)
    if kind == 0:
        return content[:start] + some + content[start:]
    if kind == 1:
        return content[:start] + content[end:]
    if kind == 2:
        return content[:start]
    if kind == 3:
        return content[:start] + some + content[start + len(some) :]
    flipped = bytearray(content)
    for position in rng.integers(len(content), size=3):
        flipped[position] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def test_a_thousand_damaged_files_load_right_or_are_refused(fitted, tmp_path):
    path = fitted.save(tmp_path / "m.kseq2seq")
    content, answers = path.read_bytes(), fitted.predict(X)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(1000):
        path.write_bytes(damaged(content, rng))
        try:
            loaded = load(path)
        except ValueError as error:
            assert "is damaged" in str(error) or "not a kseq2seq model" in str(error)
            refused += 1
        else:
            assert loaded.predict(X) == answers
    assert refused > 900
