/** All rows of the constrained weights of one arena, measured and projected together. Enqueues only. */
import { layerNorms, projectRows, projectRowsL1, rowDistances } from '../kernels/rows.ts';
import type { Arena } from '../tensor/arena.ts';
import { empty, tensor, zeros } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { keep, scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface Row {
  /** Which layer the row belongs to. */
  readonly layer: number;
  /** First element in the arena. */
  readonly offset: number;
  readonly length: number;
  /** Infinity: measured, never projected. The same for all rows of a layer. */
  readonly radius: number;
  /** The radius is a multiple of the anchor's norm. */
  readonly isRelative: boolean;
}

export interface RowRule {
  /** What is bounded: each row's L1 norm, or a norm of its whole layer. */
  readonly norm: 'row' | 'layer-mars' | 'layer-frobenius';
  /** The nearest point instead of the radial one; of rows. */
  readonly exact: boolean;
  /** Radii of all layers but the classifier are multiples of the anchors' norms. */
  readonly relative: boolean;
  /** A depthwise kernel is one row. */
  readonly wholeDepthwise: boolean;
}

export interface RowMeasures {
  /** (rows) Σ|w − w⁰| and Σ(w − w⁰)². */
  readonly l1: Tensor;
  readonly squared: Tensor;
  /** (rows) what the rule bounds. */
  readonly norms: Tensor;
}

export class RowTable {
  /** Layer by layer, those with a finite radius first. */
  readonly rows: readonly Row[];
  /** (constrained rows) */
  readonly radii: Tensor;
  private readonly arena: Arena;
  private readonly anchors: Tensor;
  private readonly norm: RowRule['norm'];
  private readonly exact: boolean;
  private readonly table: Tensor;
  /** (first row, rows) of each layer. */
  private readonly layers: Tensor;
  private readonly constrainedLayers: number;
  private readonly constrained: number;

  /** `rows`: those of a layer one after the other. */
  constructor(arena: Arena, anchors: Tensor, rows: readonly Row[], { norm, exact }: Pick<RowRule, 'norm' | 'exact'>) {
    const finite = rows.filter(({ radius }) => Number.isFinite(radius));
    this.rows = [...finite, ...rows.filter(({ radius }) => !Number.isFinite(radius))];
    this.constrained = finite.length;
    this.arena = arena;
    this.anchors = anchors;
    this.norm = norm;
    this.exact = exact;
    const { device } = arena;
    const spans = layerSpans(this.rows);
    this.constrainedLayers = spans.filter(([first]) => first < this.constrained).length;
    this.table = keep(tensor(Int32Array.from(this.rows.flatMap(({ offset, length }) => [offset, length])), { device }));
    this.layers = keep(tensor(Int32Array.from(spans.flat()), { device }));
    this.radii = keep(scope(() => this.makeRadii()));
  }

  private makeRadii(): Tensor {
    const { device } = this.arena;
    const own = this.rows.slice(0, this.constrained);
    const list = (values: readonly number[]) => tensor(values, { shape: [own.length], device });
    const radii = list(own.map(({ radius }) => radius));
    if (!own.some(({ isRelative }) => isRelative)) return radii;
    const origin = zeros([this.arena.length], { device });
    const { norms } = this.distancesOf(this.anchors, origin, own.length);
    const isRelative = list(own.map((row) => (row.isRelative ? 1 : 0)));
    // radius·(1 + isRelative·(norm − 1)): the norm's multiple, or the radius itself.
    return radii.mul(norms.sub(1).mul(isRelative).add(1));
  }

  /** Of the first `count` rows; whole layers. */
  measure(count = this.rows.length): RowMeasures {
    return this.distancesOf(this.arena.values, this.anchors, count);
  }

  private distancesOf(weights: Tensor, anchors: Tensor, rowCount: number): RowMeasures {
    const { device, length } = this.arena;
    const l1 = empty([rowCount], 'f32', device);
    const squared = empty([rowCount], 'f32', device);
    launch(rowDistances, {}, { count: length, rowCount }, { weights, anchors, rows: this.table, l1, squared });
    if (this.norm === 'row') return { l1, squared, norms: l1 };
    const norms = empty([rowCount], 'f32', device);
    const layerCount = rowCount === this.constrained ? this.constrainedLayers : this.layers.size / 2;
    const [norm, values] = this.norm === 'layer-mars' ? (['mars', l1] as const) : (['frobenius', squared] as const);
    launch(layerNorms, { norm }, { rowCount, layerCount }, { values, layers: this.layers, norms });
    return { l1, squared, norms };
  }

  /** Every row with a finite radius goes back into its ball. */
  project(): void {
    if (this.constrained === 0) return;
    scope(() => {
      const { norms } = this.measure(this.constrained);
      const params = { count: this.arena.length, rowCount: this.constrained };
      const { anchors, table: rows, radii } = this;
      const kernel = this.exact ? projectRowsL1 : projectRows;
      launch(kernel, {}, params, { weights: this.arena.values, anchors, rows, norms, radii });
    });
  }

  dispose(): void {
    for (const own of [this.table, this.layers, this.radii]) own.dispose();
  }

  /** The largest distance/radius over the constrained rows, as a scalar on the device; null where nothing is constrained. */
  worstRatio(): Tensor | null {
    if (this.constrained === 0) return null;
    return worstOf(this.measure(this.constrained).norms, this.radii);
  }
}

/** (First row, rows) of each run of rows of one layer. */
function layerSpans(rows: readonly Row[]): [first: number, count: number][] {
  const spans: [number, number][] = [];
  rows.forEach(({ layer }, i) => {
    const last = spans.at(-1);
    if (last && rows[i - 1]!.layer === layer) last[1]++;
    else spans.push([i, 1]);
  });
  return spans;
}

/** A radius of 0 allows a distance of 0 alone: any other makes a huge ratio. */
const SMALLEST_RADIUS = 1e-30;
export const worstOf = (distances: Tensor, radii: Tensor): Tensor =>
  distances.div(radii.clamp(SMALLEST_RADIUS, 3e38)).max();
