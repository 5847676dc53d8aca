/**
 * Balls around pre-trained weights (Gouk, Hospedales & Pontil, "Distance-Based Regularisation of Deep Networks for Fine-Tuning",
 * ICLR 2021): every layer stays within a distance of its starting point W⁰, by a projection of T = W − W⁰ after every optimiser step.
 *
 *   MARS        max_j Σ_i |T_ji| ≤ radius
 *     row-radial      t_j ← t_j / max(1, ‖t_j‖₁/radius)         each row t_j by its own norm: the authors' code, and the default
 *     row-l1-exact    t_j ← the nearest point with ‖t_j‖₁ ≤ radius (Duchi et al. 2008): the Euclidean projection onto the ball
 *     matrix-radial   T ← T / max(1, ‖T‖_MARS/radius)           the whole layer by its largest row: the paper's formula as it is cited
 *   Frobenius   √Σ T² ≤ radius:  T ← T / max(1, ‖T‖_F/radius)   the Euclidean projection (the paper's L2-PGM)
 *
 * All land in the ball and leave what is inside alone, to the bit; two of them are true projections. A row is an output unit (Linear)
 * or an output channel (Conv2d, any groups). The classifier is tied to zero, not to its initial values. BatchNorm counts as the
 * diagonal matrix γ/√(σ² + 10⁻⁶), clipped entry by entry around its pre-trained values under either norm. Biases and β are free.
 */
import type { Module } from '../nn/module.ts';
import type { Projection } from '../optim/optimizer.ts';
import { Arena, membership } from '../tensor/arena.ts';
import { scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type AnchorState, Anchors } from './anchors.ts';
import { type LayerDistance, type LayerMeasures, summarizeDistances } from './distances.ts';
import { type ConstrainableLayer, constrainableLayers } from './layers.ts';
import { type RadiusRule, radiusRule } from './radii.ts';
import type { RowRule } from './rowTable.ts';
import { buildTables, type Tables } from './tables.ts';

export interface BallOptions {
  /** Largest distance of every layer but the classifier from its anchor. Infinity: free. */
  readonly extractor: number;
  /** Largest norm of the classifier (distance from its anchor). Infinity: free. */
  readonly classifier: number;
  /** A radius for single layers; undefined: `extractor` or `classifier`. See `depthScaled`. */
  readonly radii?: RadiusRule;
  /**
   * `extractor` is a multiple of the pre-trained norm of what it bounds: of each row (MARS), of the layer (Frobenius, matrix-radial), of
   * each entry of BatchNorm's diagonal (RegSL's ratio: Li & Zhang, NeurIPS 2021). The classifier's radius stays what it is. Default false.
   */
  readonly relative?: boolean;
  /** W⁰: the pre-trained weights. Default: what the model holds now. */
  readonly anchor?: AnchorState;
  /** What the classifier is tied to: zero, as the authors do (default), or `anchor`'s (of the same size), or else what it holds now. */
  readonly headAnchor?: 'zero' | 'initial';
  /** Name of the classifier's module; null: there is none. Default: the model's own `headName`. */
  readonly headName?: string | null;
  /** Constrain BatchNorm's diagonal too. Default true, as the authors do. */
  readonly batchNorm?: boolean;
  /** Rows of a depthwise convolution: one per channel (default), or the whole kernel as one, as the authors' code has it. */
  readonly depthwiseRows?: 'channel' | 'kernel';
}

export type MarsProjection = 'row-radial' | 'row-l1-exact' | 'matrix-radial';

export interface MarsBallOptions extends BallOptions {
  /** Default: row-radial. */
  readonly projection?: MarsProjection;
}

/**
 * The MARS ball around the weights that the model has now, or around `anchor`. Load the pre-trained weights and choose the classifier
 * first: weights that are loaded later are pulled back to the anchor, and a head that is replaced later is not the ball's.
 */
export const marsBall = (model: Module, { projection = 'row-radial', ...options }: MarsBallOptions): Ball =>
  new Ball(model, options, {
    norm: projection === 'matrix-radial' ? 'layer-mars' : 'row',
    exact: projection === 'row-l1-exact',
  });

/** The same in the Frobenius norm of each layer: the paper's L2-PGM. */
export const frobeniusBall = (model: Module, options: BallOptions): Ball =>
  new Ball(model, options, { norm: 'layer-frobenius', exact: false });

/**
 * How far every layer of the model is from `anchor` (another model's state dict), in both norms; the classifier from zero, or with
 * `headAnchor: 'initial'` from the anchor's. Changes no value and needs no optimiser.
 */
export async function layerDistances(
  model: Module,
  options: Pick<BallOptions, 'headName' | 'headAnchor' | 'depthwiseRows'> & { readonly anchor: AnchorState },
): Promise<LayerDistance[]> {
  const free = Number.POSITIVE_INFINITY;
  const ball = marsBall(model, { ...options, extractor: free, classifier: free });
  try {
    return await ball.distances();
  } finally {
    ball.dispose();
  }
}

export class Ball implements Projection {
  readonly layers: readonly ConstrainableLayer[];
  /** As they were asked for, before `relative` multiplies them. */
  readonly radii: readonly number[];
  private readonly rule: RowRule;
  private readonly anchors = new Anchors();
  private tables: Tables | null = null;
  /** Which layers could be trained when the tables were built. */
  private trainable = '';

  /** See `marsBall` and `frobeniusBall`. */
  constructor(model: Module, options: BallOptions, kind: Pick<RowRule, 'norm' | 'exact'>) {
    this.layers = constrainableLayers(model, options.headName);
    this.radii = this.layers.map(radiusRule(options));
    this.rule = {
      ...kind,
      relative: options.relative ?? false,
      wholeDepthwise: options.depthwiseRows === 'kernel',
    };
    Arena.of(model.parameters());
    const variances = this.layers.flatMap(({ runningVariance }) => runningVariance ?? []);
    const owned = [...this.layers.map(({ weight }) => weight), ...variances];
    Arena.of(owned.slice(0, this.layers.length));
    if (variances.length > 0) Arena.of(variances);
    for (const arena of new Set(owned.map((tensor) => membership(tensor)!.arena))) this.anchors.of(arena);
    for (const layer of this.layers) this.anchors.tieLayer(layer, options.anchor, options.headAnchor ?? 'zero');
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
    const measures: LayerMeasures[] = this.layers.map(() => ({ l1: [], squared: [], norms: [], radii: [] }));
    const { rows, channels } = this.current();
    for (const table of rows) {
      const measured = scope(() => table.measure());
      const [l1, squared, norms, radii] = await Promise.all(
        [measured.l1, measured.squared, measured.norms, table.radii].map((values) => values.data()),
      );
      for (const values of new Set([measured.l1, measured.squared, measured.norms])) values.dispose();
      for (const [i, { layer }] of table.rows.entries()) {
        const own = measures[layer]!;
        own.l1.push(l1![i]!);
        own.squared.push(squared![i]!);
        own.norms.push(norms![i]!);
        own.radii.push(radii![i] ?? Number.POSITIVE_INFINITY);
      }
    }
    for (const table of channels) {
      const measured = scope(() => table.measure());
      const [values, radii] = await Promise.all([measured.data(), table.radii.data()]);
      measured.dispose();
      for (const [i, { layer }] of table.channels.entries()) {
        const own = measures[layer]!;
        own.l1.push(values[i]!);
        own.squared.push(values[i]! ** 2);
        own.norms.push(values[i]!);
        own.radii.push(radii[i] ?? Number.POSITIVE_INFINITY);
      }
    }
    return this.layers.map((layer, i) => summarizeDistances(layer, measures[i]!));
  }

  /** Frees the anchors and the tables. The weights stay. */
  dispose(): void {
    this.disposeTables();
    this.anchors.dispose();
  }

  private disposeTables(): void {
    for (const table of [...(this.tables?.rows ?? []), ...(this.tables?.channels ?? [])]) table.dispose();
    this.tables = null;
  }

  /** The tables for what is trainable now: a frozen layer is measured, and left alone. */
  private current(): Tables {
    const trainable = this.layers.map(({ weight }) => (weight.requiresGrad ? '1' : '0')).join('');
    if (this.tables && trainable === this.trainable) return this.tables;
    this.disposeTables();
    const radii = this.layers.map(({ weight }, i) => (weight.requiresGrad ? this.radii[i]! : Number.POSITIVE_INFINITY));
    this.tables = buildTables(this.layers, radii, this.anchors, this.rule);
    this.trainable = trainable;
    return this.tables;
  }
}
