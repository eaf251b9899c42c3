"""How fast training is, beside PyTorch and the classic Keras recipe.

Run ``python -m benchmarks.training [--pairs 20000] [--rounds 7] [--only 64]``. All
learn the same arithmetic problems with one-layer LSTMs, embeddings as wide as these
(the recipe: one-hot vectors) and 64 pairs an update; a round is an epoch. Ratios are of
the peer's median seconds to those of kseq2seq: above 1, kseq2seq trains more pairs a
second.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import (
    Contender,
    Worker,
    make_parser,
    measure,
    print_report,
    ratios,
)
from benchmarks.problems import texts

if TYPE_CHECKING:
    import keras

RATIOS = {
    "train_vs_torch_eager_64": ("64 torch eager", "64 kseq2seq"),
    "train_vs_torch_unpacked_64": ("64 torch unpacked", "64 kseq2seq"),
    "train_vs_torch_compile_64": ("64 torch compile", "64 kseq2seq"),
    "train_vs_torch_compile_unpacked_64": ("64 torch compile unpacked", "64 kseq2seq"),
    "train_vs_keras_recipe_64": ("64 keras recipe", "64 kseq2seq"),
    "train_vs_torch_eager_256": ("256 torch eager", "256 kseq2seq"),
    "train_vs_torch_unpacked_256": ("256 torch unpacked", "256 kseq2seq"),
    "train_vs_keras_recipe_256": ("256 keras recipe", "256 kseq2seq"),
    "train_attention_vs_torch_eager_64": (
        "attention torch eager",
        "attention kseq2seq",
    ),
    "train_attention_vs_torch_unpacked_64": (
        "attention torch unpacked",
        "attention kseq2seq",
    ),
}
GROUPS = ("64", "256", "attention")
ENDLESS = 10_000
"""More epochs than are ever run: the parent says when to stop."""


def train_kseq2seq(
    worker: Worker, *, pairs: int, units: int, attends: bool, from_texts: bool = False
) -> None:
    """Train with the estimator.

    Parameters
    ----------
    worker : Worker
    pairs, units : int
    attends : bool
    from_texts : bool, default False
        Whether the growth of memory leaves out the texts.
    """
    worker.import_keras("kseq2seq.estimators")
    from kseq2seq import Seq2SeqEstimator

    X, y = texts(pairs)
    if from_texts:
        worker.mark_baseline()
    estimator = Seq2SeqEstimator(
        attention_kind="dot" if attends else None,
        units=units,
        bidirectional=False,
        embedding_dim=units,
        dropout=0.0,
        label_smoothing=0.0,
        batch_size=64,
        clip_norm=1.0,
        learning_rate=0.001,
        validation_fraction=0,
        patience=None,
        epochs=ENDLESS,
        callbacks=[epoch_clock(worker)],
        verbose=1,  # progress is a part of training
        random_state=0,
    )
    with redirect_stdout(ProgressWatch(worker.first)):
        estimator.fit(X, y)


def train_recipe(worker: Worker, *, pairs: int, units: int) -> None:
    """Train with the classic recipe."""
    worker.import_keras()
    from benchmarks.peers.keras_recipe import KerasRecipe

    recipe = KerasRecipe(*texts(pairs), units=units)
    with redirect_stdout(ProgressWatch(worker.first)):
        recipe.fit(epochs=ENDLESS, callbacks=[epoch_clock(worker)])


def train_torch(
    worker: Worker,
    *,
    pairs: int,
    units: int,
    attends: bool,
    packs: bool,
    compiles: bool,
) -> None:
    """Train with PyTorch."""
    worker.import_torch()
    from benchmarks.peers.torch_seq2seq import TorchTraining

    training = TorchTraining(
        *texts(pairs), units=units, attends=attends, packs=packs, compiles=compiles
    )
    while worker.wait():
        training.epoch(after_batch=worker.first)
        worker.report()


def epoch_clock(worker: Worker) -> keras.callbacks.Callback:
    """Return a callback whose epochs are rounds.

    It knows nothing of batches: a callback that wants every batch would slow training.
    A round begins before all that Keras does between two epochs.
    """
    import keras

    class EpochClock(keras.callbacks.Callback):
        # Estimators copy callbacks; the worker, which holds a pipe, is no attribute.
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 0:
                worker.wait()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            worker.report()
            if not worker.wait():
                self.model.stop_training = True

    return EpochClock()


class ProgressWatch(io.TextIOBase):
    """Takes what Keras prints; calls back when its bar tells of batches done.

    The bar first moves after one batch, or as many as Keras runs at once.
    """

    def __init__(self, batches_done: Callable[[], None]) -> None:
        self._batches_done = batches_done

    def write(self, text: str) -> int:
        """Throw a text away, unless it is the bar with its seconds a step."""
        if "/step" in text:
            self._batches_done()
        return len(text)


def contenders(group: str, pairs: int) -> Sequence[Contender]:
    """Return the contenders of a group, which are measured in turn."""
    units = 256 if group == "256" else 64
    sizes = {"pairs": pairs, "units": units}
    model = {**sizes, "attends": group == "attention"}

    def torch_options(*, packs: bool, compiles: bool = False) -> dict[str, Any]:
        return {**model, "packs": packs, "compiles": compiles}

    works: list[tuple[str, Callable[..., None], dict[str, Any]]] = [
        ("kseq2seq", train_kseq2seq, model),
        ("torch eager", train_torch, torch_options(packs=True)),
        ("torch unpacked", train_torch, torch_options(packs=False)),
    ]
    if group == "64":
        for name, packs in (("torch compile", True), ("torch compile unpacked", False)):
            options = torch_options(packs=packs, compiles=True)
            works.append((name, train_torch, options))
    if group != "attention":
        works.append(("keras recipe", train_recipe, sizes))
    return [
        Contender(name=f"{group} {name}", work=work, options=options, items=pairs)
        for name, work, options in works
    ]


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__, rounds=7)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS)
    settings = parser.parse_args()
    measured = {}
    for group in settings.only:
        measured |= measure(
            contenders(group, settings.pairs),
            rounds=settings.rounds,
            warmup=settings.warmup,
            threads=settings.threads,
        )
    print_report(ratios(measured, RATIOS), measured, settings)


if __name__ == "__main__":
    main()
