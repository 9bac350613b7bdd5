"""`python -m tinyreason`."""

from tinyreason.cli.main import main

main(prog_name="tinyreason")
