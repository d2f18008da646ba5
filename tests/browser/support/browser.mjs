// One Chromium for each page: several in one were seen to hang.
import { mkdirSync, readFileSync } from 'node:fs';
import { after } from 'node:test';
import { chromium } from 'playwright-core';

const args = [
  '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', '--auto-select-desktop-capture-source=Entire screen',
  '--disable-features=WebRtcHideLocalIpsWithMdns', '--autoplay-policy=no-user-gesture-required', '--no-sandbox', '--disable-gpu',
  '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

// A test that failed leaves its browsers open, and the process would wait for them.
const opened = new Set();
after(() => Promise.all([...opened].map((it) => it.close())));

/** A page in a browser of its own. What it complains about is kept. */
export async function open(url, { viewport = { width: 1100, height: 760 }, before } = {}) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
  opened.add(browser);
  const context = await browser.newContext({ viewport, permissions: ['microphone', 'camera'] });
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  await before?.(page);
  await page.goto(url);
  return { browser, page, complaints };
}

const TYPES = { js: 'text/javascript', css: 'text/css' };

/**
 * With NOVA_WEB=<folder>, scripts and styles of the page come from there and not from the binary: no build for each
 * change. The page itself does not: Chromium lets only one that really came from this machine speak to it.
 */
export async function fromDisk(page, base) {
  const folder = process.env.NOVA_WEB;
  if (!folder) return;
  await page.route((url) => url.href.startsWith(base) && /^\/(js|css)\//.test(url.pathname), (route) => {
    const { pathname } = new URL(route.request().url());
    return route.fulfill({ contentType: TYPES[pathname.split('.').at(-1)], body: readFileSync(folder + pathname) });
  });
}

/** Keeps a picture, where somebody wants pictures. */
export async function shot(page, name) {
  if (!process.env.SHOTS) return;
  mkdirSync(process.env.SHOTS, { recursive: true });
  // Until what moves has come to rest.
  await page.evaluate(() => Promise.all(document.getAnimations()
    .filter((it) => it.effect?.getComputedTiming().iterations !== Infinity).map((it) => it.finished.catch(() => {}))));
  await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
}
