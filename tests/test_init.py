"""The distributions that initializations promise, and LSUV on networks of every build."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

from deeplearn import init
from deeplearn.models import mlp
from deeplearn.normalization import BatchNorm1d
from deeplearn.regularization import Dropout

# Shape, and its fans by the definition: numbers of products summed into a unit, and out of one.
SHAPES = {(300, 200): (200, 300), (40, 30, 5): (150, 200), (16, 24, 3, 5): (360, 240)}
# The standard deviation by the paper, as a function of fan_in and fan_out.
STD = {
    "xavier": lambda n_in, n_out: math.sqrt(2 / (n_in + n_out)),
    "kaiming": lambda n_in, n_out: math.sqrt(2 / n_in),
    "lecun": lambda n_in, n_out: math.sqrt(1 / n_in),
}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("name", STD)
def test_fills_follow_their_distribution(name, distribution, shape):
    fill_ = getattr(init, f"{name}_{distribution}_")
    std = STD[name](*SHAPES[shape])
    law = stats.norm(0, std)
    if distribution == "uniform":
        law = stats.uniform(-math.sqrt(3) * std, 2 * math.sqrt(3) * std)
    weight = fill_(torch.empty(shape, dtype=torch.float64), generator=seeded(1))
    assert stats.kstest(weight.flatten().numpy(), law.cdf).pvalue > 0.001


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("name", STD)
def test_moments_over_seeds(name, distribution):
    """The mean over seeds leaves a tolerance of half a percent: a wrong fan or gain shows."""
    fill_ = getattr(init, f"{name}_{distribution}_")
    shape = (40, 60)
    weights = torch.stack([fill_(torch.empty(shape), generator=seeded(s)) for s in range(100)])
    std = STD[name](60, 40)
    assert weights.std().item() == pytest.approx(std, rel=0.005)
    assert weights.mean().item() == pytest.approx(0, abs=5 * std / math.sqrt(weights.numel()))
    # Seeds, rows and columns are independent of each other.
    flat = weights.flatten(1)
    assert torch.corrcoef(flat).fill_diagonal_(0).abs().max() < 6 / math.sqrt(flat.size(1))
    assert len(weights.unique()) > 0.9 * weights.numel()


@pytest.mark.parametrize(
    ("settings", "variance"),
    [  # for a weight (40, 60)
        ({"mode": "fan_in"}, 2 / 60),
        ({"mode": "fan_out"}, 2 / 40),
        ({"mode": "fan_avg"}, 2 / 50),
        ({"a": 0.5}, 2 / 1.25 / 60),
        ({"a": 1.0, "mode": "fan_avg"}, 1 / 50),
        ({"nonlinearity": "linear"}, 1 / 60),
        ({"nonlinearity": "tanh", "mode": "fan_avg"}, 25 / 9 / 50),
        ({"nonlinearity": "selu"}, 9 / 16 / 60),
    ],
    ids=str,
)
@pytest.mark.parametrize("fill_", [init.kaiming_normal_, init.kaiming_uniform_])
def test_modes_and_gains_of_kaiming(fill_, settings, variance):
    weights = [fill_(torch.empty(40, 60), **settings, generator=seeded(s)) for s in range(100)]
    assert torch.stack(weights).var().item() == pytest.approx(variance, rel=0.01)


def test_fan_avg_is_xavier_times_the_gain():
    for mine, theirs in (
        (init.kaiming_normal_, init.xavier_normal_),
        (init.kaiming_uniform_, init.xavier_uniform_),
    ):
        weight = mine(torch.empty(7, 4, 3), mode="fan_avg", generator=seeded(0))
        expected = theirs(torch.empty(7, 4, 3), math.sqrt(2), generator=seeded(0))
        torch.testing.assert_close(weight, expected, rtol=1e-6, atol=0)


NO_FILLS = {"calculate_gain", "constant_", "lsuv_", "ones_", "zeros_"}
FILLS = [name for name in init.__all__ if name not in NO_FILLS]  # those that draw


@pytest.mark.parametrize("name", FILLS)
def test_without_a_generator_the_global_one_is_used(name):
    torch.manual_seed(5)
    first = getattr(init, name)(torch.empty(3, 4))
    second = getattr(init, name)(torch.empty(3, 4))
    torch.manual_seed(5)
    assert torch.equal(first, getattr(init, name)(torch.empty(3, 4)))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (5, 3, 2, 2), (12, 2, 2, 2)], ids=str)
@pytest.mark.parametrize("gain", [1.0, 0.3, -2.0])
def test_orthogonal_rows_or_columns(shape, gain):
    weight = torch.empty(shape, dtype=torch.float64)
    w = init.orthogonal_(weight, gain, generator=seeded(0)).flatten(1)
    product = w @ w.T if w.size(0) <= w.size(1) else w.T @ w
    torch.testing.assert_close(product, gain**2 * torch.eye(len(product), dtype=w.dtype))


def test_orthogonal_is_uniform_over_all_rotations_and_reflections():
    """Any entry of a uniform 3 × 3 one is uniform on [-1, 1] (Archimedes); bare QR's is not."""
    weights = [init.orthogonal_(torch.empty(3, 3), generator=seeded(s)) for s in range(400)]
    for i, j in ((0, 0), (1, 2), (2, 2)):
        entries = [weight[i, j].item() for weight in weights]
        assert stats.kstest(entries, stats.uniform(-1, 2).cdf).pvalue > 0.001
    determinants = torch.stack(weights).det().round()
    assert 150 < (determinants > 0).sum() < 250
    bare = [torch.linalg.qr(torch.randn(3, 3)).Q[0, 0].item() for _ in range(400)]
    assert stats.kstest(bare, stats.uniform(-1, 2).cdf).pvalue < 0.001


def test_signals_keep_their_size_through_he_and_lecun_layers():
    """What the initializations are for: twenty layers change the mean square by a small factor."""
    X = torch.randn(500, 300, generator=seeded(0))
    for fill_, act in ((init.kaiming_normal_, torch.relu), (init.lecun_normal_, lambda z: z)):
        h = X
        for layer in range(20):
            h = act(h) @ fill_(torch.empty(300, 300), generator=seeded(layer)).T
        assert 0.4 < h.square().mean() < 2.5
    small = X
    for layer in range(20):  # and LeCun's with ReLU halves it at each layer
        small = (
            torch.relu(small) @ init.lecun_normal_(torch.empty(300, 300), generator=seeded(layer)).T
        )
    assert small.square().mean() < 2.5 * 0.5**20


# --- LSUV ----------------------------------------------------------------------------------------

X = torch.randn(256, 20, generator=seeded(3)) * 3 + 1


class Block(nn.Module):
    """Nested, with a skip connection and calls by keyword."""

    def __init__(self, units):
        super().__init__()
        self.inner = nn.ModuleList([nn.Linear(units, units), nn.Linear(units, units, bias=False)])

    def forward(self, x):
        return x + nn.functional.elu(self.inner[1](input=torch.relu(self.inner[0](x))))


class Shared(nn.Module):
    """One layer, used at two places."""

    def __init__(self):
        super().__init__()
        self.first, self.shared = nn.Linear(20, 16), nn.Linear(16, 16)
        self.alias = self.shared
        self.last = nn.Linear(16, 4)

    def forward(self, x):
        h = torch.tanh(self.first(x))
        h = torch.relu(self.shared(h))
        return self.last(torch.relu(self.alias(h)))


class Sequence(nn.Module):
    """Linear layers on (batch, time, features), declared in another order than they are called."""

    def __init__(self):
        super().__init__()
        self.output, self.input = nn.Linear(7, 3), nn.Linear(5, 7)

    def forward(self, x):
        return self.output(torch.tanh(self.input(x.view(-1, 4, 5))))


MODELS = {
    "relu": lambda: mlp([20] + [50] * 20 + [10], nn.ReLU),
    "elu": lambda: mlp([20] + [50] * 20 + [10]),
    "tanh": lambda: mlp([20] + [50] * 20 + [10], nn.Tanh),
    "logistic": lambda: mlp([20] + [30] * 5 + [10], nn.Sigmoid),
    "batch norm and dropout": lambda: mlp([20, 30, 30, 5], batch_norm=True, dropout=0.5),
    "nested": lambda: nn.Sequential(nn.Linear(20, 12), Block(12), nn.Sequential(Block(12))),
    "shared": Shared,
    "sequence": Sequence,
    "one layer": lambda: nn.Linear(20, 1),
    "no gradient": lambda: mlp([20, 8, 2]).requires_grad_(False),
}


def linear_layers(model):
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear)}


def variances(model, X):
    """Return the variance of the first output of each linear layer, in evaluation mode."""
    seen, handles = {}, []
    for name, layer in linear_layers(model).items():

        def note(module, args, output, name=name):
            seen.setdefault(name, output.detach().numpy().var())

        handles.append(layer.register_forward_hook(note))  # fmt: skip
    modes = [(module, module.training) for module in model.modules()]
    model.eval()(X)
    for module, training in modes:
        module.training = training
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("tolerance", [0.1, 1e-3])
@pytest.mark.parametrize("name", MODELS)
def test_lsuv_gives_every_layer_unit_variance(name, tolerance):
    model = MODELS[name]()
    names = set(linear_layers(model))
    for module in model.modules():
        module.training = isinstance(module, nn.Linear | Dropout)  # modes as mixed as may be
    modes = {n: m.training for n, m in model.named_modules()}
    buffers = {n: b.clone() for n, b in model.named_buffers()}
    before, numbers = X.clone(), torch.get_rng_state()
    trained = [p.requires_grad for p in model.parameters()]

    returned = init.lsuv_(model, X, tolerance=tolerance, generator=seeded(0))

    assert returned is model
    found = variances(model, X)
    assert set(found) == names
    assert all(abs(variance - 1) < tolerance for variance in found.values()), found
    for layer in linear_layers(model).values():
        assert layer.bias is None or layer.bias.count_nonzero() == 0
        w = layer.weight.detach()
        w = w if w.size(0) <= w.size(1) else w.T
        product = w @ w.T  # a multiple of the identity: the scale alone was changed
        scale = product.diagonal().mean() * torch.eye(len(product))
        torch.testing.assert_close(product, scale, rtol=1e-4, atol=1e-4 * scale.max().item())
    assert {n: m.training for n, m in model.named_modules()} == modes
    assert all(torch.equal(b, buffers[n]) for n, b in model.named_buffers())
    assert torch.equal(X, before)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert [p.requires_grad for p in model.parameters()] == trained
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())


def test_lsuv_leaves_the_scale_of_a_layer_that_is_within_tolerance():
    units = 40
    batch = math.sqrt(units) * torch.eye(units)  # an orthonormal weight keeps its mean square, 1
    layer = init.lsuv_(nn.Linear(units, units), batch, generator=seeded(0))
    expected = nn.init.orthogonal_(torch.empty(units, units), generator=seeded(0))
    assert torch.equal(layer.weight, expected)
    other = init.lsuv_(nn.Linear(units, units), 3 * batch, generator=seeded(0))
    torch.testing.assert_close(other.weight.detach(), expected / 3, rtol=0.05, atol=0)


def test_lsuv_needs_one_division_as_a_layer_is_linear():
    model = init.lsuv_(mlp([20, 30, 5]), X, max_iterations=1, tolerance=1e-5)
    assert variances(model, X) == pytest.approx({"hidden1": 1, "output": 1}, rel=1e-5)


def test_lsuv_comes_from_its_generator_and_its_batch():
    first = init.lsuv_(mlp([20, 30, 5]), X, generator=seeded(0))
    again = init.lsuv_(mlp([20, 30, 5]), X, generator=seeded(0))
    other = init.lsuv_(mlp([20, 30, 5]), X, generator=seeded(1))
    assert torch.equal(first.output.weight, again.output.weight)
    assert not torch.equal(first.output.weight, other.output.weight)


class Detour(nn.Module):
    """The forward pass uses a weight without calling its layer, and never comes to another."""

    def __init__(self):
        super().__init__()
        self.used = nn.Linear(20, 8)
        self.direct, self.idle = nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, x):
        return nn.functional.linear(self.used(x), self.direct.weight)


def dead():
    model = mlp([20, 8, 3])
    model.activation1 = nn.Hardtanh(-1e-30, 1e-30)  # the squares underflow: the variance is 0
    return model


@pytest.mark.parametrize(
    ("make", "batch", "words"),
    [
        (Detour, X, r"model never calls \['direct', 'idle'\]"),
        (dead, X, "X gives 'output' an output of variance 0.0; use several different"),
        (lambda: mlp([20, 8, 3]), torch.zeros(9, 20), "X gives 'hidden1' .* variance 0.0"),
        (lambda: mlp([20, 8, 3]), X * 1e30, "X gives 'hidden1' .* variance inf"),
        (lambda: nn.Linear(20, 1), X[:1], "X gives '' an output of variance 0.0"),
    ],
    ids=["never called", "dead", "zeros", "huge", "one row"],
)
def test_lsuv_that_fails_leaves_the_model_as_it_was(make, batch, words):
    model = make().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=words):
        init.lsuv_(model, batch)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())


def test_an_error_in_the_forward_pass_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(20, 8), BatchNorm1d(9))
    before = model[0].weight.clone()
    with pytest.raises(ValueError, match=r"shape \(8,\), got \(9,\)"):
        init.lsuv_(model, X)
    assert torch.equal(model[0].weight, before)
    assert not model[0]._forward_hooks


@pytest.mark.parametrize("other", ["linear", "embedding"])
def test_lsuv_refuses_a_weight_with_two_owners(other):
    second = nn.Linear(20, 20) if other == "linear" else nn.Embedding(20, 20)
    model = nn.Sequential(nn.Linear(20, 20), nn.ReLU(), second)
    second.weight = model[0].weight
    before = model[0].weight.clone()
    with pytest.raises(ValueError, match=r"uses the weight of \['0'.*in two layers.*untie"):
        init.lsuv_(model, X)
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize("name", FILLS)
def test_a_seed_is_no_generator(name):
    weight = torch.full((3, 4), 7.0)
    with pytest.raises(TypeError, match=r"generator must be .*, got int; .*manual_seed\(0\)"):
        getattr(init, name)(weight, generator=0)
    assert (weight == 7).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_filled_or_refused(dtype):
    """Every fill takes it but the orthogonal one, as no QR decomposition does."""
    weight = torch.full((300, 300), 7.0, dtype=dtype)
    with pytest.raises(TypeError, match=f"tensor must be float32 or float64, got {dtype}.*QR"):
        init.orthogonal_(weight)
    assert (weight == 7).all()
    filled = init.kaiming_normal_(weight, generator=seeded(0)).float()
    assert filled.std().item() == pytest.approx(math.sqrt(2 / 300), rel=0.02)


def test_lsuv_defaults_and_limits():
    model = mlp([20, 30, 5])
    with pytest.raises(TypeError, match="max_iterations must be an int"):
        init.lsuv_(model, X, max_iterations=2.5)
    with pytest.raises(ValueError, match="max_iterations must be at least 1, got 0"):
        init.lsuv_(model, X, max_iterations=0)
    with pytest.raises(TypeError, match="generator"):
        init.lsuv_(model, X, generator=3)


# The fills that choose no scale


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64], ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3)], ids=str)
def test_constants_equal_torchs(shape, dtype):
    for name, arguments in (("zeros_", ()), ("ones_", ()), ("constant_", (3.0,))):
        ours, theirs = torch.full(shape, 9, dtype=dtype), torch.full(shape, 9, dtype=dtype)
        assert getattr(init, name)(ours, *arguments) is ours
        assert torch.equal(ours, getattr(nn.init, name)(theirs, *arguments))
    assert init.ones_(nn.Linear(2, 3).bias).requires_grad


@pytest.mark.parametrize("shape", [(), (9,), (0, 2), (50, 40)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("uniform_", (-1.0, 2.0)),
        ("normal_", (1.0, 0.1)),
        ("trunc_normal_", (0.0, 1.0, -0.5, 3.0)),
        ("trunc_normal_", (0.0, 1.0, 1.5, 3.0)),
        ("trunc_normal_", (0.3, 2.0, 0.2, 0.5)),
    ],
)
def test_plain_fills_take_any_shape_and_draw_torchs_bits(name, arguments, shape, dtype):
    ours, theirs = torch.zeros(shape, dtype=dtype), torch.zeros(shape, dtype=dtype)
    getattr(init, name)(ours, *arguments, generator=seeded(3))
    getattr(nn.init, name)(theirs, *arguments, generator=seeded(3))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("a", "b"), [(-2.0, 2.0), (-0.4, 3.0), (0.9, 2.0)])
def test_truncated_normal_follows_its_distribution(a, b):
    w = init.trunc_normal_(torch.empty(9999).double(), 0.1, 0.8, a, b, generator=seeded(2))
    law = stats.truncnorm((a - 0.1) / 0.8, (b - 0.1) / 0.8, 0.1, 0.8)
    assert stats.kstest(w.numpy(), law.cdf).pvalue > 0.001


def test_truncated_normal_leaves_a_meta_tensor():
    assert init.trunc_normal_(torch.empty(2, device="meta")).is_meta
