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
    r"""Plain recurrent cell: one step in time, from an input and a state to the next state.

    .. math::
        h' = \tanh(W x + b + U h + c)

    ``nonlinearity="relu"`` puts a ReLU in place of the tanh. :math:`W, b, U, c` are the parameters
    ``weight_ih, bias_ih, weight_hh, bias_hh``; ``bias=False`` leaves the biases out. They start
    uniform in :math:`\pm 1 / \sqrt{H}`, where :math:`H` is ``hidden_size``. Names and start are
    torch's.

    Shapes: ``input`` is (batch, input_size), and the state ``hx`` is (batch, hidden_size), zeros if
    ``None``; the result is as the state. The batch may be left out of all.

    Raises:
        TypeError: if a size is not an int, or if ``input`` or ``hx`` is not a floating-point
            tensor.
        ValueError: if a size is below 1, if ``nonlinearity`` is unknown, or if ``input`` or ``hx``
            has another shape.

    Source: Elman (1990).

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
    r"""Long short-term memory: a recurrent cell whose memory :math:`c` passes gates, but no matrix.

    .. math::
        i &= \sigma(W_i x + U_i h + b_i) \\
        f &= \sigma(W_f x + U_f h + b_f) \\
        g &= \tanh(W_g x + U_g h + b_g) \\
        o &= \sigma(W_o x + U_o h + b_o) \\
        c' &= f \circ c + i \circ g \\
        h' &= o \circ \tanh(c')

    The input gate :math:`i`, the forget gate :math:`f` and the output gate :math:`o` are between 0
    and 1, and :math:`g` is the new content. No matrix stands between :math:`c` and :math:`c'`, so a
    signal survives many steps. The four :math:`W` are the rows of ``weight_ih``, in the order i, f,
    g, o; the four :math:`U` those of ``weight_hh``; and each :math:`b` is the sum of ``bias_ih``
    and ``bias_hh``. All start as in :class:`RNNCell`.

    Shapes: ``input`` is (batch, input_size). The state ``hx`` and the result are pairs (h, c), both
    (batch, hidden_size). The batch may be left out of all.

    Raises:
        TypeError: if a size is not an int, or if ``input`` or a part of ``hx`` is not a
            floating-point tensor.
        ValueError: if a size is below 1, or if ``input`` or ``hx`` has another shape.

    Source: Hochreiter & Schmidhuber (1997); Gers et al. (2000) for the forget gate.

    >>> h, c = LSTMCell(3, 5)(torch.zeros(2, 3))
    >>> h.shape, c.shape
    (torch.Size([2, 5]), torch.Size([2, 5]))
    """

    gates, states = 4, 2

    def step(self, sums: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = sums.chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
