/** A disk that fails at one step, before, halfway or after it was done, and works otherwise. */
import { realDisk, type Disk } from '../../agent/disk.ts';

export interface FailingDisk extends Disk {
  /** Whether the step to fail has come. */
  readonly failed: () => boolean;
}

/** `done`: a rename or removal is carried out and then reported as failed. A write is always left half done. */
export function failingDisk(failAt: number, done: boolean): FailingDisk {
  let step = 0;
  const injected = (): Error => Object.assign(new Error(`injected at step ${failAt}`), { code: 'EIO' });
  const attempt = async (act: () => Promise<void>): Promise<void> => {
    const fails = ++step === failAt;
    if (!fails || done) await act();
    if (fails) throw injected();
  };
  return {
    failed: () => step >= failAt,
    async writeDurably(path, bytes) {
      const fails = ++step === failAt;
      await realDisk.writeDurably(path, fails ? bytes.subarray(0, bytes.length >> 1) : bytes);
      if (fails) throw injected();
    },
    rename: (from, to) => attempt(() => realDisk.rename(from, to)),
    syncDirectory: (path) => attempt(() => realDisk.syncDirectory(path)),
    remove: (path) => attempt(() => realDisk.remove(path)),
    list: (path) => realDisk.list(path),
    read: (path) => realDisk.read(path),
    size: (path) => realDisk.size(path),
    room: (path) => realDisk.room(path),
  };
}
