"""The multilayer perceptron against the formula, and against the promises of its docstring."""

from functools import partial

import pytest
import torch
from torch import nn

from deeplearn import init
from deeplearn.activations import ELU, LeakyReLU
from deeplearn.models import mlp
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
