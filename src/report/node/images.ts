/** Images of a data set, small and within the page. */
import sharp from 'sharp';
import type { ImageDataset } from '../../data/index.ts';

/** Larger images are made smaller. */
const LARGEST_SIDE = 96;

/** A PNG as a data URI. */
export async function embedImage(dataset: ImageDataset, index: number): Promise<string> {
  const { data, width, height } = await dataset.image(index);
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize({ width: LARGEST_SIDE, height: LARGEST_SIDE, fit: 'inside', withoutEnlargement: true })
    .png({ compressionLevel: 9 })
    .toBuffer();
  return `data:image/png;base64,${png.toString('base64')}`;
}
