"""Writers of one path: each whole, and nothing left of those that were killed."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kseq2seq import file_locks
from kseq2seq.persistence import (
    Artifact,
    check_can_write,
    read_artifact,
    remove_unfinished,
    write_artifact,
)

ARTIFACT = Artifact({"name": "a"}, {"weights/a": np.arange(6.0)})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.kseq2seq"


@pytest.fixture
def unfinished(path):
    """What the beginning of a write to the path leaves."""
    left = path.with_name(f".{path.name}.unfinished-0123")
    left.write_bytes(b"half")
    return left


def test_a_lock_is_held_until_its_last_handle_is_closed(path):
    path.touch()
    first, second = (os.open(path, os.O_RDWR) for _ in range(2))
    assert file_locks.take(first) is True
    assert file_locks.take(second) is False
    again = os.dup(first)
    os.close(first)
    assert file_locks.take(second) is False
    os.close(again)
    assert file_locks.take(second, waits=True) is True
    assert file_locks.is_at(second, path)
    path.unlink()
    assert not file_locks.is_at(second, path)
    os.close(second)


def test_a_save_removes_what_killed_ones_left(path, unfinished):
    write_artifact(path, ARTIFACT)
    assert list(path.parent.iterdir()) == [path]


def test_a_save_leaves_alone_what_another_writes(path, unfinished):
    with open(unfinished, "rb") as writing:
        file_locks.take(writing.fileno())
        write_artifact(path, ARTIFACT)
        assert unfinished.exists()
    other = path.with_name(".m.kseq2seq.other")
    other.touch()
    remove_unfinished(path)
    assert sorted(path.parent.iterdir()) == [other, path]


def test_writers_of_one_path_do_not_harm_each_other(path):
    with ThreadPoolExecutor(8) as pool:
        written = [
            pool.submit(write_artifact, path, ARTIFACT, overwrite=True)
            for _ in range(80)
        ]
    assert [one.result() for one in written] == [path] * 80
    assert read_artifact(path).description["name"] == "a"
    assert list(path.parent.iterdir()) == [path]


def test_behind_a_link_it_is_the_file_s_folder_that_counts(path, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    path.symlink_to(folder / "m.kseq2seq")
    left = folder / ".m.kseq2seq.unfinished-0123"
    left.touch()
    write_artifact(path, ARTIFACT)
    assert path.is_symlink() and not left.exists()


def test_without_locks_only_what_is_old_goes(path, unfinished, monkeypatch):
    monkeypatch.setattr(file_locks, "fcntl", None)
    write_artifact(path, ARTIFACT)
    assert unfinished.exists()
    os.utime(unfinished, (0, 0))
    write_artifact(path, ARTIFACT, overwrite=True)
    assert list(path.parent.iterdir()) == [path]


def test_a_name_is_as_long_as_the_unfinished_file_s_may_be(tmp_path):
    with pytest.raises(ValueError, match="path cannot be .* too long"):
        check_can_write(tmp_path / ("x" * 240))
    longest = write_artifact(tmp_path / ("x" * 225), ARTIFACT)
    assert list(tmp_path.iterdir()) == [longest]
