r"""Learning-rate schedules: each is a rule for the rate :math:`\eta_t` after :math:`t` steps.

They are drop-in replacements for those of ``torch.optim.lr_scheduler``: torch's classes count the
steps and keep the state, and the rule is here. A step is one call of ``scheduler.step()``. You
choose whether that is an epoch or a batch, and give all settings in that unit. :math:`\eta_0` is
the rate of the optimizer, one for each of its parameter groups.
"""

import math
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim import lr_scheduler as theirs

from deeplearn._check import check_choice, check_count, check_range, check_type
from deeplearn._order import EpochOrder, unpack

__all__ = ["CosineAnnealingLR", "ExponentialLR", "OneCycleLR", "PiecewiseConstantLR", "PowerLR",
           "ReduceLROnPlateau", "lr_range_test"]  # fmt: skip


def _check_rates(name: str, value: float | Sequence[float]) -> None:
    for rate in value if isinstance(value, list | tuple) else [value]:
        check_range(name, rate, 0, cure="it is a learning rate; find one with lr_range_test")


class _Chainable(theirs.LRScheduler):
    r""":math:`\eta_t = \eta_{min} + (\eta_0 - \eta_{min}) f(t)`, step by step."""

    eta_min = 0.0

    def _get_closed_form_lr(self) -> list[float]:  # torch's SequentialLR asks for it
        now = self.factor(self.last_epoch)
        return [self.eta_min + (lr - self.eta_min) * now for lr in self.base_lrs]

    def get_lr(self) -> list[float]:
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self._step_count == 1:  # the constructor's own step
            return rates
        before, now = self.factor(self.last_epoch - 1), self.factor(self.last_epoch)
        if before == 0:
            pairs = zip(rates, self.base_lrs, strict=True)
            return [lr + (first - self.eta_min) * now for lr, first in pairs]
        return [self.eta_min + (lr - self.eta_min) * (now / before) for lr in rates]


class PiecewiseConstantLR(theirs.LRScheduler):
    r"""Set the rate to one of several constants, which change at given steps.

    .. math::
        \eta_t = \text{values}[i]

    :math:`i` is the number of milestones that are :math:`t` or less. The values are the rates
    themselves, the same in all groups; the optimizer's own rate is not used.

    Shapes: ``milestones`` are n steps in ascending order, ``values`` are n + 1 rates.

    Raises:
        TypeError: if ``milestones`` or ``values`` are not lists, if a milestone is not an int, or
            if a value is not a number.
        ValueError: if the milestones do not grow or are below 1, if there are not n + 1 values, or
            if a value is negative.

    Source: He et al. (2016), section 4.2, are one example of many: they divide the rate by 10
    twice.

    >>> PiecewiseConstantLR(torch.optim.SGD([torch.zeros(1)]), [50], [0.1, 0.001]).get_last_lr()
    [0.1]
    """

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int],
                 values: Sequence[float], last_epoch: int = -1) -> None:  # fmt: skip
        check_type("milestones", milestones, Iterable)
        check_type("values", values, Iterable)
        self.milestones, self.values = list(milestones), list(values)
        for i, milestone in enumerate(self.milestones):
            check_count(f"milestones[{i}]", milestone)
        if sorted(set(self.milestones)) != self.milestones:
            raise ValueError(f"milestones must grow, got {self.milestones}; sort them")
        if (wanted := len(self.milestones) + 1) != len(self.values):
            raise ValueError(f"values must be {wanted}, one for each span, got {self.values}")
        _check_rates("values", self.values)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        value = self.values[bisect_right(self.milestones, self.last_epoch)]
        return [value] * len(self.optimizer.param_groups)


class ExponentialLR(_Chainable):
    r"""Multiply the rate by ``gamma`` after each step.

    .. math::
        \eta_t = \eta_0\,\gamma^t

    To divide the rate by 10 in every :math:`r` steps, :math:`\eta_0\,10^{-t/r}`, pass ``gamma = 10
    ** (-1 / r)``.

    Shapes: ``t`` counts steps, epochs or batches; each group keeps its own :math:`\eta_0`.

    Raises:
        TypeError: if ``gamma`` is not a number.
        ValueError: if ``gamma`` is not above 0.

    Source: Senior et al. (2013).

    >>> ExponentialLR(torch.optim.SGD([torch.zeros(1)]), gamma=0.5).factor(3)
    0.125
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        check_range("gamma", gamma, 0, closed="()", cure="10 ** (-1 / r) is a tenth in r steps")
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        return self.gamma**t


class PowerLR(_Chainable):
    r"""Let the rate fall as a power of the number of steps: fast at first, then slower and slower.

    .. math::
        \eta_t = \frac{\eta_0}{(1 + t/r)^c}

    With ``c=1`` the rate is a half after ``r`` steps, and a third after ``2 * r``.

    Shapes: ``r`` is a number of steps, epochs or batches; ``c`` has no unit.

    Raises:
        TypeError: if ``r`` or ``c`` is not a number.
        ValueError: if ``r`` is not above 0, or if ``c`` is negative.

    Source: Senior et al. (2013).

    >>> PowerLR(torch.optim.SGD([torch.zeros(1)]), r=20).factor(20)
    0.5
    """

    def __init__(self, optimizer: Optimizer, r: float, c: float = 1.0,
                 last_epoch: int = -1) -> None:  # fmt: skip
        check_range("r", r, 0, closed="()", cure="with c=1 the rate is halved after r steps")
        check_range("c", c, 0, cure="1.0 is usual")
        self.r, self.c = r, c
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        return (1 + t / self.r) ** -self.c


class CosineAnnealingLR(_Chainable):
    r"""Let the rate fall along half a cosine: slowly, then fast, then slowly again.

    .. math::
        \eta_t &= \eta_{min} + (\eta_0 - \eta_{min})\,f_t \\
        f_t &= \tfrac12\,\bigl(1 + \cos(\pi\,t / T_{max})\bigr)

    The rate is :math:`\eta_{min}` after ``T_max`` steps. There are no restarts: after more steps
    than that it rises again.

    Shapes: ``T_max`` is a number of steps, epochs or batches; ``eta_min`` is a rate.

    Raises:
        TypeError: if ``T_max`` or ``eta_min`` is not a number.
        ValueError: if ``T_max`` is not above 0, or if ``eta_min`` is negative.

    Source: Loshchilov & Hutter (2017), equation 5.

    >>> CosineAnnealingLR(torch.optim.SGD([torch.zeros(1)]), T_max=30).factor(30)
    0.0
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:  # fmt: skip
        check_range("T_max", T_max, 0, closed="()", cure="eta_min is reached after T_max steps")
        _check_rates("eta_min", eta_min)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        return (1 + math.cos(math.pi * t / self.T_max)) / 2


class OneCycleLR(theirs.OneCycleLR):
    r"""Let the rate rise to ``max_lr``, then fall to almost nothing: one cycle for the whole run.

    The rate starts at ``max_lr / div_factor``. It reaches ``max_lr`` after the share ``pct_start``
    of all steps, and ends at its first value divided by ``final_div_factor``. A phase leads from
    :math:`a` to :math:`b`, where :math:`p` is the share of the phase that is done:

    .. math::
        \eta &= b + \tfrac12\,(a - b)\,(1 + \cos \pi p) \\
        \eta &= a + (b - a)\,p

    The first line is for ``anneal_strategy="cos"``, the second for ``"linear"``. With
    ``cycle_momentum`` the momentum (the first beta of Adam) goes the other way, from
    ``max_momentum`` to ``base_momentum`` and back. ``three_phase`` falls to the first rate as
    slowly as it rose, and then to the last.

    Shapes: one step is one batch. Give their number as ``total_steps``, or as ``epochs`` and
    ``steps_per_epoch``. Rates and momenta are numbers, or lists with one number for each group.

    Raises:
        TypeError: if a setting is not a number.
        ValueError: if the number of steps is not given, if a rate is negative, if ``pct_start`` is
            outside [0, 1], if a factor is not above 0, if ``anneal_strategy`` is unknown, if a
            momentum is outside [0, 1), if the optimizer has no momentum to cycle, or at a step
            after the last.

    Source: Smith & Topin (2018).

    >>> sgd = torch.optim.SGD([torch.zeros(1)], momentum=0.9)
    >>> OneCycleLR(sgd, 1.0, total_steps=9, div_factor=4).get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, max_lr: float | list[float],
                 total_steps: int | None = None, epochs: int | None = None,
                 steps_per_epoch: int | None = None, pct_start: float = 0.3,
                 anneal_strategy: str = "cos", cycle_momentum: bool = True,
                 base_momentum: float | list[float] = 0.85,
                 max_momentum: float | list[float] = 0.95, div_factor: float = 25.0,
                 final_div_factor: float = 1e4, three_phase: bool = False,
                 last_epoch: int = -1) -> None:  # fmt: skip
        check_type("optimizer", optimizer, Optimizer)
        _check_rates("max_lr", max_lr)
        momenta = {"base_momentum": base_momentum, "max_momentum": max_momentum}
        for name, value in momenta.items() if cycle_momentum else ():
            for momentum in value if isinstance(value, list | tuple) else [value]:
                check_range(name, momentum, 0, 1, cure="0.85 to 0.95 are usual")
        check_range("pct_start", pct_start, 0, 1, closed="[]", cure="it is a share, 0.3 is usual")
        check_choice("anneal_strategy", anneal_strategy, ("cos", "linear"))
        check_range("div_factor", div_factor, 0, closed="()", cure="25 is usual")
        check_range("final_div_factor", final_div_factor, 0, closed="()", cure="1e4 is usual")
        before = [dict(group) for group in optimizer.param_groups]
        try:
            super().__init__(optimizer, max_lr, total_steps, epochs, steps_per_epoch,
                             float(pct_start), anneal_strategy, cycle_momentum, base_momentum,
                             max_momentum, div_factor, final_div_factor, three_phase,
                             last_epoch)  # fmt: skip
        except BaseException:  # torch writes to the groups before it has checked everything
            for group, settings in zip(optimizer.param_groups, before, strict=True):
                group.clear()
                group.update(settings)
            raise

    def get_lr(self) -> list[float]:
        t, start = self.last_epoch, 0.0
        if t > self.total_steps:
            raise ValueError(f"total_steps is {self.total_steps}, got step {t}; plan more steps")
        *earlier, phase = self._schedule_phases
        for other in earlier:
            if t <= other["end_step"]:
                phase = other
                break
            start = other["end_step"]
        length = phase["end_step"] - start
        p = (t - start) / length if length else 1.0

        def between(group: dict, name: str) -> float:
            a, b = group[phase[f"start_{name}"]], group[phase[f"end_{name}"]]
            if self._anneal_func_type == "linear":
                return a + (b - a) * p
            return b + (a - b) / 2 * (1 + math.cos(math.pi * p))

        for group in self.optimizer.param_groups if self.cycle_momentum else ():
            momentum = between(group, "momentum")
            if self.use_beta1:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum
        return [between(group, "lr") for group in self.optimizer.param_groups]


class ReduceLROnPlateau(theirs.ReduceLROnPlateau):
    r"""Multiply the rate by ``factor`` after more than ``patience`` steps without a better metric.

    A value counts as better if it beats the best so far by more than ``threshold``. That is a share
    of the best (``"rel"``) or a difference (``"abs"``). For ``mode="min"``, with threshold
    :math:`\tau`:

    .. math::
        \text{value} &< (1 - \tau)\,\text{best}
            && \text{for "rel"} \\
        \text{value} &< \text{best} - \tau
            && \text{for "abs"}

    In the ``cooldown`` steps after a cut no step is counted. The rate does not fall below
    ``min_lr``, and a cut of ``eps`` or less is left out.

    Shapes: ``patience`` and ``cooldown`` are numbers of calls of :meth:`step`, usually epochs.

    Raises:
        TypeError: if a setting is of another type.
        ValueError: if ``mode`` or ``threshold_mode`` is unknown, if ``factor`` is outside [0, 1),
            or if another setting is negative.

    Source: Senior et al. (2013).

    >>> plateau = ReduceLROnPlateau(torch.optim.SGD([torch.zeros(1)], lr=1.0), patience=1)
    >>> [plateau.step(loss) or plateau.get_last_lr() for loss in (3.0, 2.0, 2.0, 2.0)]
    [[1.0], [1.0], [1.0], [0.1]]
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1,
                 patience: int = 10, threshold: float = 1e-4, threshold_mode: str = "rel",
                 cooldown: int = 0, min_lr: float | list[float] = 0,
                 eps: float = 1e-8) -> None:  # fmt: skip
        check_choice("mode", mode, ("min", "max"))
        check_choice("threshold_mode", threshold_mode, ("rel", "abs"))
        check_range("factor", factor, 0, 1, cure="0.1 is usual")
        check_range("threshold", threshold, 0, cure="1e-4 is usual")
        check_range("eps", eps, 0, cure="1e-8 is usual")
        check_count("patience", patience, 0)
        check_count("cooldown", cooldown, 0)
        _check_rates("min_lr", min_lr)
        super().__init__(optimizer, mode, factor, patience, threshold, threshold_mode, cooldown,
                         min_lr, eps)  # fmt: skip

    def step(self, metrics: float, epoch: int | None = None) -> None:
        """Take the value that was measured, and cut the rate if that was one bad value too many.

        ``epoch`` sets the number of steps so far; torch has it still, and warns of it.
        """
        if epoch is not None:
            warnings.warn(theirs.EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)
        value, up = float(metrics), 1 if self.mode == "max" else -1
        relative = self.threshold_mode == "rel"
        bar = self.best * (1 + up * self.threshold) if relative else self.best + up * self.threshold
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self.num_bad_epochs += 1
        if up * value > up * bar:
            self.best, self.num_bad_epochs = value, 0
        if self.cooldown_counter > 0:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
            if self.default_min_lr is not None:  # one for each group that there is by now
                self.min_lrs = [self.default_min_lr] * len(self.optimizer.param_groups)
            for group, min_lr in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                lr = max(group["lr"] * self.factor, min_lr)
                group["lr"] = lr if group["lr"] - lr > self.eps else group["lr"]
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


def lr_range_test(
    model: nn.Module, optimizer: Optimizer, loss_fn: Callable, loader: Iterable, low: float = 1e-6,
    high: float = 10.0, num_steps: int = 100) -> tuple[list[float], list[float]]:  # fmt: skip
    r"""Train with rates that grow from ``low`` to ``high``, and return the rates and the losses.

    .. math::
        \eta_i = \text{low} \cdot (\text{high} / \text{low})^{\,i / (N - 1)}

    Here :math:`i` counts steps from 0, and :math:`N` is ``num_steps``. ``losses[i]`` is measured
    before the step with ``rates[i]``. The test ends after ``num_steps`` steps, or earlier: at a
    loss above four times the best one, or at one that is not finite, which is left out. Then
    everything is put back as it was: the model and its modes, gradients, the optimizer and its
    parameters, the order of the batches and the random state. Plot the two lists, and choose a rate
    well below the one with the lowest loss.

    Shapes: ``loader`` gives tuples ``(*inputs, target)``, as often as needed; one step is one
    batch. Both lists have at most ``num_steps`` numbers.

    Raises:
        TypeError: if an argument is of another type.
        ValueError: if the optimizer holds none of the model's parameters, ``low`` is not above 0,
            ``high`` is not above ``low``, ``num_steps`` is below 2, the loader gives no batch, or
            the first loss is not finite.

    Source: Smith (2017), section 3.3.

    >>> model, batch = nn.Linear(2, 1), (torch.ones(4, 2), torch.ones(4, 1))
    >>> sgd = torch.optim.SGD(model.parameters())
    >>> lr_range_test(model, sgd, nn.functional.mse_loss, [batch], 0.01, 1.0, num_steps=3)[0]
    [0.01, 0.1, 1.0]
    """
    check_type("model", model, nn.Module)
    check_type("optimizer", optimizer, Optimizer)
    check_range("low", low, 0, closed="()", cure="1e-6 is usual")
    check_range("high", high, low, closed="()", cure="10 is usual, above low")
    check_count("num_steps", num_steps, 2)
    own = dict.fromkeys(model.parameters())
    held = dict.fromkeys(p for group in optimizer.param_groups for p in group["params"])
    if not own.keys() & held.keys():
        raise ValueError("optimizer holds no parameter of model; pass it model.parameters()")
    order, rates, losses, batches = EpochOrder(), [], [], iter(())
    order.attach(loader)
    before = deepcopy((model.state_dict(), optimizer.state_dict(), order.state_dict()))
    modes = [(module, module.training) for module in model.modules()]
    grads = [(parameter, parameter.grad) for parameter in own | held]
    others = [(parameter, parameter.detach().clone()) for parameter in held.keys() - own.keys()]
    model.zero_grad()  # what the optimizer does not hold would otherwise add to the gradients kept
    try:
        with torch.random.fork_rng():
            if not model.training:  # else a layer that was put in evaluation mode stays in it
                model.train()
            for i in range(num_steps):
                if (batch := next(batches, None)) is None:
                    batches = order.batches(done=0)
                    batch = next(batches, None)
                if batch is None:
                    raise ValueError("loader gave no batch; check its length and drop_last")
                *inputs, target = unpack(batch, grads[0][0].device)
                optimizer.zero_grad()
                loss = loss_fn(model(*inputs), target)
                if not loss.isfinite():
                    break
                rates.append(low * (high / low) ** (i / (num_steps - 1)))
                losses.append(loss.item())
                if losses[-1] > 4 * min(losses):
                    break
                for group in optimizer.param_groups:
                    group["lr"] = rates[-1]
                first = iter([loss])

                def closure() -> Tensor:  # most optimizers call it once, LBFGS several times
                    if (again := next(first, None)) is None:  # noqa: B023
                        optimizer.zero_grad()
                        again = loss_fn(model(*inputs), target)  # noqa: B023
                    again.backward()
                    return again

                optimizer.step(closure)
    finally:
        for target, state in zip((model, optimizer, order), before, strict=True):
            target.load_state_dict(state)
        order.attach(loader)
        for module, training in modes:
            module.training = training
        for parameter, grad in grads:
            parameter.grad = grad
        for parameter, value in others:
            parameter.data.copy_(value)
    if not losses:
        raise ValueError(f"the first loss is {loss.item()}; repair the data or the initialization")
    return rates, losses
