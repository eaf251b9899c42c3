"""The masked autoencoder on MNIST: as published, at our best, and on changed pictures.

Run ``python -m benchmarks.mnist DATA``, DATA the folder with ``mnist.npz`` as
``keras.datasets.mnist`` has it. The left half of a picture is hidden and restored from
the right one. Beside test pictures as they are stand the same ones turned by up to 10
degrees, moved by up to a fifth of their size and sheared by up to 5 degrees: restored
by networks that were trained on pictures as they are, and on such ones.

The rows take the place of the old ones in DIR/results.json, DIR/results.md is made from
that file, and DIR/mnist.png has rows of pictures. Our best setting was chosen on the
last 10,000 of the pictures to train on, which ``--dev`` measures on.
"""

from __future__ import annotations

import math
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from matplotlib import pyplot
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.commands import plain_parser
from benchmarks.exercises import masked_autoencoder, results
from benchmarks.exercises.__main__ import keep_models, show_progress
from benchmarks.exercises.masked_autoencoder import Pictures
from kseq2seq import build_masked_autoencoder
from kseq2seq.datasets import mask_left_half
from kseq2seq.persistence import check_can_write
from kseq2seq.plotting import plot_images

EXERCISE = "masked_autoencoder_mnist"
SEED = 0
PUBLISHED = "left half hidden, 30 epochs; training errors after epochs 1, 11 and 21"
PUBLISHED_ERRORS = {1: 0.0634, 11: 0.0186, 21: 0.0157}
AS_PUBLISHED: dict[str, Any] = {
    "hidden_units": 256,
    "latent_units": 64,
    "num_hidden_layers": 2,
    "learning_rate": 0.0002,
    "batch_size": 64,
    "epochs": 30,
}
BEST = {**AS_PUBLISHED, "hidden_units": 1024, "latent_units": 128, "falls": True}
BEST |= {"learning_rate": 0.001, "batch_size": 128, "epochs": 15}
COLUMNS: dict[str, Any] = {"dropout": 0.1, "epochs": 8, "scaling": None}
TURNED, MOVED, SHEARED = 10, 0.2, 5
"""Degrees, share of the size, degrees; each drawn evenly to both sides."""


class Digits(NamedTuple):
    """Pictures ``(n, 28, 28)`` from 0 to 1, and what they show."""

    pictures: np.ndarray
    labels: np.ndarray


def load(data: Path, *, dev: bool) -> tuple[Digits, Digits]:
    """Return the digits to train on, and those to measure on.

    Raises
    ------
    ValueError, OSError
        When the file is not what Keras has.
    """
    path = data / "mnist.npz"
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            known, unseen = (
                Digits(arrays[f"x_{part}"], arrays[f"y_{part}"])
                for part in ("train", "test")
            )
    except (EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} must be the file of keras.datasets.mnist; got {error!r}."
        ) from error
    if dev:
        cut = len(known.labels) * 5 // 6
        unseen = Digits(*(array[cut:] for array in known))
        known = Digits(*(array[:cut] for array in known))
    return _checked(known, path), _checked(unseen, path)


def _checked(digits: Digits, path: Path) -> Digits:
    """Return digits from 0 to 1, or raise where there are not all of them."""
    pictures, labels = digits
    if pictures.dtype != np.uint8 or pictures.shape != (len(labels), 28, 28):
        raise ValueError(
            f"{path} must hold pictures (n, 28, 28) of bytes with n labels; got "
            f"{pictures.shape} {pictures.dtype} and {labels.shape}."
        )
    if {*labels.tolist()} != {*range(10)}:
        raise ValueError(f"{path} must show all ten digits; got {np.unique(labels)}.")
    return Digits(np.float32(pictures) / 255, labels)


class Changes:
    """Turns, moves and shears pictures, each in a way of its own."""

    def __init__(self, seed: int) -> None:
        black: dict[str, Any] = {"fill_mode": "constant", "fill_value": 0.0}
        shear = (0.0, math.tan(math.radians(SHEARED)))
        self.layers = [
            keras.layers.RandomRotation(TURNED / 360, **black, seed=seed),
            keras.layers.RandomShear(shear, **black, seed=seed + 1),
            keras.layers.RandomTranslation(MOVED, MOVED, **black, seed=seed + 2),
        ]

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Return changed pictures, in place of ``(n, height, width)``."""
        values: Any = pictures[..., None]
        for layer in self.layers:
            values = layer(values, training=True)
        return np.clip(keras.ops.convert_to_numpy(values)[..., 0], 0, 1)


def train_autoencoder(
    train: Pictures, setting: dict[str, Any], changes: Callable[..., Any] | None = None
) -> tuple[keras.Model, list[float]]:
    """Return a trained network, and its training error after each epoch."""
    sizes = ("hidden_units", "latent_units", "num_hidden_layers")
    of_fit = {name: value for name, value in setting.items() if name not in sizes}
    training = build_masked_autoencoder(
        train.whole.shape[1:],
        **{name: setting[name] for name in sizes},
        random_state=SEED,
    ).training
    history = masked_autoencoder.fit(training, train, **of_fit, changes=changes)
    return training, history.history["loss"]


class Measured(NamedTuple):
    """What is told of one network, and the network as a function of hidden pictures."""

    row: results.RowDict
    restore: Callable[[np.ndarray], np.ndarray]


def measure_all(train: Digits, test: Digits) -> list[Measured]:
    """Train each network, and measure it on the test pictures, plain and changed."""
    known = Pictures(*mask_left_half(train.pictures))
    tests = {
        "": Pictures(*mask_left_half(test.pictures)),
        "changed_": Pictures(*mask_left_half(Changes(100)(test.pictures))),
    }
    found = []
    for model, role, setting, changes in (
        ("as published", "published setting", AS_PUBLISHED, None),
        ("as published, on changed pictures", "other", AS_PUBLISHED, Changes(SEED)),
        ("larger layers, a falling rate", "best", BEST, None),
    ):
        show_progress(f"{model}: {setting['epochs']} epochs")
        start = time.perf_counter()
        network, losses = train_autoencoder(known, setting, changes)
        told = {
            f"training_error_after_epoch_{epoch}": losses[epoch - 1]
            for epoch in PUBLISHED_ERRORS
            if epoch <= len(losses)
        }
        restore = _restorer(network)
        row = results.Row(
            exercise=EXERCISE,
            model=model,
            role=role,
            setting=setting,
            ours={**told, **_errors(restore, tests)},
            published=_published() if role == "published setting" else None,
            published_setting=PUBLISHED if role == "published setting" else None,
            parameters=network.count_params(),
            seconds=round(time.perf_counter() - start, 1),
        )
        found.append(Measured(row.to_json(), restore))
    return [*found, _measure_columns(known, tests, COLUMNS)]


def _published() -> dict[str, float]:
    return {f"epoch_{epoch}": error for epoch, error in PUBLISHED_ERRORS.items()}


def _restorer(network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    return lambda masked: network.predict(masked, batch_size=1000, verbose=0)


def _errors(
    restore: Callable[[np.ndarray], np.ndarray], tests: dict[str, Pictures]
) -> dict[str, float]:
    """Return mean squared errors of test pictures, whole and of the hidden half."""
    errors = {}
    for name, test in tests.items():
        error = np.square(restore(test.masked) - test.whole, dtype=np.float64)
        hidden = error[:, :, : error.shape[2] // 2]
        errors[f"{name}test_error"] = float(error.mean())
        errors[f"{name}test_error_hidden_half"] = float(hidden.mean())
    return errors


def _measure_columns(
    train: Pictures, tests: dict[str, Pictures], setting: dict[str, Any]
) -> Measured:
    """Restore columns from columns, as a sequence, by the regressor."""
    show_progress(f"columns: {setting['epochs']} epochs")
    restore, told = masked_autoencoder.fit_columns(train, setting)
    row = results.Row(
        exercise=EXERCISE,
        model="columns as a sequence, the regressor",
        role="other",
        setting=setting,
        ours=_errors(restore, tests),
        **told,
    )
    return Measured(row.to_json(), restore)


def read_as_eights(
    restore: Callable[[np.ndarray], np.ndarray], train: Digits, pictures: np.ndarray
) -> np.ndarray:
    """Return whether each picture, once restored, is an 8 to whole neighbours."""
    reader = KNeighborsClassifier(3).fit(_flat(train.pictures), train.labels[:10_000])
    masked, _ = mask_left_half(pictures)
    return reader.predict(_flat(restore(masked))) == 8


def draw(found: list[Measured], test: Digits, threes: np.ndarray, path: Path) -> None:
    """Draw restored digits, the threes of these rows, and changed pictures."""
    plain, on_changed, *_ = [each.restore for each in found]
    firsts = np.array([np.flatnonzero(test.labels == d)[0] for d in range(10)])
    hidden, changed = mask_left_half(Changes(100)(test.pictures[firsts]))
    figure, axes = pyplot.subplots(3, 1, figsize=(9, 9), layout="constrained")
    for ax, title, chosen in (
        (axes[0], "digits", firsts),
        (axes[1], "threes that are read as eights", np.resize(threes, 10)),
    ):
        masked, whole = mask_left_half(test.pictures[chosen])
        rows = {"hidden": masked, "restored": plain(masked), "true": whole}
        plot_images([*rows.values()], [*rows], ax=ax)
        ax.set_title(title)
    rows = {"hidden": hidden, "restored": plain(hidden)}
    rows |= {"trained so": on_changed(hidden), "true": changed}
    plot_images([*rows.values()], [*rows], ax=axes[2])
    axes[2].set_title("turned, moved and sheared")
    figure.savefig(path, dpi=80, metadata={"Software": None})
    pyplot.close(figure)


def _flat(pictures: np.ndarray) -> np.ndarray:
    return pictures[:10_000].reshape(-1, pictures[0].size)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = plain_parser("mnist", __doc__)
    parser.add_argument("--dev", action="store_true", help="measure on held-back ones")
    arguments = parser.parse_args(argv)
    picture = arguments.output / "mnist.png"
    try:
        train, test = load(arguments.data, dev=arguments.dev)
        results.check_can_keep(arguments.output)
        check_can_write(picture, overwrite=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    found = measure_all(train, test)
    threes = np.flatnonzero(test.labels == 3)
    are_eights = read_as_eights(found[0].restore, train, test.pictures[threes])
    found[0].row["ours"]["threes_read_as_eights"] = float(are_eights.mean())
    if arguments.dev:
        for each in found:
            print(each.row["model"], each.row["ours"], each.row["seconds"])
    else:
        keep_models(arguments.output, [each.row for each in found])
    shown = threes[are_eights] if are_eights.any() else threes
    draw(found, test, shown, picture)
    print(picture)


if __name__ == "__main__":
    main()
