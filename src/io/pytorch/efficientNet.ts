/**
 * torchvision's EfficientNets under timm's names, which are those of `src/nn/models/efficientNet.ts`. The networks are the same.
 *
 *   features.0.0.weight                conv_stem.weight
 *   features.1.0.block.0.0.weight      blocks.0.0.conv_dw.weight            the first stage does not widen:
 *   features.1.0.block.1.fc1.weight    blocks.0.0.se.conv_reduce.weight     depthwise, squeeze-excitation, 1×1
 *   features.2.1.block.1.1.bias        blocks.1.1.bn2.bias                  the others: 1×1, depthwise, squeeze-excitation, 1×1
 *   features.8.0.weight                conv_head.weight
 *   classifier.1.weight                classifier.weight
 */
import type { StateDict } from '../state.ts';

/** The parts of a block in order, each a convolution and its BatchNorm, or squeeze-excitation. */
const FIRST_STAGE = [['conv_dw', 'bn1'], 'se', ['conv_pw', 'bn2']] as const;
const OTHER_STAGES = [['conv_pw', 'bn1'], ['conv_dw', 'bn2'], 'se', ['conv_pwl', 'bn3']] as const;

/** What is around the stages, by how its names begin. */
const AROUND: readonly (readonly [theirs: string, ours: string])[] = [
  ['features.0.0.', 'conv_stem.'],
  ['features.0.1.', 'bn1.'],
  ['features.8.0.', 'conv_head.'],
  ['features.8.1.', 'bn2.'],
  ['classifier.1.', 'classifier.'],
];

/** No other network of torchvision has squeeze-excitation there. */
const OWN_NAME = 'features.1.0.block.1.fc1.weight';

function timmName(name: string): string {
  const around = AROUND.find(([theirs]) => name.startsWith(theirs));
  if (around) return around[1] + name.slice(around[0].length);
  const [, stage, block, part, member, parameter] =
    /^features\.([1-7])\.(\d+)\.block\.([0-3])\.(0|1|fc1|fc2)\.(\w+)$/.exec(name) ?? [];
  const is = (stage === '1' ? FIRST_STAGE : OTHER_STAGES)[Number(part)];
  if (is === undefined) return name;
  const path = `blocks.${Number(stage) - 1}.${block}`;
  if (is === 'se') return `${path}.se.${member === 'fc1' ? 'conv_reduce' : 'conv_expand'}.${parameter}`;
  return `${path}.${is[member === '0' ? 0 : 1]}.${parameter}`;
}

/** Names that are no EfficientNet's of torchvision stay as they are. */
export const fromTorchvisionEfficientNet = (state: StateDict): StateDict =>
  state.has(OWN_NAME) ? new Map([...state].map(([name, entry]) => [timmName(name), entry])) : state;
