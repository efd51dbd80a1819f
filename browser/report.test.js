// What a reader does with the page of a run, in a browser: each check fails with what was found.
"use strict";
const assert = require("node:assert/strict");
const { existsSync } = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const BROWSER = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
const DESK = { width: 1280, height: 1000 };
const PHONE = { width: 390, height: 844 };

const open = async (browser, file, options, hash = "") => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) errors.push(message.text()); });
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("request", (request) => { if (!request.url().startsWith("file:")) errors.push(`asks for ${request.url()}`); });
  await page.goto(pathToFileURL(file).href + hash);
  await page.waitForSelector("#stack .panel canvas");
  return { context, page, errors };
};

const hashOf = (page) => page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
const rows = (page) => page.locator("#comparison tbody tr").evaluateAll((list) => list.map((row) => row.cells[0].textContent));

const checks = {
  async "the page opens without a word on the console and asks for nothing"({ page, errors }) {
    await page.waitForTimeout(300);
    assert.deepEqual(errors, []);
    assert.ok(await page.locator("#answer").isVisible());
    const panels = await page.locator("#stack .panel").count();
    assert.ok(panels >= 5, `${panels} panels`);
  },

  async "dragging zooms every panel, the address keeps it, and back it comes"({ page, browser, file }) {
    const over = page.locator("#stack .u-over").first();
    await over.scrollIntoViewIfNeeded();
    const box = await over.boundingBox();
    await page.mouse.move(box.x + box.width * 0.4, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 40, { steps: 5 });
    await page.mouse.up();
    await page.waitForFunction(() => location.hash.includes("from="));
    const zoomed = await hashOf(page);
    assert.ok(Number(zoomed.to) > Number(zoomed.from), JSON.stringify(zoomed));
    const again = await open(browser, file, { viewport: DESK }, `#${new URLSearchParams(zoomed)}`);
    await again.page.locator("#zoom-in").click();
    const nearer = await hashOf(again.page);
    const span = (hash) => Number(hash.to) - Number(hash.from);
    assert.ok(span(nearer) < span(zoomed) || span(zoomed) <= 121, `${JSON.stringify(zoomed)} then ${JSON.stringify(nearer)}`);
    assert.deepEqual(again.errors, []);
    await again.context.close();
    await page.locator("#whole").click();
    assert.equal((await hashOf(page)).from, undefined);
  },

  async "a policy is chosen, and its decisions open by button, key and click"({ page }) {
    const buttons = page.locator("#policies button");
    let found = false;
    for (let index = 0; index < await buttons.count() && !found; index += 1) {
      await buttons.nth(index).click();
      assert.equal((await hashOf(page)).policy, await buttons.nth(index).textContent());
      found = await page.locator("#why").isVisible();
    }
    assert.ok(found, "no policy has a decision to tell");
    await page.locator("#after").click();
    const first = await page.locator("#why-text").textContent();
    assert.match(first, /wanted before, \d+ ready/);
    const { at } = await hashOf(page);
    assert.ok(Number(at) >= 0, `at=${at}`);
    await page.locator("#stack").focus();
    await page.keyboard.press(".");
    await page.locator("#after").click();
    await page.locator("#worst").click();
    await page.locator("#whole").click();
    // A click beside the chosen tick opens the same or its neighbour.
    const before = await page.locator("#why-head").textContent();
    await page.reload();
    await page.waitForSelector("#stack .panel canvas");
    assert.equal(await page.locator("#why-head").textContent(), before);
    const over = page.locator(".decisions .u-over");
    await over.scrollIntoViewIfNeeded();
    const box = await over.boundingBox();
    let opened = "";
    for (let x = 8; x < box.width && !/wanted before/.test(opened); x += 20) {
      await page.mouse.click(box.x + x, box.y + box.height / 2);
      opened = await page.locator("#why-text").textContent();
    }
    assert.match(opened, /wanted before/);
  },

  async "a heading sorts the table and sorts it back"({ page }) {
    const cost = page.locator("#comparison th button", { hasText: /^cost$/ });
    const column = await cost.evaluate((button) => button.closest("th").cellIndex);
    const keys = () => page.locator("#comparison tbody tr").evaluateAll((list, index) => list.map((row) => Number(row.cells[index].dataset.key)), column);
    await cost.click();
    const up = await keys();
    assert.deepEqual(up, [...up].sort((a, b) => a - b));
    await cost.click();
    const down = await keys();
    assert.deepEqual(down, [...down].sort((a, b) => b - a));
    assert.ok((await rows(page)).length > 1);
  },

  async "only what meets its objective is stamped so"({ page }) {
    const stamps = await page.locator("#comparison .stamp").allTextContents();
    assert.ok(stamps.length > 0 && stamps.every((stamp) => ["meets", "misses", "undecided", "no requests"].includes(stamp)), stamps.join());
  },

  async "paper shows every policy"({ page }) {
    await page.emulateMedia({ media: "print" });
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    await page.waitForTimeout(100);
    const names = await page.locator("#policies button").allTextContents();
    const sheets = await page.locator("#paper h2").allTextContents();
    assert.equal(sheets.length, names.length);
    names.forEach((name, index) => assert.ok(sheets[index].includes(name), sheets[index]));
    assert.ok(await page.locator("#paper canvas").count() >= 5 * names.length);
    assert.equal(await page.locator("details:not([open])").count(), 0);
    const wide = await page.evaluate(() => document.querySelector("#paper section").scrollWidth);
    assert.ok(wide <= 1280, `${wide}`);
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    await page.emulateMedia({ media: "screen" });
    assert.equal(await page.locator("#paper canvas").count(), 0);
    const pdf = await page.pdf({ format: "A4" });
    assert.ok(pdf.length > 20_000, `${pdf.length} bytes`);
  },

  async "a phone scrolls down and not sideways"({ browser, file }) {
    const { context, page, errors } = await open(browser, file, { viewport: PHONE, hasTouch: true });
    const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= room, `${wide} in ${room}`);
    const panel = await page.locator("#stack .panel canvas").first().boundingBox();
    assert.ok(panel.width <= PHONE.width && panel.width > 250, `${panel.width}`);
    assert.deepEqual(errors, []);
    await context.close();
  },

  async "axe finds nothing serious, in light and in dark"({ browser, file }) {
    for (const colorScheme of ["light", "dark"]) {
      // axe is put in from outside, past the page's own policy.
      const { context, page } = await open(browser, file, { viewport: DESK, colorScheme, bypassCSP: true });
      await page.evaluate(axe.source);
      const found = await page.evaluate(() => globalThis.axe.run());
      const bad = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
      const told = bad.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join("; ")}`);
      assert.deepEqual(told, [], colorScheme);
      await context.close();
    }
  },
};

const main = async () => {
  const browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox", "--disable-quic"] });
  let failures = 0;
  for (const folder of process.argv.slice(2)) {
    const file = path.resolve(folder, "report.html");
    for (const [name, check] of Object.entries(checks)) {
      const opened = await open(browser, file, { viewport: DESK });
      try {
        await check({ ...opened, browser, file });
        console.log(`ok      ${path.basename(folder)}: ${name}`);
      } catch (error) {
        failures += 1;
        console.log(`FAILED  ${path.basename(folder)}: ${name}\n${String(error.message).slice(0, 1500)}`);
      }
      await opened.context.close();
    }
  }
  await browser.close();
  process.exit(failures === 0 ? 0 : 1);
};
main().catch((error) => { console.error(error); process.exit(1); });
