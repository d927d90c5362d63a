import torch

from mmrec.nn.scoring import score, unit


def test_padding_never_scores():
    scores = score(torch.randn(2, 3), torch.randn(5, 3))
    assert scores.shape == (2, 5)
    assert (scores[:, 0] == -torch.inf).all()
    assert scores[:, 1:].isfinite().all()


def test_unit_vectors_have_length_one_and_zero_stays_zero():
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    scaled = unit(vectors)
    scaled.sum().backward()
    torch.testing.assert_close(scaled.detach(), torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    assert vectors.grad.isfinite().all()
