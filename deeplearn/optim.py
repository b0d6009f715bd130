r"""Optimizers, in order of growing complexity.

Each is one method, ``update``: its equation for one parameter. The base class owns the loop over
groups and parameters. Drop-in for ``torch.optim``: the same arguments and state keys, so that
torch's learning-rate schedulers work and a ``state_dict`` moves either way in mid-training.
"""

import inspect
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from deeplearn._check import check_range

__all__ = ["SGD", "Adam", "Optimizer"]


class Optimizer(torch.optim.Optimizer):
    """The loop that all optimizers share: ``update`` each parameter that has a gradient.

    ``weight_decay`` adds ``weight_decay * param`` to the gradient, the gradient of the penalty
    ``weight_decay / 2 * ||param||²``. ``maximize`` climbs instead of descending.

    Raises:
        TypeError: for a gradient that is sparse.
        ValueError: if there is no parameter, or for a setting outside its range.
    """

    def __init__(self, params: Iterable, defaults: dict) -> None:
        if not isinstance(params, Iterable) or isinstance(params, torch.nn.Module):
            raise TypeError(f"params must hold tensors, got {params!r}; pass model.parameters()")
        params = [params] if isinstance(params, Tensor) else list(params)
        if not params:
            raise ValueError("params is empty; pass model.parameters(), not yet exhausted")
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict) -> None:
        """Add parameters with settings of their own; what is not set is as for the others."""
        settings = {**self.defaults, **param_group}
        check_range("lr", settings["lr"], 0, cure="0.01 is a first try for SGD, 0.001 for Adam")
        check_range("weight_decay", settings["weight_decay"], 0, cure="0 switches it off")
        super().add_param_group(param_group)

    def load_state_dict(self, state_dict: dict) -> None:
        """Take the state of an optimizer of the same kind, torch's included."""
        settings = inspect.signature(type(self)).parameters.keys() - {"params", "defaults"}
        for group in state_dict["param_groups"]:
            if missing := sorted(settings - group.keys()):
                raise ValueError(
                    f"state_dict lacks {', '.join(missing)}: it is not from {type(self).__name__}; "
                    "load it into an optimizer of the kind that was saved"
                )
        super().load_state_dict(state_dict)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter once; ``closure`` computes the loss anew and is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                grad = param.grad
                if grad.is_sparse:
                    raise TypeError("a gradient is sparse; use nn.Embedding(..., sparse=False)")
                if group["maximize"]:
                    grad = -grad
                if group["weight_decay"]:
                    grad = grad.add(param, alpha=group["weight_decay"])
                self.update(param, grad, self.state[param], group)
        return loss

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        """Change ``param`` and ``state`` in place by one step of the method."""
        raise NotImplementedError(f"{type(self).__name__} must define update()")


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum or Nesterov's accelerated gradient.

    .. math:: m &\leftarrow \beta m + (1 - d)\, g \\
              \theta &\leftarrow \theta - \eta m
                \qquad \text{Nesterov: } \theta \leftarrow \theta - \eta (g + \beta m)

    with momentum :math:`\beta` and ``dampening`` :math:`d`; the first step sets :math:`m = g`. The
    learning rate stays outside :math:`m`, as in torch: a change of rate acts at once.

    Source: Polyak (1964), equation 9; Sutskever et al. (2013), section 2.

    >>> x = torch.tensor([1.0], requires_grad=True)
    >>> (x**2).sum().backward()
    >>> SGD([x], lr=0.1).step()
    >>> x.detach()
    tensor([0.8000])
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        check_range("momentum", momentum, 0, cure="0.9 is usual")
        check_range("dampening", dampening, cure="0 is usual")
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError(
                f"nesterov needs momentum > 0 and dampening = 0, got {momentum} and {dampening}"
            )
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if group["momentum"]:
            m = state.get("momentum_buffer")
            if m is None:
                m = state["momentum_buffer"] = grad.clone()
            else:
                m.mul_(group["momentum"]).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(m, alpha=group["momentum"]) if group["nesterov"] else m
        param.add_(grad, alpha=-group["lr"])


class Adam(Optimizer):
    r"""Adam: momentum, and a step size of its own for every parameter.

    .. math:: m &\leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad
              v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2 \\
              \theta &\leftarrow \theta - \eta\,
                \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    with :math:`t = 1` in the first step. Torch's option ``amsgrad`` is not offered.

    Source: Kingma & Ba (2015), algorithm 1.

    >>> x = torch.tensor([1.0], requires_grad=True)
    >>> (x**2).sum().backward()
    >>> Adam([x], lr=0.1).step()
    >>> x.detach()
    tensor([0.9000])
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise ValueError(f"betas must be two numbers, got {betas!r}; (0.9, 0.999) is usual")
        for i, beta in enumerate(betas):
            check_range(f"betas[{i}]", beta, 0, 1, cure="0.9 and 0.999 are usual")
        check_range("eps", eps, 0, cure="1e-8 is usual")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def load_state_dict(self, state_dict: dict) -> None:
        """Take the state of another Adam, torch's included, unless it was run with amsgrad."""
        if any(group.get("amsgrad") for group in state_dict["param_groups"]):
            raise ValueError("state_dict has amsgrad=True, which this Adam lacks; use torch's")
        super().load_state_dict(state_dict)

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"] = torch.zeros_like(param)
            state["exp_avg_sq"] = torch.zeros_like(param)
        beta1, beta2 = group["betas"]
        state["step"] += 1
        t = state["step"].item()
        m = state["exp_avg"].lerp_(grad, 1 - beta1)
        v = state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denominator = (v.sqrt() / math.sqrt(1 - beta2**t)).add_(group["eps"])
        param.addcdiv_(m, denominator, value=-group["lr"] / (1 - beta1**t))
