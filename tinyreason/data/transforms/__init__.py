"""Transforms of the rows that are trained on, one file each; its name is the `kind`."""

from tinyreason.data.transforms._transform import Transform as Transform
from tinyreason.data.transforms._transform import TransformContext as TransformContext
from tinyreason.data.transforms._transform import transformed as transformed
from tinyreason.data.transforms.auto_cei import AutoCei
from tinyreason.data.transforms.band import Band
from tinyreason.data.transforms.choice_open import ChoiceOpen
from tinyreason.data.transforms.dedup import Dedup
from tinyreason.data.transforms.dots import Dots
from tinyreason.data.transforms.east import East
from tinyreason.data.transforms.fair import Fair
from tinyreason.data.transforms.hardest import Hardest
from tinyreason.data.transforms.length_bucket import LengthBucket
from tinyreason.data.transforms.mix import Mix
from tinyreason.data.transforms.outcome import Outcome
from tinyreason.data.transforms.pairs import Pairs
from tinyreason.data.transforms.pass_rate import PassRate
from tinyreason.data.transforms.prefix import Prefix
from tinyreason.data.transforms.refusals import Refusals
from tinyreason.data.transforms.sample import Sample
from tinyreason.data.transforms.segments import Segments
from tinyreason.data.transforms.select_rows import SelectRows
from tinyreason.data.transforms.self_braking import SelfBraking
from tinyreason.data.transforms.shortest_correct import ShortestCorrect
from tinyreason.data.transforms.signed import Signed
from tinyreason.data.transforms.spread import Spread
from tinyreason.data.transforms.steps_within import StepsWithin
from tinyreason.data.transforms.trim import Trim
from tinyreason.data.transforms.unsolved import Unsolved

TRANSFORMS = {
    "auto_cei": AutoCei,
    "band": Band,
    "choice_open": ChoiceOpen,
    "dedup": Dedup,
    "dots": Dots,
    "east": East,
    "fair": Fair,
    "hardest": Hardest,
    "length_bucket": LengthBucket,
    "mix": Mix,
    "outcome": Outcome,
    "pairs": Pairs,
    "pass_rate": PassRate,
    "prefix": Prefix,
    "refusals": Refusals,
    "sample": Sample,
    "segments": Segments,
    "select": SelectRows,
    "self_braking": SelfBraking,
    "shortest_correct": ShortestCorrect,
    "signed": Signed,
    "spread": Spread,
    "steps_within": StepsWithin,
    "trim": Trim,
    "unsolved": Unsolved,
}
