"""How many requests a second one process answers, by one thread and by eight.

Run ``python -m benchmarks.serving [--rounds 5] [--seconds 3] [--threads 8]``, on a
quiet machine. A small model with attention learns arithmetic for two epochs. In each
round one thread answers for some seconds, and then all threads together; a request is
one problem, or 64 of them. The ratios are of the medians.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from benchmarks.problems import texts

if TYPE_CHECKING:
    from kseq2seq import Seq2SeqEstimator

SIZES = (1, 64)
"""How many sources a request has."""
UNITS = 64


def answer(
    estimator: Seq2SeqEstimator, requests: Sequence[list[str]], end: float
) -> int:
    """Answer requests until a moment comes; return how many."""
    for count, request in enumerate(itertools.cycle(requests)):
        if time.perf_counter() >= end:
            return count
        estimator.predict(request)
    return 0


def requests_per_second(
    estimator: Seq2SeqEstimator,
    requests: Sequence[list[str]],
    *,
    threads: int,
    seconds: float,
) -> float:
    """Return how many requests a second all threads together answer."""
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        asked = [
            pool.submit(answer, estimator, requests[i::threads], start + seconds)
            for i in range(threads)
        ]
        count = sum(one.result() for one in asked)
        return count / (time.perf_counter() - start)


def compare(
    estimator: Seq2SeqEstimator,
    requests: Sequence[list[str]],
    settings: argparse.Namespace,
) -> dict[str, Any]:
    """Return the medians of one thread and of all, asked in turn, and their ratio."""
    found: dict[int, list[float]] = {1: [], settings.threads: []}
    for number in range(1 + settings.rounds):
        for threads, rates in found.items():
            rate = requests_per_second(
                estimator, requests, threads=threads, seconds=settings.seconds
            )
            if number:  # the first round warms up
                rates.append(rate)
    one, many = (statistics.median(rates) for rates in found.values())
    return {
        "one_thread": round(one, 1),
        "all_threads": round(many, 1),
        "ratio": round(many / one, 2),
    }


def main() -> None:
    """Measure, and print all as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=8)
    settings = parser.parse_args()
    from kseq2seq import Seq2SeqEstimator

    X, y = texts(4000)
    estimator = Seq2SeqEstimator(
        units=UNITS, attention_kind="dot", batch_size=64, epochs=2, random_state=0
    ).fit(X, y)
    report: dict[str, Any] = {}
    for size in SIZES:
        starts = range(0, len(X) - size, size)
        requests = [X[start : start + size] for start in starts]
        report[f"requests_of_{size}"] = compare(estimator, requests, settings)
    report["cores"] = os.cpu_count()
    report["platform"] = f"{platform.system()} {platform.machine()}"
    names = ("tensorflow", "keras")
    report["versions"] = {name: version(name) for name in names}
    print(json.dumps(report | {"settings": vars(settings)}))


if __name__ == "__main__":
    main()
