/** The BatchNorm channels of a model (γ in one arena, running variances in another), measured and projected together. */
import { batchNormDistances, projectBatchNorm } from '../kernels/rows.ts';
import type { Arena } from '../tensor/arena.ts';
import { empty, tensor, zeros } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { keep, scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { worstOf } from './rowTable.ts';

export interface Channel {
  readonly layer: number;
  /** Place of γ in the weight arena, and of the running variance in the buffer arena. */
  readonly weight: number;
  readonly variance: number;
  readonly radius: number;
}

interface Place {
  readonly arena: Arena;
  readonly anchors: Tensor;
}

/** The authors' ε under the root of γ/√(σ² + ε), whatever the layer's own is. */
const BATCH_NORM_EPSILON = 1e-6;

export class ChannelTable {
  /** Channels with a finite radius first. */
  readonly channels: readonly Channel[];
  private readonly weights: Place;
  private readonly variances: Place;
  private readonly table: Tensor;
  /** (constrained channels) */
  readonly radii: Tensor;
  private readonly constrained: number;

  /** `relative`: radii are multiples of the anchors' |γ⁰/√(σ₀² + ε)|. */
  constructor(weights: Place, variances: Place, channels: readonly Channel[], relative: boolean) {
    const finite = channels.filter(({ radius }) => Number.isFinite(radius));
    this.channels = [...finite, ...channels.filter(({ radius }) => !Number.isFinite(radius))];
    this.constrained = finite.length;
    this.weights = weights;
    this.variances = variances;
    const { device } = weights.arena;
    this.table = keep(tensor(Int32Array.from(this.channels.flatMap((c) => [c.weight, c.variance])), { device }));
    this.radii = keep(
      scope(() => {
        const radii = tensor(
          finite.map(({ radius }) => radius),
          { shape: [finite.length], device },
        );
        return relative ? radii.mul(this.anchorMagnitudes(finite.length)) : radii;
      }),
    );
  }

  /** |γ⁰/√(σ₀² + ε)|: the distance of the anchors from a γ of zero. */
  private anchorMagnitudes(channels: number): Tensor {
    const { params, buffers } = this.launchArguments(channels);
    const { arena, anchors: weights } = this.weights;
    const distances = empty([channels], 'f32', arena.device);
    const origin = zeros([arena.length], { device: arena.device });
    const { anchorVariances } = buffers;
    launch(batchNormDistances, {}, params, {
      ...buffers,
      weights,
      anchors: origin,
      variances: anchorVariances,
      distances,
    });
    return distances;
  }

  private launchArguments(channels: number) {
    const { weights, variances } = this;
    return {
      params: {
        count: weights.arena.length,
        varianceCount: variances.arena.length,
        channels,
        epsilon: BATCH_NORM_EPSILON,
      },
      buffers: {
        weights: weights.arena.values,
        anchors: weights.anchors,
        variances: variances.arena.values,
        anchorVariances: variances.anchors,
        table: this.table,
      },
    };
  }

  /** |γ/√(σ² + ε) − γ⁰/√(σ₀² + ε)| of the first `count` channels. */
  measure(count = this.channels.length): Tensor {
    const { params, buffers } = this.launchArguments(count);
    const distances = empty([count], 'f32', this.weights.arena.device);
    launch(batchNormDistances, {}, params, { ...buffers, distances });
    return distances;
  }

  /** Clips the diagonal of every channel with a finite radius, by changing γ. */
  project(): void {
    if (this.constrained === 0) return;
    const { params, buffers } = this.launchArguments(this.constrained);
    launch(projectBatchNorm, {}, params, { ...buffers, radii: this.radii });
  }

  dispose(): void {
    this.table.dispose();
    this.radii.dispose();
  }

  worstRatio(): Tensor | null {
    return this.constrained === 0 ? null : worstOf(this.measure(this.constrained), this.radii);
  }
}
