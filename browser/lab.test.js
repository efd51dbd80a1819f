// The lab page in Chromium: a setting that is moved changes the figures to what the program says with the same --set.
//
// scripts/check-lab.sh runs it. SCALELAB names the program, CHROMIUM the browser.
"use strict";
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { mkdtempSync, readFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');
const { pathToFileURL } = require('node:url');
const { chromium } = require('playwright-core');

const root = resolve(__dirname, '..');
const program = process.env.SCALELAB ?? join(root, 'target/release/scalelab');
const folder = mkdtempSync(join(tmpdir(), 'lab-'));
const base = ['scenarios/triton-day', '--set', 'run.duration=2h', '--set', 'run.start=2026-03-16T08:00:00', '--set', 'run.replications=2'];
const scalelab = (...args) => execFileSync(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] }).toString();

const page = join(folder, 'lab.html');
scalelab('lab', ...base, '--module', join(root, 'target/lab/scalelab-lab.wasm'), '-o', page);
const run = (name, ...set) => {
  scalelab('run', ...base, ...set, '--policy', 'hpa', '--quiet', '-o', join(folder, name));
  const digests = JSON.parse(readFileSync(join(folder, name, 'run.json'), 'utf8')).digests.map(({ digest }) => digest);
  const [header, values] = readFileSync(join(folder, name, 'summary.csv'), 'utf8').trim().split('\n').map((line) => line.split(','));
  return { digests, row: Object.fromEntries(header.map((key, index) => [key, values[index]])) };
};

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  try {
    const view = await (await browser.newContext({ offline: true, viewport: { width: 1280, height: 900 } })).newPage();
    const complaints = [];
    view.on('console', (message) => { if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text()); });
    view.on('pageerror', (error) => complaints.push(String(error)));
    await view.goto(pathToFileURL(page) + '#policy=hpa', { waitUntil: 'load' });

    const row = view.locator('tr[data-policy=hpa]');
    const shown = async () => ({
      digests: await row.locator('code').allTextContents(),
      cost: Number(await row.locator('[data-cost]').getAttribute('data-cost')),
      share: Number(await row.locator('[data-share]').getAttribute('data-share')),
    });
    const settled = (digests) => view.waitForFunction(
      (wanted) => [...document.querySelectorAll('tr[data-policy=hpa] code')].map((code) => code.textContent).join() === wanted, digests.join(), { timeout: 120_000 });
    const same = (figures, program) => {
      assert.deepEqual(figures.digests, program.digests);
      const near = (value, text) => assert.ok(Math.abs(value - Number(text)) <= 1e-6 * Math.abs(value), `${value} and ${text}`);
      near(figures.cost, program.row.cost_usd);
      near(figures.share, program.row.slo_attainment);
    };

    const before = run('before');
    await settled(before.digests);
    same(await shown(), before);

    const knob = view.locator('[id="knob policies.hpa.hpa.minReplicas"]');
    await view.locator('details[data-group=hpa] summary').click();
    await knob.fill('5');
    const after = run('after', '--set', 'policies.hpa.hpa.minReplicas=5');
    assert.notDeepEqual(after.digests, before.digests);
    await settled(after.digests);
    same(await shown(), after);
    assert.match(await view.locator('#command').textContent(), /--set policies\.hpa\.hpa\.minReplicas=5/);
    assert.match(await view.locator('#yaml').textContent(), /^apiVersion: scalelab\.dev\/v1\nkind: Scenario\n[^]*\n {2}policies:\n[^]*\n {6}minReplicas: 5\n/);
    await view.waitForFunction(() => document.getElementById('difference').dataset.replications === '2', null, { timeout: 60_000 });
    const expected = (Number(after.row.cost_usd) - Number(before.row.cost_usd)) * 12;
    const told = /([+−]?)\$?([\d,.]+) a day/.exec((await view.locator('#difference').textContent()).replace('+$', '+').replace('−$', '−'));
    assert.ok(Math.abs(Number(told[2].replaceAll(',', '')) - Math.abs(expected)) < 0.02, `${told[0]} and ${expected}`);

    await view.locator('#pin').click();
    await view.locator('#reset').click();
    await settled(before.digests);
    assert.equal(await view.locator('#pins li').count(), 1);

    // Pins that follow the setting at once, up to the limit.
    const pinned = async (value, count) => {
      await view.evaluate((text) => {
        const input = document.getElementById('knob policies.hpa.hpa.minReplicas');
        input.value = text;
        input.dispatchEvent(new Event('input', { bubbles: true }));
        document.getElementById('pin').click();
      }, value);
      await view.waitForFunction((wanted) => document.querySelectorAll('#pins li').length === wanted, count, { timeout: 10_000 });
    };
    await pinned('6', 2);
    await pinned('7', 3);
    await pinned('8', 4);
    const eight = run('eight', '--set', 'policies.hpa.hpa.minReplicas=8');
    await settled(eight.digests);
    await view.waitForFunction(() => /\$/.test(document.querySelector('#pins li:last-child').textContent), null, { timeout: 60_000 });
    const figure = /\$([\d,.]+) a day/.exec(await view.locator('#pins li').last().textContent());
    assert.ok(Math.abs(Number(figure[1].replaceAll(',', '')) - Number(eight.row.cost_usd) * 12) < 0.02, `${figure[0]} of eight replicas`);
    await view.locator('#pin').click();
    await view.waitForFunction(() => document.getElementById('state').textContent.startsWith('4 variants are pinned'), null, { timeout: 10_000 });
    // What is drawn next leaves the message where it is.
    await view.evaluate(() => new Promise((drawn) => {
      dispatchEvent(new Event('resize'));
      requestAnimationFrame(() => requestAnimationFrame(drawn));
    }));
    assert.match(await view.locator('#state').textContent(), /^4 variants are pinned/);
    assert.equal(await view.locator('#pins li').count(), 4);
    assert.deepEqual(complaints, []);
    if (process.env.SCREENSHOTS) await view.screenshot({ path: join(process.env.SCREENSHOTS, 'lab.png'), fullPage: true });
    console.log('the lab in Chromium: figures and digests are those of the program, before and after a setting was moved');
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
