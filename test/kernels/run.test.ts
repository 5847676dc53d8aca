/** The judge is judged: each kind of wrong result is found. */
import { describe, expect, it } from 'vitest';
import { ALIGNMENT, type Launch } from '../../src/devices/device.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { fill } from '../../src/kernels/copy.ts';
import type { KernelCase } from './case.ts';
import { cases } from './cases.ts';
import { compare, referenceOutputs, runCase } from './run.ts';

const chosen = (kernel: string): KernelCase => cases.get(kernel)!.chosen[0]!;

describe('compare', () => {
  const testCase = chosen('matmul');
  const reference = referenceOutputs(testCase);
  const changed = (change: (out: Float64Array) => void) => {
    const out = Float64Array.from(reference.out!);
    change(out);
    return () => compare(testCase, { out }, reference);
  };

  it('accepts what differs by the rounding of float32', () => {
    const out = Float32Array.from(reference.out!);
    expect(() => compare(testCase, { out }, reference)).not.toThrow();
  });

  it('names the place of the largest error', () => {
    expect(changed((out) => out.fill(out[17]! + 3, 17, 18))).toThrow(/matmul .*: out is off by .*, at \[17\]/);
  });

  it('refuses NaN and infinity where the reference has neither', () => {
    expect(changed((out) => out.fill(Number.NaN, 5, 6))).toThrow('[5] is NaN');
    expect(changed((out) => out.fill(Number.POSITIVE_INFINITY, 6, 7))).toThrow('[6] is Infinity');
  });

  it('refuses the slightest difference where the tolerance is 0', () => {
    const copy = chosen('stridedCopy');
    const expected = referenceOutputs(copy);
    const out = Float32Array.from(expected.out!);
    expect(() => compare(copy, { out }, expected)).not.toThrow();
    out[3]! *= 1 + 2 ** -23;
    expect(() => compare(copy, { out }, expected)).toThrow('out [3]');
  });

  it('refuses a change of what should have kept its value', () => {
    const project = chosen('projectRows');
    const expected = referenceOutputs(project);
    const kept = expected.weights!.findIndex((weight, i) => weight === project.inputs.weights![i]);
    const weights = Float32Array.from(expected.weights!);
    expect(() => compare(project, { weights }, expected)).not.toThrow();
    weights[kept]! *= 1 + 2 ** -23;
    expect(() => compare(project, { weights }, expected)).toThrow(`weights [${kept}]`);
  });
});

describe('runCase', () => {
  it.each([
    ['before', 0, 1],
    ['after', ALIGNMENT, 1],
  ])('finds a write %s the range', async (_where, offset, beyond) => {
    class Careless extends ReferenceDevice {
      override launch(launch: never): void {
        super.launch(launch);
        const { buffer } = (launch as Launch).buffers.out!;
        const count = beyond + (offset === 0 ? ALIGNMENT - 1 : (launch as Launch).buffers.out!.length);
        const out = { buffer, offset, length: count };
        super.launch({ kernel: fill, constants: {}, params: { count, value: 7 }, buffers: { out } });
      }
    }
    await expect(runCase(new Careless(), chosen('reduce'))).rejects.toThrow(/wrote 7 at out\[-?\d+\]/);
  });
});
