"""The rows of deeplearn.augment."""

from functools import partial

import torch

from deeplearn import augment
from oracles.table import NAN, Bad, integers, weight

TRANSFORMS = [
    augment.random_shift,
    augment.random_rotation,
    augment.random_scale,
    augment.elastic,
    augment.adjust_contrast,
]
square = partial(torch.zeros, 3, 4, 4)

BAD = [
    *(
        Bad(transform, partial(transform, images, **kwargs), error, words)
        for transform in TRANSFORMS
        for images, kwargs, error, words in (
            (None, {}, TypeError, ("images", "NoneType", "torch.as_tensor")),
            (integers(), {}, TypeError, ("images", "torch.int64", ".float()")),
            (weight()[:0], {}, ValueError, ("images", "empty", "(0, 4)")),
            (weight() * NAN, {}, ValueError, ("images", "12 NaN")),
            (torch.zeros(3, 5), {}, ValueError, ("images", "(N, H·H)", "(3, 5)")),
            (torch.zeros(5), {}, ValueError, ("images", "(5,)", "(N, H, W)")),
            (torch.tensor(0.5), {}, ValueError, ("images", "()", "(N, H, W)")),
            (torch.zeros(3, 1, 4, 4), {}, ValueError, ("images", "(3, 1, 4, 4)", ".squeeze(1)")),
            (weight() + 255, {}, ValueError, ("images", "[0, 1]", "255 to 255", "rescale")),
            (weight() - 0.01, {}, ValueError, ("images", "[0, 1]", "-0.01 to", "rescale")),
            (square(), {"generator": 0}, TypeError, ("generator", "int", "manual_seed")),
        )
    ),
    *(
        Bad(transform, partial(transform, square(), *args), error, words)
        for transform, args, error, words in (
            (augment.random_shift, (-1,), ValueError, ("max_shift", "-1", "larger")),
            (augment.random_shift, (4,), ValueError, ("max_shift", "[0, 4)", "got 4", "in view")),
            (augment.random_shift, (1.5,), TypeError, ("max_shift", "float", "whole")),
            (augment.random_rotation, (-1,), ValueError, ("max_degrees", "-1", "half turn")),
            (augment.random_rotation, (181,), ValueError, ("max_degrees", "[0, 180]", "181")),
            (augment.random_rotation, (NAN,), ValueError, ("max_degrees", "nan", "half turn")),
            (augment.random_scale, (-0.1,), ValueError, ("max_change", "-0.1", "above 0")),
            (augment.random_scale, (1,), ValueError, ("max_change", "[0, 1)", "got 1", "above 0")),
            (augment.random_scale, ("1",), TypeError, ("max_change", "str", "above 0")),
            (augment.elastic, (-1,), ValueError, ("alpha", "-1", "0 moves nothing")),
            (augment.elastic, (float("inf"),), ValueError, ("alpha", "inf", "0 moves nothing")),
            (augment.elastic, (1, 0.4), ValueError, ("sigma", "[0.5, inf)", "0.4", "4 for 29")),
            (augment.elastic, (1, None), TypeError, ("sigma", "NoneType", "4 for 29")),
            (augment.adjust_contrast, (-0.5,), ValueError, ("low", "-0.5", "negative")),
            (augment.adjust_contrast, (1.0, 0.5), ValueError, ("high", "[1, inf)", "0.5", "low")),
            (augment.adjust_contrast, (0.5, NAN), ValueError, ("high", "nan", "largest")),
        )
    ),
    Bad(augment.Compose, lambda: augment.Compose([]), TypeError, ("transforms", "[]", "some")),
    Bad(augment.Compose, lambda: augment.Compose([3]), TypeError, ("transforms", "[3]", "some")),
]
