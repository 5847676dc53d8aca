/**
 * The MARS ball around pre-trained weights (Gouk, Hospedales & Pontil, "Distance-Based Regularisation of Deep Networks for
 * Fine-Tuning", ICLR 2021): every layer stays within a maximum-absolute-row-sum distance of its starting point,
 *
 *   ‖W − W⁰‖_MARS = max_j Σ_i |W_ji − W⁰_ji| ≤ radius,
 *
 * by the projection, after every optimiser step, of each row t_j of T = W − W⁰:  t_j ← t_j / max(1, ‖t_j‖₁ / radius).
 *
 * That is the row-radial form, which the authors' code uses. It lands inside the ball and leaves rows that are inside alone; it is
 * not the nearest point of the ball (that would be an L1-ball projection per row). A row is an output unit (Linear) or an output
 * channel (Conv2d, any groups). The classifier is tied to zero, not to its initial values. BatchNorm counts as the diagonal
 * matrix γ/√(σ² + 10⁻⁶), clipped entry by entry around its pre-trained values. Biases and β are free.
 */
import type { Module } from '../nn/module.ts';
import type { Projection } from '../optim/optimizer.ts';
import { Arena, membership } from '../tensor/arena.ts';
import { scope } from '../tensor/scope.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Anchors } from './anchors.ts';
import { type LayerDistance, summarizeDistances } from './distances.ts';
import { type ConstrainableLayer, constrainableLayers } from './layers.ts';
import { buildTables, type Tables } from './tables.ts';

/** Values by the names of a state dict, as `Module.stateDict` and the weight readers give them. */
export type AnchorState = ReadonlyMap<string, { readonly data: ArrayLike<number | bigint> }>;

export interface MarsBallOptions {
  /** Largest MARS distance of every layer but the classifier from its anchor. Infinity: free. */
  readonly extractor: number;
  /** Largest MARS norm of the classifier. Infinity: free. */
  readonly classifier: number;
  /** W⁰: the pre-trained weights, for every layer but the classifier. Default: what the model holds now. */
  readonly anchor?: AnchorState;
  /** Name of the classifier's module. Default: the model's own `headName`. */
  readonly headName?: string;
  /** Constrain BatchNorm's diagonal too. Default true, as the authors do. */
  readonly batchNorm?: boolean;
}

/**
 * The ball around the weights that the model has now, or around `anchor`. Load the pre-trained weights and choose the classifier
 * first: weights that are loaded later are pulled back to the anchor, and a head that is replaced later is not the ball's.
 */
export function marsBall(model: Module, options: MarsBallOptions): MarsBall {
  for (const name of ['extractor', 'classifier'] as const) {
    if (!(options[name] >= 0))
      throw new RangeError(`marsBall: the ${name} radius is ${options[name]}; it must be a number ≥ 0`);
  }
  const layers = constrainableLayers(model, options.headName);
  Arena.of(model.parameters());
  const radiusOf = (layer: ConstrainableLayer): number => {
    if (layer.isHead) return options.classifier;
    return layer.kind === 'batchNorm2d' && options.batchNorm === false ? Number.POSITIVE_INFINITY : options.extractor;
  };
  return new MarsBall(layers, radiusOf, options.anchor);
}

export class MarsBall implements Projection {
  readonly layers: readonly ConstrainableLayer[];
  readonly radii: readonly number[];
  private readonly anchors = new Anchors();
  private tables: Tables | null = null;
  /** Which layers could be trained when the tables were built. */
  private trainable = '';

  constructor(
    layers: readonly ConstrainableLayer[],
    radiusOf: (layer: ConstrainableLayer) => number,
    anchor?: AnchorState,
  ) {
    this.layers = layers;
    this.radii = layers.map(radiusOf);
    const owned = layers.flatMap(({ weight, runningVariance }) =>
      runningVariance ? [weight, runningVariance] : [weight],
    );
    Arena.of(layers.map(({ weight }) => weight));
    Arena.of(layers.flatMap(({ runningVariance }) => runningVariance ?? []));
    for (const arena of new Set(owned.map((tensor) => membership(tensor)!.arena))) this.anchors.of(arena);
    for (const layer of layers) this.anchor(layer, anchor);
  }

  /** Brings every row and channel of what is trainable back into its ball. Enqueues only. */
  project(): void {
    const { rows, channels } = this.current();
    for (const table of [...rows, ...channels]) table.project();
  }

  /** The largest distance/radius of all that is constrained, a scalar on the device: ≤ 1 after `project`, up to rounding. null if all is free. */
  worstRatio(): Tensor | null {
    const { rows, channels } = this.current();
    const [first, ...others] = [...rows, ...channels].flatMap((table) => table.worstRatio() ?? []);
    return first ? others.reduce((worst, ratio) => worst.maximum(ratio), first) : null;
  }

  /** Distances of all layers, constrained or not, from the anchors. */
  async distances(): Promise<LayerDistance[]> {
    const l1: number[][] = this.layers.map(() => []);
    const squared: number[][] = this.layers.map(() => []);
    const { rows, channels } = this.current();
    for (const table of rows) {
      const measured = scope(() => table.measure());
      const [sums, squares] = await Promise.all([measured.l1.data(), measured.squared.data()]);
      measured.l1.dispose();
      measured.squared.dispose();
      for (const [i, { layer }] of table.rows.entries()) {
        l1[layer]!.push(sums[i]!);
        squared[layer]!.push(squares[i]!);
      }
    }
    for (const table of channels) {
      const measured = scope(() => table.measure());
      const values = await measured.data();
      measured.dispose();
      for (const [i, { layer }] of table.channels.entries()) {
        l1[layer]!.push(values[i]!);
        squared[layer]!.push(values[i]! ** 2);
      }
    }
    return this.layers.map((layer, i) => summarizeDistances(layer, this.radii[i]!, l1[i]!, squared[i]!));
  }

  /** The tables for what is trainable now: a frozen layer is measured, and left alone. */
  private current(): Tables {
    const trainable = this.layers.map(({ weight }) => (weight.requiresGrad ? '1' : '0')).join('');
    if (this.tables && trainable === this.trainable) return this.tables;
    for (const table of [...(this.tables?.rows ?? []), ...(this.tables?.channels ?? [])]) table.dispose();
    const radii = this.layers.map(({ weight }, i) => (weight.requiresGrad ? this.radii[i]! : Number.POSITIVE_INFINITY));
    this.tables = buildTables(this.layers, radii, this.anchors);
    this.trainable = trainable;
    return this.tables;
  }

  private anchor({ name, weight, runningVariance, isHead }: ConstrainableLayer, state: AnchorState | undefined): void {
    const { arena } = membership(weight)!;
    if (isHead) {
      this.anchors.tieToZero(arena, weight);
      return;
    }
    if (!state) return;
    const tie = (member: Tensor, key: string) => {
      const values = state.get(key)?.data;
      if (values?.length !== member.size) {
        const found = values ? `${values.length} values` : 'nothing';
        throw new RangeError(
          `marsBall: the anchor holds ${found} for ${key}, which has the shape ${shapeText(member.shape)}`,
        );
      }
      this.anchors.tieTo(membership(member)!.arena, member, Float64Array.from(values as ArrayLike<number>));
    };
    tie(weight, `${name}.weight`);
    if (runningVariance) tie(runningVariance, `${name}.running_var`);
  }
}
