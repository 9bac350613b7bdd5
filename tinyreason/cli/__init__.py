"""The command line: one file a command group, short bodies, heavy imports inside them."""

from tinyreason.cli.main import main as main
