"""Transforms of the rows that are trained on, one file each; its name is the `kind`."""

from tinyreason.data.transforms._transform import Transform as Transform
from tinyreason.data.transforms._transform import TransformContext as TransformContext
from tinyreason.data.transforms._transform import transformed as transformed
from tinyreason.leaves import Leaves

TRANSFORMS = Leaves.of_folder(__name__, __path__, {"select": "select_rows"})
