/** Images of a data set, small and within the page. */
import sharp from 'sharp';
import type { ImageDataset } from '../../data/index.ts';

/** Larger images are made smaller. */
const LARGEST_SIDE = 112;
/** Images of few pixels are kept as they are, pixel by pixel; photographs of more would make the page large. */
const LARGEST_EXACT_SIDE = 48;

/** A data URI: PNG, or JPEG for what is larger. */
export async function embedImage(dataset: ImageDataset, index: number): Promise<string> {
  const { data, width, height } = await dataset.image(index);
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  if (Math.max(width, height) <= LARGEST_EXACT_SIDE)
    return `data:image/png;base64,${(await image.png({ compressionLevel: 9 }).toBuffer()).toString('base64')}`;
  const small = image.resize({ width: LARGEST_SIDE, height: LARGEST_SIDE, fit: 'inside', withoutEnlargement: true });
  return `data:image/jpeg;base64,${(await small.jpeg({ quality: 82 }).toBuffer()).toString('base64')}`;
}
