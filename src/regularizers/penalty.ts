/** What is added to the loss to tie weights or features to their starting point. */
import type { Tensor } from '../tensor/tensor.ts';

export interface Penalty {
  /**
   * The term of the loss for this step, a differentiable scalar. Called after the model's forward pass on `images` (N, C, H, W) and
   * before the backward pass, in the same scope. Enqueues only.
   */
  loss(images: Tensor): Tensor;
}
