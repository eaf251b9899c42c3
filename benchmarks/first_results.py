"""How long a new process takes until it has its first results.

Run ``python -m benchmarks.first_results [--rounds 5]``. Each line is a process of its
own, from its start to its end: imports, tracing and all.

- a fit of 2,000 arithmetic problems for 10 epochs (64 units, dot attention), and the
  answers to 500 others, by kseq2seq and by PyTorch; a fit of 500 problems alone;
- importing kseq2seq; loading a model file and answering one source;
- ``kseq2seq predict`` of one line, and ``kseq2seq quickstart``.

The ratio is of PyTorch's median seconds to those of kseq2seq.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.many_fits import (
    BATCH_SIZE,
    LEARNING_RATE,
    fit_torch,
    in_new_processes,
    make_estimator,
)
from benchmarks.measuring import (
    Contender,
    Measured,
    Worker,
    make_parser,
    print_report,
)
from benchmarks.problems import SOURCE_WIDTH, TARGET_WIDTH, aligned, padded_ids, texts


def fit_and_answer(worker: Worker, *, pairs: int, answers: int) -> None:
    """Import, fit and answer with kseq2seq."""
    worker.import_keras("kseq2seq.estimators")
    X, y = texts(pairs + answers)
    X = aligned(X, SOURCE_WIDTH)
    estimator = make_estimator(
        learning_rate=LEARNING_RATE, batch_size=BATCH_SIZE, random_state=0
    )
    estimator.fit(X[:pairs], y[:pairs])
    if answers:
        estimator.predict(X[pairs:])
    _end(worker)


def torch_fit_and_answer(worker: Worker, *, pairs: int, answers: int) -> None:
    """Import, fit and answer with PyTorch; the sources are all of one length."""
    worker.import_torch()
    import torch

    X, y = texts(pairs + answers)
    X = aligned(X, SOURCE_WIDTH)
    training = fit_torch(X[:pairs], y[:pairs], packs=False)
    if answers:
        source_ids = torch.from_numpy(padded_ids(X)[0][pairs:])
        for rows in source_ids.split(256):
            training.model.greedy(rows, max_length=TARGET_WIDTH + 1)
    _end(worker)


def import_alone(worker: Worker) -> None:
    """Import kseq2seq, and with it Keras and TensorFlow."""
    worker.import_keras("kseq2seq.estimators")
    _end(worker)


def load_and_answer(worker: Worker, *, path: str) -> None:
    """Load a model file and answer one source."""
    worker.import_keras("kseq2seq.estimators")
    from kseq2seq import load

    load(path).predict(["12+34"])
    _end(worker)


def command(worker: Worker, *, arguments: Sequence[str], given: str) -> None:
    """Run the command line."""
    line = [sys.executable, "-m", "kseq2seq", *arguments]
    with tempfile.TemporaryDirectory() as folder:  # quickstart writes a model
        start = time.perf_counter()
        subprocess.run(
            line, input=given, text=True, check=True, capture_output=True, cwd=folder
        )
        seconds = time.perf_counter() - start
    _end(worker, seconds)


def _end(worker: Worker, seconds: float | None = None) -> None:
    """Tell the parent the seconds, by default those since the process was started."""
    worker.first()
    worker.wait()
    worker.report(worker.first_seconds if seconds is None else seconds)


def contenders(path: Path, *, pairs: int, answers: int) -> list[Contender]:
    """Return what is measured; a model is at the path."""
    both = {"pairs": pairs, "answers": answers}
    predict = {"arguments": ["predict", str(path)], "given": "12+34\n"}
    quickstart = {"arguments": ["quickstart"], "given": ""}
    works = {
        "process kseq2seq": (fit_and_answer, both),
        "process torch": (torch_fit_and_answer, both),
        "first fit kseq2seq": (fit_and_answer, {"pairs": pairs // 4, "answers": 0}),
        "first fit torch": (torch_fit_and_answer, {"pairs": pairs // 4, "answers": 0}),
        "import": (import_alone, {}),
        "load and answer": (load_and_answer, {"path": str(path)}),
        "kseq2seq predict": (command, predict),
        "kseq2seq quickstart": (command, quickstart),
    }
    return [
        Contender(name=name, work=work, options=options, items=1)
        for name, (work, options) in works.items()
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser(__doc__, rounds=5)
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--answers", type=int, default=500)
    settings = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.kseq2seq")
        make_estimator(random_state=0).fit(*texts(200)).save(path)
        measured = in_new_processes(
            contenders(path, pairs=settings.pairs, answers=settings.answers),
            rounds=settings.rounds,
            threads=settings.threads,
        )
    print_report(_figures(measured), measured, settings)


def _figures(measured: Mapping[str, Measured]) -> dict[str, float]:
    seconds = {name: one.median for name, one in measured.items()}
    ratio = seconds["process torch"] / seconds["process kseq2seq"]
    first = seconds["first fit torch"] / seconds["first fit kseq2seq"]
    return {
        "process_2000_vs_torch": round(ratio, 3),
        "first_fit_500_vs_torch": round(first, 3),
        **{
            f"{name.replace(' ', '_')}_seconds": round(seconds[name], 2)
            for name in seconds
            if "torch" not in name
        },
    }


if __name__ == "__main__":
    main()
