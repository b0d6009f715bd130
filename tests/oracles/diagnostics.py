"""The rows of deeplearn.diagnostics."""

from deeplearn import diagnostics
from oracles.table import Bad, linear

BAD = [
    Bad(
        diagnostics.record_activations,
        lambda: diagnostics.record_activations(linear(), "(").__enter__(),
        ValueError,
        ("pattern", "'('", "regular expression"),
    ),
    Bad(
        diagnostics.record_activations,
        lambda: diagnostics.record_activations(None).__enter__(),
        TypeError,
        ("model", "NoneType"),
    ),
    Bad(
        diagnostics.gradient_norms,
        lambda: diagnostics.gradient_norms(None),
        TypeError,
        ("model", "NoneType"),
    ),
    Bad(
        diagnostics.record_activations,
        lambda: diagnostics.record_activations(linear(), "hidden.*").__enter__(),
        ValueError,
        ("hidden.*", "the model has"),
    ),
    Bad(
        diagnostics.gradient_norms,
        lambda: diagnostics.gradient_norms(linear()),
        ValueError,
        ("model", "loss.backward()"),
    ),
]
