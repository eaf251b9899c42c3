"""How fast Keras's backends train and answer: TensorFlow, JAX and PyTorch.

Run ``python -m benchmarks.backends [--pairs 2000] [--rounds 3]``. The problems and
models are those of ``benchmarks.training`` and ``benchmarks.decoding``, with attention
and 64 units. Ratios are of a backend's median seconds to TensorFlow's. PyTorch must be
installed at 2.13 or newer.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from benchmarks.decoding import answer_kseq2seq, train_once
from benchmarks.measuring import (
    Contender,
    Work,
    Worker,
    make_parser,
    measure,
    print_report,
    ratios,
)
from benchmarks.training import train_kseq2seq

BACKENDS = ("tensorflow", "jax", "torch")
UNITS = 64
RATIOS = {
    f"{work}_{backend}_vs_tensorflow": (f"{work} {backend}", f"{work} tensorflow")
    for work in ("training", "greedy")
    for backend in BACKENDS[1:]
}


def train(worker: Worker, *, backend: str, **options: Any) -> None:
    """Train with the estimator, on a backend."""
    _import(worker, backend)
    train_kseq2seq(worker, **options)


def answer(worker: Worker, *, backend: str, **options: Any) -> None:
    """Answer with the estimator's ``predict``, on a backend."""
    _import(worker, backend)
    answer_kseq2seq(worker, **options)


def _import(worker: Worker, backend: str) -> None:
    """Import a backend for Keras, with the threads that were given."""
    os.environ["KERAS_BACKEND"] = backend
    if backend == "torch":
        worker.import_torch()
    else:
        worker.import_keras(backend)


def contenders(
    name: str, work: Work, items: int, options: dict[str, Any]
) -> list[Contender]:
    """Return the same work on each backend."""
    return [
        Contender(
            name=f"{name} {backend}",
            work=work,
            options={"backend": backend, **options},
            items=items,
        )
        for backend in BACKENDS
    ]


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__, rounds=3)
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--sources", type=int, default=2_000)
    settings = parser.parse_args()
    pairs, sources, threads = settings.pairs, settings.sources, settings.threads
    with tempfile.TemporaryDirectory() as folder:
        model = train_once(folder, units=UNITS, pairs=pairs, epochs=1, threads=threads)
        learning = {"pairs": pairs, "units": UNITS, "attends": True}
        asking = {"folder": model, "sources": sources, "beam_size": 1, "single": False}
        measured = {}
        for group in (
            contenders("training", train, pairs, learning),
            contenders("greedy", answer, sources, asking),
        ):
            measured |= measure(
                group, rounds=settings.rounds, warmup=settings.warmup, threads=threads
            )
    print_report(ratios(measured, RATIOS), measured, settings)


if __name__ == "__main__":
    main()
