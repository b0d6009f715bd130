"""Promises that every public name keeps; a new name is held to them without a new test."""

import contextlib
import copy
import importlib
import inspect
import pickle
import pkgutil

import pytest
import torch
from oracles import BAD, INITS, MODULES, OPTIMIZERS
from torch import nn

import deeplearn
from deeplearn import activations, normalization, optim, regularization

MODULE_NAMES = [
    name for _, name, _ in pkgutil.iter_modules(deeplearn.__path__) if not name.startswith("_")
]
PUBLIC = {
    f"{module}.{name}": getattr(importlib.import_module(f"deeplearn.{module}"), name)
    for module in MODULE_NAMES
    for name in importlib.import_module(f"deeplearn.{module}").__all__
}
CALLABLE = {name: value for name, value in PUBLIC.items() if callable(value)}
# Refusing is not theirs: a callback's base does nothing, the record of a data set only holds it.
WITHOUT_BAD_ARGUMENTS = {
    "data.MNIST",
    "plots.show_source",
    "search.Trial",
    "transfer.LoadReport",
    "plots.use_style",
    "trainer.Callback",
    "activations.ReLU",
    "activations.SELU",
}


@pytest.mark.parametrize("module", MODULE_NAMES)
def test_all_is_sorted_and_complete(module):
    content = importlib.import_module(f"deeplearn.{module}")
    defined = {
        name
        for name, value in vars(content).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == content.__name__
    }
    assert defined <= set(content.__all__), "a public function or class is not in __all__"
    assert len(set(content.__all__)) == len(content.__all__)


@pytest.mark.parametrize("name", CALLABLE)
def test_docstring_is_complete(name):
    doc = inspect.getdoc(PUBLIC[name]) or ""
    first = doc.split("\n\n")[0]
    assert first.rstrip().endswith((".", "elementwise.")), "starts with a sentence"
    bases = ("optim.Optimizer", "trainer.Callback", "data.MNIST")
    assert ">>>" in doc or name in bases or "checkpoint" in name, "holds an example that is run"
    if inspect.isfunction(PUBLIC[name]) and name.split(".")[0] in ("init", "activations"):
        assert "Source:" in doc
        assert "Shapes" in doc or name == "init.calculate_gain"


@pytest.mark.parametrize("name", CALLABLE)
def test_signature_is_annotated(name):
    if name in (
        "data.MNIST",
        "trainer.Callback",
        "transfer.LoadReport",
    ):  # they define no constructor of their own
        return
    target = PUBLIC[name].__init__ if inspect.isclass(PUBLIC[name]) else PUBLIC[name]
    for parameter in inspect.signature(target).parameters.values():
        if parameter.name != "self" and target is not nn.Module.__init__:
            assert parameter.annotation is not parameter.empty, parameter.name


def test_every_public_name_refuses_bad_arguments():
    tried = {bad.name for bad in BAD}
    silent = {n for n, value in CALLABLE.items() if value not in tried} - WITHOUT_BAD_ARGUMENTS
    assert not silent, "no row in BAD"


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.id)
def test_bad_arguments_raise_with_name_value_and_cure(bad):
    with pytest.raises(bad.error) as raised:
        bad.call()
    for word in bad.words:
        assert word in str(raised.value)


# Where torch keeps what a module of deeplearn holds; a name that both have must mean the same.
TORCH = {
    "init": (nn.init,),
    "activations": (nn.functional, nn, torch),
    "normalization": (nn.functional, nn),
    "regularization": (nn.functional, nn),
    "losses": (nn.functional,),
    "constraints": (nn.utils,),
    "recurrent": (nn,),
    "optim": (torch.optim,),
    "lr_scheduler": (torch.optim.lr_scheduler,),
}


def find_twins():
    for name, ours in CALLABLE.items():
        module, _, own = name.partition(".")
        for place in TORCH.get(module, ()):
            if theirs := getattr(place, own, None):
                with contextlib.suppress(ValueError):  # what is written in C tells no signature
                    yield ours, theirs, inspect.signature(theirs).parameters
                break


TWINS = list(find_twins())
# Speed flags, in-place variants, placement and what torch deprecates are torch's alone.
LEFT_OUT = {"inplace", "foreach", "fused", "capturable", "differentiable", "amsgrad", "device",
            "dtype", "decoupled_weight_decay", "self", "args", "kwargs", "size_average", "reduce",
            "verbose"}  # fmt: skip
# Of its losses we take the arguments that the course uses.
NOT_TAKEN = {"weight", "ignore_index", "pos_weight"}


def test_twins_are_found():
    found = {ours.__name__ for ours, *_ in TWINS}
    assert {"xavier_normal_", "elu", "BatchNorm1d", "dropout", "AdamW", "LSTMCell",
            "OneCycleLR", "clip_grad_norm_", "cross_entropy"} <= found  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "reference"), TWINS, ids=lambda v: getattr(v, "__name__", "arguments")
)
def test_arguments_are_torchs_in_order_with_its_defaults(ours, theirs, reference):
    mine = inspect.signature(ours).parameters
    left_out = LEFT_OUT | (NOT_TAKEN if ours.__module__.endswith("losses") else set())
    expected = [name for name in reference if name not in left_out]
    assert [name for name in mine if name in reference and name not in left_out] == expected
    for name in expected:
        if reference[name].default is not inspect.Parameter.empty:
            assert mine[name].default == reference[name].default, name


@pytest.mark.parametrize("case", INITS, ids=lambda case: case.id)
def test_fill_changes_only_its_tensor_and_no_global_state(case):
    state = torch.get_rng_state()
    case.ours(torch.empty(3, 4), **case.kwargs, generator=torch.Generator())
    assert torch.equal(state, torch.get_rng_state())
    strided = torch.zeros(4, 3).T
    case.ours(strided, **case.kwargs, generator=torch.Generator().manual_seed(0))
    assert strided.abs().sum() > 0


FUNCTIONS = {
    "relu": activations.relu,
    "leaky_relu": activations.leaky_relu,
    "elu": activations.elu,
    "selu": activations.selu,
    "dropout": lambda X: regularization.dropout(X, 0.3),
    "batch_norm": lambda X: normalization.batch_norm(X, None, None, training=True),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_function_leaves_its_input_alone_and_keeps_dtype(name, dtype):
    X = torch.randn(5, 4, dtype=dtype)
    before = X.clone()
    output = FUNCTIONS[name](X)
    assert output.dtype == dtype
    assert output.shape == X.shape
    assert torch.equal(X, before)


@pytest.mark.parametrize("case", MODULES, ids=lambda case: case.id)
def test_module_survives_deepcopy_and_pickle(case):
    module = case.ours(**case.kwargs).eval()
    X = torch.randn(4, 6)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(X), module(X))
        assert repr(twin) == repr(module)


@pytest.mark.parametrize("case", OPTIMIZERS, ids=lambda case: case.id)
def test_optimizer_survives_pickle_of_its_state(case):
    parameter = nn.Parameter(torch.ones(3))
    optimizer = case.ours([parameter], **case.kwargs)
    parameter.grad = torch.ones(3)
    optimizer.step()
    state = pickle.loads(pickle.dumps(optimizer.state_dict()))
    twin = nn.Parameter(parameter.detach().clone())
    other = case.ours([twin], **case.kwargs)
    other.load_state_dict(state)
    for p, o in ((parameter, optimizer), (twin, other)):
        p.grad = torch.full((3,), 0.5)
        o.step()
    assert torch.equal(parameter, twin)


def test_base_optimizer_asks_for_an_update():
    parameter = nn.Parameter(torch.ones(1))
    parameter.grad = torch.ones(1)
    base = optim.Optimizer([parameter], {"lr": 1, "weight_decay": 0, "maximize": False})
    with pytest.raises(NotImplementedError, match="update"):
        base.step()
