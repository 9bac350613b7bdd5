"""Knows which scorers of the library reasoning-gym can be believed, and loads them; the library is an extra."""

from collections.abc import Callable
from functools import lru_cache
from importlib import util
from typing import Annotated, Any

from pydantic import AfterValidator

from tinyreason.errors import DataError, nearest

SAFE = tuple(
    """
    ab aiw arc_1d base_conversion basic_arithmetic binary_alternation caesar_cipher chain_sum circuit_logic
    color_cube_rotation count_bits count_primes course_schedule cryptarithm decimal_chain_sum dice
    family_relationships gcd group_anagrams largest_island lcm leg_counting letter_counting mahjong_puzzle
    manipulate_matrix maze mini_sudoku modulo_grid needle_haystack number_filtering number_format
    palindrome_generation palindrome_partitioning path_star prime_factorization products rectangle_count
    rotate_matrix rotten_oranges self_reference shortest_path simple_equations simple_geometry string_manipulation
    string_splitting string_synthesis syllogism tower_of_hanoi tsumego word_sequence_reversal
    """.split()
)
"""Its tasks that have a gold answer, repeat for a seed, take no minute, and whose scorers take nothing incorrect."""


def is_believed(name: str) -> str:
    """Returns the name of a task whose scorer can be believed. Errors: `ValueError` for another."""
    if name not in SAFE:
        raise ValueError(f"reasoning_gym has no task '{name}' whose scorer can be believed{nearest(name, SAFE)}")
    return name


SafeName = Annotated[str, AfterValidator(is_believed)]


@lru_cache(maxsize=64)
def scorer_of(name: str) -> Callable[[str, dict[str, Any]], float]:
    """Returns a task's scorer. Errors: `DataError` where the library is not installed."""
    check_reasoning_gym()
    from reasoning_gym import get_score_answer_fn

    return get_score_answer_fn(name)


def check_reasoning_gym() -> None:
    """Raises `DataError`, with what to type, where the library is not installed."""
    if not util.find_spec("reasoning_gym"):
        raise DataError(
            "reasoning_gym needs the package reasoning-gym, which is not installed; type: "
            "pip install reasoning-gym==0.1.25, or take another task (tinyreason methods tasks)."
        )
