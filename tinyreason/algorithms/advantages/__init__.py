"""Advantages: an estimator or a shaper a file. `(Batch, advantages (N,) or (N, T), Store) → (N,) or (N, T)`."""

from tinyreason.algorithms.advantages._advantage import check_advantages as check_advantages
from tinyreason.algorithms.advantages._advantage import check_level as check_level
from tinyreason.algorithms.advantages._advantage import estimate as estimate
from tinyreason.algorithms.advantages._own import OwnAdvantage as OwnAdvantage
from tinyreason.algorithms.advantages.adaptthink import Adaptthink
from tinyreason.algorithms.advantages.clip_cov import ClipCov
from tinyreason.algorithms.advantages.disco import Disco
from tinyreason.algorithms.advantages.dr_grpo import DrGrpo
from tinyreason.algorithms.advantages.flowrl import Flowrl
from tinyreason.algorithms.advantages.gdpo import Gdpo
from tinyreason.algorithms.advantages.gfpo import Gfpo
from tinyreason.algorithms.advantages.grpo import Grpo
from tinyreason.algorithms.advantages.grpo_lead import GrpoLead
from tinyreason.algorithms.advantages.less_segments import LessSegments
from tinyreason.algorithms.advantages.light_if import LightIf
from tinyreason.algorithms.advantages.lite_ppo import LitePpo
from tinyreason.algorithms.advantages.maxrl import Maxrl
from tinyreason.algorithms.advantages.mgpo import Mgpo
from tinyreason.algorithms.advantages.nsr import Nsr
from tinyreason.algorithms.advantages.opo import Opo
from tinyreason.algorithms.advantages.oreal import Oreal
from tinyreason.algorithms.advantages.pass_at_k import PassAtK
from tinyreason.algorithms.advantages.qae import Qae
from tinyreason.algorithms.advantages.rl_zvp import RlZvp
from tinyreason.algorithms.advantages.rloo import Rloo
from tinyreason.algorithms.advantages.spiral_role_baseline import SpiralRoleBaseline
from tinyreason.algorithms.advantages.spo_single_stream import SpoSingleStream
from tinyreason.algorithms.advantages.xrpo import Xrpo

ADVANTAGES = {
    "adaptthink": Adaptthink,
    "clip_cov": ClipCov,
    "disco": Disco,
    "dr_grpo": DrGrpo,
    "flowrl": Flowrl,
    "gdpo": Gdpo,
    "gfpo": Gfpo,
    "grpo": Grpo,
    "grpo_lead": GrpoLead,
    "less_segments": LessSegments,
    "light_if": LightIf,
    "lite_ppo": LitePpo,
    "maxrl": Maxrl,
    "mgpo": Mgpo,
    "nsr": Nsr,
    "opo": Opo,
    "oreal": Oreal,
    "pass_at_k": PassAtK,
    "qae": Qae,
    "rl_zvp": RlZvp,
    "rloo": Rloo,
    "spiral_role_baseline": SpiralRoleBaseline,
    "spo_single_stream": SpoSingleStream,
    "xrpo": Xrpo,
}
