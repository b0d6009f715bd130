"""Every row of the oracle table: ours against an independent answer."""

import pytest
import torch
from oracles import ACTIVATIONS, FUNCTIONS, GAINS, INITS, MODULES, OPTIMIZERS
from torch import nn

by_id = {"ids": lambda case: case.id}


@pytest.mark.parametrize("shape", [(5, 7), (7, 5), (4, 3, 2, 2)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", INITS, **by_id)
def test_init_is_bit_equal_to_torch(case, dtype, shape):
    generators = [torch.Generator().manual_seed(7) for _ in range(2)]
    ours = torch.full(shape, 9.0, dtype=dtype)
    theirs = ours.clone()
    returned = case.ours(ours, **case.kwargs, generator=generators[0])
    case.theirs(theirs, **case.kwargs, generator=generators[1])
    assert returned is ours
    assert torch.equal(ours, theirs)
    assert torch.equal(generators[0].get_state(), generators[1].get_state())


@pytest.mark.parametrize("case", INITS, **by_id)
def test_init_fills_a_leaf_that_requires_a_gradient(case):
    parameter = nn.Parameter(torch.zeros(4, 4))
    case.ours(parameter, **case.kwargs)
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert parameter.detach().abs().sum() > 0


@pytest.mark.parametrize("case", GAINS, **by_id)
def test_gain_equals_torch(case):
    assert case.ours(**case.kwargs) == case.theirs(**case.kwargs)


EDGES = [0.0, -0.0, 1e-8, -1e-8, 3.0, -3.0, 200.0, -200.0, float("inf"), -float("inf")]


@pytest.mark.parametrize("case", ACTIVATIONS, **by_id)
def test_activation_and_its_gradient_equal_torch(case, generator):
    values = torch.cat([torch.tensor(EDGES), torch.randn(100, generator=generator)]).double()
    results = []
    for function in (case.ours, case.theirs):
        z = values.clone().requires_grad_()
        output = function(z, **case.kwargs)
        finite = output.isfinite()
        (gradient,) = torch.autograd.grad(output[finite].sum(), z)
        results.append((output.detach(), gradient))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("case", ACTIVATIONS, **by_id)
def test_activation_keeps_nan_shape_and_memory_layout(case):
    assert case.ours(torch.tensor([float("nan")]), **case.kwargs).isnan().all()
    assert case.ours(torch.empty(0, 3), **case.kwargs).shape == (0, 3)
    z = torch.randn(4, 6).T
    assert not z.is_contiguous()
    torch.testing.assert_close(
        case.ours(z, **case.kwargs), case.ours(z.contiguous(), **case.kwargs), rtol=0, atol=0
    )


@pytest.mark.parametrize("case", ACTIVATIONS, **by_id)
def test_activation_gradcheck(case):
    z = torch.linspace(-2, 2, 8, dtype=torch.float64).requires_grad_()  # 0 is not among them
    assert torch.autograd.gradcheck(lambda z: case.ours(z, **case.kwargs), z)


def arguments(case, dtype=torch.float64):
    """The tensors of a row, with a gradient where it makes sense."""
    tensors = case.args(torch.Generator().manual_seed(5), dtype)
    return [t.requires_grad_() if t.is_floating_point() else t for t in tensors]


@pytest.mark.parametrize("case", FUNCTIONS, **by_id)
def test_function_and_its_gradients_equal_the_independent_answer(case):
    results = []
    for function in (case.ours, case.theirs):
        tensors = arguments(case)
        output = function(*tensors, **case.kwargs)
        wanted = [t for t in tensors if t.requires_grad]
        gradients = torch.autograd.grad((output**2).sum(), wanted, allow_unused=True)
        results.append([output.detach(), *gradients])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("case", FUNCTIONS, **by_id)
def test_function_gradcheck(case):
    assert torch.autograd.gradcheck(
        lambda *tensors: case.ours(*tensors, **case.kwargs), arguments(case)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", FUNCTIONS, **by_id)
def test_function_leaves_its_arguments_alone_whatever_their_layout(case, dtype):
    tensors = [t.detach() for t in arguments(case, dtype)]
    expected = case.ours(*tensors, **case.kwargs)
    assert expected.dtype == dtype
    strided = [torch.stack([t, t], dim=-1)[..., 0] for t in tensors]
    before = [t.clone() for t in strided]
    torch.testing.assert_close(case.ours(*strided, **case.kwargs), expected)
    for tensor, copy in zip(strided, before, strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", MODULES, **by_id)
def test_module_equals_torch_and_exchanges_its_state(case, training):
    ours, theirs = case.ours(**case.kwargs).double(), case.theirs(**case.kwargs).double()
    generator = torch.Generator().manual_seed(1)
    for step in range(4):
        X = torch.randn(9, 6, generator=generator, dtype=torch.float64)
        outputs, gradients = [], []
        for module in (ours, theirs):
            module.train(training or step < 2)  # two training batches move running statistics
            torch.manual_seed(step)
            z = X.clone().requires_grad_()
            outputs.append(module(z))
            (gradient,) = torch.autograd.grad((outputs[-1] ** 3).sum(), z)
            gradients.append(gradient)
        torch.testing.assert_close(*outputs, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-11)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for value, expected in zip(
        ours.state_dict().values(), theirs.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-14)
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())


def make_problem(dtype=torch.float64):
    """A small network with one parameter that never gets a gradient."""
    generator = torch.Generator().manual_seed(3)
    shapes = [(6, 5), (6,), (1, 6), (2,)]
    parameters = [
        nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes
    ]
    X = torch.randn(20, 5, generator=generator, dtype=dtype)

    def loss_fn():
        hidden = torch.tanh(X @ parameters[0].T + parameters[1])
        return ((hidden @ parameters[2].T - X.sum(1, keepdim=True)) ** 2).mean()

    return parameters, loss_fn


def run(optimizer, loss_fn, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss_fn().backward()
        optimizer.step()


@pytest.mark.parametrize("case", OPTIMIZERS, **by_id)
def test_optimizer_follows_torch_for_100_steps(case):
    ours, our_loss = make_problem()
    theirs, their_loss = make_problem()
    run(case.ours(ours, **case.kwargs), our_loss, 100)
    run(case.theirs(theirs, **case.kwargs, foreach=False), their_loss, 100)
    start, _ = make_problem()
    assert not torch.allclose(ours[0], start[0])
    assert torch.equal(ours[3], start[3])  # no gradient, no change
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("direction", ["ours to torch", "torch to ours"])
@pytest.mark.parametrize("case", OPTIMIZERS, **by_id)
def test_optimizer_state_moves_in_mid_training(case, direction):
    first, second = (
        (case.ours, case.theirs) if direction == "ours to torch" else (case.theirs, case.ours)
    )
    reference, reference_loss = make_problem()
    run(case.theirs(reference, **case.kwargs), reference_loss, 40)
    moved, moved_loss = make_problem()
    before = first(moved, **case.kwargs)
    run(before, moved_loss, 20)
    after = second(moved, lr=123.0)
    after.load_state_dict(before.state_dict())
    run(after, moved_loss, 20)
    for mine, expected in zip(moved, reference, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("case", OPTIMIZERS, **by_id)
def test_optimizer_honors_groups_and_torch_schedulers(case):
    results = []
    for optimizer_class in (case.ours, case.theirs):
        parameters, loss_fn = make_problem()
        groups = [{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.003}]
        optimizer = optimizer_class(groups, **case.kwargs)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        for _ in range(10):
            run(optimizer, loss_fn, 1)
            scheduler.step()
        results.append(parameters)
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-12, atol=1e-12)
