/** Doubles for the outside world: a clock that only moves when told, a WebSocket without a network, a storage. */

export class FakeClock {
  now = 0;
  #timers = new Map();
  #next = 1;

  setTimeout(run, ms) {
    this.#timers.set(this.#next, { run, at: this.now + ms });
    return this.#next++;
  }

  clearTimeout(timer) {
    this.#timers.delete(timer);
  }

  advance(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = due[1].at;
      due[1].run();
    }
    this.now = end;
  }
}

/** A class of its own per test, so that tests share no sockets. */
export function fakeWebSocket() {
  return class FakeWebSocket {
    static all = [];
    static get last() { return this.all.at(-1); }
    sent = [];
    closedWith = null;
    constructor(url) {
      this.url = new URL(url);
      this.constructor.all.push(this);
    }
    open() { this.onopen({}); }
    receive(frame) { this.onmessage({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) }); }
    drop(code = 1006) { this.onclose({ code }); }
    send(text) { this.sent.push(JSON.parse(text)); }
    close(code) { this.closedWith = code ?? 1005; }
    sentOfType(type) { return this.sent.filter((frame) => frame.type === type); }
  };
}

export class FakeStorage {
  #map = new Map();
  get length() { return this.#map.size; }
  key(index) { return [...this.#map.keys()][index] ?? null; }
  getItem(key) { return this.#map.get(key) ?? null; }
  setItem(key, value) { this.#map.set(key, String(value)); }
  removeItem(key) { this.#map.delete(key); }
}

/** Lets everything that is already resolved run. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
