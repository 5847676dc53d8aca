/**
 * npm run bench:data [-- --images N]: how fast JPEG files become batches for a network at 224², on this machine's cores, step by step.
 * The files are made here, 500×375 as ImageNet's are, from the photographs of the tests, each with other noise.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { compose, DataLoader, type Transform } from '../../src/data/index.ts';
import { forEachConcurrent } from '../../src/data/loader.ts';
import { decodeFile } from '../../src/data/node/decode.ts';
import { openImageFolder } from '../../src/data/node/imageFolder.ts';
import { randAugment } from '../../src/data/randAugment.ts';
import {
  centerCrop,
  normalize,
  randomHorizontalFlip,
  randomResizedCrop,
  resize,
  toFloat,
} from '../../src/data/transforms.ts';
import { Random } from '../../src/tensor/random.ts';
import { machineFacts } from '../machine.ts';
import { ROOT } from '../root.ts';
import { median } from '../statistics.ts';
import { table } from '../table.ts';

const ROUNDS = 5;
const BATCH = 32;

async function makePhotos(folder: string, count: number): Promise<void> {
  const sources = join(ROOT, 'test/golden/photos');
  const names = readdirSync(sources).filter((name) => name.endsWith('.jpg'));
  const random = new Random(1);
  for (const split of ['train', 'test']) mkdirSync(join(folder, split, 'photos'), { recursive: true });
  await forEachConcurrent(count, 4, async (index) => {
    const scaled = sharp(join(sources, names[index % names.length]!)).resize(500, 375, { fit: 'cover' });
    const { data, info } = await scaled.raw().toBuffer({ resolveWithObject: true });
    const noise = random.fork(index);
    const pixels = data.map((value) => Math.max(0, Math.min(255, value + 4 * noise.normal())));
    const raw = { width: info.width, height: info.height, channels: 3 } as const;
    await sharp(pixels, { raw })
      .jpeg({ quality: 90 })
      .toFile(join(folder, 'train', 'photos', `${index}.jpg`));
  });
  await sharp(join(sources, names[0]!)).toFile(join(folder, 'test', 'photos', '0.jpg'));
}

const floats = [toFloat(), normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])];
const TRANSFORMS: Record<string, Transform> = {
  'evaluation: resize 256, crop 224': compose([resize(256), centerCrop(224), ...floats]),
  'training: resized crop 224, flip': compose([randomResizedCrop(224), randomHorizontalFlip(), ...floats]),
  '… with RandAugment(2, 9)': compose([randomResizedCrop(224), randomHorizontalFlip(), randAugment(2, 9), ...floats]),
};

async function main(): Promise<void> {
  const at = process.argv.indexOf('--images');
  const count = at < 0 ? 512 : Number(process.argv[at + 1]);
  const folder = mkdtempSync(join(tmpdir(), 'marsgrad-bench-data-'));
  try {
    await makePhotos(folder, count);
    const { train } = await openImageFolder(folder, { decode: 'lazy' });
    const files = readdirSync(join(folder, 'train', 'photos')).map((name) => join(folder, 'train', 'photos', name));
    const subjects: Record<string, () => Promise<void>> = {
      'decoding alone': () => forEachConcurrent(count, 8, async (i) => void (await decodeFile(files[i]!))),
    };
    for (const [name, transform] of Object.entries(TRANSFORMS)) {
      subjects[name] = async () => {
        for await (const _ of new DataLoader(train, { batchSize: BATCH, transform }).epoch(0));
      };
    }
    const results = new Map(Object.keys(subjects).map((name) => [name, { wall: [] as number[], cpu: [] as number[] }]));
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [name, run] of Object.entries(subjects)) {
        const [startedAt, cpuBefore] = [performance.now(), process.cpuUsage()];
        await run();
        const cpu = process.cpuUsage(cpuBefore);
        // The first round warms up.
        if (round === 0) continue;
        results.get(name)!.wall.push((1000 * count) / (performance.now() - startedAt));
        results.get(name)!.cpu.push((1e6 * count) / (cpu.user + cpu.system));
      }
    }
    const { processor, node, commit } = machineFacts();
    const rows = [...results].map(([name, { wall, cpu }]) => [name, median(wall).toFixed(0), median(cpu).toFixed(0)]);
    process.stdout.write(
      `npm run bench:data   ${new Date().toISOString()}\n${processor}, ${availableParallelism()} cores; Node ${node}; commit ${commit ?? 'unknown'}; ` +
        `${count} JPEG files of 500×375\n\n${table(['', 'images/s', 'images per CPU-second'], rows)}\n`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
