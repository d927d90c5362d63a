"""Training of PMMRec on all its losses: DAP, the contrast of modalities, NID and RCL.

Shapes: B sequences of length L, T tokens (real positions), c distinct items of the batch,
D embedding_dim.
"""

from __future__ import annotations

from typing import Final, Literal

from torch import Tensor

from mmrec.models.in_batch_sequences import InBatchSequencesSoftmax, SequencesOfBatch
from mmrec.models.next_item import Samples, TrainingBatch
from mmrec.models.pmmrec.contrast import ContrastKind, Denominator, modality_contrast
from mmrec.models.pmmrec.corruption import Draws, corrupt
from mmrec.models.pmmrec.denoising import NoisedItemDetection, Similarity, robust_contrast
from mmrec.models.pmmrec.model import Encoded, Pmmrec
from mmrec.nn.merge_attention import mean_of_tokens
from mmrec.params.training import Modality
from mmrec.recommender import Objective

MODALITIES: Final[tuple[Modality, ...]] = ("text", "image")


class PmmrecObjective(Objective):
    """All losses of PMMRec, from one pass through the item encoder.

    Corrupted sequences are a second pass of the user encoder, over the item vectors of the first:
    the clean side of RCL is the states that DAP reads.

    Args:
        recommender: that is trained.
        dap: next items among those of the batch's sequences.
        embedding_dim: D.
        dap_weight: above 0.
        contrast: of text and picture; `none` leaves it out, as does a recommender that reads one.
        contrast_weight: 0 leaves it out.
        denominator: see `modality_contrast`.
        temperature: of the contrast.
        nid_weight: 0 leaves NID out.
        nid_relu: see `NoisedItemDetection`.
        rcl_weight: 0 leaves RCL out.
        rcl: see `robust_contrast`.
        rcl_temperature: of RCL.
        shuffle_share: of the items that are read; see `corrupt`.
        replace_share: of the items that are read.
    """

    def __init__(
        self,
        recommender: Pmmrec,
        dap: InBatchSequencesSoftmax,
        *,
        embedding_dim: int,
        dap_weight: float,
        contrast: ContrastKind | Literal["none"],
        contrast_weight: float,
        denominator: Denominator,
        temperature: float,
        nid_weight: float,
        nid_relu: bool,
        rcl_weight: float,
        rcl: Similarity,
        rcl_temperature: float,
        shuffle_share: float,
        replace_share: float,
    ) -> None:
        super().__init__()
        self.recommender: Pmmrec = recommender
        self.dap = dap
        self.dap_weight = dap_weight
        self.contrast = contrast
        self.contrast_weight = contrast_weight
        self.denominator: Denominator = denominator
        self.temperature = temperature
        self.nid_weight = nid_weight
        self.rcl_weight = rcl_weight
        self.rcl: Similarity = rcl
        self.rcl_temperature = rcl_temperature
        self.shuffle_share = shuffle_share
        self.replace_share = replace_share
        self.nid = NoisedItemDetection(embedding_dim, relu=nid_relu) if nid_weight else None

    @property
    def has_contrast(self) -> bool:
        """There is one, and two modalities for it."""
        wanted = self.contrast != "none" and self.contrast_weight > 0
        return wanted and len(self.recommender.item_encoder.modalities) == 2

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Losses `dap`, `contrast`, `nid` and `rcl`, those that there are."""
        samples = Samples.of(batch)
        sequences = SequencesOfBatch.of(samples, num_items=self.recommender.num_items)
        encoded = self.recommender.encode_batch(
            batch.items, sequences.items, modalities=self.has_contrast
        )
        losses = {"dap": self.dap_weight * self._dap(encoded, sequences, samples)}
        if self.has_contrast:
            losses["contrast"] = self.contrast_weight * self._contrast(encoded, sequences)
        if self.nid_weight or self.rcl_weight:
            losses |= self._denoising(batch.items, encoded, sequences)
        return losses

    def _dap(self, encoded: Encoded, sequences: SequencesOfBatch, samples: Samples) -> Tensor:
        tokens = encoded.packing.tokens_at(samples.rows, samples.columns)
        queries = encoded.states.index_select(0, tokens)
        loss = self.dap.among(queries, encoded.candidates, sequences, samples)
        return loss * samples.parts.share

    def _contrast(self, encoded: Encoded, sequences: SequencesOfBatch) -> Tensor:
        assert encoded.text is not None
        assert encoded.image is not None
        assert self.contrast != "none"
        has_text, has_image = (
            self.recommender.item_encoder.are_there(modality, sequences.items)
            for modality in MODALITIES
        )
        return modality_contrast(
            encoded.text,
            encoded.image,
            sequences,
            has_text=has_text,
            has_image=has_image,
            kind=self.contrast,
            denominator=self.denominator,
            temperature=self.temperature,
        )

    def _denoising(
        self, items: Tensor, encoded: Encoded, sequences: SequencesOfBatch
    ) -> dict[str, Tensor]:
        corrupted = corrupt(
            items,
            sequences,
            Draws.of(items, sequences),
            shuffle_share=self.shuffle_share,
            replace_share=self.replace_share,
        )
        states = self.recommender.states_of(corrupted.items, encoded)  # [T, D]
        packing, trains = encoded.packing, sequences.real.any(dim=1)  # [B]
        losses = {}
        if self.nid is not None:
            kept = trains[packing.sequences]  # [T]
            labels = packing.pack(corrupted.labels)
            losses["nid"] = self.nid_weight * self.nid(states[kept], labels[kept])
        if self.rcl_weight:
            clean, noisy = (
                mean_of_tokens(one, packing)[trains] for one in (encoded.states, states)
            )
            losses["rcl"] = self.rcl_weight * robust_contrast(
                clean, noisy, similarity=self.rcl, temperature=self.rcl_temperature
            )
        return losses
