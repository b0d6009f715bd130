"""Diagnostics: look inside a network before you change it. Each leaves the network as it was."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor
from torch.nn import Module

from deeplearn._check import check_count, check_data, check_range, check_tensor, check_type
from deeplearn._modules import evaluating, matching_leaves

__all__ = [
    "check_initial_loss", "dead_fraction", "gradient_norms", "overfit_small_batch",
    "record_activations", "update_ratios",
]  # fmt: skip


@contextmanager
def record_activations(model: Module, pattern: str = ".*") -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of the innermost modules whose whole name matches ``pattern``.

    Use it in a ``with`` statement. Inside the block every forward pass writes a copy of each
    module's output into the dictionary, by name, in the order of the pass; a second pass replaces
    the first. The hooks are removed at the end.

    Shapes: ``pattern`` is a regular expression; a recorded tensor has the shape of the output.

    Raises:
        TypeError: if ``model`` is not a module, or if an output is not a tensor.
        ValueError: if no module matches.

    >>> from deeplearn.models import mlp
    >>> with record_activations(model := mlp([4, 3, 2]), "activation.*") as seen:
    ...     output = model(torch.zeros(5, 4))
    >>> {name: tuple(value.shape) for name, value in seen.items()}
    {'activation1': (5, 3)}
    """
    seen: dict[str, Tensor] = {}

    def record(name: str, module: Module, inputs: tuple, output: Tensor) -> None:
        check_tensor(f"the output of {name!r}", output)
        seen.pop(name, None)
        # A copy, for an activation with inplace=True writes over what came before it.
        seen[name] = output.detach().clone()

    handles = [
        module.register_forward_hook(partial(record, name))
        for name, module in matching_leaves(model, pattern).items()
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def gradient_norms(model: Module) -> dict[str, float]:
    r"""Return the Euclidean norm of the gradient of each parameter that has one, by name.

    .. math::
        \|g\| = \sqrt{\textstyle\sum_i g_i^2}

    Shapes: the result maps names of parameters to numbers.

    Raises:
        TypeError: if ``model`` is not a module.
        ValueError: if no parameter has a gradient.

    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> model(torch.tensor([[3.0, 4.0]])).backward()
    >>> gradient_norms(model)
    {'weight': 5.0}
    """
    check_type("model", model, Module)
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    if not gradients:
        raise ValueError("no parameter of model has a gradient; call loss.backward() first")
    return {name: float(gradient.norm()) for name, gradient in gradients.items()}


@contextmanager
def update_ratios(model: Module) -> Iterator[dict[str, float]]:
    r"""Compare each trainable parameter after the ``with`` block to what it was before it.

    .. math::
        \text{ratio} = \frac{\|w_\text{after} - w_\text{before}\|}{\|w_\text{before}\|}

    For a weight, a step of about 1e-3 is healthy. What was zero, as biases are at first, has
    ``inf`` if it moved. The dictionary is filled at the end of the block.

    Shapes: the result maps names of parameters to numbers.

    Raises:
        TypeError: if ``model`` is not a module.
        ValueError: if no parameter is trainable.

    Source: Karpathy (2015), CS231n, Babysitting the learning process.

    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> with torch.no_grad(), update_ratios(model) as ratios:
    ...     _ = model.weight.mul_(2)
    >>> ratios
    {'weight': 1.0}
    """
    check_type("model", model, Module)
    before = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    if not before:
        raise ValueError("no parameter of model is trainable; call .requires_grad_() on some")
    yield (ratios := {})
    for name, old in before.items():
        step, norm = float((model.get_parameter(name).detach() - old).norm()), float(old.norm())
        ratios[name] = step / norm if norm else math.inf if step else 0.0


def dead_fraction(activations: Tensor) -> float:
    """Return the share of units whose activation is the same in every row: 0, or a tanh's 1.

    The slope of such a unit is 0 for the whole batch, so no gradient revives it.

    Shapes: ``activations`` is (batch, units), as :func:`record_activations` finds them, with two
    rows or more; the result is a number in [0, 1].

    Raises:
        TypeError: if ``activations`` is not a floating-point tensor.
        ValueError: if it has another shape or fewer rows, or if it is not finite.

    Source: Lu et al. (2019), Dying ReLU and initialization.

    >>> dead_fraction(torch.tensor([[0.0, 0.0, 3.0, 1.0], [0.0, 2.0, 0.0, 4.0]]))
    0.25
    """
    check_data("activations", activations)
    if activations.dim() != 2 or len(activations) < 2:
        found = tuple(activations.shape)
        raise ValueError(f"activations must be (batch, units), batch ≥ 2, got {found}; flatten it")
    return (activations == activations[0]).all(dim=0).double().mean().item()


def check_initial_loss(
    model: Module, loss_fn: Callable, X: Tensor, y: Tensor, num_classes: int, *,
    tolerance: float = 0.5,
) -> float:  # fmt: skip
    r"""Return the loss of an untrained model, if it is near that of a guess.

    .. math::
        |L - \ln C| \le \text{tolerance}

    The cross-entropy is :math:`\ln C` if all :math:`C` classes, ``num_classes``, are as likely; a
    penalty adds a little. It is measured in evaluation mode. Large initial weights make it higher;
    a model that has been trained, or has fewer outputs than ``num_classes``, lower.

    Shapes: ``X`` and ``y`` are one batch, as ``model`` and ``loss_fn`` take it; the result is a
    number.

    Raises:
        TypeError: if ``model`` is not a module, ``X`` not a floating-point tensor, or
            ``num_classes`` not an int.
        ValueError: if the loss is further away than ``tolerance``, and the message says both; if
            ``X`` is empty or not finite; if ``num_classes`` is below 2, or ``tolerance`` negative.

    Source: Karpathy (2015), CS231n, Sanity checks.

    >>> model, X, y = torch.nn.Linear(4, 10), torch.zeros(6, 4), torch.arange(6)
    >>> abs(check_initial_loss(model, torch.nn.CrossEntropyLoss(), X, y, 10) - math.log(10)) <= 0.5
    True
    """
    check_type("model", model, Module)
    check_data("X", X)
    check_count("num_classes", num_classes, 2)
    check_range("tolerance", tolerance, 0, closed="[]", cure="it is a difference of losses")
    expected = math.log(num_classes)
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
        found = float(loss_fn(model(X), y))
    if not abs(found - expected) <= tolerance:
        raise ValueError(
            f"the initial loss is {found:.4f}, not ln {num_classes} = {expected:.4f} within "
            f"tolerance={tolerance}: large initial weights make it higher; a model that has been "
            "trained, or has fewer outputs than num_classes, lower"
        )
    return found


def overfit_small_batch(
    model: Module, loss_fn: Callable, X: Tensor, y: Tensor, *,
    lr: float = 0.01, num_steps: int = 200,
) -> tuple[float, float]:  # fmt: skip
    """Train a copy on a few rows until it knows them by heart; return its loss and its accuracy.

    It takes ``num_steps`` steps of Adam in evaluation mode, since dropout would be in the way. A
    healthy model ends near a loss of 0 and an accuracy of 1. ``model`` itself is not changed.

    Shapes: ``X`` is (batch, …), and ``y`` are labels (batch,); the model must give logits (batch,
    classes). The result is two numbers.

    Raises:
        TypeError: if ``model`` is not a module, ``X`` not a floating-point tensor, or a setting of
            another type.
        ValueError: if no parameter is trainable, if ``X`` is empty or not finite, if ``lr`` is not
            above 0, if ``num_steps`` is below 1, or if the output is not logits for the labels.

    Source: Karpathy (2015), CS231n, Sanity checks.

    >>> X, y = torch.eye(4), torch.tensor([0, 1, 1, 0])
    >>> overfit_small_batch(torch.nn.Linear(4, 2), torch.nn.CrossEntropyLoss(), X, y, lr=0.1)[1]
    1.0
    """
    check_type("model", model, Module)
    check_data("X", X)
    check_range("lr", lr, 0, closed="()", cure="0.01 suits most models")
    check_count("num_steps", num_steps)
    twin = copy.deepcopy(model).eval()
    parameters = [p for p in twin.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError("no parameter of model is trainable; call .requires_grad_() on some")
    optimizer = torch.optim.Adam(parameters, lr=lr)
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        for _ in range(num_steps):
            optimizer.zero_grad()
            loss_fn(twin(X), y).backward()
            optimizer.step()
        output = twin(X).detach()
    if output.dim() != 2 or output.size(1) < 2 or y.shape != output.shape[:1]:
        found = f"{tuple(output.shape)} for labels {tuple(y.shape)}"
        raise ValueError(f"model(X) must be logits (batch, classes ≥ 2), got {found}; see accuracy")
    return float(loss_fn(output, y)), (output.argmax(dim=1) == y).double().mean().item()
