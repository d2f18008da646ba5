// Drives the page that behaves like Element.
import { createServer } from 'node:http';
import { build } from 'esbuild';
import { open } from './browser.mjs';
import { env, until } from './world.mjs';

let served;

/** The page's address. It is bundled once for each process. */
async function page() {
  served ??= (async () => {
    const entry = new URL('element.js', import.meta.url).pathname;
    const bundle = await build({
      entryPoints: [entry], bundle: true, format: 'iife', platform: 'browser', write: false, logLevel: 'error',
      define: { global: 'window' },
    });
    const [{ text }] = bundle.outputFiles;
    const server = createServer((request, response) => {
      const script = request.url.endsWith('.js');
      response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
      response.end(script ? text : '<!doctype html><title>Element</title><script src="/element.js"></script>');
    });
    server.unref();
    await new Promise((resolve) => server.listen(0, 'localhost', resolve));
    return `http://localhost:${server.address().port}/`;
  })();
  return served;
}

export class Element {
  /** Opens a client for somebody; on another device of theirs, where asked for. */
  static async open(user, room, { login } = {}) {
    const element = new Element();
    Object.assign(element, await open(await page()));
    const { token: accessToken, device: deviceId } = login ?? user;
    element.device = deviceId;
    const start = { baseUrl: env.HOMESERVER_URL, userId: user.id, accessToken, deviceId };
    await element.page.evaluate((options) => window.element.start(options), start);
    await until('Element sees both in the room', () => element.page.evaluate((id) => window.element.joined(id) === 2, room));
    element.room = room;
    return element;
  }

  place({ video = false, invitee } = {}) {
    return this.page.evaluate((it) => window.element.place(...it), [this.room, video, invitee]);
  }

  /** Does something to the newest call. */
  call(act, argument) {
    return this.page.evaluate(([body, it]) => new Function('call', 'it', `return ${body}`)(window.element.call(), it), [act, argument]);
  }

  state(index = -1) {
    return this.page.evaluate((it) => window.element.state(it), index);
  }

  count() {
    return this.page.evaluate(() => window.element.calls.length);
  }

  is(state, options) {
    return until(`Element's call is ${state}`, async () => {
      const now = await this.state();
      if (now?.state !== state) throw new Error(`it is ${JSON.stringify(now)}; ${(await this.log()).join(', ')}`);
      return now;
    }, options);
  }

  /** Waits for a call that rings, after so many others. */
  async rings(after = 0) {
    return until('Element rings', async () => {
      const now = await this.state();
      if ((await this.count()) <= after || now.state !== 'ringing') throw new Error(JSON.stringify(now));
      return now;
    });
  }

  log() {
    return this.page.evaluate(() => window.element.log);
  }

  feeds() {
    return this.page.evaluate(() => window.element.feeds());
  }

  inbound() {
    return this.page.evaluate(() => window.element.inbound());
  }

  close() {
    return this.browser.close();
  }
}
