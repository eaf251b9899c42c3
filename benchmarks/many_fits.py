"""How long many fits take in one process, and how much memory they leave behind.

Run ``python -m benchmarks.many_fits [--rounds 3]``. All learn arithmetic problems with
one-layer LSTMs of 64 units, embeddings as wide and dot attention:

- twenty fits of 2,000 pairs for 10 epochs, as a search over four settings with five
  folds makes them, in a new process each time;
- a fit of 500 pairs for 10 epochs, after a first one;
- a `partial_fit` of 64 pairs, after a first one, and what 200 of them leave behind.

Ratios are of PyTorch's median seconds to those of kseq2seq; growth is how much more
memory, at most, was held after the first fit, or the first pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measuring import (
    Contender,
    Measured,
    Worker,
    make_parser,
    measure,
    print_report,
    ratios,
)
from benchmarks.problems import texts

if TYPE_CHECKING:
    from benchmarks.peers.torch_seq2seq import TorchTraining

RATIOS = {
    "twenty_fits_vs_torch": ("twenty torch", "twenty kseq2seq"),
    "later_fit_500_vs_torch": ("later torch", "later kseq2seq"),
}
EPOCHS, UNITS = 10, 64
LEARNING_RATE, BATCH_SIZE = 0.001, 64
FOLDS = 5
SETTINGS = [
    {"learning_rate": rate, "batch_size": size}
    for rate in (LEARNING_RATE, 0.003)
    for size in (32, BATCH_SIZE)
]
PASSES, PAIRS_A_PASS = 200, 64


def folds(num_pairs: int) -> Iterator[np.ndarray]:
    """Yield the rows to fit on, all but those of a fold."""
    fold_of = np.random.default_rng(0).permutation(num_pairs) % FOLDS
    for fold in range(FOLDS):
        yield np.flatnonzero(fold_of != fold)


def make_estimator(**settings: Any) -> Any:
    """Return the estimator that all of these benchmarks fit."""
    from kseq2seq import Seq2SeqEstimator

    usual = {
        "attention_kind": "dot",
        "units": UNITS,
        "embedding_dim": UNITS,
        "bidirectional": False,
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "clip_norm": 1.0,
        "validation_fraction": 0,
        "patience": None,
        "epochs": EPOCHS,
    }
    return Seq2SeqEstimator(**{**usual, **settings})


def fit_torch(
    X: Sequence[str],
    y: Sequence[str],
    *,
    learning_rate: float = LEARNING_RATE,
    batch_size: int = BATCH_SIZE,
    packs: bool = True,
) -> TorchTraining:
    """Return PyTorch's training of the same model, all of its epochs done."""
    from benchmarks.peers.torch_seq2seq import TorchTraining

    training = TorchTraining(
        X,
        y,
        units=UNITS,
        attends=True,
        packs=packs,
        compiles=False,
        batch_size=batch_size,
    )
    for group in training.optimizer.param_groups:
        group["lr"] = learning_rate
    for _ in range(EPOCHS):
        training.epoch(after_batch=lambda: None)
    return training


def _import(worker: Worker, *, with_torch: bool) -> None:
    if with_torch:
        worker.import_torch()
    else:
        worker.import_keras("kseq2seq.estimators")


def _fit(
    X: Sequence[str], y: Sequence[str], *, with_torch: bool, seed: int, **setting: Any
) -> None:
    if with_torch:
        fit_torch(X, y, **setting)
    else:
        make_estimator(**setting, random_state=seed).fit(X, y)


def _count_memory_from_here(worker: Worker) -> None:
    """Count the growth of memory from the end of the first of all fits, or passes."""
    if worker.is_first():
        worker.first()
        worker.mark_baseline()


def twenty_fits(worker: Worker, *, pairs: int, with_torch: bool) -> None:
    """Fit four settings on five folds."""
    _import(worker, with_torch=with_torch)
    X, y = texts(pairs)
    while worker.wait():
        for setting in SETTINGS:
            for rows in folds(pairs):
                part = [X[i] for i in rows], [y[i] for i in rows]
                _fit(*part, with_torch=with_torch, seed=0, **setting)
                _count_memory_from_here(worker)
        worker.report()


def later_fits(worker: Worker, *, pairs: int, with_torch: bool) -> None:
    """Fit the same setting again and again; each round has other weights."""
    _import(worker, with_torch=with_torch)
    X, y = texts(pairs)
    setting = {"learning_rate": LEARNING_RATE, "batch_size": BATCH_SIZE}
    seed = 0
    while worker.wait():
        _fit(X, y, with_torch=with_torch, seed=seed, **setting)
        seed += 1
        worker.report()


def passes(worker: Worker) -> None:
    """Learn from one batch after the other."""
    worker.import_keras("kseq2seq.estimators")
    X, y = texts(PAIRS_A_PASS)
    estimator = make_estimator(random_state=0).fit(X, y)
    while worker.wait():
        estimator.partial_fit(X, y)
        _count_memory_from_here(worker)
        worker.report()


def contenders(pairs: int, later_pairs: int) -> dict[str, list[Contender]]:
    """Return the contenders, by how they are measured."""
    names = {"kseq2seq": False, "torch": True}
    return {
        "twenty": [
            Contender(
                name=f"twenty {name}",
                work=twenty_fits,
                options={"pairs": pairs, "with_torch": with_torch},
                items=len(SETTINGS) * FOLDS,
            )
            for name, with_torch in names.items()
        ],
        "later": [
            Contender(
                name=f"later {name}",
                work=later_fits,
                options={"pairs": later_pairs, "with_torch": with_torch},
                items=1,
            )
            for name, with_torch in names.items()
        ],
        "passes": [Contender(name="passes kseq2seq", work=passes, options={}, items=1)],
    }


def in_new_processes(
    contenders: Sequence[Contender], *, rounds: int, threads: int
) -> dict[str, Measured]:
    """Return what was measured of contenders that start anew for each round."""
    found: dict[str, Measured] = {}
    for _ in range(rounds):
        for contender in contenders:
            (measured,) = measure(
                [contender], rounds=1, warmup=0, threads=threads
            ).values()
            before = found.setdefault(contender.name, measured)
            if before is not measured:
                before.seconds += measured.seconds
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser(__doc__, rounds=3)
    parser.add_argument("--pairs", type=int, default=2_500, help="of which 4/5 are fit")
    parser.add_argument("--later-pairs", type=int, default=500)
    settings = parser.parse_args(argv)
    groups = contenders(settings.pairs, settings.later_pairs)
    measured = in_new_processes(
        groups["twenty"], rounds=settings.rounds, threads=settings.threads
    )
    measured |= measure(
        groups["later"],
        rounds=3 * settings.rounds,
        warmup=settings.warmup,
        threads=settings.threads,
    )
    measured |= measure(
        groups["passes"], rounds=PASSES, warmup=1, threads=settings.threads
    )
    print_report(_figures(measured), measured, settings)


def _figures(measured: Mapping[str, Measured]) -> dict[str, float]:
    passes = measured["passes kseq2seq"]
    return {
        **ratios(measured, RATIOS),
        "partial_fit_ms": round(1000 * passes.median, 1),
        "growth_20_fits_mib": round(measured["twenty kseq2seq"].growth_mebibytes, 1),
        "growth_200_passes_mib": round(passes.growth_mebibytes, 1),
    }


if __name__ == "__main__":
    main()
