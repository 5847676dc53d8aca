import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferPool, type Memory, sizeClass } from '../../../src/devices/webgpu/bufferPool.ts';

const MIB = 1024 * 1024;

function openPool() {
  const retired: number[] = [];
  let created = 0;
  const pool = new BufferPool(
    1024 * MIB,
    () => {
      created += 1;
      return {} as GPUBuffer;
    },
    (memory) => retired.push(memory.id),
  );
  return { pool, retired, created: () => created };
}

it('a size class holds what was asked for, wastes at most an eighth, and keeps to 256 bytes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (bytes) => {
      const size = sizeClass(bytes);
      expect(size).toBeGreaterThanOrEqual(bytes);
      expect(size - bytes).toBeLessThanOrEqual(Math.max(256, bytes / 8));
      expect(size % 256).toBe(0);
      expect(sizeClass(size)).toBe(size);
    }),
    { seed: 1 },
  );
});

describe('the pool', () => {
  it('never hands out memory twice, and keeps its books', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 20 * MIB })), { maxLength: 200 }),
        (steps) => {
          const { pool, retired, created } = openPool();
          const live = new Map<Memory, number>();
          for (const [isTake, bytes] of steps) {
            const oldest = live.entries().next().value;
            if (isTake || oldest === undefined) {
              const memory = pool.take(bytes);
              expect(live.has(memory)).toBe(false);
              expect(retired).not.toContain(memory.id);
              expect(memory.bytes).toBeGreaterThanOrEqual(bytes);
              live.set(memory, bytes);
            } else {
              live.delete(oldest[0]);
              pool.give(...oldest);
            }
          }
          const { liveBuffers, liveBytes } = pool.memory();
          expect(liveBuffers).toBe(live.size);
          expect(liveBytes).toBe([...live.values()].reduce((a, b) => a + b, 0));
          expect(created() - retired.length).toBeGreaterThanOrEqual(live.size);
        },
      ),
      { seed: 2 },
    );
  });

  it('hands out the oldest first, so that equal steps get equal buffers', () => {
    const { pool, created } = openPool();
    const step = (order: readonly number[]) => {
      const taken = [1, 2, 3].map(() => pool.take(1000));
      for (const i of order) pool.give(taken[i]!, 1000);
      return taken.map(({ id }) => id);
    };
    const first = step([0, 1, 2]);
    expect(step([2, 0, 1])).toEqual(first);
    expect(step([1, 2, 0])).toEqual(first);
    expect(created()).toBe(3);
  });

  it('keeps no more than a quarter above the largest need, plus 64 MiB, dropping the longest unused', () => {
    const { pool, retired } = openPool();
    // A class of its own each, one at a time: 32 MiB at most are needed, so at most 1.25·32 + 64 MiB stay.
    const ids = [8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 26, 28, 30, 32].map((size) => {
      const memory = pool.take(size * MIB);
      pool.give(memory, size * MIB);
      return memory.id;
    });
    expect(pool.memory().pooledBytes).toBeLessThanOrEqual(104 * MIB);
    expect(pool.memory().pooledBytes).toBeGreaterThan(72 * MIB);
    expect(retired.length).toBeGreaterThan(0);
    expect(retired).toEqual(ids.slice(0, retired.length));
  });
});
