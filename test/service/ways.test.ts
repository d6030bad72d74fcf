/** What to do about a process, for whoever runs it. */
import { expect, test } from 'vitest';
import { placeOf } from '../../service/places.ts';
import { waysOf } from '../../service/ways.ts';

test('of the packages: the service manager', () => {
  expect(waysOf('shipper', 'agent', '/etc/hushwatch/agent.yaml')).toEqual({
    start: 'systemctl start hushwatch.target',
    restart: 'systemctl restart hushwatch-shipper',
    reload: 'systemctl reload hushwatch-shipper',
    log: 'journalctl -u hushwatch-shipper',
    file: '/etc/hushwatch/shipper.yaml',
  });
});

test('of `npm start`: its directory', () => {
  const ways = waysOf('shipper', 'agent', '/h/agent/agent.yaml');
  expect(ways).toMatchObject({ log: 'see /h/log/shipper.log', file: '/h/shipper/shipper.yaml', start: 'npm start' });
  expect(ways.reload).toContain('/h/pids.json');
});

test('where a configuration lies when nobody names one', () => {
  expect(placeOf('agent', { HUSHWATCH_HOME: '/h' })).toBe('/h/agent/agent.yaml');
  expect(placeOf('collector', {})).toMatch(/collector\.yaml$/);
});
