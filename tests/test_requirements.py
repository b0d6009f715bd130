"""The packages: pyproject.toml asks for what is imported, requirements.txt pins what it takes."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import lock

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
EXTRAS = {
    name: [Requirement(line) for line in lines]
    for name, lines in PROJECT["project"]["optional-dependencies"].items()
}
ASKED = [
    *RUNTIME,
    *(requirement for extra in EXTRAS.values() for requirement in extra),
    *map(Requirement, PROJECT["build-system"]["requires"]),
]
LINES = [
    line
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if not line.lstrip().startswith("#")
]
PINS = {canonicalize_name(line.split("==")[0]): line.split("==")[-1] for line in LINES}
OLDEST_PYTHON = "3.11.2"  # Debian 12


def is_cuda(name: str) -> bool:
    """PyTorch's CUDA build asks for packages that its CPU build, and so the lock, does without."""
    return name.startswith(("nvidia-", "cuda-", "triton"))


def needed() -> dict[str, Requirement]:
    """All that pyproject.toml asks for, and what that asks for in turn, here and now."""
    found, waiting = {}, list(ASKED)
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), *sorted(requirement.extras))
        if key in found or is_cuda(key[0]):
            continue
        found[key] = requirement
        for line in metadata.requires(requirement.name) or []:
            inner = Requirement(line)
            extras = ["", *requirement.extras]
            if not inner.marker or any(inner.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(inner)
    return {key[0]: requirement for key, requirement in found.items()}


def installed_for_the_bench() -> set[str]:
    """The modules that `make bench` installs for itself."""
    text = (ROOT / "tests" / "bench" / "requirements.txt").read_text(encoding="utf-8")
    return {name.replace("-", "_") for name in re.findall(r"^([\w-]+)==", text, re.MULTILINE)}


def third_party(folder: str, pattern: str = "*.py") -> set[str]:
    """The distributions whose modules the Python files of a folder import."""
    modules = set()
    for path in (ROOT / folder).rglob(pattern):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.split(".")[0])
    providers = metadata.packages_distributions()
    bench = ROOT / "tests" / "bench"
    ours = {path.stem for path in [*ROOT.iterdir(), *bench.parent.iterdir(), *bench.iterdir()]}
    modules -= set(sys.stdlib_module_names) | ours | installed_for_the_bench()
    return {canonicalize_name(providers[module][0]) for module in modules}


def names(*requirements: Requirement) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def test_lock_holds_pins_alone():
    assert [
        line for line in LINES if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9A-Za-z.]+", line)
    ] == []
    assert len(PINS) == len(LINES) > len(ASKED)


@pytest.mark.parametrize("requirement", ASKED, ids=str)
def test_what_is_asked_for_is_pinned_inside_its_range(requirement):
    assert requirement.specifier, "give a range"
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems ask for some other packages")
def test_lock_is_complete_and_holds_nothing_else():
    assert set(needed()) == set(PINS)


def test_environment_is_what_the_lock_says():
    installed = {name: metadata.version(name).split("+")[0] for name in PINS}
    assert installed == PINS


def test_every_pin_installs_on_the_oldest_python():
    refusing = {
        name
        for name in PINS
        if (limit := metadata.metadata(name).get("Requires-Python"))
        and not Requirement(f"python {limit}").specifier.contains(OLDEST_PYTHON)
    }
    assert refusing == set()


def test_imports_are_asked_for():
    assert third_party("deeplearn") <= names(*RUNTIME)
    assert third_party("grading") <= names(*RUNTIME, *EXTRAS["grading"], *EXTRAS["cluster"])
    assert third_party("book") <= names(*RUNTIME, *EXTRAS["book"])
    assert third_party("tests") <= names(*ASKED)
    assert third_party("tools") <= names(*ASKED)
    for before_there_is_an_environment in ("environment.py", "lock.py"):
        assert third_party("tools", before_there_is_an_environment) == set()


def test_make_lock_leaves_out_the_build_and_refuses_cuda():
    text = lock.tidy("numpy==2.4.6\ntorch==2.13.0+cpu\n    # via x\n")
    assert text.endswith("numpy==2.4.6\ntorch==2.13.0\n    # via x\n")
    with pytest.raises(SystemExit, match=r"CUDA build of PyTorch.*nvidia-cublas.*CPU wheels"):
        lock.tidy("numpy==2.4.6\nnvidia-cublas==13.4\ntorch==2.13.0\n")
