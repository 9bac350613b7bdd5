"""The command line: one file a command group, short bodies, heavy imports inside them."""
