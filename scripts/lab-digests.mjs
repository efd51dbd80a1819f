// Are the runs of a lab page those of the program? `node scripts/lab-digests.mjs lab.html run.json` runs every run of run.json with the engine
// that is in the page, and compares digests and cost. Exit code 1 and a line per difference if they are not the same.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import { gunzipSync } from 'node:zlib';

const [page, runFile] = process.argv.slice(2);
const html = readFileSync(page, 'utf8');
const inside = (id) => new RegExp(`<script type="[^"]*" id="${id}">([^<]*)</script>`).exec(html)[1];
const unpacked = (id) => new Uint8Array(gunzipSync(Buffer.from(inside(id), 'base64')));

const surroundings = vm.createContext({ WebAssembly, TextEncoder, TextDecoder });
vm.runInContext(JSON.parse(inside('worker')) + '\nthis.started = started; this.asked = asked; this.why = why;', surroundings);
const { started, asked, why } = surroundings;

const head = await started(await WebAssembly.compile(unpacked('module')), unpacked('pack'));
if (head.error) { console.error(`${page}: ${head.error}`); process.exit(1); }
const run = JSON.parse(readFileSync(runFile, 'utf8'));
let wrong = 0, seen = 0;
for (const { policy, replication, digest } of run.digests) {
  let answer;
  try {
    answer = asked({ ask: 'run', set: [], policy: head.policies.findIndex(({ name }) => name === policy), replication });
  } catch (error) {
    answer = { error: why(error) };
  }
  seen++;
  if (answer.digest !== digest) {
    wrong++;
    console.error(`${page}: ${policy}, replication ${replication}: ${answer.error ?? answer.digest} instead of ${digest}`);
  }
}
console.log(`${page}: ${seen - wrong} of ${seen} digests are the program's`);
process.exit(wrong || !seen ? 1 : 0);
