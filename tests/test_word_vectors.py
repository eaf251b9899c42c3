"""Word vectors of a file become embeddings."""

import gzip

import numpy as np
import pytest
from strategies import small_estimator

from kseq2seq import build_seq2seq, load, load_vectors
from kseq2seq.vocabulary import Vocabulary

GLOVE = "one 1 -1.5\nfew 9 9\ntwo 2e-1 2\n"
WORD2VEC = f"3 2\n{GLOVE}"


def written(folder, text, name="vectors.txt"):
    path = folder / name
    content = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (GLOVE, "glove.txt"),
        (WORD2VEC, "word2vec.txt"),
        (WORD2VEC, "word2vec.txt.gz"),
        (WORD2VEC.replace("\n", " \n"), "fasttext.vec"),
        (GLOVE.replace(" ", "\t").replace("\n", "\r\n"), "tabs.tsv"),
        ("\ufeff" + GLOVE + "one 7 7\n\n", "again.txt"),  # the first line counts
    ],
)
@pytest.mark.parametrize("kind", [list, tuple, Vocabulary])
def test_each_token_gets_its_vector_in_the_order_of_ids(text, name, kind, tmp_path):
    path = written(tmp_path, text, name)
    vectors = load_vectors(path, kind(["two", "one"]), random_state=0)
    assert vectors.shape == (6, 2) and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[4:], [[0.2, 2], [1, -1.5]], rtol=1e-6)


def test_tokens_that_are_missing_are_counted_and_random(tmp_path):
    path = written(tmp_path, GLOVE)
    tokens = ["one", *(f"missing{i}" for i in range(300))]
    with pytest.warns(UserWarning, match="has 1 of 301 tokens; .* such as 'missing0'"):
        vectors = load_vectors(path, tokens, random_state=1)
    assert vectors[4].tolist() == [1, -1.5]
    rest = np.delete(vectors, 4, axis=0)
    assert len(np.unique(rest)) == rest.size
    assert rest.std() == pytest.approx(0.1, rel=0.1)
    with pytest.warns(UserWarning, match="has 1 of 301 tokens"):
        again = load_vectors(str(path), tokens, random_state=1)
    np.testing.assert_array_equal(vectors, again)


def test_the_files_special_tokens_serve_the_special_ids(tmp_path):
    path = written(tmp_path, GLOVE + "<unk> 5 6\n")
    vectors = load_vectors(path, ["one"], random_state=0)
    assert vectors[1].tolist() == [5, 6] and abs(vectors[[0, 2, 3]]).max() < 1


def test_a_token_may_have_blanks_or_look_like_a_number_or_a_blank_of_unicode(tmp_path):
    text = "a 1 2\n. . . 3 4\n12 5 6\nb\u00a0c 7 8\né\u2028 9 1\n"
    tokens = [". . .", "12", "b\u00a0c", "é\u2028"]
    vectors = load_vectors(written(tmp_path, text), tokens)
    assert vectors[4:].tolist() == [[3, 4], [5, 6], [7, 8], [9, 1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one 1 2\ntwo 1\n", "line 2: expected a token and 2 numbers.* got 'two 1'"),
        ("one 1 2\nfew 1 2 3\n", "line 2: expected a token and 2 numbers"),
        ("1 2\none 1\n", "line 2: expected a token and 2 numbers"),
        ("one\ntwo\n", "line 1: expected a token and its numbers"),
        ("one 1 x\ntwo 1 2\n", "line 1: expected finite numbers after the token 'one'"),
        ("one 1 nan\n", "line 1: expected finite numbers .* got '1 nan'"),
        ("one 1  2\n", "line 1: expected finite numbers"),
        ("4 2\none 1 2\n", "has 1 word vectors; expected 4. Copy it again"),
        ("", "has 0 word vectors; expected 1 at least"),
        ("few 1 2\n", "none of the 2 tokens, such as 'one', 'two'. Is it a file of"),
        (b"one 1 2\n\xff 1 2\n", "line 2: expected UTF-8; got byte 0xff"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text, message, tmp_path):
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=rf"^{path}.* ?{message}"):
        load_vectors(path, ["one", "two"])


def test_what_is_no_file_or_no_vocabulary_is_refused(tmp_path):
    path = written(tmp_path, GLOVE)
    with pytest.raises(TypeError, match="must be a list of strings"):
        load_vectors(path, 3)
    for integers in ([1, 2], Vocabulary([])):
        with pytest.raises(TypeError, match="word vectors are of strings"):
            load_vectors(path, integers)
    with pytest.raises(FileNotFoundError):
        load_vectors(tmp_path / "none.txt", ["one"])
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"one 1 2")[:-4])
    with pytest.raises(ValueError, match="not a whole gzip file"):
        load_vectors(tmp_path / "cut.gz", ["one"])


def test_builders_and_estimators_start_from_them(tmp_path):
    vectors = load_vectors(written(tmp_path, GLOVE), ["two", "one"], random_state=0)
    models = build_seq2seq(
        len(vectors), 6, units=4, source_embedding=vectors, freeze_embeddings=True
    )
    embedding = models.encoder.get_layer("source_embedding")
    np.testing.assert_array_equal(embedding.get_weights()[0], vectors)
    estimator = small_estimator(
        source_tokenizer="whitespace",
        source_vocabulary=["two", "one"],
        source_embedding=vectors,
        freeze_embeddings=True,
    )
    with pytest.warns(UserWarning, match="33.3% of the tokens of X, such as 'odd'"):
        estimator.fit(["one two odd"] * 8, ["ab"] * 8)
    kept = load(estimator.save(tmp_path / "m.kseq2seq"))
    embedding = kept.models_.encoder.get_layer("source_embedding")
    np.testing.assert_array_equal(embedding.get_weights()[0], vectors)
