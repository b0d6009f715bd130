"""Pretraining: let layers learn from data without labels, or from labels that cost nothing."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

from deeplearn._check import check_choice, check_count, check_data, check_range, check_type
from deeplearn.activations import ELU
from deeplearn.data import TensorLoader
from deeplearn.init import xavier_normal_
from deeplearn.models import mlp
from deeplearn.normalization import BatchNorm1d
from deeplearn.optim import Adam
from deeplearn.transfer import cache_features, freeze

__all__ = ["RBM", "Autoencoder", "corrupt", "greedy_pretrain"]
_NORMS = BatchNorm1d, nn.BatchNorm1d


class Autoencoder(nn.Module):
    r"""A network that learns to map its input to itself, through a code of fewer numbers.

    .. math::
        \text{code} &= \text{encoder}(x) \\
        \hat x &= \text{decoder}(\text{code})

    The decoder's sizes are the encoder's in reverse. All layers but its last have an activation.
    Layers are named and filled as those of :func:`deeplearn.models.mlp`.

    Shapes: X is (batch, sizes[0]), the code (batch, sizes[-1]), and the output as X.

    Raises:
        TypeError: if ``sizes`` is not a sequence of ints, or if ``activation`` makes no layer.
        ValueError: if ``sizes`` holds fewer than two numbers, or one below 1.

    Source: Hinton & Salakhutdinov (2006).

    >>> list(Autoencoder([784, 100, 30]).decoder._modules)
    ['hidden3', 'activation3', 'output']
    """

    def __init__(
        self, sizes: Sequence[int], activation: Callable[[], nn.Module] = ELU, *,
        generator: Generator | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        there_and_back = [*sizes, *sizes[-2::-1]] if isinstance(sizes, Sequence) else sizes
        layers = mlp(there_and_back, activation, generator=generator)
        self.encoder, self.decoder = layers[: len(layers) // 2 + 1], layers[len(layers) // 2 + 1 :]

    def forward(self, X: Tensor) -> Tensor:
        return self.decoder(self.encoder(X))


class RBM(nn.Module):
    r"""A restricted Boltzmann machine: binary units, visible :math:`v` and hidden :math:`h`.

    .. math::
        p(v, h) &\propto e^{b \cdot v \,+\, c \cdot h \,+\, h \cdot W v} \\
        p(v) &\propto e^{-F(v)} \\
        F(v) &= -b \cdot v \\
            &\quad - \sum_j \ln\bigl(1 + e^{(W v + c)_j}\bigr)

    :math:`b` is ``visible_bias`` and :math:`c` is ``hidden_bias``; both start at 0. The weights
    :math:`W` start small, with a standard deviation of 0.01. Called on :math:`v`, the machine
    returns a reconstruction of it: the probabilities of the visible units, given those of the
    hidden ones.

    Shapes: v is (batch, num_visible) with values in [0, 1], and h is (batch, num_hidden);
    ``weight`` is (num_hidden, num_visible), as in ``nn.Linear``.

    Raises:
        TypeError: if ``num_visible`` or ``num_hidden`` is not an int.
        ValueError: if one of them is below 1.

    Source: Hinton (2002); Hinton (2012), sections 2, 3 and 8.

    >>> RBM(6, 3)(torch.ones(2, 6)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self, num_visible: int, num_hidden: int, *, generator: Generator | None = None
    ) -> None:
        super().__init__()
        check_count("num_visible", num_visible)
        check_count("num_hidden", num_hidden)
        self.weight = nn.Parameter(0.01 * torch.randn(num_hidden, num_visible, generator=generator))
        self.visible_bias = nn.Parameter(torch.zeros(num_visible))
        self.hidden_bias = nn.Parameter(torch.zeros(num_hidden))

    def hidden_probabilities(self, v: Tensor) -> Tensor:
        r"""Return the probability that each hidden unit is 1, given the visible ones.

        .. math::
            p(h = 1 \mid v) = \sigma(W v + c)

        Shapes: (batch, num_visible) to (batch, num_hidden).
        """
        return torch.sigmoid(v @ self.weight.T + self.hidden_bias)

    def visible_probabilities(self, h: Tensor) -> Tensor:
        r"""Return the probability that each visible unit is 1, given the hidden ones.

        .. math::
            p(v = 1 \mid h) = \sigma(W^\top h + b)

        Shapes: (batch, num_hidden) to (batch, num_visible).
        """
        return torch.sigmoid(h @ self.weight + self.visible_bias)

    def free_energy(self, v: Tensor) -> Tensor:
        """Return the free energy :math:`F(v)`: the lower it is, the more likely is :math:`v`.

        Shapes: (batch, num_visible) to (batch,).
        """
        softplus = nn.functional.softplus(v @ self.weight.T + self.hidden_bias)
        return -v @ self.visible_bias - softplus.sum(dim=1)

    def forward(self, v: Tensor) -> Tensor:
        return self.visible_probabilities(self.hidden_probabilities(v))

    @torch.no_grad()
    def cd_gradient(
        self, v: Tensor, k: int = 1, *, generator: Generator | None = None
    ) -> list[Tensor]:
        r"""Return the gradients of contrastive divergence, for the mean of :math:`-\ln p(v)`.

        .. math::
            \nabla_W &= \langle h\,v^\top \rangle_k - \langle h\,v^\top \rangle_0 \\
            \nabla_b &= \langle v \rangle_k - \langle v \rangle_0 \\
            \nabla_c &= \langle h \rangle_k - \langle h \rangle_0

        The means with index 0 are over the data, and those with index :math:`k` over what ``k``
        rounds of sampling :math:`h` and :math:`v` have made of it. They take the probabilities of
        :math:`h` instead of samples, as those are less noisy. Set these as the gradients of the
        parameters, and let an optimizer take a step.

        Shapes: ``v`` is (batch, num_visible); the result is a list of three tensors, in the order
        and the shapes of the parameters.

        Raises:
            TypeError: if ``v`` is not a floating-point tensor, or ``k`` not an int.
            ValueError: if ``v`` has another shape, is empty, or has values outside [0, 1]; or if
                ``k`` is below 1.

        Source: Hinton (2002).
        """
        check_data("v", v)
        check_count("k", k)
        if v.dim() != 2 or v.size(1) != self.weight.size(1) or v.min() < 0 or v.max() > 1:
            found = f"{tuple(v.shape)} from {float(v.min()):g} to {float(v.max()):g}"
            raise ValueError(f"v must be (batch, {self.weight.size(1)}) in [0, 1], got {found}")
        chain = v
        for _ in range(k):
            h = torch.bernoulli(self.hidden_probabilities(chain), generator=generator)
            chain = torch.bernoulli(self.visible_probabilities(h), generator=generator)
        h0, hk, n = self.hidden_probabilities(v), self.hidden_probabilities(chain), len(v)
        return [(hk.T @ chain - h0.T @ v) / n, (chain - v).mean(0), (hk - h0).mean(0)]


def greedy_pretrain(
    model: nn.Sequential, X: Tensor, *, method: str = "autoencoder", num_epochs: int = 10,
    lr: float = 0.001, batch_size: int = 128, generator: Generator | None = None,
) -> dict[str, list[float]]:  # fmt: skip
    r"""Train the hidden layers of an ``mlp`` one by one, each on the outputs of those below it.

    A layer, together with what follows it up to the next one, learns to reconstruct its own input
    :math:`x` through a linear decoder :math:`D`, which is thrown away afterwards:

    .. math::
        L = \bigl\| D(\text{layer}(x)) - x \bigr\|^2 / \dim x

    With ``method="rbm"`` the layer is the hidden side of an :class:`RBM` instead. That needs X in
    [0, 1] and ``activation=nn.Sigmoid``. Adam works on a copy, and the model gets its weights at
    the end. Modes and ``requires_grad`` stay as they were, and an error changes nothing.

    Shapes: ``X`` is (N, inputs of the model). The result maps the name of each hidden layer to its
    mean squared errors, one for each epoch.

    Raises:
        TypeError: if ``model`` is not an ``nn.Sequential``, or if another argument is of another
            type.
        ValueError: if ``X`` is empty, not finite or not as wide as the model's input; if ``model``
            has no hidden layer, or a frozen one; if ``method`` is unknown, or is ``"rbm"`` without
            sigmoids or biases; if batch norm would get a batch of one row; or if a number is out of
            its range.
        FloatingPointError: if a loss is not finite; lower ``lr``.

    Source: Hinton et al. (2006), section 4; Bengio et al. (2007).

    >>> greedy_pretrain(mlp([8, 4, 3, 2]), torch.rand(20, 8), num_epochs=2).keys()
    dict_keys(['hidden1', 'hidden2'])
    """
    check_type("model", model, nn.Sequential)
    check_data("X", X)
    check_choice("method", method, ("autoencoder", "rbm"))
    check_count("num_epochs", num_epochs)
    trained, losses, rbm = deepcopy(model).train(), {}, method == "rbm"
    layers, names = list(trained), list(trained._modules)
    check_count("batch_size", batch_size)
    # The output layer is not trained.
    end = len(layers) - any(isinstance(last, nn.Linear) for last in layers[-1:])
    starts = [i for i, layer in enumerate(layers[:end]) if isinstance(layer, nn.Linear)]
    blocks = [trained[i:j] for i, j in pairwise([*starts, end])]
    if starts[:1] != [0] or not all(p.requires_grad for p in model.parameters()):
        raise ValueError(f"model must be an mlp with hidden layers, none frozen, got {model}")
    if rbm and not all(nn.Sigmoid in map(type, block[1:2]) for block in blocks):
        raise ValueError(f"method='rbm' needs mlp(sizes, nn.Sigmoid), got {model}; build it so")
    if rbm and any(block[0].bias is None for block in blocks):
        raise ValueError(f"method='rbm' needs a bias in each hidden layer, got {model}; add it")
    # 1 % batch_size is 0 for batches of one row, and else 1, the rows left over.
    if len(X) % batch_size == 1 % batch_size and any(isinstance(m, _NORMS) for m in layers[:end]):
        found = f"{batch_size} for {len(X)} rows: batch norm cannot take a batch of one row"
        raise ValueError(f"batch_size must leave no single row, got {found}; change it by 1")
    if X.shape[1:] != layers[0].weight.shape[1:]:
        wanted = f"X must be (batch, {layers[0].in_features})"
        raise ValueError(f"{wanted}, got shape {tuple(X.shape)}; flatten it")
    for name, block in zip([names[i] for i in starts], blocks, strict=True):
        fan_out, fan_in = block[0].weight.shape
        if rbm:
            learner = RBM(fan_in, fan_out, generator=generator)
        else:
            decoder = mlp([fan_out, fan_in], init_=xavier_normal_, generator=generator)
            learner = nn.Sequential(block, decoder)
        parameters = list(learner.to(X).parameters())
        optimizer, losses[name] = Adam(parameters, lr=lr), []
        for _ in range(num_epochs):
            total = 0.0
            for (batch,) in TensorLoader(X, batch_size=batch_size, generator=generator):
                loss = (learner(batch) - batch).square().mean()
                if rbm:
                    gradients = learner.cd_gradient(batch, generator=generator)
                else:
                    gradients = torch.autograd.grad(loss, parameters)
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient
                optimizer.step()
                total += loss.item() * len(batch) / len(X)
            if not math.isfinite(total):
                raise FloatingPointError(f"{name} has loss {total} with lr={lr}; lower lr")
            losses[name].append(total)
        if rbm:
            block[0].load_state_dict({"weight": learner.weight, "bias": learner.hidden_bias})
        freeze(block, ".*")
        X = cache_features(block, X)
    model.load_state_dict(trained.state_dict())
    return losses


def corrupt(
    X: Tensor, p: float = 0.5, *, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Return the rows of ``X``, then a damaged copy of each, with labels 1.0 (good) and 0.0
    (damaged).

    A copy takes each value, with probability ``p``, from the same place in another row. So no place
    alone tells that a row is damaged, as the zeros of a mask would: only the relations between
    places do. For a max-margin task take ``good, damaged = inputs.chunk(2)``.

    Shapes: (N, …) to inputs (2N, …) and labels (2N,).

    Raises:
        TypeError: if ``X`` is not a floating-point tensor, or ``p`` not a number.
        ValueError: if ``X`` has fewer than 2 rows or is not finite, if ``p`` is outside (0, 1), or
            if a copy came out whole.

    Source: Collobert & Weston (2008), who replace a word in a text.

    >>> corrupt(torch.eye(2), 0.9, generator=torch.Generator().manual_seed(0))[1]
    tensor([1., 1., 0., 0.])
    """
    check_data("X", X)
    check_range("p", p, 0, 1, closed="()", cure="at 1 a copy would be another good row")
    if X.dim() < 2 or len(X) < 2:
        raise ValueError(f"X must be (N, …) with 2 rows or more, got shape {tuple(X.shape)}")
    shift = int(torch.randint(1, len(X), (1,), generator=generator))
    swapped = torch.empty_like(X).bernoulli_(p, generator=generator).bool()
    damaged = torch.where(swapped, X.roll(shift, 0), X)
    if whole := int((damaged == X).flatten(1).all(dim=1).sum()):
        raise ValueError(f"p={p} left {whole} of {len(X)} rows whole; change p, drop equal rows")
    return torch.cat([X, damaged]), torch.tensor([1.0, 0.0]).to(X).repeat_interleave(len(X))
