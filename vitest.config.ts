/** Test runner settings. Unit tests run in parallel; everything under test/e2e, test/chaos and test/browser drives real processes and runs alone. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globals: false,
    testTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/{e2e,chaos,browser}/**'] },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/{e2e,chaos,browser}/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
