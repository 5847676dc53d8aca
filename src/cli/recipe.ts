/** `marsgrad recipe`: the values that the paper's authors found, as commands. */
import { Argument, Command } from 'commander';
import {
  RECIPE_METHODS,
  RECIPE_NETWORKS,
  RECIPE_TITLES,
  RECIPES,
  type RecipeDataset,
  type RecipeMethod,
  type RecipeNetwork,
  remarkOn,
  STATED_ACCURACIES,
  type Strengths,
} from '../experiments/authorsRecipes.ts';
import type { Context } from './context.ts';
import { factsOf } from './methods.ts';
import { addOutputOptions, type OutputOptions, option } from './options.ts';
import { formatTable, Output } from './output.ts';
import { choice } from './parse.ts';

interface RecipeOptions extends OutputOptions {
  readonly network?: RecipeNetwork;
  readonly weights?: string;
  readonly data?: string;
}

interface Line {
  readonly method: RecipeMethod | 'none';
  /** What the two numbers are. */
  readonly kind: 'radius' | 'coefficient' | null;
  readonly extractor: number | null;
  readonly classifier: number | null;
  /** Test accuracy that the authors state, in per cent. */
  readonly statedAccuracy: number | null;
  readonly remark: string | null;
  readonly command: string;
}

const CAVEATS = [
  'Found by 20 evaluations of a search on the validation accuracy after 30 epochs, one run each, without a fixed seed. --test trains on the ' +
    'validation images too, as their final runs did.',
  'They belong to the setting of --preset authors: raw 0 … 255 pixels, a flattened head (100,352 inputs for a ResNet-101 at 224), Adam at 10⁻⁴, ' +
    '30 epochs. With another head or preprocessing they are a guess: use marsgrad tune.',
  "DELTA's classifier was penalised in the MARS norm, the default of the authors' --reg-norm when these values were run.",
];
const DEPTHWISE =
  "On EfficientNet-B0 the authors' code bounds a whole depthwise kernel as one row; --preset authors does the same (--depthwise-rows kernel).";

const EXAMPLES = `
Data sets: ${Object.keys(RECIPES).join(', ')} (or the authors' names: ${Object.values(RECIPE_TITLES).join(', ')}).
Source: the scripts of the paper's authors (Gouk, Hospedales and Pontil, ICLR 2021).

Examples:
  marsgrad recipe
  marsgrad recipe flowers --network resnet101 --weights resnet101.pth --data flowers/
  marsgrad recipe pets --json`;

export function recipeCommand(context: Context): Command {
  const command = new Command('recipe')
    .description("the radii and coefficients that the paper's authors found, with the command that runs each")
    .addArgument(new Argument('[dataset]', 'one of those below; without it they are listed').argParser(datasetName))
    .addHelpText('after', EXAMPLES)
    .addOption(option('--network <name>', `${RECIPE_NETWORKS.join(', ')} (default: both)`, choice(RECIPE_NETWORKS)))
    .option('--weights <file>', 'the pre-trained weights that the commands name')
    .option('--data <folder>', 'the images that the commands name');
  addOutputOptions(command);
  return command.action((dataset: RecipeDataset | undefined, options: RecipeOptions) => {
    const output = new Output(options.json, context.streams);
    if (dataset === undefined) {
      output.record({ type: 'summary', datasets: Object.keys(RECIPES), networks: RECIPE_NETWORKS });
      output.result(listing());
      return;
    }
    const networks = options.network === undefined ? RECIPE_NETWORKS : [options.network];
    const recipes = networks.map((network) => ({ network, lines: linesOf(dataset, network, options) }));
    const caveats = networks.includes('enb0') ? [...CAVEATS, DEPTHWISE] : CAVEATS;
    output.record({ type: 'summary', dataset, recipes, caveats });
    output.result([...recipes.map((recipe) => textOf(dataset, recipe)), ...caveats].join('\n\n'));
  });
}

const names = Object.keys(RECIPES) as RecipeDataset[];

/** Ours, or the authors' folder's. */
function datasetName(text: string): RecipeDataset {
  const titled = names.find((name) => RECIPE_TITLES[name] === text);
  return titled ?? choice(names)(text);
}

function listing(): string {
  const rows = names.map((name) => [name, RECIPE_TITLES[name], RECIPE_NETWORKS.join(', ')]);
  return `${formatTable([['data set', "the authors' name", 'networks'], ...rows])}\n\nOne of them: marsgrad recipe flowers`;
}

function linesOf(dataset: RecipeDataset, network: RecipeNetwork, options: RecipeOptions): Line[] {
  const { weights = network === 'resnet101' ? 'resnet101.pth' : 'efficientnet_b0.pth', data = `${dataset}/` } = options;
  const base = `marsgrad finetune --preset authors --network ${network} --weights ${quoted(weights)} --dataset ${quoted(data)}`;
  const stated = STATED_ACCURACIES[dataset]?.[network];
  const free: Line = {
    method: 'none',
    kind: null,
    extractor: null,
    classifier: null,
    statedAccuracy: stated?.none ?? null,
    remark: null,
    command: `${base} --method none --test`,
  };
  return [
    free,
    ...RECIPE_METHODS.map((method): Line => {
      const [extractor, classifier]: Strengths = RECIPES[dataset][network][method];
      return {
        method,
        kind: factsOf(method).extractor,
        extractor,
        classifier,
        statedAccuracy: stated?.[method] ?? null,
        remark: remarkOn(dataset, network, method),
        command: `${base} --method ${method} --reg-extractor ${extractor} --reg-classifier ${classifier} --test`,
      };
    }),
  ];
}

/** For a shell. */
const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

const short = (value: number | null): string => (value === null ? '–' : value.toPrecision(4));

function textOf(
  dataset: RecipeDataset,
  { network, lines }: { network: RecipeNetwork; lines: readonly Line[] },
): string {
  const rows = lines.map(({ method, kind, extractor, classifier, statedAccuracy }) => [
    method,
    kind ?? '–',
    short(extractor),
    short(classifier),
    statedAccuracy === null ? '–' : `${statedAccuracy.toFixed(2)} %`,
  ]);
  const heading = ['method', 'numbers are', 'extractor', 'classifier', 'stated accuracy'];
  const remarks = lines.flatMap(({ method, remark }) => (remark ? [`${method}: ${remark}.`] : []));
  return [
    `${dataset}, ${network}`,
    formatTable([heading, ...rows]),
    ...(remarks.length > 0 ? ['', ...remarks] : []),
    '',
    ...lines.map(({ command }) => command),
  ].join('\n');
}
