// Drives the page that behaves like Element.
import { open } from './browser.mjs';
import { page } from './pages.mjs';
import { env, until } from './world.mjs';

export class Element {
  /** Opens a client for somebody; on another device of theirs, where asked for. More options are those of the engine. */
  static async open(user, room, { login, ...more } = {}) {
    const element = new Element();
    Object.assign(element, await open(await page('element')));
    const { token: accessToken, device: deviceId } = login ?? user;
    element.device = deviceId;
    const start = { baseUrl: env.HOMESERVER_URL, userId: user.id, accessToken, deviceId, ...more };
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
