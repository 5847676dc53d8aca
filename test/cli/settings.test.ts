import { describe, expect, it } from 'vitest';
import {
  openingSize,
  resolvePreprocessing,
  scheduleOf,
  type TrainingSettings,
  transformOf,
} from '../../src/cli/settings.ts';

const settings = (schedule: Partial<TrainingSettings['schedule']>, epochs = 4) =>
  ({
    optimizer: { learningRate: 0.1 },
    epochs,
    schedule: { name: 'constant', warmupEpochs: 0, final: 0, decayEvery: 2, decayFactor: 0.5, ...schedule },
  }) as TrainingSettings;

const rates = (schedule: Partial<TrainingSettings['schedule']>, stepsPerEpoch = 2) => {
  const rate = scheduleOf(settings(schedule), stepsPerEpoch);
  return Array.from({ length: 4 * stepsPerEpoch }, (_, step) => rate(step));
};

describe('scheduleOf', () => {
  it('counts in epochs', () => {
    expect(rates({ name: 'constant' })).toEqual(new Array(8).fill(0.1));
    expect(rates({ name: 'step' })).toEqual([0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05]);
  });

  it('ends the cosine at the last step, warm-up included', () => {
    const rate = scheduleOf(settings({ name: 'cosine', warmupEpochs: 1, final: 0.01 }), 10);
    expect(rate(0)).toBeLessThan(0.01);
    expect(rate(10)).toBeCloseTo(0.1, 12);
    expect(rate(40)).toBeCloseTo(0.01, 12);
    expect(rate(39)).toBeGreaterThan(0.01);
  });

  it('peaks at the learning rate in a one-cycle', () => {
    const all = rates({ name: 'one-cycle' }, 10);
    expect(Math.max(...all)).toBeCloseTo(0.1, 12);
    expect(all.at(-1)).toBeLessThan(1e-5);
  });
});

describe('preprocessing', () => {
  const silent = { imageSize: null, mean: null, std: null };

  it('is what the command line says, else the weights, else the network', () => {
    const cifar = resolvePreprocessing({ network: 'resnet20', ...silent }, undefined);
    expect(cifar).toMatchObject({ resize: null, size: 32, mean: [0.485, 0.456, 0.406] });
    const stored = { resize: null, size: 48, mean: [0, 0, 0], deviation: [1, 1, 1] } as const;
    expect(resolvePreprocessing({ network: 'resnet20', ...silent }, stored)).toEqual(stored);
    expect(resolvePreprocessing({ network: 'resnet20', ...silent, imageSize: 64, std: [2, 2, 2] }, stored)).toEqual({
      ...stored,
      size: 64,
      deviation: [2, 2, 2],
    });
  });

  it('keeps the margin of ImageNet networks: 256 for 224, in proportion', () => {
    const usual = resolvePreprocessing({ network: 'resnet50', ...silent }, undefined);
    expect([openingSize(usual), usual.size]).toEqual([256, 224]);
    const half = resolvePreprocessing({ network: 'resnet50', ...silent, imageSize: 112 }, undefined);
    expect([openingSize(half), half.size]).toEqual([128, 112]);
  });

  it('crops out of a border for networks without a margin', () => {
    const cifar = resolvePreprocessing({ network: 'resnet20', ...silent }, undefined);
    expect(transformOf(cifar, 'crop+flip').description).toMatch(
      /^randomCrop\(32, padding=4, fill=0\) → randomHorizontalFlip/,
    );
    const large = resolvePreprocessing({ network: 'resnet18', ...silent }, undefined);
    expect(transformOf(large, 'crop+flip').description).toMatch(/^randomCrop\(224, padding=0/);
    expect(transformOf(large, 'none').description).toMatch(/^centerCrop\(224\) → toFloat\(\) → normalize/);
  });
});
