"""The run folder: written, checkpointed, resumed and read back."""
