"""Pairs and sources from files of more columns, and files that are no such."""

import gzip

import pytest

from kseq2seq.datasets import files, load_pairs, read_lines

WIDE = "id\tde\ten\n1\t ein \tone\n2\tzwei\ttwo\textra\n"
PAIRS = (["ein", "zwei"], ["one", "two"])


@pytest.fixture
def file(tmp_path):
    """Return what writes a file and returns its path."""

    def write(content, name="pairs.tsv"):
        path = tmp_path / name
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


@pytest.mark.parametrize("columns", [("de", "en"), ["de", 3], (2, "en")])
def test_a_name_makes_the_first_line_a_header(file, columns):
    assert load_pairs(file(WIDE), columns=columns) == PAIRS


def test_columns_by_number_are_of_every_line_in_any_order(file):
    path = file(WIDE, "pairs.tsv.gz")
    (_, *sources), (_, *targets) = load_pairs(path, columns=(2, 3))
    assert (sources, targets) == PAIRS
    assert load_pairs(path, columns=(3, 2))[0] == ["en", "one", "two"]
    assert load_pairs(path, columns=(1, 1)) == (["id", "1", "2"],) * 2


def test_a_header_may_begin_with_a_mark_and_end_as_windows_does(file):
    path = file(WIDE.replace("\n", "\r\n").encode("utf-8-sig"))
    assert load_pairs(path, columns=("id", "de")) == (["1", "2"], PAIRS[0])


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        (WIDE, None, r"line 1: .* got 2 tabs .* columns=\(1, 2\) \(--columns 1,2\)"),
        (WIDE, (1, 4), r"line 1: expected 4 columns .* or more; got 3 in 'id\\tde"),
        (WIDE + "x\n", ("de", "en"), "line 4: expected 3 columns .* got 1 in 'x'"),
        (WIDE, ("dee", "en"), "'dee'; expected 'id', 'de' or 'en'. Did you mean 'de'"),
        ("a\ta\n", ("a", 2), "line 1: the header has the column 'a' more than once"),
        ("", ("de", "en"), r"pairs.tsv is empty; expected a header with \('de', 'en'"),
        ("a,b\nc,d\n", None, "line 1: .* If commas divide its columns, save it with T"),
        ("a;b\n", (1, 2), "got 1 in 'a;b'. If semicolons divide its columns"),
        ("de,en\na,b\n", ("de", "en"), "'de'; expected 'de,en'.* If commas divide"),
        ("a\tb\rc\td\r", None, r"pairs.tsv: its lines end with carriage returns alone"),
        ("a\tb\rc\td\n", (1, 2), "its lines end with carriage returns alone"),
        ("a\rb", None, r"expected newlines. Convert it: tr '\\r' '\\n' < old > new"),
    ],
)
def test_a_file_that_is_otherwise_is_told(file, content, columns, message):
    with pytest.raises(ValueError, match=message):
        load_pairs(file(content), columns=columns)


def test_a_comma_later_in_a_file_of_tabs_is_no_mark_of_columns(file):
    with pytest.raises(ValueError, match=r"line 2: .* got 0 tabs in 'c, d'\.$"):
        load_pairs(file("a\tb\nc, d\n"))


def test_a_line_without_end_is_no_text(file, monkeypatch):
    monkeypatch.setattr(files, "_LONGEST_LINE", 5)
    assert list(read_lines(file("abcd\nabc"))) == ["abcd", "abc"]
    with pytest.raises(ValueError, match="line 2: has 5 bytes and more; expected lin"):
        list(read_lines(file("a\nabcde\n")))


def test_carriage_returns_within_lines_are_text(file):
    assert list(read_lines(file("a\rb\nc\r\r\n"))) == ["a\rb", "c"]


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ("de,en", TypeError, "columns must be a list of 2, each a number from 1"),
        ((1,), TypeError, "columns must be a list of 2"),
        ((0, 1), ValueError, "columns must be a whole number of at least 1; got 0"),
        ((True, 1), TypeError, "columns must be a whole number"),
        ((None, "en"), TypeError, "columns must be a whole number"),
    ],
)
def test_columns_that_are_none_are_refused(file, columns, error, message):
    with pytest.raises(error, match=message):
        load_pairs(file(WIDE), columns=columns)
    with pytest.raises(TypeError, match="columns are those of one TSV file"):
        load_pairs(file(WIDE), file(WIDE), columns=(1, 2))
