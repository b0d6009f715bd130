"""What diagnostics see, and that they leave nothing behind."""

import numpy as np
import pytest
import torch
from torch import nn

from deeplearn.diagnostics import gradient_norms, record_activations
from deeplearn.models import mlp

X = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def fail(*arguments):
    raise ZeroDivisionError


class Backwards(nn.Module):
    """Nested; the modules are called in another order than they were declared in."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(3, 2)
        self.body = nn.ModuleDict({"b": nn.Linear(5, 3), "a": nn.Sequential(nn.Linear(4, 5))})
        self.act = nn.Tanh()

    def forward(self, x):
        return self.last(self.act(self.body["b"](self.act(self.body["a"](x)))))


def test_outputs_are_those_of_each_layer():
    model = mlp([4, 5, 3])
    with record_activations(model) as seen:
        output = model(X)
    hidden = X @ model.hidden1.weight.T + model.hidden1.bias
    assert list(seen) == ["hidden1", "activation1", "output"]
    torch.testing.assert_close(seen["hidden1"], hidden.detach())
    torch.testing.assert_close(seen["activation1"], nn.functional.elu(hidden).detach())
    assert torch.equal(seen["output"], output)
    assert not any(value.requires_grad for value in seen.values())
    assert hooks(model) == 0


def test_order_is_that_of_the_pass_and_a_second_call_replaces_the_first():
    model = Backwards()
    with record_activations(model) as seen:
        model(X)
        assert list(seen) == ["body.a.0", "body.b", "act", "last"]
        assert seen["act"].shape == (7, 3)  # called twice: the second
        model(X[:2])
    assert {name: len(value) for name, value in seen.items()} == dict.fromkeys(seen, 2)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (r"body\..*", ["body.a.0", "body.b"]),
        (r".*\.b", ["body.b"]),
        ("last|act", ["act", "last"]),
        (".*", ["body.a.0", "body.b", "act", "last"]),
    ],
)
def test_pattern_must_match_the_whole_name(pattern, names):
    model = Backwards()
    with record_activations(model, pattern) as seen:
        model(X)
    assert list(seen) == names


@pytest.mark.parametrize("pattern", ["las", "body", r"body\.a", ""])
def test_pattern_that_matches_no_innermost_module_lists_the_names(pattern):
    model = Backwards()
    names = r"\['act', 'body\.a\.0', 'body\.b', 'last'\]"
    with pytest.raises(ValueError, match=f"no module matches '.*'; the model has {names}"):
        record_activations(model, pattern).__enter__()
    assert hooks(model) == 0


def test_a_model_of_one_module_has_the_empty_name():
    model = nn.Linear(4, 2)
    with record_activations(model) as seen:
        output = model(X)
    assert torch.equal(seen[""], output)


def test_hooks_go_after_an_exception_and_strangers_stay():
    model = mlp([4, 5, 3])
    calls = []
    model.hidden1.register_forward_hook(lambda *arguments: calls.append(1))
    with pytest.raises(ZeroDivisionError), record_activations(model):
        fail(model(X))
    assert hooks(model) == 1
    with pytest.raises(RuntimeError), record_activations(model) as seen:
        model(torch.ones(2, 9))
    assert hooks(model) == 1
    assert seen == {}
    model(X)
    assert len(calls) == 2


def test_a_copy_survives_an_activation_that_works_in_place():
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(inplace=True))
    with record_activations(model) as seen:
        model(X)
    torch.testing.assert_close(seen["0"], model[0](X).detach())
    assert (seen["0"] < 0).any()


def test_recording_changes_neither_output_nor_gradients():
    model = mlp([4, 5, 3])
    gradients = []
    for pattern in (None, ".*"):
        model.zero_grad()
        if pattern:
            with record_activations(model, pattern):
                output = model(X)
        else:
            output = model(X)
        output.square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    assert all(map(torch.equal, *gradients))


def test_an_output_that_is_no_tensor_is_named():
    model = nn.Sequential(nn.LSTM(4, 3))
    with (
        pytest.raises(TypeError, match=r"the output of '0' must be a torch\.Tensor, got tuple"),
        record_activations(model),
    ):
        model(X)
    assert hooks(model) == 0


def test_gradient_norms_are_euclidean_and_skip_what_has_no_gradient():
    model = Backwards()
    model.body["b"].requires_grad_(False)
    model(X).square().sum().backward()
    norms = gradient_norms(model)
    assert list(norms) == ["last.weight", "last.bias", "body.a.0.weight", "body.a.0.bias"]
    for name, norm in norms.items():
        gradient = model.get_parameter(name).grad.double().numpy().ravel()
        assert norm == pytest.approx(np.sqrt(gradient @ gradient), rel=1e-6)
        assert type(norm) is float
