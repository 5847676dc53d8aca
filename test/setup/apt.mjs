/** Which packages of Debian or Ubuntu bring what the tests need, and how they are installed. */

/** The settings of /etc/os-release. */
export function readOsRelease(text) {
  return Object.fromEntries([...text.matchAll(/^(\w+)=["']?(.*?)["']?$/gm)].map(([, name, value]) => [name, value]));
}

const BACKPORTS = 'bookworm-backports';
const DEBIAN_ARCHIVE = 'http://deb.debian.org/debian';

/**
 * The commands, in order, that install what is missing; each is a line for `sh -c '…'` run as root.
 *
 * Software Vulkan is Mesa's lavapipe. Debian 12 has Mesa 22.3, in which Dawn finds no usable adapter; its backports have 25. They are
 * taken from the archive that the machine already uses.
 * @param {{ adapter: boolean, chromium: boolean }} missing
 * @param {Record<string, string>} release of `readOsRelease`
 * @param {{ archive: string, suite: string }[]} sources that apt is set up for
 * @returns {string[]}
 */
export function installPlan(missing, release, sources) {
  const isBookworm = release.VERSION_CODENAME === 'bookworm';
  const commands = ['apt-get update -q'];
  if (missing.adapter) {
    if (isBookworm && !sources.some(({ suite }) => suite === BACKPORTS)) {
      const archive = sources.find(({ suite }) => suite === 'bookworm')?.archive ?? DEBIAN_ARCHIVE;
      commands.unshift(`echo "deb ${archive} ${BACKPORTS} main" > /etc/apt/sources.list.d/${BACKPORTS}.list`);
    }
    const from = isBookworm ? `-t ${BACKPORTS} ` : '';
    commands.push(`apt-get install -yq --no-install-recommends ${from}mesa-vulkan-drivers libvulkan1`);
  }
  if (missing.chromium) commands.push('apt-get install -yq --no-install-recommends chromium');
  return commands;
}

/** Arguments of apt-get that list its sources, a line each, as `parseSources` reads them. */
export const LIST_SOURCES = ['indextargets', '--format', '$(REPO_URI) $(RELEASE)', 'Identifier: Packages'];

export function parseSources(text) {
  const lines = text.split('\n').filter(Boolean);
  return lines.map((line) => line.split(' ')).map(([archive, suite]) => ({ archive, suite }));
}
