/** What the networks get wrong: the confusion matrix, and the images that they are most sure and wrong about. */
import type { ImageDataset } from '../../data/index.ts';
import type { Predictions } from '../../train/index.ts';
import { bestOf, type Series, type Task } from '../aggregate.ts';
import { percent } from '../format.ts';
import { type Html, html, NOTHING, paragraph } from '../page/index.ts';
import { confusionOf, mostConfidentlyWrong, type WrongImage } from '../predictions.ts';
import type { ReportRun } from '../runs.ts';
import { confusionFigure } from './figures/confusion.ts';
import { embedImage } from './images.ts';
import { readPredictions } from './readStudy.ts';
import { byTask, type Part, partOf } from './sections.ts';

/** Opens the images that decided a run; throws where they are not there any more. */
export type OpenImages = (run: ReportRun) => Promise<ImageDataset>;

/** In the whole report: they are what makes a page large. */
const MAX_IMAGES = 24;

/** Of the best row of every task; images of the first. */
export async function mistakesPart(tasks: readonly Task[], openImages: OpenImages | null): Promise<Part | null> {
  const judged = tasks.flatMap((task) => {
    const best = bestOf(task);
    const all = best ? predictionsOf(best) : [];
    return best && all.length > 0 ? [{ task, best, all }] : [];
  });
  const [first] = judged;
  if (!first) return null;
  const drawn = judged.map(({ task }) => task);
  const matrices = byTask('confusion', drawn, (task) => {
    const { best, all } = judged.find((one) => one.task === task)!;
    const { classes } = best.runs[0]!.config.inputs.dataset;
    return [confusionFigure(task, best.title, confusionOf(classes, all))];
  });
  const images = openImages ? await wrongImages(first.task, first.best, first.all, openImages) : NOTHING;
  return partOf('mistakes', 'What it gets wrong', matrices, images);
}

/** Of complete runs whose images are the same. */
function predictionsOf({ runs }: Series): Predictions[] {
  const all = runs.filter(({ summary }) => summary !== null).flatMap((run) => readPredictions(run) ?? []);
  return all.filter(
    ({ labels }) => labels.length === all[0]!.labels.length && labels.every((label, i) => label === all[0]!.labels[i]),
  );
}

async function wrongImages(
  task: Task,
  best: Series,
  all: readonly Predictions[],
  openImages: OpenImages,
): Promise<Html> {
  const run = best.runs.find(({ summary }) => summary !== null)!;
  const title = html`<h3>Most confidently wrong${task.shortName && `: ${task.shortName}`}</h3>`;
  const wrong = mostConfidentlyWrong(all, MAX_IMAGES);
  if (wrong.length === 0) return html`${title}${paragraph('No image is taken for another class.')}`;
  let dataset: ImageDataset;
  try {
    dataset = await openImages(run);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return html`${title}${paragraph(`The images cannot be shown: ${reason}`)}`;
  }
  if (wrong.some(({ index, label }) => dataset.labels[index] !== label))
    return html`${title}${paragraph(`The images cannot be shown: the labels of ${dataset.name} are not those that the run was judged by.`)}`;
  const { classes } = run.config.inputs.dataset;
  const items = await Promise.all(wrong.map((image) => imageItem(dataset, image, classes)));
  const over = all.length > 1 ? `, on average over ${all.length} seeds` : '';
  return html`${title}
${paragraph(`The images of which ${best.title} is most sure (its probability${over}) and wrong. Some of their labels may be the mistake.`)}
<ul class="images">${items}</ul>`;
}

async function imageItem(
  dataset: ImageDataset,
  { index, label, answer, probability, labelProbability }: WrongImage,
  classes: readonly string[],
): Promise<Html> {
  const [says, shows] = [classes[answer]!, classes[label]!];
  return html`<li><img src="${await embedImage(dataset, index)}" alt="image ${index}, labelled ${shows}" title="${dataset.origin(index)}">says <b>${says}</b> (${percent(probability, 0)}), labelled <b>${shows}</b> (${percent(labelProbability, 0)})</li>
`;
}
