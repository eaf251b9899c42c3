"""Features beside sources: tokens of a kind of their own, never letters."""

import json
import re
import warnings

import numpy as np
import pytest
from commands import line_runner
from sklearn.model_selection import GridSearchCV, train_test_split
from strategies import assert_same_weights, small_classifier, small_estimator
from typer.testing import CliRunner

import kseq2seq
from kseq2seq.answering.attention_maps import tokens_looked_at
from kseq2seq.cli import make_app
from kseq2seq.cli.data import Limit, TooLong, limit_lengths
from kseq2seq.codec import SequenceCodec
from kseq2seq.datasets import load_pairs
from kseq2seq.descriptions import check_description
from kseq2seq.estimators.copying import copy_table
from kseq2seq.metrics import exact_match_scorer
from kseq2seq.vocabulary import Vocabulary

X = [("ab", ["p"]), ("ab", ["q"]), ("pa", ["q", "N"]), ("qb", ["N", "p"])] * 8
Y = ["p", "q", "q", "p"] * 8
"""The answer is the feature that is written like a letter of other sources."""


def learn(values, **settings):
    return SequenceCodec.learn("X", values, tokenizer="char", **settings)


@pytest.fixture(scope="module")
def fitted():
    """An estimator that has learned to answer by the features; not to be changed."""
    settings = {"epochs": 30, "learning_rate": 0.03, "dropout": 0.0, "batch_size": 8}
    return small_estimator(**settings, reverse_source=True).fit(X, Y)


class Table:
    """What passes for a DataFrame, without its package."""

    def __init__(self, index=None, **columns):
        self.data, self.columns = columns, list(columns)
        self.index = index or range(len(next(iter(columns.values()))))
        self.iloc = self

    def __getitem__(self, name):
        if isinstance(name, str):
            return self.data[name]
        if isinstance(name, slice):
            name = range(len(self))[name]
        rows = {column: [self.data[column][i] for i in name] for column in self.data}
        return Table([self.index[i] for i in name], **rows)

    def __len__(self):
        return len(self.index)

    def __iter__(self):
        return iter(self.columns)


def objects(pairs):
    array = np.empty((len(pairs), 2), dtype=object)
    for row, (source, features) in zip(array, pairs, strict=True):
        row[0], row[1] = source, features
    return array


def test_a_source_s_ids_are_its_tokens_and_then_its_features_of_their_own_kind():
    codec, ids = learn([("Va", ["N", "V"]), ("a", []), ("", ["V"])])
    assert codec.vocabulary.tokens == ["a", "V"]
    assert codec.feature_ids == {"V": 7, "N": 8}  # the most frequent first; 6 is UNK
    assert ids.tolist() == [[5, 4, 8, 7], [4], [7]]
    assert codec.num_ids == 9
    with pytest.warns(UserWarning, match="features that .* such as 'a', 'x'; they are"):
        assert codec.encode([("xN", ["a", "N", "x"])]).tolist() == [[1, 1, 6, 8, 6]]


def test_a_reversed_source_keeps_the_order_of_its_features():
    codec, ids = learn([("abc", ["x", "y"])], reverse=True)
    assert ids.tolist() == [[6, 5, 4, 8, 9]] and codec.feature_ids == {"x": 8, "y": 9}


def test_which_ids_are_tokens_is_said_in_one_place():
    codec, ids = learn([("ab", ["x"]), ("", ["y"])])
    assert codec.vocabulary_ids.tolist() == [0, 1, 2, 3, 4, 5, -1, -1, -1]
    assert codec.without_features(ids).tolist() == [[4, 5], []]
    plain, ids = learn(["ab"])
    assert plain.vocabulary_ids.tolist() == [0, 1, 2, 3, 4, 5]
    assert plain.without_features(ids) is ids and plain.feature_ids is None


@pytest.mark.parametrize(
    "values",
    [
        [("ab", ("x",)), ("b", [])],
        [("ab", np.array(["x"])), ("b", [])],
        [(b"ab", [b"x"]), (b"b", [])],
        np.array([("ab", ["x"]), ("b", [])], dtype=object),
        Table(lemma=["ab", "b"], features=[["x"], []]),
        iter([("ab", ["x"]), ("b", [])]),
    ],
    ids=["tuples", "arrays", "bytes", "objects", "table", "iterator"],
)
def test_pairs_come_in_many_containers(values):
    codec, ids = learn(values)
    assert ids.tolist() == [[5, 4, 7], [4]]
    assert codec.kind == "text" and list(codec.feature_ids) == ["x"]


@pytest.mark.parametrize(
    ("source", "kind"), [(["a", "bc"], "tokens"), ([1, 2], "integers")]
)
def test_sources_of_every_kind_may_have_features(source, kind):
    codec, ids = learn([(source, ["x"]), (source, ["y", "x"])])
    assert codec.kind == kind and [len(row) for row in ids] == [3, 4]
    assert codec.tokens([(source, [])]) == [source]


@pytest.mark.parametrize(
    "values",
    [[("a", "b"), ("c", "d")], [["a", "b"]], np.array([["a", "b"]], dtype=object)],
)
def test_token_lists_of_two_are_no_pairs(values):
    codec, _ = learn(values)
    assert codec.kind == "tokens" and codec.features is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [("a", ["x"]), "b"],
            r"throughout; X\[0\] is .* X\[1\] is 'b' .* \(source, \[",
        ),
        ([("a", ["x"]), ("b", "c")], r"X\[1\] is \('b', 'c'\)"),
        ([("a", []), ("b", [])], "no pair of X has a feature.*Pass the sources alone"),
        ([("a", ["x"]), ("b", [3])], r"features must be strings; X\[1\] has 3 \(int\)"),
        ([("a", ["x", None])], r"features must be strings; X\[0\] has None"),
        ([("a", {"x"})], r"X\[0\] are a set.*Pass sorted\(features\)"),
        ([("a", [b"\xff"])], r"bytes must be UTF-8; X\[0\] has the feature"),
        ([(None, ["x"])], r"X must hold strings.*X\[0\] is None"),
        # A list is a list of tokens.
        ([["a", ["x"]]], r"X\[0\] holds \['x'\].*If these are features, pass a tup"),
        ([("a", None)], r"X\[0\] holds None.*pass a tuple .*, as \('gehen', \["),
        (
            Table(["k"], lemma=["a"], features=["V;N"]),
            r"X\[0\] \(index 'k'\) has 'V;N'.*X\['features'\].str.split\(';'\)",
        ),
        (Table(a=["a"], b=[["x"]], c=["c"]), r"a table. Pass one of its columns"),
    ],
)
def test_other_data_is_refused_with_its_place_and_the_repair(values, message):
    with pytest.raises((TypeError, ValueError), match=message):
        learn(values)


def test_features_on_one_side_only_say_which():
    with_features, _ = learn([("a", ["x"])])
    alone, _ = learn(["a"])
    with pytest.raises(TypeError, match=r"X held pairs .*X\[0\] is 'a' .*Pass \(sourc"):
        with_features.encode(["a"])
    with pytest.raises(TypeError, match=r"X held sources alone .* \['x'\].*Pass the s"):
        alone.encode([("a", ["x"])])
    with pytest.raises(TypeError, match=r"y\[0\] is .*only sources \(X\) have. Pass"):
        SequenceCodec.learn("y", [("a", ["x"])], tokenizer="char")
    with pytest.raises(TypeError, match=r"y\[0\] is .*only sources \(X\) have"):
        small_estimator(shared_vocabulary=True).fit(["a"], [("a", ["x"])])
    with pytest.raises(ValueError, match="feature_vocabulary is given, and X holds"):
        learn(["a"], features=["x"])


def test_features_that_are_given_have_their_order():
    codec, ids = learn([("a", ["y"])], features=["x", "y"], unknown="error")
    assert codec.feature_ids == {"x": 6, "y": 7} and ids.tolist() == [[4, 7]]
    with pytest.raises(ValueError, match=r"X\[1\] has the feature 'z', which is none"):
        codec.encode([("a", ["x"]), ("a", ["x", "z"])])
    with pytest.raises(ValueError, match=r"none .*: it is \['x'\], and X has \['z'"):
        learn([("a", ["z"])], features=["x"])
    for given in ([1], "xy", [], ["x", 1], {"x"}, Vocabulary([])):
        with pytest.raises(TypeError, match="feature_vocabulary must be a list of str"):
            learn([("a", ["x"])], features=given)


def test_no_id_changes_when_tokens_and_features_come_later():
    codec, first = learn([("ab", ["x"])])
    grown, _ = codec.take_up([("cb", ["y", "x"])], extends=True)
    more, ids = grown.take_up([("dc", ["z", "y"])], extends=True)
    assert more.encode([("ab", ["x"])]).tolist() == first.tolist() == [[4, 5, 7]]
    assert ids.tolist() == [[10, 8, 11, 9]] and more.num_ids == 12
    tokens = [0, 1, 2, 3, 4, 5, -1, -1, 6, -1, 7, -1]
    assert more.vocabulary_ids.tolist() == tokens
    assert codec.num_ids == 8  # it is as it was
    again = SequenceCodec.from_json("X", json.loads(json.dumps(more.to_json())))
    assert again.encode([("dc", ["z", "y"])]).tolist() == ids.tolist()
    with pytest.warns(UserWarning, match="such as 'z'.*extend_vocabulary=True"):
        _, ids = codec.take_up([("ab", ["z"])])
    assert ids.tolist() == [[4, 5, 6]]


def test_a_shared_vocabulary_has_no_features():
    estimator = small_estimator(shared_vocabulary=True, extend_vocabulary=True)
    estimator.fit(X, Y)
    assert estimator.source_vocabulary_ is estimator.target_vocabulary_
    assert estimator.target_vocabulary_.tokens == ["a", "b", "p", "q"]
    assert estimator.feature_ids_ == {"N": 9, "p": 10, "q": 11}
    estimator.partial_fit([("c", ["p", "M"])], ["d"])
    assert estimator.target_vocabulary_.tokens[-2:] == ["c", "d"]
    assert estimator.feature_ids_["M"] == 13  # after the token of X, before that of y
    assert estimator._source.encode([("cd", ["M"])]).tolist() == [[12, 14, 13]]


@pytest.mark.parametrize(
    "odd",
    [
        {"ids": [7]},
        {"ids": [7, 7]},
        {"ids": [7, 3]},
        {"ids": [7, 9]},
        {"unknown_id": 7},
        {"unknown_id": 2**62},
        {"ids": [7, -(10**40)]},
        {"tokens": ["x", "x"]},
    ],
    ids=str,
)
def test_features_that_a_file_cannot_have_are_refused(odd):
    described = learn([("ab", ["x", "y"])])[0].to_json()
    assert SequenceCodec.from_json("X", described).feature_ids == {"x": 7, "y": 8}
    with pytest.raises(ValueError):
        wrong = {**described, "features": {**described["features"], **odd}}
        SequenceCodec.from_json("X", wrong)
    with pytest.raises(ValueError, match="y of kind 'text' cannot have .* features"):
        SequenceCodec.from_json("y", described)


@pytest.mark.parametrize("odd", [None, [], {}, {"tokens": [1]}, {"ids": "a"}])
def test_the_description_of_features_is_checked(odd, fitted):
    description = fitted._artifact().description | {"arrays": {}}
    check_description(description)
    features = {**description["source"]["features"], **odd} if odd else odd
    source = {**description["source"], "features": features}
    with pytest.raises(ValueError, match="source/features"):
        check_description({**description, "source": source})


def test_answers_follow_the_features(fitted, tmp_path):
    assert fitted.score(X, Y) == 1 == exact_match_scorer(fitted, X, Y)
    assert fitted.predict(objects(X[:4])) == Y[:4]
    table = Table(lemma=[s for s, _ in X], features=[f for _, f in X])
    assert fitted.measure(table, Y)["exact_match"] == 1
    assert [best[0].answer for best in fitted.predict_n_best(X[:4], 2)] == Y[:4]
    assert list(fitted.predict(iter(X[:4]))) == Y[:4]
    kept = kseq2seq.load(fitted.save(tmp_path / "m.kseq2seq"))
    assert kept.predict(X[:4]) == Y[:4] and kept.feature_ids_ == fitted.feature_ids_
    assert_same_weights(kept, fitted)


def test_attention_names_features_in_brackets(fitted):
    (found,) = fitted.attention([("ab", ["N", "p"])])
    assert found.source_tokens == ["a", "b", "[N]", "[p]", "<end>"]
    generator, ids = fitted.generator_, fitted._source.encode([("ab", ["N", "p"])])
    looked = generator.predict(ids.padded(closed=True), verbose=0)["attention_weights"]
    expected = looked[0, : len(found.target_tokens)][:, [1, 0, 2, 3, 4]]
    np.testing.assert_allclose(found.weights, expected, atol=1e-6)
    assert found._repr_png_()


def test_no_feature_stands_in_for_an_unknown_token():
    looked = np.array([[[0.1, 0.2, 0.6, 0.1]]])  # at the feature most
    arguments = looked, [["a", "b"]], np.array([[1]])
    assert tokens_looked_at(*arguments, reverse=False) == [["b"]]
    assert tokens_looked_at(*arguments, reverse=True) == [["a"]]


def test_no_feature_is_copied():
    source, _ = learn([("ab", ["p", "a"])])
    target, _ = SequenceCodec.learn("y", ["pab"], tokenizer="char")
    assert copy_table(source, target).tolist() == [0, 0, 0, 0, 4, 5, 0, 0, 0]
    source, _ = source.take_up([("pz", ["b"])], extends=True)
    table = copy_table(source, target).tolist()
    assert table == [0, 0, 0, 0, 4, 5, 0, 0, 0, 6, 0, 0]


def test_a_model_that_only_copies_takes_tokens_of_the_source():
    estimator = small_estimator(copy=True).fit(X, Y)
    for weight in estimator.models_.training.get_layer("copy_switch").weights:
        weight.assign(weight * 0 - 50.0 * (weight.ndim == 1))  # copies always
    for letter, other in ("pq", "qp"):
        (answer,) = estimator.predict([(letter, [other, other, other])])
        assert {*answer} == {letter}


def test_unknown_features_are_told_once_a_call(fitted):
    unseen = [("ab", ["W", "p"])] * 600
    for ask in (fitted.predict, lambda X: list(fitted.predict(iter(X)))):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ask(unseen)
        assert ["such as 'W'" in str(warning.message) for warning in caught] == [True]


def test_a_source_without_tokens_is_empty_whatever_its_features(fitted):
    assert fitted.predict([("", ["p"])]) == [""]
    with pytest.warns(
        UserWarning, match=r"no token of \('zz', \['p'\]\) \(tuple\), nor"
    ):
        fitted.predict([("zz", ["p"])])


@pytest.mark.parametrize("values", [X, objects(X)], ids=["list", "objects"])
def test_scikit_learn_splits_pairs(values, fitted):
    _, X_test, _, y_test = train_test_split(values, Y, random_state=0)
    assert len(X_test) == 8 and fitted.score(X_test, y_test) == 1


def test_a_search_over_parameters_takes_pairs():
    search = GridSearchCV(small_estimator(), {"units": [4]}, cv=2, refit=False)
    search.set_params(error_score="raise").fit(X, Y)
    assert 0 <= search.cv_results_["mean_test_score"][0] <= 1


def test_a_model_learns_more_features_and_keeps_what_it_knew():
    estimator = small_estimator(learning_rate=1e-9).fit(X, Y)
    rows = estimator._source.num_ids
    before = estimator.models_.encoder.get_layer("source_embedding").get_weights()[0]
    estimator.set_params(extend_vocabulary=True, warm_start=True)
    estimator.partial_fit([("cab", ["M", "p"])], ["p"])
    after = estimator.models_.encoder.get_layer("source_embedding").get_weights()[0]
    assert after.shape[0] == rows + 2
    np.testing.assert_allclose(after[:rows], before, atol=1e-6)
    assert [estimator.feature_ids_[name] for name in ("p", "M")] == [10, 13]


def test_a_checkpoint_is_resumed_with_features(tmp_path):
    path = tmp_path / "run.kseq2seq"
    ids = small_estimator().fit(X, Y, checkpoint=path).feature_ids_
    resumed = small_estimator(epochs=2).fit(X, Y, checkpoint=path)
    assert len(resumed.history_["loss"]) == 2 and resumed.feature_ids_ == ids
    with pytest.raises(ValueError, match="a fit on other data"):
        small_estimator(epochs=3).fit([(s, []) for s, _ in X], Y, checkpoint=path)


def test_a_stream_needs_the_features_up_front():
    given = {"source_vocabulary": "abpq", "target_vocabulary": "pq", "max_length": 2}
    stream = [*zip(X, Y, strict=True), (("a", ["Z"]), "p")] * 2
    with pytest.raises(ValueError, match="does not tell all its features: pass featur"):
        small_estimator(**given).fit(iter(stream), steps_per_epoch=2)
    given |= {"feature_vocabulary": ["p", "q", "N"]}
    estimator = small_estimator(**given)
    with pytest.warns(UserWarning, match="such as 'Z'") as caught:
        estimator.fit(iter(stream), steps_per_epoch=4)
    assert sum("'Z'" in str(warning.message) for warning in caught) == 1
    assert estimator.feature_ids_ == {"p": 9, "q": 10, "N": 11}


def test_one_hot_sources_and_given_rows_have_places_for_features():
    estimator = small_estimator(source_embedding="one_hot").fit(X, Y)
    assert estimator.models_.encoder.get_layer("source_embedding").size == 12
    matrix = np.ones((8, 3), dtype="float32")
    with pytest.raises(
        ValueError, match="must have 12 rows: .*4 for the tokens.*got 8"
    ):
        small_estimator(source_embedding=matrix).fit(X, Y)


def test_validation_data_is_as_the_pairs():
    with pytest.raises(TypeError, match="validation_data: X held pairs"):
        small_estimator().fit(X, Y, validation_data=(["ab"], ["p"]))
    with pytest.raises(
        ValueError, match=r"validation_data: X\[0\] has the feature 'W'"
    ):
        data = [("ab", ["W"])], ["p"]
        small_estimator(unknown="error").fit(X, Y, validation_data=data)


def test_a_classifier_reads_features_too(tmp_path):
    settings = {"epochs": 30, "learning_rate": 0.03, "dropout": 0.0, "batch_size": 8}
    classifier = small_classifier(**settings).fit(X, Y)
    assert classifier.score(X, Y) == 1 and classifier.feature_ids_["N"] == 9
    kept = kseq2seq.load(classifier.save(tmp_path / "m.kseq2seq"))
    assert kept.predict(X[:4]).tolist() == Y[:4]


def test_what_is_exported_says_how_features_become_ids(fitted):
    """As docs/export.md does it."""
    described = json.loads(json.dumps(fitted._exported()[1]))["source"]
    features = described["features"]
    names = dict(zip(features["tokens"], features["ids"], strict=True))
    taken = {features["unknown_id"], *features["ids"]}
    free = [i for i in range(4, 4 + len(described["tokens"]) + len(taken))]
    ids = [i for i in free if i not in taken]
    known = dict(zip(described["tokens"], ids, strict=True))
    row = [known[token] for token in "qb"[::-1]] + [names[name] for name in ("N", "p")]
    assert fitted._source.encode([("qb", ["N", "p"])]).tolist() == [row]


TSV = "gehen\tging\tV;PST; 3\nHaus\tHaus\t\n"


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "forms.tsv"
        path.write_text(content)
        return path

    return write


def test_pairs_with_features_are_read_in_one_call(file):
    expected = [("gehen", ["V", "PST", "3"]), ("Haus", [])], ["ging", "Haus"]
    assert load_pairs(file(TSV), features=";") == expected
    wide = "features\tform\tid\tlemma\nV;PST;;3\tging\t1\tgehen\n\tHaus\t2\tHaus\n"
    columns = "lemma", "form", "features"
    assert load_pairs(file(wide), columns=columns, features=";") == expected
    assert load_pairs(file(TSV), columns=(1, 2)) == (["gehen", "Haus"], expected[1])


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            "a\tb\n",
            {"features": ";"},
            r"forms.tsv, line 1: expected source TAB target T",
        ),
        (TSV + "a\tb\n", {"features": ";"}, "line 3: .* TAB features; got 1 tab in"),
        (TSV + "a\tb\tc\td\n", {"features": ";"}, "line 3: .* got 3 tabs .*1,2,3"),
        (TSV, {}, r"line 1: .* got 2 tabs .* \(features=';', --features ';'\)"),
        (
            "a\tb\n",
            {"columns": (1, 2, 3), "features": ";"},
            "line 1: expected 3 columns",
        ),
        (TSV, {"columns": (1, 2), "features": ";"}, "columns must be a list of 3"),
        (TSV, {"columns": (1, 2, 3)}, "columns must be a list of 2"),
        (TSV, {"features": ""}, "features must be what separates features"),
        (TSV, {"features": 3}, "features must be what separates features"),
        (TSV, {"features": "\t"}, r"in their column, such as ';'; got '\\t'"),
        (TSV, {"features": ";\n"}, r"in their column, such as ';'; got ';\\n'"),
    ],
)
def test_files_without_such_a_column_are_told(file, content, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        load_pairs(file(content), **options)
    with pytest.raises(TypeError, match="features are those of one TSV file"):
        load_pairs(file(TSV), file(TSV), features=";")


TRAIN = "train", "--units", "4", "--epochs", "1", "--no-bidirectional"
TRAIN += "--random-state", "0"


@pytest.fixture(scope="module")
def app():
    return make_app()


@pytest.fixture
def run(app):
    return line_runner(app)


@pytest.fixture(scope="module")
def models(app, tmp_path_factory):
    """The files of a model that reads features, and of one that does not."""
    folder = tmp_path_factory.mktemp("models")
    pairs = folder / "pairs.tsv"
    pairs.write_text("lemma\tform\ttags\n" + "ab\tx\tV;N\nb\ty\t\n\tz\tV\n" * 4)
    for name, options in (
        ("with", ["--columns", "lemma,form,tags", "--features", ";"]),
        ("alone", ["--columns", "lemma,form"]),
    ):
        arguments = [*TRAIN, pairs, *options, "--model", folder / f"{name}.kseq2seq"]
        result = CliRunner().invoke(app, [*map(str, arguments)])
        assert result.exit_code == 0, result.output
        assert "4 pairs with an empty side" in result.output
    return folder


def test_commands_read_a_column_of_features(run, models, file):
    model, pairs = models / "with.kseq2seq", models / "pairs.tsv"
    assert kseq2seq.load(model).feature_ids_ == {"N": 7, "V": 8}
    assert any("2 tokens, 2 features" in line for line in run("info", model))
    whole = "--columns", "lemma,form,tags", "--features", ";"
    assert len(run("predict", model, pairs, *whole)) == 12
    answers = run("predict", model, "--features", ";", stdin="ab\tV; N\nb\t\n")
    sources = [("ab", ["V", "N"]), ("b", [])]
    assert answers == kseq2seq.load(model).predict(sources)
    (line,) = run(
        *("predict", model, file("V|N\tab\n"), "--json"),
        *("--columns", "2,1", "--features", "|"),
    )
    assert json.loads(line)["source"] == "ab"
    assert json.loads(line)["features"] == ["V", "N"]
    errors = models / "wrong.tsv"
    run("evaluate", model, pairs, *whole, "--errors", errors, "--overwrite")
    assert "ab [V] [N]\tx\t" in errors.read_text()
    more = models / "more.kseq2seq"
    going_on = "--from", model, "--model", more, "--overwrite", "--epochs", "1"
    run("train", pairs, *whole, *going_on)
    assert kseq2seq.load(more).feature_ids_ == {"N": 7, "V": 8}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "P", "--features", ";", "--columns", "1,2"],
            "SOURCE,TARGET,FEATURES",
        ),
        (["train", "P", "--columns", "1,2,3"], "Of a column of features say what sep"),
        (["train", "P", "--features", ""], "--features must be what separates"),
        (["predict", "with", "P", "--features", "\t"], "such as ';'; got '\\t'"),
        (
            ["train", "--source", "P", "--target", "P", "--features", ";"],
            "--features is for pairs as one TSV file",
        ),
        (
            ["train", "P", "--columns", "1,2", "--from", "with"],
            "with.kseq2seq reads features beside its sources: pass --features",
        ),
        (
            ["predict", "with", "P", "--columns", "1"],
            "reads features beside its sources",
        ),
        (
            ["predict", "with", "P", "--columns", "1", "--features", ";"],
            "--columns must be SOURCE,FEATURES with --features",
        ),
        (
            ["predict", "with", "P", "--features", ";"],
            "Choose those to read, such as columns=(1, 3) (--columns 1,3).",
        ),
        (
            ["predict", "alone", "P", "--features", ";"],
            "--features is for models that read features",
        ),
        (
            ["evaluate", "alone", "P", "--features", ";"],
            "--features is for models that read features",
        ),
        (
            ["evaluate", "with", "P", "--columns", "1,2"],
            "reads features beside its sou",
        ),
        (
            ["evaluate", "with", "P", "--columns", "1,2,4", "--features", ";"],
            "pairs.tsv, line 1: expected 4 columns",
        ),
    ],
)
def test_options_of_features_that_do_not_fit_are_told(run, models, arguments, message):
    names = {"P": models / "pairs.tsv"}
    names |= {name: models / f"{name}.kseq2seq" for name in ("with", "alone")}
    arguments = [names.get(argument, argument) for argument in arguments]
    if arguments[0] == "train":
        arguments += ["--model", models / "new.kseq2seq"]
    with pytest.raises(ValueError, match=re.escape(message)):
        run(*arguments)


def test_only_tokens_of_the_source_count_for_its_limit():
    pairs = [("abcd", ["V", "N"]), ("ab", ["V"])], ["x", "y"]
    limits = Limit("source", 2, "char"), Limit("target", None, "char")
    cut = limit_lengths(pairs, limits, TooLong.cut)
    assert cut == ([("ab", ["V", "N"]), ("ab", ["V"])], ["x", "y"])
    assert limit_lengths(pairs, limits, TooLong.drop) == ([("ab", ["V"])], ["y"])
