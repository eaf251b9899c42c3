"""What scikit-learn's users do with every estimator."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import SkipTestWarning
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from strategies import X, Y, assert_same_weights, small_classifier, small_estimator

from kseq2seq import Seq2SeqEnsemble
from kseq2seq.metrics import (
    bleu_scorer,
    exact_match_scorer,
    neg_edit_distance_scorer,
)

ESTIMATORS = [
    small_estimator(),
    small_classifier(),
    Seq2SeqEnsemble(small_estimator(), 2),
]
EACH = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)

WITHOUT_DATA = [
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_get_params_invariance",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]
"""scikit-learn's checks that give an estimator no table of features; the others it
leaves out by itself where an estimator's tags say that its input is text."""


with warnings.catch_warnings():  # that it leaves out what needs a table, as said above
    warnings.filterwarnings("ignore", "Can't test", SkipTestWarning)
    CHOSEN = parametrize_with_checks(ESTIMATORS)


@CHOSEN
def test_the_checks_that_scikit_learn_chooses(estimator, check):
    check(estimator)


@EACH
@pytest.mark.parametrize("check", WITHOUT_DATA)
def test_the_checks_that_need_no_table(check, estimator):
    getattr(estimator_checks, check)(type(estimator).__name__, estimator)


@EACH
def test_it_says_that_it_takes_texts(estimator):
    tags = estimator.__sklearn_tags__()
    assert tags.input_tags.string and not tags.input_tags.two_d_array
    assert tags.target_tags.required
    assert type(estimator).__name__ in estimator._repr_html_()


@pytest.mark.slow
def test_a_grid_in_two_processes_finds_what_one_finds():
    """Of two seeds one answers better; the scores of both are those of one process."""
    estimator, seeds = small_estimator(), [0, 1]
    search = GridSearchCV(
        estimator,
        {"random_state": seeds},
        cv=2,
        scoring=neg_edit_distance_scorer,
        n_jobs=2,
        refit=False,
    ).fit(X, Y)
    found = np.stack([search.cv_results_[f"split{i}_test_score"] for i in (0, 1)], 1)
    alone = [
        cross_val_score(
            clone(estimator).set_params(random_state=seed),
            X,
            Y,
            cv=2,
            scoring=neg_edit_distance_scorer,
        )
        for seed in seeds
    ]
    np.testing.assert_allclose(found, alone)
    assert not np.allclose(*alone)  # a swap would show
    assert search.best_params_["random_state"] == np.argmax(np.mean(alone, axis=1))


def test_scorers_measure_what_their_metrics_do():
    scorers = {
        "exact": exact_match_scorer,
        "bleu": bleu_scorer,
        "edits": neg_edit_distance_scorer,
    }

    class Answers(BaseEstimator):  # has no measure of its own
        def fit(self, X, y):
            return self

        def predict(self, X):
            return ["a b c d e", "x y z w v"]

    scores = cross_validate(
        Answers(), X[:4], ["a b c d e", "x y z w q"] * 2, cv=2, scoring=scorers
    )
    assert scores["test_exact"].tolist() == [0.5, 0.5]
    assert scores["test_edits"].tolist() == [-0.5, -0.5]
    assert 50 < scores["test_bleu"][0] < 100


@pytest.mark.slow
def test_weights_reach_the_fit_and_the_score_of_a_search():
    weights = np.arange(len(X)) % 2.0  # of each two pairs the first counts nothing
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = (
            small_estimator()
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True)
        )
        search = RandomizedSearchCV(
            estimator, {"units": [4, 6, 8]}, n_iter=1, cv=2, random_state=0
        )
        search.fit(X, Y, sample_weight=weights)
    alone = small_estimator(**search.best_params_)
    alone.fit(X, Y, sample_weight=weights)
    assert_same_weights(search.best_estimator_, alone)
    unweighted = small_estimator(**search.best_params_).fit(X, Y)
    assert unweighted.history_ != alone.history_


def lower(texts):
    return [text.lower() for text in texts]


def test_it_stands_at_the_end_of_a_pipeline():
    pipeline = make_pipeline(FunctionTransformer(lower), small_estimator())
    pipeline.set_params(seq2seqestimator__units=4).fit(X, Y)
    shouted = [text.upper() for text in X]
    answers = pipeline.predict(shouted)
    assert answers == pipeline[-1].predict(X)
    assert pipeline[-1].models_.training.get_layer("logits").kernel.shape[0] == 4
    half = [*answers[:8], *(answer + "x" for answer in answers[8:])]
    assert pipeline.score(shouted, half) == 0.5


def test_rows_of_integers_may_be_transformed_targets():
    rows = np.arange(32).reshape(16, 2) % 5
    regressor = TransformedTargetRegressor(
        small_estimator(), func=add_one, inverse_func=take_one
    ).fit(rows, rows)
    answers = regressor.predict(rows)
    assert answers.shape == rows.shape and answers.max() <= rows.max()
    tokens = regressor.regressor_.target_vocabulary_.tokens
    assert tokens == [1, 2, 3, 4, 5]


def add_one(rows):
    return rows + 1


def take_one(rows):
    return rows - 1
