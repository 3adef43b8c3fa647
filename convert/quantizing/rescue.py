"""What to do about an int8 model that lost too much: give its costliest layers more room, and try again.

Most of a layer's error is the rounding of what it gives, so whatever takes that gets the same room: between the
two nothing is rounded to int8.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence

from convert.quantizing.correction import Correction
from convert.quantizing.mixed import Wide, has_quantizer, open_mixed_quantizer
from convert.quantizing.sensitivity import LayerCost
from convert.quantizing.surgery import keep_in_float
from convert.quantizing.twins import with_takers
from edge.preprocess import Image

Keeper = Callable[[Collection[int]], bytes]
"""The int8 model with the steps of these places (`Twins.steps`) in float or int16."""

_log = logging.getLogger(__name__)


def open_keeper(
    wide: Wide,
    correction: Correction,
    quantized: bytes,
    representative: Sequence[Image],
    *,
    has_byte_output: bool = False,
) -> Keeper:
    """LiteRT's quantizer where it is installed; else, for float only, this project's own surgery.

    `quantized` is the network in int8 as `correction` mended it.

    Raises:
        MissingLibraryError: `wide` is int16 and litert-quantizer is not installed.
    """
    if wide == "float" and not has_quantizer():
        _log.info("litert-quantizer is not installed: layers are put back in float without it")
        return lambda kept: keep_in_float(correction.plain, quantized, kept)
    quantizer = open_mixed_quantizer(correction.plain, correction.expects, representative)

    def keep(kept: Collection[int]) -> bytes:
        return correction.of(quantizer.quantize(kept, wide, has_byte_output=has_byte_output))

    return keep


def rescue_steps(plain: bytes, costs: Sequence[LayerCost]) -> Iterator[tuple[LayerCost, ...]]:
    """What to keep, from little to much: the costliest layer, two, four…, with their takers, up to half of all."""
    num_costliest = 1
    while num_costliest <= len(costs):
        places = with_takers(plain, [cost.place for cost in costs[:num_costliest]])
        if len(places) > max(1, len(costs) // 2):
            return
        yield tuple(cost for cost in costs if cost.place in places)
        num_costliest *= 2
