/** Settings from `finetune`'s options by their long names, as files and search points hold them. */
import { Command, CommanderError } from 'commander';
import type { OptionValues } from '../../experiments/recipe.ts';
import { UsageError } from '../errors.ts';
import { addFinetuneOptions, type FinetuneOptions, settingsOf } from '../finetune.ts';
import type { TrainingSettings } from '../settings.ts';

/** Options that a study decides by itself. */
const OWN = ['out', 'resume', 'device', 'threads', 'json'];

/** `where` names the place in messages. Throws UsageError as the command line would. */
export async function settingsFrom(values: OptionValues, where: string): Promise<TrainingSettings> {
  const own = OWN.find((name) => name in values);
  if (own !== undefined) throw new UsageError(`${where}: "${own}" belongs on the command line.`);
  let settings: Promise<TrainingSettings> | undefined;
  const messages: string[] = [];
  const command = new Command(where).exitOverride().configureOutput({ writeErr: (text) => messages.push(text) });
  addFinetuneOptions(command);
  command.action((options: FinetuneOptions) => {
    settings = settingsOf(command, options);
  });
  try {
    command.parse(argumentsOf(values), { from: 'user' });
    return await settings!;
  } catch (error) {
    if (error instanceof CommanderError) throw new UsageError(`${where}: ${messages.join(' ').trim()}`);
    if (error instanceof UsageError) throw new UsageError(`${where}: ${error.message}`);
    throw error;
  }
}

/** The same on a command line: a list is joined by commas, true is the option alone, false its `no-` form. */
export const argumentsOf = (values: OptionValues): string[] =>
  Object.entries(values).flatMap(([name, value]) => {
    if (typeof value === 'boolean') return [value ? `--${name}` : `--no-${name}`];
    return [`--${name}`, Array.isArray(value) ? value.join(',') : String(value)];
  });
