"""Normalization between layers: each unit gets mean 0 and variance 1 over the batch."""

import torch
from torch import Tensor, nn

from deeplearn._check import check_count, check_floating, check_not_empty, check_range

__all__ = ["BatchNorm1d", "batch_norm"]


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    r"""Return :math:`\gamma\,(x - \mu)/\sqrt{\sigma^2 + \epsilon} + \beta`, unit by unit.

    While training, :math:`\mu` and the biased :math:`\sigma^2` come from the batch, and the running
    statistics move towards them in place: ``running += momentum * (batch - running)``, the variance
    with its unbiased estimate. Otherwise the running statistics are used. ``momentum`` is one minus
    the decay that other libraries call momentum.

    Shapes: ``input`` (batch, units) or (batch, units, length); all other tensors (units,).

    Raises:
        TypeError: if ``input`` is not a floating-point tensor.
        ValueError: for a shape that does not fit, for running statistics missing in evaluation, or
            for a training batch with a single value per unit.

    Source: Ioffe & Szegedy (2015), algorithms 1 and 2.

    >>> batch_norm(torch.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    _check_input(input, running_mean)
    names = {
        "running_mean": running_mean,
        "running_var": running_var,
        "weight": weight,
        "bias": bias,
    }
    for name, value in names.items():
        if value is not None and value.shape != (input.size(1),):
            raise ValueError(
                f"{name} must have shape ({input.size(1)},), one value a unit, got "
                f"{tuple(value.shape)}"
            )
    if training and (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must be given both, or neither")
    check_range("eps", eps, 0, closed="()", cure="1e-5 is usual")
    dims = [0] if input.dim() == 2 else [0, 2]
    view = (1, -1) if input.dim() == 2 else (1, -1, 1)
    if training:
        count = input.numel() // input.size(1)
        if count < 2:
            raise ValueError(
                f"input has one value per unit, got shape {tuple(input.shape)}: its variance is "
                "not defined; use a larger batch, or drop the last one"
            )
        var, mean = torch.var_mean(input, dims, correction=0)
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.detach(), momentum)
            running_var.lerp_(var.detach() * (count / (count - 1)), momentum)
    elif running_mean is None or running_var is None:
        raise ValueError("running_mean and running_var must be given unless training=True")
    else:
        mean, var = running_mean, running_var
    scale = torch.rsqrt(var + eps)
    if weight is not None:
        scale = scale * weight
    output = (input - mean.view(view)) * scale.view(view)
    return output if bias is None else output + bias.view(view)


def _check_input(input: Tensor, running_mean: Tensor | None) -> None:
    check_floating("input", input)
    if input.dim() not in (2, 3):
        raise ValueError(
            f"input must be (batch, units) or (batch, units, length), got shape "
            f"{tuple(input.shape)}; flatten or unsqueeze it"
        )
    check_not_empty("input", input)
    if running_mean is not None and running_mean.numel() != input.size(1):
        raise ValueError(
            f"input must have {running_mean.numel()} units, got shape {tuple(input.shape)}; "
            "num_features is the size of dimension 1"
        )


class BatchNorm1d(nn.Module):
    """:func:`batch_norm` as a layer that keeps its two parameters and its running statistics.

    ``affine=False`` leaves both parameters out, ``bias=False`` only the second. ``momentum=None``
    averages over all batches seen. State keys are torch's: ``weight, bias, running_mean,
    running_var, num_batches_tracked``.

    Source: Ioffe & Szegedy (2015).

    >>> layer = BatchNorm1d(3)
    >>> layer(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])).shape
    torch.Size([2, 3])
    >>> layer.running_mean
    tensor([0.1000, 0.1000, 0.1000])
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_count("num_features", num_features)
        check_range("eps", eps, 0, closed="()", cure="1e-5 is usual")
        if momentum is not None:
            check_range("momentum", momentum, 0, 1, closed="[]", cure="it is 1 - decay: 0.1")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine and bias else None
        mean, var, seen = torch.zeros(num_features), torch.ones(num_features), torch.tensor(0)
        self.register_buffer("running_mean", mean if track_running_stats else None)
        self.register_buffer("running_var", var if track_running_stats else None)
        self.register_buffer("num_batches_tracked", seen if track_running_stats else None)

    def forward(self, input: Tensor) -> Tensor:
        momentum = self.momentum
        if self.training and self.track_running_stats:
            _check_input(input, self.running_mean)
            self.num_batches_tracked += 1
            if momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        return batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            momentum,
            self.eps,
        )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )
