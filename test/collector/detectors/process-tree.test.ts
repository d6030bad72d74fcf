/** Which tree a process belongs to: where trees begin, what survives, what is forgotten. */
import { describe, expect, test } from 'vitest';
import { ProcessTrees } from '../../../collector/detectors/process-tree.ts';
import { exec, record, START } from './evidence.ts';

const ran = (entity: string, path: string, parent: string, parentPath: string, more: Record<string, number> = {}) =>
  exec(START, path, {
    ...{ 'process.entity.id': entity, 'process.parent.entity.id': parent },
    ...{ 'process.parent.executable.path': parentPath, ...more },
  });
const forked = (entity: string, path: string, parent: string) =>
  record('process.fork', START, {
    ...{ 'process.entity.id': entity, 'process.executable.path': path, 'process.parent.entity.id': parent },
  });
const ended = (entity: string) => record('process.exit', START, { 'process.entity.id': entity });

const treesOf = (...records: readonly ReturnType<typeof ended>[]): ProcessTrees => {
  const trees = new ProcessTrees();
  for (const each of records) trees.observe('a', each);
  return trees;
};

describe('a tree begins', () => {
  test.each([
    ['/usr/lib/systemd/systemd', true],
    ['/usr/sbin/sshd', true],
    ['/usr/sbin/cron', true],
    ['/usr/bin/containerd-shim-runc-v2', true],
    ['/usr/bin/bash', false],
    ['/usr/sbin/nginx', false],
  ])('below %s: %s', (parent, begins) => {
    const trees = treesOf(ran('child', '/usr/bin/id', 'parent', parent));
    expect(trees.find('a', 'child').root).toBe(begins ? 'child' : 'parent');
  });

  test('below a fork of init, before it is known what that will run', () => {
    const trees = treesOf(
      forked('service', '/usr/lib/systemd/systemd', 'init'),
      ran('service', '/usr/sbin/nginx', 'init', '/usr/lib/systemd/systemd'),
      forked('worker', '/usr/sbin/nginx', 'service'),
      ran('shell', '/usr/bin/dash', 'worker', '/usr/sbin/nginx'),
    );
    expect(trees.find('a', 'shell')).toMatchObject({ root: 'service', program: '/usr/sbin/nginx' });
  });
});

test('what ended is forgotten, its children keep their root, and the root its name', () => {
  const trees = treesOf(
    ran('root', '/usr/bin/bash', 'login', '/usr/sbin/sshd', { 'process.audit.session.id': 7 }),
    ran('make', '/usr/bin/make', 'root', '/usr/bin/bash'),
    ran('cc', '/usr/bin/cc', 'make', '/usr/bin/make'),
    ended('make'),
    ended('root'),
  );
  expect(trees.find('a', 'make').program).toBeUndefined();
  expect(trees.find('a', 'cc')).toMatchObject({ root: 'root', program: '/usr/bin/bash', session: '7' });
  expect(trees.find('b', 'cc').root).toBe('cc');
});

test('memory is bounded, and survives a restart', () => {
  const trees = treesOf(
    ...Array.from({ length: 5_000 }, (_, i) => ran(String(i), '/usr/bin/x', `p${i % 50}`, '/usr/bin/bash')),
  );
  const saved = JSON.stringify(trees.save());
  expect(saved.length).toBeLessThan(100_000);
  const again = new ProcessTrees(JSON.parse(saved));
  expect(JSON.stringify(again.save())).toBe(saved);
  expect(again.find('a', '4999')).toEqual(trees.find('a', '4999'));
});
