"""Write model files of this version's format, and what they answer.

Run ``python -m formats.make`` in ``tests`` once, when the format gets a new version;
files of older versions are kept as they are, and must load for ever.
"""

import json
from pathlib import Path

import numpy as np

from kseq2seq import (
    Seq2SeqEnsemble,
    Seq2SeqEstimator,
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
)
from kseq2seq.datasets import make_daily_counts, make_number_words
from kseq2seq.persistence import FORMAT_VERSION

FOLDER = Path(__file__).parent
WORDS, DIGITS = make_number_words(300, 1, 3, random_state=0)
VALUES = {
    "units": 12,
    "dropout": 0.0,
    "learning_rate": 0.02,
    "epochs": 30,
    "random_state": 0,
}
SMALL = {**VALUES, "embedding_dim": 6}


def estimators():
    """Yield each estimator's name, itself and what to ask it."""
    texts = Seq2SeqEstimator(**SMALL, batch_size=16).fit(WORDS, DIGITS)
    yield "texts", texts, WORDS
    by_size = Seq2SeqEstimator(**{**SMALL, "dropout": None})
    yield "texts_dropout_by_size", by_size.fit(WORDS, DIGITS), WORDS
    other = Seq2SeqEstimator(**{**SMALL, "units": 8}, cell="gru").fit(WORDS, DIGITS)
    yield "ensemble", Seq2SeqEnsemble.from_fitted([texts, other]), WORDS
    translator = Seq2SeqEstimator(
        **SMALL,
        source_tokenizer="bpe:270",
        attention_kind="general",
        cell="gru",
        tied_embeddings=True,
        optimizer="rmsprop",
        attention_units=6,
        kernel_initializer="he_normal",
    )
    yield "subwords", translator.fit(WORDS, DIGITS), WORDS
    ends = [(word, [end]) for word in WORDS for end in ("first", "last")]
    digits = [digit for number in DIGITS for digit in (number[0], number[-1])]
    yield "features", Seq2SeqEstimator(**SMALL).fit(ends, digits), ends
    rows = np.array([[int(i) for i in f"{i:03}"] for i in range(200)])
    labels = rows.sum(axis=1) % 3
    yield "classes", SequenceClassifier(**SMALL).fit(rows, labels), rows
    values = np.random.default_rng(0).normal(size=(40, 5, 2)).round(2)
    regressor = SequenceRegressor(**VALUES, quantiles=[0.1, 0.9], scaling="window")
    yield "values", regressor.fit(values, values[:, ::-1]), values.tolist()
    counts, beside = make_daily_counts(200, random_state=0)
    forecaster = SequenceForecaster(**VALUES, horizon=7, past_covariates=[2])
    forecaster.fit(counts[:-7], beside[:-7])
    yield "forecasts", forecaster, [counts[-60:-7].tolist(), beside[-60:].tolist()]


def answers(name, estimator, X):
    """Return the answers to a few sources, and their scores."""
    if name == "classes":
        return estimator.predict(X).tolist(), estimator.predict_proba(X).tolist()
    if name == "values":
        return [], estimator.predict_quantiles(np.array(X)).tolist()
    if name == "forecasts":
        return [], estimator.predict_quantiles(*map(np.array, X)).tolist()
    if name == "features":  # JSON has no tuples
        X = [(source, features) for source, features in X]
    best = [found[0] for found in estimator.predict_n_best(X, 2)]
    return [each.answer for each in best], [each.score for each in best]


def main():
    """Write the files of this version."""
    for name, estimator, X in estimators():
        asked = X[:8]
        stem = FOLDER / f"{FORMAT_VERSION}_{name}"
        estimator.save(stem.with_suffix(".kseq2seq"))
        found, scores = answers(name, estimator, asked)
        X = asked.tolist() if isinstance(asked, np.ndarray) else asked
        kept = {"X": X, "answers": found, "scores": scores}
        stem.with_suffix(".json").write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
