/** A disk that fails at one step, half done, and works before and after. */
import { truncateSync } from 'node:fs';
import { realDisk, type Disk } from '../../collector/disk.ts';

export interface FailingDisk extends Disk {
  /** Whether the step to fail has come. */
  readonly failed: () => boolean;
}

export function failingDisk(failAt: number): FailingDisk {
  let step = 0;
  const fails = (): boolean => (step += 1) === failAt;
  const injected = (): Error => new Error(`injected at step ${failAt}`);
  return {
    failed: () => step >= failAt,
    async makeDirectory(path) {
      if (fails()) throw injected();
      await realDisk.makeDirectory(path);
    },
    async write(path, bytes) {
      const failing = fails();
      await realDisk.write(path, bytes);
      if (!failing) return;
      truncateSync(path, Math.floor(bytes.length / 2));
      throw injected();
    },
    async rename(from, to) {
      if (fails()) throw injected();
      await realDisk.rename(from, to);
    },
    async syncDirectory(path) {
      if (fails()) throw injected();
      await realDisk.syncDirectory(path);
    },
    async remove(path) {
      if (fails()) throw injected();
      await realDisk.remove(path);
    },
  };
}
