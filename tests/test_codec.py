import warnings

import numpy as np
import pytest

from kseq2seq.codec import SequenceCodec, as_labels, as_sequences, as_vocabulary
from kseq2seq.estimators.series import tell_of_series
from kseq2seq.vocabulary import Vocabulary

NAN = float("nan")


class Table(list):
    """What passes for a DataFrame, without its package."""

    columns = ("a", "b")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["ab", ""], "text"),
        (np.array(["ab", "c"]), "text"),
        (np.array(["ab", "c"], dtype=object), "text"),
        ((text for text in ["ab"]), "text"),
        ([["a", "bc"], []], "tokens"),
        ([("a",), ("b",)], "tokens"),
        ([[1, 2], [3]], "tokens"),
        ([[1, 2], [3, 4]], "integers"),
        (np.array([[1, 2], [3, 4]]), "integers"),
        ([np.array([1, 2]), np.array([3, 4])], "integers"),
    ],
)
def test_kinds_are_told_apart(values, kind):
    assert as_sequences("X", values)[1] == kind


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "X is empty; expected at least one sequence"),
        ("abc", r"X must hold strings.* got 'abc' \(str\). For a single one pass .*X"),
        (None, "X must hold strings, token lists or rows of integers; got None"),
        (3, "X must hold"),
        (["a", None], r"X\[1\] is None"),
        (["a", NAN], r"X\[1\] is nan"),
        (["a", 3], r"X\[1\] is 3 \(int\)"),
        (["a", ["b"]], r"X\[0\] is 'a' \(str\) and X\[1\] is \['b'\] \(list\)"),
        ([["a"], "b"], r"X\[0\] is \['a'\] \(list\) and X\[1\] is 'b'"),
        ([["a"], [1]], r"one kind of sequence"),
        ([["a", None]], r"X\[0\] holds None"),
        ([["a", 1]], r"X\[0\] holds 1 \(int\)"),
        ([[1, NAN]], r"X\[0\] holds nan"),
        ([[1, True]], r"X\[0\] holds True"),
        (np.ones((2, 3)), r"X\[0\] holds .*1.0"),
        ([["a", ["b"]]], r"X\[0\] holds \['b'\]"),
        ([b"\xff"], r"bytes must be UTF-8; X\[0\] is b"),
        ([{"a": 1}], r"X\[0\] is .* \(dict\)"),
        (np.array(3), "X must hold"),
        ({"a", "b"}, "X must hold"),
        ({"a": 1}, "X must hold"),
        ([np.array(3)], r"X\[0\] is 3 \(int\)"),
        (Table(), r"a table. Pass one of its columns: X\[column\]"),
    ],
)
def test_other_data_is_refused_with_its_place(values, message):
    with pytest.raises((TypeError, ValueError), match=message):
        as_sequences("X", values)


@pytest.mark.parametrize(
    "values",
    [["ab", "", "ba"], [["x", "y"], [], ["y"]], [[5, 6], [7]]],
    ids=["text", "tokens", "ragged integers"],
)
def test_answers_come_back_in_the_kind_that_was_learned(values):
    codec, ids = SequenceCodec.learn("y", values, tokenizer="char")
    assert codec.decode(ids) == values


def test_rows_of_integers_come_back_as_an_array():
    rows = np.array([[5, 0, 5], [7, 7, 1]])
    codec, ids = SequenceCodec.learn("y", rows, tokenizer="char")
    np.testing.assert_array_equal(codec.decode(ids), rows)
    assert codec.width == 3


def test_text_and_token_lists_are_not_mixed_up_after_learning():
    codec, _ = SequenceCodec.learn("X", ["ab"], tokenizer="char")
    with pytest.raises(TypeError, match=r"X held strings when .* got token lists"):
        codec.encode([["a"]])


def test_an_unknown_token_raises_with_its_place_when_asked():
    codec, _ = SequenceCodec.learn("X", ["ab"], tokenizer="char", unknown="error")
    with pytest.raises(ValueError, match=r"X\[1\]: the token 'z' at position 2"):
        codec.encode(["a", "abz"])


def test_strings_and_integers_are_not_mixed_up_after_learning():
    codec, _ = SequenceCodec.learn("X", [[1, 2], [3]], tokenizer="char")
    with pytest.raises(TypeError, match=r"X held tokens of type int .* X\[1\] is \['a"):
        codec.encode([[], ["a"]])


def test_reversed_ids_are_those_of_the_tokens_from_their_end():
    plain, ids = SequenceCodec.learn("X", ["aab", ""], tokenizer="char")
    codec, reversed_ids = SequenceCodec.learn(
        "X", ["aab", ""], tokenizer="char", reverse=True
    )
    assert ids.tolist() == [[4, 4, 5], []] and reversed_ids.tolist() == [[5, 4, 4], []]
    assert codec.tokens(["ba"]) == plain.tokens(["ba"]) == [["b", "a"]]
    again = SequenceCodec.from_json("X", codec.to_json())
    assert again.encode(["ba"]).tolist() == codec.encode(["ba"]).tolist() == [[4, 5]]


def test_a_given_vocabulary_is_used_and_tokens_outside_it_are_unknown_or_raise():
    settings = {"tokenizer": "char", "vocabulary": "abc"}
    codec, ids = SequenceCodec.learn("X", ["ba"], **settings)
    assert ids.tolist() == [[5, 4]] and codec.vocabulary.tokens == ["a", "b", "c"]
    assert codec.encode(["az"]).tolist() == [[4, 1]]  # at predict as ever
    told = "75.0% of the tokens of X, such as 'z', 'y', are not in the vocabulary that"
    with pytest.warns(UserWarning, match=told):
        codec, ids = SequenceCodec.learn("X", ["a", "zzy"], **settings)
    assert ids.tolist() == [[4], [1, 1, 1]]
    with pytest.raises(ValueError, match=r"X\[1\]: the token 'z' at position 1 is not"):
        SequenceCodec.learn("X", ["a", "az"], **settings, unknown="error")
    with pytest.raises(ValueError, match=r"X has none of its .*and X has \['z'"):
        SequenceCodec.learn("X", ["z"], **settings)
    assert SequenceCodec.learn("X", [""], **settings)[1].tolist() == [[]]


def test_integer_answers_have_no_unknown_token():
    settings = {"tokenizer": "char", "vocabulary": [1, 2]}
    with pytest.raises(ValueError, match=r"y\[0\]: the token 3 at position 1 is not"):
        SequenceCodec.learn("y", [[1, 3]], **settings)
    with pytest.warns(UserWarning, match="50.0% of the tokens of X, such as 3, are"):
        _, ids = SequenceCodec.learn("X", [[1, 3]], **settings)
    assert ids.tolist() == [[4, 1]]


@pytest.mark.parametrize("name", ["X", "y"])
def test_later_sequences_are_as_the_first(name):
    codec, _ = SequenceCodec.learn(name, [[1, 2]], tokenizer="char", unknown="error")
    assert codec.encode_streamed([[2, 1]]).tolist() == [[5, 4]]
    with pytest.raises(
        ValueError, match=r"were 2 wide at first; .\[1\] has 3 integers"
    ):
        codec.encode_streamed([[2, 1], [1, 1, 1]])
    with pytest.raises(ValueError, match=rf"{name}\[0\]: the token 9 at position 1"):
        codec.encode_streamed([[1, 9]])


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ("ab", ["a", "b"]),
        (["ab", "c"], ["ab", "c"]),
        (range(2, 4), [2, 3]),
        (np.array([3, 1]), [3, 1]),
        (Vocabulary(["a"]), ["a"]),
    ],
    ids=str,
)
def test_a_vocabulary_is_made_of_what_has_an_order(given, tokens):
    assert as_vocabulary("X", given).tokens == tokens


@pytest.mark.parametrize(
    "given", [None, 3, "", [], {"a"}, {"a": 1}, [1, "a"], [1.5], [["a"]], [None]]
)
def test_what_is_no_vocabulary_is_refused(given):
    with pytest.raises(
        TypeError, match="the vocabulary of X must be a list of strings"
    ):
        as_vocabulary("X", given)


class Series(list):
    """What passes for a pandas Series, without its package."""

    def __init__(self, values, index):
        super().__init__(values)
        self.index = index
        self.iloc = self


@pytest.mark.parametrize(
    ("values", "place"),
    [
        (np.ma.masked_array([[1, 2], [3, 4]], [[0, 0], [1, 0]]), r"X\[1, 0\]"),
        (np.ma.masked_array(["a", "b"], [0, 1]), r"X\[1\]"),
        (np.ma.masked_array([["a"], ["b"]], [[1], [0]], dtype=object), r"X\[0, 0\]"),
        ([[1, 2], np.ma.masked_array([3, 4], [0, 1])], r"X\[1\]\[1\]"),
        (["a", np.ma.masked], r"X\[1\]"),
    ],
)
def test_a_masked_item_is_refused_with_its_place_and_the_repair(values, place):
    match = rf"^{place} is masked, .*\.filled\(value\)"
    with pytest.raises(ValueError, match=match):
        SequenceCodec.learn("X", values, tokenizer="char")
    kind = ["ab"] if isinstance(values[0], str) else [[1, 2], [3, 4]]
    codec, _ = SequenceCodec.learn("X", kind, tokenizer="char")
    with pytest.raises(ValueError, match=match):
        codec.encode(values)


def test_a_masked_array_without_a_masked_item_is_an_array():
    rows = np.array([[1, 2], [3, 4]])
    codec, ids = SequenceCodec.learn("X", np.ma.masked_array(rows), tokenizer="char")
    assert ids.tolist() == codec.encode(rows).tolist()


LARGE = r"y\[1\] holds 9223372036854775808: integers must be from -2\*\*63"


@pytest.mark.parametrize(
    "values",
    [
        np.array([[1, 2], [2**63, 1]], dtype=np.uint64),
        [[1, 2], [1, 2**63]],
        [[1], [3, 2**63], [2]],
    ],
    ids=["unsigned array", "rows", "token lists"],
)
def test_integers_beyond_64_bits_are_refused_when_learned(values):
    with pytest.raises(ValueError, match=LARGE):
        SequenceCodec.learn("y", values, tokenizer="char")
    with pytest.raises(ValueError, match=LARGE):
        SequenceCodec.learn("y", values, tokenizer="char", vocabulary=[1, 2, 3])
    codec, _ = SequenceCodec.learn("y", [[1], [3, 2]], tokenizer="char")
    with pytest.raises(ValueError, match=LARGE):
        codec.take_up(values, extends=True)
    with pytest.raises(ValueError, match="the vocabulary of y holds 92233720368547758"):
        as_vocabulary("y", [1, 2**63])
    assert codec.encode([[2**63]]).tolist() == [[1]]  # unknown, as any other


def test_integers_of_64_bits_come_back():
    rows = np.array([[-(2**63), 2**63 - 1], [0, 1]])
    codec, ids = SequenceCodec.learn("y", rows, tokenizer="char")
    np.testing.assert_array_equal(codec.decode(ids), rows)
    unsigned, ids = SequenceCodec.learn(
        "y", np.array([[3, 2**63 - 1]], dtype=np.uint64), tokenizer="char"
    )
    assert unsigned.decode(ids).tolist() == [[3, 2**63 - 1]]


def test_an_integer_that_python_does_not_write_is_named_by_its_digits():
    with pytest.raises(ValueError, match=r"X\[1\] holds an integer of 5,001 digits"):
        SequenceCodec.learn("X", [[1], [10**5000]], tokenizer="char")
    with pytest.raises(TypeError, match=r"X\[1\] is an integer of 5,001 digits \(int"):
        as_sequences("X", ["a", -(10**5000)])


@pytest.mark.parametrize(
    ("index", "place"),
    [
        (["first", "second"], r"X\[1\] \(index 'second'\)"),
        (np.array([7, 9]), r"X\[1\] \(index 9\)"),
    ],
)
def test_a_row_of_a_pandas_object_is_named_by_its_index_too(index, place):
    with pytest.raises(TypeError, match=rf"{place} is None"):
        as_sequences("X", Series(["a", None], index))
    with pytest.raises(TypeError, match=rf"{place} holds None"):
        as_sequences("X", Series([["a"], ["b", None]], index))
    codec, _ = SequenceCodec.learn("X", ["ab"], tokenizer="char", unknown="error")
    with pytest.raises(ValueError, match=rf"{place}: the token 'z' at position 0"):
        codec.encode(Series(["a", "z"], index))


COUNTS = np.random.default_rng(0)
POISSON = COUNTS.poisson(50, size=(200, 12))
WAVE = np.rint(100 + 60 * np.sin(np.arange(12) / 2 + COUNTS.uniform(0, 6, (40, 1))))
SYMBOLS = COUNTS.integers(0, 100, size=(200, 12))


@pytest.mark.parametrize(
    ("rows", "is_told"),
    [(POISSON, True), (WAVE.astype(int), True), (SYMBOLS, False), (SYMBOLS % 9, False)],
    ids=["counts", "wave", "symbols", "digits"],
)
def test_rows_of_counts_are_told_from_rows_of_symbols(rows, is_told):
    sides = [
        SequenceCodec.learn(name, part, tokenizer="char")
        for name, part in (("X", rows[:, :8]), ("y", rows[:, 8:]))
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tell_of_series(*sides)
    assert ["SequenceRegressor" in str(w.message) for w in caught] == [True] * is_told


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", NAN], r"y\[1\] is nan, which is no label. Leave out"),
        ([1, NAN, 2], r"y\[1\] is nan, which is no label"),
        (np.array([1.0, NAN]), r"y must be finite; y\[1\] is nan"),
        (np.array(["a", None], dtype=object), r"y\[1\] is None, which is no label"),
        ([None, "a"], r"y\[0\] is None, which is no label"),
        (Series(["a", NAN], ["x", "z"]), r"y\[1\] \(index 'z'\) is nan"),
        (["a", 1], r"y\[0\] is 'a' \(str\) and y\[1\] is 1 \(int\)"),
        (["a", {"b"}], r"of one kind, numbers, flags or strings; y\[1\] is \{'b'\}"),
        ([["a", "b"], ["a"]], r"one label for each .*; y\[0\] is \['a', 'b'\].*Multi"),
        (["a", ["b"]], r"one label for each .*; y\[1\] is \['b'\] .*MultiOutput"),
        (np.eye(2), r"one label for each .*; y\[0\] is \[1.0, 0.0\] .*MultiOutput"),
        (np.ma.masked_array([1, 2], [0, 1]), r"y\[1\] is masked"),
        ([1, 2**63], r"y\[1\] is 9223372036854775808: integers must be from"),
        ([1, 10**5000], r"y\[1\] is an integer of 5,001 digits: integers must be"),
        (Table(["a", "b"]), "a list, an array or a column of labels"),
    ],
)
def test_what_is_no_label_each_is_refused_with_its_place(y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        as_labels("y", y)
