"""Training deep networks: each technique in the few lines that you should read.

Import the module that you need: ``from deeplearn import init, optim``. A name that torch also has
behaves as torch's; the tests hold every one against torch, a closed form or a hand-made case.
"""

__version__ = "0.1.0"
