"""Diagnostics: look inside a network before you change it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn

from deeplearn._check import check_tensor, check_type
from deeplearn._modules import matching_leaves

__all__ = ["gradient_norms", "record_activations"]


@contextmanager
def record_activations(model: nn.Module, pattern: str = ".*") -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of the innermost modules whose whole name matches ``pattern``.

    Inside the ``with`` block every forward pass writes a copy of the output of each module into the
    dictionary, by name and in the order of the pass; a second pass replaces the first. The hooks
    are removed at the end, whatever happens.

    Raises:
        TypeError: if a module returns something else than a tensor.
        ValueError: if no module matches; the message lists the names.

    >>> import torch
    >>> from deeplearn.models import mlp
    >>> model = mlp([4, 3, 2])
    >>> with record_activations(model, "activation.*") as seen:
    ...     output = model(torch.zeros(5, 4))
    >>> {name: tuple(value.shape) for name, value in seen.items()}
    {'activation1': (5, 3)}
    """
    seen: dict[str, Tensor] = {}

    def record(name: str, module: nn.Module, inputs: tuple, output: Tensor) -> None:
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


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """Return the Euclidean norm of the gradient of each parameter that has one, by name.

    Raises:
        ValueError: if no parameter has a gradient.

    >>> import torch
    >>> model = nn.Linear(2, 1, bias=False)
    >>> model(torch.tensor([[3.0, 4.0]])).backward()
    >>> gradient_norms(model)
    {'weight': 5.0}
    """
    check_type("model", model, nn.Module)
    norms = {
        name: float(parameter.grad.norm())
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    if not norms:
        raise ValueError("no parameter of model has a gradient; call loss.backward() first")
    return norms
