r"""Optimizers, in order of growing complexity: each is one method, ``update``, its equation.

Drop-in for ``torch.optim``: the same arguments and state keys, so that torch's learning-rate
schedulers work and a ``state_dict`` moves either way in mid-training.
"""

import inspect
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from deeplearn._check import check_range

__all__ = ["FTRL", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"]

_OFF = {"weight_decay", "lr_decay", "initial_accumulator_value", "l1", "l2"}
_RANGES = (  # settings, lower and upper bound, which of the two are allowed, cure
    ({"lr"}, 0, math.inf, "[)", "0.01 is a first try for SGD, 0.001 for Adam"),
    (_OFF, 0, math.inf, "[)", "0 switches it off"),
    ({"alpha", "rho", "betas[0]", "betas[1]"}, 0, 1, "[)", "0.9 to 0.999 are usual"),
    ({"momentum"}, 0, math.inf, "[)", "0.9 is usual"),
    ({"dampening"}, -math.inf, math.inf, "()", "0 is usual"),
    ({"eps"}, 0, math.inf, "[)", "1e-8 is usual"),
    ({"beta"}, 0, math.inf, "()", "1.0 is usual"),
)
_USED_IF = {"momentum_buffer": "momentum", "grad_avg": "centered"}  # tensors, and what needs them


def _check(settings: dict) -> None:
    betas = settings.get("betas", (0.9, 0.999))
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise ValueError(f"betas must be two numbers, got {betas!r}; (0.9, 0.999) is usual")
    settings = {**settings, "betas[0]": betas[0], "betas[1]": betas[1]}
    for names, low, high, closed, cure in _RANGES:
        for name in names & settings.keys():
            check_range(name, settings[name], low, high, closed=closed, cure=cure)
    m, d = settings.get("momentum"), settings.get("dampening")
    if settings.get("nesterov") and (m == 0 or d != 0):
        raise ValueError(f"nesterov needs momentum > 0 and dampening = 0, got {m} and {d}")


class Optimizer(torch.optim.Optimizer):
    """The loop over groups and parameters that all share: ``update`` each that has a gradient.

    ``weight_decay`` adds ``weight_decay * param`` to the gradient, the gradient of the penalty
    ``weight_decay / 2 * ||param||²``. ``maximize`` climbs instead of descending. Raises a TypeError
    for a sparse gradient; a ValueError without parameters, or for a bad setting in any group.
    """

    # The state's tensors; are they there before the first step; does update() decay the weights?
    tensors, eager, decoupled = (), False, False

    def __init__(self, params: Iterable, defaults: dict) -> None:
        if not isinstance(params, Iterable) or isinstance(params, torch.nn.Module):
            raise TypeError(f"params must hold tensors, got {params!r}; pass model.parameters()")
        params = [params] if isinstance(params, Tensor) else list(params)
        if not params:
            raise ValueError("params is empty; pass model.parameters(), not yet exhausted")
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict) -> None:
        """Add parameters with settings of their own; what is not set is as for the others."""
        _check({**self.defaults, **param_group})
        super().add_param_group(param_group)
        for param in self.param_groups[-1]["params"] if self.eager else ():
            self._begin(param, self.param_groups[-1])

    def _begin(self, param: Tensor, group: dict) -> None:
        start, state = group.get("initial_accumulator_value", 0), self.state[param]
        used = [name for name in self.tensors if group.get(_USED_IF.get(name), True)]
        state.update({"step": torch.tensor(0.0)} | {n: torch.full_like(param, start) for n in used})

    def load_state_dict(self, state_dict: dict) -> None:
        """Take the state of an optimizer of the same kind, torch's included."""
        kind, names = type(self).__name__, inspect.signature(type(self)).parameters.keys()
        for group in state_dict["param_groups"]:
            cure = "load it into an optimizer of the kind that was saved"
            if missing := ", ".join(sorted(names - {"params", "defaults"} - group.keys())):
                raise ValueError(f"state_dict lacks {missing}: it is not from {kind}; {cure}")
            if group.get("amsgrad"):
                raise ValueError(f"state_dict has amsgrad=True, which this {kind} lacks; {cure}")
            if (found := group.get("decoupled_weight_decay", self.decoupled)) != self.decoupled:
                raise ValueError(f"decoupled_weight_decay is {found}, not as in {kind}; {cure}")
        super().load_state_dict(state_dict)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter once; ``closure`` computes the loss anew and is returned."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            decay = 0 if self.decoupled else group.get("weight_decay", 0)
            for param in group["params"]:
                if (grad := param.grad) is None:
                    continue
                if grad.is_sparse:
                    raise TypeError("a gradient is sparse; use nn.Embedding(..., sparse=False)")
                if group.get("maximize"):
                    grad = -grad
                if decay:
                    grad = grad.add(param, alpha=decay)
                state = self.state[param]
                if self.tensors:
                    if not state:
                        self._begin(param, group)
                    state["step"] += 1
                self.update(param, grad, state, group)
        return loss

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        """Change ``param`` and ``state`` in place by one step of the method."""
        raise NotImplementedError(f"{type(self).__name__} must define update()")


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum or Nesterov's accelerated gradient.

    :math:`m \leftarrow \beta m + (1 - d) g`, :math:`\theta \leftarrow \theta - \eta m`; Nesterov:
    :math:`\theta \leftarrow \theta - \eta (g + \beta m)`; with momentum :math:`\beta`, dampening
    :math:`d`. The first step sets :math:`m = g`. The rate stays outside :math:`m`, as in torch: a
    change acts at once. Source: Polyak (1964), eq. 9; Sutskever et al. (2013), section 2.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> SGD([x], lr=0.1).step((x**2).backward), x.detach()
    (None, tensor(0.8000))
    """

    def __init__(self, params: Iterable, lr: float = 1e-3, momentum: float = 0,
                 dampening: float = 0, weight_decay: float = 0, nesterov: bool = False, *,
                 maximize: bool = False) -> None:  # fmt: skip
        settings = {"lr": lr, "momentum": momentum, "dampening": dampening,
                    "weight_decay": weight_decay, "nesterov": nesterov,
                    "maximize": maximize}  # fmt: skip
        super().__init__(params, settings)

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if beta := group["momentum"]:
            if "momentum_buffer" in state:
                m = state["momentum_buffer"].mul_(beta).add_(grad, alpha=1 - group["dampening"])
            else:
                m = state["momentum_buffer"] = grad.clone()
            grad = grad.add(m, alpha=beta) if group["nesterov"] else m
        param.add_(grad, alpha=-group["lr"])


class Adagrad(Optimizer):
    r"""Adagrad: the rate of a parameter shrinks with all gradients that it has had.

    :math:`s \leftarrow s + g^2`, then :math:`\theta \leftarrow \theta - \eta g / (\sqrt s +
    \epsilon)`; with ``lr_decay`` :math:`d`, :math:`\eta / (1 + (t - 1) d)` in place of
    :math:`\eta`. Source: Duchi et al. (2011), section 1.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> Adagrad([x], lr=0.1).step((x**2).backward), x.detach()
    (None, tensor(0.9000))
    """

    tensors, eager = ("sum",), True

    def __init__(self, params: Iterable, lr: float = 1e-2, lr_decay: float = 0,
                 weight_decay: float = 0, initial_accumulator_value: float = 0,
                 eps: float = 1e-10, *, maximize: bool = False) -> None:  # fmt: skip
        settings = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay,
                    "initial_accumulator_value": initial_accumulator_value, "eps": eps,
                    "maximize": maximize}  # fmt: skip
        super().__init__(params, settings)

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        lr = group["lr"] / (1 + (state["step"].item() - 1) * group["lr_decay"])
        s = state["sum"].addcmul_(grad, grad)
        param.addcdiv_(grad, s.sqrt().add_(group["eps"]), value=-lr)


class RMSprop(Optimizer):
    r"""RMSprop: Adagrad that forgets, by an exponential average of the squared gradients.

    :math:`v \leftarrow \alpha v + (1 - \alpha) g^2`, then :math:`\theta \leftarrow \theta - \eta g
    / (\sqrt v + \epsilon)`. ``centered`` takes the square of the average gradient off :math:`v`;
    ``momentum`` accumulates the quotient. Source: Tieleman & Hinton (2012); Graves (2013), eq. 38.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> RMSprop([x], lr=0.1, alpha=0.75).step((x**2).backward), x.detach()
    (None, tensor(0.8000))
    """

    tensors = ("square_avg", "momentum_buffer", "grad_avg")

    def __init__(self, params: Iterable, lr: float = 1e-2, alpha: float = 0.99,
                 eps: float = 1e-8, weight_decay: float = 0, momentum: float = 0,
                 centered: bool = False, *, maximize: bool = False) -> None:  # fmt: skip
        settings = {"lr": lr, "alpha": alpha, "eps": eps,
                    "weight_decay": weight_decay, "momentum": momentum, "centered": centered,
                    "maximize": maximize}  # fmt: skip
        super().__init__(params, settings)

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        alpha = group["alpha"]
        v = state["square_avg"].mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            mean = state["grad_avg"].lerp_(grad, 1 - alpha)
            root = v.addcmul(mean, mean, value=-1).sqrt_()
        else:
            root = v.sqrt()
        if group["momentum"]:
            m = state["momentum_buffer"].mul_(group["momentum"])
            param.add_(m.addcdiv_(grad, root.add_(group["eps"])), alpha=-group["lr"])
        else:
            param.addcdiv_(grad, root.add_(group["eps"]), value=-group["lr"])


class Adadelta(Optimizer):
    r"""Adadelta: an average of the squared updates stands in for the learning rate.

    :math:`v \leftarrow \rho v + (1 - \rho) g^2`, :math:`\delta = \sqrt{u + \epsilon}\, g /
    \sqrt{v + \epsilon}`, :math:`u \leftarrow \rho u + (1 - \rho) \delta^2`, :math:`\theta
    \leftarrow \theta - \eta \delta`; the paper's :math:`\eta` is 1. Source: Zeiler (2012), alg. 1.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> Adadelta([x], rho=0.75, eps=3.0).step((x**2).backward), x.detach()
    (None, tensor(-0.7321))
    """

    tensors = ("square_avg", "acc_delta")

    def __init__(self, params: Iterable, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6,
                 weight_decay: float = 0, *, maximize: bool = False) -> None:  # fmt: skip
        settings = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay,
                    "maximize": maximize}  # fmt: skip
        super().__init__(params, settings)

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        rho, eps, u = group["rho"], group["eps"], state["acc_delta"]
        v = state["square_avg"].mul_(rho).addcmul_(grad, grad, value=1 - rho)
        delta = u.add(eps).sqrt_().div_(v.add(eps).sqrt_()).mul_(grad)
        u.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        param.add_(delta, alpha=-group["lr"])


class Adam(Optimizer):
    r"""Adam: momentum, and a step size of its own for every parameter.

    :math:`m \leftarrow \beta_1 m + (1 - \beta_1) g`, :math:`v \leftarrow \beta_2 v + (1 - \beta_2)
    g^2`, :math:`\theta \leftarrow \theta - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 -
    \beta_2^t)} + \epsilon}` with :math:`t = 1` in the first step; torch's option amsgrad is not
    offered. Source: Kingma & Ba (2015), algorithm 1.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> Adam([x], lr=0.1).step((x**2).backward), x.detach()
    (None, tensor(0.9000))
    """

    tensors = ("exp_avg", "exp_avg_sq")

    def __init__(self, params: Iterable, lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, *, maximize: bool = False) -> None:  # fmt: skip
        settings = {"lr": lr, "betas": betas, "eps": eps,
                    "weight_decay": weight_decay, "maximize": maximize}  # fmt: skip
        super().__init__(params, settings | {"decoupled_weight_decay": self.decoupled})

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        (beta1, beta2), t = group["betas"], state["step"].item()
        m = state["exp_avg"].lerp_(grad, 1 - beta1)
        v = state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denominator = v.sqrt().div_(math.sqrt(1 - beta2**t)).add_(group["eps"])
        param.addcdiv_(m, denominator, value=-group["lr"] / (1 - beta1**t))


class AdamW(Adam):
    r"""Adam, but the decay shrinks the weights themselves: :math:`\theta \leftarrow (1 - \eta
    \lambda) \theta`, then Adam's step. Source: Loshchilov & Hutter (2019), algorithm 2.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> AdamW([x], lr=0.1, weight_decay=0.5).step((0 * x).backward), x.detach()
    (None, tensor(0.9500))
    """

    decoupled = True

    def __init__(self, params: Iterable, lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, *, maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize)

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        param.mul_(1 - group["lr"] * group["weight_decay"])
        super().update(param, grad, state, group)


class FTRL(Optimizer):
    r"""FTRL-Proximal: the weights that are best for all gradients so far, and near the past ones.

    .. math:: &\arg\min_w\, g_{1:t} w + \tfrac12 \sum_{s=0}^t \sigma_s (w - \theta_s)^2 +
              \lambda_1 |w| + \tfrac12 \lambda_2 w^2 \\
              &\sigma_{0:t} = 1 / \eta_t = (\beta + \sqrt{n_t}) / \eta, \quad n_t = \sum g^2

    is 0 where :math:`z = g_{1:t} - \sum \sigma_s \theta_s` is within :math:`\pm\lambda_1`. The
    paper's :math:`\theta_0` is 0; here, where the weights start. :math:`\eta` may change. Without
    penalties :math:`z_{t-1} = -\theta_t / \eta_{t-1}`, so :math:`\theta_{t+1} = -\eta_t z_t =
    \theta_t - \eta_t g_t`: Adagrad with ``eps=beta``. Source: McMahan et al. (2013), algorithm 1.

    >>> x = torch.tensor([1.0, 0.01], requires_grad=True)
    >>> FTRL([x], lr=0.1, l1=1.0).step((x**2).sum().backward), x.detach()
    (None, tensor([0.9000, 0.0000]))
    """

    tensors = ("z", "n")

    def __init__(self, params: Iterable, lr: float, *, beta: float = 1.0,
                 l1: float = 0.0, l2: float = 0.0) -> None:  # fmt: skip
        settings = {"lr": lr, "beta": beta, "l1": l1, "l2": l2}
        super().__init__(params, settings)

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        z, n, lr, beta, l1 = state["z"], state["n"], group["lr"], group["beta"], group["l1"]
        if lr == 0:  # the past would weigh infinitely much
            return
        before = n.sqrt().add_(beta).div_(state.get("lr", lr))
        if "lr" not in state:
            z.addcmul_(before, param, value=-1)
        weight = n.addcmul_(grad, grad).sqrt().add_(beta).div_(lr)  # 1 / η of each coordinate
        z.add_(grad).addcmul_(before.sub_(weight), param)  # - σ θ
        param.copy_(z.clamp(-l1, l1).sub_(z).div_(weight.add_(group["l2"])))
        state["lr"] = lr
