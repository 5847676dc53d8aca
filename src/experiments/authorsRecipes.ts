/**
 * What the paper's authors found for their seven data sets and two networks: radii (L2-PGM, MARS-PGM) and coefficients (DELTA, L2-SP,
 * MARS-SP), each for the pre-trained layers and for the classifier. Facts, read from the scripts of their published code
 * (github.com/henrygouk/mars-finetuning, 2021; no licence, nothing else of it is here), and the accuracies that its README states.
 *
 * They belong to the authors' setting (`--preset authors`): raw pixels, flattened head, Adam, 30 epochs. In any other they are a guess.
 */

export const RECIPE_METHODS = ['delta', 'l2-sp', 'mars-sp', 'l2-pgm', 'mars-pgm'] as const;
export type RecipeMethod = (typeof RECIPE_METHODS)[number];
export const RECIPE_NETWORKS = ['resnet101', 'enb0'] as const;
/** `enb0` is the authors' name of EfficientNet-B0. */
export type RecipeNetwork = (typeof RECIPE_NETWORKS)[number];

/** On the pre-trained layers, and on the classifier. */
export type Strengths = readonly [extractor: number, classifier: number];

export const RECIPES = {
  aircraft: {
    resnet101: {
      delta: [0.03187606634855057, 0.14765567167862487],
      'l2-sp': [0.014600076196758066, 0.23391497598093233],
      'mars-sp': [0.003853539013486976, 0.07476345145522699],
      'l2-pgm': [2.236423682164394, 1.8631994367794358],
      'mars-pgm': [7.6715503305452994, 21.363896453542512],
    },
    enb0: {
      delta: [5.9997718356372584e-5, 0.2769387669648185],
      'l2-sp': [9.594723930304776e-5, 0.1456088766309684],
      'mars-sp': [0.00021863955200940454, 0.2701099148142051],
      'l2-pgm': [5.522346634044927, 1.7009094549652324],
      'mars-pgm': [4.711232636099617, 11.693961839062071],
    },
  },
  butterfly: {
    resnet101: {
      delta: [0.0009052115005055005, 0.2362590182097744],
      'l2-sp': [0.005613815517799307, 0.29914544366140783],
      'mars-sp': [0.12286664439121874, 0.1186676186210077],
      'l2-pgm': [6.173430095799361, 3.1067217250234584],
      'mars-pgm': [5.639192186024681, 9.613474460081614],
    },
    enb0: {
      delta: [0.0014523650332113945, 0.3603203950519164],
      'l2-sp': [0.0010198338700776709, 0.3581989424760648],
      'mars-sp': [8.733621925976164e-5, 0.0062381684731317244],
      'l2-pgm': [4.36355581453845, 1.7295210923183646],
      'mars-pgm': [7.305705902961368, 11.602860348173149],
    },
  },
  caltech: {
    resnet101: {
      delta: [0.02806252814025854, 0.06722156323081158],
      'l2-sp': [0.012832519899543154, 0.09987031012039471],
      'mars-sp': [0.00018095892661754381, 0.057724667510961565],
      'l2-pgm': [4.299619976472963, 1.781445684054469],
      'mars-pgm': [18.067335785022625, 31.01600540213599],
    },
    enb0: {
      delta: [0.0009089464426302129, 0.17315132721127716],
      'l2-sp': [0.0010034127490568371, 0.04313921988538812],
      'mars-sp': [0.00013232687033245253, 0.020054744259953957],
      'l2-pgm': [3.1790857927349845, 1.9635483235436386],
      'mars-pgm': [3.480587069042308, 27.790473530507324],
    },
  },
  dtd: {
    resnet101: {
      delta: [0.17261854852586161, 0.1696369662557768],
      'l2-sp': [0.03089663957640984, 0.33454240183014805],
      'mars-sp': [0.006168197617135301, 0.04066234358056213],
      'l2-pgm': [2.405874675106675, 1.7153536730573504],
      'mars-pgm': [3.959406653965832, 23.508422525954273],
    },
    enb0: {
      delta: [0.016873427192034163, 0.2057422958342999],
      'l2-sp': [0.0011188215779291424, 0.1996312074617487],
      'mars-sp': [0.003127544533413377, 0.03651331099480047],
      'l2-pgm': [1.907721285824912, 1.6577318747516427],
      'mars-pgm': [9.939410179437791, 12.862498557488857],
    },
  },
  flowers: {
    resnet101: {
      delta: [0.05908174367339489, 0.26426670241812295],
      'l2-sp': [0.03994148696774106, 0.09534244732508584],
      'mars-sp': [0.00021916093034877063, 0.0011648743930556243],
      'l2-pgm': [5.271757318304804, 3.0129629926206167],
      'mars-pgm': [6.581151746007226, 7.614292570518677],
    },
    enb0: {
      delta: [0.00047024619624219747, 0.04151159356207949],
      'l2-sp': [0.0010454505046214517, 0.3077015638067559],
      'mars-sp': [0.00037650422211560217, 0.0015179709568761022],
      'l2-pgm': [8.78574321567812, 1.8054416382394405],
      'mars-pgm': [10.250269668487821, 8.167263052525952],
    },
  },
  pets: {
    resnet101: {
      delta: [0.00017987266196887002, 0.16281288722701628],
      'l2-sp': [0.03994148696774106, 0.09534244732508584],
      'mars-sp': [0.00021916093034877063, 0.0011648743930556243],
      'l2-pgm': [1.1961134581246993, 1.7253622107522244],
      'mars-pgm': [13.952100641753956, 17.090633659963352],
    },
    enb0: {
      delta: [0.15480606092251736, 0.17474053423403835],
      'l2-sp': [0.00034208425578714574, 0.19482385270664973],
      'mars-sp': [8.360897036453021e-5, 0.2636018626012623],
      'l2-pgm': [1.7304358752274287, 1.9959420134152572],
      'mars-pgm': [5.951676915312538, 11.952030079391935],
    },
  },
  pubfig: {
    resnet101: {
      delta: [0.006829603469076509, 0.06420513234115749],
      'l2-sp': [0.00047442412966256425, 0.10531517750039265],
      'mars-sp': [0.017902251575106182, 0.05644511190541913],
      'l2-pgm': [12.178268046576283, 4.037971869872896],
      'mars-pgm': [9.369018136370515, 7.998947195275408],
    },
    enb0: {
      delta: [0.008952195157278565, 0.21815841400749678],
      'l2-sp': [0.003948139880248755, 0.03922946356768655],
      'mars-sp': [0.0033300896619318492, 0.2421975573380983],
      'l2-pgm': [1.9297929364190836, 2.01799550466595],
      'mars-pgm': [10.769842053506178, 15.30267014764564],
    },
  },
} as const satisfies Record<string, Record<RecipeNetwork, Record<RecipeMethod, Strengths>>>;

export type RecipeDataset = keyof typeof RECIPES;

/** The folders' names in the authors' scripts. */
export const RECIPE_TITLES: Readonly<Record<RecipeDataset, string>> = {
  aircraft: 'vgg-aircraft',
  butterfly: 'butterfly-200',
  caltech: 'caltech-256',
  dtd: 'dtd',
  flowers: 'vgg-flowers',
  pets: 'vgg-pets',
  pubfig: 'pubfig-83',
};

/** Test accuracies that the authors' README states, in per cent; the other numbers of the paper were not at hand. */
export const STATED_ACCURACIES: Readonly<
  Partial<Record<RecipeDataset, Partial<Record<RecipeNetwork, Partial<Record<RecipeMethod | 'none', number>>>>>>
> = {
  flowers: { resnet101: { none: 76.68, 'l2-sp': 83.11, delta: 86.57, 'mars-pgm': 87.42 } },
  butterfly: { resnet101: { none: 70.02, 'l2-sp': 76.56, delta: 77.91, 'mars-pgm': 79.5 } },
};

/** What is odd about one pair of values. */
export function remarkOn(dataset: RecipeDataset, network: RecipeNetwork, method: RecipeMethod): string | null {
  if (dataset !== 'pets' || network !== 'resnet101') return null;
  if (method === 'l2-sp' || method === 'mars-sp') return 'the values of flowers to the last digit: copied, not tuned';
  return method === 'l2-pgm' ? "the extractor's radius lies outside the range that was searched, 1.65 to 33.1" : null;
}
