"""Programs whose products are of small integers: `quantize`, and how QDQ becomes integer kernels.

small = gc.quantize(program, batches)    weights and activations as int8, ranges of calls seen
small = gc.quantize(program)             weights as int8, activations scaled at each call
"""

from graphc.quantisation.calibration import Method
from graphc.quantisation.integers import with_integers
from graphc.quantisation.quantizing import Quantised, quantize

__all__ = ["Method", "Quantised", "quantize", "with_integers"]
