/**
 * JPEG, PNG and WebP files to pixels, by sharp (libvips).
 *
 * The bytes are those of Pillow's `ImageOps.exif_transpose(image).convert('RGB')`: the camera's orientation (EXIF) is applied, as
 * browsers and people see the photo (torchvision's ImageFolder does not apply it); grey is repeated in three channels; alpha is dropped, not
 * blended; embedded colour profiles are ignored. Two kinds differ from Pillow: CMYK goes through a colour profile, because the
 * naive formula gives wrong colours; of 16 bits the high eight are kept, where Pillow clips.
 */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import type { RawImage } from '../dataset.ts';

export const IMAGE_EXTENSIONS: readonly string[] = ['.jpg', '.jpeg', '.png', '.webp'];

/** Decodes the bytes of one file. Throws with libvips' reason where they are no image or end too early. */
export async function decodeImage(bytes: Uint8Array): Promise<RawImage> {
  const { data, info } = await sharp(bytes, { ignoreIcc: true })
    .autoOrient()
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`it decodes to ${info.channels} channels instead of 3`);
  // Not a Buffer: its `slice` does not copy.
  const pixels = new Uint8Array(data.buffer, data.byteOffset, data.length);
  return { data: pixels, height: info.height, width: info.width };
}

/** Reads and decodes a file; an error names it. */
export async function decodeFile(path: string): Promise<{ image: RawImage; bytes: Uint8Array }> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new Error(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  try {
    return { image: await decodeImage(bytes), bytes };
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new Error(`${path} cannot be decoded as an image (${reason}). Repair or remove the file.`, { cause });
  }
}
