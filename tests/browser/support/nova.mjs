// Drives the reference client.
import { fromDisk, open } from './browser.mjs';
import { env, until } from './world.mjs';

export class Nova {
  /** Opens the page of somebody, at the chat with somebody, where asked for. */
  static async open(user, { chat, prepare, ...options } = {}) {
    const nova = new Nova();
    nova.cut = false;
    nova.connections = 0;
    const before = async (page) => {
      await prepare?.(page);
      await fromDisk(page, env.BRIDGE_URL);
      // So that a test can take the connection away.
      await page.routeWebSocket(/\/ws/, (socket) => {
        if (nova.cut) {
          socket.close();
          return;
        }
        nova.socket = socket;
        nova.connections += 1;
        socket.connectToServer();
      });
    };
    Object.assign(nova, await open(`${env.BRIDGE_URL}/#token=${user.token}`, { before, ...options }));
    nova.user = user;
    await nova.page.getByText('Connected').first().waitFor();
    if (chat) await nova.choose(chat);
    return nova;
  }

  async choose(chat) {
    await this.page.getByText(chat).first().click();
    await this.page.locator('.chat-pane .pane-header').filter({ hasText: chat }).waitFor();
    await this.on('call-voice').waitFor();
  }

  on(id) {
    return this.page.locator(`[data-testid=${id}]`);
  }

  press(id) {
    return this.on(id).first().click();
  }

  async rings() {
    await this.on('incoming').waitFor({ timeout: 30_000 });
  }

  async quiet(options) {
    await until('nothing rings at Nova', async () => !(await this.on('incoming').isVisible()), options);
  }

  status() {
    return this.on('call-status').first().innerText();
  }

  says(pattern, options) {
    return until(`Nova's call says ${pattern}`, async () => {
      const now = await this.status();
      if (!pattern.test(now)) throw new Error(`it says ${now}`);
      return true;
    }, options);
  }

  state() {
    return this.page.evaluate(() => window.novaTest.state());
  }

  inbound() {
    return this.page.evaluate(async () => {
      const bytes = { audio: 0, video: 0 };
      for (const connection of [window.novaTest.pc()].flat().filter(Boolean)) {
        (await connection.getStats()).forEach((it) => {
          if (it.type === 'inbound-rtp') bytes[it.kind] += it.bytesReceived;
        });
      }
      return bytes;
    });
  }

  /**
   * Closes what is left of a call. In one step: its end goes away by itself after a moment, and what was seen a moment ago
   * may be gone when it is pressed.
   */
  free() {
    return until('the page is free for the next call', () => this.page.evaluate(() => {
      const on = (id) => document.querySelector(`[data-testid=${id}]`);
      const close = on('call-close');
      if (close.checkVisibility()) close.click();
      return !on('call-screen').checkVisibility() && !on('call-voice')?.disabled;
    }));
  }

  /** Does something that breaks the connection to the bridge, and waits for the next one. */
  async reconnected(act) {
    const before = this.connections;
    await act();
    // What the page shows may still be of the connection that is gone.
    await until('Nova is connected again', async () => this.connections > before && this.page.getByText('Connected').first().isVisible());
  }

  /** Takes the connection to the bridge away, until it is given back. */
  async disconnect() {
    this.cut = true;
    await this.socket.close();
  }

  /** Gives it back, and says so as a browser does: the page's own next try may be later than a call waits. */
  async reconnect() {
    this.cut = false;
    await this.page.evaluate(() => window.dispatchEvent(new Event('online')));
  }

  close() {
    return this.browser.close();
  }
}

/** Waits until media arrives on both sides, from now on. */
export async function media(element, nova, { video = false } = {}) {
  for (const [side, name] of [[element, 'Element'], [nova, 'Nova']]) {
    const before = await side.inbound();
    await until(`${name} ${video ? 'sees and ' : ''}hears the other side`, async () => {
      const now = await side.inbound();
      if (now.audio <= before.audio + 1000 || (video && now.video <= before.video + 1000)) throw new Error(JSON.stringify(now));
      return true;
    });
  }
}
