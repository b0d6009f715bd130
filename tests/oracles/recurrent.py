"""The rows of deeplearn.recurrent; states are compared in test_recurrent.py."""

from functools import partial

import torch
from torch import nn

from deeplearn import recurrent
from oracles.table import Bad, Case, bias, integers, weight

_RNN, _LSTM = recurrent.RNNCell, recurrent.LSTMCell

MODULES = []
CELLS = [  # of another kind than MODULES, as some return two tensors
    Case(_RNN, nn.RNNCell),
    Case(_RNN, nn.RNNCell, {"nonlinearity": "relu"}),
    Case(_RNN, nn.RNNCell, {"bias": False}),
    Case(_LSTM, nn.LSTMCell),
    Case(_LSTM, nn.LSTMCell, {"bias": False}),
]

BAD = [
    Bad(
        _RNN, lambda: _RNN(4, 3, nonlinearity="elu"), ValueError, ("nonlinearity", "tanh", "'elu'")
    ),
    *(
        Bad(cell, partial(cell, *sizes), error, words)
        for cell in (_RNN, _LSTM)
        for sizes, error, words in (
            ((0, 3), ValueError, ("input_size", "0", "larger")),
            ((4, 2.5), TypeError, ("hidden_size", "float", "whole")),
        )
    ),
    *(
        Bad(cell, partial(cell(4, 3), *arguments), error, words)
        for cell, state in ((_RNN, lambda h: h), (_LSTM, lambda h: (h, h)))
        for arguments, error, words in (
            ((integers(),), TypeError, ("input", "int64", ".float()")),
            ((torch.zeros(2, 5),), ValueError, ("input", "(2, 4)", "(2, 5)")),
            ((torch.zeros(2, 3, 4),), ValueError, ("input", "(2, 3, 4)", "batch")),
            ((weight(), state(0.5)), TypeError, ("hx", "float", "as_tensor")),
            ((weight(), state(integers()[:, :3])), TypeError, ("hx", "int64", ".float()")),
            ((weight(), state(bias())), ValueError, ("hx", "(3, 3)", "(3,)")),
        )
    ),
    Bad(_LSTM, lambda: _LSTM(4, 3)(weight(), torch.zeros(3, 3)), ValueError, ("hx", "(3, 3)")),
    Bad(_RNN, lambda: _RNN(4, 3)(weight(), (torch.zeros(3, 3),) * 2), ValueError, ("hx", "(3, 3)")),
]
