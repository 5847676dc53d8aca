/** All rows of the constrained weights of one arena, measured and projected together. Enqueues only. */
import { projectRows, rowDistances } from '../kernels/rows.ts';
import type { Arena } from '../tensor/arena.ts';
import { empty, tensor } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { keep, scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface Row {
  /** Which layer the row belongs to. */
  readonly layer: number;
  /** First element in the arena. */
  readonly offset: number;
  readonly length: number;
  /** Infinity: measured, never projected. */
  readonly radius: number;
}

export class RowTable {
  /** Rows with a finite radius first. */
  readonly rows: readonly Row[];
  private readonly arena: Arena;
  private readonly anchors: Tensor;
  private readonly table: Tensor;
  private readonly radii: Tensor;
  private readonly constrained: number;

  constructor(arena: Arena, anchors: Tensor, rows: readonly Row[]) {
    const finite = rows.filter(({ radius }) => Number.isFinite(radius));
    this.rows = [...finite, ...rows.filter(({ radius }) => !Number.isFinite(radius))];
    this.constrained = finite.length;
    this.arena = arena;
    this.anchors = anchors;
    const { device } = arena;
    this.table = keep(tensor(Int32Array.from(this.rows.flatMap(({ offset, length }) => [offset, length])), { device }));
    this.radii = keep(
      tensor(
        finite.map(({ radius }) => radius),
        { shape: [finite.length], device },
      ),
    );
  }

  /** Σ|w − w⁰| and Σ(w − w⁰)² of the first `count` rows. */
  measure(count = this.rows.length): { l1: Tensor; squared: Tensor } {
    const { device, length, values } = this.arena;
    const l1 = empty([count], 'f32', device);
    const squared = empty([count], 'f32', device);
    const params = { count: length, rowCount: count };
    launch(rowDistances, {}, params, { weights: values, anchors: this.anchors, rows: this.table, l1, squared });
    return { l1, squared };
  }

  /** Row-radial projection onto the MARS ball of every row with a finite radius. */
  project(): void {
    if (this.constrained === 0) return;
    scope(() => {
      const { l1 } = this.measure(this.constrained);
      const params = { count: this.arena.length, rowCount: this.constrained };
      const { values: weights } = this.arena;
      launch(projectRows, {}, params, { weights, anchors: this.anchors, rows: this.table, l1, radii: this.radii });
    });
  }

  dispose(): void {
    this.table.dispose();
    this.radii.dispose();
  }

  /** The largest distance/radius over the constrained rows, as a scalar on the device; null where nothing is constrained. */
  worstRatio(): Tensor | null {
    if (this.constrained === 0) return null;
    return worstOf(this.measure(this.constrained).l1, this.radii);
  }
}

/** A radius of 0 allows a distance of 0 alone: any other makes a huge ratio. */
const SMALLEST_RADIUS = 1e-30;
export const worstOf = (distances: Tensor, radii: Tensor): Tensor =>
  distances.div(radii.clamp(SMALLEST_RADIUS, 3e38)).max();
