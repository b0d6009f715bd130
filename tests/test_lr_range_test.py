"""The learning-rate range test: its rates and losses, and that nothing of it is left behind."""

import copy
import math

import pytest
import torch
from torch import nn

from deeplearn import optim
from deeplearn.data import TensorLoader
from deeplearn.lr_scheduler import ExponentialLR, lr_range_test
from tests.runs import X, new_loader, same, seeded, y

cross_entropy = nn.functional.cross_entropy


def parabola():
    """A weight x at 1, and the loss x² / 2 whatever the batch."""
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.ones_(model.weight)
    batch = (torch.ones(1, 1).double(), torch.zeros(1, 1).double())
    return model, lambda output, target: (output**2).mean() / 2, [batch]


def test_rates_grow_by_equal_factors_and_losses_are_those_before_the_step():
    model, loss_fn, batches = parabola()
    optimizer = optim.SGD(model.parameters())
    rates, losses = lr_range_test(model, optimizer, loss_fn, batches, 1e-4, 1.0, num_steps=9)
    assert rates == pytest.approx([10 ** (-4 + i / 2) for i in range(9)])
    x, expected = 1.0, []
    for rate in rates:
        expected.append(x**2 / 2)
        x -= rate * x
    assert losses == pytest.approx(expected, rel=1e-12)


def test_it_stops_above_four_times_the_best_loss():
    model, loss_fn, batches = parabola()
    optimizer = optim.SGD(model.parameters())
    rates, losses = lr_range_test(model, optimizer, loss_fn, batches, 0.1, 1e3, num_steps=40)
    assert len(rates) == len(losses) < 40
    assert losses[-1] > 4 * min(losses)
    kept = [loss <= 4 * min(losses[: i + 1]) for i, loss in enumerate(losses)]
    assert kept == [True] * (len(losses) - 1) + [False]


@pytest.mark.parametrize(("factor", "stops"), [(4.0, False), (4.01, True)])
def test_four_times_the_best_is_still_allowed(factor, stops):
    given = iter([8.0, 2.0, 2.0 * factor, 2.0])
    model, _, batches = parabola()

    def loss_fn(output, target):
        return output.sum() * 0 + next(given)

    losses = lr_range_test(model, optim.SGD(model.parameters()), loss_fn, batches, num_steps=4)[1]
    assert losses == pytest.approx([8, 2, 2 * factor] + [2] * (not stops))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_it_and_is_left_out(value):
    given = iter([1.0, 1.0, value])
    model, _, batches = parabola()

    def loss_fn(output, target):
        return output.sum() * 0 + next(given)

    found = lr_range_test(model, optim.SGD(model.parameters()), loss_fn, batches)
    assert [len(part) for part in found] == [2, 2]
    assert found[0][0] == pytest.approx(1e-6)
    assert found[0][1] == pytest.approx(1e-6 * 10 ** (7 / 99))  # 100 rates up to 10 by default


def network():
    layers = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3)
    return nn.Sequential(*layers)


OPTIMIZERS = [
    lambda p: optim.SGD(p, momentum=0.9),
    lambda p: optim.Adagrad(p, lr=0.1),
    lambda p: optim.Adam(p),
    lambda p: torch.optim.AdamW(p),
    lambda p: optim.FTRL(p, 0.1),
]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_everything_comes_back_as_it_was(make, fresh, fails):
    torch.manual_seed(0)
    model, loader = network(), new_loader(3)
    model[1].eval()
    optimizer = make(model[:3].parameters())  # the last layer is not trained, and has gradients
    scheduler = ExponentialLR(optimizer, 0.9)
    if not fresh:
        for inputs, target in loader:
            cross_entropy(model(inputs), target).backward()
            optimizer.step()
        scheduler.step()
    frozen = model[3].weight.grad

    def state():
        return copy.deepcopy(
            [
                model.state_dict(),
                optimizer.state_dict(),
                [parameter.grad for parameter in model.parameters()],
                [module.training for module in model.modules()],
                torch.get_rng_state(),
                loader.generator.get_state(),
            ]
        )

    seen = []

    def loss_fn(output, target):
        seen.append([module.training for module in model.modules()])
        if fails and len(seen) == 5:
            raise KeyboardInterrupt
        return cross_entropy(output, target)

    before = state()
    if fails:
        with pytest.raises(KeyboardInterrupt):
            lr_range_test(model, optimizer, loss_fn, loader)
    else:
        rates, _ = lr_range_test(model, optimizer, loss_fn, loader, num_steps=8)
        assert len(rates) == 8  # more than the three batches of one pass
    assert same(state(), before)
    assert model[3].weight.grad is frozen
    assert seen[0] == before[3]
    assert before[3] == [True, True, False, True, True]


def test_a_model_in_evaluation_mode_is_trained_and_put_back():
    model = network().eval()
    seen = []

    def loss_fn(output, target):
        seen.append([module.training for module in model.modules()])
        return cross_entropy(output, target)

    loader = TensorLoader(X, y, batch_size=8, generator=seeded(0))
    before = copy.deepcopy(model.state_dict())
    lr_range_test(model, optim.SGD(model.parameters()), loss_fn, loader, num_steps=2)
    assert all(seen[0])
    assert not any(module.training for module in model.modules())
    assert same(dict(model.state_dict()), dict(before))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_every_group_gets_the_rate():
    model, loss_fn, batches = parabola()
    second = nn.Parameter(torch.zeros(1))
    groups = [{"params": model.parameters(), "lr": 1.0}, {"params": [second], "lr": 0.5}]
    optimizer, seen = optim.SGD(groups), []
    optimizer.register_step_pre_hook(
        lambda *_: seen.append([group["lr"] for group in optimizer.param_groups])
    )
    rates, _ = lr_range_test(model, optimizer, loss_fn, batches, 0.1, 0.4, num_steps=3)
    assert seen == [[rate, rate] for rate in rates]
    assert rates == pytest.approx([0.1, 0.2, 0.4])


def test_parameters_that_only_the_optimizer_holds_come_back():
    model, _, batches = parabola()
    scale = nn.Parameter(torch.ones(1).double())
    scale.grad = grad = torch.full((1,), 7.0).double()
    optimizer = optim.SGD([*model.parameters(), scale])

    def loss_fn(output, target):
        return (scale * output**2).mean()

    lr_range_test(model, optimizer, loss_fn, batches, num_steps=5)
    assert scale.item() == 1
    assert scale.grad is grad
    assert grad.item() == 7


@pytest.mark.parametrize("model", [nn.Linear(1, 1), nn.ReLU()])
def test_an_optimizer_of_another_model_is_refused(model):
    other, loss_fn, batches = parabola()
    with pytest.raises(ValueError, match="optimizer holds no parameter of model"):
        lr_range_test(model, optim.SGD(other.parameters()), loss_fn, batches)


def test_it_works_with_lbfgs():
    model, loss_fn, batches = parabola()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)
    rates, losses = lr_range_test(model, optimizer, loss_fn, batches, 0.1, 0.5, num_steps=3)
    assert len(rates) == 3
    assert losses[0] == 0.5
    assert losses == sorted(losses, reverse=True)
    assert model.weight.item() == 1
    assert not optimizer.state_dict()["state"]
