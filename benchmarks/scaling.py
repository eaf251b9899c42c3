"""How time and memory grow with the number of pairs, and of sources.

Run ``python -m benchmarks.scaling [--pairs 1000 10000 100000 1000000] [--only train]``.
Each size has a process of its own. Training: the seconds of an epoch once all is
compiled, and the memory beyond that of the texts. Decoding: sources come from a
generator, so that memory should not grow with their number.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import (
    Contender,
    Measured,
    Worker,
    make_parser,
    measure,
    print_report,
)
from benchmarks.problems import problems, texts
from benchmarks.training import train_kseq2seq

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LEAST_SIZE = 10_000
"""Below it, what a run costs at any size hides what a pair costs."""
UNITS = 64
GROUPS = ("train", "decode")
_MODEL = "model.kseq2seq"
_WARM_UP_SOURCES = 60_000
"""So many that the search is compiled, which happens once and takes memory."""


def train_model(worker: Worker, *, folder: str) -> None:
    """Train a model that answers texts, and save it."""
    worker.import_keras("kseq2seq.estimators")
    from kseq2seq import Seq2SeqEstimator

    estimator = Seq2SeqEstimator(
        units=UNITS,
        attention_kind="dot",
        bidirectional=False,
        batch_size=64,
        epochs=1,
        random_state=0,
    )
    while worker.wait():
        estimator.fit(*texts(10_000)).save(Path(folder, _MODEL))
        worker.report()


def answer_stream(worker: Worker, *, folder: str, sources: int) -> None:
    """Answer sources from a generator, after a first stream that is not measured."""
    worker.import_keras("kseq2seq.estimators")
    import kseq2seq

    estimator = kseq2seq.load(Path(folder, _MODEL))
    for _ in estimator.predict(_sources(_WARM_UP_SOURCES)):
        worker.first()
    worker.mark_baseline()
    while worker.wait():
        answers = estimator.predict(_sources(sources))
        worker.facts["streams"] = isinstance(answers, Iterator)
        count = sum(1 for _ in answers)
        if count != sources:
            raise ValueError(f"expected {sources} answers; got {count}.")
        worker.report()


def _sources(number: int) -> Iterator[str]:
    return (source for source, _ in problems(number))


def training_contender(pairs: int) -> Contender:
    """Return the contender that trains on so many pairs."""
    return Contender(
        name=f"train {pairs}",
        work=train_kseq2seq,
        options={"pairs": pairs, "units": UNITS, "attends": False, "from_texts": True},
        items=pairs,
    )


def decoding_contender(sources: int, folder: str) -> Contender:
    """Return the contender that answers so many sources."""
    return Contender(
        name=f"decode {sources}",
        work=answer_stream,
        options={"folder": folder, "sources": sources},
        items=sources,
    )


def training_figures(measured: Mapping[str, Measured]) -> dict[str, float]:
    """Return how time and memory of training grow; nothing for less than two sizes."""
    runs = [one for one in measured.values() if one.items >= LEAST_SIZE]
    if len(runs) < 2:
        runs = list(measured.values())
    if len(runs) < 2:
        return {}
    sizes = np.array([run.items for run in runs])
    seconds = np.array([run.median for run in runs])
    growth = np.array([run.growth_mebibytes for run in runs]) * 2**20
    exponent, _ = np.polyfit(np.log(sizes), np.log(seconds), 1)
    bytes_per_pair = (growth[-1] - growth[0]) / (sizes[-1] - sizes[0])
    return {
        "train_time_exponent": round(float(exponent), 3),
        "train_bytes_per_pair": round(float(bytes_per_pair), 1),
    }


def decoding_figures(measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Return the growth of memory at each size, and whether answers were streamed."""
    return {
        "decode_growth_mebibytes": {
            str(one.items): round(one.growth_mebibytes, 1) for one in measured.values()
        },
        "decode_streams": all(one.facts["streams"] for one in measured.values()),
    }


def measure_each(
    contenders: Sequence[Contender], *, rounds: int, warmup: int, threads: int
) -> dict[str, Measured]:
    """Measure one contender after the other, so that none shares the machine."""
    measured: dict[str, Measured] = {}
    for contender in contenders:
        measured |= measure([contender], rounds=rounds, warmup=warmup, threads=threads)
    return measured


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__, rounds=1)
    parser.add_argument("--pairs", type=int, nargs="+", default=SIZES)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS)
    settings = parser.parse_args()
    sizes, threads = sorted(settings.pairs), settings.threads
    measured: dict[str, Measured] = {}
    figures: dict[str, Any] = {}
    if "train" in settings.only:
        trained = measure_each(
            [training_contender(size) for size in sizes],
            rounds=settings.rounds,
            warmup=settings.warmup,
            threads=threads,
        )
        measured |= trained
        figures |= training_figures(trained)
    if "decode" in settings.only:
        decoded = measure_decoding(sizes, rounds=settings.rounds, threads=threads)
        measured |= decoded
        figures |= decoding_figures(decoded)
    print_report(figures, measured, settings)


def measure_decoding(
    sizes: Sequence[int], *, rounds: int, threads: int
) -> dict[str, Measured]:
    """Train a model, and let it answer streams of each size."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = Contender(
            name="training a model to answer",
            work=train_model,
            options={"folder": folder},
            items=1,
        )
        measure([trainer], rounds=1, warmup=0, threads=threads)
        # The contenders warm up by themselves, before memory is counted.
        return measure_each(
            [decoding_contender(size, folder) for size in sizes],
            rounds=rounds,
            warmup=0,
            threads=threads,
        )


if __name__ == "__main__":
    main()
