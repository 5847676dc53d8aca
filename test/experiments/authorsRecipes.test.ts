/** The authors' values: complete, within what they searched, and odd exactly where a remark says so. */
import { describe, expect, it } from 'vitest';
import {
  RECIPE_METHODS,
  RECIPE_NETWORKS,
  RECIPES,
  type RecipeDataset,
  remarkOn,
} from '../../src/experiments/authorsRecipes.ts';
import { AUTHORS_SPACES } from '../../src/experiments/space.ts';

const all = (Object.keys(RECIPES) as RecipeDataset[]).flatMap((dataset) =>
  RECIPE_NETWORKS.flatMap((network) =>
    RECIPE_METHODS.map((method) => ({ dataset, network, method, values: RECIPES[dataset][network][method] })),
  ),
);

describe("the authors' values", () => {
  it('are two numbers for each of 7 data sets, 2 networks and 5 methods', () => {
    expect(all).toHaveLength(70);
    for (const { values } of all) expect(values.every((value) => value > 0 && Number.isFinite(value))).toBe(true);
  });

  it('lie in the range that was searched, but for the one that is remarked on', () => {
    const outside = all.filter(({ method, values }) => {
      const { low, high } = AUTHORS_SPACES[method.endsWith('pgm') ? 'radius' : 'coefficient'].extractor;
      return values.some((value) => value < low || value > high);
    });
    expect(outside.map(({ dataset, network, method }) => [dataset, network, method])).toEqual([
      ['pets', 'resnet101', 'l2-pgm'],
    ]);
    expect(remarkOn('pets', 'resnet101', 'l2-pgm')).toContain('outside the range');
  });

  it('differ from each other, but for the two that are remarked on as copied', () => {
    const places = new Map<string, string[]>();
    for (const { dataset, network, method, values } of all)
      places.set(values.join(), [...(places.get(values.join()) ?? []), `${dataset} ${network} ${method}`]);
    const twice = [...places.values()].filter((same) => same.length > 1);
    expect(twice).toEqual([
      ['flowers resnet101 l2-sp', 'pets resnet101 l2-sp'],
      ['flowers resnet101 mars-sp', 'pets resnet101 mars-sp'],
    ]);
    const remarked = all.filter(({ dataset, network, method }) =>
      remarkOn(dataset, network, method)?.includes('copied'),
    );
    expect(remarked.map(({ dataset, method }) => `${dataset} ${method}`)).toEqual(['pets l2-sp', 'pets mars-sp']);
  });
});
