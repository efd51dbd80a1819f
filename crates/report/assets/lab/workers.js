// Workers with an engine in each. A worker that runs something nobody waits for any more is ended, and another takes its place.
'use strict';
class Engine {
  constructor(url, module, pack) {
    this.worker = new Worker(url);
    this.waiting = new Map();
    this.next = 0;
    this.worker.onmessage = ({ data }) => {
      const done = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (done) done(data);
    };
    this.worker.onerror = (event) => {
      for (const done of this.waiting.values()) done({ head: { error: event.message || 'the worker ended', broken: true } });
      this.waiting.clear();
    };
    this.opened = this.send({ module, pack });
  }
  send(data) {
    const id = this.next++;
    return new Promise((done) => {
      this.waiting.set(id, done);
      this.worker.postMessage({ ...data, id });
    });
  }
  ask(question) { return this.send({ question }); }
  end() { this.worker.terminate(); this.waiting.clear(); }
}

async function unpacked(id) {
  const text = document.getElementById(id).textContent.trim();
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let index = 0; index < raw.length; index++) bytes[index] = raw.charCodeAt(index);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// As many runs at once as there are cores; one engine more is kept ready, so that a new question need not wait for one to start.
class Pool {
  constructor(start, atOnce) {
    this.start = start;
    this.atOnce = atOnce;
    this.ready = [];
    this.running = new Set();
    for (let index = 0; index <= atOnce; index++) this.ready.push(start());
  }
  // The next of `chains` that waits for an engine gets one. A chain asks its engine question after question until it is done or ended.
  fill(chains) {
    for (const chain of chains) {
      if (this.running.size >= this.atOnce) return;
      if (this.running.has(chain)) continue;
      const engine = this.ready.shift() || this.start();
      this.running.add(chain);
      chain.engine = engine;
      chain.go(engine).finally(() => {
        if (!this.running.delete(chain)) return;
        if (chain.broken) { engine.end(); this.ready.push(this.start()); } else this.ready.push(engine);
        chain.engine = null;
        chain.settled();
      });
    }
  }
  end(chain) {
    if (!this.running.delete(chain)) return;
    chain.engine.end();
    chain.engine = null;
    this.ready.push(this.start());
  }
}
