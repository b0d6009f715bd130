"""Batch norm against torch in every setting, its second derivative, and what folding promises."""

import copy
import pickle

import pytest
import torch
from torch import nn

from deeplearn.normalization import BatchNorm1d, batch_norm, fold_batch_norm
from deeplearn.regularization import DropConnectLinear

F = nn.functional
SETTINGS = [
    {},
    {"momentum": None},
    {"momentum": 1.0},
    {"momentum": 0.0},
    {"affine": False},
    {"bias": False},
    {"track_running_stats": False},
    {"affine": False, "track_running_stats": False, "momentum": None},
    {"eps": 0.5, "momentum": 0.3},
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def twins(units, dtype, **kwargs):
    """Ours and torch's with the same random parameters."""
    ours, theirs = (cls(units, **kwargs).to(dtype) for cls in (BatchNorm1d, nn.BatchNorm1d))
    generator = seeded(3)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(torch.randn(units, generator=generator))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("shape", [(8, 5), (2, 5), (6, 5, 3), (1, 5, 4)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kwargs", SETTINGS, ids=str)
def test_training_and_evaluation_equal_torch(kwargs, dtype, shape):
    """Outputs, all gradients and all statistics, over batches of training and of evaluation."""
    ours, theirs = twins(5, dtype, **kwargs)
    tolerance = {"rtol": 1e-10, "atol": 1e-11} if dtype == torch.float64 else {}
    if dtype == torch.float32:
        tolerance = {"rtol": 1e-4, "atol": 1e-4}
    for step in range(6):
        X = 2 + 3 * torch.randn(shape, generator=seeded(step), dtype=dtype)
        upstream = torch.randn(shape, generator=seeded(step + 9), dtype=dtype)
        results = []
        for module in (ours, theirs):
            module.train(step % 3 != 2).zero_grad()
            z = X.clone().requires_grad_()
            output = module(z)
            output.backward(upstream)
            results.append([output.detach(), z.grad, *(p.grad for p in module.parameters())])
        for mine, reference in zip(*results, strict=True):
            assert mine.dtype == dtype
            torch.testing.assert_close(mine, reference, **tolerance)
        for name, value in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], value, **tolerance)
    assert "(5, eps=" in repr(ours)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 2)], ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_second_derivative(training, shape):
    """The closed form is written for the first; the second goes through the statistics again."""
    generator = seeded()
    X = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
    weight, bias = torch.randn(2, 3, generator=generator, dtype=torch.float64).unbind()
    weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    mean, var = (None, None) if training else torch.tensor([[1.0] * 3, [2.0] * 3]).double().unbind()

    def run(*tensors):
        return batch_norm(tensors[0], mean, var, *tensors[1:], training)

    assert torch.autograd.gradcheck(run, (X, weight, bias))
    assert torch.autograd.gradgradcheck(run, (X, weight, bias))


def test_gradient_penalty_equals_torchs():
    results = []
    for function in (batch_norm, F.batch_norm):
        X = torch.randn(7, 4, generator=seeded(), dtype=torch.float64).requires_grad_()
        weight = torch.linspace(1, 2, 4, dtype=torch.float64).requires_grad_()
        output = function(X, None, None, weight, None, True)
        (gradient,) = torch.autograd.grad((output**3).sum(), X, create_graph=True)
        results.append(torch.autograd.grad(gradient.square().sum(), (X, weight)))
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-9, atol=1e-10)


def test_statistics_by_hand():
    mean, var = torch.tensor([10.0]), torch.tensor([10.0])
    output = batch_norm(torch.tensor([[1.0], [3.0]]), mean, var, training=True, momentum=0.5, eps=3)
    # batch: mean 2, biased variance 1, unbiased 2
    assert output.flatten().tolist() == [-0.5, 0.5]
    assert (mean.item(), var.item()) == (6.0, 6.0)
    assert batch_norm(torch.tensor([[9.0]]), mean, var, eps=3).item() == pytest.approx(1.0)
    assert (mean.item(), var.item()) == (6.0, 6.0)


def test_output_of_training_is_standardized_however_large_the_mean():
    X = 1e4 + torch.randn(500, 3, generator=seeded())
    output = batch_norm(X, None, None, training=True)
    # float32 holds a mean of 10⁴ to half a thousandth.
    torch.testing.assert_close(output.mean(0), torch.zeros(3), rtol=0, atol=1e-3)
    torch.testing.assert_close(output.var(0, correction=0), torch.ones(3), rtol=1e-3, atol=0)


def test_constant_units_and_nan():
    X = torch.tensor([[2.0, 1.0], [2.0, 3.0]]).requires_grad_()
    output = batch_norm(X, None, None, training=True)
    assert output[:, 0].tolist() == [0.0, 0.0]
    output.backward(torch.tensor([[1.0, 1.0], [-1.0, 1.0]]))
    assert X.grad.isfinite().all()
    bad = torch.tensor([[float("nan"), 1.0], [2.0, 3.0]])
    output = batch_norm(bad, None, None, training=True)
    assert output[:, 0].isnan().all()
    assert output[:, 1].isfinite().all()


@pytest.mark.parametrize("training", [True, False])
def test_memory_layout(training):
    for X in (torch.randn(4, 6, generator=seeded()).T, torch.randn(3, 4, 6).transpose(0, 2)):
        assert not X.is_contiguous()
        layer = BatchNorm1d(4).train(training)
        mine, reference = layer(X), copy.deepcopy(layer)(X.contiguous())
        torch.testing.assert_close(mine, reference)
    X = torch.randn(3, 4, 6)
    assert BatchNorm1d(4).train(training)(X).is_contiguous()  # so that .view works, as with torch


def test_gradients_only_where_wanted():
    X = torch.randn(5, 2, generator=seeded())
    layer = BatchNorm1d(2)
    layer.weight.requires_grad_(False)
    layer(X).sum().backward()
    assert layer.weight.grad is None
    assert layer.bias.grad.tolist() == [5.0, 5.0]
    assert X.grad is None
    assert not batch_norm(X, None, None, training=True).requires_grad


def test_momentum_none_averages_all_batches():
    layer = BatchNorm1d(2, momentum=None)
    batches = [torch.randn(9, 2, generator=seeded(s)) for s in range(5)]
    for X in batches:
        layer(X)
    torch.testing.assert_close(layer.running_mean, torch.stack(batches).mean((0, 1)))
    torch.testing.assert_close(layer.running_var, torch.stack([X.var(0) for X in batches]).mean(0))
    assert layer.num_batches_tracked.item() == 5


def test_a_refused_batch_leaves_the_statistics():
    layer = BatchNorm1d(2, momentum=None)
    layer(torch.randn(9, 2, generator=seeded()))
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    for bad in (torch.randn(1, 2), torch.randn(4, 3), torch.randn(2)):
        with pytest.raises(ValueError, match="shape"):
            layer(bad)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_evaluation_changes_nothing_and_takes_one_row():
    layer = BatchNorm1d(2).eval()
    before = pickle.dumps(layer.state_dict())
    assert layer(torch.tensor([[1.0, 2.0]])).shape == (1, 2)
    assert pickle.dumps(layer.state_dict()) == before


@pytest.mark.parametrize("momentum", [0, 1, None])
def test_limits_of_momentum_are_allowed(momentum):
    assert BatchNorm1d(2, momentum=momentum).momentum == momentum


def test_representation_names_every_setting():
    expected = "BatchNorm1d(3, eps=0.5, momentum=None, affine=False, track_running_stats=True)"
    assert repr(BatchNorm1d(3, 0.5, None, False)) == expected


def test_defaults_are_torchs():
    ours, theirs = BatchNorm1d(3), nn.BatchNorm1d(3)
    for name in ("num_features", "eps", "momentum", "affine", "track_running_stats"):
        assert getattr(ours, name) == getattr(theirs, name)
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
        assert ours.state_dict()[name].dtype == value.dtype


# --- folding ---------------------------------------------------------------------------------


def trained(cls, kwargs, units=3):
    layer = cls(units, **kwargs)
    generator = seeded(1)
    for _ in range(3):
        layer(1 + 2 * torch.randn(20, units, generator=generator))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(units, generator=generator))
    return layer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("cls", [BatchNorm1d, nn.BatchNorm1d])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kwargs", [{}, {"affine": False}, {"bias": False}, {"eps": 0.7}], ids=str)
def test_folded_layer_equals_the_pair(kwargs, bias, cls, dtype):
    linear, norm = nn.Linear(4, 3, bias=bias).to(dtype), trained(cls, kwargs).to(dtype)
    pair = nn.Sequential(linear, norm).eval()
    before = copy.deepcopy(pair.state_dict())
    numbers = torch.get_rng_state()
    folded = fold_batch_norm(linear, norm)
    assert type(folded) is nn.Linear
    assert (folded.in_features, folded.out_features) == (4, 3)
    assert torch.equal(torch.get_rng_state(), numbers)
    X = torch.randn(50, 4, generator=seeded(7), dtype=dtype)
    assert folded(X).dtype == dtype
    tolerance = {"rtol": 1e-12, "atol": 1e-12} if dtype == torch.float64 else {}
    torch.testing.assert_close(folded(X), pair(X), **tolerance)
    assert all(torch.equal(value, before[name]) for name, value in pair.state_dict().items())
    assert all(p.requires_grad and p.is_leaf for p in folded.parameters())


def test_folding_ignores_the_mode_and_takes_subclasses_of_linear():
    linear, norm = DropConnectLinear(4, 3), trained(BatchNorm1d, {})
    X = torch.randn(5, 4, generator=seeded())
    folded = fold_batch_norm(linear.train(), norm.train())
    torch.testing.assert_close(folded(X), norm.eval()(linear.eval()(X)))


# Mixed precision and old files


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("shape", [(8, 5), (8, 5, 3)], ids=str)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_autocast_gives_what_torchs_layer_gives(settings, shape, training):
    results = []
    for layer in (BatchNorm1d(5, **settings), nn.BatchNorm1d(5, **settings)):
        X = torch.randn(shape, generator=seeded()).bfloat16().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            output = layer.train(training)(X)
        output.float().square().sum().backward()
        results.append([output, *layer.state_dict().values()])
        assert X.grad.dtype == torch.bfloat16
    for ours, theirs in zip(*results, strict=True):
        assert ours.dtype == theirs.dtype
        tolerance = {"rtol": 1e-2, "atol": 1e-2} if ours.dtype == torch.bfloat16 else {}
        torch.testing.assert_close(ours, theirs, **tolerance)


def test_network_trains_under_autocast():
    model = nn.Sequential(nn.Linear(4, 5), BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 1))
    with torch.autocast("cpu", torch.bfloat16):
        output = model(torch.randn(8, 4))
    output.float().mean().backward()
    assert output.dtype == torch.bfloat16
    assert model[1].running_mean.dtype == model[1].weight.grad.dtype == torch.float32


def test_state_without_a_count_of_batches_loads_as_in_torch():
    for layer in (BatchNorm1d(3), nn.BatchNorm1d(3)):
        layer.num_batches_tracked.fill_(7)
        old = {k: v for k, v in nn.BatchNorm1d(3).state_dict().items() if "batches" not in k}
        layer.load_state_dict(old)
        assert layer.num_batches_tracked == 7
        new = nn.BatchNorm1d(3).state_dict()  # its metadata says that it has the count
        del new["num_batches_tracked"]
        with pytest.raises(RuntimeError, match="num_batches_tracked"):
            layer.load_state_dict(new)
