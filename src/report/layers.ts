/** Radii and distances of layers, across the runs of a task. */
import type { LayerDistance } from '../regularizers/index.ts';
import type { Series, Task } from './aggregate.ts';

/** The two norms of the paper (section 3). */
export type Norm = 'mars' | 'frobenius';

/** The method that keeps layers within a radius in the norm. */
export const BALLS = { mars: 'mars-pgm', frobenius: 'l2-pgm' } as const;

export interface Radii {
  readonly method: string;
  readonly byLayer: ReadonlyMap<string, number>;
  /** The different radii, where they are few. */
  readonly levels: readonly { readonly value: number; readonly layers: number }[];
}

/** More are not drawn as lines. */
const MAX_LEVELS = 4;

/** Of the task's first series that is held in a ball of the norm; null without one. */
export function radiiOf({ series }: Task, norm: Norm): Radii | null {
  const held = series.find(({ method }) => method === BALLS[norm]);
  if (!held) return null;
  const byLayer = radiiByLayer(held);
  if (byLayer.size === 0) return null;
  const counts = new Map<number, number>();
  for (const radius of byLayer.values()) {
    // Radii are stored as float32.
    const value = Number(radius.toPrecision(6));
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const levels = [...counts].map(([value, layers]) => ({ value, layers }));
  return { method: held.title, byLayer, levels: levels.length <= MAX_LEVELS ? levels : [] };
}

/** Before a run is complete, from its settings: all layers alike, the last one the classifier. */
function radiiByLayer({ runs }: Series): Map<string, number> {
  const layers = runs.find((run) => run.layers !== null)?.layers;
  if (layers) {
    const radii = layers.map(({ layer, radius }) => [layer, radius] as const);
    return new Map(radii.filter((entry): entry is readonly [string, number] => entry[1] !== null));
  }
  const run = runs.find(({ distances }) => distances.length > 0);
  const regularization = run?.config.settings.regularization;
  if (!run || !regularization || regularization.relative || regularization.depthFactor !== 1) return new Map();
  const names = run.distances[0]!.layers.map(({ layer }) => layer);
  const { extractor, classifier } = regularization;
  const radiusAt = (i: number) => (i === names.length - 1 ? classifier : extractor);
  return new Map(names.flatMap((name, i) => (radiusAt(i) === null ? [] : [[name, radiusAt(i)!] as const])));
}

/** Distances within a ten-thousandth of the radius count as within, as in `LayerDistance.rowsAtBound`. */
const SLACK = 1 + 1e-4;

export interface Spread {
  readonly series: Series;
  /** Distance/radius of every layer of every complete run; the distance itself without radii. */
  readonly values: readonly number[];
  readonly outside: number;
  /** Layers that did not move. */
  readonly still: number;
}

/** The end of every complete run of every series. */
export function spreadsOf({ series }: Task, norm: Norm, radii: Radii | null): Spread[] {
  return series.flatMap((one) => {
    const all = one.runs.flatMap(({ layers }) => layers ?? []);
    if (all.length === 0) return [];
    const measured = all.flatMap((layer) => measureOf(layer, norm, radii));
    const values = measured.filter((value) => value > 0);
    return [
      {
        series: one,
        values,
        outside: radii ? values.filter((value) => value > SLACK).length : 0,
        still: measured.length - values.length,
      },
    ];
  });
}

function measureOf(layer: LayerDistance, norm: Norm, radii: Radii | null): number[] {
  const distance = distanceOf(layer, layer.kind === 'batchNorm2d', norm);
  if (!radii) return layer.isHead ? [] : [distance];
  const radius = radii.byLayer.get(layer.layer);
  return radius === undefined || radius === 0 ? [] : [distance / radius];
}

/** What a ball of the norm bounds. Of BatchNorm's diagonal both balls bound the largest entry: its MARS distance. */
export const distanceOf = (
  layer: { readonly mars: number; readonly frobenius: number },
  isBatchNorm: boolean,
  norm: Norm,
): number => (isBatchNorm ? layer.mars : layer[norm]);
