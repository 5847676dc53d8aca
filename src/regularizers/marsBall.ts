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
import type { Tensor } from '../tensor/tensor.ts';
import { Anchors } from './anchors.ts';
import { type Channel, ChannelTable } from './channelTable.ts';
import { type LayerDistance, summarizeDistances } from './distances.ts';
import { type ConstrainableLayer, constrainableLayers } from './layers.ts';
import { type Row, RowTable } from './rowTable.ts';

export interface MarsBallOptions {
  /** Largest MARS distance of every layer but the classifier from where it is now. Infinity: free. */
  readonly extractor: number;
  /** Largest MARS norm of the classifier. Infinity: free. */
  readonly classifier: number;
  /** Name of the classifier's module. Default: the model's own `headName`. */
  readonly headName?: string;
  /** Constrain BatchNorm's diagonal too. Default true, as the authors do. */
  readonly batchNorm?: boolean;
}

/** The authors' ε under BatchNorm's root, whatever the layer's own is. */
const BATCH_NORM_EPSILON = 1e-6;

/** The ball around the weights that the model has now: load the pre-trained weights first. */
export function marsBall(model: Module, options: MarsBallOptions): MarsBall {
  for (const name of ['extractor', 'classifier'] as const) {
    if (!(options[name] >= 0))
      throw new RangeError(`marsBall: the ${name} radius is ${options[name]}; it must be a number ≥ 0`);
  }
  const layers = constrainableLayers(model, options.headName);
  Arena.of(model.parameters());
  return new MarsBall(layers, (layer) => {
    if (layer.isHead) return options.classifier;
    return layer.kind === 'batchNorm2d' && options.batchNorm === false ? Number.POSITIVE_INFINITY : options.extractor;
  });
}

export class MarsBall implements Projection {
  readonly layers: readonly ConstrainableLayer[];
  readonly radii: readonly number[];
  private readonly anchors = new Anchors();
  private readonly rowTables: RowTable[];
  private readonly channelTables: ChannelTable[];

  constructor(layers: readonly ConstrainableLayer[], radiusOf: (layer: ConstrainableLayer) => number) {
    if (layers.length === 0) throw new RangeError('marsBall: the model has no Conv2d, Linear or BatchNorm2d layer');
    this.layers = layers;
    this.radii = layers.map(radiusOf);
    Arena.of(layers.map(({ weight }) => weight));
    Arena.of(layers.flatMap(({ runningVariance }) => runningVariance ?? []));
    this.rowTables = this.buildRowTables();
    this.channelTables = this.buildChannelTables();
  }

  /** Brings every row and channel back into its ball. Enqueues only. */
  project(): void {
    for (const table of this.rowTables) table.project();
    for (const table of this.channelTables) table.project();
  }

  /** The largest distance/radius of the whole model, a scalar on the device: ≤ 1 after `project`, up to rounding. null if all is free. */
  worstRatio(): Tensor | null {
    const ratios = [...this.rowTables, ...this.channelTables].flatMap((table) => table.worstRatio() ?? []);
    const [first, ...others] = ratios;
    return first ? others.reduce((worst, ratio) => worst.maximum(ratio), first) : null;
  }

  /** Distances of all layers, constrained or not, from the anchors. */
  async distances(): Promise<LayerDistance[]> {
    const l1: number[][] = this.layers.map(() => []);
    const squared: number[][] = this.layers.map(() => []);
    for (const table of this.rowTables) {
      const measured = scope(() => table.measure());
      const [sums, squares] = await Promise.all([measured.l1.data(), measured.squared.data()]);
      measured.l1.dispose();
      measured.squared.dispose();
      for (const [i, { layer }] of table.rows.entries()) {
        l1[layer]!.push(sums[i]!);
        squared[layer]!.push(squares[i]!);
      }
    }
    for (const table of this.channelTables) {
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

  private buildRowTables(): RowTable[] {
    const rows = new Map<Arena, Row[]>();
    for (const [layer, { kind, weight, isHead }] of this.layers.entries()) {
      if (kind === 'batchNorm2d') continue;
      const { arena, offset } = membership(weight)!;
      if (isHead) this.anchors.tieToZero(arena, weight);
      const count = weight.shape[0]!;
      const length = weight.size / count;
      const own = Array.from({ length: count }, (_, row) => ({
        layer,
        offset: offset + row * length,
        length,
        radius: this.radii[layer]!,
      }));
      rows.set(arena, [...(rows.get(arena) ?? []), ...own]);
    }
    return [...rows].map(([arena, list]) => new RowTable(arena, this.anchors.of(arena), list));
  }

  private buildChannelTables(): ChannelTable[] {
    const groups = new Map<string, { weights: Arena; variances: Arena; channels: Channel[] }>();
    const arenas: Arena[] = [];
    const numberOf = (arena: Arena) => (arenas.includes(arena) ? arenas.indexOf(arena) : arenas.push(arena) - 1);
    for (const [layer, { kind, weight, runningVariance }] of this.layers.entries()) {
      if (kind !== 'batchNorm2d' || !runningVariance) continue;
      const gamma = membership(weight)!;
      const variance = membership(runningVariance)!;
      const key = `${numberOf(gamma.arena)} ${numberOf(variance.arena)}`;
      const group = groups.get(key) ?? { weights: gamma.arena, variances: variance.arena, channels: [] };
      groups.set(key, group);
      for (let c = 0; c < weight.size; c++) {
        group.channels.push({
          layer,
          weight: gamma.offset + c,
          variance: variance.offset + c,
          radius: this.radii[layer]!,
        });
      }
    }
    const place = (arena: Arena) => ({ arena, anchors: this.anchors.of(arena) });
    return [...groups.values()].map(
      ({ weights, variances, channels }) =>
        new ChannelTable(place(weights), place(variances), channels, BATCH_NORM_EPSILON),
    );
  }
}
