/** A network of one's own: pre-trained on stripes of four directions, fine-tuned on four others, free, in the MARS ball and by DELTA. */
import * as mg from 'marsgrad';

class StripeNet extends mg.Module {
  readonly headName = 'classifier'; // what is new on a new task; all else is tied to its start
  early = new mg.Sequential(new mg.Conv2d(3, 8, 3, { padding: 1 }), new mg.BatchNorm2d(8), new mg.ReLU());
  late = new mg.Sequential(new mg.Conv2d(8, 16, 3, { stride: 2 }), new mg.BatchNorm2d(16), new mg.ReLU());
  classifier = new mg.Linear(16, 4);
  forward(x: mg.Tensor): mg.Tensor {
    return this.classifier.forward(this.late.forward(this.early.forward(x)).mean([2, 3]));
  }
}

/** Images of 16×16 with stripes at `turn` plus 0°, 45°, 90° or 135°, under noise. */
function stripes(name: string, turn: number, count: number): mg.DataLoader {
  const random = new mg.Random(7).fork(name);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 4);
  const pixels = Uint8Array.from({ length: count * 768 }, (_, i) => {
    const angle = ((turn + 45 * (Math.floor(i / 768) % 4)) * Math.PI) / 180;
    const [y, x] = [Math.floor(i / 48) % 16, Math.floor(i / 3) % 16];
    const stripe = Math.sin(1.3 * (x * Math.cos(angle) + y * Math.sin(angle)) + Math.floor(i / 768));
    return Math.min(255, Math.max(0, 128 + 50 * stripe + 130 * random.normal()));
  });
  const data = new mg.InMemoryDataset({ name, classes: ['a', 'b', 'c', 'd'], pixels, labels, height: 16, width: 16 });
  const transform = mg.transforms.compose([mg.transforms.toFloat()]);
  return new mg.DataLoader(data, { batchSize: 32, shuffle: true, transform });
}

const { device } = await mg.initDevice();
const sgd = (model: mg.Module) => new mg.SGD(model.parameters(), { learningRate: 0.1, momentum: 0.9 });
const schedule = mg.constant(0.05);
const source = new StripeNet();
await mg.fit({ model: source, loader: stripes('source', 0, 512), optimizer: sgd(source), schedule, epochs: 8 });

for (const method of ['free', 'mars-pgm', 'delta']) {
  const model = new StripeNet();
  model.loadStateDict(await source.stateDict());
  const ball = mg.marsBall(model, { extractor: 0.5, classifier: 4 });
  const optimizer = method === 'mars-pgm' ? mg.chain(sgd(model), mg.project(ball)) : sgd(model);
  const onMaps = { extractor: 0.01, layers: ['early', 'late'], weights: 'uniform' } as const;
  const penalties = method === 'delta' ? [mg.delta(model, source, onMaps)] : [];
  await mg.fit({ model, loader: stripes('target', 22.5, 64), optimizer, schedule, epochs: 20, penalties });
  const { top1 } = await mg.evaluate(model, stripes('test', 22.5, 512));
  const moved = (await ball.distances()).map(({ isHead, mars }) => (isHead ? 0 : mars));
  console.log(`${method}: test accuracy ${(100 * top1).toFixed(1)} %, farthest layer ${Math.max(...moved).toFixed(3)}`);
}
device.close();
