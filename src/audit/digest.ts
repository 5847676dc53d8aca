/** sha256 as hexadecimal, where there is Node and where there is a browser. */
export async function sha256(bytes: Uint8Array | string): Promise<string> {
  const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  // A view of a SharedArrayBuffer is refused, and copied here.
  const own = data.buffer instanceof ArrayBuffer ? (data as Uint8Array<ArrayBuffer>) : new Uint8Array(data);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', own));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Of the values' little-endian bytes. */
export const sha256OfValues = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Promise<string> =>
  sha256(new Uint8Array(buffer, byteOffset, byteLength));
