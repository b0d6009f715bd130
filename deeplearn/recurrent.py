"""Recurrent cells: one step in time, from an input and a state to the next state."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from deeplearn._check import check_choice, check_count, check_floating

__all__ = ["LSTMCell", "RNNCell"]


class _Cell(nn.Module):
    gates = states = 1

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        check_count("input_size", input_size)
        check_count("hidden_size", hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows, bound = self.gates * hidden_size, 1 / math.sqrt(hidden_size)
        shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        for name, shape in (shapes | {"bias_ih": (rows,), "bias_hh": (rows,)}).items():
            start = torch.empty(shape if bias or name in shapes else 0).uniform_(-bound, bound)
            self.register_parameter(name, nn.Parameter(start) if len(start) else None)

    def forward(self, input: Tensor, hx: Tensor | tuple[Tensor, ...] | None = None) -> Tensor:
        check_floating("input", input)
        start = (input.new_zeros(*input.shape[:-1], self.hidden_size),) * self.states
        state = start if hx is None else hx if isinstance(hx, tuple) else (hx,)
        for part in state:
            check_floating("hx", part)
        sizes = (self.input_size, *(self.hidden_size,) * self.states)
        needed = [(*input.shape[:-1], size) for size in sizes]
        found = [tuple(tensor.shape) for tensor in (input, *state)]
        if found != needed or input.dim() not in (1, 2):
            raise ValueError(
                f"input and hx must be {needed}, the batch left out or not; got {found}"
            )
        # The weighted sums W x + b + U h + c, which every gate gets.
        sums = linear(input, self.weight_ih, self.bias_ih)
        return self.step(sums + linear(state[0], self.weight_hh, self.bias_hh), *state)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    r"""Plain recurrent cell: :math:`h' = \tanh(W x + b + U h + c)`, or ReLU.

    Shapes: ``input`` (batch, input_size) and state ``hx`` (batch, hidden_size), zeros if ``None``;
    all without batch, too. Other shapes raise a ``ValueError``. State keys and start, uniform in
    ±1/√hidden_size, are torch's. Source: Elman (1990), figure 2.

    >>> RNNCell(3, 5)(torch.zeros(2, 3)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh"
    ) -> None:
        check_choice("nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, bias)
        self.nonlinearity = nonlinearity

    def step(self, sums: Tensor, h: Tensor) -> Tensor:
        return sums.tanh() if self.nonlinearity == "tanh" else sums.relu()


class LSTMCell(_Cell):
    r"""Long short-term memory: :math:`c' = \sigma(f)\,c + \sigma(i) \tanh(g)`.

    The output is :math:`h' = \sigma(o) \tanh(c')`; i, f, g, o are sums as in :class:`RNNCell`. No
    matrix stands between :math:`c` and :math:`c'`: a signal survives many steps. Shapes, errors and
    start as there; ``hx`` and the result are pairs (h, c). Source: Gers et al. (2000), section 3.

    >>> h, c = LSTMCell(3, 5)(torch.zeros(2, 3))
    >>> h.shape, c.shape
    (torch.Size([2, 5]), torch.Size([2, 5]))
    """

    gates, states = 4, 2

    def step(self, sums: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = sums.chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
