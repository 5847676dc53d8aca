/** How far each layer moved from its anchor, in the two norms of the paper (section 3). */
import type { ConstrainableLayer } from './layers.ts';

export interface LayerDistance {
  /** The layer's dotted name. */
  readonly layer: string;
  readonly kind: ConstrainableLayer['kind'];
  readonly isHead: boolean;
  /** Output units or channels. */
  readonly rows: number;
  /** max over rows of Σ|w − w⁰|: the maximum-absolute-row-sum distance. */
  readonly mars: number;
  /** √Σ(w − w⁰)² over the layer. */
  readonly frobenius: number;
  /** null where the layer is free. */
  readonly radius: number | null;
  /** Rows within 0.01 % of the radius, or beyond. */
  readonly rowsAtBound: number;
}

export function summarizeDistances(
  layer: ConstrainableLayer,
  radius: number,
  l1: readonly number[],
  squared: readonly number[],
): LayerDistance {
  return {
    layer: layer.name,
    kind: layer.kind,
    isHead: layer.isHead,
    rows: l1.length,
    mars: l1.reduce((largest, value) => Math.max(largest, value), 0),
    frobenius: Math.sqrt(squared.reduce((sum, value) => sum + value, 0)),
    radius: Number.isFinite(radius) ? radius : null,
    rowsAtBound: Number.isFinite(radius) ? l1.filter((value) => value >= radius * (1 - 1e-4)).length : 0,
  };
}
