// Drives a scripted device of a Nova user.
import { open } from './browser.mjs';
import { page } from './pages.mjs';
import { env, until } from './world.mjs';

export class Device {
  static async open(user) {
    const device = new Device();
    Object.assign(device, await open(await page('device')));
    device.url = `${env.BRIDGE_URL.replace(/^http/, 'ws')}/ws?user_id=${user.id}&token=${user.token}`;
    await device.connect();
    return device;
  }

  connect() {
    return this.page.evaluate((url) => window.device.start(url), this.url);
  }

  /** Calls a function of the page's device. */
  do(name, ...args) {
    return this.page.evaluate(([it, given]) => window.device[it](...given), [name, args]);
  }

  request(frame) {
    return this.do('request', frame);
  }

  place(conversation, options) {
    return this.do('place', conversation, options);
  }

  rings() {
    return until('the device rings', () => this.do('ringing'));
  }

  /** Accepts, and returns the bridge's answer. */
  async accept(id, options) {
    await this.prepare(id, options);
    return this.commit();
  }

  /** Everything of accepting but the word itself. */
  prepare(id, options) {
    return this.page.evaluate(async ([call, it]) => { window.commit = await window.device.accept(call, it); }, [id, options]);
  }

  commit() {
    return this.page.evaluate(() => window.commit());
  }

  /** All frames of a type so far. */
  frames(type) {
    return this.page.evaluate((it) => window.device.frames.filter((frame) => frame.type === it), type);
  }

  /** Waits for a frame. */
  frame(type, wanted = () => true, options) {
    return until(`a frame ${type}`, async () => {
      const frames = await this.frames(type);
      const found = frames.find(wanted);
      if (!found) throw new Error(JSON.stringify(frames));
      return found;
    }, options);
  }

  inbound() {
    return this.do('inbound');
  }

  close() {
    return this.browser.close();
  }
}
