"""Books out of streams of level updates."""

from quantjax.lob.reconstruction.apply import apply_updates
from quantjax.lob.reconstruction.batch import StreamBatch, stack_streams
from quantjax.lob.reconstruction.price_grid import PriceGrid, price_grid
from quantjax.lob.reconstruction.reconstruct import reconstruct
from quantjax.lob.reconstruction.validation import UpdateCheck, check_updates

__all__ = [
    "PriceGrid",
    "StreamBatch",
    "UpdateCheck",
    "apply_updates",
    "check_updates",
    "price_grid",
    "reconstruct",
    "stack_streams",
]
