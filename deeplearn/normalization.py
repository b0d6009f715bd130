"""Normalization between layers: each unit gets mean 0 and variance 1 over the batch."""

from typing import Any

import torch
from torch import Tensor, nn

from deeplearn._check import check_count, check_floating, check_not_empty, check_range, check_type

__all__ = ["BatchNorm1d", "batch_norm", "fold_batch_norm"]


class _BatchNorm(torch.autograd.Function):
    r"""Batch norm in training, on (rows, units), with its gradient in closed form.

    With :math:`g` the gradient of the output and :math:`\hat x = (x - \mu)/\sigma`:
    :math:`d\beta = \sum g`, :math:`d\gamma = \sum g \hat x` and
    :math:`dx = \gamma\,(g - (d\beta + \hat x\,d\gamma)/n)/\sigma`.
    Source: Ioffe & Szegedy (2015), section 3, simplified.
    """

    @staticmethod
    def statistics(x: Tensor, eps: float) -> tuple[Tensor, ...]:
        """Return the mean and biased variance of each unit, x - mean, its square, 1 / sigma."""
        mean = x.sum(0).div_(len(x))
        centered = x - mean
        square = centered.square()
        var = square.sum(0).div_(len(x))  # torch.var takes several times as long
        return mean, var, centered, square, torch.rsqrt(var + eps)

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, *settings: Any) -> Tensor:
        running_mean, running_var, momentum, ctx.eps = settings
        mean, var, centered, square, inv_std = _BatchNorm.statistics(x, ctx.eps)
        if running_mean is not None:
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var.mul_(len(x) / (len(x) - 1)), momentum)
        ctx.save_for_backward(x, weight, centered, inv_std)
        # Memory that is not needed any more takes the result: new memory would cost a third more.
        return torch.addcmul(bias, centered, weight * inv_std, out=square)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, centered, inv_std = ctx.saved_tensors
        if second := torch.is_grad_enabled():  # a second derivative goes through the statistics
            _, _, centered, _, inv_std = _BatchNorm.statistics(x, ctx.eps)
        product, scale = grad * centered, weight * inv_std
        d_bias, d_weight = grad.sum(0), product.sum(0) * inv_std
        # The factors of one unit come first: that leaves two passes over the batch instead of four.
        share = scale / -len(x)
        factors = d_bias * share, centered, d_weight * inv_std * share
        d_x = torch.addcmul(*factors, out=None if second else product)
        return d_x.addcmul_(grad, scale), d_weight, d_bias, None, None, None, None


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-05
) -> Tensor:  # fmt: skip
    r"""Give each unit mean 0 and variance 1 over the batch, then a scale and a shift that are
    learned.

    .. math::
        y = \gamma\,\frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    With ``training=True`` the mean :math:`\mu` and the biased variance :math:`\sigma^2` come from
    the batch. The running statistics :math:`s`, if given, move towards them in place:

    .. math::
        s \leftarrow (1 - m)\,s + m\,s_\text{batch}

    The running variance takes the unbiased estimate. With ``training=False`` the running statistics
    take the place of :math:`\mu` and :math:`\sigma^2`. ``momentum``, :math:`m`, is one minus the
    decay that other libraries call momentum. ``weight`` is :math:`\gamma` and ``bias`` is
    :math:`\beta`; without them they are 1 and 0.

    Shapes: ``input`` is (batch, units) or (batch, units, length), and the output has the same; all
    other tensors are (units,).

    Raises:
        TypeError: if ``input`` is not a floating-point tensor, or ``eps`` not a number.
        ValueError: if shapes do not fit, if ``eps`` is not above 0, if running statistics are
            missing in evaluation, or if a training batch has a single value per unit.

    Source: Ioffe & Szegedy (2015), algorithms 1 and 2.

    >>> batch_norm(torch.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    check_floating("input", input)
    shape = tuple(input.shape)
    if len(shape) not in (2, 3):
        needed = f"got shape {shape}; flatten or unsqueeze it"
        raise ValueError(f"input must be (batch, units) or (batch, units, length), {needed}")
    check_not_empty("input", input)
    check_range("eps", eps, 0, closed="()", cure="1e-5 is usual")
    tensors = {"running_mean": running_mean, "running_var": running_var}
    for name, value in (tensors | {"weight": weight, "bias": bias}).items():
        if value is not None and value.shape != shape[1:2]:
            found = f"got {tuple(value.shape)} for input {shape}; num_features is its dimension 1"
            raise ValueError(f"{name} must have shape ({shape[1]},), {found}")
    missing = (running_mean is None) + (running_var is None)
    if missing == 1 or (missing and not training):
        raise ValueError("give both running_mean and running_var, or with training=True neither")
    if training and input.numel() == shape[1]:
        found = f"input has one value per unit, got shape {shape}: its variance is not defined"
        raise ValueError(f"{found}; use a larger batch, or drop the last one")
    # Autocast halves the input alone; sums over the batch need the digits of the other tensors.
    given = weight if running_mean is None else running_mean
    x = input if given is None else input.to(torch.promote_types(input.dtype, given.dtype))
    weight = x.new_ones(shape[1]) if weight is None else weight
    bias = x.new_zeros(shape[1]) if bias is None else bias
    x = x.movedim(1, -1).flatten(0, 1) if len(shape) == 3 else x
    if training:
        output = _BatchNorm.apply(x, weight, bias, running_mean, running_var, momentum, eps)
    else:
        scale = weight * torch.rsqrt(running_var + eps)
        output = torch.addcmul(bias - running_mean * scale, x, scale)
    if len(shape) == 3:
        output = output.unflatten(0, shape[::2]).movedim(-1, 1).contiguous()
    return output.to(input.dtype)


class BatchNorm1d(nn.Module):
    """:func:`batch_norm` as a layer that keeps its two parameters and its running statistics.

    The layer uses the batch's statistics after ``model.train()``, and the running ones after
    ``model.eval()``. ``affine=False`` leaves both parameters out, ``bias=False`` only the second.
    ``momentum=None`` averages over all batches seen. ``track_running_stats=False`` keeps no running
    statistics, so the batch's are always used. The state keys are torch's: ``weight, bias,
    running_mean, running_var, num_batches_tracked``.

    Shapes: (batch, num_features) or (batch, num_features, length), and the output has the same.

    Raises:
        TypeError: if a setting is of another type.
        ValueError: if ``num_features`` is below 1, ``eps`` is not above 0, or ``momentum`` is
            outside [0, 1]; when the layer is called, as for :func:`batch_norm`.

    Source: Ioffe & Szegedy (2015), section 3.

    >>> layer = BatchNorm1d(3)
    >>> layer(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])).shape
    torch.Size([2, 3])
    >>> layer.running_mean
    tensor([0.1000, 0.1000, 0.1000])
    """

    _version = 2  # as torch's: before it, there was no num_batches_tracked

    def __init__(
        self, num_features: int, eps: float = 1e-05, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, *, bias: bool = True
    ) -> None:  # fmt: skip
        super().__init__()
        check_count("num_features", num_features)
        check_range("eps", eps, 0, closed="()", cure="1e-5 is usual")
        if momentum is not None:
            check_range("momentum", momentum, 0, 1, closed="[]", cure="it is 1 - decay: 0.1")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine and bias else None
        start = (torch.zeros(num_features), torch.ones(num_features), torch.tensor(0))
        names = ("running_mean", "running_var", "num_batches_tracked")
        for name, value in zip(names, start, strict=True):
            self.register_buffer(name, value if track_running_stats else None)

    def forward(self, input: Tensor) -> Tensor:
        mean, var, seen = self.running_mean, self.running_var, self.num_batches_tracked
        momentum = 1 / (1 + float(seen or 0)) if self.momentum is None else self.momentum
        training = self.training or mean is None
        output = batch_norm(input, mean, var, self.weight, self.bias, training, momentum, self.eps)
        if self.training and seen is not None:  # a batch that was refused does not count
            seen.add_(1)
        return output

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, local_metadata: dict, *rest: Any
    ) -> None:
        if self.track_running_stats and (local_metadata.get("version") or 0) < 2:
            state_dict.setdefault(prefix + "num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def extra_repr(self) -> str:
        names = ("eps", "momentum", "affine", "track_running_stats")
        return ", ".join([f"{self.num_features}", *(f"{n}={getattr(self, n)}" for n in names)])


@torch.no_grad()
def fold_batch_norm(linear: nn.Linear, batch_norm: nn.Module) -> nn.Linear:
    r"""Return a new linear layer equal to ``batch_norm(linear(x))`` in evaluation mode.

    .. math::
        s &= \gamma / \sqrt{\sigma^2 + \epsilon} \\
        W' &= \operatorname{diag}(s)\,W \\
        b' &= s\,(b - \mu) + \beta

    In evaluation mode batch normalization is an affine map, so both layers together are one. The
    two layers that you pass are not changed.

    Shapes: ``linear`` maps inputs to units, ``batch_norm`` has that many ``num_features``; the
    result maps inputs to units.

    Raises:
        TypeError: if ``linear`` is not an ``nn.Linear``, or ``batch_norm`` not a ``BatchNorm1d``,
            ours or torch's.
        ValueError: if the sizes differ, or if ``batch_norm`` keeps no running statistics.

    Source: Ioffe & Szegedy (2015), algorithm 2.

    >>> linear, norm, x = nn.Linear(4, 3), BatchNorm1d(3).eval(), torch.ones(2, 4)
    >>> torch.allclose(fold_batch_norm(linear, norm)(x), norm(linear(x)), atol=1e-6)
    True
    """
    check_type("linear", linear, nn.Linear)
    if not isinstance(batch_norm, BatchNorm1d | nn.BatchNorm1d):
        raise TypeError(f"batch_norm must be a BatchNorm1d, got {batch_norm!r}; swap the two?")
    if batch_norm.num_features != linear.out_features:
        found = f"{batch_norm.num_features}, and linear {linear.out_features} outputs"
        raise ValueError(f"batch_norm has num_features {found}; pass the one behind that layer")
    if batch_norm.running_mean is None:
        raise ValueError("batch_norm has no running statistics; set track_running_stats=True")
    folded = nn.utils.skip_init(nn.Linear, linear.in_features, linear.out_features)
    folded.to(linear.weight)
    gamma = 1.0 if batch_norm.weight is None else batch_norm.weight
    b, beta = (0.0 if layer.bias is None else layer.bias for layer in (linear, batch_norm))
    scale = gamma * torch.rsqrt(batch_norm.running_var + batch_norm.eps)
    folded.weight.copy_(scale[:, None] * linear.weight)
    folded.bias.copy_(scale * (b - batch_norm.running_mean) + beta)
    return folded
