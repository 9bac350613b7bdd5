"""`python -m tinyreason`."""

from tinyreason.cli import main

main(prog_name="tinyreason")
