/** What a page can do beyond being read: live alerts, keys, a filter, times that stay current. All of it works without. */
import { plotActivity } from './plot.js';

const list = () => document.querySelector('.list');
const links = () => [...(list()?.querySelectorAll('li:not([hidden]) > a') ?? [])];

function fragment(markup) {
  const template = document.createElement('template');
  template.innerHTML = markup; // Made and escaped by the server, which is the only source this page may have.
  return template.content;
}

function listen() {
  const alerts = document.querySelector('#alerts[data-live]');
  if (!alerts) return;
  const status = document.querySelector('#live');
  const source = new EventSource('/live');
  source.addEventListener('open', () => (status.textContent = 'live'));
  source.addEventListener('error', () => (status.textContent = 'reconnecting…'));
  source.addEventListener('story', ({ data }) => {
    const item = fragment(data).firstElementChild;
    if (item) place(alerts, item);
  });
  source.addEventListener('many', () => (status.textContent = 'much was judged; load again'));
  source.addEventListener('nodes', ({ data }) => {
    const nodes = document.querySelector('#nodes');
    if (!nodes.contains(document.activeElement)) nodes.replaceChildren(fragment(data));
  });
}

/** A story as it is now, in place of what stood there of it; away, once it is no longer what the list is of. */
function place(alerts, item) {
  const before = alerts.querySelector(`[data-id="${item.dataset.id}"]`);
  if (item.dataset.status !== alerts.dataset.status) {
    if (before?.contains(document.activeElement)) move(1);
    before?.remove();
    return;
  }
  const height = document.documentElement.scrollHeight;
  // Whoever has it under their fingers keeps it there.
  if (before?.contains(document.activeElement)) {
    before.replaceWith(item);
    item.querySelector('a').focus();
  } else {
    before?.remove();
    alerts.prepend(item);
  }
  item.classList.add('fresh');
  document.querySelector('#empty')?.remove();
  filter();
  // Whoever reads further down keeps what they read in place.
  if (scrollY > alerts.offsetTop) scrollBy(0, document.documentElement.scrollHeight - height);
}

function filter() {
  const wanted = document.querySelector('#filter')?.value.toLowerCase() ?? '';
  for (const item of list()?.children ?? [])
    item.hidden = wanted !== '' && !item.textContent.toLowerCase().includes(wanted);
}

function move(step) {
  const all = links();
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step));
  all[next]?.focus();
  all[next]?.scrollIntoView({ block: 'nearest' });
}

const GO = {
  o: '/',
  n: '/nodes',
  l: '/left',
  e: '/events',
  d: '/detectors',
  c: '/cohorts',
  p: '/privacy',
  r: '/record',
};
let going = false;

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches('input, select, textarea')) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  if (going && GO[event.key]) location.assign(GO[event.key]);
  going = event.key === 'g';
  if (event.key === 'j') move(1);
  else if (event.key === 'k') move(-1);
  else if (event.key === '?') document.querySelector('#help').showModal();
  else if (event.key === 'v') {
    event.preventDefault();
    document.querySelector('#reason')?.focus();
  } else if (event.key === '/') {
    event.preventDefault();
    document.querySelector('#filter')?.focus();
  }
}

/** How far a back-test is; the page that tells what it found is another one. */
async function watch(running) {
  const response = await fetch(running.dataset.watch);
  if (!response.ok) return;
  const { state, done, events } = await response.json();
  if (state !== 'running') {
    location.reload();
    return;
  }
  running.querySelector('progress').value = done;
  running.querySelector('output').textContent = `${Math.floor(done * 100)} %, ${events.toLocaleString('en')} events`;
  setTimeout(() => watch(running), 1000);
}

const UNITS = [
  ['d', 86400],
  ['h', 3600],
  ['min', 60],
];

function refreshTimes() {
  for (const time of document.querySelectorAll('time')) {
    const seconds = Math.max(0, (Date.now() - Date.parse(time.dateTime)) / 1000);
    const [unit, size] = UNITS.find(([, each]) => seconds >= each) ?? ['s', 1];
    time.textContent = `${Math.floor(seconds / size)} ${unit} ago`;
  }
}

document.addEventListener('keydown', key);
document.querySelector('#filter:not([data-question])')?.addEventListener('input', filter);
setInterval(refreshTimes, 1000);
listen();
const running = document.querySelector('[data-watch]');
if (running) void watch(running);
const plot = document.querySelector('#activity');
if (plot) await plotActivity(plot);
