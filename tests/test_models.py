"""The multilayer perceptron against the formula, and against the promises of its docstring."""

import copy
import pickle
from functools import partial

import pytest
import torch
from torch import nn

from deeplearn import init
from deeplearn.activations import ELU, LeakyReLU
from deeplearn.models import ResidualMLP, mlp
from deeplearn.normalization import BatchNorm1d
from deeplearn.regularization import Dropout

SIZES = [5, 4, 6, 3]


def kinds(model):
    return {name: type(module).__name__ for name, module in model.named_children()}


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({}, "hidden1 activation1 hidden2 activation2 output"),
        ({"dropout": 0.1}, "hidden1 activation1 dropout1 hidden2 activation2 dropout2 output"),
        (
            {"batch_norm": True},
            "hidden1 batch_norm1 activation1 hidden2 batch_norm2 activation2 output",
        ),
        (
            {"batch_norm": True, "dropout": 0.1},
            "hidden1 batch_norm1 activation1 dropout1 "
            "hidden2 batch_norm2 activation2 dropout2 output",
        ),
    ],
    ids=str,
)
def test_layers_and_their_order(kwargs, expected):
    classes = {
        "hidden": "Linear",
        "batch_norm": "BatchNorm1d",
        "activation": "ELU",
        "dropout": "Dropout",
        "output": "Linear",
    }
    model = mlp(SIZES, **kwargs)
    assert isinstance(model, nn.Sequential)
    assert kinds(model) == {name: classes[name.rstrip("12")] for name in expected.split()}
    assert [tuple(m.weight.shape) for m in model if isinstance(m, nn.Linear)] == [
        (4, 5),
        (6, 4),
        (3, 6),
    ]
    assert [m.p for m in model if isinstance(m, Dropout)] == [0.1] * expected.count("dropout")
    assert [m.num_features for m in model if isinstance(m, BatchNorm1d)] == (
        [4, 6] if kwargs.get("batch_norm") else []
    )


def test_two_sizes_make_one_affine_map():
    assert kinds(mlp([5, 3], batch_norm=True, dropout=0.5)) == {"output": "Linear"}


@pytest.mark.parametrize("batch_norm", [False, True])
def test_biases_start_at_zero_and_are_missing_before_batch_norm(batch_norm):
    model = mlp(SIZES, batch_norm=batch_norm)
    assert model.output.bias.tolist() == [0] * 3
    for layer in (model.hidden1, model.hidden2):
        assert (layer.bias is None) == batch_norm
        assert batch_norm or layer.bias.count_nonzero() == 0


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(
    "init_",
    [init.kaiming_normal_, init.lecun_uniform_, partial(init.xavier_uniform_, gain=2.0)],
    ids=["kaiming", "lecun", "partial"],
)
def test_every_weight_comes_from_the_given_function_and_generator_alone(init_, batch_norm):
    state = torch.get_rng_state()
    generator = torch.Generator().manual_seed(4)
    model = mlp(SIZES, init_=init_, batch_norm=batch_norm, dropout=0.5, generator=generator)
    twin = torch.Generator().manual_seed(4)
    for layer in (model.hidden1, model.hidden2, model.output):
        assert torch.equal(layer.weight, init_(torch.empty(layer.weight.shape), generator=twin))
    assert torch.equal(generator.get_state(), twin.get_state())
    assert torch.equal(torch.get_rng_state(), state)


def test_default_is_he_initialization_from_the_global_generator():
    torch.manual_seed(3)
    model = mlp([4, 3])
    torch.manual_seed(3)
    expected = nn.init.kaiming_normal_(torch.empty(3, 4), nonlinearity="relu")
    assert torch.equal(model.output.weight, expected)


def test_weights_can_be_trained():
    parameters = dict(mlp(SIZES, batch_norm=True).named_parameters())
    assert all(p.requires_grad and p.is_leaf for p in parameters.values())
    assert list(parameters) == [
        "hidden1.weight",
        "batch_norm1.weight",
        "batch_norm1.bias",
        "hidden2.weight",
        "batch_norm2.weight",
        "batch_norm2.bias",
        "output.weight",
        "output.bias",
    ]


def test_each_hidden_layer_has_an_activation_of_its_own():
    made = []

    def activation():
        made.append(LeakyReLU(0.2))
        return made[-1]

    model = mlp(SIZES, activation=activation)
    assert [model.activation1, model.activation2] == made
    assert made[0] is not made[1]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_output_is_the_formula(batch_norm, dropout, training, generator):
    model = mlp(SIZES, batch_norm=batch_norm, dropout=dropout, generator=generator).double()
    model.train(training)
    X = torch.randn(9, 5, dtype=torch.float64, generator=generator)
    torch.manual_seed(8)
    output = model(X)

    torch.manual_seed(8)
    h = X
    for i in (1, 2):
        layer = model.get_submodule(f"hidden{i}")
        h = h @ layer.weight.T
        if batch_norm and training:
            h = (h - h.mean(0)) / (h.var(0, unbiased=False) + 1e-5).sqrt()
        elif batch_norm:  # fresh statistics: mean 0, variance 1
            h = h / (1 + 1e-5) ** 0.5
        else:
            h = h + layer.bias
        h = torch.where(h > 0, h, h.exp() - 1)
        if dropout and training:
            h = h * (torch.empty_like(h).bernoulli_(1 - dropout) / (1 - dropout))
    expected = h @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(output, expected, rtol=1e-10, atol=1e-12)


def test_sizes_may_be_a_tuple_and_a_module_class_serves_as_activation():
    model = mlp((2, 3, 1), nn.Tanh)
    assert isinstance(model.activation1, nn.Tanh)
    assert isinstance(mlp((2, 3, 1)).activation1, ELU)


# --- ResidualMLP -----------------------------------------------------------------------------


def problem(seed):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(64, 20, generator=generator)
    return X, (X[:, 0] > 0).long() + 2 * (X[:, 1] > 0).long()


@pytest.mark.parametrize("training", [True, False])
def test_residual_output_is_the_formula(training, generator):
    model = ResidualMLP(5, 4, 3, 2, nn.Tanh, generator=generator).double().train(training)
    X = torch.randn(9, 5, dtype=torch.float64, generator=generator)
    h = torch.tanh(model.hidden1(X))
    h = h + torch.tanh(h @ model.hidden2.weight.T + model.hidden2.bias)
    h = h + torch.tanh(h @ model.hidden3.weight.T + model.hidden3.bias)
    expected = h @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(X), expected, rtol=1e-12, atol=1e-12)


def test_residual_names_are_those_of_mlp():
    model = ResidualMLP(5, 4, 2, 3, LeakyReLU)
    assert kinds(model) == kinds(mlp([5, 4, 4, 3], LeakyReLU))
    assert list(model.state_dict()) == list(mlp([5, 4, 4, 3]).state_dict())
    assert kinds(ResidualMLP(5, 4, 1, 3)) == kinds(mlp([5, 4, 3]))
    assert isinstance(ResidualMLP(5, 4, 1, 3).activation1, ELU)


@pytest.mark.parametrize("init_", [init.kaiming_normal_, init.orthogonal_])
def test_residual_weights_come_from_the_function_and_shrink_with_depth(init_):
    state = torch.get_rng_state()
    model = ResidualMLP(5, 4, 9, 2, init_=init_, generator=torch.Generator().manual_seed(4))
    assert torch.equal(torch.get_rng_state(), state)
    plain = mlp([5] + [4] * 9 + [2], init_=init_, generator=torch.Generator().manual_seed(4))
    for name, layer in plain.named_children():
        if isinstance(layer, nn.Linear):
            mine = model.get_submodule(name)
            scale = 1 if name in ("hidden1", "output") else 1 / 3
            torch.testing.assert_close(mine.weight, layer.weight * scale)
            assert mine.bias.count_nonzero() == 0
            assert mine.weight.is_leaf
            assert mine.weight.requires_grad


def first_gradient(model, X, y):
    nn.functional.cross_entropy(model(X), y).backward()
    norms = [
        model.get_submodule(name).weight.grad.norm().item() for name in ("hidden1", "hidden50")
    ]
    return norms[0], norms[0] / norms[1]


@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.ReLU, ELU])
def test_gradient_reaches_the_first_of_fifty_layers(activation):
    """Over five seeds; in the plain network it vanishes, or depends on the activation."""
    plain, residual = [], []
    for seed in range(5):
        X, y = problem(seed)
        generators = [torch.Generator().manual_seed(seed) for _ in range(2)]
        model = mlp([20] + [30] * 50 + [4], activation, generator=generators[0])
        plain.append(first_gradient(model, X, y)[0])
        model = ResidualMLP(20, 30, 50, 4, activation, generator=generators[1])
        residual.append(first_gradient(model, X, y))
    assert all(norm > 0.05 and ratio > 0.002 for norm, ratio in residual), residual
    assert max(norm for norm, _ in residual) < 20
    if activation is nn.Sigmoid:
        assert max(plain) < 1e-20
    if activation is nn.ReLU:
        assert max(plain) < 0.1 * min(norm for norm, _ in residual)


def test_fifty_layers_train_with_skip_connections_and_not_without():
    for seed in range(3):
        X, y = problem(seed)
        final = []
        for build in (
            lambda g: ResidualMLP(20, 16, 50, 4, nn.Tanh, generator=g),
            lambda g: mlp([20] + [16] * 50 + [4], nn.Tanh, generator=g),
        ):
            model = build(torch.Generator().manual_seed(seed))
            optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
            for _ in range(60):
                loss = nn.functional.cross_entropy(model(X), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            final.append(loss.item())
        assert final[0] < 0.1
        assert final[1] > 0.8  # chance is log 4 = 1.386


def test_residual_copies():
    model = ResidualMLP(5, 4, 3, 2)
    X = torch.randn(3, 5)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(X), model(X))
