"""Networks of the course, built from layers with names that a pattern can pick."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Generator, Tensor, nn

from deeplearn._check import check_count, check_range
from deeplearn.activations import ELU
from deeplearn.init import kaiming_normal_
from deeplearn.normalization import BatchNorm1d
from deeplearn.regularization import Dropout

__all__ = ["mlp"]


def mlp(
    sizes: Sequence[int],
    activation: Callable[[], nn.Module] = ELU,
    init_: Callable[..., Tensor] = kaiming_normal_,
    *,
    batch_norm: bool = False,
    dropout: float = 0.0,
    generator: Generator | None = None,
) -> nn.Sequential:
    """Build a multilayer perceptron: affine maps with an activation between them.

    ``sizes`` are the numbers of inputs, of units of each hidden layer, and of outputs. Layers are
    named ``hidden1, batch_norm1, activation1, dropout1, …, output``; the output has no activation.
    ``activation`` is called once for each hidden layer, for example ``ELU`` or
    ``lambda: LeakyReLU(0.2)``. ``init_(weight, generator=generator)`` fills every weight; biases
    start at 0. With ``batch_norm`` the affine map in front has no bias: the batch mean removes it.
    ``dropout`` is the fraction dropped after each hidden activation.

    Shapes: (batch, sizes[0]) to (batch, sizes[-1]).

    Raises:
        TypeError: if ``activation`` or ``init_`` cannot be called.
        ValueError: for fewer than two sizes, a size below 1, or ``dropout`` outside [0, 1).

    >>> import torch
    >>> model = mlp([784, 300, 100, 10])
    >>> list(model._modules)
    ['hidden1', 'activation1', 'hidden2', 'activation2', 'output']
    >>> model(torch.zeros(2, 784)).shape
    torch.Size([2, 10])
    """
    if not isinstance(sizes, Sequence):
        raise TypeError(f"sizes must be several ints, got {sizes!r}; write [784, 100, 10]")
    if len(sizes) < 2:
        raise ValueError(f"sizes must hold at least inputs and outputs, got {list(sizes)}")
    for position, size in enumerate(sizes):
        check_count(f"sizes[{position}]", size)
    for name, value in (("activation", activation), ("init_", init_)):
        if not callable(value) or isinstance(value, nn.Module):
            raise TypeError(
                f"{name} must be a class or function that mlp calls for each layer, got {value!r}; "
                f"pass it without calling it"
            )
    check_range("dropout", dropout, 0, 1, cure="it is the fraction dropped, not kept")

    def linear(fan_in: int, fan_out: int, *, bias: bool) -> nn.Linear:
        # skip_init: torch's own initialization would draw from the global generator for nothing.
        layer = nn.utils.skip_init(nn.Linear, fan_in, fan_out, bias=bias)
        init_(layer.weight, generator=generator)
        if bias:
            nn.init.zeros_(layer.bias)
        return layer

    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes[:-1]), start=1):
        layers[f"hidden{i}"] = linear(fan_in, fan_out, bias=not batch_norm)
        if batch_norm:
            layers[f"batch_norm{i}"] = BatchNorm1d(fan_out)
        layers[f"activation{i}"] = _made_by(activation)
        if dropout:
            layers[f"dropout{i}"] = Dropout(dropout)
    layers["output"] = linear(sizes[-2], sizes[-1], bias=True)
    return nn.Sequential(layers)


def _made_by(activation: Callable[[], nn.Module]) -> nn.Module:
    try:
        module = activation()
    except TypeError as error:
        raise TypeError(f"activation cannot be called without arguments ({error})") from error
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"activation must return a layer when called without arguments, got {module!r}; "
            "pass a class such as ELU, not the function elu"
        )
    return module
