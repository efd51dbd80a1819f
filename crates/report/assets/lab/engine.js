// In a worker: one engine, one open scenario. It answers one question at a time.
'use strict';
let exported = null;
function message(bytes) {
  const address = exported.take(bytes.length) >>> 0;
  new Uint8Array(exported.memory.buffer, address, bytes.length).set(bytes);
  return [address, bytes.length];
}
function answered(packed) {
  const address = Number(packed >> 32n), length = Number(packed & 0xffffffffn);
  const bytes = new Uint8Array(exported.memory.buffer, address, length).slice();
  exported.free(address, length);
  return bytes;
}
function read(bytes) {
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const numbers = new Float64Array(bytes.buffer, 4 + length);
  const columns = {}, ready = [];
  for (const [name, first, count] of head.columns) {
    const values = numbers.slice(first, first + count);
    if (name === 'ready of service') ready.push(values); else columns[name] = values;
  }
  head.columns = columns;
  head.readyOfServices = ready;
  return head;
}
// The engine needs nothing of its surroundings: imports are left over from a library that could ask a browser for the time, and never does.
function refused(name) { return () => { throw new Error('the engine asked for ' + name); }; }
async function started(module, pack) {
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = refused(name);
  exported = (await WebAssembly.instantiate(module, imports)).exports;
  return read(answered(exported.open(...message(pack))));
}
function asked(question) {
  return read(answered(exported.call(...message(new TextEncoder().encode(JSON.stringify(question))))));
}
function why(error) {
  if (!(error instanceof WebAssembly.RuntimeError) || !exported) return String(error.message || error);
  const text = new TextDecoder().decode(answered(exported.trapped()));
  return text || String(error);
}
if (typeof self !== 'undefined' && typeof WorkerGlobalScope !== 'undefined') {
  self.onmessage = async ({ data }) => {
    const begin = performance.now();
    let head;
    try {
      head = data.module ? await started(data.module, data.pack) : asked(data.question);
    } catch (error) {
      head = { error: why(error), broken: true };
    }
    self.postMessage({ id: data.id, head, tookMs: performance.now() - begin });
  };
}
