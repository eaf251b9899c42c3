"""Answers are measured in one way, whoever asks."""

import json

import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from kseq2seq import Seq2SeqEstimator
from kseq2seq.metrics import (
    METRICS,
    AnswerScorer,
    bleu,
    bleu_scorer,
    chrf,
    edit_distance,
    exact_match,
    exact_match_scorer,
    measure,
    neg_edit_distance_scorer,
    token_accuracy,
)
from kseq2seq.training import FreeRunningValidation
from kseq2seq.training.callbacks import AnswerCallback

X = ["one two", "two one", "one", "two"] * 8
Y = ["ÉINS Zwei", "zwei ÉINS", "ÉINS", "Zwei"] * 8
PREPARED = ["éins zwei", "zwei éins", "éins", "zwei"] * 8
SETTINGS = {
    "source_tokenizer": "word",
    "target_tokenizer": "word",
    "lowercase": True,
    "units": 32,
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "learning_rate": 0.02,
    "batch_size": 8,
    "epochs": 25,
    "random_state": 0,
}


TOKENS = AnswerScorer("token_accuracy")


@pytest.fixture(scope="module")
def estimator():
    validation = FreeRunningValidation(METRICS, every=25)
    estimator = Seq2SeqEstimator(**SETTINGS, callbacks=[validation])
    return estimator.fit(X, Y, validation_data=(X, Y))


def test_an_estimator_takes_any_of_several_right_answers(estimator):
    sources = ["one two", "two", "one"]
    (first, *_) = estimator.predict(sources)
    y = [["Zwei", first.upper()], ["ÉINS ÉINS", "Zwei"], ["nichts"]]
    measured = estimator.measure(sources, y, METRICS)
    assert measured["exact_match"] == 2 / 3 == estimator.score(sources, y)
    assert AnswerScorer("exact_match")(estimator, sources, y) == 2 / 3
    # tokens are words: the third has one, and it is wrong
    assert measured["edit_distance"] == 1 / 3
    assert 0 < measured["chrf"] < 100
    with pytest.raises(ValueError, match=r"y\[1\] holds no right answer"):
        estimator.score(sources, ["Zwei", [], "Zwei"])
    with pytest.raises(ValueError, match="3 in X and 2 in y"):
        estimator.score(sources, y[:2])


@pytest.mark.parametrize("name", METRICS)
def test_every_asker_gets_the_figure_of_the_estimators_measure(estimator, name):
    measured = estimator.measure(X, Y, [name])[name]
    assert AnswerScorer(name)(estimator, X, Y) == measured
    answers = estimator.predict(X)
    tokens = None if name in ("bleu", "chrf", "exact_match") else str.split
    right, given = (
        (PREPARED, answers)
        if tokens is None
        else ([*map(tokens, PREPARED)], [*map(tokens, answers)])
    )
    assert measured == pytest.approx(measure(right, given, [name])[name])


def test_a_perfect_model_is_perfect_for_all_though_capitals_differ(estimator):
    assert estimator.predict(X) == PREPARED
    assert estimator.score(X, Y) == 1.0
    assert exact_match_scorer(estimator, X, Y) == 1.0
    assert bleu_scorer(estimator, X, Y) == pytest.approx(100)  # of two words at most
    assert AnswerScorer("chrf")(estimator, X, Y) == pytest.approx(100)
    assert neg_edit_distance_scorer(estimator, X, Y) == 0.0


def test_callbacks_measure_what_score_measures(estimator):
    history = estimator.history_
    once = Seq2SeqEstimator(**SETTINGS | {"epochs": 1}).set_params(
        callbacks=[FreeRunningValidation(METRICS)]
    )
    once.fit(X, Y, validation_data=(X, Y))
    measured = once.measure(X, Y, METRICS)
    for name, value in measured.items():
        assert once.history_[f"val_{name}"][-1] == pytest.approx(value)
    assert history["val_exact_match"][0] < 1.0


def test_the_command_line_prints_what_the_estimator_measures(
    estimator, tmp_path, main_here
):
    path = estimator.save(tmp_path / "m.kseq2seq")
    pairs = tmp_path / "pairs.tsv"
    wrong = ["Éins drei", *Y[1:]]
    pairs.write_text("".join(f"{x}\t{y}\n" for x, y in zip(X, wrong, strict=True)))
    code, shown = main_here("evaluate", path, pairs, "--json")
    assert code == 0
    report = json.loads(shown.out.splitlines()[-1])
    for name, value in estimator.measure(X, wrong, METRICS).items():
        assert report[name] == pytest.approx(value)
    assert report["exact_match"] == 1 - 1 / len(X)
    assert "case:lc|eff:yes" in report["bleu_signature"]


def test_a_scorer_measures_at_the_end_of_a_pipeline_and_in_a_search(estimator):
    shout = FunctionTransformer(lambda texts: [text.strip("!") for text in texts])
    loud = [f"{text}!" for text in X]
    pipeline = make_pipeline(shout, estimator)
    assert exact_match_scorer(pipeline, loud, Y) == 1.0
    few = {**SETTINGS, "epochs": 1, "units": 4}
    search = GridSearchCV(
        Seq2SeqEstimator(**few), {"beam_size": [1]}, cv=2, scoring=TOKENS
    ).fit(X, Y)
    best = search.best_estimator_
    assert search.score(X, Y) == TOKENS(search, X, Y) == TOKENS(best, X, Y)
    assert (
        search.score(X, Y) == best.measure(X, Y, ["token_accuracy"])["token_accuracy"]
    )


def test_weights_count_in_every_metric():
    right, given = ["ab", "abcd", "a"], ["ab", "abxx", "b"]
    weights = [1, 2, 0]
    assert exact_match(right, given, sample_weight=weights) == pytest.approx(1 / 3)
    accuracy = (1 * 2 + 2 * 2) / (1 * 2 + 2 * 4)
    assert token_accuracy(right, given, sample_weight=weights) == accuracy
    assert edit_distance(right, given, sample_weight=weights) == pytest.approx(4 / 3)
    rate = edit_distance(right, given, normalize=True, sample_weight=weights)
    assert rate == pytest.approx(4 / 10)


@pytest.mark.parametrize("metric", [bleu, chrf])
def test_a_corpus_score_counts_a_pair_or_not(metric):
    right = ["a b c d e f", "g h i j k l", "m n o p q r"]
    given = ["a b c d e f", "g h i j x l", "x"]
    two = metric(right[:2], given[:2])
    assert metric(right, given, sample_weight=[3, 3, 0]) == two
    assert metric(right, given) < two
    with pytest.raises(ValueError, match="each pair counts once or not at all"):
        metric(right, given, sample_weight=[1, 2, 0])


def test_the_estimators_weights_reach_its_measure(estimator):
    y = ["falsch", *Y[1:]]
    weights = [3.0, *[1.0] * (len(y) - 1)]
    share = (len(y) - 1) / (len(y) + 2)
    measured = estimator.measure(X, y, ["exact_match"], sample_weight=weights)
    assert measured["exact_match"] == pytest.approx(share)
    assert exact_match_scorer(estimator, X, y, weights) == pytest.approx(share)
    assert estimator.score(X, y, weights) == pytest.approx(share)


def test_answers_of_another_number_or_kind_are_refused(estimator):
    with pytest.raises(ValueError, match="got 32 in X and 1 in y"):
        estimator.measure(X, Y[:1])
    with pytest.raises(TypeError, match="y must hold strings"):
        estimator.measure(X, [[3]] * len(X))
    with pytest.raises(TypeError, match=r"answers\[1\] is None"):
        estimator.judge(Y[:2], ["a", None])
    assert estimator.judge(["a"], [b"a"])["exact_match"] == 1
    with pytest.raises(ValueError, match="bleu"):
        estimator.measure(X, Y, ["blue"])
    with pytest.raises(ValueError, match="metric must be .*Did you mean 'bleu'"):
        AnswerScorer("blue")


def test_a_callback_of_ones_own_may_have_an_attach_of_its_own():
    class Counts(AnswerCallback):
        def attach(self, predict, X, y, tokens=list):
            return super().attach(predict, X, y, tokens=tokens)

        def look(self, epoch, logs):
            logs["val_tokens"] = float(sum(map(len, self._tokens(self._y))))

    settings = {**SETTINGS, "epochs": 1, "units": 4}
    fitted = Seq2SeqEstimator(**settings, callbacks=[Counts()])
    fitted.fit(X, Y, validation_data=(X[:2], Y[:2]))
    assert fitted.history_["val_tokens"] == [4.0]
