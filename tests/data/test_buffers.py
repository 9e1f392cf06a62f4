"""Memory of batches is used again, but never while anything refers to it."""

import torch

from ablation.data.buffers import Buffers

SHAPE = (2, 3, 4, 4)


def test_memory_that_nothing_refers_to_is_used_again():
    buffers = Buffers()
    batch = buffers.take(SHAPE)
    assert batch.shape == SHAPE and batch.dtype == torch.float32
    place = batch.data_ptr()
    del batch
    assert buffers.take(SHAPE).data_ptr() == place
    assert buffers.take((1, *SHAPE[1:])).data_ptr() != place


def test_a_batch_a_view_of_it_and_what_a_gradient_needs_are_kept():
    buffers = Buffers()
    first = buffers.take(SHAPE)
    view = buffers.take(SHAPE)[1:, :, ::2].permute(0, 2, 3, 1)
    weight = torch.ones(SHAPE, requires_grad=True)
    saved = buffers.take(SHAPE).fill_(7.0) * weight
    held = {first.data_ptr(), view.data_ptr() - 2 * 3 * 4 * 4 * 4 // 2}
    later = [buffers.take(SHAPE).fill_(-1.0) for _ in range(6)]
    assert not held & {batch.data_ptr() for batch in later} and len({batch.data_ptr() for batch in later}) == 6
    saved.sum().backward()
    assert (weight.grad == 7).all()
