"""Adapters, one kind a file: `attach`, `save`, and a learning rate of its own; the only home of peft."""

from tinyreason.adapters._adapter import with_adapter as with_adapter
from tinyreason.adapters._fit import adapts_embedding as adapts_embedding
from tinyreason.adapters._low_rank import bare_layer as bare_layer
from tinyreason.adapters._low_rank import is_low_rank as is_low_rank
from tinyreason.adapters._low_rank import learnt_row as learnt_row
from tinyreason.adapters._low_rank import low_rank_factors as low_rank_factors
from tinyreason.adapters._merge import adapted_weights as adapted_weights
from tinyreason.adapters._merge import adds_biases as adds_biases
from tinyreason.adapters._merge import give_biases as give_biases
from tinyreason.adapters._merge import is_quantized as is_quantized
from tinyreason.adapters._merge import merge_adapter as merge_adapter
from tinyreason.adapters._served import adapts as adapts
from tinyreason.adapters._served import trained_sha256 as trained_sha256
from tinyreason.adapters._served import write_zeros as write_zeros
from tinyreason.leaves import Leaves

ADAPTERS = Leaves.of_folder(__name__, __path__)
