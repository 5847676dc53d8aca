/** What would be run on systems that are not this one. */
import { describe, expect, it } from 'vitest';
import { installPlan, parseSources, readOsRelease } from './apt.mjs';

const BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n';
const NOBLE = 'PRETTY_NAME="Ubuntu 24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n';
const UPDATE = 'apt-get update -q';
const INSTALL = 'apt-get install -yq --no-install-recommends';
const MESA = 'mesa-vulkan-drivers libvulkan1';

const plan = (release: string, sources: string, missing = { adapter: true, chromium: false }) =>
  installPlan(missing, readOsRelease(release), parseSources(sources));

describe('installPlan', () => {
  it('adds the backports of the archive that the machine uses, before the update', () => {
    expect(plan(BOOKWORM, 'http://archive.example/debian/ bookworm\n')).toEqual([
      'echo "deb http://archive.example/debian/ bookworm-backports main" > /etc/apt/sources.list.d/bookworm-backports.list',
      UPDATE,
      `${INSTALL} -t bookworm-backports ${MESA}`,
    ]);
  });

  it('adds nothing that is there', () => {
    const sources = 'http://archive.example/debian/ bookworm\nhttp://archive.example/debian/ bookworm-backports\n';
    expect(plan(BOOKWORM, sources)).toEqual([UPDATE, `${INSTALL} -t bookworm-backports ${MESA}`]);
  });

  it('takes the main archive on newer releases', () => {
    expect(plan(NOBLE, 'http://archive.example/ubuntu noble\n')).toEqual([UPDATE, `${INSTALL} ${MESA}`]);
  });

  it('installs only what is missing', () => {
    expect(plan(BOOKWORM, '', { adapter: false, chromium: true })).toEqual([UPDATE, `${INSTALL} chromium`]);
  });
});
