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
  /** The largest of its rows' radii; null where the layer is free. */
  readonly radius: number | null;
  /** The largest distance/radius over the rows, in the norm of the ball; null where the layer is free. */
  readonly ratio: number | null;
  /** Rows within 0.01 % of their radius, or beyond; all or none where the layer is bounded as a whole. */
  readonly rowsAtBound: number;
}

/** Per row of a layer (BatchNorm: per channel). */
export interface LayerMeasures {
  readonly l1: number[];
  readonly squared: number[];
  /** What the ball bounds. */
  readonly norms: number[];
  /** Infinity: free. */
  readonly radii: number[];
}

export function summarizeDistances(layer: ConstrainableLayer, measures: LayerMeasures): LayerDistance {
  const { l1, squared, norms, radii } = measures;
  const largest = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, value), 0);
  const isFree = radii.some((radius) => !Number.isFinite(radius));
  return {
    layer: layer.name,
    kind: layer.kind,
    isHead: layer.isHead,
    rows: l1.length,
    mars: largest(l1),
    frobenius: Math.sqrt(squared.reduce((sum, value) => sum + value, 0)),
    radius: isFree ? null : largest(radii),
    ratio: isFree ? null : largest(norms.map((norm, i) => (norm === 0 ? 0 : norm / radii[i]!))),
    rowsAtBound: isFree ? 0 : norms.filter((norm, i) => norm >= radii[i]! * (1 - 1e-4)).length,
  };
}
