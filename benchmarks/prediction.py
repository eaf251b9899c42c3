"""How long ``predict`` takes: for one source, and for many at once.

Run ``python -m benchmarks.prediction [--units 64] [--sources 20000]``. The answers are
those of a model that has hardly been trained, so that every search runs to its longest.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

from kseq2seq import Seq2SeqEstimator
from kseq2seq.datasets import make_arithmetic


def seconds_of(call: Callable[[], object], repeats: int) -> list[float]:
    """Return the seconds of each call, after one that is not counted."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--sources", type=int, default=20_000)
    arguments = parser.parse_args()
    X, y = make_arithmetic(arguments.sources, random_state=0)
    estimator = Seq2SeqEstimator(units=arguments.units, epochs=1, random_state=0)
    estimator.fit(X[:2000], y[:2000])

    start = time.perf_counter()
    estimator.predict(X[:1])
    first = time.perf_counter() - start
    one = seconds_of(lambda: estimator.predict(X[:1]), 100)
    many = seconds_of(lambda: estimator.predict(X), 5)
    report = {
        "units": arguments.units,
        "first_predict_seconds": round(first, 3),
        "one_source_milliseconds": round(statistics.median(one) * 1e3, 2),
        "sources": arguments.sources,
        "many_sources_seconds": round(statistics.median(many), 3),
        "many_sources_spread": [round(min(many), 3), round(max(many), 3)],
        "microseconds_per_source": round(
            statistics.median(many) / arguments.sources * 1e6, 1
        ),
    }
    for name, value in report.items():
        print(f"{name.replace('_', ' '):>26}  {value}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
