"""Transfer learning: take layers that were trained for another task, hold them, train the rest."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from deeplearn._check import check_count, check_not_empty, check_tensor, check_type
from deeplearn._modules import evaluating, matching_names

__all__ = [
    "LoadReport",
    "cache_features",
    "freeze",
    "load_arrays",
    "load_matching",
    "replace_head",
    "unfreeze",
]


class LoadReport(NamedTuple):
    """What was loaded into a model by name, and what was not.

    ``loaded``, ``missing_keys`` (wanted by the model, not given) and ``unexpected_keys`` (given,
    not in the model) are lists of names. ``mismatched_keys`` maps a name to two shapes: that of
    what was given, and that of what was needed.

    >>> LoadReport(["hidden1.weight"], ["output.weight"], [], {}).missing_keys
    ['output.weight']
    """

    loaded: list[str]
    missing_keys: list[str]
    unexpected_keys: list[str]
    mismatched_keys: dict[str, tuple]


def _hold(module: nn.Module, args: tuple) -> None:
    # A hook, for model.train() at the start of an epoch wakes up every module below it. Torch keeps
    # hooks in the module: they go with it through deepcopy, pickle, and slices of a Sequential.
    module.training = False


def _set_frozen(model: nn.Module, pattern: str, frozen: bool) -> list[str]:
    check_type("model", model, nn.Module)
    modules = dict(model.named_modules())
    free = [m.training for m in modules.values() if _hold not in m._forward_pre_hooks.values()]
    for name in (names := matching_names(modules, pattern)):
        hooks, module = modules[name]._forward_pre_hooks, modules[name]
        for key in [key for key, hook in hooks.items() if hook is _hold]:
            del hooks[key]
            module.training = any(free) or not free
        # A Sequential does nothing of its own; its flag goes on telling the mode of the model.
        if frozen and type(module) is not nn.Sequential:
            module.register_forward_pre_hook(_hold)
            module.training = False
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(not frozen)
            parameter.grad = None if frozen else parameter.grad
    return names


def freeze(model: nn.Module, pattern: str) -> list[str]:
    """Hold the modules whose name matches, and all that is inside them; return their names.

    Their parameters need no gradient any more, and lose a stale one. Each forward pass of the
    modules is in evaluation mode, also after ``model.train()``: batch norm keeps its statistics,
    and dropout that matches drops nothing. Dropout that does not match goes on. ``training`` shows
    ``True`` from ``model.train()`` to the module's next call, which sets it to ``False``; that of
    an ``nn.Sequential`` follows the model.

    Shapes: ``pattern`` is a regular expression for a whole name, such as ``"hidden[12]"``; ``".*"``
    matches all. The result is a list of names.

    Raises:
        TypeError: if ``model`` is not a module.
        ValueError: if no module matches, or if ``pattern`` is not a regular expression.

    Source: Yosinski et al. (2014).

    >>> freeze(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)), "[01]")
    ['0', '1']
    """
    return _set_frozen(model, pattern, True)


def unfreeze(model: nn.Module, pattern: str) -> list[str]:
    """Undo :func:`freeze` for the modules that match; return their names.

    Shapes and errors: as for :func:`freeze`.

    >>> freeze(model := nn.Sequential(nn.Linear(2, 3)), ".*"), unfreeze(model, "0")
    (['', '0'], ['0'])
    """
    return _set_frozen(model, pattern, False)


def load_matching(model: nn.Module, state_dict: Mapping, pattern: str = ".*") -> LoadReport:
    """Copy the values whose key, or the name of a module around it, matches; report the rest.

    Of all keys that match, the report says which were loaded, which are missing from
    ``state_dict``, which are not in the model, and which have another shape.

    Shapes: ``state_dict`` maps names to tensors; ``pattern`` is a regular expression for a whole
    name. The result is a :class:`LoadReport`.

    Raises:
        TypeError: if ``model`` is not a module, ``state_dict`` not a mapping, or a value not a
            tensor.
        ValueError: if no key matches, or if nothing can be loaded; the message holds the report.

    Source: Yosinski et al. (2014).

    >>> load_matching(nn.Linear(3, 1), nn.Linear(2, 1).state_dict()).mismatched_keys
    {'weight': ((1, 2), (1, 3))}
    """
    check_type("model", model, nn.Module)
    check_type("state_dict", state_dict, Mapping)
    own, shapes = model.state_dict(), {}
    keys = matching_names([*own, *state_dict], pattern, "parameter or buffer")
    for key in (key for key in keys if key in own and key in state_dict):
        check_tensor(f"state_dict[{key!r}]", state_dict[key])
        shapes[key] = tuple(state_dict[key].shape), tuple(own[key].shape)
    wrong = {key: two for key, two in shapes.items() if two[0] != two[1]}
    missing, unexpected = ([k for k in keys if k not in there] for there in (state_dict, own))
    report = LoadReport([key for key in shapes if key not in wrong], missing, unexpected, wrong)
    if not report.loaded:
        raise ValueError(f"state_dict must hold a value that fits, got {report}; compare the keys")
    for key in report.loaded:
        own[key].copy_(state_dict[key].detach())
    return report


def load_arrays(model: nn.Module, arrays: Mapping, *, transpose: bool | str) -> LoadReport:
    """Copy weights from another framework, given by the keys of this model; report as
    :func:`load_matching`.

    Torch stores kernels as (out, in), others as (in, out). ``transpose`` is ``True`` for all arrays
    of two dimensions, ``False`` for none, or a regular expression for the names of some. It has no
    default, because a square kernel fits both ways and no shape tells: compare the outputs. After
    an error nothing is changed.

    Shapes: ``arrays`` maps names to arrays or tensors; the result is a :class:`LoadReport`.

    Raises:
        TypeError: if an argument is of another type.
        ValueError: if a key is not in the model, if a shape does not fit, or if the pattern
            ``transpose`` matches no array.

    >>> load_arrays(nn.Linear(3, 1), {"weight": torch.ones(3, 1)}, transpose=True).missing_keys
    ['bias']
    """
    check_type("model", model, nn.Module)
    check_type("arrays", arrays, Mapping)
    if not isinstance(transpose, bool | str):
        raise TypeError(f"transpose must be True, False or a pattern, got {transpose!r}")
    own, given = model.state_dict(), dict(arrays)
    given |= {k: torch.tensor(v) for k, v in arrays.items() if not isinstance(v, Tensor)}
    if transpose:
        turned = [key for key, value in given.items() if value.dim() == 2]
        if transpose is not True:
            turned = matching_names(turned, transpose, "2-d array")
        given |= {key: given[key].T for key in turned}
    for key, value in given.items():
        if key not in own or value.shape != own[key].shape:
            needed = tuple(own[key].shape) if key in own else f"one of the keys {list(own)}"
            raise ValueError(f"{key!r} must be {needed}, got {tuple(value.shape)}; transpose?")
    return load_matching(model, given)


def replace_head(
    model: nn.Module, num_outputs: int, *, init_: Callable = nn.init.xavier_normal_,
    generator: Generator | None = None,
) -> nn.Linear:  # fmt: skip
    """Put a fresh layer in place of the last ``nn.Linear``, and return it.

    The layer gets Xavier's weights unless ``init_`` is given, as no activation follows it, and
    biases of 0. Make the optimizer afterwards: an old one holds the old layer.

    Shapes: the new layer has the inputs of the old one and ``num_outputs`` outputs.

    Raises:
        TypeError: if ``model`` is not a module, or ``num_outputs`` not an int.
        ValueError: if ``model`` has no linear layer inside it, or if ``num_outputs`` is below 1.

    Source: Yosinski et al. (2014).

    >>> replace_head(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), 5)
    Linear(in_features=3, out_features=5, bias=True)
    """
    check_type("model", model, nn.Module)
    check_count("num_outputs", num_outputs)
    names = [name for name, m in model.named_modules() if name and isinstance(m, nn.Linear)]
    if not names:
        raise ValueError(f"model must hold an nn.Linear to replace, got {model}; add one")
    old = model.get_submodule(names[-1])
    shape = old.in_features, num_outputs, old.bias is not None
    # skip_init: torch's own initialization would draw from the global generator for nothing.
    new = nn.utils.skip_init(nn.Linear, *shape).to(old.weight).train(model.training)
    init_(new.weight, generator=generator)
    if new.bias is not None:
        nn.init.zeros_(new.bias)
    model.set_submodule(names[-1], new)
    return new


@torch.no_grad()
def cache_features(model: nn.Module, X: Tensor, batch_size: int = 1024) -> Tensor:
    """Return the outputs of a frozen model for all rows of ``X``, to train what comes after it.

    Training on cached rows gives the losses of training the whole, in a fraction of the time. They
    agree to the last bit where the matrix product rounds a row alike in both (on a CPU, with
    batches of a multiple of 64 rows), and otherwise within 1e-6.

    Shapes: (N, …) to (N, …); ``batch_size`` rows are computed at a time.

    Raises:
        TypeError: if ``model`` is not a module, ``X`` not a tensor, or ``batch_size`` not an int.
        ValueError: if a part of ``model`` is not frozen, since it would change while you train; if
            ``X`` is empty; or if ``batch_size`` is below 1.

    >>> names = freeze(body := nn.Sequential(nn.Linear(2, 3), nn.ReLU()), ".*")
    >>> cache_features(body, torch.zeros(5, 2)).shape
    torch.Size([5, 3])
    """
    check_type("model", model, nn.Module)
    check_tensor("X", X)
    check_not_empty("X", X)
    check_count("batch_size", batch_size)
    acting = {n: m for n, m in model.named_modules() if type(m) is not nn.Sequential}
    free = [n for n, m in acting.items() if _hold not in m._forward_pre_hooks.values()]
    if free := free + [n for n, p in model.named_parameters() if p.requires_grad]:
        raise ValueError(f'model must be frozen, got {free} free; call freeze(model, ".*") first')

    def outputs(rows: Tensor) -> Tensor:
        # BLAS multiplies rows in blocks, and those left over with another rounding.
        padding = rows[:1].expand(-len(rows) % 64, *rows.shape[1:])
        return model(torch.cat([rows, padding]))[: len(rows)]

    with evaluating(model):
        return torch.cat([outputs(rows) for rows in X.split(batch_size)])
