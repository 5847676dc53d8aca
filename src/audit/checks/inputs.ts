/** What went in: the pre-trained weights, the data set, the images of the recorded batches, and the sources of the kernels that ran. */
import type { ImageDataset } from '../../data/index.ts';
import type { DeviceKind } from '../../devices/device.ts';
import { kernels } from '../../kernels/index.ts';
import type { AuditContext, AuditSession, Check } from '../context.ts';
import { sha256 } from '../digest.ts';
import { sourceDigests } from '../sources/digests.ts';
import { outcomeOf } from '../verdict.ts';
import { count, Findings, float64Session } from './support.ts';

export const inputs: Check = {
  id: 'inputs',
  title: 'The inputs are those of the run',
  question: 'Are the weights, the images and the kernels on this machine the ones that the run says it used?',
  async run(context) {
    const session = await float64Session(context);
    const findings = new Findings();
    checkWeights(context, session, findings);
    checkData(context, session, findings);
    const images = await checkImages(context, session, findings);
    const sources = await checkSources(context, findings);
    const done = [
      session.weights ? 'the weight file' : 'no weight file (the weights were drawn from the seed)',
      session.dataset.digestCovers === 'content' ? 'the data set, by content' : 'the data set, by names and sizes',
      count(images, 'image'),
      count(sources, 'source file'),
    ];
    return outcomeOf(
      findings.failed ? `${count(findings.failed, 'input')} changed since the run.` : `Unchanged: ${done.join('; ')}.`,
      findings.list(),
    );
  },
};

function checkWeights({ config }: AuditContext, { weights }: AuditSession, findings: Findings): void {
  const said = config.inputs.weights;
  if (said && weights?.sha256 !== said.sha256)
    findings.fail(
      said.path,
      `has the sha256 ${weights?.sha256 ?? '(there is none)'}; the run began with ${said.sha256}`,
    );
  if ((said === null) !== (config.settings.weights === null))
    findings.fail('config.json', 'the settings and the inputs disagree on whether there was a weight file');
}

function checkData({ config }: AuditContext, { dataset }: AuditSession, findings: Findings): void {
  const said = config.inputs.dataset;
  if (dataset.contentDigest !== said.contentDigest)
    findings.fail(said.name, `has the content digest ${dataset.contentDigest}; the run had ${said.contentDigest}`);
  const counts = [
    ['classes', said.classes.join(', '), dataset.classes.join(', ')],
    ['training images', said.trainImages, dataset.train.length],
    ['validation images', said.validationImages, dataset.val?.length ?? 0],
    ['test images', said.testImages, dataset.test.length],
  ] as const;
  for (const [what, before, now] of counts)
    if (before !== now) findings.fail(said.name, `${what}: ${now} now, ${before} in the run`);
  if (dataset.digestCovers === 'sizes')
    findings.note(
      said.name,
      'the digest covers names and sizes alone: images of the recorded batches are compared by content',
    );
}

/** Every image of the recorded batches, as it is opened today. Returns how many there are. */
async function checkImages({ steps }: AuditContext, { loader }: AuditSession, findings: Findings): Promise<number> {
  const seen = new Set<number>();
  for (const { step, file } of steps) {
    for (const { indices, images } of file.batches) {
      for (const [k, index] of indices.entries()) {
        const recorded = images[k];
        if (!recorded || seen.has(index)) continue;
        seen.add(index);
        const found = await digestOfImage(loader.dataset, index);
        if (found === recorded.sha256) continue;
        findings.fail(
          recorded.origin,
          `training image ${index} is not the one that step ${step} saw: ${found ?? 'it cannot be read'} instead of ${recorded.sha256}`,
        );
      }
    }
  }
  return seen.size;
}

async function digestOfImage(dataset: ImageDataset, index: number): Promise<string | null> {
  if (index >= dataset.length) return null;
  const { data } = await dataset.image(index);
  return sha256(data);
}

/** Sources of the kernels as they were when the steps were recorded, against those of the auditing program. Returns how many. */
async function checkSources({ steps, config }: AuditContext, findings: Findings): Promise<number> {
  const used = [...new Set(steps.flatMap(({ file }) => file.launches.map(({ kernel }) => kernel)))];
  for (const name of used.filter((kernel) => !kernels.has(kernel)))
    findings.fail(name, `is a kernel that this version of marsgrad does not have (the run: ${config.marsgrad})`);
  const known = used.filter((kernel) => kernels.has(kernel));
  const installed = await sourceDigests(known, config.device.kind as DeviceKind);
  const recorded = new Map(steps.flatMap(({ file }) => Object.entries(file.sources)));
  for (const [path, digest] of recorded) {
    const own = installed[path];
    const name = known.find((kernel) => path === `shaders/${kernel}.wgsl`);
    const what = name ? `the kernel ${name}` : 'this source';
    if (own !== undefined && own !== digest)
      findings.fail(path, `${what} had other text in the run: sha256 ${digest}, here ${own}`);
    if (own === undefined && known.length === used.length)
      findings.fail(path, `is said to be the source of a kernel, and is none of those that ran`);
  }
  for (const path of Object.keys(installed))
    if (steps.length > 0 && !recorded.has(path))
      findings.fail(path, 'was used by the run, but its digest was not recorded');
  return recorded.size;
}
