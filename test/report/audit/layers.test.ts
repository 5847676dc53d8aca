/** One row per layer from what several checks have to say about it. */
import { expect, it } from 'vitest';
import type { CheckResult } from '../../../src/audit/verdict.ts';
import { layerNumbers, layersSection } from '../../../src/report/audit/layers.ts';

const check = (title: string, layers: readonly object[]): CheckResult => ({
  ...{ id: title, title, question: '', status: 'pass', summary: '', findings: [], seconds: 0 },
  data: { layers } as never,
});

it('joins columns, keeps the largest of several steps, and tells columns of one name apart', () => {
  const checks = [
    check('replay', [
      { layer: 'conv1', step: 1, values: { error: 1e-7, update: 3 } },
      { layer: 'conv1', step: 9, values: { error: 4e-7, update: null } },
    ]),
    check('slopes', [{ layer: 'conv1', values: { error: 0.5, 'distance / radius': 1.0000002 } }]),
  ];
  const distance = { layer: 'conv1', kind: 'conv2d', isHead: false, rows: 4, mars: 0.2, frobenius: 0.1 } as const;
  const { columns, layers } = layerNumbers(checks, [{ ...distance, radius: 0.2, ratio: 1.0000002, rowsAtBound: 1 }]);
  expect(columns.slice(-4)).toEqual(['error (replay)', 'update', 'error (slopes)', 'distance / radius']);
  const row = layers.get('conv1')!;
  expect([row.get('error (replay)'), row.get('update'), row.get('error (slopes)')]).toEqual([4e-7, 3, 0.5]);
  const { markup } = layersSection(checks, [{ ...distance, radius: 0.2, ratio: 1.0000002, rowsAtBound: 1 }])!;
  expect(markup).toContain('1.0000002');
  expect(layersSection([check('none', [])], [])).toBe(null);
});
