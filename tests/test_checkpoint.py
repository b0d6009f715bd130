"""Checkpoints under attack: killed writers, damaged files, foreign files, full disks."""

import os
import pickle
import random
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from deeplearn import optim
from deeplearn.checkpoint import load_checkpoint, save_checkpoint

VALUES = {"epoch": 3, "name": "ELU", "losses": [0.5, {"a": (1, None)}], "w": torch.arange(4.0)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.pt"


def leftovers(path):
    return sorted(p.name for p in path.parent.iterdir() if p != path)


def trained(seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = optim.Adam(model.parameters(), lr=0.1 * (seed + 1))
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(5, 3)).square().sum().backward()
        optimizer.step()
    return model, optimizer


def snapshot(*objects):
    """Return the bytes of the states of objects, and of torch's random state."""
    return pickle.dumps(
        [
            [(k, v.tolist()) for k, v in objects[0].state_dict().items()],
            str(objects[1].state_dict()) if len(objects) > 1 else None,
            torch.get_rng_state().tolist(),
        ]
    )


# --- round trip ----------------------------------------------------------------------------------


def test_round_trip_of_states_values_and_random_numbers(path):
    model, optimizer = trained(0)
    assert save_checkpoint(path, model=model, optimizer=optimizer, **VALUES) == path
    expected, numbers = snapshot(model, optimizer), torch.rand(3)
    other = trained(1)
    content = load_checkpoint(path, model=other[0], optimizer=other[1])
    assert snapshot(*other) == expected
    assert torch.equal(torch.rand(3), numbers)
    assert torch.equal(content.pop("w"), VALUES["w"])
    assert content == {name: value for name, value in VALUES.items() if name != "w"}
    assert leftovers(path) == []


def test_a_part_of_the_file_can_be_taken_alone(path):
    model, optimizer = trained(0)
    save_checkpoint(str(path), model=model, optimizer=optimizer)
    other, _ = trained(1)
    content = load_checkpoint(str(path), model=other)
    assert torch.equal(other[0].weight, model[0].weight)
    assert content["optimizer"]["param_groups"][0]["lr"] == 0.1


def test_loaded_tensors_do_not_share_memory_with_the_saved(path):
    w = torch.zeros(2)
    save_checkpoint(path, w=w)
    w.fill_(1)
    assert load_checkpoint(path)["w"].tolist() == [0, 0]


def test_the_file_has_the_permissions_of_any_other_file(path):
    save_checkpoint(path, epoch=1)
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


# --- killed writers ------------------------------------------------------------------------------


def write_forever(path, size):
    for number in range(1, 10**9):
        save_checkpoint(path, number=number, w=torch.full((size,), float(number)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork to start a writer quickly")
def test_a_killed_writer_leaves_the_old_file_or_the_new_one_whole(path):
    draw = random.Random(0)
    save_checkpoint(path, number=0, w=torch.zeros(1))
    broken_off, numbers = 0, []
    for _ in range(25):
        with warnings.catch_warnings():
            # From Python 3.12 on: the child could wait for a lock for ever; it is killed anyway.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                write_forever(path, 300_000)
            finally:
                os._exit(1)
        time.sleep(draw.uniform(0.005, 0.05))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        content = load_checkpoint(path)
        assert (content["w"] == content["number"]).all()
        numbers.append(content["number"])
        parts = leftovers(path)
        broken_off += len(parts)
        for part in parts:
            assert part.startswith("run.pt.")
            assert part.endswith(".part")
            path.with_name(part).unlink()
    assert max(numbers) > 0, "no writer ever came to the end"
    assert broken_off >= 5, "too few writers were killed in mid-write"


class DiskFull:
    """Stands for torch.save: half of the bytes, then the error of a full disk."""

    def __init__(self, monkeypatch):
        self.save = torch.save
        monkeypatch.setattr(torch, "save", self)

    def __call__(self, content, file):
        with tempfile.TemporaryFile() as whole:
            self.save(content, whole)
            half = whole.tell() // 2
            whole.seek(0)
            file.write(whole.read(half))
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("there", [True, False], ids=["old file", "no file"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(path, there, monkeypatch):
    if there:
        save_checkpoint(path, epoch=1)
    with monkeypatch.context() as patch:
        DiskFull(patch)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(path, epoch=2)
    assert leftovers(path) == []
    assert path.exists() == there
    if there:
        assert load_checkpoint(path) == {"epoch": 1}


def test_ctrl_c_while_writing_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    save_checkpoint(path, epoch=1)

    def interrupt(descriptor):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(path, epoch=2)
    assert load_checkpoint(path) == {"epoch": 1}
    assert leftovers(path) == []


def test_the_file_is_on_disk_before_it_takes_the_place_of_the_old_one(path, monkeypatch):
    events = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda d: (events.append(("sync", os.fstat(d).st_size)),
                                                fsync(d)))  # fmt: skip
    monkeypatch.setattr(Path, "replace", lambda a, b: (events.append(("move", b)), replace(a, b)))
    save_checkpoint(path, epoch=1)
    assert events == [("sync", path.stat().st_size), ("move", path)]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_folder_that_may_not_be_written_is_an_error():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)  # the rights of root know no such folder
            with pytest.raises(PermissionError, match=r"run\.pt"):
                save_checkpoint(folder / "run.pt", epoch=1)
            assert list(folder.iterdir()) == []
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_file_that_may_not_be_read_is_not_called_damaged(path, monkeypatch):
    save_checkpoint(path, epoch=1)

    def refuse(self, mode):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError):
        load_checkpoint(path)


# --- damaged and foreign files -------------------------------------------------------------------


@pytest.mark.parametrize("tenth", range(10))
def test_a_truncated_file_is_refused_and_changes_nothing(path, tenth):
    model, optimizer = trained(0)
    save_checkpoint(path, model=model, optimizer=optimizer)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * tenth // 10])
    other = trained(1)
    before = snapshot(*other)
    with pytest.raises(ValueError, match=r"path must be a whole checkpoint.*use an earlier one"):
        load_checkpoint(path, model=other[0], optimizer=other[1])
    assert snapshot(*other) == before


def test_no_flipped_bit_becomes_a_value(path):
    """A flip is refused, or it hit a byte that means nothing and every value is the same."""
    save_checkpoint(path, w=torch.arange(6.0), n=[1, 2.5])
    whole = path.read_bytes()
    draw = random.Random(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            content = load_checkpoint(path)
        except ValueError:
            refused += 1
        else:
            assert content["w"].tolist() == list(range(6))
            assert content["n"] == [1, 2.5]
    assert refused > 200


class Bomb:
    """Unpickled, it makes a folder; so would anything worse."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_a_bomb_is_refused_and_does_not_go_off(path, form, tmp_path):
    folder = tmp_path / "boom"
    content = {"model": Bomb(folder), "random_state": torch.get_rng_state()}
    if form == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="must be a whole checkpoint"):
        load_checkpoint(path, model=nn.Linear(1, 1))
    assert not folder.exists()
    # It is live: a careless reader sets it off.
    torch.load(path, weights_only=False) if form == "torch" else pickle.loads(path.read_bytes())
    assert folder.exists()


@pytest.mark.parametrize(
    "content",
    [[1, 2], torch.ones(3), {}, {"model": {}}, "text"],
    ids=["list", "tensor", "empty", "weights alone", "text"],
)
def test_a_file_of_torch_that_is_no_checkpoint_is_refused(path, content):
    torch.save(content, path)
    with pytest.raises(ValueError, match="must be a whole checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "wrong", [[torch.zeros(3)], [torch.zeros(5056)], 7], ids=["size", "kind", "n"]
)
def test_a_wrong_random_state_changes_nothing(path, wrong):
    model, optimizer = trained(0)
    torch.save({"model": trained(1)[0].state_dict(), "random_state": wrong}, path)
    before = snapshot(model, optimizer)
    with pytest.raises(ValueError, match="does not fit"):
        load_checkpoint(path, model=model)
    assert snapshot(model, optimizer) == before


# --- states that do not fit ----------------------------------------------------------------------


class Picky(nn.Module):
    """It takes its state, and only then finds fault with it."""

    def __init__(self, error):
        super().__init__()
        self.weight, self.error = nn.Parameter(torch.zeros(1)), error

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        if self.error and state_dict["weight"] == 1:
            raise self.error


@pytest.mark.parametrize(
    "error", [KeyError("k"), IndexError(3), AssertionError(), ArithmeticError("odd")], ids=repr
)
def test_a_state_that_is_refused_leaves_every_object_as_it_was(path, error):
    model, optimizer = trained(0)
    picky = Picky(None)
    nn.init.ones_(picky.weight)
    save_checkpoint(path, model=model, optimizer=optimizer, picky=picky)
    other = trained(1)
    late = Picky(error)
    before = snapshot(*other)
    with pytest.raises(ValueError, match=r"a state in .*run\.pt does not fit its object") as raised:
        load_checkpoint(path, model=other[0], optimizer=other[1], picky=late)
    assert raised.value.__cause__ is error
    assert snapshot(*other) == before
    assert late.weight.item() == 0


def test_a_state_of_another_shape_leaves_every_object_as_it_was(path):
    model, optimizer = trained(0)
    save_checkpoint(path, first=model, second=nn.Linear(3, 4))
    other, _ = trained(1)
    second = nn.Linear(3, 5)
    before = snapshot(other, optimizer), second.weight.tolist()
    with pytest.raises(ValueError, match="size mismatch for weight"):
        load_checkpoint(path, first=other, second=second)
    assert (snapshot(other, optimizer), second.weight.tolist()) == before


def test_a_name_that_is_not_in_the_file_leaves_every_object_as_it_was(path):
    save_checkpoint(path, model=trained(0)[0], epoch=1)
    other = trained(1)
    before = snapshot(*other)
    with pytest.raises(ValueError, match=r"holds no optimizer; it has \['epoch', 'model'\]"):
        load_checkpoint(path, model=other[0], optimizer=other[1])
    assert snapshot(*other) == before


def test_a_plain_value_cannot_be_loaded_into(path):
    save_checkpoint(path, epoch=1)
    with pytest.raises(TypeError, match="epoch must be an object with load_state_dict, got 0"):
        load_checkpoint(path, epoch=0)


@pytest.mark.parametrize(
    "value", [np.float64(1.5), np.ones(2), Path("a"), trained], ids=["number", "array", "path", "f"]
)
def test_what_could_not_be_loaded_is_not_saved(path, value):
    save_checkpoint(path, epoch=1)
    with pytest.raises(TypeError, match=r"model, odd must hold tensors and plain values, got \['"):
        save_checkpoint(path, model=nn.Linear(1, 1), odd=[value])
    assert load_checkpoint(path) == {"epoch": 1}
    assert leftovers(path) == []


def test_the_random_states_of_all_devices_are_kept(path, monkeypatch):
    given = [torch.tensor([7], dtype=torch.uint8), torch.tensor([8], dtype=torch.uint8)]
    taken = []
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: given)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", taken.append)
    save_checkpoint(path, epoch=1)
    assert load_checkpoint(path) == {"epoch": 1}
    assert [state.tolist() for state in taken[0]] == [[7], [8]]


def test_the_name_of_the_random_state_is_taken(path):
    with pytest.raises(ValueError, match="random_state is saved by itself"):
        save_checkpoint(path, random_state=1)
    assert not path.exists()


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_checkpoint(tmp_path)
    with pytest.raises(OSError):
        save_checkpoint(tmp_path, epoch=1)
    assert list(tmp_path.parent.glob("*.part")) == []
