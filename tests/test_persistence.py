import json
import os
import socket
import zipfile
from functools import partial
from pathlib import Path

import hostile
import numpy as np
import pytest
from formats import make
from strategies import X, Y, small_estimator

import kseq2seq
from kseq2seq import Seq2SeqEstimator, persistence, zip_members
from kseq2seq.persistence import (
    Artifact,
    read_artifact,
    read_description,
    write_artifact,
)

ARTIFACT = Artifact({"name": "é"}, {"weights/a": np.arange(6.0).reshape(2, 3)})


def rewrite(path, change):
    """Rewrite a model file's members, each as ``change(name, content)`` gives it."""
    members = hostile.members(path).items()
    changed = {name: change(name, content) for name, content in members}
    path.write_bytes(hostile.packed(changed, zipfile.ZIP_STORED))


def describe(path, **changes):
    def change(name, content):
        if name != "model.json":
            return content
        return json.dumps({**json.loads(content), **changes})

    rewrite(path, change)


@pytest.fixture
def path(tmp_path):
    return write_artifact(tmp_path / "m.kseq2seq", ARTIFACT)


def test_what_is_written_is_read(path):
    artifact = read_artifact(path)
    assert artifact.description["name"] == "é"
    assert artifact.description["format_version"] == 1
    np.testing.assert_array_equal(
        artifact.arrays["weights/a"], ARTIFACT.arrays["weights/a"]
    )


def test_an_existing_file_is_kept_unless_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(
        FileExistsError, match="exists and is kept. Pass overwrite=True"
    ):
        write_artifact(path, Artifact({}))
    assert path.read_bytes() == before
    write_artifact(path, Artifact({}), overwrite=True)
    assert not read_artifact(path).arrays


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(persistence.os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write_artifact(path, ARTIFACT, overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_link_stays_one(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link, file = tmp_path / "m", tmp_path / "elsewhere" / "m"
    file.touch()
    link.symlink_to(file)
    persistence.write_artifact(link, Artifact({"a": 1}), overwrite=True)
    assert link.is_symlink()
    assert persistence.read_description(file)["a"] == 1


def test_a_file_keeps_its_mode_and_a_new_one_has_that_of_the_umask(
    tmp_path, monkeypatch
):
    before = os.umask(0o027)
    try:
        monkeypatch.delattr(os, "umask")  # which would change it for all threads
        path = write_artifact(tmp_path / "m.kseq2seq", ARTIFACT)
        modes = [path.stat().st_mode & 0o777]
        for mode in (0o600, 0o664, 0o444):
            path.chmod(mode)
            write_artifact(path, ARTIFACT, overwrite=True)
            modes.append(path.stat().st_mode & 0o777)
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert modes == [0o640, 0o600, 0o664, 0o444]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist"):
        write_artifact(tmp_path / "nowhere" / "m", ARTIFACT)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_artifact(tmp_path, ARTIFACT)


def no_files(folder):
    """Make what can be opened and is no file, and return the paths."""
    os.mkfifo(folder / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "socket"))
    listening.close()
    return [folder / "pipe", folder / "socket", Path("/dev/zero"), Path("/dev/null")]


def test_what_is_no_file_is_refused_before_it_is_opened(fitted, tmp_path):
    """Reading a pipe waits for who writes; reading /dev/zero never ends."""
    for path in no_files(tmp_path):
        calls = [
            *(partial(read, path) for read in (read_description, kseq2seq.load)),
            partial(fitted.save, path, overwrite=True),
            partial(small_estimator().fit, X, Y, checkpoint=path),
        ]
        for call in calls:
            with pytest.raises(OSError, match="is a pipe, a device or a socket"):
                call()


def test_a_file_that_only_the_system_has_is_refused(fitted):
    """It says that it has no bytes, and some of them never end."""
    for path in ("/proc/kmsg", "/proc/self/status"):
        with pytest.raises(ValueError, match="is not a kseq2seq model file"):
            kseq2seq.load(path)


def test_links_to_each_other_are_an_error_of_the_system(fitted, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    for call in (kseq2seq.load, read_description, partial(fitted.save, overwrite=True)):
        with pytest.raises(OSError):
            call(one)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip", b"\0" * 99])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    for read in (read_artifact, read_description, kseq2seq.load):
        with pytest.raises(ValueError, match="is not a kseq2seq model file. Expected"):
            read(path)


def test_every_flipped_byte_is_read_right_or_refused(path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(len(content), size=300):
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(damaged))
        try:
            array = read_artifact(path).arrays["weights/a"]
        except ValueError:
            continue
        np.testing.assert_array_equal(array, ARTIFACT.arrays["weights/a"])


def test_a_folder_where_nothing_can_be_written_is_named_before_the_work():
    with pytest.raises(OSError, match="/proc/m cannot be written: .* another folder"):
        persistence.check_can_write("/proc/m")


def test_another_zip_is_refused(tmp_path):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.json", '{"format": "other"}')
    with pytest.raises(ValueError, match="is not a kseq2seq model file"):
        read_description(path)


def test_a_newer_format_says_what_to_upgrade(path):
    describe(path, format_version=2)
    with pytest.raises(ValueError, match="reads up to 1. Upgrade: pip install"):
        read_artifact(path)


def test_arrays_are_read_without_pickle(path):
    def pickled(name, content):
        if not name.endswith(".npy"):
            return content
        import io

        buffer = io.BytesIO()
        np.save(buffer, np.array([print, None]), allow_pickle=True)
        return buffer.getvalue()

    rewrite(path, pickled)
    with pytest.raises(ValueError, match="is damaged"):
        read_artifact(path)


@pytest.mark.parametrize(
    "declared",
    [
        {"weights/a": {"shape": [2, 2], "dtype": "<f8"}},
        {"weights/a": {"shape": [2, 3], "dtype": "<f4"}},
        {"weights/b": {"shape": [2, 3], "dtype": "<f8"}},
        {"../../a": {"shape": [2, 3], "dtype": "<f8"}},
        {"weights/a": {}},
        "text",
    ],
)
def test_arrays_that_are_not_as_declared_are_refused(path, declared):
    describe(path, arrays=declared)
    with pytest.raises(ValueError, match="is damaged"):
        read_artifact(path)


@pytest.mark.parametrize("name", ["more.npy", "../more", "model.json"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_not_declared_is_refused(path, name):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, archive.read("model.json"))
    with pytest.raises(ValueError, match="does not hold what it declares"):
        read_artifact(path)


@pytest.mark.parametrize("bomb", ["model.json", "arrays/weights/a.npy"])
def test_what_unpacks_to_far_more_is_refused_unread(path, bomb, monkeypatch):
    zeros = bytes(2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(bomb, zeros)
    monkeypatch.setattr(zip_members, "_ALWAYS_UNPACKED", 2**19)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    with pytest.raises(ValueError) as refused:
        read_description(path)
    assert "unpack to 1,048,576" in str(refused.value.__cause__)


def test_a_flipped_byte_is_noticed(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"weights/a.npy") + 60] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError):
        read_artifact(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"estimator": 3},
        {"source": {}},
        {"parameters": {"units": -1}},
        {"parameters": {"cell": {"optimizer": {"class_name": "os", "config": {}}}}},
        {"parameters": {"no_such": 1}},
        {"max_length": "long"},
    ],
    ids=str,
)
def test_a_description_that_makes_no_model_is_refused(fitted, tmp_path, changes):
    path = fitted.save(tmp_path / "m.kseq2seq")
    describe(path, **changes)
    with pytest.raises(ValueError, match="is damaged"):
        kseq2seq.load(path)


@pytest.mark.parametrize(
    "setting", ["units", "encoder_units", "embedding_dim", "num_layers"]
)
def test_sizes_that_there_are_no_weights_for_are_refused_unbuilt(
    fitted, tmp_path, setting, monkeypatch
):
    path = fitted.save(tmp_path / "m.kseq2seq")
    parameters = read_description(path)["parameters"]
    describe(path, parameters={**parameters, setting: 10**6})
    monkeypatch.setattr(Seq2SeqEstimator, "_build", None)
    with pytest.raises(ValueError, match="is damaged: "):
        kseq2seq.load(path)


@pytest.mark.parametrize(
    "path", sorted(make.FOLDER.glob("*.kseq2seq")), ids=lambda path: path.stem
)
def test_files_of_every_format_load_and_answer_as_they_did(path):
    kept = json.loads(path.with_suffix(".json").read_text())
    name = path.stem.split("_")[1]
    found, scores = make.answers(name, kseq2seq.load(path), kept["X"])
    assert found == kept["answers"]
    np.testing.assert_allclose(scores, kept["scores"], rtol=1e-4, atol=1e-4)


def test_there_are_files_of_this_format():
    names = "texts subwords features classes ensemble values forecasts"
    for name in names.split():
        assert (make.FOLDER / f"{persistence.FORMAT_VERSION}_{name}.kseq2seq").exists()


def test_weights_of_another_size_are_refused(fitted, tmp_path):
    path = fitted.save(tmp_path / "m.kseq2seq")
    parameters = read_description(path)["parameters"]
    describe(path, parameters={**parameters, "units": 50})
    with pytest.raises(ValueError, match=r"must be numbers \(.*; got"):
        kseq2seq.load(path)
