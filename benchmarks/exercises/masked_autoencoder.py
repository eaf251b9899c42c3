"""Restore the left half of handwritten digits from the right one.

The pictures are scikit-learn's 1,797 digits of 8 by 8 pixels, scaled to 0 to 1; a fifth
of them is kept for testing. To compare with, every picture is also answered with the
mean of those to train on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks.exercises.results import Row
from benchmarks.exercises.training import Progress
from kseq2seq import SequenceRegressor, build_masked_autoencoder
from kseq2seq.datasets import mask_left_half

SEED = 0


@dataclass(frozen=True)
class Pictures:
    """Pictures ``(n, 8, 8)`` with the left half zeroed, and whole."""

    masked: np.ndarray
    whole: np.ndarray


def run(progress: Progress, *, epochs: int = 60) -> list[Row]:
    """Return the exercise's rows."""
    train, test = load_pictures()
    return [
        run_autoencoder(progress, train, test, epochs=epochs),
        run_columns(progress, train, test, epochs=epochs),
    ]


def load_pictures() -> tuple[Pictures, Pictures]:
    """Return the pictures to train on and those to test on."""
    digits = load_digits().images / 16
    train, test = train_test_split(digits, test_size=0.2, random_state=SEED)
    return Pictures(*mask_left_half(train)), Pictures(*mask_left_half(test))


def run_autoencoder(
    progress: Progress, train: Pictures, test: Pictures, *, epochs: int
) -> Row:
    """Train the autoencoder and measure what it restores."""
    sizes = {"hidden_units": 256, "latent_units": 32, "num_hidden_layers": 2}
    training = build_masked_autoencoder(
        train.whole.shape[1:], **sizes, random_state=SEED
    ).training
    schedule: dict[str, Any] = {
        "learning_rate": 0.001,
        "batch_size": 32,
        "epochs": epochs,
    }
    progress(f"autoencoder: {len(train.whole):,} pictures, {epochs} epochs")
    start = time.perf_counter()
    fit(training, train, **schedule)
    seconds = time.perf_counter() - start
    restored = training.predict(test.masked, verbose=0)
    return _row(
        train,
        test,
        restored,
        setting={**sizes, **schedule},
        model="dense layers",
        role="best",
        parameters=training.count_params(),
        seconds=round(seconds, 1),
    )


def run_columns(
    progress: Progress, train: Pictures, test: Pictures, *, epochs: int
) -> Row:
    """Train a regressor from columns to columns, and measure it the same way."""
    setting: dict[str, Any] = {
        "units": 128,
        "attention_kind": "dot",
        "bidirectional": True,
        "dropout": 0.2,
        "scaling": None,
        "epochs": epochs,
        "validation_fraction": 0.0,
    }
    progress(f"columns: {len(train.whole):,} pictures, {epochs} epochs")
    restore, told = fit_columns(train, setting)
    return _row(
        train,
        test,
        restore(test.masked),
        setting=setting,
        model="columns as a sequence, LSTM with dot attention",
        role="other",
        **told,
    )


def fit_columns(
    train: Pictures, setting: dict[str, Any]
) -> tuple[Callable[[np.ndarray], np.ndarray], dict[str, Any]]:
    """Train a regressor; return what restores pictures, and what a row says of it."""
    regressor = SequenceRegressor(**setting, random_state=SEED)
    start = time.perf_counter()
    regressor.fit(_columns(train.masked), _columns(train.whole))
    seconds = time.perf_counter() - start
    (models,) = regressor.models_

    def restore(masked: np.ndarray) -> np.ndarray:
        return _columns(regressor.predict(_columns(masked)))

    parameters = models.training.count_params()
    return restore, {"parameters": parameters, "seconds": round(seconds, 1)}


def _row(
    train: Pictures,
    test: Pictures,
    restored: np.ndarray,
    *,
    setting: dict[str, Any],
    **known: Any,
) -> Row:
    """Measure the restored pictures."""
    return Row(
        exercise="masked_autoencoder",
        setting={
            "train_pictures": len(train.whole),
            "test_pictures": len(test.whole),
            **setting,
            "optimizer": "adam",
            "loss": "mean squared error",
            "random_state": SEED,
        },
        ours=measure(restored, train, test),
        **known,
    )


def _columns(pictures: np.ndarray) -> np.ndarray:
    """Return the columns in place of the rows, or the rows again."""
    return pictures.transpose(0, 2, 1)


def fit(
    training: keras.Model,
    train: Pictures,
    *,
    learning_rate: float,
    batch_size: int,
    epochs: int,
    falls: bool = False,
    changes: Callable[[np.ndarray], np.ndarray] | None = None,
) -> keras.callbacks.History:
    """Train with Adam; each epoch has an order of its own that the seed settles.

    Parameters
    ----------
    training : keras.Model
    train : Pictures
    learning_rate : float
    batch_size, epochs : int
    falls : bool, default False
        Whether the learning rate falls along half a cosine.
    changes : callable, optional
        Makes other pictures of the whole ones, anew in each epoch.
    """
    batches = _Shuffled(train, batch_size, changes)
    rate: Any = learning_rate
    if falls:
        steps = epochs * len(batches)
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    training.compile(keras.optimizers.Adam(rate), loss="mse")
    return training.fit(batches, epochs=epochs, shuffle=False, verbose=0)


class _Shuffled(keras.utils.PyDataset):
    """Batches in an order that depends on nothing but the seed.

    The order in which Keras shuffles an array follows its global seed.
    """

    def __init__(
        self,
        pictures: Pictures,
        batch_size: int,
        changes: Callable[[np.ndarray], np.ndarray] | None,
    ) -> None:
        super().__init__()
        self.given = self.pictures = pictures
        self.batch_size, self.changes = batch_size, changes
        self.rng = np.random.default_rng(SEED)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        self.order = self.rng.permutation(len(self.given.whole))
        if self.changes is not None:
            parts = np.array_split(self.given.whole, -(-len(self.order) // 1000))
            changed = np.concatenate([self.changes(part) for part in parts])
            self.pictures = Pictures(*mask_left_half(changed))

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.order[index * self.batch_size :][: self.batch_size]
        return self.pictures.masked[rows], self.pictures.whole[rows]


def measure(restored: np.ndarray, train: Pictures, test: Pictures) -> dict[str, float]:
    """Return the mean squared errors of the restored pictures and of the mean one."""
    hidden = np.s_[:, :, : test.whole.shape[2] // 2]
    errors = {}
    for name, answer in [("", restored), ("mean_image_", train.whole.mean(axis=0))]:
        error = np.square(answer - test.whole, dtype=np.float64)
        errors[f"{name}mean_squared_error"] = float(error.mean())
        errors[f"{name}mean_squared_error_hidden_half"] = float(error[hidden].mean())
    return errors
