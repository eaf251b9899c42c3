"""What `predict` and `evaluate` print and write, and which lines they refuse."""

import copy
import json
import re

import numpy as np
import pytest
from commands import line_runner
from typer.testing import CliRunner

from kseq2seq import Seq2SeqEstimator, SequenceClassifier
from kseq2seq.cli import make_app
from kseq2seq.cli.answers import leave_out_other_search
from kseq2seq.cli.evaluate import Mistake, _mistakes
from kseq2seq.cli.predict import _as_json, _whole_lines
from kseq2seq.datasets import load_pairs


@pytest.fixture(scope="module")
def app():
    return make_app("predict")


@pytest.fixture
def run(app):
    return line_runner(app)


@pytest.fixture(scope="module")
def reverser(fitted, tmp_path_factory):
    """A model file that reverses words over four letters."""
    return fitted.save(tmp_path_factory.mktemp("model") / "m.kseq2seq")


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """A model file that puts words into numbered classes, after one epoch."""
    classifier = SequenceClassifier(units=4, epochs=1, random_state=0)
    classifier.fit(["ab", "ba", "abb"] * 4, [1, 2, 30] * 4)
    return classifier.save(tmp_path_factory.mktemp("model") / "c.kseq2seq")


WORDS = ["abcd", "", "ddcba"]


def test_the_best_answers_have_numbers_and_scores(run, fitted, reverser, tmp_path):
    path = tmp_path / "sources.txt"
    path.write_text("\n".join(WORDS))
    found = run("predict", reverser, path, "--n-best", 3, "--scores")
    best = fitted.predict_n_best(WORDS, 3)
    assert len(best[1]) == 1  # of nothing there is one answer
    assert found == [
        f"{number}\t{score:.4f}\t{answer}"
        for number, answers in enumerate(best, 1)
        for answer, score in answers
    ]


def test_json_has_a_line_a_source(run, fitted, reverser):
    stdin = "\n".join(WORDS)
    lines = map(json.loads, run("predict", reverser, "--json", stdin=stdin))
    scored = fitted.predict_with_scores(WORDS)
    for line, source, (answer, score) in zip(lines, WORDS, scored, strict=True):
        assert line["source"] == source and line["answer"] == answer
        assert line["score"] == pytest.approx(score, abs=1e-5)
        assert set(line) == {"source", "answer", "score"}
    (line,) = run("predict", reverser, "--json", "--n-best", 2, stdin="abcd\n")
    ((first, second),) = fitted.predict_n_best(["abcd"], 2)
    listed = json.loads(line)
    assert [found["answer"] for found in listed["answers"]] == [first[0], second[0]]
    assert set(listed) == {"source", "answers"}


def test_probabilities_stand_where_scores_do(run, fitted, reverser):
    stdin = "\n".join(WORDS)
    found = fitted.predict_with_scores(WORDS, probabilities=True)
    assert run("predict", reverser, "--probabilities", stdin=stdin) == [
        f"{probability:.4f}\t{answer}" for answer, probability in found
    ]
    (line,) = run("predict", reverser, "--probabilities", "--json", stdin="abcd\n")
    assert json.loads(line)["probability"] == pytest.approx(found[0].score, abs=1e-5)
    assert "score" not in json.loads(line)


def test_json_keeps_letters_and_the_types_of_classes():
    assert _as_json("é", [("ü\n", -0.5)], several=False) == (
        '{"source": "é", "answer": "ü\\n", "score": -0.5}'
    )
    assert json.loads(_as_json("a", [(3, -1.0), (True, -2.0)], several=True)) == {
        "source": "a",
        "answers": [{"answer": 3, "score": -1.0}, {"answer": True, "score": -2.0}],
    }


def test_answers_are_drawn_at_a_temperature_with_their_scores(run, reverser):
    drawn = run(
        "predict", reverser, "--temperature", 5, "--scores", stdin="abcd\n" * 30
    )
    scores, answers = zip(*(line.split("\t") for line in drawn), strict=True)
    assert len(set(answers)) > 5 and all(float(score) < 0 for score in scores)


def test_options_come_before_what_the_model_says_of_its_search(fitted):
    fitted = copy.copy(fitted)
    beam = {"beam_size": 3, "length_penalty": 1.0, "coverage_penalty": 0.2}
    drawing = {"temperature": 2.0, "top_k": 3, "top_p": 0.9}
    plain = {name: fitted.get_params()[name] for name in (*beam, *drawing)}

    def left(model, **given):
        fitted.set_params(**plain | model)
        leave_out_other_search(fitted, **given)
        return {name: fitted.get_params()[name] for name in model}

    assert left(beam, temperature=1.0) == {name: plain[name] for name in beam}
    assert left(beam, temperature=1.0, beam_size=3)["beam_size"] == 3
    for given in ({"n_best": 2}, {"beam_size": 2}):
        assert left(drawing, **given) == dict.fromkeys(drawing)
        assert left(beam, **given) == beam
    assert left(drawing, n_best=None, beam_size=None) == drawing


def test_the_source_may_be_a_column(run, fitted, reverser, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("id\tword\tback\n1\t ab \tba\n2\tdc\tcd\n")
    expected = fitted.predict(["ab", "dc"])
    for columns in ("word", "word,back"):
        assert run("predict", reverser, path, "--columns", columns) == expected
    piped = run("predict", reverser, "--columns", "2", stdin="1\tab\n2\tdc\n")
    assert piped == expected


@pytest.mark.parametrize("line", ["ab\tba", "\tba", "ab\t"])
def test_a_tab_is_no_part_of_a_source_unless_training_had_one(line):
    lines = ["ab", line]
    with pytest.raises(ValueError, match=r"f, line 2: .* got a TAB in .* \(--columns"):
        list(_whole_lines(lines, "f", takes_tabs=False))
    assert list(_whole_lines(["a\tb", " c "], "f", takes_tabs=True)) == ["a\tb", "c"]


def test_lines_before_a_pair_are_answered(app, fitted, reverser):
    stdin = "ab\ndc\nab\tba\ndd\n"
    result = CliRunner().invoke(app, ["predict", str(reverser)], input=stdin)
    assert result.stdout.splitlines() == fitted.predict(["ab", "dc"])
    assert isinstance(result.exception, ValueError)
    message = r"standard input, line 3: expected a source alone.*\(cut -f1\)"
    assert re.match(message, str(result.exception))


def test_a_model_of_sources_with_tabs_gets_them(run, tmp_path):
    X, y = ["a\tb", "b\ta"] * 4, ["x", "y"] * 4
    estimator = Seq2SeqEstimator(units=4, epochs=1, bidirectional=False, random_state=0)
    path = estimator.fit(X, y).save(tmp_path / "m")
    assert run("predict", path, stdin="a\tb\n") == estimator.predict(["a\tb"])


def test_a_classifier_names_classes(run, judge):
    from kseq2seq import load

    log_probs = load(judge).predict_log_proba(["ab", "ba"])
    order = np.argsort(-log_probs, axis=1)
    labels = np.array([1, 2, 30])
    stdin = "ab\nba\n"
    assert run("predict", judge, stdin=stdin) == [str(labels[i]) for i in order[:, 0]]
    listed = run("predict", judge, "--n-best", 2, "--json", stdin=stdin)
    for line, row, best in zip(listed, log_probs, order, strict=True):
        answers = json.loads(line)["answers"]
        assert [found["answer"] for found in answers] == labels[best[:2]].tolist()
        assert answers[0]["score"] == pytest.approx(row[best[0]], abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", 0.5], "--temperature is for models that answer with seq"),
        (["--beam-size", 2], "--beam-size is for .* holds a SequenceClassifier. Leave"),
        (["--n-best", 4], "--n-best must be a whole number from 1 to 3; got 4"),
    ],
)
def test_what_is_for_sequences_is_refused_for_classes(run, judge, arguments, message):
    with pytest.raises(ValueError, match=message):
        run("predict", judge, *arguments, stdin="ab\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-best", 2, "--temperature", 1], "Pass one of the two"),
        (["--scores", "--probabilities"], "Pass one of the two"),
        (["--columns", "0"], "--columns must be SOURCE, by number from 1 or by name"),
        (["--columns", "a,b,c"], "--columns must be SOURCE, .* got 'a,b,c'"),
        (["--columns", ","], "--columns must be SOURCE"),
    ],
)
def test_options_of_predict_that_do_not_fit_are_told(run, reverser, arguments, message):
    with pytest.raises(ValueError, match=message):
        run("predict", reverser, *arguments, stdin="ab\n")


def test_wrong_answers_are_listed_the_worst_first(run, reverser, tmp_path):
    pairs, errors = tmp_path / "pairs.tsv", tmp_path / "errors.tsv"
    rows = ["word\tn\tback", "ab\t1\tba", "dc\t2\tdddd", "abc\t3\tcbd", "bd\t4\tdb"]
    pairs.write_text("\n".join(rows))
    command = ("evaluate", reverser, pairs, "--columns", "word,back")
    *lines, report = run(*command, "--errors", errors, "--json")
    assert lines[-1] == f"wrote 2 wrong answers to {errors}"
    assert json.loads(report)["exact_match"] == 0.5
    header, *wrong = (line.split("\t") for line in errors.read_text().splitlines())
    assert header == ["source", "expected", "got", "score", "edits"]
    assert [(*row[:3], row[4]) for row in wrong] == [
        ("dc", "dddd", "cd", "3"),
        ("abc", "cbd", "cba", "1"),
    ]
    assert all(float(row[3]) < 0 for row in wrong)
    again = load_pairs(errors, columns=("source", "expected"))
    assert again == (["dc", "abc"], ["dddd", "cbd"])
    with pytest.raises(FileExistsError, match="exists and is kept.*--overwrite"):
        run(*command, "--errors", errors)
    pairs.write_text("\n".join(rows[:3]))
    *_, last = run(*command, "--errors", errors, "--overwrite")
    assert last == f"wrote 1 wrong answer to {errors}"
    for read in (pairs, reverser):
        with pytest.raises(ValueError, match="written over, and this command reads it"):
            run(*command, "--errors", read, "--overwrite")


def test_lines_of_one_source_may_be_several_right_answers(run, reverser, tmp_path):
    pairs, errors = tmp_path / "pairs.tsv", tmp_path / "errors.tsv"
    pairs.write_text("ab\tbb\ndc\tcd\nab\tba\nabc\ta\nab\tba\nabc\tcbd\n")
    command = "evaluate", reverser, pairs, "--json", "--errors", errors
    assert json.loads(run(*command)[-1])["exact_match"] == 3 / 6
    command = *command, "--overwrite", "--multi-reference"
    first, *lines, report = run(*command)
    assert first == "6 pairs of 3 sources, 2 of them with several right answers"
    assert any("nrefs:var" in line for line in lines)
    measured = json.loads(report)
    assert measured["exact_match"] == 2 / 3 and measured["edit_distance"] == 1 / 3
    assert (measured["pairs"], measured["sources"]) == (6, 3)
    _, wrong = errors.read_text().splitlines()
    assert wrong.split("\t")[:3] == ["abc", "a | cbd", "cba"]


def test_of_mistakes_with_as_many_edits_the_surest_come_first(fitted):
    y = ["aa", "ab", "abcd", "ac"]
    found = [("ab", -3.0), ("ab", -0.1), ("a", -0.2), ("bc", -0.5)]
    assert _mistakes(fitted, list("wxyz"), y, found) == [
        Mistake("y", "abcd", "a", -0.2, 3),
        Mistake("z", "ac", "bc", -0.5, 1),
        Mistake("w", "aa", "ab", -3.0, 1),
    ]


def test_texts_are_wrong_or_right_as_the_estimator_prepares_them(fitted, monkeypatch):
    target = fitted._answerer.target
    monkeypatch.setitem(target.preparation, "lowercase", True)
    assert _mistakes(fitted, ["x"], ["AB"], [("ab", -1.0)]) == []


def test_a_classifier_is_evaluated_by_its_accuracy(run, judge, tmp_path):
    from kseq2seq import load

    pairs, errors = tmp_path / "pairs.tsv", tmp_path / "errors.tsv"
    (found,) = load(judge).predict(["ab"]).tolist()
    pairs.write_text(f"ab\t{found}\nab\tnone\n")
    lines = run("evaluate", judge, pairs, "--errors", errors, "--json")
    assert lines[0].split() == ["accuracy", "0.5000"]
    assert json.loads(lines[-1]) == {"accuracy": 0.5, "pairs": 2}
    lines = run("evaluate", judge, pairs, "--multi-reference", "--json")
    assert json.loads(lines[-1]) == {"accuracy": 1.0, "pairs": 2, "sources": 1}
    _, wrong = errors.read_text().splitlines()
    assert wrong.split("\t")[:3] == ["ab", "none", str(found)]


def test_bleu_of_short_answers_is_not_nothing(run, reverser, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("ab\tba\ndc\tcd\n")
    lines = run("evaluate", reverser, pairs)
    (bleu,) = (line for line in lines if line.split()[0] == "bleu")
    assert bleu.split()[1] == "100.0000" and "eff:yes" in bleu
