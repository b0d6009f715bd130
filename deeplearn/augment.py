"""Augmentation: images that are new in each epoch, of the same class, shape, type and range.

``images`` are (N, H, W), or (N, H·W) if square, in [0, 1] with background 0: so augment before you
standardize. Each image gets a draw of its own, and what comes in from outside is 0. The input stays
as it is. A flip is missing on purpose: it must leave the class alone, and a mirrored 2 is no digit.

All functions raise a ``TypeError`` if ``images`` is not a floating-point tensor, and a
``ValueError`` if it is empty, of another shape, or outside [0, 1].
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from deeplearn._check import check_count, check_data, check_generator, check_range

__all__ = [
    "Compose", "adjust_contrast", "elastic", "random_rotation", "random_scale", "random_shift"
]  # fmt: skip

RNG = torch.Generator | None


def _read(images: Tensor, generator: RNG) -> tuple[Tensor, Tensor, Tensor]:
    """Check the images; return them as (N, H, W) and the row and column of pixels, 0 = middle."""
    check_data("images", images)
    check_generator(generator)
    side = math.isqrt(images.size(-1)) if images.dim() == 2 else 0
    if images.dim() not in (2, 3) or (side and side**2 != images.size(1)):
        found = tuple(images.shape)
        raise ValueError(f"images must be (N, H, W) or (N, H·H), got {found}; call .squeeze(1)")
    low, high = images.aminmax()
    if low < 0 or high > 1:
        raise ValueError(f"images must be in [0, 1], got {low:g} to {high:g}; rescale them")
    images = images.unflatten(1, (side, side)) if side else images
    rows, columns = (torch.arange(n).to(images) - (n - 1) / 2 for n in images.shape[1:])
    return images, rows.unsqueeze(1), columns


def _sample(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return each image at its places (N, H, W), weighing the four pixels around by distance."""
    height, width = images.shape[1:]
    grid = images.new_empty(2, *images.shape)  # filled in place: new memory is what takes time
    for axis, (place, length) in enumerate(((columns, width), (rows, height))):
        grid[axis].copy_(place).mul_(2 / length)  # edges are ±1
    sampled = F.grid_sample(images.unsqueeze(1), grid.movedim(0, -1), align_corners=False)
    return sampled.squeeze(1).clamp_(0, 1)  # the four weights may add up to 1 + 1e-7


def random_shift(images: Tensor, max_shift: int = 2, *, generator: RNG = None) -> Tensor:
    """Move each image by a random number of whole pixels, down or up and right or left.

    Both moves are uniform from ``-max_shift`` to ``max_shift`` pixels.

    Shapes: (N, H, W) or (N, H·W), and the output has the same; ``max_shift`` is in pixels.

    Raises:
        TypeError: if ``images`` is not a floating-point tensor, or ``max_shift`` not an int.
        ValueError: if ``images`` has another shape or range, or if ``max_shift`` is negative, or
            not less than H and W.

    Source: LeCun et al. (1998), Gradient-based learning applied to document recognition, section
    III.

    >>> random_shift(torch.eye(2).view(1, 4), max_shift=0)
    tensor([[1., 0., 0., 1.]])
    """
    pictures, rows, columns = _read(images, generator)
    check_count("max_shift", max_shift, 0)
    check_range("max_shift", max_shift, 0, min(pictures.shape[1:]), cure="keep a part in view")
    moves = torch.randint(2 * max_shift + 1, (2, len(images), 1), generator=generator)
    down, right = moves.to(images.device)
    padded = F.pad(pictures, [max_shift] * 4)
    rows = (down + torch.arange(len(rows), device=down.device)).unsqueeze(2) * padded.size(2)
    places = rows + (right + torch.arange(len(columns), device=down.device)).unsqueeze(1)
    return padded.flatten(1).gather(1, places.flatten(1)).reshape(images.shape)


def random_rotation(images: Tensor, max_degrees: float = 15, *, generator: RNG = None) -> Tensor:
    r"""Turn each image about its middle by a random angle, counterclockwise if positive.

    The angle :math:`\theta` is uniform from ``-max_degrees`` to ``max_degrees``. The pixel in row
    :math:`r` and column :math:`c`, counted from the middle, shows what was at

    .. math::
        r' &= r \cos\theta + c \sin\theta \\
        c' &= c \cos\theta - r \sin\theta

    Between pixels, the four around a place are weighed by their distance.

    Shapes: (N, H, W) or (N, H·W), and the output has the same; ``max_degrees`` is in degrees.

    Raises:
        TypeError: if ``images`` is not a floating-point tensor, or ``max_degrees`` not a number.
        ValueError: if ``images`` has another shape or range, or if ``max_degrees`` is outside [0,
            180].

    Source: Simard et al. (2003), section 2.

    >>> upright = torch.tensor([[[0.0, 1.0, 0.0]] * 3])
    >>> random_rotation(upright, max_degrees=0).equal(upright)
    True
    """
    pictures, rows, columns = _read(images, generator)
    check_range("max_degrees", max_degrees, 0, 180, closed="[]", cure="a half turn is the most")
    draw = torch.rand(len(images), 1, 1, generator=generator).to(images.device)
    angle = draw.mul(2).sub(1).mul(max_degrees)
    sin, cos = angle.deg2rad().sin(), angle.deg2rad().cos()
    rows, columns = rows * cos + columns * sin, columns * cos - rows * sin
    return _sample(pictures, rows, columns).reshape(images.shape)


def random_scale(images: Tensor, max_change: float = 0.1, *, generator: RNG = None) -> Tensor:
    r"""Enlarge or shrink each image about its middle by a random factor.

    The factor is uniform from ``1 - max_change`` to ``1 + max_change``. The pixel in row :math:`r`
    and column :math:`c`, counted from the middle, shows what was at

    .. math::
        (r', c') = (r, c) / \text{factor}

    Shapes: (N, H, W) or (N, H·W), and the output has the same; ``max_change`` has no unit.

    Raises:
        TypeError: if ``images`` is not a floating-point tensor, or ``max_change`` not a number.
        ValueError: if ``images`` has another shape or range, or if ``max_change`` is outside [0,
            1).

    Source: Simard et al. (2003), section 2.

    >>> random_scale(torch.ones(2, 784), max_change=0.2).shape
    torch.Size([2, 784])
    """
    pictures, rows, columns = _read(images, generator)
    check_range("max_change", max_change, 0, 1, cure="a factor must stay above 0")
    draw = torch.rand(len(images), 1, 1, generator=generator).to(images.device)
    factor = 1 + max_change * (2 * draw - 1)
    return _sample(pictures, rows / factor, columns / factor).reshape(images.shape)


def elastic(
    images: Tensor, alpha: float = 34.0, sigma: float = 4.0, *, generator: RNG = None
) -> Tensor:
    r"""Deform each image smoothly, as if the same hand had written the digit once more.

    The pixel at :math:`p` shows what was at :math:`p + d(p)`, where a Gaussian of ``sigma`` pixels
    blurs noise :math:`u`, one for rows and one for columns:

    .. math::
        d = \alpha\,(G_\sigma * u), \qquad u \sim U(-1, 1)

    Far from the edges these moves have the quadratic mean :math:`\alpha / (2 \sigma \sqrt{3 \pi})`,
    in pixels.

    Shapes: (N, H, W) or (N, H·W), and the output has the same; ``sigma`` is in pixels.

    Raises:
        TypeError: if ``images`` is not a floating-point tensor, or ``alpha`` or ``sigma`` not a
            number.
        ValueError: if ``images`` has another shape or range, if ``alpha`` is negative, or if
            ``sigma`` is below 0.5.

    Source: Simard et al. (2003), section 2.

    >>> elastic(torch.ones(2, 784)).shape
    torch.Size([2, 784])
    """
    pictures, rows, columns = _read(images, generator)
    check_range("alpha", alpha, 0, cure="0 moves nothing")
    check_range("sigma", sigma, 0.5, cure="the paper takes 4 for 29 pixels")
    noise = torch.rand(2, *pictures.shape, generator=generator).sub_(0.5).to(images)
    places = (rows, columns.unsqueeze(1))
    down, across = (((p - p.mT) / sigma).square().div(-2).exp() for p in places)
    moves = (alpha / (math.pi * sigma**2) * down) @ (noise @ across)
    return _sample(pictures, moves[0].add_(rows), moves[1].add_(columns)).reshape(images.shape)


def adjust_contrast(
    images: Tensor, low: float = 0.7, high: float = 1.3, *, generator: RNG = None
) -> Tensor:
    r"""Strengthen or weaken the contrast of each image by a random factor.

    .. math::
        x' &= \operatorname{clip}(\bar x + a\,(x - \bar x),\, 0,\, 1) \\
        a &\sim U(\text{low}, \text{high})

    :math:`\bar x` is the mean of the image.

    Shapes: (N, H, W) or (N, H·W), and the output has the same; ``low`` and ``high`` have no unit.

    Raises:
        TypeError: if ``images`` is not a floating-point tensor, or ``low`` or ``high`` not a
            number.
        ValueError: if ``images`` has another shape or range, if ``low`` is negative, or if ``high``
            is below ``low``.

    Source: Krizhevsky et al. (2012), section 4.1, change intensities in a similar way.

    >>> adjust_contrast(torch.tensor([[0.0, 0.2, 0.8, 1.0]]), low=0.5, high=0.5)
    tensor([[0.2500, 0.3500, 0.6500, 0.7500]])
    """
    pictures, *_ = _read(images, generator)
    check_range("low", low, 0, cure="a factor below 0 makes a negative")
    check_range("high", high, low, cure="it is the largest factor, low the smallest")
    factor = low + (high - low) * torch.rand(len(images), 1, 1, generator=generator).to(images)
    mean = pictures.mean(dim=(1, 2), keepdim=True)
    return (mean + factor * (pictures - mean)).clamp(0, 1).reshape(images.shape)


class Compose:
    """Apply several functions in a row, each with the ``generator`` of the call.

    Shapes: as the functions take and return them.

    Raises:
        TypeError: if ``transforms`` is empty, or holds something that cannot be called.

    >>> from functools import partial
    >>> augment = Compose([random_shift, partial(random_rotation, max_degrees=10)])
    >>> augment(torch.ones(2, 784), generator=torch.Generator()).shape
    torch.Size([2, 784])
    """

    def __init__(self, transforms: Iterable[Callable[..., Tensor]]) -> None:
        self.transforms = list(transforms)
        if not self.transforms or not all(map(callable, self.transforms)):
            raise TypeError(f"transforms must be functions, got {self.transforms}; pass some")

    def __call__(self, images: Tensor, *, generator: RNG = None) -> Tensor:
        for transform in self.transforms:
            images = transform(images, generator=generator)
        return images
