"""Every model there is: a line for each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mmrec.params.models.bert4rec import Bert4RecParams
from mmrec.params.models.contentknn import ContentKnnParams
from mmrec.params.models.fdsa import FdsaParams
from mmrec.params.models.gru4rec import Gru4RecParams
from mmrec.params.models.itemknn import ItemKnnParams
from mmrec.params.models.mmsr import MmsrParams
from mmrec.params.models.mmsrec import MmsrecParams
from mmrec.params.models.morec import MorecParams
from mmrec.params.models.mp4sr import Mp4srParams
from mmrec.params.models.nextitnet import NextitnetParams
from mmrec.params.models.pmmrec import PmmrecParams
from mmrec.params.models.popularity import PopularityParams
from mmrec.params.models.sasrec import SasrecParams
from mmrec.params.models.sasrecm import SasrecmParams
from mmrec.params.models.transitions import TransitionsParams

ModelParams = Annotated[
    Mp4srParams
    | MmsrecParams
    | PmmrecParams
    | MmsrParams
    | SasrecParams
    | Gru4RecParams
    | SasrecmParams
    | FdsaParams
    | MorecParams
    | NextitnetParams
    | Bert4RecParams
    | ItemKnnParams
    | ContentKnnParams
    | TransitionsParams
    | PopularityParams,
    Field(discriminator="name"),
]
