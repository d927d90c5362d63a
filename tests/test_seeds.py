from itertools import product

from mmrec.seeds import derive_seed


def test_seed_is_the_same_for_the_same_parts_and_fits_torch():
    assert derive_seed(1, "order", 2) == derive_seed(1, "order", 2)
    assert 0 <= derive_seed(1, "order", 2) < 2**63


def test_different_parts_give_different_seeds():
    parts = list(product(range(5), ("pretrain", "finetune"), range(50)))
    assert len({derive_seed(*part) for part in parts}) == len(parts)
    assert derive_seed(1, "a", "b") != derive_seed(1, "ab")
    assert derive_seed(1, 23) != derive_seed(12, 3)
