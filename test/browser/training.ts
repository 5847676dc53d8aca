/** Twenty steps of a tiny ResNet with the MARS projection: the same program in a page and in Node. */
import {
  CifarResNet,
  chain,
  type DeviceChoice,
  initDevice,
  marsBall,
  project,
  Random,
  SGD,
  trainStep,
} from '../../src/index.ts';

export const STEPS = 20;
const BATCH_SIZE = 8;
const CLASSES = 4;
/** Small enough that all convolutions share one tile, so one pipeline per pass: compiling is what takes time. */
const SIZE = 8;

export interface TrainingRun {
  /** Of the device, for messages. */
  readonly name: string;
  /** Mean cross-entropy of each step, in nats. */
  readonly losses: readonly number[];
  /** Largest distance/radius after each step. */
  readonly worstRatios: readonly number[];
}

/** Random images whose mean brightness tells the class, so that there is something to learn. */
function makeBatch(random: Random) {
  const labels = Int32Array.from({ length: BATCH_SIZE }, () => random.integer(CLASSES));
  const pixels = 3 * SIZE * SIZE;
  const images = Float32Array.from({ length: BATCH_SIZE * pixels }, (_, i) => {
    const label = labels[Math.floor(i / pixels)]!;
    return label - (CLASSES - 1) / 2 + 2 * random.uniform() - 1;
  });
  const indices = Int32Array.from(labels.keys());
  return { images, labels, indices, shape: [BATCH_SIZE, 3, SIZE, SIZE] as const };
}

export async function train(choice: DeviceChoice, threads?: number): Promise<TrainingRun> {
  const { device } = await initDevice({ device: choice, ...(threads && { threads }) });
  const random = new Random(7);
  const model = new CifarResNet(8, { classes: CLASSES, random: new Random(1) });
  model.train();
  const constraint = marsBall(model, { extractor: 0.2, classifier: 2 });
  const optimizer = chain(new SGD(model.parameters(), { learningRate: 0.05, momentum: 0.9 }), project(constraint));
  const losses: number[] = [];
  const worstRatios: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const metrics = trainStep(
      { model, optimizer, labelSmoothing: 0, constraint, penalties: [] },
      makeBatch(random),
      0.05,
    );
    const [loss, , worstRatio] = await metrics.data();
    metrics.dispose();
    losses.push(loss!);
    worstRatios.push(worstRatio!);
  }
  device.close();
  return { name: device.name, losses, worstRatios };
}
