/** What the paper's authors' program prints, for scripts that were written for it. */
import type { LayerDistance } from '../regularizers/index.ts';
import { authorsNames } from './methods.ts';
import type { TrainingResult } from './trainingRun.ts';

/**
 * `--quiet`: network,method,norm,reg_extractor,reg_classifier,loss,acc,val_loss,val_acc. Loss and accuracy are those of the last epoch of
 * training, and of the images that decided in the end. A method that the authors have not stands under its own name, without a norm.
 */
export function quietRow({ config, summary }: TrainingResult): string {
  const { network, regularization } = config.settings;
  const { method, extractor, classifier } = regularization;
  const names = authorsNames(method) ?? { method, norm: '' };
  const { trainLoss, trainAccuracy, test } = summary;
  const strengths = [extractor, classifier].map((value) => value ?? 'inf');
  return [network, names.method, names.norm, ...strengths, trainLoss, trainAccuracy, test.loss, test.top1].join(',');
}

/**
 * `--norm-hist`: mars,frob of every convolution and dense layer but the classifier. The authors print the square of the Frobenius
 * distance under that name; this is the distance.
 */
export function normRows(distances: readonly LayerDistance[]): string {
  const layers = distances.filter(({ kind, isHead }) => kind !== 'batchNorm2d' && !isHead);
  return layers.map(({ mars, frobenius }) => `${mars},${frobenius}`).join('\n');
}
