"""A prefix of its own for the answer to each source."""

import copy

import numpy as np
import pytest
from strategies import make_models

from kseq2seq import Seq2SeqEstimator, build_generator
from kseq2seq.answering import generate

SOURCE_IDS = np.array([[4, 5, 3], [6, 3, 0], [7, 4, 3]], "int32")
SEARCHES = [{}, {"beam_size": 3}, {"beam_size": 3, "n_best": 2}, {"temperature": 1.0}]


@pytest.mark.parametrize("search", SEARCHES, ids=str)
def test_each_row_starts_with_its_own_prefix(search):
    models = make_models(seed=4)
    seed = {"seed": 0} if "temperature" in search else {}
    generator = build_generator(models, 5, prefix_input=True, **search, **seed)
    prefix_ids = np.array([[5, 6, 4], [0, 0, 0], [7, 0, 0]], "int32")
    found = generator.predict([SOURCE_IDS, prefix_ids], verbose=0)
    rows = found["ids"].reshape(3, -1, 5)
    assert (rows[0, :, :3] == [5, 6, 4]).all() and (rows[2, :, 0] == 7).all()
    if "temperature" in search:
        return
    for row, prefix in enumerate(([5, 6, 4], [], [7])):
        alone = build_generator(models, 5, forced_prefix=prefix, **search)
        expected = alone.predict(SOURCE_IDS[row : row + 1], verbose=0)
        for name in ("ids", "scores", "attention_weights"):
            np.testing.assert_allclose(found[name][row], expected[name][0], rtol=1e-5)


def test_prefixes_come_back_in_the_order_of_the_sources():
    generator = build_generator(make_models(seed=4), 5, prefix_input=True)
    sources, prefixes = [[4] * n for n in (3, 1, 5, 2)], [[4], [5, 5], [], [6]]
    for how in ({"batch_size": 2}, {"compiles": True, "batch_size": 2}):
        found = generate(generator, sources, prefixes=prefixes, **how)
        for row, prefix in zip(found["ids"].tolist(), prefixes, strict=True):
            assert row[: len(prefix)] == prefix
    alone = generate(generator, sources[1:2], prefixes=prefixes[1:2])
    np.testing.assert_array_equal(alone["ids"][0], found["ids"][1])


def test_prefixes_of_all_sources_cannot_be_given_twice():
    with pytest.raises(ValueError, match="prefix_input=True gives each source"):
        build_generator(make_models(), 5, prefix_input=True, forced_prefix=[4])


def test_answers_start_with_prefixes_and_go_on_as_the_model_would(fitted):
    X, prefixes = ["abc", "dd", "ab"], ["c", "", "a"]
    answers = fitted.predict(X, prefixes=prefixes)
    assert answers[:2] == ["cba", "dd"] and answers[2].startswith("a")
    assert [*fitted.predict(iter(X), prefixes=iter(prefixes))] == answers
    found = fitted.predict_with_scores(X, prefixes=prefixes)
    assert [answer for answer, _ in found] == answers
    scores = [score for _, score in found]
    np.testing.assert_allclose(scores, fitted.log_prob(X, answers), atol=1e-4)
    for best, prefix in zip(
        fitted.predict_n_best(X, 2, prefixes=prefixes), prefixes, strict=True
    ):
        assert all(answer.startswith(prefix) for answer, _ in best)
    forced = copy.deepcopy(fitted).set_params(forced_prefix="dd")
    assert forced.predict(X, prefixes=prefixes) == answers  # in its place


@pytest.mark.parametrize("kind", ["tokens", "integers"])
def test_prefixes_are_of_the_kind_that_y_had(kind):
    X = ["a", "b", "ab"] * 4
    y = {
        "tokens": [["x"], ["y", "x"], []] * 4,
        "integers": [[1, 2], [2, 2], [3, 1]] * 4,
    }
    estimator = Seq2SeqEstimator(units=4, epochs=1, random_state=0).fit(X, y[kind])
    prefixes = {"tokens": [["y"], []], "integers": [[3], []]}[kind]
    answers = estimator.predict(["a", "b"], prefixes=prefixes)
    assert list(answers[0][:1]) == prefixes[0]
    with pytest.raises(TypeError, match="in the kind that y had"):
        estimator.predict(["a", "b"], prefixes=["y", ""])


@pytest.mark.parametrize(
    ("prefixes", "message"),
    [
        (["a"], "2 in X and 1 in prefixes"),
        (["a", "q"], r"prefixes\[1\] holds 'q', which is none of the 4 tokens"),
        (["a" * 30, ""], r"prefixes\[0\] has 30 tokens, and an answer at most"),
        (["a", None], r"prefixes\[1\] is None"),
        ("ab", r"For a single one pass a list: \[prefixes\]"),
        (["a", "d"], r"prefixes\[1\] holds 'd', which is one of forbidden_tokens"),
    ],
)
def test_what_is_wrong_with_prefixes_is_said(fitted, prefixes, message):
    estimator = copy.deepcopy(fitted).set_params(forbidden_tokens="d")
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.predict(["ab", "b"], prefixes=prefixes)


def test_a_stream_says_which_side_ended_first(fitted):
    found = fitted.predict(iter(["ab", "b"]), prefixes=["b"])
    assert next(found).startswith("b")
    with pytest.raises(ValueError, match="prefixes ended after 1, and X goes on"):
        next(found)
