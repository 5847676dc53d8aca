/** The library trains in a browser, on WebGPU and on the CPU device, as it does in Node. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import '../../src/devices/node.ts';
import { type PageServer, startBrowser } from './browser.ts';
import { STEPS, type TrainingRun, train } from './training.ts';

/**
 * Largest relative difference of a step's loss between two adapters. They contract multiplications and additions differently: SwiftShader
 * and llvmpipe stay within 4e-7 over the 20 steps. A GPU of other rounding may be farther; a wrong kernel is off by whole percents.
 */
const LOSS_TOLERANCE = 1e-4;

/** SwiftShader takes 20 seconds of processor time to compile the pipelines of one training step; this leaves room for a busy machine. */
const PIPELINES_MS = 400_000;

const PAGE_MS = 120_000;

let server: PageServer;

beforeAll(async () => {
  server = await startBrowser();
}, PAGE_MS);

afterAll(() => server?.close());

async function trainInPage(device: 'webgpu' | 'cpu', isolated: boolean): Promise<TrainingRun & { isolated: boolean }> {
  const page = await server.open({ isolated });
  const run = await page.evaluate((choice) => globalThis.trainInPage(choice, 2), device);
  const seen = await page.evaluate(() => crossOriginIsolated);
  await page.close();
  return { ...run, isolated: seen };
}

function expectTraining({ losses, worstRatios }: TrainingRun): void {
  expect(losses).toHaveLength(STEPS);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(mean(losses.slice(-5))).toBeLessThan(0.7 * mean(losses.slice(0, 5)));
  expect(Math.max(...worstRatios)).toBeLessThanOrEqual(1 + 1e-5);
  expect(Math.max(...worstRatios)).toBeGreaterThan(0.99);
}

describe('a tiny ResNet with projection in Chromium', () => {
  it(
    'trains on WebGPU with the losses of Dawn in Node',
    async () => {
      const page = await trainInPage('webgpu', false);
      const node = await train('webgpu');
      expectTraining(page);
      expectTraining(node);
      const differences = page.losses.map((loss, step) => Math.abs(loss - node.losses[step]!) / node.losses[step]!);
      expect(Math.max(...differences), `${page.name} against ${node.name}`).toBeLessThan(LOSS_TOLERANCE);
    },
    PIPELINES_MS,
  );

  it.each([true, false])(
    'trains on the CPU device with exactly the losses of Node (threads: %s)',
    async (isolated) => {
      const page = await trainInPage('cpu', isolated);
      const node = await train('cpu');
      expect(page.isolated).toBe(isolated);
      expect(page.name).toContain(isolated ? '2 threads' : '1 thread');
      expectTraining(page);
      expect(page.losses).toEqual(node.losses);
      expect(page.worstRatios).toEqual(node.worstRatios);
    },
    PAGE_MS,
  );
});
