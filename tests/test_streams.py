from itertools import cycle, islice, repeat

import keras
import numpy as np
import pytest
from strategies import small_estimator

import kseq2seq
from kseq2seq.codec import SequenceCodec, as_sequences
from kseq2seq.estimators.pair_streams import PairStream, encoded_stream
from kseq2seq.training import FreeRunningValidation, StreamError
from kseq2seq.vocabulary import Vocabulary

X, Y = ["ab", "ba", "abb", "a"], ["x", "y", "xy", ""]


def small(**parameters):
    told = {"source_vocabulary": "ab", "target_vocabulary": "xy", "max_length": 4}
    sizes = {"epochs": 3, "batch_size": 4, "validation_fraction": 0.1}
    return small_estimator(**{**sizes, **told, **parameters})


def endless():
    return cycle(zip(X, Y, strict=True))


def in_bytes():
    return cycle([(x.encode(), np.bytes_(y)) for x, y in zip(X, Y, strict=True)])


def of_tensorflow():
    """Return a data set of one batch, which starts again."""
    from tensorflow.data import Dataset

    return Dataset.from_tensor_slices((X, Y))


class Tensors(keras.utils.PyDataset):
    num_batches = 2

    def __getitem__(self, index):
        from tensorflow import constant

        return constant(X), constant(Y)


@pytest.mark.parametrize(
    "stream",
    [in_bytes, of_tensorflow, lambda: iter(of_tensorflow().repeat()), Tensors],
    ids=["bytes", "data set", "eager tensors", "batches of tensors"],
)
def test_bytes_and_tensors_are_texts_in_a_stream(stream):
    codecs = (SequenceCodec("X", "text", "char", Vocabulary(list("ab"))),)
    codecs += (SequenceCodec("y", "text", "char", Vocabulary(list("xy"))),)
    expected = [codecs[0].encode(X), codecs[1].encode(Y)]
    for sides in islice(encoded_stream(PairStream(stream(), 4, 2), *codecs, 4), 3):
        for ids, right in zip(sides, expected, strict=True):
            np.testing.assert_array_equal(ids.ids, right.ids)
            np.testing.assert_array_equal(ids.lengths, right.lengths)


def test_tokens_in_bytes_and_rows_of_integers_come_from_tensors():
    from tensorflow.data import Dataset

    tokens = Dataset.from_tensors((["a", "b", "a"], ["x"]))
    rows = Dataset.from_tensors(([1, 2, 1], [2, 2]))
    mixed = Dataset.from_tensors(([b"a"], 1.5))
    for dataset, expected in (
        (tokens, (["a", "b", "a"], ["x"])),
        (rows, ([1, 2, 1], [2, 2])),
    ):
        first = PairStream(dataset, 2, 2).first
        for side, right in zip(first, expected, strict=True):
            assert as_sequences("X", side)[0] == [right, right]
    with pytest.raises(TypeError, match=r"y\[0\] is np.float32\(1.5\)"):
        as_sequences("y", PairStream(mixed, 1, 2).first[1])


def test_a_data_set_of_tensorflow_is_learned_and_bytes_are_answered():
    estimator = small(epochs=1).fit(of_tensorflow(), steps_per_epoch=2)
    expected = estimator.predict(X)
    assert list(estimator.predict(text.encode() for text in X)) == expected
    with pytest.raises(ValueError, match=r"UTF-8; X\[1\] is .* 0xff at position 1"):
        estimator.predict([b"ab", b"a\xff"])


def test_bytes_that_are_no_text_are_named_with_their_place():
    bad = [*islice(in_bytes(), 8), (b"\xfc", b"x"), *islice(in_bytes(), 30)]
    codec = SequenceCodec("X", "text", "char", Vocabulary(list("abxy")))
    batches = encoded_stream(PairStream(iter(bad), 4, 2), codec, codec, 4)
    with pytest.raises(ValueError, match=r"batch 3 of the stream: bytes must be UTF-"):
        list(batches)


def test_a_data_set_of_tensorflow_needs_steps_and_pairs():
    with pytest.raises(TypeError, match="a stream has no length: pass fit"):
        small().fit(of_tensorflow())
    with pytest.raises(ValueError, match="the stream is empty"):
        small().fit(of_tensorflow().take(0), steps_per_epoch=2)
    with pytest.raises(TypeError, match="with y, X and y must be lists or arrays"):
        small().fit(of_tensorflow(), Y)


class Reversed(keras.utils.PyDataset):
    """Batches of words and the same backwards, new ones in every epoch."""

    def __init__(self, words, batch_size=16):
        super().__init__()
        self.words, self.batch_size, self.begun, self.ended = words, batch_size, 0, 0

    def __len__(self):
        return len(self.words) // self.batch_size

    def __getitem__(self, index):
        words = self.words[index * self.batch_size : (index + 1) * self.batch_size]
        return words, [word[::-1] for word in words]

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.ended += 1
        self.words = self.words[1:] + self.words[:1]


def reverser(**parameters):
    defaults = {
        "units": 48,
        "dropout": 0.0,
        "learning_rate": 0.01,
        "epochs": 25,
        "batch_size": 16,
        "bidirectional": True,
        "source_vocabulary": "abcd",
        "target_vocabulary": ["d", "c", "b", "a"],
        "max_length": 8,
    }
    return small(**{**defaults, **parameters})


NEW_WORDS = ["abca", "dcb", "bbda", "c", "acdb", "dada", "", "cab"]


def check_reverses(estimator):
    assert estimator.score(NEW_WORDS, [word[::-1] for word in NEW_WORDS]) >= 0.75


@pytest.fixture(scope="module")
def streamed(reversed_words):
    """Fitted on exactly as many pairs as its epochs take, and not one more."""
    pairs = islice(cycle(zip(*reversed_words, strict=True)), 25 * 15 * 16)
    return reverser().fit(pairs, steps_per_epoch=15), pairs


def test_it_learns_from_a_stream_that_has_just_enough_pairs(streamed):
    estimator, pairs = streamed
    check_reverses(estimator)
    assert next(pairs, None) is None
    assert len(estimator.history_["loss"]) == 25
    assert not any(name.startswith("val_") for name in estimator.history_)


def test_the_vocabularies_are_those_that_were_given(streamed, tmp_path):
    estimator, _ = streamed
    assert estimator.target_vocabulary_.tokens == ["d", "c", "b", "a"]
    assert estimator.max_length_ == 9  # and END
    again = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq"))
    assert again.source_vocabulary == "abcd"
    assert again.target_vocabulary == ["d", "c", "b", "a"]
    assert again.predict(NEW_WORDS) == estimator.predict(NEW_WORDS)


def test_it_learns_from_a_data_set_and_validates(reversed_words):
    words = reversed_words[0]
    dataset = Reversed(words)
    held_back = NEW_WORDS, [word[::-1] for word in NEW_WORDS]
    estimator = reverser(
        epochs=20, patience=None, callbacks=[FreeRunningValidation(every=19)]
    )
    estimator.fit(dataset, validation_data=held_back)
    check_reverses(estimator)
    history = estimator.history_
    assert len(history["val_loss"]) == len(history["loss"]) == 20
    assert history["val_exact_match"][-1] == estimator.score(*held_back)
    assert dataset.begun == 20  # asked for nothing more


@pytest.mark.parametrize("steps", [2, 5])
def test_exactly_as_many_pairs_as_the_epochs_take_are_enough(steps):
    pairs = islice(endless(), 2 * steps * 4)
    estimator = small(epochs=2).fit(pairs, steps_per_epoch=steps)
    assert len(estimator.history_["loss"]) == 2
    assert next(pairs, None) is None


@pytest.mark.slow
def test_the_same_seed_and_stream_give_the_same_weights():
    first, second = (small().fit(endless(), steps_per_epoch=2) for _ in range(2))
    for one, other in zip(
        first.models_.training.get_weights(),
        second.models_.training.get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_rows_of_integers_need_no_max_length():
    def rows():
        rng = np.random.default_rng(0)
        while True:
            row = rng.integers(0, 3, size=3)
            yield row, row[:2]

    estimator = small(
        source_vocabulary=range(3), target_vocabulary=np.arange(3), max_length=None
    )
    estimator.fit(rows(), steps_per_epoch=2)
    assert estimator.predict([[0, 1, 2]]).shape == (1, 2)


def test_a_stream_that_ends_after_an_epoch_leaves_what_was_learned():
    estimator = small(epochs=3)
    with pytest.raises(StreamError, match="after 5 batches, before its epoch of 2"):
        estimator.fit(islice(endless(), 5 * 4), steps_per_epoch=2)
    assert len(estimator.history_["loss"]) == 2
    two_epochs = small(epochs=3)
    with pytest.raises(StreamError):
        two_epochs.fit(islice(endless(), 4 * 4), steps_per_epoch=2)
    assert two_epochs.history_ == estimator.history_
    assert isinstance(estimator.predict(X)[0], str)


def test_a_stream_is_taken_for_many_pairs():
    assert small().fit(endless(), steps_per_epoch=2).dropout_ == 0.1


def test_a_stream_that_ends_before_an_epoch_leaves_the_fit_before():
    estimator = small().fit(endless(), steps_per_epoch=2)
    before, history = estimator.predict(X), estimator.history_
    estimator.set_params(source_vocabulary="abc", random_state=5)
    with pytest.raises(ValueError, match="after 1 batches, before its epoch of 4"):
        estimator.fit(islice(endless(), 4), steps_per_epoch=4)
    assert estimator.predict(X) == before and estimator.history_ == history
    assert estimator.source_vocabulary_.tokens == ["a", "b"]


def test_a_stream_that_fails_says_why():
    def failing():
        yield from islice(endless(), 4 * 4)
        raise OSError("connection lost")

    estimator = small(epochs=4)
    with pytest.raises(StreamError, match="connection lost") as caught:
        estimator.fit(failing(), steps_per_epoch=2)
    assert isinstance(caught.value.__cause__, OSError)
    assert len(caught.value.history["loss"]) == len(estimator.history_["loss"]) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("az", "x"), r"batch 3 of the stream: X\[0\]: the token 'z' at position 1"),
        (("a", "yq"), r"batch 3 of the stream: y\[0\]: the token 'q' at position 1"),
        ((["a"], "x"), r"batch 3 of the stream: .*X\[0\] is \['a'\] \(list\)"),
        (("a",), r"pairs \(source, target\); pair 8 is \('a',\) \(tuple\)"),
    ],
    ids=["source", "target", "kind", "pair"],
)
def test_what_is_wrong_in_a_later_batch_is_named_with_its_place(wrong, message):
    pairs = [*islice(endless(), 8), wrong, *islice(endless(), 30)]
    estimator = small(epochs=1, unknown="error")
    with pytest.raises(StreamError, match=message):
        estimator.fit(iter(pairs), steps_per_epoch=4)
    assert not hasattr(estimator, "models_")


@pytest.mark.parametrize(("wrong", "name"), [(("az", "x"), "X"), (("a", "yq"), "y")])
def test_unknown_tokens_of_a_later_batch_are_learned_as_unknown(wrong, name):
    pairs = [*islice(endless(), 8), wrong, wrong, *islice(endless(), 30)]
    told = rf"batch 3 of the stream has tokens of {name} that are not in the vocabulary"
    with pytest.warns(UserWarning, match=told) as caught:
        small(epochs=1).fit(iter(pairs), steps_per_epoch=4)
    assert len([warning for warning in caught if "batch" in str(warning.message)]) == 1


def test_rows_of_another_width_are_named_with_their_place():
    rows = [([1, 2], [1])] * 8 + [([1, 2, 3], [1, 1])] * 8
    estimator = small(
        source_vocabulary=[1, 2, 3], target_vocabulary=[1], max_length=None
    )
    with pytest.raises(StreamError, match=r"batch 3 .*: the rows of y were 1 wide"):
        estimator.fit(iter(rows), steps_per_epoch=4)


class Lopsided(keras.utils.PyDataset):
    num_batches = None
    batch = ["a", "b"], ["x"]

    def __getitem__(self, index):
        return self.batch


class Alone(Lopsided):
    batch = ["a", "b", "ab"]


def stream_of(*pairs):
    return lambda: iter(pairs)


@pytest.mark.parametrize(
    ("stream", "options", "parameters", "message"),
    [
        (endless, {}, {}, "a stream has no length: pass fit .* steps_per_epoch"),
        (endless, {"steps_per_epoch": 1}, {}, "steps_per_epoch must be .* from 2 to"),
        (endless, {"steps_per_epoch": 2.5}, {}, "steps_per_epoch must be a whole"),
        (endless, {}, {"source_vocabulary": None}, "tokens: pass source_vocabulary"),
        (endless, {}, {"target_vocabulary": None}, "tokens: pass target_vocabulary"),
        (endless, {}, {"target_tokenizer": "bpe:300"}, "'bpe:300' is trained on all"),
        (endless, {}, {"source_vocabulary": 3}, "vocabulary of X must be a list of"),
        (endless, {}, {"target_vocabulary": [1, "a"]}, "vocabulary of y must be a"),
        (endless, {}, {"target_vocabulary": "xyx"}, "distinct; 'x' occurs twice"),
        (endless, {}, {"max_length": None}, "how long answers may be; pass max_length"),
        (endless, {"sample_weight": [1.0]}, {}, "sample_weight is not for a stream"),
        (endless, {"validation_data": X}, {}, r"validation_data must be a pair \(X, y"),
        (stream_of(), {}, {}, r"the stream is empty; expected pairs \(source, target"),
        (stream_of("ab", "cd"), {}, {}, r"must yield pairs .*; pair 0 is 'ab' \(str\)"),
        (stream_of(("a", "x", 1)), {}, {}, "must yield pairs .*; pair 0 is"),
        (stream_of(("q", "x")), {}, {}, r"given for X has none of its .* has \['q'\]"),
        (stream_of((1.5, "x")), {}, {}, r"X\[0\] is 1.5 \(float\)"),
        (lambda: X, {}, {}, r"y is missing: pass fit\(X, y\), or as X a stream.* list"),
        (lambda: np.ones((3, 2)), {}, {}, "y is missing: .* got ndarray"),
        (Lopsided, {}, {}, "batch 0 of the data set has 2 sources and 1 targets"),
        (
            Alone,
            {},
            {},
            "each a list or an array; batch 0",
        ),
    ],
)
def test_bad_streams_are_refused_before_a_model_is_built(
    stream, options, parameters, message, monkeypatch
):
    given = stream()
    monkeypatch.setattr(keras, "Model", None)
    if "steps_per_epoch" not in options and "no length" not in message:
        options = {**options, "steps_per_epoch": 2}
    with pytest.raises((ValueError, TypeError), match=message):
        small(**parameters).fit(given, **options)


def test_an_endless_data_set_needs_to_be_told_an_epochs_length():
    with pytest.raises(TypeError, match="a stream has no length: pass fit"):
        small().fit(Lopsided())


def test_pairs_with_an_end_have_no_steps():
    with pytest.raises(TypeError, match="steps_per_epoch is for a stream; X and y"):
        small().fit(X, Y, steps_per_epoch=3)


def test_a_stream_of_pairs_that_never_vary_is_learned():
    estimator = small(epochs=30, learning_rate=0.03, dropout=0.0)
    estimator.fit(repeat(("ab", "yx")), steps_per_epoch=2)
    assert estimator.predict(["ab"]) == ["yx"]
