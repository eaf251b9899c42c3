"""Parameters of the search, which shape answers after a fit."""

import copy
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from strategies import small_estimator

from kseq2seq.answering import answerer, kept_models


def test_parameters_of_the_search_shape_answers_after_a_fit(fitted):
    estimator = copy.deepcopy(fitted)
    greedy = estimator.predict(["abc", "d"])
    estimator.set_params(beam_size=4)
    assert estimator.predict(["abc", "d"]) == greedy == ["cba", "d"]
    estimator.set_params(beam_size=1, forced_prefix="dd")
    assert all(answer.startswith("dd") for answer in estimator.predict(["abc", "d"]))
    estimator.set_params(forced_prefix=None, forbidden_tokens="ca")
    assert not set("ca") & set("".join(estimator.predict(["abc", "aaa"])))
    estimator.set_params(forbidden_tokens=None, min_length=4)
    assert len(estimator.predict(["a"])[0]) >= 4
    estimator.set_params(no_repeat_ngram_size=1)
    (answer,) = estimator.predict(["a"])
    assert len(set(answer)) == len(answer) >= 4
    estimator.set_params(no_repeat_ngram_size=0, min_length=0)
    assert estimator.predict(["abc", "d"]) == greedy


def test_drawn_answers_are_seeded(fitted):
    estimator = copy.deepcopy(fitted).set_params(temperature=5.0)
    drawn = estimator.predict(["abcd"] * 40)
    assert len(set(drawn)) > 10
    assert estimator.predict(["abcd"] * 40) == drawn
    assert estimator.set_params(random_state=1).predict(["abcd"] * 40) != drawn
    estimator.set_params(top_k=1)
    assert set(estimator.predict(["abcd"] * 40)) == {"dcba"}


def test_the_best_answers_come_with_scores_best_first(fitted):
    answers = fitted.predict_n_best(["ab", "dca"], 3)
    assert [row[0].answer for row in answers] == ["ba", "acd"]
    for row in answers:
        scores = [hypothesis.score for hypothesis in row]
        assert scores == sorted(scores, reverse=True) and scores[0] <= 0
        assert len({hypothesis.answer for hypothesis in row}) == 3
    for wrong in (0, 50, 1.5):
        with pytest.raises((ValueError, TypeError), match="n must be a whole number"):
            fitted.predict_n_best(["ab"], wrong)


def test_answers_come_with_scores_one_by_one_as_well(fitted):
    words = ["ab", "dca", "", "cc"]
    found = fitted.predict_with_scores(words)
    assert [answer for answer, _ in found] == fitted.predict(words)
    best = [answers[0] for answers in fitted.predict_n_best(words, 1)]
    for one, other in zip(found, best, strict=True):
        assert one.answer == other.answer
        assert one.score == pytest.approx(other.score, abs=1e-5)
    assert found[2] == ("", 0.0)  # of nothing, and sure
    stream = fitted.predict_with_scores(iter(words))
    assert next(stream).answer == "ba" and len(list(stream)) == 3
    drawn = copy.deepcopy(fitted).set_params(temperature=5.0)
    answers = [answer for answer, _ in drawn.predict_with_scores(words * 9)]
    assert answers == drawn.predict(words * 9)


def test_answers_at_hand_are_judged_as_answers_are_measured(fitted, reversed_words):
    X, y = (side[:40] for side in reversed_words)
    metrics = ["exact_match", "edit_distance"]
    assert fitted.judge(y, fitted.predict(X), metrics) == fitted.measure(X, y, metrics)
    weights = [1.0] * 39 + [0.0]
    judged = fitted.judge(y, [*y[:-1], "x"], metrics, sample_weight=weights)
    assert judged == {"exact_match": 1.0, "edit_distance": 0.0}
    for wrong in ("ba", None, iter(["ba"])):
        with pytest.raises(TypeError, match="answers must be a list or an array"):
            fitted.judge(["ba"], wrong)


def test_the_best_answers_to_a_stream_come_one_by_one(fitted):
    stream = fitted.predict_n_best(iter(["ab", "dca", ""]), 2)
    assert next(stream)[0].answer == "ba"
    assert [[one.answer for one in answers][0] for answers in stream] == ["acd", ""]
    with pytest.warns(UserWarning, match="no token of 'zz'"):
        (answers,) = fitted.predict_n_best(iter(["zz"]), 2)
    assert len(answers) == 2
    with pytest.raises(ValueError, match="^n must be a whole number"):
        fitted.predict_n_best(iter(["ab"]), 50)


def test_of_rows_there_may_be_fewer_answers_than_asked_for():
    rows = np.array([[1, 2], [2, 1], [1, 1]])
    estimator = small_estimator(forbidden_tokens=[1]).fit(rows, rows)
    for found in estimator.predict_n_best(rows, 2):
        assert [(list(answer), score < 0) for answer, score in found] == [
            ([2, 2], True)
        ]


def test_the_best_answers_need_a_beam(fitted):
    estimator = copy.deepcopy(fitted).set_params(beam_size="a")
    with pytest.raises(TypeError, match="beam_size must be a whole number"):
        estimator.predict_n_best(["ab"], 2)
    estimator.set_params(beam_size=1, temperature=1.0)
    with pytest.raises(ValueError, match=r"set_params\(temperature=None\)"):
        estimator.predict_n_best(["ab"], 2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"beam_size": 0}, "beam_size must be"),
        ({"beam_size": 9}, "beam_size must be at most .* ids to choose from; got 9"),
        ({"length_penalty": "long"}, "length_penalty must be a number"),
        ({"length_penalty": float("nan")}, "length_penalty must be a number"),
        ({"coverage_penalty": -1}, "coverage_penalty must be a number of at least 0"),
        ({"temperature": 1.0, "top_p": 0.0}, "top_p must be"),
        ({"temperature": 1.0, "top_p": 1.5}, "top_p must be"),
        ({"temperature": 1.0, "top_k": 0}, "top_k must be"),
        ({"temperature": 0}, "temperature must be"),
        ({"temperature": 1.0, "beam_size": 2}, "beam_size"),
        ({"top_k": 3}, "top_k"),
        ({"length_penalty": 3000.0, "beam_size": 2}, "at most 100; got 3000"),
        (
            {"coverage_penalty": 10**400, "beam_size": 2},
            "at most 100; got 1000.* charac",
        ),
        ({"temperature": 1e40}, "temperature must be .* below 1000; got 1e"),
        ({"forced_prefix": "az"}, "forced_prefix holds 'z', which is none of the 4"),
        ({"forced_prefix": 3}, r"forced_prefix must be the beginning .* got 3 \(int\)"),
        ({"forced_prefix": "abcd" * 9}, "forced_prefix must be at most max_length="),
        ({"forbidden_tokens": "xyz"}, "forbidden_tokens holds 'x', which is none"),
        ({"forbidden_tokens": iter("a")}, "forbidden_tokens must be a list of tokens"),
        ({"forbidden_tokens": [["a"]]}, "forbidden_tokens must be a list of tokens"),
        ({"forbidden_tokens": 5}, r"forbidden_tokens must be .* got 5 \(int\)"),
        ({"min_length": 99}, "min_length must be a whole number from 0 to 7; got 99"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size must be"),
    ],
)
def test_a_search_that_cannot_be_is_refused_and_spoils_nothing(
    fitted, parameters, message
):
    estimator = copy.deepcopy(fitted).set_params(**parameters)
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.predict(["ab"])
    before = {name: getattr(fitted, name) for name in parameters}
    assert estimator.set_params(**before).predict(["ab"]) == ["ba"]


def count_builds(monkeypatch):
    """Return a list that gets an entry for each generator that is built."""
    built, build = [], answerer.build_generator

    def counting(*arguments, **options):
        built.append(options["beam_size"])
        return build(*arguments, **options)

    monkeypatch.setattr(answerer, "build_generator", counting)
    return built


def test_settings_that_alternate_build_a_generator_each_once(fitted, monkeypatch):
    estimator, built = copy.deepcopy(fitted), count_builds(monkeypatch)
    first = [estimator.predict_n_best(["abc"], n) for n in range(1, 6)]
    again = [estimator.predict_n_best(["abc"], n) for n in range(1, 6)]
    assert built == [1, 2, 3, 4, 5] and again == first


def test_the_generators_asked_for_last_are_kept(fitted, monkeypatch):
    monkeypatch.setattr(kept_models, "MOST_MODELS", 2)
    estimator, built = copy.deepcopy(fitted), count_builds(monkeypatch)
    for beam_size in (2, 3, 2, 4, 2, 3):  # 4 takes the place of 3, and 3 that of 4
        _ = estimator.set_params(beam_size=beam_size).generator_
    assert built == [2, 3, 4, 3]
    assert len(estimator._answerer._kept) == 2


def test_threads_that_alternate_settings_get_their_answers(fitted, monkeypatch):
    monkeypatch.setattr(kept_models, "MOST_MODELS", 1)
    estimator = copy.deepcopy(fitted)
    sizes = [1, 2] * 3
    expected = {n: fitted.predict_n_best(["abcd", "b"], n) for n in set(sizes)}
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(partial(estimator.predict_n_best, ["abcd", "b"]), sizes)
        for n, answers in zip(sizes, found, strict=True):
            for right, got in zip(expected[n], answers, strict=True):
                assert [one.answer for one in got] == [one.answer for one in right]
