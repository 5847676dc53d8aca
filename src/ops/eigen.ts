/** Eigenvalues and eigenvectors. */
import { noGrad } from '../autograd/tape.ts';
import { LARGEST_EIGEN_SIZE, symmetricEigen } from '../kernels/eigen.ts';
import { empty } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { affine } from './elementwise.ts';

export interface Eigen {
  /** (n), ascending. */
  readonly values: Tensor;
  /** (n, n): row i, of length 1, belongs to values[i]; its element of largest magnitude is positive. */
  readonly vectors: Tensor;
}

/**
 * x = Vᵀ·diag(values)·V of a symmetric matrix x (n, n), n ≤ 512. PyTorch's `linalg.eigh`, but for the vectors being rows. No gradient. Costs
 * about 50·n³ operations, which neither a GPU nor the CPU device spreads over more than one of its cores.
 */
export function eigh(x: Tensor): Eigen {
  const [n = 0, columns] = x.shape;
  if (x.rank !== 2 || n !== columns || n > LARGEST_EIGEN_SIZE) {
    throw new RangeError(
      `eigh: a tensor of shape ${shapeText(x.shape)}: it must be a symmetric matrix of at most ${LARGEST_EIGEN_SIZE} rows`,
    );
  }
  const matrix = noGrad(() => affine(x, 1));
  const values = empty([n], 'f32', x.device);
  const vectors = empty([n, n], 'f32', x.device);
  launch(symmetricEigen, {}, { n }, { matrix, values, vectors });
  matrix.dispose();
  return { values, vectors };
}
