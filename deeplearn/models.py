"""Networks of the course, built from layers with names that a pattern can pick."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Generator, Tensor, nn

from deeplearn._check import check_count, check_generator, check_range
from deeplearn.activations import ELU
from deeplearn.init import kaiming_normal_
from deeplearn.normalization import BatchNorm1d
from deeplearn.regularization import Dropout

__all__ = ["ResidualMLP", "mlp"]

_Make = Callable[[], nn.Module]
_Init = Callable[..., Tensor]


def mlp(
    sizes: Sequence[int], activation: _Make = ELU, init_: _Init = kaiming_normal_, *,
    batch_norm: bool = False, dropout: float = 0.0, generator: Generator | None = None
) -> nn.Sequential:  # fmt: skip
    r"""Build a multilayer perceptron: affine maps with an activation between them.

    .. math::
        h_0 &= x \\
        h_i &= f(W_i h_{i-1} + b_i) \\
        y &= W h_n + b

    ``sizes`` are the numbers of inputs, of units of each hidden layer, and of outputs. Layers are
    named ``hidden1, batch_norm1, activation1, dropout1, …, output``, and the output has no
    activation. ``activation`` is called once for each hidden layer: pass ``ELU``, or ``lambda:
    LeakyReLU(0.2)``. ``init_(weight, generator=generator)`` fills every weight, and biases start at
    0. With ``batch_norm`` the affine map in front of it has no bias, since the batch mean removes
    it. ``dropout`` is the fraction dropped after each hidden activation.

    Shapes: (batch, sizes[0]) to (batch, sizes[-1]).

    Raises:
        TypeError: if ``sizes`` is not a sequence of ints, if ``activation`` or ``init_`` cannot be
            called, or if ``activation`` makes no layer.
        ValueError: if there are fewer than two sizes, if a size is below 1, or if ``dropout`` is
            outside [0, 1).

    Source: Rumelhart et al. (1986).

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
    check_range("dropout", dropout, 0, 1, cure="it is the fraction dropped, not kept")
    _check_makers(activation, init_, generator)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes[:-1]), start=1):
        layers[f"hidden{i}"] = _linear(fan_in, fan_out, init_, generator, bias=not batch_norm)
        if batch_norm:
            layers[f"batch_norm{i}"] = BatchNorm1d(fan_out)
        layers[f"activation{i}"] = _made_by(activation)
        if dropout:
            layers[f"dropout{i}"] = Dropout(dropout)
    layers["output"] = _linear(sizes[-2], sizes[-1], init_, generator)
    return nn.Sequential(layers)


class ResidualMLP(nn.Module):
    r"""A perceptron of ``depth`` hidden layers, each but the first added to its own input.

    .. math::
        h_1 &= f(W_1 x + b_1) \\
        h_i &= h_{i-1} + f(W_i h_{i-1} + b_i) \\
        y &= W h_n + b

    So the gradient of :math:`h_i` reaches :math:`h_{i-1}` whatever the weights. Layers are named
    and filled as those of :func:`mlp`. Then each :math:`W_i` with :math:`i > 1` is divided by
    :math:`\sqrt{\text{depth}}`, or the signal would grow with each sum.

    Shapes: (batch, num_inputs) to (batch, num_outputs).

    Raises:
        TypeError: if a size is not an int, if ``activation`` or ``init_`` cannot be called, or if
            ``activation`` makes no layer.
        ValueError: if a size is below 1.

    Source: He et al. (2016), section 3.1; Hanin & Rolnick (2018) for the scale.

    >>> model = ResidualMLP(784, width=100, depth=50, num_outputs=10)
    >>> model.hidden50
    Linear(in_features=100, out_features=100, bias=True)
    """

    def __init__(
        self, num_inputs: int, width: int, depth: int, num_outputs: int, activation: _Make = ELU,
        init_: _Init = kaiming_normal_, *, generator: Generator | None = None
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {"num_inputs": num_inputs, "width": width, "depth": depth}
        for name, size in (sizes | {"num_outputs": num_outputs}).items():
            check_count(name, size)
        _check_makers(activation, init_, generator)
        self.depth = depth
        for i in range(1, depth + 1):
            layer = _linear(num_inputs if i == 1 else width, width, init_, generator)
            if i > 1:
                layer.weight.data /= depth**0.5
            self.add_module(f"hidden{i}", layer)
            self.add_module(f"activation{i}", _made_by(activation))
        self.output = _linear(width, num_outputs, init_, generator)

    def forward(self, input: Tensor) -> Tensor:
        h = self.activation1(self.hidden1(input))
        for i in range(2, self.depth + 1):
            h = h + self.get_submodule(f"activation{i}")(self.get_submodule(f"hidden{i}")(h))
        return self.output(h)


def _linear(
    fan_in: int, fan_out: int, init_: _Init, generator: Generator | None, *, bias: bool = True
) -> nn.Linear:
    # skip_init: torch's own initialization would draw from the global generator for nothing.
    layer = nn.utils.skip_init(nn.Linear, fan_in, fan_out, bias=bias)
    init_(layer.weight, generator=generator)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def _check_makers(activation: object, init_: object, generator: object) -> None:
    for name, value in (("activation", activation), ("init_", init_)):
        if not callable(value) or isinstance(value, nn.Module):
            found = f"called for each layer, got {value!r}; pass it without calling it"
            raise TypeError(f"{name} must be a class or function that is {found}")
    check_generator(generator)


def _made_by(activation: _Make) -> nn.Module:
    try:
        module = activation()
    except TypeError as error:
        raise TypeError(f"activation cannot be called without arguments ({error})") from error
    if not isinstance(module, nn.Module):
        found = f"got {module!r}; pass a class such as ELU, not the function elu"
        raise TypeError(f"activation must return a layer when called without arguments, {found}")
    return module
