r"""Optimizers, in order of growing complexity: each is one method, ``update``, its equation.

They are drop-in replacements for those of ``torch.optim``. They take the same arguments and keep
the same state keys, so torch's learning-rate schedulers work, and a ``state_dict`` moves either way
in the middle of training.

In all equations :math:`\theta` is a parameter, :math:`g` its gradient, :math:`\eta` the learning
rate ``lr`` and :math:`\epsilon` a small number, ``eps``. Squares, roots and quotients are
elementwise. Each state tensor has the shape of its parameter.
"""

import inspect
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from deeplearn._check import check_range

__all__ = ["FTRL", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"]

_OFF = ("weight_decay", "lr_decay", "initial_accumulator_value", "l1", "l2")
_RANGES = (  # settings, lower and upper bound, which of the two are allowed, cure
    (("lr",), 0, math.inf, "[)", "0.01 is a first try for SGD, 0.001 for Adam"),
    (_OFF, 0, math.inf, "[)", "0 switches it off"),
    (("alpha", "rho", "betas[0]", "betas[1]"), 0, 1, "[)", "0.9 to 0.999 are usual"),
    (("momentum",), 0, math.inf, "[)", "0.9 is usual"),
    (("dampening",), -math.inf, math.inf, "()", "0 is usual"),
    (("eps",), 0, math.inf, "[)", "1e-8 is usual"),
    (("beta",), 0, math.inf, "()", "1.0 is usual"),
)
_USED_IF = {"momentum_buffer": "momentum", "grad_avg": "centered"}  # tensors, and what needs them


def _check(settings: dict) -> None:
    betas = settings.get("betas", (0.9, 0.999))
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise ValueError(f"betas must be two numbers, got {betas!r}; (0.9, 0.999) is usual")
    settings = {**settings, "betas[0]": betas[0], "betas[1]": betas[1]}
    for names, low, high, closed, cure in _RANGES:
        for name in names:
            if name in settings:
                check_range(name, settings[name], low, high, closed=closed, cure=cure)
    m, d = settings.get("momentum"), settings.get("dampening")
    if settings.get("nesterov") and (m == 0 or d != 0):
        raise ValueError(f"nesterov needs momentum > 0 and dampening = 0, got {m} and {d}")


class Optimizer(torch.optim.Optimizer):
    r"""Base of all optimizers here: it calls ``update`` for each parameter that has a gradient.

    A subclass writes its equation as ``update``. The base adds two settings that most methods
    share. ``weight_decay``, :math:`\lambda`, adds the gradient of the penalty
    :math:`\tfrac{\lambda}{2} \|\theta\|^2` to the gradient. ``maximize`` turns the gradient around,
    so that a step climbs instead of descending:

    .. math::
        g \leftarrow \pm\nabla_\theta L + \lambda\,\theta

    Shapes: parameters of any shape; a state tensor has the shape of its parameter.

    Raises:
        TypeError: if ``params`` is a module or something else that holds no tensors, if a setting
            is not a number, if a parameter is complex and the method has ``tensors``, or, in
            ``step``, if a gradient is sparse.
        ValueError: if ``params`` is empty, or if a setting of any group is out of its range.
    """

    # The state's tensors; are they there before the first step; does update() decay the weights?
    tensors, eager, decoupled = (), False, False
    later, torchs = (), ()  # what update() adds to the state; settings that only torch's class has

    def __init__(self, params: Iterable, defaults: dict) -> None:
        if not isinstance(params, Iterable) or isinstance(params, torch.nn.Module):
            raise TypeError(f"params must hold tensors, got {params!r}; pass model.parameters()")
        params = [params] if isinstance(params, Tensor) else list(params)
        if not params:
            raise ValueError("params is empty; pass model.parameters(), not yet exhausted")
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict) -> None:
        """Add parameters with settings of their own; what is not set is as for the others.

        Raises:
            TypeError: if ``param_group`` is not a dict with ``params``, or if a parameter is
                complex and the method has ``tensors``.
            ValueError: if a setting is out of its range, or if a parameter is already in another
                group.
        """
        if not isinstance(param_group, dict) or "params" not in param_group:
            found = f"param_group must be a dict with params, got {param_group!r}"
            raise TypeError(f'{found}; pass {{"params": [...]}}')
        _check({**self.defaults, **param_group})
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for i, param in enumerate(group["params"]):
            if self.tensors and param.is_complex():
                self.param_groups.pop()
                name = group["param_names"][i] if "param_names" in group else f"params[{i}]"
                cure = "train torch.view_as_real of it, or use torch's optimizer"
                raise TypeError(f"{name} must be real, got {param.dtype}; {cure}")
        for param in group["params"] if self.eager else ():
            self._begin(param, group)

    def _begin(self, param: Tensor, group: dict) -> None:
        start, used = group.get("initial_accumulator_value", 0), self._used(group)
        start = {name: torch.full_like(param, start) for name in used}
        self.state[param].update({"step": torch.tensor(0.0)} | start)

    def _used(self, group: dict) -> list[str]:
        return [name for name in self.tensors if group.get(_USED_IF.get(name), True)]

    def load_state_dict(self, state_dict: dict) -> None:
        """Take the state of an optimizer of the same kind; it may be torch's.

        A state that is refused changes nothing.

        Raises:
            TypeError: if a setting is not a number.
            ValueError: if the state is that of another kind of optimizer, uses ``amsgrad``,
                decouples its weight decay where this optimizer does not (or the reverse), holds
                other groups or a tensor of another shape, or has a setting out of its range.
        """
        if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= state_dict.keys():
            cure = "pass what optimizer.state_dict() returned"
            raise ValueError(f"state_dict must hold state and param_groups; {cure}")
        kind, names = type(self).__name__, inspect.signature(type(self)).parameters.keys()
        cure = "load it into an optimizer of the kind that was saved"
        for group in state_dict["param_groups"]:
            # Torch's Adam always saves amsgrad; its RAdam differs in no other way.
            wanted = names | set(self.torchs if "foreach" in group else ())
            if missing := ", ".join(sorted(wanted - {"defaults", "maximize"} - group.keys())):
                raise ValueError(f"state_dict lacks {missing}: it is not from {kind}; {cure}")
            if group.get("amsgrad"):
                raise ValueError(f"state_dict has amsgrad=True, which this {kind} lacks; {cure}")
            if (found := group.get("decoupled_weight_decay", self.decoupled)) != self.decoupled:
                raise ValueError(f"decoupled_weight_decay is {found}, not as in {kind}; {cure}")
            _check(group)
        saved, own = (
            [len(group["params"]) for group in groups]
            for groups in (state_dict["param_groups"], self.param_groups)
        )
        if saved != own:
            sizes = f"groups of {saved} parameters, {kind} has {own}"
            raise ValueError(f"state_dict has {sizes}; load it into the groups that were saved")
        states = dict(state_dict["state"])
        for group, target in zip(state_dict["param_groups"], self.param_groups, strict=True):
            for key, param in zip(group["params"], target["params"], strict=True):
                if states.get(key):
                    states[key] = self._checked(states[key], param, group)
        super().load_state_dict({**state_dict, "state": states})

    def _checked(self, state: dict, param: Tensor, group: dict) -> dict:
        """Return the state of one parameter in today's form; old versions of torch had others."""
        state = {name: value for name, value in state.items() if value is not None}
        known, kind = {*self.tensors, *self.later}, type(self).__name__
        needed = {"step", *self._used(group)} if self.tensors else set()
        if known and (wrong := (needed - state.keys()) | (state.keys() - known - needed)):
            wrong = f"{', '.join(sorted(wrong))}, which state_dict lacks or {kind} does not know"
            raise ValueError(f"wrong state {wrong}; load it into the kind that was saved")
        for name in known & state.keys() - {"lr"}:
            if (shape := getattr(state[name], "shape", None)) != param.shape:
                shapes = f"{tuple(param.shape)}, got {shape and tuple(shape)}"
                raise ValueError(f"{name} must have shape {shapes}; load it into the same model")
        if "step" in state and not isinstance(state["step"], Tensor):
            state["step"] = torch.tensor(float(state["step"]))
        return state

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter that has a gradient once, and return the loss of ``closure``, if
        given.

        ``closure`` takes no arguments. It computes the loss anew, calls ``backward`` and returns
        the loss.

        Raises:
            TypeError: if a gradient is sparse.
        """
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:  # before the first change
            for param in group["params"]:
                if (grad := param.grad) is not None and grad.is_sparse:
                    raise TypeError("a gradient is sparse; use nn.Embedding(..., sparse=False)")
        for group in self.param_groups:
            decay = 0 if self.decoupled else group.get("weight_decay", 0)
            for param in group["params"]:
                if (grad := param.grad) is None:
                    continue
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

    .. math::
        m &\leftarrow \beta\,m + (1 - d)\,g \\
        \theta &\leftarrow \theta - \eta\,m
            && \text{momentum} \\
        \theta &\leftarrow \theta - \eta\,(g + \beta\,m)
            && \text{Nesterov}

    Here :math:`\beta` is ``momentum`` and :math:`d` is ``dampening``. The first step sets :math:`m
    = g`. With ``momentum=0`` there is no :math:`m`, and the step is :math:`-\eta\,g`. The learning
    rate stays outside :math:`m`, as in torch, so a change of the rate acts at once.

    Shapes: parameters of any shape; the state ``momentum_buffer`` has the parameter's shape.

    Raises:
        TypeError: if ``params`` holds no tensors, or if a setting is not a number.
        ValueError: if ``params`` is empty; if ``lr``, ``momentum`` or ``weight_decay`` is negative;
            or if ``nesterov`` is asked for without momentum or with dampening.

    Source: Polyak (1964); Sutskever et al. (2013), section 2.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> SGD([x], lr=0.1).step((x**2).backward), x.detach()
    (None, tensor(0.8000))
    """

    later = ("momentum_buffer",)

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

    .. math::
        s &\leftarrow s + g^2 \\
        \theta &\leftarrow \theta
            - \frac{\eta}{1 + (t - 1)\,d} \cdot \frac{g}{\sqrt{s} + \epsilon}

    The sum :math:`s` starts at ``initial_accumulator_value``. :math:`d` is ``lr_decay``, which is 0
    unless set, and :math:`t` counts steps from 1.

    Shapes: parameters of any shape; the state ``sum`` has the parameter's shape.

    Raises:
        TypeError: if ``params`` holds no tensors, or if a setting is not a number.
        ValueError: if ``params`` is empty, or if a setting is negative.

    Source: Duchi et al. (2011).

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

    .. math::
        v &\leftarrow \alpha\,v + (1 - \alpha)\,g^2 \\
        \theta &\leftarrow \theta - \eta\,\frac{g}{\sqrt{v} + \epsilon}

    ``centered`` keeps an average :math:`\bar g` of the gradients, too, and takes :math:`v - \bar
    g^2`, an estimate of their variance, in place of :math:`v`. ``momentum`` accumulates the
    quotient before it is multiplied by :math:`\eta`.

    Shapes: parameters of any shape; the states ``square_avg``, ``grad_avg`` (if centered) and
    ``momentum_buffer`` (with momentum) have the parameter's shape.

    Raises:
        TypeError: if ``params`` holds no tensors, or if a setting is not a number.
        ValueError: if ``params`` is empty, if a setting is negative, or if ``alpha`` is 1 or more.

    Source: Tieleman & Hinton (2012), lecture 6.5; Graves (2013), equations 38 to 45, for the
    centered variant.

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

    .. math::
        v &\leftarrow \rho\,v + (1 - \rho)\,g^2 \\
        \delta &= \frac{\sqrt{u + \epsilon}}{\sqrt{v + \epsilon}}\,g \\
        u &\leftarrow \rho\,u + (1 - \rho)\,\delta^2 \\
        \theta &\leftarrow \theta - \eta\,\delta

    The paper has no learning rate: its :math:`\eta` is 1, the value of ``lr`` unless set.

    Shapes: parameters of any shape; the states ``square_avg``, :math:`v`, and ``acc_delta``,
    :math:`u`, have the parameter's shape.

    Raises:
        TypeError: if ``params`` holds no tensors, or if a setting is not a number.
        ValueError: if ``params`` is empty, if a setting is negative, or if ``rho`` is 1 or more.

    Source: Zeiler (2012), algorithm 1.

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

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1)\,g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2)\,g^2 \\
        \hat m &= m / (1 - \beta_1^t) \\
        \hat v &= v / (1 - \beta_2^t) \\
        \theta &\leftarrow \theta - \eta\,\frac{\hat m}{\sqrt{\hat v} + \epsilon}

    :math:`t` counts steps from 1. Both averages start at 0; dividing by :math:`1 - \beta^t` makes
    up for that. Torch's option ``amsgrad`` is not offered.

    Shapes: parameters of any shape; the states ``exp_avg``, :math:`m`, and ``exp_avg_sq``,
    :math:`v`, have the parameter's shape.

    Raises:
        TypeError: if ``params`` holds no tensors, or if a setting is not a number.
        ValueError: if ``params`` is empty, if a setting is negative, if ``betas`` are not two
            numbers, or if one of them is 1 or more.

    Source: Kingma & Ba (2015), algorithm 1.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> Adam([x], lr=0.1).step((x**2).backward), x.detach()
    (None, tensor(0.9000))
    """

    tensors, torchs = ("exp_avg", "exp_avg_sq"), ("amsgrad",)

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
    r"""Adam with decoupled weight decay: the decay shrinks the weights themselves.

    .. math::
        \theta \leftarrow (1 - \eta\,\lambda)\,\theta

    Then comes the step of :class:`Adam`. :math:`\lambda` is ``weight_decay``. In :class:`Adam` the
    decay is a part of the gradient, so the division by :math:`\sqrt{\hat v}` weakens it where
    gradients are large. Here all weights shrink by the same factor.

    Shapes and errors: as for :class:`Adam`.

    Source: Loshchilov & Hutter (2019), algorithm 2.

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

    After step :math:`t` each weight is the :math:`w` that minimizes

    .. math::
        g_{1:t}\,w &+ \tfrac12 \sum_{s=0}^t \sigma_s (w - \theta_s)^2 \\
            &+ \lambda_1 |w| + \tfrac12 \lambda_2 w^2

    where :math:`1{:}t` stands for a sum over the steps so far, and the :math:`\sigma_s` are such
    that

    .. math::
        \sigma_{0:t} &= \frac{1}{\eta_t} = \frac{\beta + \sqrt{n_t}}{\eta} \\
        n_t &= \sum_{s=1}^t g_s^2

    With :math:`z_t = g_{1:t} - \sum_s \sigma_s \theta_s` the minimum is at 0 where :math:`|z_t| \le
    \lambda_1`, and otherwise at

    .. math::
        \theta_{t+1} = -\frac{z_t - \operatorname{sgn}(z_t)\,\lambda_1}{1/\eta_t + \lambda_2}

    So ``l1``, :math:`\lambda_1`, makes weights exactly 0. ``l2`` is :math:`\lambda_2`. The paper
    starts at :math:`\theta_0 = 0`; here :math:`\theta_0` is where the weights start. The rate
    :math:`\eta` may change from step to step; a step with ``lr=0`` does nothing. Without penalties
    :math:`\theta_{t+1} = \theta_t - \eta_t\,g_t`, which is :class:`Adagrad` with ``eps=beta``.

    Shapes: parameters of any shape; the states ``z`` and ``n`` have the parameter's shape.

    Raises:
        TypeError: if ``params`` holds no tensors, or if a setting is not a number.
        ValueError: if ``params`` is empty, if a setting is negative, or if ``beta`` is not above 0.

    Source: McMahan et al. (2013), algorithm 1.

    >>> x = torch.tensor([1.0, 0.01], requires_grad=True)
    >>> FTRL([x], lr=0.1, l1=1.0).step((x**2).sum().backward), x.detach()
    (None, tensor([0.9000, 0.0000]))
    """

    tensors, later = ("z", "n"), ("lr",)

    def __init__(self, params: Iterable, lr: float, *, beta: float = 1.0,
                 l1: float = 0.0, l2: float = 0.0) -> None:  # fmt: skip
        settings = {"lr": lr, "beta": beta, "l1": l1, "l2": l2}
        super().__init__(params, settings)

    def update(self, param: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        z, n, beta, l1 = state["z"], state["n"], group["beta"], group["l1"]
        lr = float(group["lr"])  # a schedule changes a tensor in place, also one kept in the state
        if lr == 0:  # the past would weigh infinitely much
            return
        before = n.sqrt().add_(beta).div_(state.get("lr", lr))
        if "lr" not in state:
            z.addcmul_(before, param, value=-1)
        weight = n.addcmul_(grad, grad).sqrt().add_(beta).div_(lr)  # 1 / η of each coordinate
        z.add_(grad).addcmul_(before.sub_(weight), param)  # - σ θ
        param.copy_(z.clamp(-l1, l1).sub_(z).div_(weight.add_(group["l2"])))
        state["lr"] = lr
