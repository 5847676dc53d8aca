/**
 * No image of the test set was trained on. The same pixels in both fail; images that look alike (4 of the 64 bits of a difference hash, or
 * fewer, differ) are notes, for a person to look at. Where the data set is one that is published with its split, and its digest is the
 * published one, repetitions are its own and notes too: a run cannot help them.
 */
import type { ImageDataset } from '../../data/index.ts';
import { CATALOGUE } from '../../data/index.ts';
import type { AuditContext, AuditSession, Check } from '../context.ts';
import { sha256 } from '../digest.ts';
import { outcomeOf } from '../verdict.ts';
import { differenceHash, hashDistance, type ImageHash, isTelling } from './math/imageHash.ts';
import { count, Findings, float64Session } from './support.ts';

/** Bits of 64. */
export const NEAR = 4;
/** Images per set that are looked at; of larger sets, so many evenly spread. */
const MOST = 20_000;

interface Seen {
  readonly dataset: ImageDataset;
  readonly index: number;
  readonly digest: string;
  readonly hash: ImageHash;
}

export const split: Check = {
  id: 'split',
  title: 'Nothing was trained on that was tested',
  question:
    'Is an image of the test set, or one that looks like it, among the training images, and were as many labels made wrong as the settings say?',
  async run(context) {
    const session = await float64Session(context);
    const findings = new Findings();
    const { train, val, test } = session.dataset;
    const sets = await Promise.all([train, val, test].map((set) => (set ? look(set, context.thorough) : [])));
    const [trained, held, tested] = sets as [Seen[], Seen[], Seen[]];
    const isPublished = CATALOGUE.some(({ name }) => name === context.config.inputs.dataset.name);
    const same =
      exact(trained, tested, 'test', isPublished, findings) + exact(trained, held, 'validation', isPublished, findings);
    withinTraining(trained, findings);
    const near = alike(trained, tested, findings);
    const wrong = checkNoise(context, session, findings);
    const looked =
      trained.length < train.length || tested.length < test.length
        ? `${count(trained.length, 'training image')} and ${count(tested.length, 'test image')} looked at`
        : `${count(train.length, 'training image')}, ${count(test.length, 'test image')}`;
    return outcomeOf(
      findings.failed
        ? `${count(findings.failed, 'image')} on both sides of the split, or labels that are not as the settings say.`
        : `${looked}: ${same === 0 ? 'none' : same} in both; ${near === 0 ? 'none that look alike' : `${count(near, 'pair')} that look alike`}.${wrong}`,
      findings.list(),
    );
  },
};

async function look(dataset: ImageDataset, thorough: boolean): Promise<Seen[]> {
  const stride = thorough ? 1 : Math.max(1, Math.ceil(dataset.length / MOST));
  const seen: Seen[] = [];
  for (let index = 0; index < dataset.length; index += stride) {
    const image = await dataset.image(index);
    const size = new TextEncoder().encode(`${image.height}x${image.width}:`);
    const content = new Uint8Array(size.length + image.data.length);
    content.set(size);
    content.set(image.data, size.length);
    seen.push({ dataset, index, digest: await sha256(content), hash: differenceHash(image) });
  }
  return seen;
}

const nameOf = ({ dataset, index }: Seen): string => dataset.origin(index);

/** Returns how many images of `others` are training images. */
function exact(
  trained: readonly Seen[],
  others: readonly Seen[],
  what: string,
  isPublished: boolean,
  findings: Findings,
): number {
  const byDigest = new Map(trained.map((seen) => [seen.digest, seen]));
  let found = 0;
  for (const one of others) {
    const twin = byDigest.get(one.digest);
    if (!twin) continue;
    found++;
    const message = `is training image ${twin.index} too (${nameOf(twin)})`;
    const place = `${what} image ${one.index}, ${nameOf(one)}`;
    if (isPublished) findings.note(place, `${message}: so it is in the published data set`);
    else findings.fail(place, message);
  }
  return found;
}

/** The same pixels twice in the training set: worth knowing, more so under two labels. */
function withinTraining(trained: readonly Seen[], findings: Findings): void {
  const first = new Map<string, Seen>();
  for (const one of trained) {
    const twin = first.get(one.digest);
    if (!twin) {
      first.set(one.digest, one);
      continue;
    }
    const clean = (seen: Seen) => (seen.dataset.cleanLabels ?? seen.dataset.labels)[seen.index];
    const labels = clean(one) === clean(twin) ? 'under the same label' : 'under another label';
    findings.note(
      `training image ${one.index}, ${nameOf(one)}`,
      `is the same as training image ${twin.index} (${nameOf(twin)}), ${labels}`,
    );
  }
}

/** Returns how many pairs look alike without being the same. */
function alike(trained: readonly Seen[], tested: readonly Seen[], findings: Findings): number {
  let pairs = 0;
  const telling = trained.filter(({ hash }) => isTelling(hash));
  for (const one of tested) {
    if (!isTelling(one.hash)) continue;
    for (const other of telling) {
      const bits = hashDistance(one.hash, other.hash);
      if (bits > NEAR || one.digest === other.digest) continue;
      pairs++;
      findings.note(
        `test image ${one.index}, ${nameOf(one)}`,
        `looks like training image ${other.index} (${nameOf(other)}): ${bits} of 64 bits differ`,
      );
    }
  }
  return pairs;
}

/** In every class exactly round(f·n) labels are wrong. Returns a sentence. */
function checkNoise({ config }: AuditContext, { dataset: { train } }: AuditSession, findings: Findings): string {
  const { labelNoise } = config.settings;
  if (labelNoise === 0 || !train.cleanLabels) return '';
  let all = 0;
  for (const [label, name] of train.classes.entries()) {
    const own = [...train.cleanLabels].flatMap((clean, i) => (clean === label ? [i] : []));
    const wrong = own.filter((i) => train.labels[i] !== label).length;
    all += wrong;
    const asked = Math.round(labelNoise * own.length);
    if (wrong !== asked)
      findings.fail(`class ${name}`, `${wrong} of ${own.length} labels are wrong; the settings ask for ${asked}`);
  }
  return ` ${count(all, 'training label')} of ${train.length} made wrong, as asked for.`;
}
