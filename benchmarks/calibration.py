"""How far the probabilities of answers can be believed, before and after calibration.

Run ``python -m benchmarks.calibration TRAIN.tsv DEV.tsv``: of lines of source TAB
target, whose target tokens stand between spaces (pronunciations do). A model with the
defaults learns from the first file, and holds back a tenth of it, on which its
temperature is fitted; the answers to the second file are measured. A JSON object is
printed.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from kseq2seq import Seq2SeqEstimator
from kseq2seq.datasets import load_pairs
from kseq2seq.metrics import expected_calibration_error, matches


def calibration(
    train: str, dev: str, *, random_state: int = 0
) -> dict[str, float | int]:
    """Return what calibration brings to answers that were not trained on."""
    estimator = Seq2SeqEstimator(
        target_tokenizer="whitespace", random_state=random_state
    )
    estimator.fit(*load_pairs(train))
    X, y = load_pairs(dev)
    answers = estimator.predict(X)
    right = matches(y, answers)
    measured = {"pairs": len(X), "exact_match": float(right.mean())}
    measured["temperature"] = estimator.calibration_temperature_
    for name, calibrated in (("before", False), ("after", True)):
        sure = np.exp(estimator.log_prob(X, answers, calibrated=calibrated))
        measured |= {
            f"calibration_error_{name}": expected_calibration_error(right, sure),
            f"mean_probability_{name}": float(sure.mean()),
            f"mean_probability_of_right_{name}": float(sure[right].mean()),
        }
    return {name: round(value, 4) for name, value in measured.items()}


def main() -> None:
    """Measure the files of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train")
    parser.add_argument("dev")
    parser.add_argument("--random-state", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(calibration(**vars(arguments))))


if __name__ == "__main__":
    main()
