/** `marsgrad export`: the weights of a run, or any that can be read, as one safetensors file with PyTorch's names. */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { saveSafetensors } from '../io/node/files.ts';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import { addOutputOptions, type OutputOptions } from './options.ts';
import { Output } from './output.ts';
import { readWeightsFile, storedMetadata } from './weights.ts';

interface ExportOptions extends OutputOptions {
  readonly out?: string;
  readonly force: boolean;
}

const EXAMPLES = `
Examples:
  marsgrad export runs/finetune-resnet20-photos-mars-pgm --out photos.safetensors
  marsgrad export resnet50-imagenet --out resnet50.safetensors

In Python: model.load_state_dict(safetensors.torch.load_file('photos.safetensors')), of timm's or torchvision's network of that name.
Network, classes and preprocessing are in the file's metadata.`;

export function exportCommand(context: Context): Command {
  const command = new Command('export')
    .description("write weights as safetensors, with PyTorch's names")
    .argument('<weights>', 'a run folder, or what finetune --weights takes')
    .option('--out <file>', 'the file to write')
    .option('--force', 'overwrite it', false)
    .addHelpText('after', EXAMPLES);
  addOutputOptions(command);
  return command.action(async (weights: string, options: ExportOptions) => {
    const output = new Output(options.json, context.streams);
    if (options.out === undefined) throw new UsageError('export needs --out: the file to write.');
    if (existsSync(options.out) && !options.force)
      throw new UsageError(`${options.out} exists: choose another --out, or add --force.`);
    const file = await readWeightsFile(weights, (text) => output.message(text));
    const { sha256 } = await saveSafetensors(options.out, file.state, storedMetadata(file.metadata));
    const values = [...file.state.values()].reduce((sum, { data }) => sum + data.length, 0);
    output.record({ type: 'summary', file: options.out, tensors: file.state.size, values, sha256 });
    output.result(`${options.out}: ${file.state.size} tensors, ${values} values, sha256 ${sha256}`);
  });
}
