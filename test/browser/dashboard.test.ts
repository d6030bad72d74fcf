/** The dashboard in a real browser: live, by keyboard, on a narrow screen, with nothing asked of anybody else. */
import { existsSync, readFileSync } from 'node:fs';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDashboard, type Dashboard } from '../../collector/dashboard/server.ts';
import { AFTER, BEFORE } from '../collector/dashboard/fake-privacy.ts';
import { alert, fakeView, NO_TOKENS, type FakeView } from '../collector/dashboard/fake-view.ts';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const present = existsSync(CHROMIUM);
/** Functions that run in the page, as text: types of the browser stay out of this program. */
const IN_PAGE = readFileSync(new URL('in-page.js', import.meta.url), 'utf8');
const inPage = (page: Page, call: string): Promise<unknown> => page.evaluate(`${IN_PAGE};\nasked.${call}`);
const TOKEN = 'a-token-of-this-test';
const CRON = 'cbd5ba78-859d-47e3-964c-ea25bbd12400';

describe.skipIf(!present)(`the dashboard in Chromium${present ? '' : ' (SKIPPED: apt-get install chromium)'}`, () => {
  const complaints: string[] = [];
  const asked: string[] = [];
  let browser: Browser;
  let view: FakeView;
  let dashboard: Dashboard;
  let base: string;

  beforeAll(async () => {
    view = fakeView();
    dashboard = await startDashboard(view, { host: '127.0.0.1', port: 0, token: TOKEN, tokens: NO_TOKENS });
    base = `http://127.0.0.1:${dashboard.port}`;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  });
  afterAll(async () => {
    await browser.close();
    await dashboard.close();
  });

  async function open(
    path: string,
    width = 1280,
    colorScheme: 'light' | 'dark' = 'light',
  ): Promise<{ page: Page; context: BrowserContext }> {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(`${base}/?token=${TOKEN}`);
    if (path !== '/') await page.goto(base + path);
    return { page, context };
  }

  test('logs in by the form, says no to a wrong token, logs out', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(base);
    await page.fill('#token', 'wrong');
    await page.keyboard.press('Enter');
    expect(await page.textContent('[role=alert]')).toContain('not the token');
    await page.fill('#token', TOKEN);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#alerts');
    await page.click('text=Log out');
    await page.waitForSelector('#token');
    await context.close();
  });

  test('a live alert appears within a second and takes neither focus nor place', async () => {
    const { page, context } = await open('/');
    await page.waitForSelector('#live:text-is("live")');
    await page.focus('#filter');
    const before = Date.now();
    view.add(alert(50, { title: 'Just now' }));
    await page.waitForSelector('text=Just now');
    expect(Date.now() - before).toBeLessThan(1_000);
    expect(await inPage(page, 'focused().id')).toBe('filter');
    await context.close();
  });

  test('the plot is drawn', async () => {
    const { page, context } = await open('/');
    await page.waitForSelector('#activity canvas');
    expect(await page.textContent('.u-legend')).toContain('file');
    await context.close();
  });

  test('by keyboard alone: skip link, list, open an alert, filter, help', async () => {
    const { page, context } = await open('/');
    await page.keyboard.press('Tab');
    expect(await inPage(page, 'focused().className')).toBe('skip');
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    expect(await inPage(page, 'isFirstAlertFocused()')).toBe(true);
    await page.keyboard.press('/');
    await page.keyboard.type('beta');
    expect(await page.locator('#alerts li:visible').count()).toBe(1);
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    expect(await page.isVisible('#help')).toBe(true);
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/stories\//);
    await page.keyboard.press('g');
    await page.keyboard.press('l');
    await page.waitForURL(/\/left/);
    expect(await page.textContent('#withheld-title')).toContain('Withheld');
    await context.close();
  });

  test('a verdict by keyboard alone, and the story leaves the list of whoever else looks', async () => {
    view.add(alert(60, { title: 'To be judged' }));
    const looking = await open('/');
    await looking.page.waitForSelector('#live:text-is("live")');
    const { page, context } = await open(`/stories/${alert(60).story}`);
    await page.keyboard.press('v');
    await page.keyboard.type('it was the backup');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#history-title');
    expect(await page.textContent('article > .severity')).toContain('false alarm');
    expect(await page.textContent('main')).toContain('it was the backup');
    await looking.page.waitForSelector('text=To be judged', { state: 'detached' });
    await looking.context.close();
    await context.close();
  });

  test('without scripts: a filter, a story, a verdict for all of a list', async () => {
    for (const seq of [70, 71]) view.add(alert(seq, { title: 'Noise', reason: 'The build, again.' }));
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`${base}/?token=${TOKEN}`);
    await page.fill('#filter', 'the build');
    await page.click('text=Show');
    expect(await page.locator('#alerts li').count()).toBe(2);
    await page.click('summary');
    await page.fill('#reason', 'our own build');
    await page.click('button[value=false]');
    await page.goto(`${base}/?status=false&text=the+build`);
    expect(await page.locator('#alerts li').count()).toBe(2);
    await context.close();
  });

  test('events by keyboard: ask, open one, turn the page, save the search', async () => {
    const { page, context } = await open('/events');
    await page.keyboard.press('/');
    expect(await inPage(page, 'focused().id')).toBe('filter');
    await page.keyboard.type('event = process.exec and process.executable.path startswith /');
    await page.keyboard.press('Enter');
    await page.waitForURL(/query=event/);
    expect(await page.textContent('#found-title')).toContain('4,711 events');
    expect(await page.locator('.bars rect').count()).toBeGreaterThan(10);
    await page.locator('.events summary').first().focus();
    await page.keyboard.press('Enter');
    expect(await page.isVisible('.events .attributes dt')).toBe(true);
    await page.focus('a[rel=next]');
    await page.keyboard.press('Enter');
    await page.waitForURL(/page=2/);
    await page.locator('.bars a').nth(3).click({ force: true });
    await page.waitForURL((url) => url.searchParams.has('until') && !url.searchParams.has('page'));
    await page.fill('#title', 'Started');
    await page.keyboard.press('Enter');
    await page.waitForSelector('pre.file');
    expect(await page.textContent('main')).toContain('logsource:');
    await context.close();
  });

  test('what if, by keyboard: turn a knob, say why, see how far it is, cancel', async () => {
    const { page, context } = await open('/detectors');
    await page.focus('#filter');
    await page.keyboard.type('more happened');
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/detectors\/rate/);
    expect(await page.inputValue('#change')).toContain('deviations: 9');
    await page.fill('#change', 'detectors: { rate: { deviations: 12 } }');
    await page.fill('#reason', 'too loud on Mondays');
    await page.keyboard.press('Enter');
    await page.waitForURL(/backtests\//);
    await page.waitForSelector('#progress-words:text("42 %, 77,000 events")');
    await page.click('text=Cancel');
    await page.waitForSelector('h1:text("cancelled")');
    expect(await page.textContent('pre.file')).toContain('deviations: 12');
    await context.close();
  });

  const PAGES = [
    ...['/', '/nodes', '/left', '/left?at=7.1', '/events', `/alerts/${alert(6).id}`, '/privacy'],
    ...[
      `/stories/${alert(6).story}`,
      `/alerts/${alert(6).id}/suggestion`,
      '/?group=node',
      '/?status=any&page=1',
      '/record',
    ],
    ...['/events?query=event+%3D+process.exec&since=6h', '/events?query=nonsense', '/detectors', '/cohorts'],
    ...[`/detectors/${CRON}`, '/detectors/rate', `/backtests/${'cd'.repeat(16)}`],
    '/events/detector?query=event+%3D+process.exec+and+process.executable.path+%3D+/x&title=A+title',
    `/privacy/rules/${AFTER.digest}?event=process.exec`,
    `/privacy/differences/${BEFORE.digest}/${AFTER.digest}`,
  ];
  describe.each([
    [1280, 'light'],
    [390, 'dark'],
  ] as const)('at %i, %s', (width, scheme) => {
    let page: Page;
    beforeAll(async () => {
      ({ page } = await open('/', width, scheme));
    });
    afterAll(() => page.context().close());

    test.each(PAGES)('%s: nothing sticks out, text has contrast, controls have names', async (path) => {
      const answer = await page.goto(base + path);
      expect(answer?.status()).toBe(200);
      if (await page.locator('[data-source]').count()) await page.waitForSelector('[data-source] canvas');
      expect(Number(await inPage(page, 'width()'))).toBeLessThanOrEqual(width);
      expect(await inPage(page, 'unnamedControls()')).toEqual([]);
      expect(await inPage(page, 'faintText()')).toEqual([]);
      expect(await page.title()).not.toBe('owned');
    });
  });

  test('nobody complained, nobody else was asked', () => {
    expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
    expect(asked.filter((url) => !url.startsWith(base))).toEqual([]);
  });
});
