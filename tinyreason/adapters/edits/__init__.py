"""Edits of a model's weights without training, one kind a file: what is read off its traces is written as a LoRA."""

from tinyreason.adapters.edits._edit import Edit as Edit
from tinyreason.adapters.edits._edit import LayerChange as LayerChange
from tinyreason.adapters.edits._edit import Trace as Trace
from tinyreason.adapters.edits._states import attention_layers as attention_layers
from tinyreason.adapters.edits._states import output_weights as output_weights
from tinyreason.adapters.edits._states import read_states as read_states
from tinyreason.adapters.edits._write import write_change as write_change
from tinyreason.leaves import Leaves

EDITS = Leaves.of_folder(__name__, __path__)
